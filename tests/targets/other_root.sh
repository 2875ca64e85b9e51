#!/bin/sh
# SPDX-License-Identifier: MIT
#
# other_root.sh PYTHON SCRIPT...: run it in a root of its own below the current folder: copies of the
# interpreter and of its libraries (other inodes, the same names), its standard library and this
# folder as mounts. To be run in a mount namespace of its own: `unshare --mount other_root.sh ...`.
set -eu

python=$(readlink -f "$1")
here=$(pwd)
root=$here/root
shift

put() {
    mkdir -p "$root$(dirname "$1")"
    cp -L "$1" "$root$1"
}
see() {
    mkdir -p "$root$1"
    mount --bind "$1" "$root$1"
}

put "$python"
ldd "$python" | sed -n 's/^[^/]*\(\/[^ ]*\) (.*/\1/p' >libraries
# What is loaded later: modules' own libraries, and what threads want at their end; and musl's, which
# ldd does not tell of.
ls /lib/x86_64-linux-gnu/libgcc_s.so.1 /lib/x86_64-linux-gnu/lib*crypto.so* \
    /lib/x86_64-linux-gnu/libssl.so* /lib/x86_64-linux-gnu/libffi.so* \
    /lib/x86_64-linux-gnu/libz.so.1 /lib/ld-musl-x86_64.so.1 >>libraries 2>/dev/null || true
while read -r library; do
    put "$library"
done <libraries
library_folder=$("$python" -c 'import os; print(os.path.dirname(os.__file__))')
see "$library_folder"
see "$here"
mkdir -p "$root/proc" "$root/dev"
mount -t proc proc "$root/proc"
# chroot(1) leaves the folder, and a bare root has no shell to go back.
exec chroot "$root" "$python" -c "
import os, runpy, sys
os.chdir('$here')
sys.path[0] = '$here'
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name='__main__')" "$@"
