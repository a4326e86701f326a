"""The programme that encoders send: speech over a steady chord, in every format that is carried.

Made once by espeak-ng, sox and ffmpeg, and kept in the temporary directory. The chord never
stops, so a listener who hears a pause of 50 ms has lost something.
"""
import array
import dataclasses
import hashlib
import math
import os
import pathlib
import shutil
import sys
import tempfile

from stage import need, run

SECONDS = 24
TEXT = ("This is a test of the ring main. One writer for each feed, a bounded ring that holds its "
        "recent past, and any number of readers, each at its own place. ") * 2
PICTURE = ["-f", "lavfi", "-i", f"testsrc=size=160x120:rate=10:duration={SECONDS}"]
STATION = {"artist": "The Readers", "title": "Round the Ring"}


@dataclasses.dataclass(frozen=True)
class Format:
    name: str
    suffix: str
    content_type: str
    muxer: str
    codec: tuple
    video: tuple = ()
    # What listeners are told, where that is not what the encoder said.
    told: str = ""

    @property
    def type_told(self):
        return self.told or self.content_type


def _format(name, suffix, content_type, muxer, codec, video="", told=""):
    return Format(name, suffix, content_type, muxer, tuple(codec.split()), tuple(video.split()),
                  told)


FORMATS = {f.name: f for f in [
    _format("mp3", "mp3", "audio/mpeg", "mp3", "-c:a libmp3lame -b:a 128k"),
    _format("mp3-vbr", "mp3", "audio/mpeg", "mp3", "-c:a libmp3lame -q:a 4"),
    _format("mp2", "mp2", "audio/mpeg", "mp2", "-c:a mp2 -b:a 192k"),
    _format("aac", "aac", "audio/aac", "adts", "-c:a aac -b:a 96k"),
    _format("vorbis", "ogg", "application/ogg", "ogg", "-c:a libvorbis -b:a 96k"),
    _format("opus", "opus", "audio/ogg", "ogg", "-c:a libopus -b:a 64k"),
    _format("oggflac", "oga", "application/ogg", "ogg", "-c:a flac -sample_fmt s16 -ac 1"),
    _format("speex", "spx", "audio/ogg", "ogg", "-c:a libspeex -ar 16000 -ac 1"),
    _format("theora", "ogv", "video/ogg", "ogg", "-c:a libvorbis -b:a 96k",
            "-c:v libtheora -b:v 200k -g 10"),
    _format("flac", "flac", "audio/flac", "flac", "-c:a flac -sample_fmt s16 -ac 1"),
    _format("webm-opus", "webm", "audio/webm", "webm", "-c:a libopus -b:a 64k"),
    _format("webm-vp8", "webm", "video/webm", "webm", "-c:a libopus -b:a 64k",
            "-c:v libvpx -b:v 200k -g 10 -deadline realtime -cpu-used 8"),
    _format("matroska", "mkv", "video/x-matroska", "matroska", "-c:a aac -b:a 96k"),
    _format("ts", "ts", "video/mp2t", "mpegts", "-c:a aac -b:a 96k"),
]}


def _compose(room):
    """The programme as a WAV file."""
    wav = room / "programme.wav"
    run(["espeak-ng", "-v", "en", "-s", "150", "-w", room / "speech.wav", TEXT]).check_returncode()
    run(["sox", "-V1", "-n", "-r", "44100", "-c", "2", "-b", "16", room / "chord.wav", "synth",
         str(SECONDS), "sine", "440", "sine", "554.37", "tremolo", "0.5", "30", "gain", "-12"],
        ).check_returncode()
    run(["sox", "-V1", room / "speech.wav", "-r", "44100", "-c", "2", "-b", "16",
         room / "voice.wav", "gain", "-12", "pad", "0", str(SECONDS), "trim", "0", str(SECONDS)],
        ).check_returncode()
    run(["sox", "-V1", "-R", "-m", room / "chord.wav", room / "voice.wav", wav]).check_returncode()
    return wav


def encode(wav, out, form, extra=(), seconds=SECONDS):
    args = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", wav]
    if form.video:
        args += PICTURE + ["-map", "1:v", "-map", "0:a", *form.video]
    args += [*form.codec, "-t", str(seconds), *extra]
    for key, value in STATION.items():
        if f"{key}=" not in " ".join(extra):
            args += ["-metadata", f"{key}={value}"]
    run(args + ["-f", form.muxer, out], seconds=120).check_returncode()
    return out


def _chains(room, wav, name, form):
    """Three Ogg chains with titles of their own, one after the other in one file."""
    whole = b""
    for i, (artist, title) in enumerate(CHAIN_TITLES):
        part = encode(wav, room / f"chain-{name}-{i}.{form.suffix}", form, seconds=8, extra=[
            "-serial_offset", str(1000 * (i + 1)), "-metadata", f"artist={artist}",
            "-metadata", f"title={title}"])
        whole += part.read_bytes()
    (room / f"chained-{name}.{form.suffix}").write_bytes(whole)


CHAIN_TITLES = [("Ann", "First Song"), ("Bea", "Second Song"), ("Cleo", "Third Song")]


class Sounds:
    def __init__(self, room):
        self.room = room
        self.wav = room / "programme.wav"

    def file(self, name):
        return self.room / f"programme-{name}.{FORMATS[name].suffix}"

    def chained(self, name):
        return self.room / f"chained-{name}.{FORMATS[name].suffix}"

    def chain(self, name, i):
        return self.room / f"chain-{name}-{i}.{FORMATS[name].suffix}"


def make_sounds():
    need("espeak-ng", "sox", "ffmpeg")
    recipe = hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()[:12]
    room = pathlib.Path(tempfile.gettempdir()) / f"ringmain-e2e-{os.getuid()}-{recipe}"
    if not room.exists():
        making = pathlib.Path(tempfile.mkdtemp(prefix="ringmain-e2e-making-"))
        making.chmod(0o755)
        try:
            wav = _compose(making)
            sounds = Sounds(making)
            for name, form in FORMATS.items():
                encode(wav, sounds.file(name), form)
            for name in ("vorbis", "opus"):
                _chains(making, wav, name, FORMATS[name])
            try:
                making.rename(room)
            except OSError:
                assert room.exists()  # another run was quicker
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return Sounds(room)


# -- listening -------------------------------------------------------------------------------------

HEAR_RATE = 8000


class Heard:
    """Samples as a listener heard them: one channel, 8 kHz."""

    def __init__(self, data):
        self.samples = array.array("h", data[:len(data) // 2 * 2])
        if sys.byteorder == "big":
            self.samples.byteswap()

    @property
    def seconds(self):
        return len(self.samples) / HEAR_RATE

    def levels(self):
        """Effective value of each 50 ms."""
        n = HEAR_RATE // 20
        for i in range(0, len(self.samples) - n + 1, n):
            yield math.sqrt(sum(s * s for s in self.samples[i:i + n]) / n)

    def check(self, seconds):
        """So much of the programme was heard, without a pause."""
        # Decoders need some frames to begin, and encoders fade in.
        levels = list(self.levels())[6:]
        assert self.seconds >= seconds - 0.5, f"only {self.seconds:.2f} s of {seconds} were heard"
        quiet = [i for i, level in enumerate(levels) if level < 300]
        assert not quiet, f"silence in {len(quiet)} of {len(levels)} pieces, first {quiet[0]}"


def hear(source, seconds=3, video=False, data=None, within=25, options=()):
    """ffmpeg listens; any complaint of it is a failure."""
    # Counted in samples, not by ffmpeg's clock: for it, the first page of FLAC in Ogg is the
    # beginning of time, and the second has its true time, which may be seconds later.
    out = ["-map", "0:a:0", "-af", "asetpts=N/SR/TB", "-t", str(seconds), "-ac", "1",
           "-ar", str(HEAR_RATE), "-f", "s16le", "pipe:1"]
    if video:
        out += ["-map", "0:v:0", "-vf", "setpts=PTS-STARTPTS", "-fps_mode", "vfr",
                "-t", str(seconds), "-f", "null", "-"]
    done = run(["ffmpeg", "-nostdin" if data is None else "-y", "-v", "error", "-xerror", *options,
                "-i", source, *out], within,
               **({"input": data} if data is not None else {}))
    said = done.stderr.decode(errors="replace").strip()
    assert done.returncode == 0 and not said, f"ffmpeg ended with {done.returncode}: {said}"
    heard = Heard(done.stdout)
    heard.check(seconds)
    return heard
