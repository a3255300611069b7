;;;; cl-async's packages, over pirn's symbols: a program that uses the part of
;;;; cl-async which pirn covers loads against these unchanged.

(defpackage :cl-async-base
  (:use)
  (:import-from :pirn . #1=(#:event-info #:event-error #:event-errcode #:event-errmsg
                            #:*event-base* #:event-base #:event-base-id
                            #:event-base-catch-app-errors #:event-base-default-event-handler))
  (:export . #1#)
  (:documentation "The event loop that is running, and the roots of the conditions."))

;;; What cl-async doesn't have comes from PIRN alone: a program that uses these
;;; packages may well have a WORK or a STOP of its own.

(defpackage :cl-async
  (:use)
  (:nicknames :as)
  (:import-from :pirn . #2=(#:event-info #:event-error #:event-errcode #:event-errmsg
                            #:event-freed #:event-freed-event
                            #:with-event-loop #:start-event-loop #:exit-event-loop
                            #:add-event-loop-exit-callback #:continue-event-loop #:abort-callback
                            #:enable-threading-support #:with-threading-context
                            #:stats #:dump-event-loop-status
                            #:event #:event-c #:event-freed-p
                            #:make-event #:add-event #:remove-event #:free-event #:ref #:unref
                            #:delay #:with-delay #:interval #:with-interval #:remove-interval
                            #:notifier #:make-notifier #:trigger-notifier #:free-notifier
                            #:notifier-freed #:notifier-freed-p
                            #:idler #:idle #:free-idler #:idler-freed-p
                            #:watch-fd #:poller #:poll #:free-poller #:poller-freed-p
                            #:signal-handler #:free-signal-handler #:clear-signal-handlers
                            #:+sighup+ #:+sigint+ #:+sigquit+ #:+sigill+ #:+sigtrap+ #:+sigabrt+
                            #:+sigemt+ #:+sigfpe+ #:+sigkill+ #:+sigbus+ #:+sigsegv+ #:+sigsys+
                            #:+sigpipe+ #:+sigalrm+ #:+sigterm+ #:+sigurg+ #:+sigstop+ #:+sigtstp+
                            #:+sigcont+ #:+sigchld+ #:+sigttin+ #:+sigttou+ #:+sigio+ #:+sigxcpu+
                            #:+sigxfsz+ #:+sigvtalrm+ #:+sigprof+ #:+sigwinch+ #:+siginfo+
                            #:+sigusr1+ #:+sigusr2+))
  (:export . #2#)
  (:documentation "The event loop, under cl-async's name."))

(defpackage :cl-async-future
  (:use)
  (:nicknames :asf)
  (:import-from :pirn-future . #3=(#:future #:make-future #:futurep #:future-finished-p
                                   #:lookup-forwarded-future
                                   #:finish #:signal-error #:reset-future
                                   #:attach #:attach-errback
                                   #:alet #:alet* #:aif #:multiple-future-bind #:wait-for
                                   #:adolist #:future-handler-case))
  (:export . #3#)
  (:documentation "Futures, under cl-async's name."))
