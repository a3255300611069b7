;;;; Jobs.

(in-package :pirn-tests)

(suite work)

(test a-job-s-values-come-back
  (is (equal '((1 2 3))
             (traced (note)
               (in-loop ()
                 (pirn-future:attach (pirn:work (lambda () (values 1 2 3)))
                                     (lambda (&rest values) (note values))))))))

(test jobs-run-elsewhere-and-finish-here
  (let ((here (bt:current-thread)))
    (is (equal '(:elsewhere :here)
               (traced (note)
                 (in-loop ()
                   (pirn-future:attach
                    (pirn:work (lambda ()
                                 (unless (eq here (bt:current-thread)) (note :elsewhere))))
                    (lambda (value)
                      (declare (ignore value))
                      (when (eq here (bt:current-thread)) (note :here))))))))))

(test a-job-s-condition-comes-back
  (let ((condition (make-condition 'simple-error :format-control "boom")))
    (is (equal (list condition)
               (traced (note)
                 (in-loop ()
                   (pirn-future:attach-errback (pirn:work (lambda () (error condition)))
                                               #'note)))))))

(test a-job-may-exhaust-its-stack
  (labels ((deep (n) (1+ (deep (1+ n)))))
    (is (typep (first (traced (note)
                        (in-loop ()
                          (pirn-future:attach-errback (pirn:work (lambda () (deep 0))) #'note))))
               'storage-condition))))

(test jobs-run-side-by-side
  (let ((start (get-internal-real-time)))
    (in-loop ()
      (dotimes (i 4) (pirn:work (lambda () (sleep 1/2)))))
    (is (< (- (get-internal-real-time) start) (* 1.8 internal-time-units-per-second)))))

(test many-jobs
  (let ((sum 0))
    (in-loop ()
      (dotimes (i 1000)
        (let ((i i))
          (pirn-future:attach (pirn:work (lambda () i)) (lambda (x) (incf sum x))))))
    (is (= 499500 sum))))

(test work-needs-a-loop
  (signals pirn:pirn-error (pirn:work (lambda ()))))

(test the-result-is-dropped-when-the-loop-is-gone
  (let ((finished nil))
    (in-loop ()
      (pirn-future:attach (pirn:work (lambda () (sleep 1/10) 1)) (lambda (x) (setf finished x)))
      (pirn:exit-event-loop))
    (sleep 1/5)
    (is (null finished))))

(test the-pool-restarts-on-demand
  (within (20) (pirn::end-pool))
  (is (equal '(1) (traced (note) (in-loop () (pirn-future:attach (pirn:work (lambda () 1)) #'note))))))
