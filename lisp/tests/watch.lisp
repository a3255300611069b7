;;;; File descriptors.

(in-package :pirn-tests)

(suite watch)

(defmacro with-pipe ((in out) &body body)
  "Run BODY with the two descriptors of a pipe."
  `(cffi:with-foreign-object (ends :int 2)
     (assert (zerop (cffi:foreign-funcall "pipe" :pointer ends :int)))
     (let ((,in (cffi:mem-aref ends :int 0))
           (,out (cffi:mem-aref ends :int 1)))
       (unwind-protect (progn ,@body)
         (close-descriptor ,in)
         (close-descriptor ,out)))))

(defun close-descriptor (fd)
  (cffi:foreign-funcall "close" :int fd :int))

(defun write-text (fd text)
  (cffi:with-foreign-string ((buffer size) text :null-terminated-p nil)
    (cffi:foreign-funcall "write" :int fd :pointer buffer :size size :ssize)))

(defun read-text (fd)
  (cffi:with-foreign-pointer (buffer 100)
    (let ((size (cffi:foreign-funcall "read" :int fd :pointer buffer :size 100 :ssize)))
      (if (plusp size)
          (cffi:foreign-string-to-lisp buffer :count size)
          nil))))

(test watching-for-input
  (with-pipe (in out)
    (is (equal '("one" "two" nil)
               (traced (note)
                 (in-loop ()
                   (let ((watch nil) (first t))
                     (setf watch
                           (pirn:watch-fd in :read-cb
                                          (lambda ()
                                            (let ((text (read-text in)))
                                              (note text)
                                              (cond ((null text) (pirn:free-event watch))
                                                    (first
                                                     (setf first nil)
                                                     (write-text out "two"))
                                                    ;; end of file is something to read
                                                    (t (close-descriptor out)))))))
                     (pirn:with-delay (1/50) (write-text out "one")))))))))

(test watching-for-output
  (with-pipe (in out)
    (is (equal '(:writable)
               (traced (note)
                 (in-loop ()
                   (let ((watch nil))
                     (setf watch (pirn:watch-fd out :write-cb (lambda ()
                                                                (note :writable)
                                                                (pirn:free-event watch)))))))))))

(test a-watch-s-timeout-repeats
  (with-pipe (in out)
    (is (equal '(:timeout :timeout :read :timeout)
               (traced (note)
                 (in-loop ()
                   (let ((watch nil) (count 0))
                     (setf watch (pirn:watch-fd in
                                                :timeout 1/20
                                                :read-cb (lambda () (read-text in) (note :read))
                                                :timeout-cb (lambda ()
                                                              (note :timeout)
                                                              (case (incf count)
                                                                (2 (write-text out "x"))
                                                                (3 (pirn:free-event watch)))))))))))))

(test a-watch-may-have-a-timeout-only
  (with-pipe (in out)
    (is (equal '(1 2)
               (traced (note)
                 (in-loop ()
                   (let ((watch nil) (count 0))
                     (setf watch (pirn:watch-fd in :timeout 1/50
                                                   :timeout-cb (lambda ()
                                                                 (note (incf count))
                                                                 (when (= count 2)
                                                                   (pirn:free-event watch))))))))))))

(test errors-in-a-watch-go-to-its-event-callback
  (with-pipe (in out)
    (is (equal '("boom")
               (traced (note)
                 (in-loop (:catch-app-errors t)
                   (let ((watch nil))
                     (setf watch (pirn:watch-fd out :write-cb (lambda () (error "boom"))
                                                    :event-cb (lambda (e)
                                                                (note (princ-to-string e))
                                                                (pirn:free-event watch)))))))))))

(test pollers
  (with-pipe (in out)
    (is (equal '((:readable) (:writable) t)
               (traced (note)
                 (let ((reader nil) (writer nil))
                   (in-loop ()
                     (setf reader (pirn:poll in (lambda (what)
                                                  (note what)
                                                  (read-text in)
                                                  (pirn:free-poller reader)
                                                  (setf writer
                                                        (pirn:poll out (lambda (what)
                                                                         (note what)
                                                                         (pirn:free-poller writer))
                                                                   :poll-for '(:writable)
                                                                   :socket t)))
                                             :poll-for '(:readable)))
                     (write-text out "x"))
                   (note (pirn:poller-freed-p reader))
                   (pirn:free-poller reader)))))))

(test a-plain-file-cannot-be-watched
  (with-open-file (stream (source-file "pirn.asd"))
    (in-loop ()
      (signals pirn:pirn-error
        (pirn:watch-fd (pirn::stream-descriptor stream) :read-cb #'list)))))

(test a-closed-descriptor-cannot-be-watched
  (in-loop ()
    (signals pirn:pirn-error (pirn:watch-fd 999 :read-cb #'list))
    (signals pirn:pirn-error (pirn:watch-fd -1 :read-cb #'list))))
