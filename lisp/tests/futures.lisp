;;;; Futures.

(in-package :pirn-tests)

(suite futures)

;;; The package of a program that uses futures the way cl-async's docs do.
(defpackage :pirn-futures-user
  (:use :cl :fiveam :cl-async-future)
  (:import-from :pirn-tests #:traced #:condition-of #:in-loop #:futures))

(in-package :pirn-futures-user)

(in-suite futures)

(defun later (value &optional (time 1/100))
  "A future for VALUE, in TIME."
  (let ((future (make-future)))
    (as:delay (lambda () (finish future value)) :time time)
    future))

(test futures-and-others
  (is (futurep (make-future)))
  (is (not (futurep 3)))
  (is (not (futurep nil))))

(test finish-calls-in-order-with-all-values
  (let ((future (make-future)))
    (is (equal '((:a 1 2) (:b 1 2) :finished)
               (traced (note)
                 (attach future (lambda (x y) (note (list :a x y))))
                 (attach future (lambda (x y) (note (list :b x y))))
                 (is (not (future-finished-p future)))
                 (is (eq future (finish future 1 2)))
                 (note :finished))))
    (is-true (future-finished-p future))))

(test attaching-to-a-value-calls-at-once
  (is (equal '(5 (1 2))
             (traced (note)
               (attach 5 #'note)
               (attach (values 1 2) (lambda (a b) (note (list a b))))))))

(test attaching-late-calls-at-once
  (let ((future (make-future)))
    (finish future 5)
    (is (equal '(5 5)
               (traced (note)
                 (attach future #'note)
                 (attach future #'note))))))

(test attach-returns-a-future-for-the-callback
  (let ((future (make-future)))
    (is (equal '(15)
               (traced (note)
                 (attach (attach (attach future (lambda (x) (+ x 2)))
                                 (lambda (x) (* x 5)))
                         #'note)
                 (finish future 1))))))

(test the-documented-chain
  (flet ((future-calc (x)
           (later (+ x 1))))
    (is (equal '(15)
               (traced (note)
                 (in-loop ()
                   (attach (attach (future-calc 0)
                                   (lambda (x)
                                     (attach (future-calc x)
                                             (lambda (x)
                                               (attach (future-calc x)
                                                       (lambda (x) (* x 5)))))))
                           #'note)))))))

(test forwarding
  (let ((a (make-future)) (b (make-future)) (c (make-future)))
    (is (equal '(:done)
               (traced (note)
                 (attach a #'note)
                 (finish a b)
                 (finish b c)
                 (is (eq c (lookup-forwarded-future a)))
                 (is (not (future-finished-p a)))
                 (finish c :done))))
    (is-true (future-finished-p a))
    (is (equal '(:done) (traced (note) (attach a #'note)))))
  (let ((a (make-future :reattach-callbacks nil)) (b (make-future)))
    (is (equal (list b) (traced (note) (attach a #'note) (finish a b))))))

(test errors-stored-before-forwarding-follow
  (let ((a (make-future)) (b (make-future)))
    (is (equal '("early" "late")
               (traced (note)
                 (signal-error a (make-condition 'simple-error :format-control "early"))
                 (finish a b)
                 (attach-errback b (lambda (e) (note (princ-to-string e))))
                 (signal-error a (make-condition 'simple-error :format-control "late")))))))

(test a-future-finished-with-itself-is-an-error
  (let ((future (make-future)))
    (signals error (finish future future)))
  (let ((a (make-future)) (b (make-future)))
    (finish a b)
    (signals error (finish b a))))

(test errbacks-get-stored-errors-in-order
  (let ((future (make-future)))
    (is (equal '(1 2 3 3)
               (traced (note)
                 (flet ((one (x) (note x)))
                   (signal-error future 1)
                   (signal-error future 2)
                   (is (eq future (attach-errback future #'one)))
                   (attach-errback future (lambda (x) (note x)))
                   (signal-error future 3)))))))

(test finishing-again-runs-nothing
  (let ((future (make-future)))
    (is (equal '(1 2)
               (traced (note)
                 (attach future #'note)
                 (finish future 1)
                 (finish future 2)
                 (attach future #'note)))))
  (let ((future (make-future :preserve-callbacks t)))
    (is (equal '(1 2)
               (traced (note)
                 (attach future #'note)
                 (finish future 1)
                 (finish future 2))))))

(test attaching-inside-its-own-callback
  (dolist (preserve '(nil t))
    (let ((future (make-future :preserve-callbacks preserve)))
      (is (equal '(:outer :inner)
                 (traced (note)
                   (attach future (lambda (x)
                                    (declare (ignore x))
                                    (note :outer)
                                    (attach future (lambda (x)
                                                     (declare (ignore x))
                                                     (note :inner)))))
                   (finish future 1)))))))

(test resetting
  (let ((future (make-future)))
    (is (equal '(:second)
               (traced (note)
                 (attach future (lambda (x) (declare (ignore x)) (note :first)))
                 (is (eq future (reset-future future)))
                 (attach future (lambda (x) (declare (ignore x)) (note :second)))
                 (finish future 1))))))

(test alet-binds-in-parallel
  (is (equal '(:started-x :started-y 3)
             (traced (note)
               (in-loop ()
                 (alet ((x (progn (note :started-x) (later 1 1/20)))
                        (y (progn (note :started-y) (later 2))))
                   (note (+ x y))))))))

(test alet-details
  (is (equal '(:body) (traced (note) (alet () (note :body)))))
  (is (equal '(6) (traced (note)
                    (let ((f (make-future)))
                      (alet ((a f) (b f)) (note (+ a b)))
                      (finish f 3)))))
  (is (equal '((1 nil)) (traced (note) (alet ((x 1) (nil 2) (y (values))) (note (list x y))))))
  (is (equal '(3) (traced (note)
                    (attach (alet ((x 1) (y 2))
                              (declare (type fixnum x y))
                              (+ x y))
                            #'note))))
  (is (equal '(1) (traced (note) (alet ((x (values 1 2))) (note x))))))

(test alet*-binds-in-sequence
  (is (equal '(:x :y 3)
             (traced (note)
               (in-loop ()
                 (alet* ((x (progn (note :x) (later 1 1/20)))
                         (y (progn (note :y) (later (+ x 1))))
                         (nil (later 0)))
                   (declare (type fixnum y))
                   (note (+ x y)))))))
  (is (equal '(:body) (traced (note) (attach (alet* () :body) #'note)))))

(test conditionals
  (is (equal '(:yes :no)
             (traced (note)
               (in-loop ()
                 (alet* ((nil (aif (later t) (note :yes) (note :no))))
                   (aif (later nil) (note :yes) (note :no))))))))

(test multiple-values
  (is (equal '((1 2 nil) (1 3))
             (traced (note)
               (multiple-future-bind (a b c) (finish (make-future) 1 2) (note (list a b c)))
               (multiple-future-bind (a nil c) (values 1 2 3) (note (list a c)))))))

(test waiting
  (is (equal '(:done)
             (traced (note)
               (in-loop ()
                 (wait-for (later 3) (note :done)))))))

(test adolist-in-sequence
  (is (equal '(1 nil 2 :end)
             (traced (note)
               (in-loop ()
                 (wait-for (adolist (x '(1 nil 2))
                             (note x)
                             (later x))
                   (note :end))))))
  (is (equal '(1 2 :end)
             (traced (note)
               (in-loop ()
                 (wait-for (adolist (x '(1 2) future)
                             (note x)
                             (wait-for (later x) (finish future)))
                   (note :end))))))
  (is (equal '(:end) (traced (note) (wait-for (adolist (x '()) (note x)) (note :end))))))

(test adolist-of-a-long-list
  (let ((count 0))
    (adolist (x (loop repeat 100000 collect 1)) (incf count x))
    (is (= 100000 count))))

(test adolist-and-errors
  (is (equal '(1 "boom")
             (traced (note)
               (attach-errback (adolist (x '(1 2))
                                 (note x)
                                 (error "boom"))
                               (lambda (e) (note (princ-to-string e))))))))

(test future-handler-case-synchronous
  (is (equal '("boom")
             (traced (note)
               (future-handler-case (error "boom")
                 (error (e) (note (princ-to-string e)))))))
  (is (eql 5 (future-handler-case 5 (error () 6)))))

(test future-handler-case-in-a-body
  (is (equal '("late")
             (traced (note)
               (in-loop ()
                 (future-handler-case
                     (alet ((x (later 1)))
                       (error "late~*" x))
                   (error (e) (note (princ-to-string e)))))))))

(test future-handler-case-on-a-future
  (let ((future (make-future)))
    (is (equal '("signalled")
               (traced (note)
                 (future-handler-case
                     (wait-for future (note :never))
                   (t (e) (note (princ-to-string e))))
                 (signal-error future (make-condition 'simple-error
                                                      :format-control "signalled")))))))

(test nested-handlers
  (dolist (case '((type-error :inner) (simple-error :outer)))
    (destructuring-bind (type expected) case
      (is (equal (list expected)
                 (traced (note)
                   (let ((a (make-future)) (b (make-future)))
                     (future-handler-case
                         (alet ((x a))
                           (future-handler-case
                               (alet ((y b))
                                 (note (list x y)))
                             (type-error () (note :inner))))
                       (error () (note :outer)))
                     (finish a 1)
                     (signal-error b (if (eq type 'type-error)
                                         (make-condition 'type-error :datum 1 :expected-type 'list)
                                         (make-condition 'simple-error :format-control "x"))))))))))

(test the-handler-s-value-is-the-callback-s
  (is (equal '(:handled)
             (traced (note)
               (let ((future (make-future)))
                 (attach (future-handler-case
                             (attach future (lambda (x) (error "~a" x)))
                           (error () :handled))
                         #'note)
                 (finish future 1))))))

(test handlers-do-not-reach-into-functions
  (let ((future (make-future)))
    (flet ((elsewhere () (attach future (lambda (x) (error "unreached ~a" x)))))
      (future-handler-case (elsewhere) (error () nil))
      (signals error (finish future 1)))))
