;;;; An echo server on one event loop: it watches its listening socket and those
;;;; of its clients, who are ordinary threads with ordinary blocking sockets.

(require :sb-bsd-sockets)

(defpackage :echo-server (:use :cl))
(in-package :echo-server)

(defvar *clients* 2
  "How many clients there will be; when they have gone, the server closes.")

(defun echo (socket done)
  "Watch SOCKET and send back what comes, until its end; then call DONE."
  (let ((buffer (make-array 512 :element-type '(unsigned-byte 8)))
        (watch nil))
    (flet ((readable ()
             (multiple-value-bind (bytes length) (sb-bsd-sockets:socket-receive socket buffer nil)
               (cond ((and bytes (plusp length))
                      (sb-bsd-sockets:socket-send socket buffer length))
                     (t
                      (pirn:free-event watch)
                      (sb-bsd-sockets:socket-close socket)
                      (funcall done))))))
      (setf watch (pirn:watch-fd (sb-bsd-sockets:socket-file-descriptor socket)
                                 :read-cb #'readable)))))

(defun serve (listener)
  "Accept clients on LISTENER and echo what they send."
  (let ((watch nil)
        (left *clients*))
    (flet ((gone ()
             (when (zerop (decf left))
               (pirn:free-event watch)
               (sb-bsd-sockets:socket-close listener)
               (format t "the server has closed~%"))))
      (setf watch (pirn:watch-fd (sb-bsd-sockets:socket-file-descriptor listener)
                                 :read-cb (lambda ()
                                            (echo (sb-bsd-sockets:socket-accept listener) #'gone)))))))

(defun client (number text port)
  "Send TEXT to the server and print what comes back."
  (let ((socket (make-instance 'sb-bsd-sockets:inet-socket :type :stream :protocol :tcp)))
    (sb-bsd-sockets:socket-connect socket #(127 0 0 1) port)
    (let ((stream (sb-bsd-sockets:socket-make-stream socket :input t :output t :buffering :line)))
      (write-line text stream)
      (format t "client ~d got: ~a~%" number (read-line stream))
      (finish-output)
      (close stream))))

(let ((listener (make-instance 'sb-bsd-sockets:inet-socket :type :stream :protocol :tcp)))
  (sb-bsd-sockets:socket-bind listener #(127 0 0 1) 0)
  (sb-bsd-sockets:socket-listen listener 5)
  (let ((port (nth-value 1 (sb-bsd-sockets:socket-name listener))))
    (pirn:with-event-loop ()
      (serve listener)
      (bt:make-thread (lambda ()
                        ;; One after the other, so that the lines come in order.
                        (client 1 "hello" port)
                        (client 2 "world" port))))))
