;;;; Messages between threads.
;;;;
;;;; What travels through the library's mailbox is an integer. It stands for a
;;;; parcel, which waits in the receiver's registry with the Lisp object in it.

(in-package :pirn)

(defstruct (parcel (:constructor make-parcel (message &key caller repeats)) (:copier nil))
  "A message on its way."
  message
  (id 0 :type id)
  (repeats nil :read-only t)
  (ticket nil)
  (caller nil :read-only t)                     ; the wait of a sender who wants the answer
  (callers (and caller (list caller)) :type list) ; and of those whose messages were merged into this
  (sender nil)                                  ; the wait of a sender for whom there is no room
  (key nil))                                    ; under which others may be merged into it

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
        (setf (parcel-message host) (if merge
                                        (funcall merge (parcel-message host) (parcel-message parcel))
                                        (parcel-message parcel))
              (parcel-callers host) (append (parcel-callers host) (parcel-callers parcel)))
      (error () (return-from merged-p nil)))
    t))

(defun coalesced-p (thread parcel)
  "Merge PARCEL into one that already waits for THREAD under the same key, if there is one."
  (let ((coalescer (thread-coalescer thread)))
    (when coalescer
      (let* ((key (setf (parcel-key parcel) (key-of coalescer parcel)))
             (host (and key (gethash key (coalescer-pending coalescer)))))
        (and host (merged-p coalescer host parcel))))))

(defun receive-guests (thread parcel)
  "Let what is sent under PARCEL's key from now on be merged into it."
  (when (and (thread-coalescer thread) (parcel-key parcel))
    (setf (gethash (parcel-key parcel) (coalescer-pending (thread-coalescer thread))) parcel)))

(defun forget (thread parcel)
  "PARCEL waits for THREAD no longer."
  (when (and (thread-coalescer thread) (parcel-key parcel))
    (let ((pending (coalescer-pending (thread-coalescer thread))))
      (when (eq parcel (gethash (parcel-key parcel) pending))
        (remhash (parcel-key parcel) pending))))
  (unregister (thread-parcels thread) (parcel-id parcel)))

;;; Posting

(defmacro with-message ((message thread parcel) &body body)
  "Run BODY with MESSAGE a value for the library that stands for PARCEL, which is for THREAD."
  `(cffi:with-foreign-object (,message '(:struct pirn-c:value))
     (setf (parcel-id ,parcel) (register (thread-parcels ,thread) ,parcel))
     (cffi:with-foreign-slots ((pirn-c:kind pirn-c:code pirn-c:as pirn-c:size pirn-c:free)
                               ,message (:struct pirn-c:value))
       (setf pirn-c:kind pirn-c:+integer+
             pirn-c:code 0
             pirn-c:as (parcel-id ,parcel)
             pirn-c:size 0
             pirn-c:free (cffi:null-pointer)))
     ,@body))

(defun try-post (thread parcel)
  "Put PARCEL into THREAD's mailbox, if there is room. THREAD's lock is held.
The status, and the text if it is a failure; +EAGAIN+ means that there is no room."
  (multiple-value-bind (status text)
      (with-message (message thread parcel)
        (status-of (pirn-c:thread-try-send-async (thread-handle thread) message)))
    (if text
        (forget thread parcel)
        (receive-guests thread parcel))
    (values status text)))

(defun post (thread parcel)
  "Merge PARCEL or put it into THREAD's mailbox, unless others stand in line for it. As TRY-POST."
  (with-lock ((thread-lock thread))
    (cond ((coalesced-p thread parcel) pirn-c:+ok+)
          ((thread-line thread) (values pirn-c:+eagain+ "others are waiting"))
          (t (try-post thread parcel)))))

(defun death-of (thread)
  "The condition for those who wanted something of THREAD."
  (make-condition 'thread-dead :code pirn-c:+edead+
                               :text (format nil "~a is dead or dying." (thread-name thread))))

(defun fail-to-send (thread code text)
  "Signal that nothing could be sent to THREAD."
  (if (or (= code pirn-c:+edead+) (= code pirn-c:+estale+))
      (error (death-of thread))
      (fail code text)))

(defun refuse (parcel condition)
  "Tell those who wait because of PARCEL that it will not be handled."
  (when (parcel-sender parcel)
    (end-wait (parcel-sender parcel) '() condition))
  (dolist (wait (parcel-callers parcel))
    (end-wait wait '() condition)))

(defun set-kind (parcel kind)
  "The sender of PARCEL, if it waits for the answer, waits for KIND now."
  (when (parcel-caller parcel)
    (with-lock (*waits-lock*)
      (setf (wait-kind (parcel-caller parcel)) kind))))

(defun post-or-line-up (thread parcel)
  "Put PARCEL into THREAD's mailbox now, or when it is its turn. The thread's wait is told."
  (multiple-value-bind (status text) (post thread parcel)
    (cond ((null text)
           (when (parcel-sender parcel) (end-wait (parcel-sender parcel) '())))
          ((and (= status pirn-c:+eagain+) (line-up thread parcel)))
          (t (refuse parcel (death-of thread))))))

(defun line-up (thread parcel)
  "Let PARCEL stand at the end of the line for THREAD's mailbox. Nil if THREAD is dead."
  (set-kind parcel :room)
  (with-lock ((thread-lock thread))
    (unless (or (eq (thread-state thread) :dead) (thread-killed thread))
      (setf (thread-line thread) (append (thread-line thread) (list parcel)))
      ;; There may have come room since we looked, and nobody to notice.
      (advance-line thread)
      t)))

(defun leave-line (thread parcel)
  "PARCEL's sender has given up. What is in the mailbox already will be handled all the same."
  (with-lock ((thread-lock thread))
    (setf (thread-line thread) (delete parcel (thread-line thread)))))

(defun advance-line (thread)
  "Post what stands in line for THREAD's mailbox while there is room. THREAD's lock is held."
  (loop while (thread-line thread)
        do (let ((parcel (first (thread-line thread))))
             (multiple-value-bind (status text)
                 (if (coalesced-p thread parcel)
                     pirn-c:+ok+
                     (try-post thread parcel))
               (when (and text (= status pirn-c:+eagain+))
                 (return))
               (pop (thread-line thread))
               (cond (text (refuse parcel (death-of thread)))
                     ((parcel-sender parcel) (end-wait (parcel-sender parcel) '()))
                     (t (set-kind parcel :call)))))))

(defun discard-messages (thread)
  "THREAD, dead or killed, handles no more messages: tell those who wait because of one."
  (let ((condition (death-of thread)))
    (dolist (parcel (with-lock ((thread-lock thread))
                      (append (remove nil (coerce (registry-objects (thread-parcels thread)) 'list))
                              (shiftf (thread-line thread) '()))))
      (refuse parcel condition))))

;;; Sending

(defun copy-of (object)
  "A copy of OBJECT, made by printing and reading it; what can't be read back is an error."
  (with-standard-io-syntax
    (read-from-string (prin1-to-string object))))

(defun content (message copy)
  "What is sent for MESSAGE: itself or, with COPY, a copy."
  (if copy (copy-of message) message))

(defun send-async (thread message &key copy)
  "Send MESSAGE to THREAD, which gets the object itself, or with COPY what it reads back as.
While THREAD's mailbox is full, the sender waits."
  (let ((parcel (make-parcel (content message copy))))
    (multiple-value-bind (status text) (post thread parcel)
      (cond ((null text))
            ((= status pirn-c:+eagain+)
             (await (setf (parcel-sender parcel) (make-wait :room thread)) nil
                    (lambda (wait)
                      (declare (ignore wait))
                      (post-or-line-up thread parcel))
                    (lambda (wait)
                      (declare (ignore wait))
                      (leave-line thread parcel))))
            (t (fail-to-send thread status text)))))
  nil)

(defun send-sync (thread message &key timeout copy)
  "Send MESSAGE to THREAD and give the values of the function that handles it.
A condition that leaves that function is signalled here, the very object. TIMED-OUT is signalled after
TIMEOUT seconds, THREAD-DEAD when THREAD ends first, INTERRUPTED when this thread is killed, DEADLOCK
when THREAD waits, itself or over others, for this thread."
  (let* ((wait (make-wait :call thread))
         (parcel (make-parcel (content message copy) :caller wait)))
    (await wait timeout
           (lambda (wait)
             (declare (ignore wait))
             (post-or-line-up thread parcel))
           (lambda (wait)
             (declare (ignore wait))
             (leave-line thread parcel)))))

(defun send-later (thread seconds message &key repeat copy)
  "Send MESSAGE to THREAD after SECONDS, and with REPEAT every so many seconds from then on.
Returns a ticket for CANCEL-LATER."
  (let ((parcel (make-parcel (content message copy) :repeats repeat))
        (delay (nanoseconds seconds)))
    (multiple-value-bind (ticket code text)
        (with-lock ((thread-lock thread))
          (with-message (message thread parcel)
            (let ((ticket (pirn-c:thread-send-later (thread-handle thread) delay message
                                                    (if repeat 1 0))))
              (cond ((plusp ticket)
                     (setf (gethash ticket (thread-timers thread)) parcel
                           (parcel-ticket parcel) ticket))
                    (t
                     (forget thread parcel)
                     (values ticket (pirn-c:pirn-last-error) (pirn-c:pirn-last-error-text)))))))
      (if code
          (fail-to-send thread code text)
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

(defun take-parcel (thread)
  "The next parcel of THREAD, this thread; nil when there is none. Second value: whether something was taken."
  (let ((message (pirn-c:thread-take (thread-handle thread))))
    (if (zerop message)
        ;; An empty mailbox has room, and nobody else would notice now.
        (when (thread-line thread)
          (with-lock ((thread-lock thread))
            (advance-line thread))
          (values nil t))
        (let ((id (cffi:with-foreign-object (value '(:struct pirn-c:value))
                    (pirn-c:message-value message value)
                    (cffi:foreign-slot-value value '(:struct pirn-c:value) 'pirn-c:as))))
          (pirn-c:free-message message)
          (with-lock ((thread-lock thread))
            (advance-line thread)
            (let ((parcel (registered (thread-parcels thread) id)))
              ;; It is not there if it was cancelled, or merged before its thread coalesced.
              (when (and parcel (not (parcel-repeats parcel)))
                (when (parcel-ticket parcel)
                  (remhash (parcel-ticket parcel) (thread-timers thread)))
                (forget thread parcel))
              (values parcel t)))))))

(defun deal-with (parcel thread handle)
  "Call HANDLE with the message in PARCEL, and answer those who wait."
  (let ((values '())
        (condition nil)
        (returned nil))
    (unwind-protect
         (setf (values values condition) (funcall handle (parcel-message parcel))
               returned t)
      (dolist (wait (parcel-callers parcel))
        (end-wait wait values (if returned condition (death-of thread)))))
    (when (and condition (null (parcel-callers parcel)))
      (format *error-output* "~&;; ~a failed to handle a message: ~a~%"
              (thread-name thread) condition))))

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
          (multiple-value-bind (parcel taken) (take-parcel thread)
            (cond (parcel (deal-with parcel thread #'handle))
                  (taken)
                  (t
                   (multiple-value-bind (status text) (status-of (sleep-in-library))
                     (case status
                       (#.pirn-c:+ecanceled+ (return t))
                       (#.pirn-c:+einterrupted+ (return nil))
                       (t (when text (fail status text)))))))))))))

(defun adopt-waiting (thread)
  "Let the messages that were in THREAD's mailbox before it coalesced take part, in their order."
  (let ((waiting (remove-if (lambda (parcel) (or (null parcel) (parcel-ticket parcel)))
                            (registry-objects (thread-parcels thread)))))
    (loop for parcel across (sort waiting #'< :key #'parcel-id)
          do (if (coalesced-p thread parcel)
                 (unregister (thread-parcels thread) (parcel-id parcel))
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
