#!/bin/sh
# Makes the recordings that the framers' tests cut, and beside each NAME the list NAME.packets of
# what ffprobe sees in it: offset, size and duration (microseconds) of every packet. Needs ffmpeg,
# lame, flac and sox; their output is committed, so that the tests need none of them. Another
# version of these programs makes other bytes: then look at the numbers in the tests too.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A tone that moves under some noise: frames of a variable bitrate then differ in size.
tone() { # rate channels seconds
	sox -R -n -r "$1" -c "$2" -b 16 "$work/tone.wav" synth "$3" sine 300-3000 \
		synth "$3" pinknoise mix gain -12 fade t "$3" "$3" 2>/dev/null
}

tone 44100 2 1
# A file as it lies on disk: ID3v2, Info frame, audio, ID3v1.
lame --quiet -b 64 --resample 44.1 --add-id3v2 --tt "A title" --ta "An artist" "$work/tone.wav" mp3_cbr.mp3
lame --quiet -V 5 --resample 44.1 --id3v2-only --tt "A title" "$work/tone.wav" mp3_vbr.mp3
lame --quiet -p -t -b 48 --resample 44.1 -m m "$work/tone.wav" mp3_crc.mp3
ffmpeg -v error -y -i "$work/tone.wav" -c:a mp2 -b:a 96k mp2_layer2.mp2
ffmpeg -v error -y -i "$work/tone.wav" -c:a aac -b:a 48k -f adts aac_lc.aac
ffmpeg -v error -y -i "$work/tone.wav" -c:a aac -b:a 48k -f latm aac_latm.latm
tone 22050 2 1
lame --quiet -t -b 32 --resample 22.05 "$work/tone.wav" mp3_mpeg2.mp3
tone 11025 1 1
lame --quiet -t -b 16 --resample 11.025 "$work/tone.wav" mp3_mpeg25.mp3
tone 16000 1 0.7
flac --totally-silent -f -8 -b 1152 --tag TITLE=tone --padding 512 -o flac_fixed.flac "$work/tone.wav"
# Encoded to a pipe: the STREAMINFO knows neither sizes nor samples, as of a live encoder.
ffmpeg -v error -y -i "$work/tone.wav" -c:a flac -frame_size 1000 -f flac - | cat > flac_live.flac

for file in mp3_* mp2_* aac_* flac_*; do
	case $file in *.packets) continue ;; esac
	ffprobe -v error -show_entries packet=pos,size,duration_time -of csv=p=0 "$file" |
		awk -F, 'NF >= 3 && $3 ~ /^[0-9]+/ { printf "%d %d %d\n", $3, $2, $1 * 1000000 + 0.5 }' > "$file.packets"
done
