;;;; One thread waiting for another: for an answer, for room in a mailbox, for
;;;; its death.
;;;;
;;;; These waits are Lisp's own. The library's calls that wait for a thread take
;;;; locks on their way, and a THROW that strikes there would leave one of them
;;;; locked for ever. So Lisp sleeps in the library only in EVENT_LOOP_WAIT and
;;;; THREAD_WAIT, which can be left at any instruction, and here on a semaphore.

(in-package :pirn)

(defstruct (wait (:constructor make-wait (kind target)) (:copier nil))
  "A thread that waits for TARGET."
  (kind :call :type (member :call :room :join))
  (target nil :read-only t)
  (thread *current-thread* :read-only t)        ; who waits; nil for a thread not of ours
  (timed nil)
  (over (bt:make-semaphore) :read-only t)
  (ended nil)
  ;; what it ended with
  (values '() :type list)
  (condition nil))

(defvar *waits-lock* (bt:make-lock "pirn waits")
  "Guards who waits for whom. It is asked for last, while the lock of a thread may be held.")

(defun end-wait (wait values &optional condition)
  "End WAIT with VALUES or with CONDITION. Nil when it has ended before: the first one counts."
  (when (with-lock (*waits-lock*)
          (unless (wait-ended wait)
            ;; Whoever ends a wait takes it out of the graph, so that no edge is ever stale.
            (when (wait-thread wait)
              (setf (thread-wait (wait-thread wait)) nil))
            (setf (wait-values wait) values
                  (wait-condition wait) condition
                  (wait-ended wait) t)))
    (bt:signal-semaphore (wait-over wait))
    t))

;;; Deadlocks: as a thread waits for one other at most, a circle is found by
;;; following the waits from the one that would close it.

(defun cycle-of (wait)
  "The waits of the circle that WAIT would close, itself first; nil if it closes none."
  (loop for link = wait then (thread-wait (wait-target link))
        ;; Another circle may lie behind, one that a timeout will break.
        while (and link (not (member link cycle)))
        collect link into cycle
        when (eq (wait-target link) (wait-thread wait))
          return cycle))

(defun deadlock-of (cycle)
  "The condition that tells of CYCLE."
  (let ((names (loop for wait in cycle collect (thread-name (wait-thread wait)))))
    (make-condition 'deadlock
                    :code pirn-c:+edeadlk+
                    :names names
                    :text (format nil "~{~a -(~a)-> ~}~a"
                                  (loop for wait in cycle
                                        for name in names
                                        collect name
                                        collect (ecase (wait-kind wait)
                                                  (:call "call")
                                                  (:room "full queue")
                                                  (:join "join")))
                                  (first names)))))

(defun hopeless-p (cycle)
  "Whether nobody but its first wait can break CYCLE: another one with a timeout breaks it by itself."
  (and cycle
       (or (wait-timed (first cycle))
           (notany #'wait-timed cycle))))

(defun interruption ()
  "The condition for a thread that was killed."
  (make-condition 'interrupted :code pirn-c:+einterrupted+ :text "This thread was killed."))

(defun interrupt-waits (thread)
  "End the wait of THREAD, which was killed, and all that it begins from now on."
  (let ((wait (with-lock (*waits-lock*)
                (setf (thread-killed thread) t)
                (thread-wait thread))))
    (when wait
      (end-wait wait '() (interruption)))))

(defun begin-wait (wait)
  "Enter WAIT into the graph. If it would never end, or its thread was killed, end it."
  (let ((thread (wait-thread wait)))
    (when thread
      (let ((obstacle (with-lock (*waits-lock*)
                        (let ((cycle (cycle-of wait)))
                          (cond ((thread-killed thread) :killed)
                                ((hopeless-p cycle) cycle)
                                (t (setf (thread-wait thread) wait)
                                   nil))))))
        (when obstacle
          (end-wait wait '() (if (eq obstacle :killed)
                                 (interruption)
                                 (deadlock-of obstacle))))))))

(defun tolerable (timeout)
  "TIMEOUT as a Lisp can bear it: above 0, and no more than 30 years."
  (max 1/1000000 (min timeout 1000000000)))

(defun await (wait timeout start &optional (withdraw #'identity))
  "Begin WAIT, call START with it to set going what will end it, and sleep, TIMEOUT seconds at most.
Gives the values it is ended with, or signals the condition. WITHDRAW is called with a wait that
didn't get what it waited for."
  (setf (wait-timed wait) timeout)
  (uninterruptibly
    (unwind-protect
         (progn
           (begin-wait wait)
           (unless (wait-ended wait)
             (funcall start wait))
           (interruptibly
             (bt:wait-on-semaphore (wait-over wait) :timeout (and timeout (tolerable timeout)))))
      ;; If nothing has ended it, the time is over, or an unwind takes us out of here.
      (unless (wait-ended wait)
        (end-wait wait '() (make-condition 'timed-out :code pirn-c:+etimedout+
                                                      :text "The time is over.")))
      (when (wait-condition wait)
        (funcall withdraw wait))))
  (if (wait-condition wait)
      (error (wait-condition wait))
      (values-list (wait-values wait))))
