;;;; The event loop's context, "stolen" by another thread.
;;;; From cl-async's documentation, as printed there.

(defparameter *loop* nil)
(as:enable-threading-support)
(as:with-event-loop ()
  (setf *loop* cl-async-base:*event-base*)
  (as:with-delay (3) (format t "Done!"))
  (bt:make-thread
    (lambda ()
      (let ((cl-async-base:*event-base* *loop*))
        (as:with-delay (1) (format t "Hai from another thread!~%"))))))
(setf *loop* nil)
