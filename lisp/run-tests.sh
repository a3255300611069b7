#!/bin/sh
# The tests of the Lisp side, on SBCL. The last line is "N passed, N failed".
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec sbcl --noinform --non-interactive --no-userinit \
    --eval '(require :asdf)' \
    --eval "(asdf:load-asd \"$here/pirn.asd\")" \
    --eval '(asdf:load-system "pirn/tests")' \
    --eval '(sb-ext:exit :code (if (pirn-tests:run-tests) 0 1) :timeout 10)'
