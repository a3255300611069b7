;;;; The soak: everything at once, for ten minutes or as many seconds as SOAK_SECONDS
;;;; says, while memory, Lisp's and the process's, has to stay flat. For "make soak".

(load (merge-pathnames "examples/load.lisp" *load-truename*))

(defpackage :soak (:use :cl))
(in-package :soak)

(defparameter *seconds*
  (parse-integer (or (uiop:getenvp "SOAK_SECONDS") "600")))

(defun resident-kilobytes ()
  "How much memory the process has."
  (with-open-file (status "/proc/self/status")
    (loop for line = (read-line status nil)
          while line
          when (eql 0 (search "VmRSS:" line))
            return (parse-integer line :start 6 :junk-allowed t))))

(defun kilobytes ()
  "The memory of the process and of Lisp's objects, all garbage being collected."
  (sb-ext:gc :full t)
  (values (resident-kilobytes) (floor (sb-kernel:dynamic-usage) 1024)))

(defvar *done* 0 "How many things were done.")

(defun round-of-work ()
  "A bit of everything."
  (let ((thread (pirn:start (pirn:make-thread nil (lambda (self) (pirn:receive-loop self #'identity))))))
    (pirn:with-event-loop ()
      (let ((base pirn:*event-base*))
        (dotimes (i 200)
          (pirn:delay (lambda () (incf *done*)) :time (if (evenp i) nil (/ i 20000)))
          (pirn:remove-event (pirn:make-event nil)))
        (pirn-future:attach (pirn:work (lambda () (pirn:send-sync thread 1)))
                            (lambda (x) (incf *done* x)))
        (let ((event (pirn:make-event (lambda () (incf *done*)))))
          (bt:make-thread (lambda ()
                            (let ((pirn:*event-base* base))
                              (dotimes (i 100) (pirn:send-async thread i))
                              (ignore-errors (pirn:send-sync thread :x :timeout 1/1000))
                              (pirn:add-event event :activate t)))))
        (pirn:cancel-later thread (pirn:send-later thread 10 :never))))
    (catch 'out
      (pirn:with-event-loop ()
        (pirn:with-delay (1/1000) (throw 'out nil))
        (pirn:signal-handler pirn:+sigusr1+ #'list)))
    (pirn:stop thread)
    (pirn:join thread)))

(defun soak ()
  (loop repeat 20 do (round-of-work))   ; until all caches are warm
  (multiple-value-bind (process lisp) (kilobytes)
    (format t "at the start: ~d KB resident, ~d KB of Lisp objects~%" process lisp)
    (let ((start (get-universal-time))
          (rounds 0))
      (loop for now = (get-universal-time)
            for report from 1
            while (< (- now start) *seconds*)
            do (loop repeat 50 do (round-of-work) (incf rounds))
               (when (zerop (mod report 20))
                 (multiple-value-bind (process lisp) (kilobytes)
                   (format t "after ~d s, ~d rounds, ~d callbacks: ~d KB, ~d KB~%"
                           (- (get-universal-time) start) rounds *done* process lisp)
                   (finish-output))))
      (multiple-value-bind (process-after lisp-after) (kilobytes)
        (let ((flat (and (< (- process-after process) 20000)
                         (< (- lisp-after lisp) 2000))))
          (format t "at the end, after ~d rounds: ~d KB resident, ~d KB of Lisp objects: ~:[it grew~;flat~]~%"
                  rounds process-after lisp-after flat)
          flat)))))

(sb-ext:exit :code (if (soak) 0 1) :abort nil :timeout 10)
