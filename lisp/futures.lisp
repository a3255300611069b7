;;;; Futures: values that are still to come. Lisp only; a future is used by one
;;;; thread at a time. Callbacks run inside FINISH, synchronously.

(in-package :pirn-future)

(defclass future ()
  ((callbacks :initform '() :accessor callbacks)       ; in the order attached
   (errbacks :initform '() :accessor errbacks)         ; likewise
   (errors :initform '() :accessor errors)             ; signalled while nobody listened, in order
   (values :initform '() :accessor values-of)
   (finished :initform nil :accessor finished)
   (forward :initform nil :accessor forward)           ; the future that took this one's place
   (preserve-callbacks :initarg :preserve-callbacks :reader preserve-callbacks)
   (reattach-callbacks :initarg :reattach-callbacks :reader reattach-callbacks))
  (:documentation "Values that may come later, those who wait for them, and those who wait for errors."))

(defmethod print-object ((future future) stream)
  (print-unreadable-object (future stream :type t :identity t)
    (cond ((forward future) (write-string "forwarded" stream))
          ((finished future) (format stream "finished~{ ~s~}" (values-of future)))
          (t (format stream "~d callback~:p, ~d errback~:p"
                     (length (callbacks future)) (length (errbacks future)))))))

(defun make-future (&key preserve-callbacks (reattach-callbacks t))
  "A future that is still to be finished.
With PRESERVE-CALLBACKS its callbacks stay attached and run each time it is finished. Unless
REATTACH-CALLBACKS is NIL, being finished with a future means to end as that one does."
  (make-instance 'future :preserve-callbacks preserve-callbacks
                         :reattach-callbacks reattach-callbacks))

(defun futurep (object)
  "Whether OBJECT is a future."
  (typep object 'future))

(defun lookup-forwarded-future (future)
  "The future that FUTURE's callbacks really wait for: itself, unless it was finished with another one."
  (if (and (futurep future) (forward future))
      (lookup-forwarded-future (forward future))
      future))

(defun future-finished-p (future)
  "T when FUTURE, or the one it was finished with, has its values, else NIL."
  (finished (lookup-forwarded-future future)))

;;; Ending

(defun run-callbacks (future)
  "Call those who wait for the values of FUTURE, which is finished."
  ;; Detached before they run: a callback may attach further ones, which then run at once.
  (let ((callbacks (callbacks future)))
    (unless (preserve-callbacks future)
      (setf (callbacks future) '()))
    (dolist (callback callbacks)
      (apply callback (values-of future)))))

(defun run-errbacks (future)
  "Give the errors of FUTURE to those who wait for them, if there are any."
  (when (errbacks future)
    (let ((errors (shiftf (errors future) '()))
          (errbacks (errbacks future)))
      (dolist (condition errors)
        (dolist (errback errbacks)
          (funcall errback condition))))))

(defun forward-future (from to)
  "Let FROM end as TO does, and give what waits at FROM to TO."
  (when (eq from to)
    (error "~s can't be finished with itself." from))
  (setf (forward from) to
        (callbacks to) (append (callbacks to) (shiftf (callbacks from) '()))
        (errbacks to) (append (errbacks to) (shiftf (errbacks from) '()))
        (errors to) (append (errors to) (shiftf (errors from) '())))
  (run-errbacks to)
  (when (finished to)
    (run-callbacks to)))

(defun finish (future &rest values)
  "Finish FUTURE with VALUES: its callbacks are called with them. FUTURE.
If the first value is a future, FUTURE ends as that one does. To finish FUTURE again replaces the
values, but calls nobody, unless the future preserves its callbacks."
  (let ((value (first values)))
    (cond ((and (futurep value) (reattach-callbacks future))
           (forward-future future (lookup-forwarded-future value)))
          (t
           (setf (values-of future) values
                 (finished future) t)
           (run-callbacks future))))
  future)

(defun signal-error (future condition)
  "Give CONDITION to the errbacks of FUTURE; if it has none yet, it is kept for the first one."
  (when (member :future-debug *features*)
    (error condition))
  (let ((future (lookup-forwarded-future future)))
    (setf (errors future) (append (errors future) (list condition)))
    (run-errbacks future))
  nil)

(defun reset-future (future)
  "Make FUTURE as good as new: nobody waits for it, and it has neither values nor errors. FUTURE."
  (let ((future (lookup-forwarded-future future)))
    (setf (callbacks future) '()
          (errbacks future) '()
          (errors future) '()
          (values-of future) '()
          (finished future) nil))
  future)

;;; Attaching

(defun attach-errback (future errback)
  "Call ERRBACK with each condition that is signalled on FUTURE. Any other value than a future has none.
Returns FUTURE."
  (when (futurep future)
    (let ((target (lookup-forwarded-future future)))
      (unless (member errback (errbacks target))
        (setf (errbacks target) (append (errbacks target) (list errback)))
        (run-errbacks target))))
  future)

(defun guarded (function guard)
  "FUNCTION, called in GUARD if there is one."
  (if guard
      (lambda (&rest arguments)
        (funcall guard (lambda () (apply function arguments))))
      function))

(defun attach-callback (values callback guard)
  "Call CALLBACK, in GUARD, with VALUES, or, if the first is a future, with that one's values.
A future for what CALLBACK returns."
  (let* ((source (lookup-forwarded-future (first values)))
         (result (make-future))
         (callback (guarded callback guard))
         (run (lambda (&rest arguments)
                (multiple-value-call #'finish result (apply callback arguments)))))
    (cond ((not (futurep source))
           (apply run values))
          (t
           (when guard
             (attach-errback source (lambda (condition)
                                      (funcall guard (lambda () (error condition))))))
           (when (or (preserve-callbacks source) (not (finished source)))
             (setf (callbacks source) (append (callbacks source) (list run))))
           (when (finished source)
             (apply run (values-of source)))))
    result))

;;; FUTURE-HANDLER-CASE reaches the attachments in its lexical scope: each of them
;;; refers to the variable GUARD, which is NIL unless a FUTURE-HANDLER-CASE around
;;; it binds it to a function that calls another one with the handlers set up.
(define-symbol-macro guard nil)

(defmacro attach (future-form callback)
  "Call CALLBACK with the values of the future that FUTURE-FORM gives, once it has them, or at once with
the values of FUTURE-FORM if the first of them is no future. A future for the values of CALLBACK."
  `(attach-callback (multiple-value-list ,future-form) ,callback guard))

(defmacro future-handler-case (form &body clauses)
  "HANDLER-CASE for futures: CLAUSES handle the errors of FORM, those signalled on a future that an
ATTACH, ALET, ALET*, AIF, MULTIPLE-FUTURE-BIND or WAIT-FOR in the text of FORM waits for, and those
in their bodies, also when FORM has long been left. They don't reach into functions that FORM calls.
With :FUTURE-DEBUG among the features at compile time nothing is handled."
  (if (member :future-debug *features*)
      form
      (let ((handled (gensym "HANDLED"))
            (outer (gensym "OUTER")))
        `(let ((,outer guard))
           (flet ((,handled (function)
                    (handler-case (funcall function) ,@clauses)))
             (let ((guard (guarded-by #',handled ,outer)))
               (declare (ignorable guard))
               (,handled (lambda () ,form))))))))

(defun guarded-by (inner outer)
  "A guard that tries INNER first and OUTER with what comes out of that."
  (if outer
      (lambda (function)
        (funcall outer (lambda () (funcall inner function))))
      inner))

;;; Syntax

(defun name-ignored (variables)
  "VARIABLES with a new name for each NIL, and the list of those names."
  (loop for variable in variables
        for name = (or variable (gensym "IGNORED"))
        collect name into names
        unless variable collect name into ignored
        finally (return (values names ignored))))

(defun gather (count)
  "A future that is finished with COUNT values once all have come, and a function that, for a place
among them, gives a callback which takes the value for it."
  ;; A value may well be a future; it was asked for as a value.
  (let ((future (make-future :reattach-callbacks nil))
        (values (make-list count))
        (missing (loop for place below count collect place)))
    (when (zerop count) (finish future))
    (values future
            (lambda (place)
              (lambda (&optional value &rest others)
                (declare (ignore others))
                (setf (nth place values) value
                      missing (remove place missing))
                (unless missing
                  (apply #'finish future values)))))))

(defmacro alet (bindings &body body)
  "LET for futures: evaluate the forms in BINDINGS, and run BODY when all their futures have values, each
variable being bound to the first value. NIL for a variable ignores the value. A future for BODY's values."
  (let ((bindings (mapcar (lambda (binding) (if (listp binding) binding (list binding))) bindings))
        (future (gensym "FUTURE"))
        (taker (gensym "TAKER")))
    (multiple-value-bind (variables ignored) (name-ignored (mapcar #'first bindings))
      `(multiple-value-bind (,future ,taker) (gather ,(length bindings))
         (declare (ignorable ,taker))
         ,@(loop for (nil form) in bindings
                 for place from 0
                 collect `(attach ,form (funcall ,taker ,place)))
         (attach ,future
                 (lambda ,variables
                   (declare (ignore ,@ignored))
                   ,@body))))))

(defmacro alet* (bindings &body body)
  "LET* for futures: as ALET, but each form is evaluated when the variables before it are bound."
  (if (null bindings)
      `(attach (values) (lambda () ,@body))
      (destructuring-bind (binding . others) bindings
        (destructuring-bind (variable &optional form) (if (listp binding) binding (list binding))
          `(multiple-future-bind (,variable) ,form
             ,@(if others
                   `((alet* ,others ,@body))
                   body))))))

(defmacro aif (future-form then &optional else)
  "IF for futures: THEN or ELSE is evaluated, by the first value of the future. A future for its values."
  (let ((test (gensym "TEST")))
    `(multiple-future-bind (,test) ,future-form
       (if ,test ,then ,else))))

(defmacro multiple-future-bind (variables future-form &body body)
  "MULTIPLE-VALUE-BIND for futures. NIL for a variable ignores the value. A future for BODY's values."
  (multiple-value-bind (variables ignored) (name-ignored variables)
    (let ((values (gensym "VALUES")))
      `(attach ,future-form
               (lambda (&rest ,values)
                 (multiple-value-bind ,variables (values-list ,values)
                   (declare (ignore ,@ignored))
                   ,@body))))))

(defmacro wait-for (future-form &body body)
  "Run BODY when the future that FUTURE-FORM gives is finished, whatever its values. A future for BODY's."
  `(multiple-future-bind () ,future-form ,@body))

(defun walk (items visit)
  "Call VISIT with each of ITEMS in turn, waiting for the future it returns before the next.
A future, finished with NIL at the end; it gets the first error, and that ends the walk."
  (let ((done (make-future))
        (walking nil)
        (arrived t))
    (labels ((visit-next ()
               (handler-case
                   (let ((value (funcall visit (pop items))))
                     (attach-errback value #'fail)
                     (attach value #'arrive))
                 (error (condition) (fail condition))))
             (fail (condition)
               (signal-error done condition))
             (arrive (&rest values)
               (declare (ignore values))
               (setf arrived t)
               ;; A future that is finished already arrives inside VISIT-NEXT; the loop below
               ;; goes on then, and a long list needs no deep stack.
               (unless walking (go-on)))
             (go-on ()
               (setf walking t)
               (unwind-protect
                    (loop while (and arrived items)
                          do (setf arrived nil)
                             (visit-next))
                 (setf walking nil))
               (when arrived (finish done nil))))
      (go-on))
    done))

(defmacro adolist ((item items &optional future) &body body)
  "DOLIST for futures: BODY is run for the next item when the future it returned for this one is finished.
With FUTURE, a variable, BODY finds a future there and has to finish it itself. Returns a future that
is finished with NIL at the end."
  `(walk ,items
         (lambda (,item)
           ,@(if future
                 `((let ((,future (make-future)))
                     (attach-callback '() (lambda () ,@body) nil)
                     ,future))
                 body))))
