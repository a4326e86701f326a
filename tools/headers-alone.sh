#!/bin/sh
# headers-alone: each header says itself what it needs: it compiles with nothing before it.
set -u
cd "$(dirname "$0")/.." || exit 2

failed=0
# framing.h is completed by who includes it.
for header in $(find include lib src clients helpers fuzz tests -name '*.h' ! -name framing.h | sort); do
	printf '#include "%s"\n' "$header" |
		gcc -x c -std=gnu11 -D_GNU_SOURCE -fsyntax-only -Wall -Wextra -Wno-unused-function \
			-Werror -I. -Iinclude -Ilib -Isrc -Iclients -Itests/unit -Ihelpers/ringmain-demo - || {
		echo "$header does not compile alone"
		failed=1
	}
done
exit $failed
