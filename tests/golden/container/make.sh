#!/bin/sh
# Makes the container files that the framer tests read. Needs ffmpeg (libvorbis, libtheora, libvpx,
# libopus, libmp3lame, libx264), oggenc, opusenc, flac, speexenc. The files are committed, and the
# tests hold numbers that ffprobe gave for exactly them: do not make them anew without need.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

ff() { ffmpeg -nostdin -v error -y "$@"; }
tone() { ff -f lavfi -i "sine=frequency=$1:sample_rate=$2:duration=$3" -ac "$4" "$tmp/$5.wav"; }

tone 440 44100 8 2 a
tone 660 48000 8 1 b
tone 880 44100 3 1 c
tone 880 22050 3 1 e
tone 330 16000 8 1 d

oggenc -Q -q 0 -a 'Tester' -t 'Eins – Zwö' -o vorbis.ogg "$tmp/a.wav"
opusenc --quiet --bitrate 24 --artist 'Tester' --title 'Opus one' "$tmp/b.wav" opus.opus
flac -s -f --ogg -0 -T ARTIST=Tester -T 'TITLE=Flac one' -o flac.oga "$tmp/e.wav"
speexenc -w --author 'Tester' --title 'Speex one' "$tmp/d.wav" speex.spx 2>/dev/null

# Two logical streams behind one another, with a title each: chained.
oggenc -Q -q 0 -s 11 -a 'First' -t 'Song' -o "$tmp/1.ogg" "$tmp/c.wav"
oggenc -Q -q 0 -s 12 -t 'Only a title' -o "$tmp/2.ogg" "$tmp/a.wav"
cat "$tmp/1.ogg" "$tmp/2.ogg" > vorbis-chain.ogg
opusenc --quiet --bitrate 16 --serial 21 --artist 'One' --title 'First' "$tmp/c.wav" "$tmp/1.opus"
opusenc --quiet --bitrate 16 --serial 22 --artist 'Only an artist' "$tmp/b.wav" "$tmp/2.opus"
cat "$tmp/1.opus" "$tmp/2.opus" > opus-chain.opus

# A comment header with a picture in it.
ff -f lavfi -i "nullsrc=size=100x100,geq=lum='random(1)*255':cb=128:cr=128,format=gray" -frames:v 1 \
	"$tmp/picture.png"
ff -i "$tmp/b.wav" -t 3 "$tmp/f.wav"
opusenc --quiet --bitrate 16 --serial 31 --picture "$tmp/picture.png" --artist Long --title Comment \
	"$tmp/f.wav" opus-picture.opus

video() { # encoder options … file: 4 s of 10 frames a second, a keyframe each second
	ff -f lavfi -i testsrc=size=96x64:rate=10:duration=4 \
		-f lavfi -i sine=frequency=500:sample_rate=48000:duration=4 -g 10 "$@"
}
video -c:v libtheora -q:v 2 -c:a libvorbis -q:a 0 -metadata artist=Tester -metadata title=Theora \
	theora.ogv
video -c:v libvpx -b:v 40k -deadline realtime -auto-alt-ref 0 -c:a libopus -b:a 16k \
	-f webm -live 1 -cluster_time_limit 5000 vp8-opus.webm
video -c:v libx264 -preset veryfast -pix_fmt yuv420p -bf 0 -c:a libmp3lame -b:a 32k \
	-f matroska -live 1 h264-mp3.mkv
video -c:v mpeg2video -s 64x48 -b:v 40k -c:a mp2 -b:a 32k mpeg2-mp2.ts
video -c:v libx264 -preset veryfast -pix_fmt yuv420p -b:v 40k -bf 0 -c:a aac -b:a 24k h264-aac.ts

ff -i "$tmp/b.wav" -c:a libopus -b:a 24k -f webm -live 1 -cluster_time_limit 1000 opus.webm
# Not live: it has sizes, Cues and a SeekHead.
ff -i "$tmp/b.wav" -c:a libvorbis -q:a 0 -cluster_time_limit 1000 vorbis.mka
ff -i "$tmp/b.wav" -t 6 -c:a aac -b:a 24k aac.ts
ff -i "$tmp/b.wav" -t 6 -c:a libmp3lame -b:a 24k mp3.ts

# Seeds for the fuzz targets: beginnings, with a tail that has data of each kind.
corpus=../../../fuzz/corpus
mkdir -p $corpus/ogg $corpus/webm $corpus/ts
for file in *.ogg *.opus *.oga *.spx *.ogv; do head -c 6000 "$file" > "$corpus/ogg/$file"; done
for file in *.webm *.mkv *.mka; do head -c 5000 "$file" > "$corpus/webm/$file"; done
for file in *.ts; do head -c 7520 "$file" > "$corpus/ts/$file"; done
# A second chain, junk between units, and the end of the first.
{ head -c 4000 vorbis.ogg; printf junkOggSjunk; tail -c 3000 opus.opus; head -c 1500 speex.spx; } \
	> $corpus/ogg/mixed
{ head -c 2000 opus.webm; printf 'junk\037C\266junk'; tail -c 2000 opus.webm; head -c 2000 vorbis.mka; } \
	> $corpus/webm/mixed
{ printf junkG; head -c 3000 aac.ts; head -c 5640 h264-aac.ts; } > $corpus/ts/mixed
