#!/bin/sh
# commits: the subject of each commit is "room: what is true after it", at most 78 characters (65 is
# better), no final period, an empty line below. Exempt are merges, reverts, the first commit, and what was
# there before this was looked at.
set -u
cd "$(dirname "$0")/.." || exit 2

before=0a988d1a121fbcbdeaa81302ffd004ce3cd7ca2e
range=HEAD
git merge-base --is-ancestor $before HEAD 2>/dev/null && range=$before..HEAD
bad=$(git log $range --no-merges --min-parents=1 --format='%h%x09%s%x09%w(0,0,0)%B%x00' | tr '\n\0' '\001\n' |
	awk -F '\t' '
	{ sub(/^\001/, "", $1) }
	$1 == "" || $2 ~ /^(Merge|Revert) / { next }
	length($2) > 78 { print $1 " " $2 "    <- longer than 78" }
	$2 !~ /^[a-z0-9_.\/-]+(, [a-z0-9_.\/-]+)*: [^ ]/ { print $1 " " $2 "    <- no room" }
	$2 ~ /\.$/ { print $1 " " $2 "    <- final period" }
	$3 ~ /^[^\001]+\001[^\001]/ { print $1 " " $2 "    <- no empty line" }')
[ -z "$bad" ] || {
	printf '%s\n' "$bad"
	exit 1
}
