;;;; A background job behind a future: the loop goes on while it runs.
;;;; From cl-async's documentation, as printed there.

(defpackage :background-future (:use :cl :cl-async-future))
(in-package :background-future)

(defun work (operation)
  (let* ((future (make-future)) (err nil) (result nil)
         (event (as:make-event (lambda ()
                                 (if err (signal-error future err)
                                         (apply 'finish (append (list future) result)))))))
    (bt:make-thread (lambda ()
                      (handler-case (setf result (multiple-value-list (funcall operation)))
                        (t (e) (setf err e)))
                      (as:add-event event :activate t)))
    future))
(as:enable-threading-support)
(as:with-event-loop ()
  (as:with-delay (1) (format t "event loop still running...~%"))
  (future-handler-case
    (alet ((val (work (lambda () (sleep 3) (+ 4 5)))))
      (format t "got val: ~a~%" val))
    (t (e) (format t "err: ~a~%" e))))
