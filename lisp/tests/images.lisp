;;;; Saved images, and the search for the library. In processes of their own.

(in-package :pirn-tests)

(suite images)

(defun library-file ()
  "The library that is loaded."
  (merge-pathnames (cffi:foreign-library-pathname pirn::*library*)))

#+sbcl
(defun run-lisp (forms &key library (program "sbcl") arguments)
  "Run FORMS, a list, in another Lisp, with PIRN_LIBRARY set to LIBRARY; output and exit code."
  (uiop:with-temporary-file (:stream stream :pathname file :type "lisp" :direction :output)
    (with-standard-io-syntax
      (let ((*package* (find-package :keyword)))
        (dolist (form forms) (print form stream))))
    (close stream)
    (let* ((output (make-string-output-stream))
           (process (sb-ext:run-program
                     program
                     (append arguments (when forms `("--noinform" "--non-interactive" "--no-userinit"
                                                     "--load" ,(namestring file))))
                     :search t :output output :error output :input nil
                     :environment (append (when library
                                            (list (format nil "PIRN_LIBRARY=~a" (namestring library))))
                                          (remove "PIRN_LIBRARY=" (sb-ext:posix-environ)
                                                  :test (lambda (prefix string)
                                                          (eql (length prefix)
                                                               (mismatch prefix string))))))))
      (values (get-output-stream-string output) (sb-ext:process-exit-code process)))))

#+sbcl
(defun loading-forms ()
  `((require :asdf)
    (cl-user::eval-string ,(format nil "(asdf:load-asd ~s)" (namestring (source-file "pirn.asd"))))
    (cl-user::eval-string "(asdf:load-system \"pirn\")")))

#+sbcl
(defun lisp-forms (&rest strings)
  "Forms, given as text: their packages exist only in the other Lisp."
  (append '((defun cl-user::eval-string (cl-user::text) (eval (read-from-string cl-user::text))))
          (loading-forms)
          (loop for string in strings collect `(cl-user::eval-string ,string))))

#+sbcl
(test an-image-finds-the-library-where-it-moved
  (uiop:with-temporary-file (:pathname image :keep nil)
    (let* ((here (merge-pathnames "pirn-here.so" (uiop:temporary-directory)))
           (there (merge-pathnames "pirn-there.so" (uiop:temporary-directory))))
      (unwind-protect
           (progn
             (uiop:copy-file (library-file) here)
             (multiple-value-bind (output code)
                 (run-lisp (lisp-forms
                            ;; the pool has run: saving needs its threads gone
                            "(pirn:with-event-loop () (pirn:work (lambda () 1)))"
                            (format nil "(sb-ext:save-lisp-and-die ~s :executable t :toplevel
                                          (lambda ()
                                            (pirn:with-event-loop ()
                                              (pirn:with-delay (1/100) (format t \"alive~~%\"))
                                              (pirn-future:attach (pirn:work (lambda () 42))
                                                (lambda (x) (format t \"worked ~~d~~%\" x))))
                                            (let ((thread (pirn:start
                                                           (pirn:make-thread \"t\"
                                                             (lambda (self)
                                                               (pirn:receive-loop self #'1+))))))
                                              (format t \"answer ~~d~~%\" (pirn:send-sync thread 1))
                                              (pirn:stop thread)
                                              (pirn:join thread))
                                            (sb-ext:exit)))"
                                    (namestring image)))
                           :library here)
               (is (eql 0 code) "~a" output))
             (rename-file here there)
             (multiple-value-bind (output code)
                 (run-lisp '() :library there :program (namestring image))
               (is (eql 0 code) "~a" output)
               (is (search "alive" output) "~a" output)
               (is (search "worked 42" output) "~a" output)
               (is (search "answer 2" output) "~a" output)))
        (uiop:delete-file-if-exists here)
        (uiop:delete-file-if-exists there)))))

#+sbcl
(test pirn-library-is-final
  (multiple-value-bind (output code)
      (run-lisp (lisp-forms) :library "/nowhere/libpirn.so")
    (is (not (eql 0 code)))
    (is (search "/nowhere/libpirn.so" output))))

#+sbcl
(test exit-with-threads-about
  (multiple-value-bind (output code)
      (run-lisp (lisp-forms
                 "(dotimes (i 5)
                    (pirn:start (pirn:make-thread nil (lambda (self)
                                                        (pirn:receive-loop self #'identity)))))"
                 "(sb-thread:make-thread (lambda ()
                                           (pirn:with-event-loop () (pirn:make-event nil))))"
                 "(sleep 1/5)"
                 "(format t \"leaving~%\")"
                 "(sb-ext:exit :code 3 :timeout 5)"))
    (is (search "leaving" output) "~a" output)
    (is (eql 3 code))))
