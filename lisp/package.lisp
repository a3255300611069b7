;;;; The packages. PIRN-C holds the C functions under their own names, so that
;;;; a call that leaves Lisp is seen at a glance: PIRN-C:ADD-EVENT.

(defpackage :pirn-c
  (:use)
  (:documentation "libpirn's functions, constants and structures, as the headers have them."))

(defpackage :pirn-future
  (:use :cl)
  (:documentation "Values that are still to come.")
  (:export #:future #:make-future #:futurep #:future-finished-p #:lookup-forwarded-future
           #:finish #:signal-error #:reset-future
           #:attach #:attach-errback
           #:alet #:alet* #:aif #:multiple-future-bind #:wait-for #:adolist
           #:future-handler-case))

(defpackage :pirn
  (:use :cl)
  (:import-from :pirn-future #:make-future #:finish #:signal-error)
  (:documentation "An event loop that any thread may touch, and threads that talk by message.")
  (:export
   ;; conditions
   #:pirn-error #:pirn-error-code #:pirn-error-text
   #:library-not-found
   #:event-info #:event-error #:event-errcode #:event-errmsg
   #:event-freed #:event-freed-event #:notifier-freed
   #:thread-dead #:timed-out #:interrupted #:deadlock #:deadlock-names
   ;; the loop
   #:with-event-loop #:start-event-loop #:exit-event-loop #:add-event-loop-exit-callback
   #:enable-threading-support #:with-threading-context
   #:*event-base* #:event-base #:event-base-id #:event-base-catch-app-errors
   #:event-base-default-event-handler
   #:continue-event-loop #:abort-callback
   #:stats #:dump-event-loop-status
   ;; events
   #:event #:event-c #:event-freed-p
   #:make-event #:add-event #:remove-event #:free-event #:ref #:unref
   #:delay #:with-delay #:interval #:with-interval #:remove-interval
   #:notifier #:make-notifier #:trigger-notifier #:free-notifier #:notifier-freed-p
   #:idler #:idle #:free-idler #:idler-freed-p
   ;; file descriptors
   #:watch-fd #:poller #:poll #:free-poller #:poller-freed-p
   ;; signals
   #:signal-handler #:free-signal-handler #:clear-signal-handlers
   #:+sighup+ #:+sigint+ #:+sigquit+ #:+sigill+ #:+sigtrap+ #:+sigabrt+ #:+sigemt+
   #:+sigfpe+ #:+sigkill+ #:+sigbus+ #:+sigsegv+ #:+sigsys+ #:+sigpipe+ #:+sigalrm+
   #:+sigterm+ #:+sigurg+ #:+sigstop+ #:+sigtstp+ #:+sigcont+ #:+sigchld+ #:+sigttin+
   #:+sigttou+ #:+sigio+ #:+sigxcpu+ #:+sigxfsz+ #:+sigvtalrm+ #:+sigprof+ #:+sigwinch+
   #:+siginfo+ #:+sigusr1+ #:+sigusr2+
   ;; threads
   #:thread #:thread-name #:thread-state
   #:make-thread #:start #:stop #:kill #:join
   #:find-thread #:current-thread #:list-threads #:thread-local
   ;; messages
   #:send-sync #:send-async #:send-later #:cancel-later
   #:receive-loop #:receive-loop-coalescing
   ;; jobs
   #:work))
