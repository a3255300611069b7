#!/bin/sh
# Shows the examples, one after the other; with names, those only.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || set -- stolen-context background-job futures reflector timers coalescing \
                       echo-server word-counter
for name; do
    echo "-- $name"
    sbcl --noinform --non-interactive --no-userinit \
        --load "$here/examples/load.lisp" --load "$here/examples/$name.lisp"
    echo
done
