;;;; Calling the library: failures become conditions, seconds become nanoseconds.

(in-package :pirn)

;;; The text of a failure belongs to the OS thread and any later failure there
;;; replaces it, one in an interruption too. So it is fetched in the same
;;; uninterruptible step as the status, and the condition is signalled outside.

(defun fail (code text)
  "Signal that a call failed, with the status CODE."
  (error (if (= code pirn-c:+einterrupted+) 'interrupted 'pirn-error)
         :code code :text text))

(defmacro status-of (form)
  "The values of FORM, a call that gives a status: the status and, if it is a failure, its text."
  `(uninterruptibly
     (let ((status ,form))
       (declare (type (signed-byte 32) status))
       (if (minusp status)
           (values status (pirn-c:pirn-last-error-text))
           (values status nil)))))

(defmacro checked (form)
  "The status that FORM gives, which is no failure; a failure is signalled."
  `(multiple-value-bind (status text) (status-of ,form)
     (if text (fail status text) status)))

(defmacro handle-of (form)
  "The handle that FORM gives; NULL signals the reason."
  `(multiple-value-bind (handle code text)
       (uninterruptibly
         (let ((handle ,form))
           (if (zerop handle)
               (values handle (pirn-c:pirn-last-error) (pirn-c:pirn-last-error-text))
               (values handle nil nil))))
     (if code (fail code text) handle)))

;;; Time

(deftype nanoseconds () '(signed-byte 64))

(defconstant most-positive-nanoseconds (1- (expt 2 63))
  "The longest time the library knows: 292 years.")

(declaim (ftype (function (real) (values nanoseconds &optional)) nanoseconds))
(defun nanoseconds (seconds)
  "SECONDS, any real number, as the library counts time. What is past is now; nothing is early."
  (typecase seconds
    ((integer 0 1000000000) (* seconds 1000000000))
    (t (max 0 (min (ceiling (* (rational seconds) 1000000000))
                   most-positive-nanoseconds)))))
