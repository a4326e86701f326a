#!/bin/sh
# links: what the documents point at is there: relative links, and files named in backquotes.
set -u
cd "$(dirname "$0")/.." || exit 2

broken=$(git ls-files '*.md' | while read -r page; do
	{
		grep -oE '\]\([^)# ]+' "$page" | grep -vE '^..[a-z]+:' |
			sed "s|^..|$(dirname "$page")/|"
		grep -oE '`(src|tests|tools|docs|fuzz|bench|clients|helpers|web)/[A-Za-z0-9_./-]+`' "$page" |
			tr -d '`'
	} | sort -u | while read -r target; do
		[ -e "$target" ] || echo "$page points at $target, which is not there"
	done
done)
[ -z "$broken" ] || {
	printf '%s\n' "$broken"
	exit 1
}
