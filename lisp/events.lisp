;;;; Events, delays, intervals, notifiers, idlers: things that happen in a loop
;;;; because the program says so or because time passes.

(in-package :pirn)

;;; The life of an event

(defun event-gone-p (event)
  "Whether EVENT was freed, or its loop has ended."
  (or (event-freed event)
      (event-base-ended (event-base event))))

(defun event-freed-p (event)
  "T when EVENT has been freed or its loop has ended, else NIL. During its callback it is NIL."
  (and (event-gone-p event) t))

(defgeneric freed-condition (event)
  (:documentation "The type of condition that an operation on the freed EVENT signals.")
  (:method ((event event)) 'event-freed))

(defun signal-freed (event)
  "Signal that EVENT is no more."
  (error (freed-condition event) :event event :code pirn-c:+estale+
                                 :text (princ-to-string event)))

(defun settle (event status text)
  "The STATUS of a call on EVENT, unless TEXT tells of a failure, which is signalled."
  (cond ((null text) status)
        ((= status pirn-c:+estale+) (signal-freed event))
        (t (fail status text))))

(defmacro call-on ((handle event) call)
  "The status, and the text if it is a failure, of CALL on the HANDLE of EVENT."
  `(if (event-gone-p ,event)
       (values pirn-c:+estale+ "freed")
       (let ((,handle (event-handle ,event)))
         (status-of ,call))))

(defmacro on-event ((handle event) call)
  "The status of CALL, a library call on the HANDLE of EVENT, which must be there still."
  `(multiple-value-call #'settle ,event (call-on (,handle ,event) ,call)))

(defmacro enter-event ((base id) event &body make)
  "Bring EVENT into the loop of BASE. MAKE gives its handle; it carries ID."
  (let ((the-event (gensym "EVENT")))
    `(let ((,the-event ,event))
       ;; Under the lock, so that the loop can't take it before it has its handle.
       (with-lock ((event-base-lock ,base))
         (check-running ,base)
         (let ((,id (register (event-base-events ,base) ,the-event))
               (made nil))
           (setf (event-id ,the-event) ,id)
           (unwind-protect
                (setf (event-handle ,the-event) (handle-of (progn ,@make))
                      made t)
             (unless made
               (unregister (event-base-events ,base) ,id)))))
       ,the-event)))

(defun release (event)
  "Free EVENT. T, or nil when it was gone already."
  (let ((base (event-base event)))
    (with-lock ((event-base-lock base))
      (unless (event-gone-p event)
        (pirn-c:free-event (event-handle event))
        (unregister (event-base-events base) (event-id event))
        (setf (event-freed event) t)))))

(defun plain (callback)
  "CALLBACK, which takes no arguments and may be NIL, as an event calls it."
  (lambda (what)
    (declare (ignore what))
    (when callback (funcall callback))))

(defun event-c (event)
  "The library's handle of EVENT, an integer."
  (event-handle event))

;;; What users call

(defun make-event (callback &key event-cb)
  "An event that sits in the loop, keeps it running, and runs CALLBACK once, when it is activated.
After that it is freed. Activate it with ADD-EVENT, from any thread."
  (let ((base (live-base)))
    (enter-event (base id)
        (%make-event :base base :callback (plain callback) :event-cb event-cb :once t)
      (pirn-c:make-event (event-base-handle base) (cffi:null-pointer) id))))

(defun add-event (event &key timeout activate)
  "Put EVENT into its loop. From any thread.
With TIMEOUT it happens after that many seconds; else, with ACTIVATE, as soon as the loop gets to it;
else not by itself. Activated twice before its callback starts, it happens once."
  (on-event (handle event)
    (cond (timeout (pirn-c:add-event handle (nanoseconds timeout)))
          (activate (pirn-c:add-event-activate handle))
          (t (pirn-c:add-event handle pirn-c:+forever+))))
  nil)

(defun remove-event (event)
  "Take EVENT out of its loop, which it then no longer keeps running; ADD-EVENT puts it back. T.
No callback of it starts after this has returned."
  (multiple-value-call #'settle event
    (with-lock ((event-base-lock (event-base event)))
      (incf (event-epoch event))
      (call-on (handle event) (pirn-c:remove-event handle))))
  t)

(defun free-event (event)
  "Free EVENT, whether it is waiting, active or neither. No callback of it starts after this."
  (unless (release event)
    (signal-freed event))
  nil)

(defun ref (event)
  "Let EVENT keep its loop running, as it does unless UNREF was called."
  (on-event (handle event) (pirn-c:event-ref handle))
  nil)

(defun unref (event)
  "Let the loop of EVENT end even while EVENT is in it."
  (on-event (handle event) (pirn-c:event-unref handle))
  nil)

;;; Time

(defun delay (callback &key time event-cb)
  "Call CALLBACK in the loop after TIME seconds, or, when TIME is NIL, as soon as the loop gets to it.
From any thread. The event."
  (uninterruptibly                      ; or an unwind leaves an event that holds the loop for ever
    (let ((event (make-event callback :event-cb event-cb)))
      (add-event event :timeout time :activate t)
      event)))

(defmacro with-delay ((&optional seconds) &body body)
  "Run BODY in the loop after SECONDS. The event."
  `(delay (lambda () ,@body) :time ,seconds))

(defun interval (callback &key time event-cb)
  "Call CALLBACK in the loop every TIME seconds. It doesn't drift, and an error that is caught doesn't end it.
Returns a function without arguments that ends it, which REMOVE-INTERVAL takes too."
  (let* ((base (live-base))
         (period (nanoseconds (or time 0)))
         (event (uninterruptibly
                  (let ((event (enter-event (base id)
                                   (%make-event :base base :callback (plain callback)
                                                :event-cb event-cb)
                                 (pirn-c:make-event (event-base-handle base)
                                                    (cffi:null-pointer) id))))
                    (on-event (handle event)
                      (pirn-c:add-event-interval handle (max 1 period)))
                    event))))
    (lambda ()
      (release event)
      nil)))

(defmacro with-interval ((seconds) &body body)
  "Run BODY in the loop every SECONDS. Returns what INTERVAL returns."
  `(interval (lambda () ,@body) :time ,seconds))

(defun remove-interval (interval)
  "End INTERVAL, which INTERVAL or WITH-INTERVAL returned. Twice does no harm."
  (funcall interval)
  nil)

;;; Notifiers

(defstruct (notifier (:include event) (:constructor %make-notifier) (:copier nil))
  "An event that any thread can trigger.")

(defmethod freed-condition ((event notifier)) 'notifier-freed)

(defun make-notifier (callback &key event-cb (single-shot t))
  "A notifier: CALLBACK runs in the loop when a thread triggers it.
It keeps the loop running until it is freed, which a SINGLE-SHOT one is after its callback."
  (let ((base (live-base)))
    (enter-event (base id)
        (%make-notifier :base base :callback (plain callback) :event-cb event-cb
                        :once single-shot)
      (pirn-c:make-event (event-base-handle base) (cffi:null-pointer) id))))

(defun trigger-notifier (notifier)
  "Run the callback of NOTIFIER in its loop. From any thread."
  (add-event notifier :activate t))

(defun free-notifier (notifier)
  "Free NOTIFIER: it can be triggered no more and no longer keeps its loop running."
  (free-event notifier))

(defun notifier-freed-p (notifier)
  "T when NOTIFIER has been freed or its loop has ended, else NIL."
  (event-freed-p notifier))

;;; Idlers

(defstruct (idler (:include event) (:constructor %make-idler) (:copier nil))
  "An event that happens in every round of the loop.")

(defun idle (callback &key event-cb)
  "Call CALLBACK in every round of the loop, until FREE-IDLER. The idler."
  (let ((base (live-base)))
    (uninterruptibly
      (let ((idler (enter-event (base id)
                       (%make-idler :base base :callback (plain callback) :event-cb event-cb)
                     (pirn-c:make-idle-event (event-base-handle base) (cffi:null-pointer) id))))
        (add-event idler)
        idler))))

(defun free-idler (idler)
  "End IDLER. Twice does no harm."
  (release idler)
  nil)

(defun idler-freed-p (idler)
  "T when IDLER has been freed or its loop has ended, else NIL."
  (event-freed-p idler))
