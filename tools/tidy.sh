#!/bin/sh
# tidy: what clang-tidy finds in the programs, by the rules of .clang-tidy.
#
#     tools/tidy.sh BUILD          a build by clang
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
cd "${1:?which build directory}" || exit 2
out=$(mktemp) || exit 2
trap 'rm -f "$out"' EXIT

run-clang-tidy -quiet -p . "^$root/(src|helpers|clients)/.*\.c\$" >"$out" 2>&1 && grep -q '^clang-tidy' "$out" &&
	exit 0
sed 's/\x1b\[[0-9;]*m//g' "$out" | grep -A 3 -E '(warning|error): ' || tail -n 20 "$out"
exit 1
