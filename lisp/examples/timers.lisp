;;;; Time, twice: for a thread with a mailbox, and for an event loop.

(defpackage :timers (:use :cl))
(in-package :timers)

;;; A thread gets messages later, once or again and again, until they are cancelled.

(defvar *ticks* 0)
(defvar *three-ticks* (bt:make-semaphore))

(let* ((clock (pirn:start
               (pirn:make-thread "clock"
                                 (lambda (self)
                                   (pirn:receive-loop
                                    self
                                    (lambda (message)
                                      (ecase message
                                        (:tick (when (<= (incf *ticks*) 3)
                                                 (format t "tick ~d~%" *ticks*)
                                                 (when (= *ticks* 3)
                                                   (bt:signal-semaphore *three-ticks*))))
                                        (:half (format t "half a second has passed~%")
                                         (bt:signal-semaphore *three-ticks*)))))))))
       (ticket (pirn:send-later clock 1/10 :tick :repeat t)))
  (pirn:send-later clock 1/2 :half)
  (bt:wait-on-semaphore *three-ticks*)
  (bt:wait-on-semaphore *three-ticks*)
  (format t "the ticking was cancelled: ~a~%" (and (pirn:cancel-later clock ticket) t))
  (pirn:stop clock)
  (pirn:join clock))

;;; An event loop has delays and intervals.

(pirn:with-event-loop ()
  (let ((beats 0)
        (heart nil))
    (setf heart (pirn:with-interval (1/10)
                  (format t "beat ~d~%" (incf beats))
                  (when (= beats 3)
                    (pirn:remove-interval heart))))))
