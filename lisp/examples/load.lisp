;;;; Loads pirn for the examples, from the folder above this one.

(require :asdf)
(asdf:load-asd (merge-pathnames "../pirn.asd" (or *load-truename* *default-pathname-defaults*)))
(let ((*standard-output* (make-broadcast-stream)))
  (asdf:load-system "pirn/cl-async"))
