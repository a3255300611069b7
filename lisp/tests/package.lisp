;;;; The tests of the Lisp side. Each file is a suite of its own name.

(defpackage :pirn-tests
  (:use :cl :fiveam)
  (:export #:run-tests #:run-quick-tests #:run-suites))

(in-package :pirn-tests)

(def-suite pirn)

(defmacro suite (name)
  "What follows belongs to the suite NAME."
  `(progn
     (def-suite ,name :in pirn)
     (in-suite ,name)))

(defun run-suites (&rest suites)
  "Run SUITES, say what failed, and close with a line of figures. True if nothing failed."
  (let* ((results (loop for suite in suites append (run suite)))
         (passed (count-if (lambda (result) (typep result 'fiveam::test-passed)) results))
         (failed (count-if (lambda (result) (typep result '(or fiveam::test-failure
                                                            fiveam::unexpected-test-failure)))
                           results)))
    (explain! results)
    (format t "~&~d passed, ~d failed~%" passed failed)
    (zerop failed)))

(defun run-tests ()
  "Run everything."
  (run-suites 'pirn))

(defun run-quick-tests ()
  "Run what takes seconds and needs no other process."
  (run-suites 'loop-suite 'events 'watch 'signals-suite 'threads 'messages 'futures 'work))

;;; Tools

(defmacro within ((seconds) &body body)
  "Run BODY, which fails when it isn't done after SECONDS."
  ;; On ECL the threads that bordeaux-threads makes for timeouts may survive what they watch.
  #+ecl `(progn ,seconds ,@body)
  #-ecl
  `(handler-case (bt:with-timeout (,seconds) ,@body)
     (bt:timeout ()
       (error "This hung."))))

(defun eventually (predicate &optional (seconds 10))
  "Whether PREDICATE comes true within SECONDS."
  (loop repeat (* 200 seconds)
        thereis (funcall predicate)
        do (sleep 1/200)))

(defmacro in-loop ((&rest options) &body body)
  "Run an event loop with BODY in it, no longer than 20 seconds; what it returns."
  `(within (20) (pirn:with-event-loop ,options ,@body)))

(defmacro condition-of (&body body)
  "The condition that BODY signals, or nil."
  `(handler-case (progn ,@body nil)
     (condition (condition) condition)))

(defmacro traced ((trace) &body body)
  "Run BODY, in which (TRACE value) notes a value; the list of the values, in order."
  (let ((values (gensym "VALUES")) (lock (gensym "LOCK")))
    `(let ((,values '()) (,lock (bt:make-lock)))
       (flet ((,trace (value)
                (bt:with-lock-held (,lock) (push value ,values))))
         ,@body)
       (reverse ,values))))

(defun source-file (name)
  "The file NAME, given from the lisp folder."
  (asdf:system-relative-pathname "pirn" name))
