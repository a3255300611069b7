;;;; Counts the words of real files, a thread for each file, while the event loop
;;;; shows how far they are.
;;;;
;;;; The files are those given after "--" on the command line, or the Lisp files
;;;; this library is made of. Each thread reads its file and sends its progress
;;;; to a scribe; the scribe merges what comes faster than it can tell, and the
;;;; loop asks it ten times a second.

(defpackage :word-counter (:use :cl))
(in-package :word-counter)

(defun files ()
  "The files to count."
  (or (mapcar #'pathname (rest (member "--" sb-ext:*posix-argv* :test #'string=)))
      (uiop:directory-files (asdf:system-source-directory "pirn") "*.lisp")))

(defun words-in (line)
  "How many words LINE has."
  (loop with inside = nil
        for char across line
        for letter = (or (alphanumericp char) (find char "-*+%'"))
        count (and letter (not inside))
        do (setf inside letter)))

(defun count-file (file scribe)
  "Count the words of FILE; tell SCRIBE every hundred lines how many there are so far."
  (with-open-file (stream file :external-format :utf-8)
    (loop for line = (read-line stream nil)
          for lines from 1
          while line
          sum (words-in line) into words
          when (zerop (mod lines 100))
            do (pirn:send-async scribe (list file words))
          finally (return words))))

(defun make-scribe ()
  "A thread that keeps the latest figure of each file and, asked with :TOTAL, gives their sum."
  (let ((figures (make-hash-table :test 'equal)))
    (pirn:make-thread "scribe"
                      (lambda (self)
                        (pirn:receive-loop-coalescing
                         self
                         ;; Of several figures for one file, the last one is enough.
                         (lambda (message) (and (consp message) (first message)))
                         nil
                         (lambda (message)
                           (if (eq message :total)
                               (loop for words being the hash-values of figures sum words)
                               (setf (gethash (first message) figures) (second message)))))))))

(defun count-words (files)
  "Count the words of FILES, with a line about the progress; the counts in the order of FILES."
  (let* ((scribe (pirn:start (make-scribe)))
         (counters (loop for file in files
                         collect (let ((file file))
                                   (pirn:make-thread nil
                                                     (lambda (self)
                                                       (declare (ignore self))
                                                       (count-file file scribe)))))))
    (pirn:with-event-loop ()
      (let ((progress nil))
        (setf progress
              (pirn:with-interval (1/10)
                (let ((done (count :dead counters :key #'pirn:thread-state)))
                  (format t "~c~d of ~d files counted, ~d words so far" #\Return
                          done (length files) (pirn:send-sync scribe :total))
                  (finish-output)
                  (when (= done (length files))
                    (terpri)
                    (pirn:remove-interval progress)))))
        (mapc #'pirn:start counters)))
    (prog1 (mapcar #'pirn:join counters)
      (pirn:stop scribe))))

(let* ((files (files))
       (counts (count-words files)))
  (loop for file in files
        for count in counts
        do (format t "~8d  ~a~%" count (file-namestring file)))
  (format t "~8d  words in all~%" (reduce #'+ counts)))
