;;;; Each example, run as a reader would run it, and what it prints.

(in-package :pirn-tests)

(suite examples)

#+sbcl
(defun example-output (name)
  "What the example NAME prints."
  (multiple-value-bind (output code)
      (run-lisp '() :arguments (list "--noinform" "--non-interactive" "--no-userinit"
                                     "--load" (namestring (source-file "examples/load.lisp"))
                                     "--load" (namestring
                                               (source-file (format nil "examples/~a.lisp" name)))))
    (is (eql 0 code) "~a" output)
    output))

#+sbcl
(defmacro prints (name &rest lines)
  "Whether the example NAME prints LINES, and nothing else."
  `(is (string= ,(format nil "~{~a~%~}" lines)
                (string-right-trim '(#\Space) (ensure-newline (example-output ,name))))))

(defun ensure-newline (text)
  "TEXT, ended by a newline: some of the documented programs don't."
  (format nil "~a~&" text))

#+sbcl
(test the-documented-programs
  (prints "stolen-context" "Hai from another thread!" "Done!")
  (prints "background-job" "Job finished! 42")
  (prints "futures" "event loop still running..." "got val: 9"))

#+sbcl
(test reflector
  (prints "reflector"
          "The reflector says: stressed -> desserts"
          "The reflector says: (1 2 3) -> (3 2 1)"
          "The reflector can't reflect 42: The value 42 is not of type SEQUENCE."))

#+sbcl
(test timers
  (prints "timers"
          "tick 1" "tick 2" "tick 3" "half a second has passed" "the ticking was cancelled: T"
          "beat 1" "beat 2" "beat 3"))

#+sbcl
(test coalescing
  (prints "coalescing"
          "repaint header"
          "repaint list, 1000 requests in one"
          "repaint footer"))

#+sbcl
(test echo-server
  (prints "echo-server"
          "client 1 got: hello"
          "client 2 got: world"
          "the server has closed"))

#+sbcl
(test word-counter
  (let ((output (example-output "word-counter")))
    (is (search "files counted" output) "~a" output)
    (is (search "package.lisp" output) "~a" output)
    (is (search "words in all" output) "~a" output)))
