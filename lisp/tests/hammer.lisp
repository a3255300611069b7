;;;; The hard cases: collections all the time, asynchronous unwinds, late calls.

(in-package :pirn-tests)

(suite hammer)

(defmacro with-collections (&body body)
  "Run BODY while another thread collects all garbage every few milliseconds."
  (let ((stop (gensym "STOP")) (thread (gensym "THREAD")))
    `(let* ((,stop nil)
            (,thread (bt:make-thread (lambda ()
                                       (loop until ,stop
                                             do #+sbcl (sb-ext:gc :full t)
                                                #+ecl (ext:gc t)
                                                (sleep 1/200))))))
       (unwind-protect (progn ,@body)
         (setf ,stop t)
         (bt:join-thread ,thread)))))

(test activations-under-collections
  (let ((count 0)
        (threads 8)
        (each 12500))
    (with-collections
      (within (300)
        (pirn:with-event-loop ()
          (let ((base pirn:*event-base*)
                (hold (pirn:make-event (lambda ())))
                (left threads)
                (lock (bt:make-lock)))
            (dotimes (i threads)
              (bt:make-thread
               (lambda ()
                 (let ((pirn:*event-base* base))
                   (dotimes (j each)
                     (when (zerop (mod j 100)) (sleep 1/200)) ; time for collections
                     (pirn:add-event (pirn:make-event (lambda () (incf count))) :activate t))
                   (bt:with-lock-held (lock)
                     (when (zerop (decf left))
                       (pirn:add-event hold :activate t)))))))))))
    (is (= (* threads each) count))))

(test messages-under-collections
  (let ((sum 0))
    (with-collections
      (with-threads ((thread "collected" (serving (lambda (x) (incf sum x)))))
        (pirn:start thread)
        (within (120)
          (mapc #'bt:join-thread
                (loop repeat 4
                      collect (bt:make-thread (lambda ()
                                                (dotimes (i 5000)
                                                  (if (zerop (mod i 50))
                                                      (pirn:send-sync thread 1)
                                                      (pirn:send-async thread 1)))))))
          (pirn:stop thread)
          (pirn:join thread))))
    (is (= 20000 sum))))

#+sbcl
(test asynchronous-unwinds-out-of-the-wait
  ;; A loop is driven, thrown out of its sleep and driven again, 500 times; every event that is
  ;; activated meanwhile, from two threads, must happen.
  (let* ((base nil) (driver nil) (happened 0) (activated 0) (unwound 0) (stop nil)
         (ready (bt:make-semaphore))
         (lock (bt:make-lock)))
    (setf driver
          (bt:make-thread
           (lambda ()
             (sb-sys:without-interrupts
               (let* ((pirn:*event-base* (pirn::open-base nil nil)))
                 (setf base pirn:*event-base*)
                 (pirn:make-event (lambda ()))
                 (bt:signal-semaphore ready)
                 (loop until (eql 0 (catch 'unwind
                                      (sb-sys:with-local-interrupts (pirn::drive base))))
                       do (incf unwound))
                 (pirn::close-base base))))))
    (bt:wait-on-semaphore ready)
    (let ((feeders (loop repeat 2
                         collect (bt:make-thread
                                  (lambda ()
                                    (let ((pirn:*event-base* base))
                                      (loop until stop
                                            do (pirn:delay (lambda ()
                                                             (sb-sys:without-interrupts
                                                               (incf happened))))
                                               (bt:with-lock-held (lock) (incf activated))
                                               (sleep 1/1000))))))))
      (within (120)
        (dotimes (i 500)
          (bt:interrupt-thread driver
                               (lambda ()
                                 (when (in-the-wait-p)
                                   (throw 'unwind :unwound))))
          (sleep 1/500))
        (setf stop t)
        (mapc #'bt:join-thread feeders)
        (is-true (eventually (lambda () (= happened activated))))
        (let ((pirn:*event-base* base)) (pirn:exit-event-loop))
        (bt:join-thread driver))
      (is (= activated happened))
      (is (> unwound 400)))))

#+sbcl
(defun in-the-wait-p ()
  "Whether this interruption struck while DRIVE itself ran, which lets interruptions in only to wait."
  (let ((names '()))
    (sb-debug::map-backtrace
     (lambda (frame)
       (push (princ-to-string (sb-di:debug-fun-name (sb-di:frame-debug-fun frame))) names)))
    (flet ((foreign-p (name) (search "foreign function" name))
           (handler-p (name) (search "interrupt_handle" name)))
      (let ((struck (find-if-not #'foreign-p (rest (member-if #'handler-p (reverse names))))))
        (and struck (search "DRIVE" struck))))))

(test timeouts-out-of-the-loop
  (dotimes (i 50)
    (is (eq :timeout
            (handler-case (bt:with-timeout (1/100)
                            (pirn:with-event-loop () (pirn:make-event (lambda ()))))
              (bt:timeout () :timeout)))))
  (is (= 1 (in-loop () (pirn:delay nil :time 1/100)))))

#+sbcl
(test a-receive-loop-can-be-left-and-entered-again
  (let ((count 0) (thrown 0) (os-thread nil))
    (with-threads ((thread "reentrant"
                           (lambda (self)
                             (setf os-thread (bt:current-thread))
                             (loop until (eq t (catch 'out
                                                 (pirn:receive-loop
                                                  self (lambda (x)
                                                         (declare (ignore x))
                                                         (sb-sys:without-interrupts (incf count))))))
                                   do (incf thrown)))))
      (pirn:start thread)
      (eventually (lambda () os-thread))
      (sleep 1/20)
      (within (60)
        (dotimes (i 2000)
          (pirn:send-async thread i)
          (when (zerop (mod i 20))
            (bt:interrupt-thread os-thread (lambda ()
                                             (ignore-errors (throw 'out :again)))))
          (when (zerop (mod i 100)) (sleep 1/100)))
        (pirn:stop thread)
        (ignore-errors (pirn:join thread)))
      (is (<= (- 2000 thrown) count 2000) "~d handled, ~d throws" count thrown))))

#+sbcl
(test asynchronous-unwinds-out-of-calls
  ;; A caller is thrown out of its calls again and again, one throw at a time.
  (let ((calls 0) (throws 0) (stop nil) (os-thread nil))
    (with-threads ((callee "callee" (serving #'identity))
                   (caller "unwound" (lambda (self)
                                       (declare (ignore self))
                                       (setf os-thread (bt:current-thread))
                                       (loop until stop
                                             do (catch 'out
                                                  (loop until stop
                                                        do (unless (eql 5 (pirn:send-sync callee 5))
                                                             (return-from nil :wrong))
                                                           (incf calls)))))))
      (pirn:start callee)
      (pirn:start caller)
      (eventually (lambda () (plusp calls)))
      (within (60)
        (dotimes (i 500)
          (let ((before throws))
            (bt:interrupt-thread os-thread (lambda ()
                                             (incf throws)
                                             (ignore-errors (throw 'out nil))))
            (loop until (> throws before) do (bt:thread-yield))
            (when (zerop (mod i 50))
              (let ((calls-before calls))
                (is-true (eventually (lambda () (> calls calls-before))))))))
        (setf stop t)
        (is (null (pirn:join caller)))
        (is (= 7 (pirn:send-sync callee 7)))
        (is (zerop (count-if-not #'null (pirn::registry-objects
                                         (pirn::thread-parcels callee)))))))))

(test late-activations
  ;; Threads go on activating events of loops that end under their hands.
  (let ((signalled 0) (other 0))
    (within (120)
      (dotimes (round 100)
        (let ((event nil))
          (pirn:with-event-loop ()
            (setf event (pirn:make-event (lambda ())))
            (pirn:exit-event-loop))
          (mapc #'bt:join-thread
                (loop repeat 2
                      collect (bt:make-thread
                               (lambda ()
                                 (dotimes (i 50)
                                   (handler-case (pirn:add-event event :activate t)
                                     (pirn:event-freed () (incf signalled))
                                     (error () (incf other)))))))))))
    (is (zerop other))
    (is (<= 9900 signalled 10000))))      ; INCF by two threads may miss some

(test activations-racing-the-loop-s-end
  (within (120)
    (dotimes (round 200)
      (let ((thread nil))
        (pirn:with-event-loop ()
          (let ((event (pirn:make-event (lambda ()) )) (base pirn:*event-base*))
            (setf thread (bt:make-thread
                          (lambda ()
                            (let ((pirn:*event-base* base))
                              (handler-case (loop (pirn:add-event event :activate t)
                                                  (pirn:delay nil))
                                (pirn:pirn-error () :told))))))
            (pirn:delay #'pirn:exit-event-loop :time 1/1000)))
        (is (eq :told (bt:join-thread thread)))))))
