;;;; pirn from Common Lisp: an event loop that any thread may touch, futures,
;;;; and named threads that talk by message.

(defsystem "pirn"
  :description "An event loop any thread may touch, futures, and threads that talk by message."
  :version "0.1.0"
  :license "MIT OR Apache-2.0"
  :depends-on ("cffi" "bordeaux-threads")
  :serial t
  :components ((:file "package")
               (:file "platform")      ; what differs between implementations
               (:file "conditions")
               (:file "library")       ; finding and loading libpirn
               (:file "ffi")           ; the C functions, as they are
               (:file "calls")         ; calling them: status codes become conditions
               (:file "registry")      ; small integers that stand for Lisp objects
               (:file "loop")
               (:file "events")
               (:file "watch")
               (:file "signals")
               (:file "threads")
               (:file "waits")
               (:file "messages")
               (:file "futures")
               (:file "work"))
  :in-order-to ((test-op (test-op "pirn/tests"))))

(defsystem "pirn/cl-async"
  :description "cl-async's packages over pirn: an existing program loads unchanged."
  :license "MIT OR Apache-2.0"
  :depends-on ("pirn")
  :components ((:file "cl-async")))

(defsystem "pirn/tests"
  :description "The tests of the Lisp side."
  :license "MIT OR Apache-2.0"
  :depends-on ("pirn" "pirn/cl-async" "fiveam")
  :pathname "tests/"
  :serial t
  :components ((:file "package")
               (:file "header")
               (:file "loop")
               (:file "events")
               (:file "watch")
               (:file "signals")
               (:file "threads")
               (:file "messages")
               (:file "futures")
               (:file "work")
               (:file "hammer")
               (:file "images")
               (:file "examples"))
  :perform (test-op (o c) (symbol-call :pirn-tests :run-tests)))
