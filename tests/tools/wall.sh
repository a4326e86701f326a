#!/bin/sh
# wall: each breach that tools/wall.sh is to find is found, and a tree without one passes.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0
count=0

fresh()
{
	rm -rf "${tree:?}"/*
	mkdir -p "$tree/src/core" "$tree/src/store" "$tree/src/edge/proto" "$tree/src/radio/proto" "$tree/src/irc" \
		"$tree/clients" "$tree/helpers/one"
	printf '#include "core/ring.h"\n' >"$tree/src/edge/page.c"
	printf '#include "edge/proto/url.h"\n#include <string.h>\n' >"$tree/src/radio/proto/mp3.c"
	printf 'struct ring_shared;\nstruct ring {\n\tstruct ring_shared *shared;\n};\n' \
		>"$tree/src/core/ring.h"
	printf '/* a mutex: pthread_mutex_t */\n' >"$tree/src/core/arena.h"
}

# breach FILE LINE: a tree with this line in this file is refused, and the file is named.
breach()
{
	count=$((count + 1))
	fresh
	printf '%s\n' "$2" >>"$tree/$1"
	if said=$("$root/tools/wall.sh" "$tree") || ! printf '%s\n' "$said" | grep -q "^$1:"; then
		echo "not found: $1: $2"
		failed=1
	fi
}

fresh
"$root/tools/wall.sh" "$tree" || {
	echo "a tree without a breach is refused"
	failed=1
}
breach src/core/ring.c '#include "edge/page.h"'
breach src/core/ring.c '#include "../edge/page.h"'
breach src/edge/page.c '#include "radio/radio_mount.h"'
breach src/radio/radio_mount.c '#include "irc/irc_client.h"'
breach src/irc/irc_client.h '#include "radio/radio_mount.h"'
breach src/radio/proto/mp3.c '#include "core/log.h"'
breach src/radio/proto/mp3.c '#include "edge/conn.h"'
breach src/edge/proto/url.c '#include "radio/proto/mp3.h"'
breach src/edge/proto/url.h '#  include <stdlib.h>'
breach src/radio/radio_send.c '	ring->shared->head = 1;'
breach src/core/feed.c 'static struct ring_shared *page;'
breach src/core/ring.h 'static inline int f(struct ring *r) { return r->shared->head; }'
breach src/core/pool.c '	pthread_mutex_lock(&lock);'
breach src/radio/radio_mount.h '	uv_mutex_t lock;'
breach src/edge/page.c 'static volatile int done;'
breach src/edge/page.c '#include <yaml.h>'
breach src/radio/radio_player.c '#include <lame/lame.h>'
breach clients/wire.c '#include "edge/proto/url.h"'
breach helpers/one/main.c '#include "radio/radio_mount.h"'
[ $failed = 0 ] && echo "$count breaches found"
exit $failed
