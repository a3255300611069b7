;;;; Finding libpirn, loading it, and finding it again when an image starts.

(in-package :pirn)

(defconstant +abi-version+ 1
  "The version of the C interface that this system was written for.")

(defparameter *library-names*
  #+darwin '("libpirn.0.1.dylib" "libpirn.dylib")
  #-darwin '("libpirn.so.0.1" "libpirn.so")
  "What the system's loader is asked for, the versioned name first.")

(defparameter *build-directory*
  (asdf:system-relative-pathname "pirn" "../target/release/")
  "Where cargo leaves the library of the source tree this system was loaded from.")

(defvar *library* nil
  "The loaded library.")

(defun library-candidates ()
  "Where to look for the library, in order."
  (let ((named (uiop:getenvp "PIRN_LIBRARY"))
        (built (merge-pathnames (first (last *library-names*)) *build-directory*)))
    (cond (named (list (uiop:parse-native-namestring named)))
          ((probe-file built) (list* built *library-names*))
          (t *library-names*))))

(defun load-library ()
  "Load the first library that can be loaded; what PIRN_LIBRARY names is the only one tried."
  (let ((reasons '()))
    (dolist (candidate (library-candidates))
      (handler-case
          (return-from load-library
            (setf *library* (cffi:load-foreign-library candidate)))
        (cffi:load-foreign-library-error (condition)
          (push (format nil "~a: ~a" candidate condition) reasons))))
    (error 'library-not-found
           :text (format nil "libpirn could not be loaded.~{~%  ~a~}" (reverse reasons)))))

(defun check-abi-version ()
  "Refuse a library whose interface is not the one described in ffi.lisp."
  (let ((version (cffi:foreign-funcall "pirn_abi_version" :int)))
    (unless (= version +abi-version+)
      (error 'library-not-found
             :text (format nil "~a has ABI version ~d, ~d is needed."
                           (cffi:foreign-library-pathname *library*) version +abi-version+)))))

(defun open-library ()
  "Load the library and make sure that it is the right one."
  (load-library)
  (check-abi-version))

(defun close-library ()
  "Let go of the library, so that a saved image doesn't look for it in its old place."
  (when *library*
    (cffi:close-foreign-library *library*)
    (setf *library* nil)))

(defvar *before-save* '()
  "Functions to call before the library is closed for an image: they end what runs in it.")

(defun prepare-image ()
  "Make this Lisp ready to be saved."
  (mapc #'funcall *before-save*)
  (close-library))

(open-library)
(around-images 'prepare-image 'open-library)
