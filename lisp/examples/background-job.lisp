;;;; A background job: queue it, go on, and be called when it is done.
;;;; From cl-async's documentation, as printed there.

(as:enable-threading-support)
(as:with-event-loop ()
  (let* ((result nil)
         (event (as:make-event (lambda () (format t "Job finished! ~a~%" result)))))
    (bt:make-thread (lambda ()
                      (sleep 3)
                      (setf result 42)
                      (as:add-event event :activate t)))))
