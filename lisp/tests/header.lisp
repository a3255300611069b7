;;;; ffi.lisp against the headers, and the docstrings.

(in-package :pirn-tests)

(suite header)

(defun without-comments (text)
  "The C source TEXT with a blank for each comment."
  (with-output-to-string (out)
    (loop with place = 0
          for slash = (position #\/ text :start place)
          for kind = (and slash (< (1+ slash) (length text)) (char text (1+ slash)))
          while slash
          do (write-string text out :start place :end slash)
             (setf place
                   (case kind
                     (#\/ (or (position #\Newline text :start slash) (length text)))
                     (#\* (+ 2 (search "*/" text :start2 (+ slash 2))))
                     (t (1+ slash))))
             (write-char #\Space out)
          finally (write-string text out :start place))))

(defun header-text ()
  "All headers, without comments."
  (format nil "~{~a~%~}"
          (mapcar (lambda (file) (without-comments (uiop:read-file-string file)))
                  (append (directory (source-file "../include/pirn.h"))
                          (uiop:directory-files (source-file "../include/pirn/") "*.h")))))

(defun word-char-p (char)
  (or (alphanumericp char) (char= char #\_)))

(defun find-word (word text &optional (start 0))
  "Where WORD stands in TEXT as a whole word."
  (loop for place = (search word text :start2 start)
        while place
        do (let ((after (+ place (length word))))
             (when (and (or (zerop place) (not (word-char-p (char text (1- place)))))
                        (or (= after (length text)) (not (word-char-p (char text after)))))
               (return place))
             (setf start after))))

(defun declared-arguments (name text)
  "How many arguments the function NAME has in TEXT, or nil if it isn't declared there."
  (loop for place = (find-word name text) then (find-word name text (1+ place))
        while place
        do (let ((open (position-if-not (lambda (char) (find char '(#\Space #\Newline)))
                                        text :start (+ place (length name)))))
             (when (and open (char= #\( (char text open)))
               (let* ((depth 0)
                      (commas 0)
                      (close (loop for i from open below (length text)
                                   do (case (char text i)
                                        (#\( (incf depth))
                                        (#\) (when (zerop (decf depth)) (return i)))
                                        (#\, (when (= depth 1) (incf commas))))))
                      (inside (string-trim '(#\Space #\Newline) (subseq text (1+ open) close))))
                 (return (if (member inside '("" "void") :test #'string=)
                             0
                             (1+ commas))))))))

(defun declared-value (name text)
  "The value that TEXT gives the constant NAME, by #define or in an enum."
  (loop for place = (find-word name text) then (find-word name text (1+ place))
        while place
        do (let* ((end (or (position #\Newline text :start place) (length text)))
                  (rest (string-left-trim " =(" (subseq text (+ place (length name)) end)))
                  (rest (let ((cast (search ")" rest)))
                          ;; ((type)value)
                          (if (and cast (plusp (length rest)) (alpha-char-p (char rest 0)))
                              (string-left-trim " (" (subseq rest (1+ cast)))
                              rest)))
                  (hex (and (> (length rest) 2) (string= "0x" rest :end2 2)))
                  (value (ignore-errors
                          (if hex
                              (parse-integer rest :start 2 :radix 16 :junk-allowed t)
                              (parse-integer rest :junk-allowed t)))))
             (when value (return value)))))

(test functions-are-as-in-the-header
  (let ((text (header-text)))
    (loop for (name arguments) in pirn-c::*functions*
          do (is (eql arguments (declared-arguments name text))
                 "~a has ~d arguments in Lisp, ~a in the header"
                 name arguments (declared-arguments name text)))))

(test constants-are-as-in-the-header
  (let ((text (header-text)))
    (loop for (name value) in pirn-c::*constants*
          do (is (eql value (declared-value name text))
                 "~a is ~d in Lisp, ~a in the header" name value (declared-value name text)))))

(test structures-are-as-in-the-contract
  (is (= 32 (cffi:foreign-type-size '(:struct pirn-c:value))))
  (is (= 32 (cffi:foreign-type-size '(:struct pirn-c:ready))))
  (is (= 88 (cffi:foreign-type-size '(:struct pirn-c:loop-stats)))))

(defun documented-p (symbol)
  "Whether everything that SYMBOL names has a docstring."
  (and (or (not (fboundp symbol))
           (documentation symbol 'function)
           ;; the reader of a condition's slot, or the like
           (documentation symbol 'type))
       (or (not (boundp symbol))
           (documentation symbol 'variable))
       (or (not (find-class symbol nil))
           (documentation symbol 'type)
           (documentation (find-class symbol) t))
       (or (fboundp symbol) (boundp symbol) (find-class symbol nil)
           ;; the restarts
           (member symbol '(pirn:continue-event-loop pirn:abort-callback)))))

(test every-exported-symbol-has-a-docstring
  (dolist (package '(:pirn :pirn-future :cl-async :cl-async-base :cl-async-future))
    (do-external-symbols (symbol package)
      (is (documented-p symbol) "~a has no docstring" symbol)))
  (dolist (package '(:pirn-c :pirn :pirn-future :cl-async :cl-async-base :cl-async-future))
    (is (documentation (find-package package) t))))

(test times-are-exact-and-never-early
  (is (= 0 (pirn::nanoseconds 0) (pirn::nanoseconds -1) (pirn::nanoseconds -1/1000000000000)))
  (is (= 3000000000 (pirn::nanoseconds 3) (pirn::nanoseconds 3.0) (pirn::nanoseconds 3d0)))
  (is (= 1 (pirn::nanoseconds 1/1000000000) (pirn::nanoseconds 1/3000000000)))
  (is (= (1- (expt 2 63)) (pirn::nanoseconds (expt 10 30)))))

(test ids-find-their-objects-and-are-not-used-again
  (let* ((registry (pirn::make-registry))
         (objects (loop repeat 100 collect (list nil)))
         (ids (loop for object in objects collect (pirn::register registry object))))
    (is (equal objects (loop for id in ids collect (pirn::registered registry id))))
    (loop for id in ids do (pirn::unregister registry id))
    (is (null (remove nil (loop for id in ids collect (pirn::registered registry id)))))
    (is (null (pirn::unregister registry (first ids))))
    (let ((again (loop for object in objects collect (pirn::register registry object))))
      (is (null (intersection ids again)))
      ;; the places are used again
      (is (= 100 (pirn::registry-fill registry))))))
