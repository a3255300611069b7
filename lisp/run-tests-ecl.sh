#!/bin/sh
# What works on ECL: the loop, events, descriptors and futures. The last line is "N passed, N failed".
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec ecl --norc \
    --eval '(require :asdf)' \
    --eval "(asdf:load-asd \"$here/pirn.asd\")" \
    --eval '(asdf:load-system "pirn/tests")' \
    --eval "(ext:quit (if (pirn-tests:run-suites 'pirn-tests::loop-suite 'pirn-tests::events 'pirn-tests::watch 'pirn-tests::futures) 0 1))"
