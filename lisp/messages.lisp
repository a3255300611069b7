;;;; Messages between threads.
;;;;
;;;; What travels through the library's mailbox is an integer. It stands for a
;;;; parcel, which waits in the receiver's registry with the Lisp object in it.

(in-package :pirn)

(defstruct (parcel (:constructor make-parcel (message &key answered repeats)) (:copier nil))
  "A message on its way."
  message
  (id 0 :type id)
  (answered nil :read-only t)           ; somebody waits for the answer
  (repeats nil :read-only t)
  (ticket nil)
  ;; Coalescing: the key under which others may be merged into this parcel, and
  ;; the parcel into which this one was merged, whose answer is then also its own.
  (key nil)
  (host nil :type (or null parcel))
  (handled nil)
  (answer '() :type list)
  (condition nil))

(defstruct (coalescer (:constructor make-coalescer (key merge)) (:copier nil))
  "How the messages of a thread are merged."
  (key nil :read-only t)
  (merge nil :read-only t)
  (pending (make-hash-table :test 'equal) :read-only t)) ; key -> parcel

;;; Coalescing happens when a message is sent, on the sender's thread, and with
;;; the receiver's lock held, as all functions of this part are called.

(defun key-of (coalescer parcel)
  "The key of PARCEL, or nil if it stays on its own."
  (let ((key (coalescer-key coalescer)))
    (if key
        (ignore-errors (funcall key (parcel-message parcel)))
        (parcel-message parcel))))

(defun merged-p (coalescer host parcel)
  "Merge PARCEL into HOST. Nil if the merge function failed: PARCEL then stays on its own."
  (let ((merge (coalescer-merge coalescer)))
    (handler-case
        (setf (parcel-message host)
              (if merge
                  (funcall merge (parcel-message host) (parcel-message parcel))
                  (parcel-message parcel))
              (parcel-host parcel) host)
      (error () nil))))

(defun coalesced-p (thread parcel)
  "Merge PARCEL into one that already waits for THREAD under the same key, if there is one."
  (let ((coalescer (thread-coalescer thread)))
    (when coalescer
      (let* ((key (setf (parcel-key parcel) (key-of coalescer parcel)))
             (host (and key (gethash key (coalescer-pending coalescer)))))
        (and host
             ;; A caller may give up before its message is in the mailbox. Another caller's
             ;; own message would still come and bring the merged one; this one has none.
             (or (parcel-answered parcel) (not (parcel-answered host)))
             (merged-p coalescer host parcel))))))

(defun receive-guests (thread parcel)
  "Let what is sent under PARCEL's key from now on be merged into it."
  (when (and (thread-coalescer thread) (parcel-key parcel))
    (setf (gethash (parcel-key parcel) (coalescer-pending (thread-coalescer thread))) parcel)))

(defun close-doors (thread parcel)
  "Let nothing more be merged into PARCEL."
  (when (and (thread-coalescer thread) (parcel-key parcel))
    (let ((pending (coalescer-pending (thread-coalescer thread))))
      (when (eq parcel (gethash (parcel-key parcel) pending))
        (remhash (parcel-key parcel) pending)))))

(defun forget (thread parcel)
  "PARCEL will not come out of THREAD's mailbox."
  (close-doors thread parcel)
  (unregister (thread-parcels thread) (parcel-id parcel)))

;;; Sending

(defmacro with-message ((message) &body body)
  "Run BODY with MESSAGE a value for the library, to be filled by ADDRESS."
  `(cffi:with-foreign-object (,message '(:struct pirn-c:value))
     ,@body))

(declaim (inline address))
(defun address (message parcel)
  "Let MESSAGE stand for PARCEL."
  (cffi:with-foreign-slots ((pirn-c:kind pirn-c:code pirn-c:as pirn-c:size pirn-c:free)
                            message (:struct pirn-c:value))
    (setf pirn-c:kind pirn-c:+integer+
          pirn-c:code 0
          pirn-c:as (parcel-id parcel)
          pirn-c:size 0
          pirn-c:free (cffi:null-pointer))))

(defun enlist (thread parcel)
  "Give PARCEL, which is to go to THREAD, its id."
  (setf (parcel-id parcel) (register (thread-parcels thread) parcel)))

(defun try-post (thread parcel)
  "Merge PARCEL or put it into THREAD's mailbox, if there is room.
The status, and the text if it is a failure; +EAGAIN+ means that there is no room."
  (with-message (message)
    (with-lock ((thread-lock thread))
      (cond ((coalesced-p thread parcel) pirn-c:+ok+)
            (t
             (enlist thread parcel)
             (address message parcel)
             (multiple-value-bind (status text)
                 (status-of (pirn-c:thread-try-send-async (thread-handle thread) message))
               (if text
                   (forget thread parcel)
                   (receive-guests thread parcel))
               (values status text)))))))

(defun deliver (thread parcel send)
  "Call SEND with THREAD's handle and a message that stands for PARCEL, and wait in it.
The status, and the text if it is a failure."
  (with-message (message)
    (with-wait (wait (funcall send (thread-handle thread) message))
      (with-lock ((thread-lock thread))
        (enlist thread parcel)
        ;; Only a sync message: an async one comes here when there was no room for it, and is
        ;; better merged when it gets there.
        (when (and (parcel-answered parcel) (not (coalesced-p thread parcel)))
          (receive-guests thread parcel)))
      (address message parcel)
      (let ((status pirn-c:+einterrupted+)
            (text nil))
        (unwind-protect (setf (values status text) (wait))
          (when (/= status pirn-c:+ok+)
            (with-lock ((thread-lock thread))
              (if (or (= status pirn-c:+etimedout+) (= status pirn-c:+einterrupted+))
                  ;; Whether it is in the mailbox is not known.
                  (push parcel (thread-abandoned thread))
                  (forget thread parcel)))))
        (values status text)))))

(defun copy-of (object)
  "A copy of OBJECT, made by printing and reading it; what can't be read back is an error."
  (with-standard-io-syntax
    (read-from-string (prin1-to-string object))))

(defun letter (message copy &rest options)
  "A parcel with MESSAGE, or a copy of it."
  (apply #'make-parcel (if copy (copy-of message) message) options))

(defun send-async (thread message &key copy)
  "Send MESSAGE to THREAD, which gets the object itself, or with COPY what it reads back as.
While THREAD's mailbox is full, the sender waits."
  (let ((parcel (letter message copy)))
    (multiple-value-bind (status text) (try-post thread parcel)
      (when (= status pirn-c:+eagain+)
        (setf (values status text)
              (deliver thread parcel
                       (lambda (handle message) (pirn-c:thread-send-async handle message)))))
      (when text (fail status text))))
  nil)

(defun send-sync (thread message &key timeout copy)
  "Send MESSAGE to THREAD and give the values of the function that handles it.
A condition that leaves that function is signalled here, the very object. TIMED-OUT is signalled after
TIMEOUT seconds, THREAD-DEAD when THREAD ends first, INTERRUPTED when this thread is killed, DEADLOCK
when THREAD waits, itself or over others, for this thread."
  (let ((parcel (letter message copy :answered t))
        (limit (and timeout (nanoseconds timeout))))
    (multiple-value-bind (status text)
        (deliver thread parcel
                 (lambda (handle message)
                   (if limit
                       (pirn-c:thread-send-sync-within handle message limit (cffi:null-pointer))
                       (pirn-c:thread-send-sync handle message (cffi:null-pointer)))))
      (when text (fail status text)))
    (let ((host (or (parcel-host parcel) parcel)))
      (if (parcel-condition host)
          (error (parcel-condition host))
          (values-list (parcel-answer host))))))

(defun send-later (thread seconds message &key repeat copy)
  "Send MESSAGE to THREAD after SECONDS, and with REPEAT every so many seconds from then on.
Returns a ticket for CANCEL-LATER."
  (let ((parcel (letter message copy :repeats repeat))
        (delay (nanoseconds seconds)))
    (multiple-value-bind (ticket code text)
        (with-message (message)
          (with-lock ((thread-lock thread))
            (enlist thread parcel)
            (address message parcel)
            (let ((ticket (pirn-c:thread-send-later (thread-handle thread) delay message
                                                    (if repeat 1 0))))
              (cond ((plusp ticket)
                     (setf (gethash ticket (thread-timers thread)) parcel
                           (parcel-ticket parcel) ticket))
                    (t
                     (forget thread parcel)
                     (values ticket (pirn-c:pirn-last-error) (pirn-c:pirn-last-error-text)))))))
      (if code
          (fail code text)
          ticket))))

(defun cancel-later (thread ticket)
  "Cancel the message of THREAD with TICKET. True if it will not come, or not again; else NIL."
  (with-lock ((thread-lock thread))
    (let ((parcel (gethash ticket (thread-timers thread))))
      (when (and parcel
                 (plusp (pirn-c:thread-cancel-later (thread-handle thread) ticket)))
        (remhash ticket (thread-timers thread))
        (forget thread parcel)
        t))))

;;; Receiving

(defun integer-of (message)
  "The integer in MESSAGE."
  (cffi:with-foreign-object (value '(:struct pirn-c:value))
    (checked (pirn-c:message-value message value))
    (cffi:foreign-slot-value value '(:struct pirn-c:value) 'pirn-c:as)))

(defun collect-parcel (thread id)
  "The parcel with ID, which came out of THREAD's mailbox, or nil if it was cancelled."
  (with-lock ((thread-lock thread))
    (let ((parcel (registered (thread-parcels thread) id)))
      (when parcel
        (if (parcel-repeats parcel)
            (make-parcel (parcel-message parcel))
            (progn
              (when (parcel-ticket parcel)
                (remhash (parcel-ticket parcel) (thread-timers thread)))
              (forget thread parcel)
              (when (parcel-host parcel)
                (close-doors thread (parcel-host parcel)))
              parcel))))))

(defun handle-message (thread message handle)
  "Call HANDLE with what is in MESSAGE, which THREAD just took, and answer it."
  (let ((parcel (collect-parcel thread (integer-of message))))
    (when parcel
      ;; Of those that were merged, whichever comes first brings the message.
      (let ((host (or (parcel-host parcel) parcel)))
        (unless (parcel-handled host)
          (setf (parcel-handled host) t
                (parcel-condition host)
                (make-condition 'interrupted :text "The receiver was unwound while it handled this."))
          (setf (values (parcel-answer host) (parcel-condition host))
                (funcall handle (parcel-message host)))
          (when (and (parcel-condition host) (not (parcel-answered parcel)))
            (format *error-output* "~&;; ~a failed to handle a message: ~a~%"
                    (thread-name thread) (parcel-condition host))))
        (when (parcel-answered parcel)
          (pirn-c:message-reply message (cffi:null-pointer)))))))

(defun forget-abandoned (thread parcels)
  "THREAD's mailbox is empty, so the abandoned PARCELS never came into it."
  (with-lock ((thread-lock thread))
    (dolist (parcel parcels)
      (forget thread parcel))
    (setf (thread-abandoned thread) (set-difference (thread-abandoned thread) parcels))))

(defun receive-loop (thread function)
  "Call FUNCTION with each message that comes to THREAD, which must be the current one.
Returns T when THREAD was stopped and its messages are handled, NIL when it was killed. An error in
FUNCTION goes back to the sender if that one waits, else it is written to *ERROR-OUTPUT*; the loop goes
on. May be left by a non-local exit and entered again: that costs at most the message just handled."
  (unless (eq thread *current-thread*)
    (error 'pirn-error :code pirn-c:+ethread+
                       :text "A thread receives its messages itself, not those of another one."))
  (let ((handle (thread-handle thread)))
    (uninterruptibly
      (flet ((handle (message)
               (interruptibly (outcome-of (lambda () (funcall function message)))))
             (sleep-in-library ()
               (interruptibly (pirn-c:thread-wait handle pirn-c:+forever+))))
        (loop
          (let ((abandoned (thread-abandoned thread))
                (message (pirn-c:thread-take handle)))
            (if (/= message 0)
                (unwind-protect (handle-message thread message #'handle)
                  (pirn-c:free-message message))
                (multiple-value-bind (status text)
                    (progn
                      (when abandoned (forget-abandoned thread abandoned))
                      (status-of (sleep-in-library)))
                  (case status
                    (#.pirn-c:+ecanceled+ (return t))
                    (#.pirn-c:+einterrupted+ (return nil))
                    (t (when text (fail status text))))))))))))

(defun adopt-waiting (thread)
  "Let the messages that were in THREAD's mailbox before it coalesced take part, in their order."
  (let* ((registry (thread-parcels thread))
         (waiting (remove-if-not (lambda (object)
                                   (and (parcel-p object) (null (parcel-ticket object))))
                                 (registry-objects registry))))
    (loop for parcel across (sort waiting #'< :key #'parcel-id)
          do (if (coalesced-p thread parcel)
                 (setf (parcel-key parcel) nil)
                 (receive-guests thread parcel)))))

(defun receive-loop-coalescing (thread key merge function)
  "RECEIVE-LOOP, but a message whose key equals that of one that still waits is merged into it.
The function KEY gives the key of a message, compared by EQUAL; NIL for KEY means that the message is
the key, and a message whose key is NIL is never merged. MERGE is called with the waiting and the new
message and gives the one that takes their place; for NIL the new one does. Both run on the sender's
thread while it holds the mailbox: they must be quick and send nothing. If one fails, the message
stays on its own. All who wait for merged messages get the answer."
  (let ((coalescer (make-coalescer key merge)))
    (unwind-protect
         (progn
           (with-lock ((thread-lock thread))
             (setf (thread-coalescer thread) coalescer)
             (adopt-waiting thread))
           (receive-loop thread function))
      (with-lock ((thread-lock thread))
        (setf (thread-coalescer thread) nil)))))
