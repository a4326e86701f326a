#!/bin/sh
# build: compiles the add-on into build/framecache.node, with what is on this machine and nothing else: the
# headers of Node-API that came with Node (Debian: libnode-dev) and libfc_client.
#
#     sh build.sh [OUTPUT]
#
# NODE_INCLUDE: where node_api.h is. Beside the library's sources (in ringmain's tree) they are compiled in;
# elsewhere pkg-config knows fc_client.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/build/framecache.node}
include=${NODE_INCLUDE-}
prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node || echo /usr/bin/node)")")")
for place in "$prefix/include/node" /usr/include/node /usr/include/nodejs/src; do
	[ -n "$include" ] || [ ! -f "$place/node_api.h" ] || include=$place
done
if [ -z "$include" ]; then
	echo "build.sh: node_api.h is not here; Debian has it in libnode-dev, or say NODE_INCLUDE" >&2
	exit 1
fi
if [ -f "$here/../reader.c" ]; then
	library="$here/../reader.c $here/../report.c $here/../shape.c $here/../slot_dir.c $here/../slot_file.c $here/../writer.c"
	flags="-I$here/../../include -I$here/.."
	libs=
else
	library=
	flags=$(pkg-config --cflags fc_client)
	libs=$(pkg-config --libs fc_client)
fi
mkdir -p "$(dirname "$out")"
# shellcheck disable=SC2086 # lists of words
${CC:-cc} -shared -fPIC -O2 -g -std=gnu11 -D_GNU_SOURCE -fvisibility=hidden -pthread ${CFLAGS-} -I"$include" \
	$flags "$here/src/addon.c" "$here/src/pump.c" $library $libs -o "$out"
