;;;; The event loop: opening one, driving it, ending it.
;;;;
;;;; Lisp pulls. It sleeps in the library (EVENT_LOOP_WAIT, a leaf that holds
;;;; nothing), moves what is ready into a queue of its own in one uninterruptible
;;;; step, and runs the callbacks from there with no foreign frame below them. A
;;;; THROW, from a callback or out of the sleep, therefore never jumps over C,
;;;; and what was taken and not yet run is still in the queue.

(in-package :pirn)

(defconstant +batch+ 256
  "How many ready events are taken from the library at once.")

;;; Structures, not classes: millions of these are made, read and dropped a second.

(defstruct (event-base (:constructor %make-event-base) (:copier nil))
  "An event loop and what belongs to it."
  (handle 0 :type (unsigned-byte 64))
  (id 0 :type fixnum :read-only t)
  (lock (bt:make-lock "pirn loop") :read-only t)
  (events (make-registry) :read-only t)
  (ended nil)
  ;; how errors in callbacks are dealt with
  (catch-app-errors nil)
  (default-event-handler nil)
  (exit-callbacks '() :type list)
  (signal-handlers '() :type list)       ; (signal number . event)
  ;; what was taken from the library and has not run yet
  (buffer (cffi:null-pointer) :type cffi:foreign-pointer)
  (queue (make-array +batch+ :initial-element nil) :type simple-vector :read-only t)
  (epochs (make-array +batch+ :initial-element 0) :type simple-vector :read-only t)
  (whats (make-array +batch+ :element-type '(unsigned-byte 32))
   :type (simple-array (unsigned-byte 32) (*)) :read-only t)
  (head 0 :type fixnum)
  (tail 0 :type fixnum))

(defstruct (event (:constructor %make-event) (:copier nil))
  "Something that can happen in an event loop, and what to do then."
  (base nil :type (or null event-base) :read-only t)
  (handle 0 :type (unsigned-byte 64))
  (id 0 :type fixnum)
  (callback nil :read-only t)           ; called with what happened, the bits of pirn_ready
  (event-cb nil :read-only t)
  (once nil :read-only t)               ; freed after its first run
  (timed nil :read-only t)              ; a watch with a timeout
  ;; Removing an event begins a new epoch: what was taken of it before is void.
  (epoch 0 :type fixnum)
  (freed nil))

(defmethod print-object ((base event-base) stream)
  (print-unreadable-object (base stream :type t)
    (format stream "~d~:[~; ended~]" (event-base-id base) (event-base-ended base))))

(defmethod print-object ((event event) stream)
  (print-unreadable-object (event stream :type t :identity t)
    (when (event-gone-p event) (write-string "freed" stream))))

(defvar *event-base* nil
  "The event loop that operations are about; bound by WITH-EVENT-LOOP.
A program may bind it to a running loop in any other thread, and then work on that loop from there.")

(defvar *running-base* nil
  "The loop that this thread is driving.")

(defvar *loops* '()
  "The loops that are running, the youngest first.")

(defvar *loops-lock* (bt:make-lock "pirn loops"))

(defvar *last-base-id* -1)

(defun check-running (base)
  "BASE, if it is a loop that has not ended."
  (when (or (null base) (event-base-ended base))
    (error 'pirn-error :text "There is no event loop here: none was started, or it has ended."))
  base)

(defun live-base ()
  "The loop in *EVENT-BASE*, which must be running."
  (check-running *event-base*))

;;; Opening and closing

(defun open-base (catch-app-errors default-event-cb)
  "A new event loop."
  (with-lock (*loops-lock*)
    (let ((base (%make-event-base
                 :id (incf *last-base-id*)
                 :handle (handle-of (pirn-c:make-event-loop))
                 :buffer (cffi:foreign-alloc '(:struct pirn-c:ready) :count +batch+)
                 :catch-app-errors catch-app-errors
                 :default-event-handler default-event-cb)))
      (push base *loops*)
      base)))

(defun close-base (base)
  "End BASE and every event in it. The signals it watched get their old reactions back."
  (with-lock (*loops-lock*)
    (setf *loops* (delete base *loops*)))
  (with-lock ((event-base-lock base))
    (setf (event-base-ended base) t)
    (checked (pirn-c:free-event-loop (event-base-handle base)))
    (cffi:foreign-free (event-base-buffer base))
    (setf (event-base-tail base) (event-base-head base))
    (fill (event-base-queue base) nil)))

(defun run-exit-callbacks (base)
  "Run the exit callbacks of BASE, the last one first; all of them, also when one fails."
  (let ((callback (with-lock ((event-base-lock base))
                    (pop (event-base-exit-callbacks base)))))
    (when callback
      (unwind-protect (call-guarded base (lambda () (values nil t)) callback)
        (run-exit-callbacks base)))))

;;; Callbacks and their errors

(defun call-guarded (base event-cb function)
  "Call FUNCTION, which runs callbacks, and deal with their errors as BASE says; its value.
Nil if that ended it. EVENT-CB gives the event callback of what is running, and whether something is."
  (let ((failure nil))
    (flet ((handle (condition)
             (let* ((catch (event-base-catch-app-errors base))
                    (handler (or (funcall event-cb)
                                 (and (not (eq catch t)) catch)
                                 (event-base-default-event-handler base)
                                 #'error)))
               (funcall handler condition))))
      (restart-case
          (handler-bind
              ((error (lambda (condition)
                        (setf failure condition)
                        ;; The handler runs where the error is, so that it can see the stack.
                        (when (and (event-base-catch-app-errors base)
                                   (nth-value 1 (funcall event-cb)))
                          (handle condition)
                          (return-from call-guarded nil)))))
            (funcall function))
        (continue-event-loop ()
          :report "Give the error to the event callback and go on with the event loop."
          (when failure (handle failure))
          nil)
        (abort-callback ()
          :report "Give up this callback and go on with the event loop."
          nil)
        (exit-event-loop ()
          :report "End the event loop."
          (pirn-c:event-loop-exit (event-base-handle base))
          nil)))))

;;; Driving

(defun take-batch (base)
  "Move what is ready from the library into BASE's queue, which is empty."
  (declare (optimize speed (safety 1)))
  (let ((buffer (event-base-buffer base))
        (queue (event-base-queue base))
        (epochs (event-base-epochs base))
        (whats (event-base-whats base))
        (tail 0))
    (declare (type fixnum tail))
    ;; The lock makes it one step for REMOVE-EVENT too: an event is either still
    ;; in the library, or in the queue with the epoch it was taken in.
    (with-lock ((event-base-lock base))
      (dotimes (i (the (integer 0 #.+batch+)
                       (checked (pirn-c:event-loop-take (event-base-handle base) buffer +batch+))))
        (cffi:with-foreign-slots ((pirn-c:what pirn-c:arg)
                                  (cffi:mem-aptr buffer '(:struct pirn-c:ready) i)
                                  (:struct pirn-c:ready))
          (let ((event (registered (event-base-events base) pirn-c:arg)))
            (when event
              (setf (svref queue tail) event
                    (svref epochs tail) (event-epoch event)
                    (aref whats tail) pirn-c:what)
              (incf tail)))))
      (setf (event-base-head base) 0
            (event-base-tail base) tail))))

(defun next-ready (base)
  "The next event of BASE's queue that is still to run, and what happened to it; nil at its end."
  (loop while (< (event-base-head base) (event-base-tail base))
        do (let* ((place (event-base-head base))
                  (event (shiftf (svref (event-base-queue base) place) nil)))
             (incf (event-base-head base))
             (when (with-lock ((event-base-lock base))
                     (and (= (event-epoch event) (svref (event-base-epochs base) place))
                          (not (event-freed event))))
               (return (values event (aref (event-base-whats base) place)))))))

(defun drive (base)
  "Run BASE until nothing keeps it running: 1, or until an exit was asked for: 0.
May be left by a non-local exit at any time and called again; nothing is lost by that."
  (uninterruptibly
    (let ((current nil)
          (winding nil))                ; whether a watch's timeout is to begin anew
      (labels ((current-event-cb ()
                 (values (and current (event-event-cb current)) current))
               (run (event what)
                 (setf current event)
                 (interruptibly (funcall (event-callback event) what))
                 (setf current nil))
               (run-queue ()
                 (loop
                   (multiple-value-bind (event what) (next-ready base)
                     (cond ((null event) (return))
                           ((event-timed event) (setf winding t) (run event what))
                           ((event-once event) (unwind-protect (run event what) (release event)))
                           (t (run event what))))))
               (sleep-in-library ()
                 (interruptibly
                   (pirn-c:event-loop-wait (event-base-handle base) pirn-c:+forever+)))
               (go-round ()
                 (setf current nil)     ; it may have been unwound
                 (loop
                   (run-queue)
                   (if winding
                       ;; The library does that when it is asked for more, and it must be
                       ;; done before the sleep.
                       (progn (setf winding nil)
                              (take-batch base))
                       (multiple-value-bind (status text) (status-of (sleep-in-library))
                         (case status
                           (#.pirn-c:+enoent+ (return 1))
                           (#.pirn-c:+ecanceled+ (return 0))
                           (t (if text
                                  (fail status text)
                                  (take-batch base)))))))))
        (declare (dynamic-extent #'current-event-cb #'go-round))
        ;; The handlers and restarts are set up once, not for each callback. After an error
        ;; they are set up anew, and the queue is gone on with.
        (loop
          (let ((result (call-guarded base #'current-event-cb #'go-round)))
            (when result (return result))))))))

;;; What users call

(defun start-event-loop (function &key default-event-cb catch-app-errors fatal-cb logger-cb)
  "Run an event loop in this thread, FUNCTION being its first callback.
Returns 1 when nothing is left in the loop, 0 when EXIT-EVENT-LOOP ended it.

CATCH-APP-ERRORS says what becomes of an error in a callback. NIL: it leaves the loop, with its own
backtrace. Otherwise it goes to the first of: the event callback of the operation, CATCH-APP-ERRORS
itself if it is a function, DEFAULT-EVENT-CB; where there is none, it is signalled again and leaves
the loop. In any case the restarts CONTINUE-EVENT-LOOP, ABORT-CALLBACK and EXIT-EVENT-LOOP are there.
FATAL-CB and LOGGER-CB are accepted for old programs and never called."
  (declare (ignore fatal-cb logger-cb))
  (when *running-base*
    (error 'pirn-error :text "An event loop can't run inside another one on the same thread."))
  (uninterruptibly
    (let* ((base (open-base catch-app-errors default-event-cb))
           (*event-base* base)
           (*running-base* base))
      (unwind-protect (interruptibly
                        (delay function)
                        (drive base))
        (unwind-protect (interruptibly (run-exit-callbacks base))
          (close-base base))))))

(defmacro with-event-loop ((&rest options
                            &key default-event-cb catch-app-errors fatal-cb logger-cb)
                           &body body)
  "Run an event loop in this thread, BODY being its first callback. START-EVENT-LOOP has the options."
  (declare (ignore default-event-cb catch-app-errors fatal-cb logger-cb))
  `(start-event-loop (lambda () ,@body) ,@options))

(defun exit-event-loop ()
  "End the loop in *EVENT-BASE*, after the callbacks that are active now. From any thread.
Where there is no loop, or one that has ended, nothing happens."
  (let ((base *event-base*))
    (when base
      (with-lock ((event-base-lock base))
        (unless (event-base-ended base)
          (checked (pirn-c:event-loop-exit (event-base-handle base)))))))
  nil)

(defun add-event-loop-exit-callback (function)
  "Call FUNCTION when the loop in *EVENT-BASE* ends, however it ends; the last one added goes first."
  (let ((base (live-base)))
    (with-lock ((event-base-lock base))
      (push function (event-base-exit-callbacks base))))
  nil)

(defun enable-threading-support ()
  "Do now what would otherwise be set up at the first call from another thread.
Nothing has to be enabled; programs written for cl-async call this."
  (checked (pirn-c:enable-threading-support))
  nil)

(defun find-loop (id)
  "The running loop with ID; for NIL the one in *EVENT-BASE*, or the one started last."
  (or (if id
          (with-lock (*loops-lock*)
            (find id *loops* :key #'event-base-id))
          (or *event-base*
              (with-lock (*loops-lock*) (first *loops*))))
      (error 'pirn-error :text "There is no such event loop.")))

(defmacro with-threading-context ((&key base-id (io t)) &body body)
  "Run BODY, in any thread, on the loop whose EVENT-BASE-ID is BASE-ID, by default the one started last.
IO is accepted for programs written for cl-async; there are no buffers here that a thread must own."
  `(let ((*event-base* (find-loop ,base-id)))
     ,io
     ,@body))

(defun stats ()
  "Figures about the loop in *EVENT-BASE*: a plist with keyword keys."
  (let ((base (live-base)))
    (cffi:with-foreign-object (stats '(:struct pirn-c:loop-stats))
      (setf (cffi:foreign-slot-value stats '(:struct pirn-c:loop-stats) 'pirn-c:struct-size)
            (cffi:foreign-type-size '(:struct pirn-c:loop-stats)))
      (checked (pirn-c:event-loop-stats (event-base-handle base) stats))
      (loop for slot in '(pirn-c:events pirn-c:pending pirn-c:rounds pirn-c:callbacks
                          pirn-c:activations pirn-c:merged pirn-c:posts pirn-c:wakeups
                          pirn-c:timers-fired pirn-c:max-lateness-ns)
            collect (intern (symbol-name slot) :keyword)
            collect (cffi:foreign-slot-value stats '(:struct pirn-c:loop-stats) slot)))))

(defun dump-event-loop-status (file &key (return-as-string t))
  "Everything the library holds, as text, to see why a loop doesn't end.
It is written to FILE, read back and returned, and FILE is deleted. With RETURN-AS-STRING NIL the
file stays, and NIL is returned."
  (with-open-file (stream file :direction :output :if-exists :supersede :external-format :utf-8)
    (checked (pirn-c:pirn-dump (stream-descriptor stream))))
  (when return-as-string
    (unwind-protect (uiop:read-file-string file)
      (delete-file file))))

(macrolet ((document (&rest pairs)
             `(setf ,@(loop for (name text) on pairs by #'cddr
                            append `((documentation ',name 'function) ,text)))))
  (document
   event-base-id "The number of an event loop, for WITH-THREADING-CONTEXT."
   event-base-catch-app-errors "What becomes of errors in a loop's callbacks; START-EVENT-LOOP tells."
   event-base-default-event-handler "What an error goes to that has no event callback of its own."))
