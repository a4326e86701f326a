#!/bin/sh
# long: a file has one idea; beyond 1,000 lines it has more.
set -u
cd "$(dirname "$0")/.." || exit 2

long=$(git ls-files '*.c' '*.h' '*.def' '*.py' '*.js' '*.mjs' '*.css' '*.sh' check run tools |
	sort -u | xargs wc -l | awk '$2 != "total" && $1 > 1000')
[ -z "$long" ] || {
	printf '%s\n' "$long"
	exit 1
}
