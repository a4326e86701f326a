"""The frame cache's programs on real slots: what framecat writes is what ffmpeg makes of the same bytes, and
who is stopped or killed leaves the others as they were."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from stage import PATIENCE, await_true

CLIENTS = pathlib.Path(os.environ.get("RINGMAIN_CLIENTS",
                                      pathlib.Path(__file__).resolve().parents[2] / "build" / "clients"))
FRAMECAT, FRAMETEST = CLIENTS / "framecat", CLIENTS / "frametest"
pytestmark = pytest.mark.real_time("a ring holds two seconds, or less")
PIXELS = {"uyvy422": ("uyvy422", "yuv422p"), "v210": ("v210", "yuv422p10le"), "nv12": ("nv12", "yuv420p"),
          "p010": ("p010le", "yuv420p10le"), "rgba": ("rgba", "yuv444p")}


def run(*command, **options):
    return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60, **options)


def frametest(*options):
    done = run(FRAMETEST, *options)
    return done.returncode, json.loads(done.stdout)


def start(*command, **options):
    return subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            **options)


def report(process):
    out, err = process.communicate(timeout=60)
    return json.loads(out) if out.startswith(b"{") else err.decode()


def word(slot, at, size):
    return int.from_bytes(slot[at:at + size], "little")


def frame_bytes(path, k):
    """The pixels of frame k, found as the header says."""
    slot = path.read_bytes()
    at = word(slot, 88, 8) + k % word(slot, 32, 4) * word(slot, 96, 8) + word(slot, 104, 4)
    return slot[at:at + word(slot, 28, 4)]


def y4m_frames(data):
    header, rest = data.split(b"\n", 1)
    frames = rest.split(b"FRAME\n")
    assert frames[0] == b""
    return header.decode(), frames[1:]


def number_of(luma, width, wide=False):
    """The number that the test card carries in its upper rows."""
    number = 0
    for bit in range(64):
        x = (2 * bit + 1) * width // 128
        value = luma[2 * width + x] if not wide else int.from_bytes(luma[2 * (2 * width + x):][:2], "little") / 4
        number = number << 1 | (value > 128)
    return number


@pytest.mark.parametrize("name", PIXELS)
def test_y4m_is_what_ffmpeg_makes_of_the_same_bytes(slots, name):
    raw, planar = PIXELS[name]
    code, said = frametest("--size", "324x240", "--format", name, "--fps", 1000, "--frames", 7, "--depth", 9, "s")
    assert (code, said["written"]) == (0, 7)
    done = run(FRAMECAT, "--oldest", "s")
    assert done.returncode == 0, done.stderr
    header, frames = y4m_frames(done.stdout)
    assert header.startswith("YUV4MPEG2 W324 H240 F1000:1 Ip ")
    assert len(frames) == 7
    for k in (0, 6):
        codec = ["-f", "rawvideo", "-pix_fmt", raw] if name != "v210" else ["-f", "v210"]
        made = run("ffmpeg", "-v", "error", *codec, "-s", "324x240", "-i", "-", "-frames:v", 1,
                   *(["-vf", "scale=in_range=full:out_range=limited:out_color_matrix=bt709:flags=accurate_rnd"]
                     if name == "rgba" else []),
                   "-f", "rawvideo", "-pix_fmt", planar, "-", input=frame_bytes(slots / "s", k))
        assert made.returncode == 0, made.stderr
        assert len(made.stdout) == len(frames[k])
        if name == "rgba":  # two ways to round
            assert max(abs(a - b) for a, b in zip(made.stdout, frames[k])) <= 1
        else:
            assert made.stdout == frames[k]
        assert "10" in planar or name == "rgba" or number_of(frames[k], 324) == k


def test_readers_see_every_byte_as_it_was_drawn(slots):
    writer = start(FRAMETEST, "--size", "640x360", "--seconds", 3, "s")
    readers = [start(FRAMETEST, "--check", "--all", "s") for _ in range(3)]
    crawler = start(FRAMETEST, "--check", "--all", "--crawl", 250, "s")
    assert report(writer)["written"] == 179
    for reader in readers:
        said = report(reader)
        assert reader.returncode == 0, said
        assert said["wrong"] == said["sound_wrong"] == said["void"] == said["lost"] == 0
        assert said["read"] > 100 and said["ended"] == "closed"
    said = report(crawler)
    assert said["wrong"] == said["sound_wrong"] == 0


def test_lost_frames_are_repeated_so_that_the_count_stays(slots, tmp_path):
    """framecat stands still for longer than the ring is: what it writes still has one frame for each of the
    slot's, the last before the gap standing in for those that are gone."""
    out = tmp_path / "out.y4m"
    writer = start(FRAMETEST, "--size", "128x64", "--fps", 200, "--depth", 20, "--seconds", 2, "s")
    with open(out, "wb") as file:
        cat = subprocess.Popen([str(FRAMECAT), "s"], stdout=file, stderr=subprocess.PIPE)
        await_size(out, 50 * 16390)
        cat.send_signal(signal.SIGSTOP)
        time.sleep(0.4)  # 80 frames: how long it stands still is what is tested
        cat.send_signal(signal.SIGCONT)
        assert report(writer)["written"] == 400
        said = cat.communicate(timeout=60)[1].decode()
    assert cat.returncode == 0, said
    numbers = [number_of(frame, 128) for frame in y4m_frames(out.read_bytes())[1]]
    assert numbers[-1] == 399
    assert len(numbers) == 399 - numbers[0] + 1
    for at, number in enumerate(numbers):
        assert number == numbers[0] + at or number in numbers[:at]  # itself, or one that came before
    assert len(set(numbers)) < len(numbers) - 30, said


def await_size(path, size):
    await_true(lambda: path.stat().st_size >= size, 30)


def await_reading(reader, path):
    """It has the slot open, and some frames have come since."""
    await_true(lambda: str(path) in pathlib.Path(f"/proc/{reader.pid}/maps").read_text(), 20)
    cursor = word(path.read_bytes(), 40, 8)
    await_true(lambda: word(path.read_bytes(), 40, 8) > cursor + 20, 20)


def test_a_killed_writer_is_waited_for_and_followed(slots):
    first = start(FRAMETEST, "--size", "128x64", "s")
    reader = start(FRAMETEST, "--check", "s")
    await_reading(reader, slots / "s")
    first.kill()
    first.wait()
    code, said = frametest("--open", "--start", 1000, "--frames", 60, "s")
    assert code == 0
    said = report(reader)
    assert reader.returncode == 0, said
    assert said["ended"] == "closed" and said["wrong"] == said["sound_wrong"] == 0
    assert said["flagged"] == 1, "the first frame of the second writer, and no other"
    assert said["read"] > 60


@pytest.mark.parametrize("option", ["--frames", "--wait"])
@pytest.mark.parametrize("number", ["abc", "", "-1", "7x", "1e3", "99999999999999999999"])
def test_framecat_takes_numbers_only(slots, option, number):
    done = run(FRAMECAT, option, number, "s")
    said = done.stderr.decode()
    assert done.returncode == 2 and f"{option}: {number} is no number from " in said, said


def test_framecat_says_why_it_has_nothing(slots):
    done = run(FRAMECAT, "--wait", 0, "nobody")
    assert done.returncode == 1 and b"nobody: there is no slot of this name" in done.stderr
    assert run(FRAMECAT, "--wait", 0, "../etc").returncode == 1
    assert run(FRAMECAT).returncode == 2
    told = run(FRAMECAT, "--help")
    assert told.returncode == 0 and told.stdout.startswith(b"usage: framecat") and not told.stderr
    (slots / "rubbish").write_bytes(b"x" * 10000)
    assert run(FRAMECAT, "rubbish").returncode == 1


def test_a_picture_comes_through_ffmpeg(slots):
    """framecat studio1 | ffmpeg: the pipe that the manual shows."""
    assert shutil.which("ffmpeg")
    writer = start(FRAMETEST, "--size", "320x180", "--format", "v210", "--seconds", 2, "studio1")
    cat = start(FRAMECAT, "--frames", 60, "studio1")
    made = run("ffmpeg", "-v", "error", "-i", "-", "-f", "framemd5", "-", stdin=cat.stdout)
    assert made.returncode == 0, made.stderr
    lines = [line for line in made.stdout.decode().splitlines() if line and line[0] != "#"]
    assert len(lines) == 60 and len({line.split(",")[-1] for line in lines}) == 60
    assert cat.wait(timeout=PATIENCE) == 0
    assert report(writer)["written"] == 119
