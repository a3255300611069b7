;;;; Threads with names and mailboxes.
;;;;
;;;; The library could make the OS threads, but Lisp code is at home only on
;;;; threads that Lisp made: there it has its dynamic bindings, its guard pages
;;;; and its debugger. So Lisp makes the OS thread, and that thread attaches
;;;; itself to the library under its name. A thread that was made and not yet
;;;; started is attached already: its name is taken and its mailbox is open.

(in-package :pirn)

(defstruct (thread (:constructor %make-thread (function)) (:copier nil))
  "A thread with a name and a mailbox."
  (name nil :type (or null string))
  (state :new :type (member :new :running :dead))
  (function nil :read-only t)
  (handle 0 :type (unsigned-byte 64))
  (lock (bt:make-lock "pirn thread") :read-only t)
  ;; Whether it may run, once the semaphore says that this is decided.
  (go-ahead nil)
  (decided (bt:make-semaphore) :read-only t)
  ;; what its function gave, for the first who joins
  (values '() :type list)
  (condition nil)
  ;; waiting, see waits.lisp
  (wait nil)                            ; its own wait for another thread
  (joiners '() :type list)              ; the waits of those who join it
  (killed nil)
  ;; the mailbox, see messages.lisp
  (parcels (make-registry) :read-only t)
  (timers (make-hash-table) :read-only t) ; ticket -> parcel
  (line '() :type list)                 ; parcels for which there was no room
  (coalescer nil))

(defmethod print-object ((thread thread) stream)
  (print-unreadable-object (thread stream :type t :identity t)
    (format stream "~a ~(~a~)" (thread-name thread) (thread-state thread))))

(defvar *current-thread* nil
  "The thread this code runs on, if it is one of ours.")

(defvar *threads* (make-hash-table :test 'equal)
  "The threads that are new or running, by name.")

(defvar *threads-lock* (bt:make-lock "pirn threads"))

;;; From birth to death

(defun attached-name (handle)
  "The name of the thread with HANDLE."
  (let ((size (1+ (checked (pirn-c:thread-name handle (cffi:null-pointer) 0)))))
    (cffi:with-foreign-pointer (buffer size)
      (checked (pirn-c:thread-name handle buffer size))
      (cffi:foreign-string-to-lisp buffer))))

(defun attach (thread name)
  "Make the OS thread this runs on THREAD, with NAME or, for NIL, one that the library makes up."
  (setf (thread-handle thread)
        (handle-of (pirn-c:thread-attach (or name (cffi:null-pointer))))
        (thread-name thread) (or name (attached-name (thread-handle thread))))
  (with-lock (*threads-lock*)
    (setf (gethash (thread-name thread) *threads*) thread)))

(defun detach (thread)
  "End THREAD, which this runs on: its name is free, and who waits for it waits no more."
  ;; Out of the table first: once the library has let go of the name, the next
  ;; thread may enter itself under it.
  (with-lock (*threads-lock*)
    (remhash (thread-name thread) *threads*))
  (pirn-c:thread-detach)
  (pirn-c:free-thread (thread-handle thread))
  (let ((joiners (with-lock ((thread-lock thread))
                   (setf (thread-state thread) :dead)
                   (shiftf (thread-joiners thread) '()))))
    (discard-messages thread)
    (dolist (wait joiners)
      (end-wait wait '()))))

(defun outcome-of (function)
  "The list of the values of FUNCTION, or, second, the condition that left it: stack exhaustion too."
  (handler-case (values (multiple-value-list (funcall function)) nil)
    (serious-condition (condition)
      (when (typep condition 'storage-condition)
        (renew-stack-guard))
      (values '() condition))))

(defun run-body (thread)
  "Call THREAD's function and keep what comes of it."
  ;; What is kept if it is unwound by a throw, and gives nothing.
  (setf (thread-condition thread)
        (make-condition 'interrupted :text "The thread was unwound before it had a result."))
  (setf (values (thread-values thread) (thread-condition thread))
        (outcome-of (lambda () (funcall (thread-function thread) thread)))))

(defun live (thread name announce)
  "The whole life of THREAD, on its OS thread. ANNOUNCE is called with nil or what went wrong at birth."
  (uninterruptibly
    (handler-case (attach thread name)
      (error (condition)
        (funcall announce condition)
        (return-from live nil)))
    (unwind-protect
         (let ((*current-thread* thread))
           (funcall announce nil)
           (interruptibly
             (bt:wait-on-semaphore (thread-decided thread))
             (when (thread-go-ahead thread)
               (run-body thread))))
      (detach thread))))

(defun decide (thread go-ahead)
  "Let THREAD run, or end unrun, if that is still open. Whether it was."
  (when (with-lock ((thread-lock thread))
          (when (eq (thread-state thread) :new)
            (setf (thread-go-ahead thread) go-ahead
                  (thread-state thread) :running)))
    (bt:signal-semaphore (thread-decided thread))
    t))

;;; What users call

(defun make-thread (name function)
  "A new thread that will call FUNCTION with itself, once started. Messages can be sent to it at once.
NAME, letters, digits and . _ ~ -, must be unique among the living; for NIL one is made up."
  (let ((thread (%make-thread function))
        (born (bt:make-semaphore))
        (failure nil))
    (bt:make-thread (lambda ()
                      (live thread name
                            (lambda (condition)
                              (setf failure condition)
                              (bt:signal-semaphore born))))
                    :name (or name "pirn"))
    (bt:wait-on-semaphore born)
    (when failure (error failure))
    thread))

(defun start (thread)
  "Let THREAD run. It can be started once. THREAD."
  (unless (decide thread t)
    (error 'pirn-error :code pirn-c:+estate+
                       :text (format nil "~a was started or ended before." (thread-name thread))))
  thread)

(defun end (thread call)
  "End THREAD, by CALL on its handle if it runs; one that is new is dead at once."
  (if (decide thread nil)
      (await-death thread)
      (multiple-value-bind (status text) (status-of (funcall call (thread-handle thread)))
        (when (and text (/= status pirn-c:+estale+))
          (fail status text))))
  nil)

(defun stop (thread)
  "Let THREAD handle the messages it has and then leave its RECEIVE-LOOP. It gets no more."
  (end thread (lambda (handle) (pirn-c:thread-stop handle))))

(defun kill (thread)
  "Discard the messages of THREAD and make it leave its RECEIVE-LOOP now.
A SEND-SYNC, SEND-ASYNC or JOIN in which it waits signals INTERRUPTED there, and so does the next one."
  (end thread
       (lambda (handle)
         (prog1 (pirn-c:thread-kill handle)
           (interrupt-waits thread)
           (discard-messages thread)))))

(defun await-death (thread &optional timeout)
  "Wait until THREAD is dead, TIMEOUT seconds at most."
  (await (make-wait :join thread) timeout
         (lambda (wait)
           (unless (with-lock ((thread-lock thread))
                     (unless (eq (thread-state thread) :dead)
                       (push wait (thread-joiners thread))))
             (end-wait wait '())))
         (lambda (wait)
           (with-lock ((thread-lock thread))
             (setf (thread-joiners thread) (delete wait (thread-joiners thread)))))))

(defun join (thread &key timeout)
  "Wait until THREAD is dead, TIMEOUT seconds at most, and give what it gave.
The first to join gets the values of its function, or has what left the function signalled again;
for the others it is NIL."
  (when (eq (thread-state thread) :new)
    (error 'pirn-error :code pirn-c:+estate+
                       :text (format nil "~a was never started." (thread-name thread))))
  (await-death thread timeout)
  (multiple-value-bind (values condition)
      (with-lock ((thread-lock thread))
        (values (shiftf (thread-values thread) '(nil))
                (shiftf (thread-condition thread) nil)))
    (if condition
        (error condition)
        (values-list values))))

(defun find-thread (name)
  "The thread named NAME, new or running, or NIL."
  (with-lock (*threads-lock*)
    (values (gethash name *threads*))))

(defun current-thread ()
  "The thread this runs on, or NIL when it isn't one of MAKE-THREAD's."
  *current-thread*)

(defun list-threads ()
  "The threads that are new or running."
  (with-lock (*threads-lock*)
    (loop for thread being the hash-values of *threads* collect thread)))

;;; Locals

(defvar *locals* (make-weak-table)
  "For each OS thread of this Lisp, its locals.")

(defvar *locals-lock* (bt:make-lock "pirn locals"))

(defun thread-local (key)
  "What this thread keeps under KEY, compared by EQUAL, and whether it keeps something.
Works on every thread of this Lisp, and can be set."
  (with-lock (*locals-lock*)
    (let ((locals (gethash (bt:current-thread) *locals*)))
      (if locals
          (gethash key locals)
          (values nil nil)))))

(defun (setf thread-local) (value key)
  (with-lock (*locals-lock*)
    (let ((locals (or (gethash (bt:current-thread) *locals*)
                      (setf (gethash (bt:current-thread) *locals*)
                            (make-hash-table :test 'equal)))))
      (setf (gethash key locals) value))))

(macrolet ((document (&rest pairs)
             `(setf ,@(loop for (name text) on pairs by #'cddr
                            append `((documentation ',name 'function) ,text)))))
  (document
   thread-name "The name of a thread."
   thread-state "What a thread is: :NEW, :RUNNING or :DEAD."))
