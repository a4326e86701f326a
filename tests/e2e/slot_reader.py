"""What lies in a slot, found as its header says; and pictures with sound whose moments can be told apart."""

import array
import hashlib
import struct

from stage import CLIENTS, run

HELPERS = CLIENTS.parent / "helpers"
NET_INGEST = HELPERS / "net_ingest" / "net_ingest"
CAPTURE_MANAGER = HELPERS / "capture-manager" / "capture-manager"
REPEATED, DISCONTINUITY = 2, 4


class Slot:
    """A look at the file as it is now; its ring must still hold what is asked for."""

    def __init__(self, path):
        self.data = path.read_bytes()
        self.width, self.height, self.fps_num, self.fps_den, self.pixel_format, self.frame_size, \
            self.ring_depth = struct.unpack_from("<7I", self.data, 8)
        self.cursor, self.dropped = struct.unpack_from("<2Q", self.data, 40)
        self.generation, = struct.unpack_from("<Q", self.data, 64)
        self.state, = struct.unpack_from("<I", self.data, 60)
        self.data_offset, self.stride = struct.unpack_from("<2Q", self.data, 88)
        self.pixels_at, = struct.unpack_from("<I", self.data, 104)
        self.audio_offset, self.audio_capacity = struct.unpack_from("<2Q", self.data, 128)
        self.rate, self.channels = struct.unpack_from("<2I", self.data, 144)
        self.writers, = struct.unpack_from("<Q", self.data, 224)

    def _place(self, k):
        assert max(0, self.cursor - self.ring_depth) <= k < self.cursor
        return self.data_offset + k % self.ring_depth * self.stride

    def pixels(self, k):
        at = self._place(k) + self.pixels_at
        return self.data[at:at + self.frame_size]

    def flags(self, k):
        return struct.unpack_from("<I", self.data, self._place(k) + 20)[0]

    def pts(self, k):
        return struct.unpack_from("<Q", self.data, self._place(k))[0]

    def hashes(self, count=None):
        return [hashlib.md5(self.pixels(k)).hexdigest() for k in range(count or self.cursor)]

    def sound(self, k):
        """The first channel of the samples that belong to the frame."""
        count, first = struct.unpack_from("<IQ", self.data, self._place(k) + 44)
        size = 4 * self.channels
        return [struct.unpack_from("<i", self.data, self.audio_offset + i % self.audio_capacity * size)[0]
                for i in range(first, first + count)]


def ffmpeg(*args, **options):
    done = run(["ffmpeg", "-nostdin", "-y", "-v", "error", *args], **options)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def frame_hashes(source, *how):
    """What ffmpeg itself decodes, one hash a frame."""
    text = ffmpeg("-i", source, "-map", "0:v", *how, "-f", "framemd5", "-").decode()
    return [line.split(",")[-1].strip() for line in text.splitlines() if line[0] != "#"]


def make_clip(path, *codec, seconds=3, size="320x180", fps="30000/1001", pixels="yuv422p"):
    """Pictures that all differ, and a tone."""
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={fps}", "-f", "lavfi", "-i",
           "sine=frequency=440:sample_rate=48000", "-t", seconds, "-pix_fmt", pixels,
           *(codec or ("-c:v", "libx264", "-qp", 0, "-preset", "ultrafast", "-bf", 2)), "-c:a", "aac", "-ac", 2,
           path)
    return path


def make_flashes(path, *codec, seconds=4, fps=25):
    """Black, and once a second one white frame and, as long as it lasts, a beep."""
    ffmpeg("-f", "lavfi", "-i", f"color=black:size=320x180:rate={fps},format=yuv422p,"
           f"drawbox=t=fill:c=white:enable='eq(mod(n,{fps}),10)'", "-f", "lavfi", "-i",
           f"aevalsrc=0.7*sin(2*PI*1000*t)*between(mod(t\\,1)\\,{10 / fps}\\,{11 / fps}):s=48000", "-t", seconds,
           *(codec or ("-c:v", "libx264", "-qp", 0, "-preset", "ultrafast")), "-c:a", "aac", "-b:a", "192k", path)
    return path


def flashes_and_beeps(luma, samples, fps, rate):
    """The times of what is bright and of what is loud, from mean lumas and 16-bit samples."""
    flashes = [k / fps for k, mean in enumerate(luma) if mean > 128]
    beeps, quiet = [], rate
    for i, sample in enumerate(samples):
        if abs(sample) > 6000:
            if quiet > rate // 10:
                beeps.append(i / rate)
            quiet = 0
        else:
            quiet += 1
    return flashes, beeps


def flashes_and_beeps_of(*inputs, fps=25):
    """The same of what ffmpeg decodes of one file, or of one with the pictures and one with the sound."""
    luma = ffmpeg("-i", inputs[0], "-map", "0:v", "-vf", "scale=1:1:flags=area,format=gray", "-f", "rawvideo", "-")
    sound = ffmpeg("-i", inputs[-1], "-map", "0:a", "-ac", 1, "-ar", 48000, "-f", "s16le", "-")
    return flashes_and_beeps(luma, array.array("h", sound), fps, 48000)


def terminate(process):
    process.popen.terminate()
    return process.wait(60)


def last_line(process):
    return [line for line in process.said().splitlines() if line.startswith("{")][-1]


def publish(crew, source, url, *how):
    return crew.start(["ffmpeg", "-nostdin", "-v", "error", "-re", "-i", source, "-c", "copy", *how, url])

