;;;; Messages: synchronous, asynchronous, timed, coalesced; deadlocks.

(in-package :pirn-tests)

(suite messages)

(defun serving (function)
  "A thread function that receives messages with FUNCTION."
  (lambda (self) (pirn:receive-loop self function)))

(test asynchronous-messages-in-order
  (is (equal '(1 2 3)
             (traced (note)
               (with-threads ((thread "async" (serving #'note)))
                 ;; those sent before the start wait
                 (pirn:send-async thread 1)
                 (pirn:start thread)
                 (pirn:send-async thread 2)
                 (is (null (pirn:send-async thread 3)))
                 (pirn:stop thread)
                 (is (eq t (pirn:join thread))))))))

(test synchronous-messages
  (with-threads ((thread "sync" (serving (lambda (x) (values (* 2 x) x)))))
    (pirn:start thread)
    (is (equal '(42 21) (multiple-value-list (pirn:send-sync thread 21))))
    (is (equal '(4 2) (multiple-value-list (pirn:send-sync thread 2 :timeout 10))))))

(test objects-travel-by-reference
  (let ((object (list 1 2 (make-hash-table))))
    (with-threads ((thread "ref" (serving #'identity)))
      (pirn:start thread)
      (is (eq object (pirn:send-sync thread object)))
      (is (null (pirn:send-sync thread nil))))))

(test copies
  (let ((object (list 1 "two" :three #(4) 'car)))
    (with-threads ((thread "copy" (serving #'identity)))
      (pirn:start thread)
      (let ((copy (pirn:send-sync thread object :copy t)))
        (is (equalp object copy))
        (is (not (eq object copy))))
      ;; taken when it is sent
      (let ((text (make-string 1 :initial-element #\a))
            (kept nil))
        (with-threads ((keeper "keeper" (serving (lambda (x) (setf kept x)))))
          (pirn:send-async keeper text :copy t)
          (setf (char text 0) #\b)
          (pirn:start keeper)
          (pirn:stop keeper)
          (pirn:join keeper)
          (is (string= "a" kept))))
      (signals error (pirn:send-sync thread #'car :copy t))
      (signals error (pirn:send-async thread (make-semaphore-object) :copy t)))))

(defclass semaphore-object () ())
(defun make-semaphore-object () (make-instance 'semaphore-object))

(test conditions-come-back
  (let ((condition (make-condition 'simple-error :format-control "boom")))
    (with-threads ((thread "fails" (serving (lambda (x) (if x (error condition) :fine)))))
      (pirn:start thread)
      (is (eq condition (condition-of (pirn:send-sync thread t))))
      ;; and the thread goes on
      (is (eq :fine (pirn:send-sync thread nil)))
      (let ((*error-output* (make-broadcast-stream)))
        (pirn:send-async thread t))
      (is (eq :fine (pirn:send-sync thread nil))))))

(test stack-exhaustion-in-a-handler-comes-back
  (labels ((deep (n) (1+ (deep (1+ n)))))
    (with-threads ((thread "deep-call" (serving (lambda (x) (if x (deep 0) :fine)))))
      (pirn:start thread)
      (is (typep (condition-of (pirn:send-sync thread t)) 'storage-condition))
      (is (eq :fine (pirn:send-sync thread nil))))))

(test sending-to-the-dead
  (with-threads ((thread "dead" (serving #'identity)))
    (pirn:start thread)
    (pirn:stop thread)
    (pirn:join thread)
    (signals pirn:thread-dead (pirn:send-sync thread 1))
    (signals pirn:thread-dead (pirn:send-async thread 1))
    (signals pirn:thread-dead (pirn:send-later thread 1 1))))

(test callers-of-a-dying-thread-are-told
  (with-threads ((thread "dying" (lambda (self)
                                   (pirn:receive-loop self (lambda (x)
                                                             (declare (ignore x))
                                                             (pirn:kill self)
                                                             (sleep 1/10))))))
    (let ((outcomes (loop repeat 3
                          collect (bt:make-thread
                                   (lambda () (condition-of (pirn:send-sync thread 1)))))))
      (sleep 1/10)
      (pirn:start thread)
      (let ((conditions (mapcar #'bt:join-thread outcomes)))
        (is (= 2 (count-if (lambda (c) (typep c 'pirn:thread-dead)) (remove nil conditions)))
            "~a" conditions)))))

(test timeouts
  (with-threads ((thread "slow-answer" (serving (lambda (x) (sleep 1/5) x))))
    (pirn:start thread)
    (signals pirn:timed-out (pirn:send-sync thread :first :timeout 1/20))
    ;; the late answer is not mistaken for this one's
    (is (eq :second (pirn:send-sync thread :second)))))

(test a-killed-caller-is-interrupted
  (with-threads ((slow "slow" (serving (lambda (x) (sleep 1/2) x)))
                 (caller "caller" (lambda (self)
                                    (declare (ignore self))
                                    (handler-case (pirn:send-sync slow 1)
                                      (pirn:interrupted () :interrupted)))))
    (pirn:start slow)
    (pirn:start caller)
    (sleep 1/10)
    (pirn:kill caller)
    (is (eq :interrupted (pirn:join caller)))))

(test stop-drains-kill-discards
  (dolist (case '((pirn:stop 10 t) (pirn:kill 1 nil)))
    (destructuring-bind (end expected result) case
      (let ((count 0) (gate (bt:make-semaphore)))
        (with-threads ((thread nil (serving (lambda (x)
                                              (incf count)
                                              (when (zerop x) (bt:wait-on-semaphore gate))))))
          (pirn:start thread)
          (dotimes (i 10) (pirn:send-async thread i))
          (eventually (lambda () (= count 1)))
          (funcall end thread)
          (bt:signal-semaphore gate)
          (is (eq result (pirn:join thread)))
          (is (= expected count)))))))

(test only-the-thread-itself-receives
  (with-threads ((thread "mine" (serving #'list)))
    (signals pirn:pirn-error (pirn:receive-loop thread #'list))))

(test full-mailboxes-make-senders-wait
  (let ((count 0) (sent 0))
    (with-threads ((thread "full" (serving (lambda (x) (declare (ignore x)) (incf count)))))
      (let ((sender (bt:make-thread (lambda ()
                                      (dotimes (i 3000)
                                        (pirn:send-async thread i)
                                        (setf sent (1+ i)))))))
        (sleep 1/5)
        (is (= 1000 sent))
        (pirn:start thread)
        (bt:join-thread sender)
        (pirn:stop thread)
        (pirn:join thread)
        (is (= 3000 count))))))

(test later
  (is (equal '(:now :soon :later)
             (traced (note)
               (let ((done nil))
                 (with-threads ((thread "later" (serving (lambda (x)
                                                           (note x)
                                                           (setf done (eq x :later))))))
                   (pirn:start thread)
                   (pirn:send-later thread 1/2 :later)
                   (pirn:send-later thread 0.2 :soon)
                   (pirn:send-async thread :now)
                   (eventually (lambda () done))))))))

(test cancelling
  (is (null (traced (note)
              (with-threads ((thread "cancel" (serving #'note)))
                (pirn:start thread)
                (let ((ticket (pirn:send-later thread 1/10 :never)))
                  (is-true (pirn:cancel-later thread ticket))
                  (is (null (pirn:cancel-later thread ticket))))
                (is (null (pirn:cancel-later thread 123456789)))
                (sleep 1/5)
                (is (zerop (hash-table-count (pirn::thread-timers thread)))))))))

(test repeating
  (let ((count 0))
    (with-threads ((thread "repeat" (serving (lambda (x) (declare (ignore x)) (incf count)))))
      (pirn:start thread)
      (let ((ticket (pirn:send-later thread 1/50 :tick :repeat t)))
        (is-true (eventually (lambda () (>= count 3))))
        (is-true (pirn:cancel-later thread ticket))
        (sleep 1/20)
        (let ((then count))
          (sleep 1/10)
          (is (= then count)))
        ;; one that came can't be cancelled
        (let ((ticket (pirn:send-later thread 0 :once)))
          (sleep 1/20)
          (is (null (pirn:cancel-later thread ticket))))))))

(defmacro coalescing (((&rest arguments) received) &body body)
  "Run BODY, which sends to THREAD while it is kept busy; RECEIVED is then what it got, but for :GATE."
  (let ((gate (gensym "GATE")) (busy (gensym "BUSY")))
    `(let ((,received '()) (,gate (bt:make-semaphore)) (,busy (bt:make-semaphore)))
       (with-threads ((thread "coalescing"
                              (lambda (self)
                                (pirn:receive-loop-coalescing
                                 self ,@arguments
                                 (lambda (message)
                                   (cond ((equal message '(:gate))
                                          (bt:signal-semaphore ,busy)
                                          (bt:wait-on-semaphore ,gate))
                                         (t (push message ,received)
                                            (list :handled message))))))))
         (pirn:start thread)
         (pirn:send-async thread (list :gate))
         (bt:wait-on-semaphore ,busy)
         (flet ((open-gate () (bt:signal-semaphore ,gate)))
           (declare (ignorable #'open-gate))
           ,@body
           (bt:signal-semaphore ,gate))
         (pirn:stop thread)
         (pirn:join thread))
       (setf ,received (reverse ,received)))))

(defun key (message) (and (not (eq :gate (car message))) (car message)))

(test coalescing-merges-and-keeps-the-place
  (is (equal '((:a 3) (:b 1) (:c 1))
             (coalescing ((#'key (lambda (old new) (list (car old) (+ (cadr old) (cadr new)))))
                          received)
               (pirn:send-async thread '(:a 1))
               (pirn:send-async thread '(:b 1))
               (pirn:send-async thread '(:a 2))
               (pirn:send-async thread '(:c 1))))))

(test coalescing-without-merge-takes-the-new-one
  (is (equal '((:a 2) (:b 1))
             (coalescing ((#'key nil) received)
               (pirn:send-async thread '(:a 1))
               (pirn:send-async thread '(:b 1))
               (pirn:send-async thread '(:a 2))))))

(test coalescing-without-key-takes-the-message
  (is (equal '((:a) (:b) nil nil)
             (coalescing ((nil nil) received)
               (pirn:send-async thread (list :a))
               (pirn:send-async thread (list :b))
               (pirn:send-async thread (list :a))
               (pirn:send-async thread nil)
               (pirn:send-async thread nil)))))

(test key-and-merge-run-on-the-sender-s-thread
  (let ((threads '()))
    (coalescing (((lambda (m) (push (bt:current-thread) threads) (key m)) nil) received)
      (setf threads '())
      (pirn:send-async thread '(:a 1))
      (pirn:send-async thread '(:a 2))
      (is (equal (list (bt:current-thread) (bt:current-thread)) threads)))))

(test a-failing-merge-leaves-the-message-alone
  (is (equal '((:a 1) (:a 2))
             (coalescing ((#'key (lambda (old new) (error "no ~a ~a" old new))) received)
               (pirn:send-async thread '(:a 1))
               (pirn:send-async thread '(:a 2))))))

(test all-callers-of-merged-messages-are-answered
  (let ((answers '()))
    (is (equal '((:a 111))
               (coalescing ((#'key (lambda (old new) (list (car old) (+ (cadr old) (cadr new)))))
                            received)
                 (let ((callers (loop for n in '(1 10 100)
                                      collect (let ((n n))
                                                (prog1 (bt:make-thread
                                                        (lambda ()
                                                          (pirn:send-sync thread (list :a n))))
                                                  (sleep 1/20))))))
                   (open-gate)
                   (setf answers (mapcar #'bt:join-thread callers))))))
    (is (equal '((:handled (:a 111)) (:handled (:a 111)) (:handled (:a 111))) answers))))

(test messages-from-before-take-part
  (let ((received '()))
    (with-threads ((thread "adopting"
                           (lambda (self)
                             (pirn:receive-loop-coalescing
                              self #'car (lambda (old new) (list (car old) (+ (cadr old) (cadr new))))
                              (lambda (message) (push message received))))))
      (pirn:send-async thread '(:a 1))
      (pirn:send-async thread '(:b 1))
      (pirn:send-async thread '(:a 2))
      (pirn:start thread)
      (pirn:stop thread)
      (pirn:join thread))
    (is (equal '((:a 3) (:b 1)) (reverse received)))))

(test a-cycle-of-calls-is-a-deadlock
  (let ((a nil) (b nil) (seen '()))
    (flet ((call (other)
             (lambda (x)
               (if (zerop x)
                   :end
                   (handler-case (pirn:send-sync (funcall other) (1- x))
                     (pirn:deadlock (condition)
                       (push condition seen)
                       :deadlock))))))
      (with-threads ((thread-a "alpha" (serving (call (lambda () b))))
                     (thread-b "beta" (serving (call (lambda () a)))))
        (setf a thread-a b thread-b)
        (pirn:start a)
        (pirn:start b)
        (is (eq :deadlock (pirn:send-sync a 5)))
        (is (= 1 (length seen)))
        (is (equal '("alpha" "beta") (sort (copy-list (pirn:deadlock-names (first seen))) #'string<)))
        (let ((text (princ-to-string (first seen))))
          (is (search "alpha" text))
          (is (search "beta" text)))
        ;; they are fine
        (is (eq :end (pirn:send-sync a 0)))
        (is (eq :end (pirn:send-sync a 1)))))))

(test calling-oneself-is-a-deadlock
  (let ((self nil))
    (with-threads ((thread "narcissus" (serving (lambda (x)
                                                  (if x (pirn:send-sync self nil) :fine)))))
      (setf self thread)
      (pirn:start thread)
      (is (typep (condition-of (pirn:send-sync thread t)) 'pirn:deadlock))
      (is (eq :fine (pirn:send-sync thread nil))))))

(test full-mailboxes-in-a-circle-are-a-deadlock
  ;; Each floods the other and reads nothing; one of them is told, the other goes on.
  (let ((a nil) (b nil))
    (flet ((flood (other)
             (lambda (self)
               (handler-case (dotimes (i 1500 :flooded)
                               (pirn:send-async (funcall other) i))
                 (pirn:deadlock (condition)
                   (pirn:receive-loop self #'identity)
                   condition)))))
      (with-threads ((thread-a "flood-a" (flood (lambda () b)))
                     (thread-b "flood-b" (flood (lambda () a))))
        (setf a thread-a b thread-b)
        (pirn:start a)
        (pirn:start b)
        (is-true (eventually (lambda () (or (eq :dead (pirn:thread-state a))
                                            (eq :dead (pirn:thread-state b))))))
        (pirn:stop a)
        (pirn:stop b)
        (let ((outcomes (list (pirn:join a) (pirn:join b))))
          (is (member :flooded outcomes))
          (is (search "full queue" (princ-to-string (find-if (lambda (outcome) (typep outcome 'condition)) outcomes)))))))))

(test joins-and-calls-in-a-circle-are-a-deadlock
  (let ((caller nil))
    (with-threads ((joined "joined" (lambda (self)
                                      (declare (ignore self))
                                      (sleep 1/10)
                                      (handler-case (pirn:send-sync caller 1)
                                        (pirn:deadlock (condition) condition))))
                   (joiner "joiner" (lambda (self)
                                      (declare (ignore self))
                                      (pirn:join joined))))
      (setf caller joiner)
      (pirn:start joined)
      (pirn:start joiner)
      (let ((condition (pirn:join joiner)))
        (is (typep condition 'pirn:deadlock))
        (is (equal '("joined" "joiner") (pirn:deadlock-names condition)))
        (is (search "joined -(call)-> joiner -(join)-> joined" (princ-to-string condition)))))))

(test a-timed-wait-in-a-circle-costs-nobody-else-a-call
  (let ((a nil) (b nil) (timed nil))
    (with-threads ((thread-a "timed" (serving (lambda (x)
                                                (case x
                                                  (:go (handler-case
                                                           (pirn:send-sync b :call :timeout 1/5)
                                                         (pirn:timed-out () (setf timed t) :gone)))
                                                  (t :fine)))))
                   (thread-b "untimed" (serving (lambda (x)
                                                  (declare (ignore x))
                                                  (sleep 1/20)
                                                  (pirn:send-sync a :ping)))))
      (setf a thread-a b thread-b)
      (pirn:start a)
      (pirn:start b)
      (with-threads ((outside "outside" (lambda (self)
                                          (declare (ignore self))
                                          (sleep 1/10)
                                          ;; it waits for the circle, and isn't in it
                                          (pirn:send-sync a :ping))))
        (pirn:start outside)
        (is (eq :gone (pirn:send-sync a :go)))
        (is (eq :fine (pirn:join outside))))
      (is-true timed)
      (is (eq :fine (pirn:send-sync b :call))))))

(test a-killed-sender-leaves-the-line
  (with-threads ((full "full-one" #'list)
                 (sender "in-line" (lambda (self)
                                     (declare (ignore self))
                                     (handler-case (loop (pirn:send-async full 1))
                                       (pirn:interrupted () :interrupted)))))
    (pirn:start sender)
    (is-true (eventually (lambda () (pirn::thread-line full))))
    (pirn:kill sender)
    (is (eq :interrupted (pirn:join sender)))
    (is (null (pirn::thread-line full)))
    ;; and so does one that is thrown out
    (is (eq :timeout (handler-case (bt:with-timeout (1/20) (pirn:send-async full 1))
                       (bt:timeout () :timeout))))
    (is (null (pirn::thread-line full)))))

(test senders-in-line-are-told-of-the-death
  (with-threads ((full "dying-full" #'list))
    (dotimes (i 1000) (pirn:send-async full i))
    (let ((senders (list (bt:make-thread (lambda () (condition-of (pirn:send-async full 1))))
                         (bt:make-thread (lambda () (condition-of (pirn:send-sync full 1)))))))
      (eventually (lambda () (= 2 (length (pirn::thread-line full)))))
      (pirn:stop full)
      (dolist (sender senders)
        (is (typep (bt:join-thread sender) 'pirn:thread-dead))))))

(test an-abandoned-call-is-no-deadlock
  ;; B was thrown out of a call to A. When A then calls B, nobody waits in a circle.
  (let ((a nil) (thrown nil) (os-b nil))
    (with-threads ((thread-b "b" (lambda (self)
                                   (setf os-b (bt:current-thread))
                                   (catch 'out (pirn:send-sync a :wait))
                                   (setf thrown t)
                                   (pirn:receive-loop self #'identity)))
                   (thread-a "a" (serving (lambda (x)
                                            (case x
                                              (:wait
                                               (eventually (lambda () thrown))
                                               (handler-case (pirn:send-sync thread-b :ping :timeout 5)
                                                 (error (e) (setf thrown e))))
                                              (t thrown))))))
      (setf a thread-a)
      (pirn:start thread-a)
      (pirn:start thread-b)
      (eventually (lambda () os-b))
      (sleep 1/10)
      (bt:interrupt-thread os-b (lambda () (throw 'out nil)))
      (is (eq t (pirn:send-sync thread-a :how))))))

(test with-timeout-acts-on-a-call
  (with-threads ((thread "unresponsive" (serving (lambda (x) (sleep 2) x))))
    (pirn:start thread)
    (let ((start (get-internal-real-time)))
      (is (eq :timeout (handler-case (bt:with-timeout (1/20) (pirn:send-sync thread 1))
                         (bt:timeout () :timeout))))
      (is (< (- (get-internal-real-time) start) internal-time-units-per-second)))
    (is (= 2 (pirn:send-sync thread 2)))))
