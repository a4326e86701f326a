#!/usr/bin/env python3
"""A listener that joins late hears the programme: ffmpeg decodes, without an error, the headers of
a chain followed by the data from any KEY unit of that chain on.

    framer_start.py UNIT_DUMP GOLDEN_DIRECTORY
"""
import pathlib
import subprocess
import sys

KINDS = {".ogg": "ogg", ".opus": "ogg", ".oga": "ogg", ".spx": "ogg", ".ogv": "ogg",
         ".webm": "webm", ".mkv": "webm", ".mka": "webm", ".ts": "ts"}
# What ffmpeg is told the input is: nothing may depend on its guess.
FORMATS = {"ogg": "ogg", "webm": "matroska", "ts": "mpegts"}
# Not streamed: its Segment says a size, which who joins late cannot get all of.
SIZED = {"vorbis.mka": "File ended prematurely"}


def units(dump, kind, path):
    out = subprocess.run([dump, kind, path], check=True, capture_output=True).stdout
    for line in out.decode().splitlines():
        word, *fields = line.split(" ")
        if word in ("unit", "skip"):
            yield word, int(fields[0]), int(fields[1]), fields[2]


def starts(cuts, data):
    """For each KEY unit, what a listener gets who starts there, up to the end of the chain."""
    chain_end = len(data)
    ends = {}
    for i in range(len(cuts) - 1, -1, -1):
        ends[i] = chain_end
        if "C" in cuts[i][3]:
            chain_end = cuts[i][1]
    headers = b""
    for i, (word, offset, length, flags) in enumerate(cuts):
        if "C" in flags:
            headers = b""
        if "H" in flags:
            headers += data[offset:offset + length]
        if "K" in flags:
            yield offset, headers + data[offset:ends[i]]


def decode(kind, stream):
    """Frames that came out, and what ffmpeg complained about."""
    run = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-xerror", "-f", FORMATS[kind],
                          "-i", "pipe:0", "-map", "0", "-f", "framecrc", "pipe:1"],
                         input=stream, capture_output=True, timeout=300)
    frames = sum(1 for line in run.stdout.splitlines() if line and not line.startswith(b"#"))
    return frames, run.returncode, run.stderr.decode(errors="replace").strip()


def main():
    dump, golden = sys.argv[1], pathlib.Path(sys.argv[2])
    failed = 0
    files = sorted(p for p in golden.iterdir() if p.suffix in KINDS)
    assert len(files) >= 12, "golden files are missing"
    for path in files:
        kind = KINDS[path.suffix]
        data = path.read_bytes()
        tried = list(starts(list(units(dump, kind, path)), data))
        frames = []
        for offset, stream in tried:
            count, code, text = decode(kind, stream)
            frames.append(count)
            if path.name in SIZED and SIZED[path.name] in text and text.count("\n") == 0:
                text = ""
            # The last page of a chain may hold no more than one frame; none would be silence.
            if code or text or count == 0:
                failed += 1
                print(f"not ok {path.name} from {offset}: exit {code}, {count} frames: {text}")
        if len(tried) < 2:
            failed += 1
            print(f"not ok {path.name}: {len(tried)} places to start")
        print(f"{path.name}: {len(tried)} starts, frames decoded {frames}")
    return 1 if failed else 0


sys.exit(main())
