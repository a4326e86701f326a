#!/bin/sh
# wall: who may include and touch what. Says each breach with its place; ends with 1 if there is one.
#
#     tools/wall.sh [ROOT]
#
#   core ◀── store ◀── edge ◀── a family ◀── src/*.c    clients, helpers ──▶ a few headers of core
#
# A wall is moved by a commit that says why.
set -u
cd "${1:-$(dirname "$0")/..}" || exit 2

breaches=$(
	# Lines "file:line:…" of a pattern in code: comments that begin a line do not count.
	code()
	{
		grep -rnE --include='*.c' --include='*.h' "$@" | grep -vE '^[^:]*:[0-9]*:[[:space:]]*(/?\*|//)'
	}
	# breach WHY: what comes in is one a line.
	breach()
	{
		sed "s|\$|    <- $1|"
	}
	# quoted DIR…: lines that include a project header, from files below these.
	quoted()
	{
		code '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' "$@"
	}

	quoted src | grep '"\.\.\/' | breach 'includes go from the top, not through ..'
	quoted src/core | grep -vE '"(core/[^"]*|[^/"]*)"' | breach 'core knows only core'
	quoted src/store | grep -vE '"((core|store)/[^"]*|[^/"]*)"' | breach 'store knows core and store'
	quoted src/edge | grep -vE '"((core|store|edge)/[^"]*|[^/"]*)"' |
		breach 'edge knows core, store and edge'
	for family in src/*/; do
		family=$(basename "$family")
		case $family in
		core | store | edge) continue ;;
		esac
		quoted "src/$family" | grep -vE "\"((core|store|edge|$family)/[^\"]*|[^/\"]*)\"" |
			breach 'a family knows core, store, edge and itself'
	done

	for proto in src/*/proto; do
		[ -d "$proto" ] || continue
		own=${proto#src/}
		also=edge/proto
		[ "$own" != edge/proto ] || also=$own
		quoted "$proto" |
			grep -vE "\"(core/(bytes|reader|writer|mono)\.h|($own|$also)/[^/\"]*|[^/\"]*)\"" |
			breach 'proto knows the words of core and itself'
		code '^[[:space:]]*#[[:space:]]*include[[:space:]]+<' "$proto" |
			grep -vE '<(string|stdint|stdbool|stddef|limits)\.h>' |
			breach 'proto has no system'
	done

	code '(struct ring_(shared|entry)\b|[.>]shared->)' src | grep -v '^src/core/ring\.c:' |
		grep -vE '^src/core/ring\.h:[0-9]*:[[:space:]]*struct ring_(shared|entry)( \*[a-z]+)?;' |
		breach 'only ring.c touches ring memory'
	code '(pthread_(mutex|rwlock|spin|cond)_|uv_(mutex|rwlock|cond|sem)_|mtx_|sem_(init|post|wait))' src |
		grep -vE '^src/(core/(mailbox|side_thread|worker|metric|log)\.[ch]|edge/lockout\.c|sfu/sfu_record_file\.c|radio/radio_(limit|feed)\.c):' |
		breach 'threads share rings, counters and messages'
	code '\bvolatile\b' src | grep -v '__asm__ volatile' | breach 'volatile orders nothing between threads'
	code '#[[:space:]]*include <sqlite3\.h>' src | grep -v '^src/store/' |
		breach 'one room knows the database'
	code '#[[:space:]]*include <yaml\.h>' src | grep -v '^src/core/conf_file\.c:' |
		breach 'one file knows the grammar of settings'
	code '#[[:space:]]*include <(lame|shout|libav)' src | breach 'codecs are not in the server'
	# A client may read a protocol with the server's pure code where a foreign server tries it too.
	quoted clients | grep -E '"[a-z]*/' |
		grep -vE '"(core/(bytes|mono|check|reader|writer|buffer|clock)|(voice|sfu)/proto/[a-z0-9_]*)\.h"' |
		breach 'clients know a server by its protocols'
	quoted helpers | grep -E '"[a-z]*/' | grep -vE '"core/(bytes|mono|check|reader|writer|clock)\.h"' |
		breach 'helpers are processes beside the server'
)
[ -z "$breaches" ] || {
	printf '%s\n' "$breaches"
	exit 1
}
