;;;; Signals. While a loop has a handler for one, the reaction that stood before
;;;; (SBCL's break on SIGINT, say) is set aside; the library puts it back whole.

(in-package :pirn)

(defmacro define-signals (&body signals)
  "Define the signal numbers of this platform. A signal is (name description Linux-number BSD-number)."
  `(progn
     ,@(loop for (name description linux bsd) in signals
             for number = (if (uiop:featurep :linux) linux bsd)
             collect `(defconstant ,name ,number
                        ,(format nil "~a~:[; this platform doesn't have it~;~]."
                                 description number)))))

(define-signals
  (+sighup+ "Hangup of the terminal" 1 1)
  (+sigint+ "Interrupt from the keyboard" 2 2)
  (+sigquit+ "Quit from the keyboard" 3 3)
  (+sigill+ "Illegal instruction" 4 4)
  (+sigtrap+ "Trace trap" 5 5)
  (+sigabrt+ "Abort" 6 6)
  (+sigemt+ "Emulator trap" nil 7)
  (+sigfpe+ "Arithmetic error" 8 8)
  (+sigkill+ "Kill; can't be handled" 9 9)
  (+sigbus+ "Bus error" 7 10)
  (+sigsegv+ "Invalid memory reference" 11 11)
  (+sigsys+ "Bad system call" 31 12)
  (+sigpipe+ "Write to a pipe that nobody reads" 13 13)
  (+sigalrm+ "The alarm clock" 14 14)
  (+sigterm+ "Termination" 15 15)
  (+sigurg+ "Urgent data on a socket" 23 16)
  (+sigstop+ "Stop; can't be handled" 19 17)
  (+sigtstp+ "Stop from the keyboard" 20 18)
  (+sigcont+ "Continue after a stop" 18 19)
  (+sigchld+ "A child ended or stopped" 17 20)
  (+sigttin+ "Read from the terminal in the background" 21 21)
  (+sigttou+ "Write to the terminal in the background" 22 22)
  (+sigio+ "Input or output is possible" 29 23)
  (+sigxcpu+ "CPU time limit exceeded" 24 24)
  (+sigxfsz+ "File size limit exceeded" 25 25)
  (+sigvtalrm+ "The virtual alarm clock" 26 26)
  (+sigprof+ "The profiling timer" 27 27)
  (+sigwinch+ "The window has a new size" 28 28)
  (+siginfo+ "Status request from the keyboard" nil 29)
  (+sigusr1+ "For the user, first" 10 30)
  (+sigusr2+ "For the user, second; SBCL needs it for itself" 12 31))

(defun signal-handler (signo callback &key event-cb)
  "Call CALLBACK with SIGNO in the loop, each time the process gets that signal, until it is freed.
What Lisp itself does on that signal is set aside until then. A second handler of a signal replaces
the first on the same loop; handlers on other loops run too. The handler keeps the loop running."
  (check-type signo (integer 1))
  (let ((base (live-base)))
    (free-signal-handler signo)
    (uninterruptibly
      (let ((event (enter-event (base id)
                       (%make-event :base base :event-cb event-cb
                                    :callback (lambda (what)
                                                (declare (ignore what))
                                                (when callback (funcall callback signo))))
                     (pirn-c:make-signal-event (event-base-handle base) signo
                                               (cffi:null-pointer) id))))
        (add-event event)
        (with-lock ((event-base-lock base))
          (push (cons signo event) (event-base-signal-handlers base)))
        event))))

(defun free-signal-handler (signo)
  "Free the handler of SIGNO in the loop in *EVENT-BASE*, if there is one.
With the last handler of a signal the old reaction comes back."
  (let* ((base (live-base))
         (handler (with-lock ((event-base-lock base))
                    (let ((handler (assoc signo (event-base-signal-handlers base))))
                      (setf (event-base-signal-handlers base)
                            (delete handler (event-base-signal-handlers base)))
                      handler))))
    (when handler
      (release (cdr handler))))
  nil)

(defun clear-signal-handlers ()
  "Free all signal handlers of the loop in *EVENT-BASE*."
  (loop for (signo) = (first (event-base-signal-handlers (live-base)))
        while signo
        do (free-signal-handler signo)))
