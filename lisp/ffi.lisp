;;;; The C interface: the functions, constants and structures of pirn.h that
;;;; this system uses, under their own names with hyphens for underscores.
;;;;
;;;; A handle is an integer here, not a pointer. The library never dereferences
;;;; one, an integer can be compared with =, costs no memory, and one from a
;;;; former life, out of a saved image, is refused like any other stale handle.
;;;; 0 is C's NULL.
;;;;
;;;; No function is ever given a Lisp function to call. Events are made without
;;;; a callback and carry an integer instead, which Lisp finds again when it
;;;; takes them from the loop (registry.lisp).

(in-package :pirn-c)

(cl:defparameter *functions* '()
  "(C name, number of arguments) of each function defined here; a test holds them against the headers.")

(cl:defparameter *constants* '()
  "(C name, value) of each constant defined here; a test holds them against the headers.")

(cl:eval-when (:compile-toplevel :load-toplevel :execute)
  (cl:defun lisp-name (c-name cl:&optional (format "~a"))
    "The symbol for C-NAME."
    (cl:intern (cl:format cl:nil format (cl:substitute #\- #\_ (cl:string-upcase c-name))) :pirn-c)))

(cl:defmacro define-exported (names cl:&body definitions)
  "DEFINITIONS, of NAMES, which other packages may use."
  `(cl:progn
     (cl:eval-when (:compile-toplevel :load-toplevel :execute)
       (cl:export ',names :pirn-c))
     ,@definitions))

(cl:defmacro define-functions (cl:&body specifications)
  "Define foreign functions. A specification is (result-type C-name (argument type)...)."
  (cl:loop for (result c-name . arguments) in specifications
           for name = (lisp-name c-name)
           collect name into names
           ;; Inline, handles and durations stay in registers.
           collect `(cl:declaim (cl:inline ,name)) into definitions
           collect `(cffi:defcfun (,c-name ,name) ,result ,@arguments) into definitions
           collect `(cl:pushnew '(,c-name ,(cl:length arguments)) *functions* :test 'cl:equal)
             into definitions
           finally (cl:return `(define-exported ,names ,@definitions))))

(cl:defmacro define-constants (cl:&body specifications)
  "Define constants. (\"PIRN_READ\" 2) becomes +READ+."
  (cl:loop for (c-name value) in specifications
           for name = (lisp-name (cl:subseq c-name (cl:length "PIRN_")) "+~a+")
           collect name into names
           collect `(cl:defconstant ,name ,value) into definitions
           collect `(cl:pushnew '(,c-name ,value) *constants* :test 'cl:equal) into definitions
           finally (cl:return `(define-exported ,names ,@definitions))))

;;; Types

(cl:export '(handle ns
             value kind code as size free
             ready event what count arg task
             loop-stats struct-size events pending rounds callbacks activations merged posts
             wakeups timers-fired max-lateness-ns))

(cffi:defctype handle :uint64)
(cffi:defctype ns :int64)

(cffi:defcstruct value
  (kind :uint32)
  (code :int32)
  (as :int64)                           ; a union; Lisp sends integers only
  (size :size)
  (free :pointer))

(cffi:defcstruct ready
  (event handle)
  (what :uint32)
  (count :uint32)
  (arg :uint64)                         ; a void *, in which our integer travels
  (task :pointer))

(cffi:defcstruct loop-stats
  (struct-size :size)
  (events :uint64)
  (pending :uint64)
  (rounds :uint64)
  (callbacks :uint64)
  (activations :uint64)
  (merged :uint64)
  (posts :uint64)
  (wakeups :uint64)
  (timers-fired :uint64)
  (max-lateness-ns :uint64))

;;; Constants

(define-constants
  ("PIRN_FOREVER" -1)
  ;; value kinds
  ("PIRN_NIL" 0)
  ("PIRN_INTEGER" 1)
  ;; what an event saw, or is to watch for
  ("PIRN_TIMEOUT" #x01)
  ("PIRN_READ" #x02)
  ("PIRN_WRITE" #x04)
  ("PIRN_SIGNAL" #x08)
  ("PIRN_ACTIVATED" #x40)
  ("PIRN_IDLE" #x200)
  ;; status codes
  ("PIRN_OK" 0)
  ("PIRN_EINVAL" -1)
  ("PIRN_EHANDLE" -2)
  ("PIRN_ESTALE" -3)
  ("PIRN_ESTATE" -4)
  ("PIRN_ETHREAD" -5)
  ("PIRN_ENAME" -6)
  ("PIRN_EEXIST" -7)
  ("PIRN_ENOENT" -8)
  ("PIRN_EAGAIN" -9)
  ("PIRN_ETIMEDOUT" -10)
  ("PIRN_EDEADLK" -11)
  ("PIRN_EDEAD" -12)
  ("PIRN_EINTERRUPTED" -13)
  ("PIRN_EHANDLER" -14)
  ("PIRN_ECANCELED" -15)
  ("PIRN_EBUSY" -16))

;;; Functions

(define-functions
  ;; the library
  (:int "pirn_abi_version")
  (:int "pirn_last_error")
  (:string "pirn_last_error_text")
  (:int "pirn_dump" (fd :int))
  (:int "enable_threading_support")
  ;; loops
  (handle "make_event_loop")
  (:int "free_event_loop" (loop handle))
  (:int "event_loop_exit" (loop handle))
  (:int "event_loop_wait" (loop handle) (timeout ns))
  (:int "event_loop_take" (loop handle) (out :pointer) (capacity :int))
  (:int "event_loop_stats" (loop handle) (out :pointer))
  ;; events
  (handle "make_event" (loop handle) (fn :pointer) (arg :uint64))
  (handle "make_fd_event" (loop handle) (fd :int) (interest :uint32) (fn :pointer) (arg :uint64))
  (handle "make_signal_event" (loop handle) (signum :int) (fn :pointer) (arg :uint64))
  (handle "make_idle_event" (loop handle) (fn :pointer) (arg :uint64))
  (:int "add_event" (event handle) (timeout ns))
  (:int "add_event_interval" (event handle) (period ns))
  (:int "add_event_activate" (event handle))
  (:int "remove_event" (event handle))
  (:int "free_event" (event handle))
  (:int "event_ref" (event handle))
  (:int "event_unref" (event handle))
  ;; threads
  (handle "thread_attach" (name :string))
  (:int "thread_detach")
  (:int "free_thread" (thread handle))
  (:int "thread_stop" (thread handle))
  (:int "thread_kill" (thread handle))
  (:int "thread_name" (thread handle) (out :pointer) (capacity :size))
  ;; messages
  (:int "thread_try_send_async" (thread handle) (message :pointer))
  (:uint64 "thread_send_later" (thread handle) (delay ns) (message :pointer) (repeat :int))
  (:int "thread_cancel_later" (thread handle) (ticket :uint64))
  (:int "thread_wait" (self handle) (timeout ns))
  (handle "thread_take" (self handle))
  (:int "message_value" (message handle) (out :pointer))
  (:int "free_message" (message handle)))
