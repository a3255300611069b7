;;;; A thread that gives back what it is sent, the other way round.
;;;;
;;;; SEND-SYNC waits for the answer: the values of the function that handled the
;;;; message. What goes wrong over there comes back too, as the same condition.

(defpackage :reflector (:use :cl))
(in-package :reflector)

(let ((reflector (pirn:make-thread "reflector"
                                   (lambda (self)
                                     (pirn:receive-loop self #'reverse)))))
  (pirn:start reflector)
  (dolist (message '("stressed" (1 2 3) 42))
    (handler-case
        (format t "The reflector says: ~a -> ~a~%" message (pirn:send-sync reflector message))
      (type-error (condition)
        (format t "The reflector can't reflect ~a: The value ~a is not of type ~a.~%"
                message (type-error-datum condition) (type-error-expected-type condition)))))
  (pirn:stop reflector)
  (pirn:join reflector))
