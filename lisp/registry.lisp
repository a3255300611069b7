;;;; Integers that stand for Lisp objects while C holds them.
;;;;
;;;; C can't hold a Lisp object: the collector moves it. It holds an id. An id
;;;; is a place in a vector, in its low bits, under a serial number, so that
;;;; finding is one access and one comparison, and an id is never used again.

(in-package :pirn)

(eval-when (:compile-toplevel :load-toplevel :execute)
  (defconstant +place-bits+ 24
    "How many low bits of an id are the place: 16 million objects at a time."))

(deftype id () '(unsigned-byte 62))
(deftype place () '(unsigned-byte #.+place-bits+))

(defstruct (registry (:copier nil) (:predicate nil))
  "Objects under ids. Its owner's lock guards it."
  (objects (make-array 16 :initial-element nil) :type simple-vector)
  ;; The ids of the objects; in a free place, the next free place or nil.
  (ids (make-array 16 :initial-element nil) :type simple-vector)
  (free nil :type (or null place))
  (fill 0 :type place)
  (serial 0 :type (unsigned-byte #.(- 62 +place-bits+))))

(declaim (inline place-of registered))
(defun place-of (id)
  (declare (type id id))
  (ldb (byte +place-bits+ 0) id))

(defun free-place (registry)
  "A place of REGISTRY that nothing has."
  (declare (optimize speed))
  (with-accessors ((objects registry-objects) (ids registry-ids)
                   (free registry-free) (fill registry-fill))
      registry
    (cond (free
           (shiftf free (svref ids free)))
          (t
           (when (= fill (length objects))
             (flet ((grow (vector) (replace (make-array (* 2 fill) :initial-element nil) vector)))
               (setf objects (grow objects)
                     ids (grow ids))))
           (1- (incf fill))))))

(defun register (registry object)
  "Keep OBJECT in REGISTRY; its id."
  (declare (optimize speed))
  (let* ((place (the place (free-place registry)))
         (id (logior (ash (incf (registry-serial registry)) +place-bits+) place)))
    (setf (svref (registry-objects registry) place) object
          (svref (registry-ids registry) place) id)))

(defun registered (registry id)
  "The object with ID, or nil."
  (declare (type id id))
  (let ((place (place-of id)))
    (when (and (< place (registry-fill registry))
               (eql id (svref (registry-ids registry) place)))
      (svref (registry-objects registry) place))))

(defun unregister (registry id)
  "Forget the object with ID; the object, or nil when there was none."
  (declare (type id id) (optimize speed))
  (let ((object (registered registry id))
        (place (place-of id)))
    (when object
      (setf (svref (registry-objects registry) place) nil
            (svref (registry-ids registry) place) (registry-free registry)
            (registry-free registry) place)
      object)))
