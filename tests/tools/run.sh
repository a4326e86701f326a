#!/bin/sh
# run: ./run says where to listen, what it names can be heard there, and Ctrl-C ends it cleanly. A
# port that is taken is named, with a way out.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
room=$(mktemp -d)
pid=
encoder=
trap '[ -z "$pid$encoder" ] || kill $pid $encoder 2>/dev/null; rm -rf "$room"' EXIT

die()
{
	echo "$1"
	cat "$room/out" "$room/err"
	exit 1
}

"$root/run" --data "$room/data" --set http.listen=127.0.0.1:0 --set radio.shoutcast_port=no \
	>"$room/out" 2>"$room/err" &
pid=$!
# Building comes first.
tries=0
until grep -q 'is ready' "$room/out" && grep -q 'Look:' "$room/out"; do
	tries=$((tries + 1))
	[ $tries -lt 1200 ] && kill -0 $pid 2>/dev/null || die "it is not ready"
	sleep 0.2
done
look=$(sed -n 's/^ *Look: *//p' "$room/out")
listen=$(sed -n 's/^ *Listen: *\([^ ]*\).*/\1/p' "$room/out")
publish=$(sed -n 's/^ *Publish: *//p' "$room/out")
password=$(sed -n 's/^ *Encoders: *user source, password //p' "$room/out")
[ -n "$look" ] && [ -n "$listen" ] && [ -n "$publish" ] && [ -n "$password" ] ||
	die "the welcome does not say it all"
grep -q "radio.source_password=$password" "$room/data/passwords" || grep -q "$password" \
	"$room/data/passwords" || die "the password is not kept"
[ "$(stat -c %a "$room/data/passwords")" = 600 ] || die "others can read the passwords"
curl -fsS -o "$room/page" "$look" && grep -qi '<html' "$room/page" || die "no page at $look"
tries=0
until curl -sS -m 3 -o "$room/sound" "$listen"; [ "$(wc -c <"$room/sound")" -gt 20000 ]; do
	tries=$((tries + 1))
	[ $tries -lt 100 ] || die "nothing to hear at $listen"
	sleep 0.2
done

"$root/build/clients/ringmainctl" --data "$room/data" reload | grep -q '^ok' || die "ringmainctl is not built or not heard"

port=${look##*:}
port=${port%/}
timeout 120 "$root/run" --data "$room/data" >"$room/out2" 2>"$room/err2" &&
	die "a second server starts on the same data"
grep -q "another ringmain serves from the data directory $room/data" "$room/err2" ||
	die "a taken data directory is not explained: $(cat "$room/err2")"
timeout 120 "$root/run" --data "$room/data2" --set "http.listen=127.0.0.1:$port" \
	>"$room/out2" 2>"$room/err2" && die "a second server starts on the same port"
grep -q "another program serves 127.0.0.1:$port" "$room/err2" &&
	grep -q 'http.listen=' "$room/err2" || die "a taken port is not explained: $(cat "$room/err2")"

# The publish line as it stands, until it is heard.
if command -v ffmpeg >/dev/null; then
	timeout 240 sh -c "exec $(printf %s "$publish" | sed 's/^ffmpeg/& -nostdin -loglevel error/')" \
		>"$room/ffmpeg" 2>&1 &
	encoder=$!
	live=$(sed -n 's/^ *Then hear: *//p' "$room/out")
	tries=0
	until curl -sS -m 2 -o "$room/sound" "$live"; [ "$(wc -c <"$room/sound")" -gt 8000 ]; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] && kill -0 $encoder 2>/dev/null ||
			die "the publish line does not publish: $(cat "$room/ffmpeg")"
		sleep 0.2
	done
	kill -0 $encoder 2>/dev/null || die "ffmpeg fails: $(cat "$room/ffmpeg")"
	kill $encoder
	wait $encoder
	encoder=
fi

kill -INT $pid
wait $pid
code=$?
pid=
[ $code = 0 ] || die "it ends with $code"
echo "heard $(wc -c <"$room/sound") bytes"
