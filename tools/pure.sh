#!/bin/sh
# pure: what the compiled protocol cores call. Nothing but each other and memory: no allocation, no
# socket, no clock, no log.
#
#     tools/pure.sh BUILD
set -u
cd "${1:?which build directory}" || exit 2

libraries=$(find src -path '*/proto/*.a')
[ -n "$libraries" ] || {
	echo "no protocol library is built in $PWD"
	exit 2
}
outside=$(nm $libraries 2>/dev/null | awk '
	$1 == "U" { wanted[$2] }
	NF == 3 && $2 ~ /^[TRDBVW]$/ { own[$3] }
	END { for (name in wanted) if (!(name in own)) print name }' |
	grep -vE '^_*(mem(chr|cmp|cpy|mem|move|rchr|set)|str(chr|cmp|len|ncmp|nlen))(_chk)?$' |
	grep -vE '^(__stack_chk_fail|_GLOBAL_OFFSET_TABLE_)$' | sort)
[ -z "$outside" ] || {
	echo "protocol cores call what is not theirs:"
	printf '%s\n' "$outside"
	exit 1
}
