;;;; Signals.

(in-package :pirn-tests)

(suite signals-suite)

(defun send-signal (signo)
  "Send SIGNO to this process."
  (cffi:foreign-funcall "kill" :int (cffi:foreign-funcall "getpid" :int) :int signo :int))

(test a-handler-is-called-each-time
  (is (equal (list pirn:+sigusr1+ pirn:+sigusr1+)
             (traced (note)
               (in-loop ()
                 (let ((count 0))
                   (pirn:signal-handler pirn:+sigusr1+
                                        (lambda (signo)
                                          (note signo)
                                          (if (= 2 (incf count))
                                              (pirn:free-signal-handler signo)
                                              (send-signal signo))))
                   (send-signal pirn:+sigusr1+)))))))

(test a-second-handler-replaces-the-first
  (is (equal '(:second)
             (traced (note)
               (in-loop ()
                 (pirn:signal-handler pirn:+sigusr1+ (lambda (s) (declare (ignore s)) (note :first)))
                 (pirn:signal-handler pirn:+sigusr1+ (lambda (s)
                                                       (declare (ignore s))
                                                       (note :second)
                                                       (pirn:clear-signal-handlers)))
                 (send-signal pirn:+sigusr1+))))))

(test handlers-of-other-loops-run-too
  (is (equal '(:other :this)
             (sort (traced (note)
                     (let* ((ready (bt:make-semaphore))
                            (other (bt:make-thread
                                    (lambda ()
                                      (in-loop ()
                                        (pirn:signal-handler pirn:+sigusr1+
                                                             (lambda (s)
                                                               (note :other)
                                                               (pirn:free-signal-handler s)))
                                        (bt:signal-semaphore ready))))))
                       (bt:wait-on-semaphore ready)
                       (in-loop ()
                         (pirn:signal-handler pirn:+sigusr1+ (lambda (s)
                                                               (note :this)
                                                               (pirn:free-signal-handler s)))
                         (send-signal pirn:+sigusr1+))
                       (bt:join-thread other)))
                   #'string<))))

(test a-handler-holds-the-loop
  (is (= 0 (in-loop ()
             (pirn:signal-handler pirn:+sighup+ #'list)
             (pirn:with-delay (1/20) (pirn:exit-event-loop)))))
  (is (= 1 (in-loop ()
             (pirn:signal-handler pirn:+sighup+ #'list)
             (pirn:signal-handler pirn:+sigterm+ #'list)
             (pirn:with-delay (1/20) (pirn:clear-signal-handlers))))))

(test signals-a-platform-has-not
  #+linux (is (null pirn:+siginfo+))
  (in-loop () (signals error (pirn:signal-handler nil #'list))))

#+sbcl
(defun interrupted-p ()
  "Whether SIGINT breaks into this thread, as SBCL does it."
  (handler-case (progn (send-signal pirn:+sigint+)
                       (sleep 5)
                       nil)
    (sb-sys:interactive-interrupt () t)))

#+sbcl
(test sigint-is-sbcl-s-again
  ;; SBCL gives SIGINT to its foreground thread, which this one is.
  (is-true (interrupted-p))
  ;; freed by hand
  (is (equal (list pirn:+sigint+)
             (traced (note)
               (in-loop ()
                 (pirn:signal-handler pirn:+sigint+ (lambda (s) (note s) (pirn:free-signal-handler s)))
                 (send-signal pirn:+sigint+)))))
  (is-true (interrupted-p))
  ;; by the loop's end, whichever way
  (in-loop () (pirn:signal-handler pirn:+sigint+ #'list) (pirn:exit-event-loop))
  (is-true (interrupted-p))
  (catch 'out (in-loop () (pirn:signal-handler pirn:+sigint+ #'list) (throw 'out nil)))
  (is-true (interrupted-p))
  (ignore-errors (in-loop () (pirn:signal-handler pirn:+sigint+ #'list) (error "out")))
  (is-true (interrupted-p)))

#+sbcl
(test run-program-goes-on-working
  (let ((children 0))
    (in-loop ()
      (pirn:signal-handler pirn:+sigchld+ (lambda (s) (declare (ignore s)) (incf children)))
      (pirn:delay
       (lambda ()
         (dotimes (i 3)
           (is (= i (sb-ext:process-exit-code
                     (sb-ext:run-program "/bin/sh" (list "-c" (format nil "exit ~d" i)))))))
         (is (string= (format nil "hello~%")
                      (with-output-to-string (out)
                        (sb-ext:run-program "/bin/echo" '("hello") :output out))))
         (pirn:with-delay (1/5) (pirn:free-signal-handler pirn:+sigchld+)))))
    (is (plusp children)))
  (is (= 7 (sb-ext:process-exit-code (sb-ext:run-program "/bin/sh" '("-c" "exit 7"))))))
