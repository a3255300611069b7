;;;; What differs between implementations, and nothing else.

(in-package :pirn)

;;; An asynchronous unwind (THROW from an interruption, a timeout, EXIT) may
;;; strike between any two instructions. Whatever must happen as one step is
;;; therefore done UNINTERRUPTIBLY; the places where the library sleeps or runs
;;; the user's code are opened again, lexically, with INTERRUPTIBLY. The latter
;;; restores what held outside: it opens nothing that the caller had closed.

(defmacro uninterruptibly (&body body)
  "Run BODY with asynchronous interruptions put off."
  #+sbcl `(sb-sys:without-interrupts ,@body)
  #+ecl `(mp:without-interrupts ,@body)
  #-(or sbcl ecl) `(progn ,@body))

(defmacro interruptibly (&body body)
  "Inside UNINTERRUPTIBLY: run BODY with interruptions as they were outside."
  #+sbcl `(sb-sys:with-local-interrupts ,@body)
  #+ecl `(mp:with-restored-interrupts ,@body)
  #-(or sbcl ecl) `(progn ,@body))

(defun acquire (lock)
  "Acquire LOCK. Who holds it is about to let go of it, so it is tried a few times before we sleep."
  (loop repeat 100
        thereis (bt:acquire-lock lock nil)
        finally (return (bt:acquire-lock lock))))

(defmacro with-lock ((lock) &body body)
  "Run BODY, which must be short and must not wait, holding LOCK.
Interruptions are put off, or one of them could ask for the lock it stands on."
  ;; BT:WITH-LOCK-HELD would do its own, dearer, juggling with interruptions.
  (let ((held (gensym "LOCK")))
    `(let ((,held ,lock))
       (uninterruptibly
         (acquire ,held)
         (unwind-protect (progn ,@body)
           (bt:release-lock ,held))))))

(defun renew-stack-guard ()
  "To be called when the stack was exhausted and has been unwound.
SBCL then leaves its guard page open, and another one, above it, closed, until the stack next grows so far.
If the thread ends before, the thread that gets its stack next dies there, and SBCL with it."
  #+sbcl
  (let* ((page (sb-alien:extern-alien "os_vm_page_size" sb-alien:int))
         (start (sb-sys:sap-int (sb-vm::current-thread-offset-sap
                                 sb-vm::thread-control-stack-start-slot)))
         ;; Below it are a hard guard page, the guard page, and half of the other one.
         (depth (+ start (floor (* 5 page) 2))))
    (labels ((descend ()
               (let ((frame (make-array 256 :element-type '(unsigned-byte 64))))
                 (declare (dynamic-extent frame))
                 (when (> (sb-sys:sap-int (sb-vm::current-sp)) depth)
                   (descend))
                 (aref frame 0))))
      (descend))))

(defun make-weak-table ()
  "A table that forgets its keys, which must be compared by EQ."
  (make-hash-table :test 'eq #+(or sbcl ecl) :weakness #+(or sbcl ecl) :key))

(defun stream-descriptor (stream)
  "The file descriptor under the file stream STREAM."
  #+sbcl (sb-sys:fd-stream-fd stream)
  #+ecl (ext:file-stream-fd stream)
  #-(or sbcl ecl) (error "No file descriptor of ~s is known here." stream))

(defun around-images (save start)
  "Call SAVE before an image of this Lisp is saved and START when one wakes up."
  #+sbcl (setf sb-ext:*save-hooks* (adjoin save sb-ext:*save-hooks*)
               sb-ext:*init-hooks* (adjoin start sb-ext:*init-hooks*))
  #-sbcl (list save start))
