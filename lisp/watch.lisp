;;;; Watching file descriptors.

(in-package :pirn)

(defun watch (make base fd interest timeout callback event-cb)
  "Watch FD for INTEREST. MAKE makes the event; CALLBACK is called with the bits that came."
  (uninterruptibly
    (let* ((loop-handle (event-base-handle base))
           (nowhere (cffi:null-pointer))
           (event (enter-event (base id)
                      (funcall make :base base :callback callback :event-cb event-cb
                                    :timed timeout)
                    ;; Without an interest it is an interval, as with libevent.
                    (if (zerop interest)
                        (pirn-c:make-event loop-handle nowhere id)
                        (pirn-c:make-fd-event loop-handle fd interest nowhere id))))
           (added nil))
      (unwind-protect
           (progn
             (on-event (handle event)
               (cond ((null timeout) (pirn-c:add-event handle pirn-c:+forever+))
                     ((zerop interest) (pirn-c:add-event-interval handle (nanoseconds timeout)))
                     (t (pirn-c:add-event handle (nanoseconds timeout)))))
             (setf added t)
             event)
        (unless added (release event))))))

(defun watch-fd (fd &key event-cb read-cb write-cb timeout-cb timeout)
  "Watch the file descriptor FD until the returned event is freed.
READ-CB and WRITE-CB are called, without arguments, whenever FD can be read or written; end of file
is something to read. TIMEOUT-CB is called when TIMEOUT seconds have passed without either, and
again after as many more. What can't be watched, such as a plain file, is an error."
  (watch #'%make-event (live-base) fd
         (logior (if read-cb pirn-c:+read+ 0)
                 (if write-cb pirn-c:+write+ 0))
         timeout
         (lambda (what)
           (flet ((on (bit callback)
                    (when (and callback (logtest bit what)) (funcall callback))))
             (on pirn-c:+read+ read-cb)
             (on pirn-c:+write+ write-cb)
             (on pirn-c:+timeout+ timeout-cb)))
         event-cb))

(defstruct (poller (:include event) (:constructor %make-poller) (:copier nil))
  "A watch on a file descriptor, of cl-async's later kind.")

(defun poll (fd poll-cb &key event-cb (poll-for '(:readable :writable)) socket)
  "Watch the file descriptor FD until FREE-POLLER.
Whenever FD is ready for something in POLL-FOR, a list of :READABLE and :WRITABLE, POLL-CB is called
with the list of what it is ready for. SOCKET is accepted for old programs and makes no difference."
  (declare (ignore socket))
  (flet ((bits (kinds)
           (logior (if (member :readable kinds) pirn-c:+read+ 0)
                   (if (member :writable kinds) pirn-c:+write+ 0)))
         (kinds (bits)
           (append (when (logtest pirn-c:+read+ bits) '(:readable))
                   (when (logtest pirn-c:+write+ bits) '(:writable)))))
    (watch #'%make-poller (live-base) fd (bits poll-for) nil
           (lambda (what)
             (when poll-cb (funcall poll-cb (kinds what))))
           event-cb)))

(defun free-poller (poller)
  "Stop watching. Twice does no harm."
  (release poller)
  nil)

(defun poller-freed-p (poller)
  "T when POLLER has been freed or its loop has ended, else NIL."
  (event-freed-p poller))
