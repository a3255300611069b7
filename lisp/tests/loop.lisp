;;;; The event loop as a whole.

(in-package :pirn-tests)

(suite loop-suite)

(test an-empty-loop-returns-1
  (is (= 1 (in-loop ())))
  (is (= 1 (in-loop () 'anything))))

(test exit-returns-0
  (is (= 0 (in-loop ()
             (pirn:delay (lambda ()) :time 1000)
             (pirn:exit-event-loop)))))

(test exit-lets-active-callbacks-run
  (is (equal '(1 2)
             (traced (note)
               (in-loop ()
                 (pirn:delay (lambda () (note 1) (pirn:exit-event-loop)))
                 (pirn:delay (lambda () (note 2)))
                 (pirn:delay (lambda () (note 3)) :time 1000))))))

(test exit-from-another-thread
  (is (= 0 (in-loop ()
             (let ((base pirn:*event-base*))
               (pirn:delay (lambda ()) :time 1000)
               (bt:make-thread (lambda ()
                                 (sleep 1/10)
                                 (let ((pirn:*event-base* base))
                                   (pirn:exit-event-loop)))))))))

(test exit-without-a-loop-is-quiet
  (is (null (pirn:exit-event-loop)))
  (let ((base nil))
    (in-loop () (setf base pirn:*event-base*))
    (let ((pirn:*event-base* base))
      (is (null (pirn:exit-event-loop))))))

(test no-loop-is-an-error
  (signals pirn:pirn-error (pirn:delay (lambda ())))
  (signals pirn:pirn-error (pirn:make-event (lambda ())))
  (let ((base nil))
    (in-loop () (setf base pirn:*event-base*))
    (let ((pirn:*event-base* base))
      (signals pirn:pirn-error (pirn:delay (lambda ())))
      (signals pirn:pirn-error (pirn:interval (lambda ()) :time 1))
      (signals pirn:pirn-error (pirn:idle (lambda ()))))))

(test a-loop-inside-a-loop-is-an-error
  (is (typep (let ((condition nil))
               (in-loop ()
                 (setf condition (condition-of (pirn:with-event-loop ()))))
               condition)
             'pirn:pirn-error)))

(test loops-on-several-threads
  (let ((threads (loop for i below 4
                       collect (let ((i i))
                                 (bt:make-thread
                                  (lambda ()
                                    (let ((sum 0))
                                      (in-loop ()
                                        (dotimes (j 100)
                                          (pirn:delay (lambda () (incf sum i)) :time 1/100)))
                                      sum)))))))
    (is (equal '(0 100 200 300) (within (20) (mapcar #'bt:join-thread threads))))))

(test the-loop-s-variable
  (is (null pirn:*event-base*))
  (let ((ids '()))
    (dotimes (i 2)
      (in-loop () (push (pirn:event-base-id pirn:*event-base*) ids)))
    (is (every #'integerp ids))
    (is (/= (first ids) (second ids))))
  (is (null pirn:*event-base*)))

(test threading-contexts
  (is (equal '(:by-id :by-default)
             (traced (note)
               (in-loop ()
                 (let ((id (pirn:event-base-id pirn:*event-base*))
                       (hold (pirn:make-event (lambda ()))))
                   (bt:make-thread
                    (lambda ()
                      (pirn:with-threading-context (:base-id id)
                        (pirn:delay (lambda () (note :by-id))))
                      (sleep 1/10)
                      (pirn:with-threading-context (:io nil)
                        (pirn:delay (lambda () (note :by-default) (pirn:free-event hold)))))))))))
  (signals pirn:pirn-error (pirn:with-threading-context () 1))
  (signals pirn:pirn-error (pirn:with-threading-context (:base-id -5) 1)))

(test exit-callbacks-are-lifo
  (is (equal '(:body 2 1)
             (traced (note)
               (in-loop ()
                 (pirn:add-event-loop-exit-callback (lambda () (note 1)))
                 (pirn:add-event-loop-exit-callback (lambda () (note 2)))
                 (note :body)))))
  (is (equal '(2 1 :error)
             (traced (note)
               (handler-case
                   (in-loop ()
                     (pirn:add-event-loop-exit-callback (lambda () (note 1)))
                     (pirn:add-event-loop-exit-callback (lambda () (note 2)))
                     (error "out"))
                 (error () (note :error)))))))

(test exit-callbacks-all-run-though-one-fails
  (is (equal '(3 1 :error)
             (traced (note)
               (handler-case
                   (in-loop ()
                     (pirn:add-event-loop-exit-callback (lambda () (note 1)))
                     (pirn:add-event-loop-exit-callback (lambda () (error "two")))
                     (pirn:add-event-loop-exit-callback (lambda () (note 3))))
                 (error () (note :error)))))))

(test errors-leave-the-loop
  (is (string= "boom" (princ-to-string
                       (condition-of (in-loop () (pirn:delay (lambda () (error "boom"))))))))
  ;; with their own backtrace
  (let ((inside nil))
    (handler-case
        (in-loop ()
          (pirn:delay (lambda ()
                        (let ((pirn:*event-base* :inside))
                          (declare (special pirn:*event-base*))
                          (handler-bind ((error (lambda (e) (declare (ignore e))
                                                  (setf inside t))))
                            (error "boom"))))))
      (error ()))
    (is-true inside)))

(test caught-errors-go-to-the-event-callback
  (is (equal '("one" "two" :still-here)
             (traced (note)
               (flet ((tell (condition) (note (princ-to-string condition))))
                 (in-loop (:catch-app-errors t :default-event-cb #'tell)
                   (pirn:delay (lambda () (error "one")) :event-cb #'tell)
                   (pirn:delay (lambda () (error "two")) :time 1/100)
                   (pirn:delay (lambda () (note :still-here)) :time 1/20)))))))

(test catch-app-errors-may-be-a-function
  (is (equal '("one")
             (traced (note)
               (in-loop (:catch-app-errors (lambda (e) (note (princ-to-string e))))
                 (pirn:delay (lambda () (error "one"))))))))

(test a-caught-error-without-a-handler-leaves-the-loop
  (is (string= "one" (princ-to-string
                      (condition-of (in-loop (:catch-app-errors t)
                                      (pirn:delay (lambda () (error "one")))))))))

(test warnings-are-no-errors
  (is (equal '(:after)
             (traced (note)
               (in-loop (:catch-app-errors (lambda (e) (note e)))
                 (pirn:delay (lambda ()
                               (handler-bind ((warning #'muffle-warning)) (warn "careful"))
                               (note :after))))))))

(test restarts
  (dolist (restart '(pirn:continue-event-loop pirn:abort-callback))
    (is (equal '(:went-on)
               (traced (note)
                 (handler-bind ((error (lambda (e) (declare (ignore e)) (invoke-restart restart))))
                   (in-loop ()
                     (pirn:delay (lambda () (error "one")) :event-cb #'identity)
                     (pirn:delay (lambda () (note :went-on)) :time 1/100)))))))
  (is (= 0 (handler-bind ((error (lambda (e) (declare (ignore e))
                                   (invoke-restart 'pirn:exit-event-loop))))
             (in-loop ()
               (pirn:delay (lambda () (error "one")))
               (pirn:delay (lambda ()) :time 1000))))))

(test a-throw-ends-the-loop
  (is (eq :out (catch 'out
                 (in-loop ()
                   (pirn:delay (lambda ()) :time 1000)
                   (pirn:delay (lambda () (throw 'out :out)))))))
  (is (= 1 (in-loop ()))))

(test old-options-are-accepted
  (is (= 1 (in-loop (:fatal-cb #'identity :logger-cb #'list)))))

(test callbacks-may-be-symbols-or-nil
  (is (= 1 (in-loop ()
             (pirn:delay 'list)
             (pirn:delay nil)
             (pirn:delay nil :time 1/1000)))))

(test stats-is-a-plist
  (in-loop ()
    (let ((stats (pirn:stats)))
      (is (evenp (length stats)))
      (is (every #'keywordp (loop for (key) on stats by #'cddr collect key)))
      (is (integerp (getf stats :events)))
      (is (integerp (getf stats :activations))))))

(test dumps
  (uiop:with-temporary-file (:pathname file)
    (in-loop ()
      (pirn:with-delay (1/100) nil)
      (let ((text (pirn:dump-event-loop-status file)))
        (is (stringp text))
        (is (plusp (length text)))
        (is (null (probe-file file))))
      (is (null (pirn:dump-event-loop-status file :return-as-string nil)))
      (is-true (probe-file file)))))

(test enabling-threads-does-no-harm
  (is (null (pirn:enable-threading-support)))
  (is (null (pirn:enable-threading-support))))
