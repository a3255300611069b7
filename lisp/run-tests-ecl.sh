#!/bin/sh
# The tests on ECL, without images and the long ones. The last line is "N passed, N failed".
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec ecl --norc \
    --eval '(require :asdf)' \
    --eval "(asdf:load-asd \"$here/pirn.asd\")" \
    --eval '(asdf:load-system "pirn/tests")' \
    --eval '(ext:quit (if (pirn-tests:run-quick-tests) 0 1))' </dev/null
