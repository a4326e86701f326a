"""capture-manager, with real ffmpeg behind its pipes: three feeds of one slot agree on every frame and on what is
heard with it; who stands still, dies or is slow costs the others nothing."""

import json
import os
import pathlib
import shutil
import signal
import socket
import time

import pytest

from slot_reader import (CAPTURE_MANAGER, NET_INGEST, Slot, ffmpeg, flashes_and_beeps_of, frame_hashes, last_line,
                         make_flashes, terminate)
from stage import CLIENTS, PATIENCE, await_true, run

pytestmark = pytest.mark.real_time("writers of a slot wait for nobody")
HERE = pathlib.Path(__file__).resolve().parent
ENCODE = "ffmpeg -nostdin -v error -y {input} "
KEEP = ENCODE + "-fps_mode passthrough -c:v ffv1 ?-c:a ?pcm_s32le -f matroska {out}/{name}-{run}.mkv"


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def manager(crew, out, *args):
    return crew.start([CAPTURE_MANAGER, "--out", out, *args, "s"], "capture-manager")


def only(*feeds):
    """Nothing but these."""
    args = ["--without", "master", "--without", "proxy", "--without", "preview"]
    for feed in feeds:
        args += ["--feed", feed]
    return args


def card(crew, *args, fps=25, size="128x64"):
    return crew.start([CLIENTS / "frametest", "--size", size, "--fps", fps, *args, "s"], "frametest")


def status(out):
    try:
        return {feed["name"]: feed for feed in json.loads((out / "s.status.json").read_text())["feeds"]}
    except FileNotFoundError:
        return {}


def await_feeds(out, condition, seconds=20):
    return await_true(lambda: status(out) and condition(status(out)) and status(out), seconds, lambda: status(out))


def await_waiting(out, count):
    return await_feeds(out, lambda feeds: [f["state"] for f in feeds.values()] == ["waiting"] * count)


def count_frames(path):
    return int(run(["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-show_entries",
                    "stream=nb_read_frames", "-of", "csv=p=0", path]).stdout.split(b"\n")[0].strip(b",\n side_t"))


def number_of(luma, width):
    """The number that the test card carries in its upper rows."""
    number = 0
    for bit in range(64):
        number = number << 1 | (luma[2 * width + (2 * bit + 1) * width // 128] > 128)
    return number


def numbers_in(*how):
    """Those of all pictures that ffmpeg decodes, 128x64."""
    luma = ffmpeg(*how, "-map", "0:v", "-fps_mode", "passthrough", "-vf", "format=yuv422p,extractplanes=y", "-f",
                  "rawvideo", "-")
    return [number_of(luma[at:at + 128 * 64], 128) for at in range(0, len(luma), 128 * 64)]


def test_three_feeds_agree_on_flash_and_beep(crew, slots, out, tmp_path):
    """From a file through net_ingest and the slot to master, proxy and preview as they come out of the box."""
    clip = make_flashes(tmp_path / "flashes.mkv")
    process = manager(crew, out, "--once")
    await_waiting(out, 3)
    # All of it is in the ring, however late one of them is.
    source = crew.start([NET_INGEST, "--api", "none", "--depth", 200, "s", clip], "net_ingest")
    assert source.wait(60) == 0, source.said()
    assert process.wait(60) == 0, process.said()
    feeds = {feed["name"]: feed for feed in json.loads(last_line(process))["feeds"]}
    assert [feeds[name]["frames"] for name in ("master", "proxy", "preview")] == [100, 100, 100]
    assert all(feed["lost"] == feed["restarts"] == 0 for feed in feeds.values())
    assert count_frames(out / "s-master-1.m2v") == count_frames(out / "s-proxy-1.mp4") == 100
    assert count_frames(out / "s-preview.m3u8") == 100
    for files in ((out / "s-master-1.m2v", out / "s-master-1.wav"), (out / "s-proxy-1.mp4",),
                  (out / "s-preview.m3u8",)):
        flashes, beeps = flashes_and_beeps_of(*files)
        assert len(flashes) == len(beeps) == 4, files
        # The preview's times begin where its muxer likes, for pictures and sound alike.
        assert all(abs(flash - beep) <= 1 / 25 for flash, beep in zip(flashes, beeps)), (files, flashes, beeps)


@pytest.mark.parametrize("raw", [False, True], ids=["nut", "raw"])
@pytest.mark.parametrize("name", ["uyvy422", "v210", "nv12", "p010", "rgba"])
def test_pictures_and_sound_arrive_as_they_are(crew, slots, out, name, raw):
    process = manager(crew, out, "--once", *only(f"keep={KEEP}"), *(["--raw", "keep"] if raw else []))
    await_waiting(out, 1)
    assert card(crew, "--format", name, "--frames", 50, "--depth", 200).wait(30) == 0
    assert process.wait(30) == 0, process.said()
    slot, made = Slot(slots / "s"), out / "keep-1.mkv"
    pixels = {"v210": ["-f", "v210"]}.get(name, ["-f", "rawvideo", "-pix_fmt", "p010le" if name == "p010" else name])
    (out / "pixels").write_bytes(b"".join(slot.pixels(k) for k in range(50)))
    shown = run(["ffprobe", "-v", "error", "-show_entries", "stream=pix_fmt", "-of", "csv=p=0", made]).stdout
    kept = shown.decode().split("\n")[0].strip()
    expected = [line.split(",")[-1] for line in ffmpeg(
        *pixels, "-video_size", "128x64", "-i", out / "pixels", "-pix_fmt", kept, "-f", "framemd5",
        "-").decode().splitlines() if line[0] != "#"]
    assert [h.strip() for h in expected] == frame_hashes(made)
    sound = ffmpeg("-i", made, "-map", "0:a", "-f", "s32le", "-")
    first = [int.from_bytes(sound[at:at + 4], "little", signed=True) for at in range(0, len(sound), 8)]
    assert first == [sample for k in range(50) for sample in slot.sound(k)]


def test_a_stopped_ffmpeg_costs_the_others_nothing(crew, slots, out):
    process = manager(crew, out, "--once", *only(f"a={KEEP}", f"b={KEEP}", f"stopped={KEEP}"))
    await_waiting(out, 3)
    writer = card(crew, "--seconds", 9, "--depth", 60, size="320x180")
    feeds = await_feeds(out, lambda feeds: all(feed["frames"] > 20 for feed in feeds.values()))
    os.kill(feeds["stopped"]["pid"], signal.SIGSTOP)
    # The others keep up: on a busy machine not at each moment.
    feeds = await_feeds(out, lambda feeds: feeds["stopped"]["lag_frames"] > 75 and
                        feeds["a"]["lag_frames"] < 15 and feeds["b"]["lag_frames"] < 15)
    assert feeds["stopped"]["lag_ms"] == feeds["stopped"]["lag_frames"] * 40
    os.kill(feeds["stopped"]["pid"], signal.SIGCONT)
    assert writer.wait(30) == 0 and process.wait(30) == 0, process.said()
    feeds = {feed["name"]: feed for feed in json.loads(last_line(process))["feeds"]}
    for name in ("a", "b"):
        assert feeds[name]["lost"] == 0 and count_frames(out / f"{name}-1.mkv") == 225
    lost = feeds["stopped"]["lost"]
    assert lost > 10 and feeds["stopped"]["frames"] == 225 - lost == count_frames(out / "stopped-1.mkv")
    # Where frames are gone there is a gap in time, and the sound of it is silence: the end is in its place.
    ends = run(["ffprobe", "-v", "error", "-show_entries", "packet=codec_type,pts_time", "-of", "csv=p=0",
                out / "stopped-1.mkv"]).stdout.decode().split()
    assert max(float(line.split(",")[1]) for line in ends if line.startswith("video")) == pytest.approx(224 / 25)
    assert max(float(line.split(",")[1]) for line in ends if line.startswith("audio")) == pytest.approx(9, abs=0.1)


def test_bare_pictures_are_repeated_so_that_the_count_stays(crew, slots, out):
    process = manager(crew, out, "--once", *only("raw=tee {out}/pixels"), "--raw", "raw")
    await_waiting(out, 1)
    writer = card(crew, "--seconds", 4, "--depth", 40, "--channels", 0, fps=200)
    feeds = await_feeds(out, lambda feeds: feeds["raw"]["frames"] > 100)
    os.kill(feeds["raw"]["pid"], signal.SIGSTOP)
    await_feeds(out, lambda feeds: feeds["raw"]["lag_frames"] > 150)
    os.kill(feeds["raw"]["pid"], signal.SIGCONT)
    assert writer.wait(30) == 0 and process.wait(30) == 0, process.said()
    feed = json.loads(last_line(process))["feeds"][0]
    numbers = numbers_in("-f", "rawvideo", "-pix_fmt", "uyvy422", "-video_size", "128x64", "-i", out / "pixels")
    assert len(numbers) == 800 and numbers[0] == 0 and numbers[-1] == 799
    assert feed["lost"] == feed["repeated"] > 20 and feed["frames"] + feed["repeated"] == 800
    wrong = [k for k, number in enumerate(numbers) if number != k]
    assert len(wrong) == feed["repeated"]
    assert all(numbers[k] == numbers[k - 1] for k in wrong), "the one before, again"


def test_an_ffmpeg_that_dies_is_started_again(crew, slots, out):
    process = manager(crew, out, "--once", *only(f"a={KEEP}", f"killed={KEEP}"))
    await_waiting(out, 2)
    writer = card(crew, "--seconds", 5, "--depth", 100)
    feeds = await_feeds(out, lambda feeds: feeds["killed"]["frames"] > 20)
    os.kill(feeds["killed"]["pid"], signal.SIGKILL)
    feeds = await_feeds(out, lambda feeds: feeds["killed"]["run"] == 2 and feeds["killed"]["frames"] > 50)
    assert feeds["killed"]["restarts"] == 1
    assert writer.wait(30) == 0 and process.wait(30) == 0, process.said()
    assert "killed: its process has ended: by signal 9" in process.said()
    assert numbers_in("-i", out / "a-1.mkv") == list(range(125))
    second = numbers_in("-i", out / "killed-2.mkv")
    assert second == list(range(second[0], 125)) and second[0] < 60, "it goes on where it was in the ring"


def test_a_command_that_never_works_is_tried_more_and_more_rarely(crew, slots, out):
    process = manager(crew, out, "--once", *only(f"good={KEEP}", "none=no-such-program {input}", "bad=false"))
    await_waiting(out, 3)
    assert card(crew, "--seconds", 4).wait(30) == 0
    assert process.wait(30) == 1, "not all went well"
    said = process.said()
    assert "s: none: its command does not start: no-such-program: No such file or directory" in said
    assert "s: bad: its process has ended: with status 1" in said
    assert said.count("no-such-program: No such") <= 6
    assert count_frames(out / "good-1.mkv") == 100


def test_a_writer_that_dies_is_waited_for_and_one_of_another_shape_begins_a_new_file(crew, slots, out):
    process = manager(crew, out, *only(f"a={KEEP}"))
    await_waiting(out, 1)
    first = card(crew, "--depth", 100)
    await_feeds(out, lambda feeds: feeds["a"]["frames"] > 20)
    first.popen.kill()
    first.wait(10)
    where = Slot(slots / "s").cursor
    assert card(crew, "--open", "--start", 1000, "--frames", 30).wait(20) == 0
    await_feeds(out, lambda feeds: feeds["a"]["state"] == "waiting")
    assert numbers_in("-i", out / "a-1.mkv") == [*range(where), *range(1000, 1030)]
    assert card(crew, "--frames", 30, "--format", "nv12").wait(20) == 0
    await_feeds(out, lambda feeds: feeds["a"]["run"] == 2 and feeds["a"]["state"] == "waiting")
    assert numbers_in("-i", out / "a-2.mkv") == list(range(30))
    assert terminate(process) == 0, process.said()
    assert status(out)["a"]["state"] == "done"


def test_readers_are_known_by_the_names_of_their_feeds(crew, slots, out):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(slots / ".readers"))
        server.settimeout(PATIENCE)
        process = manager(crew, out, *only(f"first={KEEP}", f"second={KEEP}"))
        await_waiting(out, 2)
        card(crew)
        names, end = {b"first\0", b"second\0"}, time.monotonic() + PATIENCE
        said = b""
        while not all(name in said for name in names):
            assert time.monotonic() < end, said
            said += server.recv(4096)
    assert terminate(process) == 0, process.said()


def test_a_manager_that_is_started_again_writes_over_nothing(crew, slots, out):
    """Numbers of runs go on from the files that are there, for each feed by itself."""
    keep = ENCODE + "-c:v ffv1 -f matroska {out}/{slot}-{name}-{run}.mkv"
    (out / "s-keep-7-00002.ts").write_bytes(b"a segment")
    (out / "s-keeper-90.mkv").write_bytes(b"another's")
    made = []
    for wanted in (8, 9):
        process = manager(crew, out, "--once", *only(f"keep={keep}", f"new={keep}"))
        await_waiting(out, 2)
        assert card(crew, "--frames", 20, "--depth", 100).wait(30) == 0
        assert process.wait(30) == 0, process.said()
        assert [f["run"] for f in status(out).values()] == [wanted, wanted - 7]
        assert all(path.read_bytes() == before for path, before in made)
        made = [(path, path.read_bytes()) for path in out.glob("*.mkv")]
    assert {path.name for path, _ in made} == {"s-keep-8.mkv", "s-keep-9.mkv", "s-new-1.mkv", "s-new-2.mkv",
                                               "s-keeper-90.mkv"}


def test_told_to_end_it_leaves_whole_files(crew, slots, out):
    process = manager(crew, out, *only(f"a={KEEP}", f"stopped={KEEP}"))
    await_waiting(out, 2)
    card(crew, size="640x360")
    feeds = await_feeds(out, lambda feeds: all(feed["frames"] > 20 for feed in feeds.values()))
    begun = time.monotonic()
    assert terminate(process) == 0, process.said()
    assert time.monotonic() - begun < 50
    frames = json.loads(last_line(process))["feeds"][0]["frames"]
    assert abs(count_frames(out / "a-1.mkv") - frames) <= 1
    assert feeds["a"]["pid"] and not pathlib.Path(f"/proc/{feeds['a']['pid']}").exists()


@pytest.mark.parametrize("real", [False, True], ids=["stub", "bmx"])
def test_the_growing_workflow_is_as_it_was(crew, slots, out, real):
    """The orchestrator's own: pipes with names, ffmpeg's output into them, raw2bmx at the other end. Nothing of
    it knows where the pictures come from; what it writes can be read while it grows."""
    if real and not shutil.which("raw2bmx"):
        pytest.skip("raw2bmx is not installed; Debian 12 has no package of it")
    video, sound, made = out / "video.pipe", out / "sound.pipe", out / "growing.mxf"
    os.mkfifo(video)
    os.mkfifo(sound)
    process = manager(crew, out, "--once", *only(
        f"master={ENCODE} -map 0:v -c:v mpeg2video -pix_fmt yuv422p -b:v 50M -g 12 -f mpeg2video {{out}}/video.pipe "
        "-map 0:a -c:a pcm_s24le -f wav {out}/sound.pipe"))
    await_waiting(out, 1)
    orchestrator = crew.start(["raw2bmx" if real else HERE / "raw2bmx_stub.py", "-t", "rdd9", *(["--part", "25"]
                              if real else []), "-o", made, "--mpeg2lg_422p_hl_1080i", video, "--wave", sound])
    size = "1920x1080" if real else "640x360"
    writer = card(crew, "--seconds", 5, size=size)
    size = 0
    for _ in range(3):
        size = await_true(lambda: made.exists() and made.stat().st_size > size and made.stat().st_size, 20)
        assert writer.running(), "it has grown before the end"
    assert writer.wait(60) == 0 and process.wait(60) == 0, process.said()
    assert orchestrator.wait(60) == 0, orchestrator.said()
    if not real:
        assert int(orchestrator.said().split()[1]) == pytest.approx(5 * 48000 * 2 * 3, abs=200)


FAULTS = {
    "no-arguments": ([], "usage: capture-manager"),
    "slot": (["../x"], "../x: no slot"),
    "feed": (["--feed", "x", "s"], "--feed: expected NAME=COMMAND, found x"),
    "feed-name": (["--feed", "../x=cat", "s"], "../x is no name"),
    "without": (["--without", "x", "s"], "--without: there is no feed x"),
    "raw": (["--raw", "x", "s"], "--raw: there is no feed x"),
    "empty": (["--feed", "master= ", "s"], "the command of master: it is empty"),
    "quote": (["--feed", "master=cat 'x", "s"], "the command of master: a ' is not closed"),
    "brace": (["--feed", "master=cat {colour}", "s"], "nothing is known by the name of {colour}"),
    "nothing": (["--without", "master", "--without", "proxy", "--without", "preview", "s"], "nothing to feed"),
    "patience": (["--patience", "abc", "s"], "--patience: abc is no number of seconds from 0 to 86400"),
    "patience-sign": (["--patience", "-1", "s"], "--patience: -1 is no number of seconds"),
    "patience-huge": (["--patience", "4294968", "s"], "--patience: 4294968 is no number of seconds"),
    "out": (["--out", "/nonexistent", "s"], "/nonexistent: --out is no directory"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_of_use_is_named(name):
    args, said = FAULTS[name]
    done = run([CAPTURE_MANAGER, *args])
    assert done.returncode == 2 and said in done.stderr.decode(), done.stderr


def test_commands_are_words_and_no_shell(tmp_path):
    done = run([CAPTURE_MANAGER, "--commands", *only(
        r"""a=x 'two words' "three {slot} words" back\ slash $HOME;`id` '{slot}' ?sound"""), "s"])
    assert done.stdout.decode() == "x two words three s words back slash $HOME;`id` {slot} sound\n"
