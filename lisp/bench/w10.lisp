;;;; W10: what Lisp programs get. Activations from one and from four threads, delays,
;;;; and messages, per second; each the median of five rounds, which are interleaved. The
;;;; processor time of all threads together is told too: a busy machine spoils it less.

(load (merge-pathnames "../examples/load.lisp" *load-truename*))

(defpackage :w10 (:use :cl))
(in-package :w10)

(defmacro seconds (&body body)
  "How long BODY takes."
  `(let ((start (get-internal-real-time)))
     ,@body
     (/ (max 1 (- (get-internal-real-time) start)) internal-time-units-per-second)))

(defun side-by-side (threads function)
  "Call FUNCTION with 0, 1, ... on as many THREADS; wait for all."
  (mapc #'bt:join-thread
        (loop for i below threads
              collect (let ((i i)) (bt:make-thread (lambda () (funcall function i)))))))

(defun shared-activations (threads count)
  "COUNT activations of one event, of a running loop, by THREADS."
  (let ((ran 0))
    (seconds
      (pirn:with-event-loop ()
        (let ((notifier (pirn:make-notifier (lambda () (incf ran)) :single-shot nil)))
          (bt:make-thread
           (lambda ()
             (side-by-side threads
                           (lambda (i)
                             (declare (ignore i))
                             (loop repeat (floor count threads)
                                   do (pirn:trigger-notifier notifier))))
             (pirn:free-notifier notifier))))))))

(defun single-activations (threads count)
  "COUNT events, each made and activated by one of THREADS, and run by the loop."
  (let ((ran 0))
    (prog1 (seconds
             (pirn:with-event-loop ()
               (let ((hold (pirn:make-event nil))
                     (base pirn:*event-base*))
                 (bt:make-thread
                  (lambda ()
                    (side-by-side threads
                                  (lambda (i)
                                    (declare (ignore i))
                                    (let ((pirn:*event-base* base))
                                      (loop repeat (floor count threads)
                                            do (pirn:add-event
                                                (pirn:make-event (lambda () (incf ran)))
                                                :activate t)))))
                    (pirn:add-event hold :activate t))))))
      (assert (= ran (* threads (floor count threads)))))))

(defun delays (count)
  "COUNT delays of the loop's own thread, made and run."
  (let ((ran 0))
    (prog1 (seconds
             (pirn:with-event-loop ()
               (loop repeat count
                     do (pirn:delay (lambda () (incf ran)) :time 0))))
      (assert (= ran count)))))

(defun messages (threads count)
  "COUNT messages from THREADS to one receiver."
  (let ((ran 0))
    (prog1 (seconds
             (let ((receiver (pirn:start (pirn:make-thread nil
                                                           (lambda (self)
                                                             (pirn:receive-loop
                                                              self (lambda (n) (incf ran n))))))))
               (side-by-side threads
                             (lambda (i)
                               (declare (ignore i))
                               (loop repeat (floor count threads)
                                     do (pirn:send-async receiver 1))))
               (pirn:stop receiver)
               (pirn:join receiver)))
      (assert (= ran (* threads (floor count threads)))))))

(defun calls (count)
  "COUNT synchronous calls, there and back."
  (let ((receiver (pirn:start (pirn:make-thread nil (lambda (self)
                                                      (pirn:receive-loop self #'identity))))))
    (prog1 (seconds (dotimes (i count) (pirn:send-sync receiver i)))
      (pirn:stop receiver)
      (pirn:join receiver))))

(defun median (list)
  (nth (floor (length list) 2) (sort (copy-list list) #'<)))

(defun report (workloads)
  "Run WORKLOADS, lists of a name, a count and a function of the count, and print what they reach."
  (let ((times (make-hash-table :test 'equal))
        (processor (make-hash-table :test 'equal)))
    (loop repeat 5
          do (loop for (name count function) in workloads
                   do (sb-ext:gc)
                      (let* ((start (get-internal-run-time))
                             (seconds (funcall function count)))
                        (push (/ (- (get-internal-run-time) start) internal-time-units-per-second)
                              (gethash name processor))
                        (push seconds (gethash name times)))))
    (loop for (name count) in workloads
          for seconds = (median (gethash name times))
          do (flet ((each (seconds) (floor (* seconds 1000000000) count)))
               (format t "~32a ~12:d /s ~8d ns ~8d ns of processor time~%"
                       name (floor count seconds) (each seconds)
                       (each (median (gethash name processor))))))))

(report
 (list (list "activations, shared, 1 thread" 1000000 (lambda (n) (shared-activations 1 n)))
       (list "activations, shared, 4 threads" 1000000 (lambda (n) (shared-activations 4 n)))
       (list "make, activate, run, 1 thread" 200000 (lambda (n) (single-activations 1 n)))
       (list "make, activate, run, 4 threads" 200000 (lambda (n) (single-activations 4 n)))
       (list "delays" 200000 #'delays)
       (list "messages, 1 sender" 200000 (lambda (n) (messages 1 n)))
       (list "messages, 4 senders" 200000 (lambda (n) (messages 4 n)))
       (list "calls" 50000 #'calls)))
