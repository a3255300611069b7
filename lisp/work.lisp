;;;; Jobs: a pool of Lisp threads that computes while the event loop goes on.

(in-package :pirn)

(defparameter *pool-size* 4
  "How many jobs run at a time.")

(defvar *jobs* '()
  "The jobs that no thread of the pool has taken yet, the oldest first.")

(defvar *pool* '()
  "The threads of the pool. They are started when a job needs them.")

(defvar *unfinished* 0
  "How many jobs wait or run.")

(defvar *pool-lock* (bt:make-lock "pirn pool"))

(defvar *pool-wakeup* (bt:make-semaphore :name "pirn jobs")
  "Counts the jobs, and when the pool is to end, its threads.")

(defun run-jobs ()
  "The life of a thread of the pool: take jobs and run them, until there is a wake-up without one."
  (loop
    (bt:wait-on-semaphore *pool-wakeup*)
    (let ((job (with-lock (*pool-lock*) (pop *jobs*))))
      (unless job (return))
      (unwind-protect (funcall job)
        (with-lock (*pool-lock*) (decf *unfinished*))))))

(defun submit (job)
  "Let a thread of the pool call JOB."
  (with-lock (*pool-lock*)
    (setf *jobs* (append *jobs* (list job))
          ;; One of them may have been ended from outside.
          *pool* (delete-if-not #'bt:thread-alive-p *pool*))
    (when (< (length *pool*) (min (incf *unfinished*) *pool-size*))
      (push (bt:make-thread #'run-jobs :name "pirn job") *pool*)))
  (bt:signal-semaphore *pool-wakeup*))

(defun end-pool ()
  "End the threads of the pool, after the jobs they were given. The next job starts new ones."
  (let ((threads (with-lock (*pool-lock*)
                   (shiftf *pool* '()))))
    (bt:signal-semaphore *pool-wakeup* :count (length threads))
    (mapc #'bt:join-thread threads)))

(pushnew 'end-pool *before-save*)

(defun work (function)
  "Call FUNCTION on a thread of the pool. A future for its values, or for the condition that left it.
The loop in *EVENT-BASE*, on whose thread the future is finished, goes on at least until then; if it
is ended before, the result is dropped."
  (let* ((future (make-future))
         (values '())
         (condition nil)
         (event (make-event (lambda ()
                              (if condition
                                  (signal-error future condition)
                                  (apply #'finish future values))))))
    (submit (lambda ()
              (setf condition (make-condition 'interrupted :text "The job was unwound before its end."))
              (unwind-protect
                   (setf (values values condition) (outcome-of function))
                (handler-case (add-event event :activate t)
                  (event-freed () nil)))))
    future))
