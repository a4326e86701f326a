#!/bin/sh
# aarch64: the library built for another processor, and the processes of torture and crowd run there by qemu.
# (Those of kill are not: how often a death is seen depends on how fast processes start, and these are slow.)
# It shows that the code for weakly ordered memory builds and works; an x86 under it orders memory more
# strongly than a real one would, so it does not show that no fence is missing.
#
#     tests/framecache/aarch64.sh SOURCE-ROOT
#
# Status 77, which is "skipped", where the compiler or qemu is not there.
set -eu
root=$1
cc=$(command -v aarch64-linux-gnu-gcc) || exit 77
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64) || exit 77
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for name in torture crowd; do
	# shellcheck disable=SC2046 # a list of files
	"$cc" -std=gnu11 -O2 -D_GNU_SOURCE -Wall -Werror -static -pthread -I"$root/include" -I"$root/lib" \
		-I"$root/src" -I"$root/tests" $(ls "$root"/lib/*.c) "$root/tests/framecache/$name.c" -o "$out/$name"
	"$qemu" "$out/$name"
done
