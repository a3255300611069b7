;;;; Merging messages that wait: a thousand requests to repaint the list, which
;;;; come while the painter is busy, make it paint the list once.
;;;;
;;;; What was merged keeps the place of the first, and takes no room.

(defpackage :coalescing (:use :cl))
(in-package :coalescing)

(defstruct request part (count 1))

(defun merge-requests (waiting new)
  (make-request :part (request-part waiting)
                :count (+ (request-count waiting) (request-count new))))

(defun paint (request)
  (format t "repaint ~(~a~)~@[, ~d requests in one~]~%"
          (request-part request)
          (and (> (request-count request) 1) (request-count request)))
  (sleep 1/5))

(let ((painter (pirn:make-thread "painter"
                                 (lambda (self)
                                   (pirn:receive-loop-coalescing
                                    self #'request-part #'merge-requests #'paint)))))
  (pirn:start painter)
  (pirn:send-async painter (make-request :part :header))
  (sleep 1/20)                          ; the painter is at it now
  (pirn:send-async painter (make-request :part :list))
  (pirn:send-async painter (make-request :part :footer))
  (loop repeat 999 do (pirn:send-async painter (make-request :part :list)))
  (pirn:stop painter)
  (pirn:join painter))
