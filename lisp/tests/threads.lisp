;;;; Threads: life, death, names, locals.

(in-package :pirn-tests)

(suite threads)

(defmacro with-threads ((&rest bindings) &body body)
  "Run BODY with threads; BINDINGS are (variable name function). They are ended after it."
  `(let ,(mapcar #'first bindings)
     (unwind-protect
          (within (20)
            (setf ,@(loop for (variable name function) in bindings
                          append `(,variable (pirn:make-thread ,name ,function))))
            ,@body)
       ,@(loop for (variable) in bindings
               collect `(when ,variable (ignore-errors (pirn:kill ,variable)))))))

(test a-thread-s-life
  (with-threads ((thread "worker" (lambda (self) (values self (pirn:current-thread) 3))))
    (is (string= "worker" (pirn:thread-name thread)))
    (is (eq :new (pirn:thread-state thread)))
    (is (eq thread (pirn:find-thread "worker")))
    (is (member thread (pirn:list-threads)))
    (is (eq thread (pirn:start thread)))
    (is (equal (list thread thread 3) (multiple-value-list (pirn:join thread))))
    (is (eq :dead (pirn:thread-state thread)))
    (is (null (pirn:find-thread "worker")))
    (is (not (member thread (pirn:list-threads))))
    ;; later joiners
    (is (null (pirn:join thread)))))

(test current-thread-is-nil-elsewhere
  (is (null (pirn:current-thread)))
  (is (null (bt:join-thread (bt:make-thread #'pirn:current-thread)))))

(test names
  (dolist (name '("" "a b" "a/b" "." ".." "ä"))
    (signals pirn:pirn-error (pirn:make-thread name #'list)))
  (with-threads ((thread nil #'list) (other nil #'list))
    (is (stringp (pirn:thread-name thread)))
    (is (plusp (length (pirn:thread-name thread))))
    (is (string/= (pirn:thread-name thread) (pirn:thread-name other))))
  (with-threads ((thread "A.b_c~d-9" #'list))
    (signals pirn:pirn-error (pirn:make-thread "A.b_c~d-9" #'list)))
  ;; free again at once after the death
  (dotimes (i 20)
    (pirn:join (pirn:start (pirn:make-thread "again" #'list)))))

(test starting-twice-is-an-error
  (with-threads ((thread "once" #'pirn::list))
    (pirn:start thread)
    (signals pirn:pirn-error (pirn:start thread))
    (pirn:join thread)
    (signals pirn:pirn-error (pirn:start thread))))

(test what-leaves-the-function-goes-to-the-first-joiner
  (let ((condition (make-condition 'simple-error :format-control "boom")))
    (with-threads ((thread "failing" (lambda (self) (declare (ignore self)) (error condition))))
      (pirn:start thread)
      (is (eq condition (condition-of (pirn:join thread))))
      (is (null (pirn:join thread))))))

(test stack-exhaustion-comes-back
  (labels ((deep (n) (1+ (deep (1+ n)))))
    ;; Again and again: SBCL gives the stack of a dead thread to the next one.
    (dotimes (i 30)
      (with-threads ((thread "deep" (lambda (self) (declare (ignore self)) (deep 0))))
        (pirn:start thread)
        (is (typep (condition-of (pirn:join thread)) 'storage-condition))))))

(test a-new-thread-is-stopped-or-killed-at-once
  (dolist (end '(pirn:stop pirn:kill))
    (with-threads ((thread "early" (lambda (self) (declare (ignore self)) (error "never"))))
      (funcall end thread)
      (is (eq :dead (pirn:thread-state thread)))
      (is (null (pirn:find-thread "early")))
      (is (null (pirn:join thread)))
      (signals pirn:pirn-error (pirn:start thread))
      (is (null (funcall end thread))))))

(test joining-a-new-thread-is-an-error
  (with-threads ((thread "unborn" #'list))
    (signals pirn:pirn-error (pirn:join thread))))

(test joining-with-a-timeout
  (with-threads ((thread "slow" (lambda (self) (pirn:receive-loop self #'list) :done)))
    (pirn:start thread)
    (signals pirn:timed-out (pirn:join thread :timeout 1/20))
    (pirn:stop thread)
    (is (eq :done (pirn:join thread :timeout 10)))))

(test joining-oneself-is-a-deadlock
  (with-threads ((thread "selfish" (lambda (self) (pirn:join self))))
    (pirn:start thread)
    (let ((condition (condition-of (pirn:join thread))))
      (is (typep condition 'pirn:deadlock))
      (is (equal '("selfish") (pirn:deadlock-names condition))))))

(test locals
  (setf (pirn:thread-local "key") 1
        (pirn:thread-local '(a list)) 2)
  (is (eql 1 (pirn:thread-local (copy-seq "key"))))
  (is (eql 2 (pirn:thread-local (list 'a 'list))))
  (is (null (pirn:thread-local :other)))
  (with-threads ((thread "locals" (lambda (self)
                                    (declare (ignore self))
                                    (list (pirn:thread-local "key")
                                          (setf (pirn:thread-local "key") 5)
                                          (pirn:thread-local "key")))))
    (is (equal '(nil 5 5) (pirn:join (pirn:start thread)))))
  (is (eql 1 (pirn:thread-local "key"))))

(test an-unwound-thread-is-dead
  (let ((os-thread nil))
    (with-threads ((thread "unwound" (lambda (self)
                                       (setf os-thread (bt:current-thread))
                                       (pirn:receive-loop self #'list))))
      (pirn:start thread)
      (eventually (lambda () os-thread))
      (bt:destroy-thread os-thread)
      (signals pirn:interrupted (pirn:join thread :timeout 10))
      (is (null (pirn:find-thread "unwound"))))))

(test a-thread-killed-in-an-event-loop-is-interrupted
  (let ((running nil))
    (with-threads ((thread "looping" (lambda (self)
                                       (declare (ignore self))
                                       (pirn:with-event-loop ()
                                         (pirn:make-event nil)
                                         (pirn:delay (lambda () (setf running t)) :time 1/50)))))
      (pirn:start thread)
      (eventually (lambda () running))
      (sleep 1/20)
      (pirn:kill thread)
      (signals pirn:interrupted (pirn:join thread :timeout 10)))))

(test odd-timeouts
  (with-threads ((thread "odd" (lambda (self) (pirn:receive-loop self #'identity))))
    (pirn:start thread)
    (is (= 1 (pirn:send-sync thread 1 :timeout 1d30)))
    (signals pirn:timed-out (pirn:join thread :timeout 0))
    (signals pirn:timed-out (pirn:join thread :timeout -1))))

(test many-threads
  (let ((threads (loop for i below 50
                       collect (let ((i i))
                                 (pirn:make-thread nil (lambda (self) (declare (ignore self)) i))))))
    (mapc #'pirn:start threads)
    (is (equal (loop for i below 50 collect i)
               (within (20) (mapcar #'pirn:join threads))))))
