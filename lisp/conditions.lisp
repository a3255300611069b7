;;;; The conditions.

(in-package :pirn)

(define-condition event-info ()
  ()
  (:documentation "Something happened. The root of cl-async's conditions; it is no error by itself."))

(define-condition pirn-error (error)
  ((code :initarg :code :initform -1 :reader pirn-error-code :reader event-errcode
         :documentation "The library's status code, or -1 for an error found in Lisp.")
   (text :initarg :text :initform nil :reader pirn-error-text :reader event-errmsg
         :documentation "What happened, for people."))
  (:report (lambda (condition stream)
             (format stream "pirn: ~a" (or (pirn-error-text condition) "an operation failed"))))
  (:documentation "An operation of pirn failed. Everything pirn signals by itself is one of these."))

(define-condition library-not-found (pirn-error)
  ()
  (:documentation "libpirn could not be loaded, or is not the one this system was written for."))

(define-condition event-error (event-info pirn-error)
  ()
  (:documentation "An operation on an event failed."))

(define-condition event-freed (event-error)
  ((event :initarg :event :initform nil :reader event-freed-event
          :documentation "The event that was operated on."))
  (:report (lambda (condition stream)
             (format stream "~s was freed, or its loop has ended." (event-freed-event condition))))
  (:documentation "An event that is no more was operated on."))

(define-condition notifier-freed (event-freed)
  ()
  (:documentation "A notifier that is no more was triggered or freed."))

(define-condition thread-dead (pirn-error)
  ()
  (:documentation "The thread that was to receive a message, or to answer one, is dead or dying."))

(define-condition timed-out (pirn-error)
  ()
  (:documentation "What was waited for did not come within the given time."))

(define-condition interrupted (pirn-error)
  ()
  (:documentation "The thread was killed while it waited, or unwound before it had a result."))

(define-condition deadlock (pirn-error)
  ((names :initarg :names :initform '() :reader deadlock-names
          :documentation "The names of the threads in the cycle, each once, the waiting one first."))
  (:report (lambda (condition stream)
             (format stream "Waiting would never end: ~a"
                     (or (pirn-error-text condition) (deadlock-names condition)))))
  (:documentation "To wait would close a cycle of threads of which each waits for the next."))

(macrolet ((document (&rest pairs)
             `(setf ,@(loop for (name text) on pairs by #'cddr
                            append `((documentation ',name 'function) ,text)))))
  (document
   pirn-error-code "The library's status code of a PIRN-ERROR, or -1 for an error found in Lisp."
   pirn-error-text "What happened, for people."
   event-errcode "cl-async's name for PIRN-ERROR-CODE."
   event-errmsg "cl-async's name for PIRN-ERROR-TEXT."
   event-freed-event "The event that was operated on after its end."
   deadlock-names "The names of the threads in the cycle, each once, the waiting one first."))
