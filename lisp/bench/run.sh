#!/bin/sh
# W10, the Lisp workloads.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec sbcl --noinform --non-interactive --no-userinit --load "$here/w10.lisp"
