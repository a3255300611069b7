;;;; Events, delays, intervals, notifiers, idlers.

(in-package :pirn-tests)

(suite events)

(test an-event-holds-the-loop-until-it-happened
  (let ((start (get-internal-real-time)))
    (is (equal '(:happened)
               (traced (note)
                 (in-loop ()
                   (let ((event (pirn:make-event (lambda () (note :happened)))))
                     (bt:make-thread (lambda ()
                                       (sleep 1/5)
                                       (pirn:add-event event :activate t))))))))
    (is (<= 19/100 (/ (- (get-internal-real-time) start) internal-time-units-per-second)))))

(test activated-twice-it-happens-once
  (is (equal '(1)
             (traced (note)
               (in-loop ()
                 (let ((event (pirn:make-event (lambda () (note 1)))))
                   (pirn:add-event event :activate t)
                   (pirn:add-event event :activate t)))))))

(test the-timeout-wins
  (is (equal '(:delay :event)
             (traced (note)
               (in-loop ()
                 (pirn:add-event (pirn:make-event (lambda () (note :event)))
                                 :timeout 1/10 :activate t)
                 (pirn:delay (lambda () (note :delay)) :time 1/50))))))

(test removed-it-does-not-hold-the-loop
  (is (= 1 (in-loop ()
             (is (eq t (pirn:remove-event (pirn:make-event (lambda ()))))))))
  (is (null (traced (note)
              (in-loop ()
                (let ((event (pirn:delay (lambda () (note :never)) :time 1/50)))
                  (is (eq t (pirn:remove-event event)))
                  (is (eq t (pirn:remove-event event)))
                  (pirn:delay nil :time 1/10)))))))

(test removed-and-added-again
  (dolist (how '((:activate t) (:timeout 1/100)))
    (is (equal '(:back)
               (traced (note)
                 (in-loop ()
                   (let ((event (pirn:make-event (lambda () (note :back)))))
                     (pirn:remove-event event)
                     (apply #'pirn:add-event event how)))))))
  ;; added without anything it holds the loop again
  (is (= 0 (in-loop ()
             (let ((event (pirn:make-event (lambda ()))))
               (pirn:remove-event event)
               (pirn:add-event event)
               (pirn:with-delay (1/20) (pirn:exit-event-loop)))))))

(test an-active-event-can-be-removed
  (is (equal '(1)
             (traced (note)
               (in-loop ()
                 (let ((event (pirn:make-event (lambda () (note 2)))))
                   (pirn:delay (lambda () (note 1) (pirn:remove-event event)))
                   (pirn:add-event event :activate t)))))))

(test an-active-event-can-be-freed
  (is (equal '(1)
             (traced (note)
               (in-loop ()
                 (let ((event (pirn:make-event (lambda () (note 2)))))
                   (pirn:delay (lambda () (note 1) (pirn:free-event event)))
                   (pirn:add-event event :activate t)))))))

(test freed-events-say-so
  (in-loop ()
    (let ((event (pirn:make-event (lambda ()))))
      (is (null (pirn:event-freed-p event)))
      (pirn:free-event event)
      (is (eq t (pirn:event-freed-p event)))
      (signals pirn:event-freed (pirn:add-event event :activate t))
      (signals pirn:event-freed (pirn:add-event event :timeout 1))
      (signals pirn:event-freed (pirn:remove-event event))
      (signals pirn:event-freed (pirn:free-event event))
      (signals pirn:event-freed (pirn:ref event))
      (signals pirn:event-error (pirn:unref event))
      (is (eq event (pirn:event-freed-event (condition-of (pirn:free-event event)))))
      (is (integerp (pirn:event-errcode (condition-of (pirn:free-event event)))))
      (is (stringp (princ-to-string (condition-of (pirn:free-event event))))))))

(test freed-after-the-callback-not-in-it
  (let ((event nil))
    (is (equal '(nil t)
               (traced (note)
                 (in-loop ()
                   (setf event (pirn:delay (lambda () (note (pirn:event-freed-p event)))
                                           :time 1/100))
                   (pirn:delay (lambda () (note (pirn:event-freed-p event))) :time 1/10))))))
  ;; also when it failed
  (let ((event nil))
    (is (equal '(t)
               (traced (note)
                 (in-loop (:catch-app-errors #'identity)
                   (setf event (pirn:delay (lambda () (error "boom")) :time 1/100))
                   (pirn:delay (lambda () (note (pirn:event-freed-p event))) :time 1/10)))))))

(test activating-itself-has-no-effect
  (is (equal '(1)
             (traced (note)
               (let ((event nil))
                 (in-loop ()
                   (setf event (pirn:make-event (lambda ()
                                                  (note 1)
                                                  (pirn:add-event event :activate t))))
                   (pirn:add-event event :activate t)))))))

(test late-calls-signal-event-freed
  (let ((event nil) (notifier nil))
    (in-loop ()
      (setf event (pirn:make-event (lambda ()))
            notifier (pirn:make-notifier (lambda ())))
      (pirn:exit-event-loop))
    (is (eq t (pirn:event-freed-p event)))
    (signals pirn:event-freed (pirn:add-event event :activate t))
    (signals pirn:event-freed (pirn:remove-event event))
    (signals pirn:notifier-freed (pirn:trigger-notifier notifier))
    (signals pirn:event-freed (pirn:free-notifier notifier))))

(test delays-in-order
  (is (equal '(:nil-1 :nil-2 :zero :soon :later)
             (traced (note)
               (in-loop ()
                 (pirn:delay (lambda () (note :later)) :time 1/10)
                 (pirn:delay (lambda () (note :soon)) :time 0.02)
                 (pirn:delay (lambda () (note :zero)) :time 0)
                 (pirn:delay (lambda () (note :nil-1)))
                 (pirn:delay (lambda () (note :nil-2))))))))

(test delays-from-another-thread
  (is (equal '(:delayed)
             (traced (note)
               (in-loop ()
                 (let ((base pirn:*event-base*)
                       (hold (pirn:make-event (lambda ()))))
                   (bt:make-thread
                    (lambda ()
                      (let ((pirn:*event-base* base))
                        (pirn:with-delay (1/20)
                          (note :delayed)
                          (pirn:free-event hold))))))))))
  (is (= 1 (in-loop ()
             (let ((base pirn:*event-base*))
               (pirn:delay nil :time 1/5)
               (bt:make-thread
                (lambda ()
                  (let ((pirn:*event-base* base))
                    (pirn:remove-event (pirn:make-event (lambda ())))))))))))

(test intervals
  (is (equal '(1 2 3)
             (traced (note)
               (let ((count 0) (interval nil))
                 (in-loop ()
                   (setf interval (pirn:with-interval (1/100)
                                    (note (incf count))
                                    (when (= count 3)
                                      (is (null (pirn:remove-interval interval)))
                                      (pirn:remove-interval interval)))))))))
  (is (= 1 (in-loop ()
             (let ((interval (pirn:interval (lambda ()) :time 1/100)))
               (pirn:delay interval :time 1/20))))))

(test intervals-survive-caught-errors
  (is (equal '(1 2 3)
             (traced (note)
               (let ((count 0) (interval nil))
                 (in-loop (:catch-app-errors #'identity)
                   (setf interval (pirn:with-interval (1/100)
                                    (note (incf count))
                                    (when (= count 3) (pirn:remove-interval interval))
                                    (error "boom")))))))))

(test intervals-need-no-loop-to-be-removed
  (let ((interval nil))
    (in-loop ()
      (setf interval (pirn:interval (lambda ()) :time 1/100))
      (pirn:exit-event-loop))
    (is (null (pirn:remove-interval interval)))))

(test unref-lets-the-loop-end
  (is (= 1 (in-loop () (pirn:unref (pirn:delay (lambda ()) :time 1000)))))
  (is (= 0 (in-loop ()
             (let ((event (pirn:delay (lambda ()) :time 1000)))
               (pirn:unref event)
               (pirn:ref event)
               (pirn:with-delay (1/20) (pirn:exit-event-loop)))))))

(test notifiers
  (is (equal '(:here)
             (traced (note)
               (in-loop ()
                 (let ((notifier (pirn:make-notifier (lambda () (note :here)))))
                   (bt:make-thread (lambda () (sleep 1/20) (pirn:trigger-notifier notifier))))))))
  (is (equal '(1 2 3 :freed)
             (traced (note)
               (let ((count 0) (notifier nil))
                 (in-loop ()
                   (setf notifier (pirn:make-notifier (lambda ()
                                                        (note (incf count))
                                                        (when (= count 3)
                                                          (pirn:free-notifier notifier)))
                                                      :single-shot nil))
                   (bt:make-thread (lambda ()
                                     (dotimes (i 3)
                                       (pirn:trigger-notifier notifier)
                                       (sleep 1/20)))))
                 (when (pirn:notifier-freed-p notifier) (note :freed)))))))

(test idlers
  (let ((count 0) (idler nil))
    (is (= 1 (in-loop ()
               (setf idler (pirn:idle (lambda ()
                                        (when (= (incf count) 100)
                                          (pirn:free-idler idler)))))
               (is (null (pirn:idler-freed-p idler))))))
    (is (= 100 count))
    (is (eq t (pirn:idler-freed-p idler)))
    (is (null (pirn:free-idler idler)))))

(test idlers-starve-nobody
  (is (= 1 (in-loop ()
             (let ((idler (pirn:idle (lambda ()))))
               (pirn:with-delay (1/20) (pirn:free-idler idler)))))))

(test ten-thousand-delays
  (let ((count 0))
    (in-loop ()
      (dotimes (i 10000)
        (pirn:delay (lambda () (incf count)) :time (if (oddp i) (/ i 1000000) nil))))
    (is (= 10000 count))))
