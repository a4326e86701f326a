"""The bridges of SDI cards, on cards that are not there: tests/cards/ plays the card. That the DeckLink one
is played as Blackmagic's would be is judged first by Debian's own decklinkvideosrc, which knows neither this
project nor its description of the card's library."""
import contextlib
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from stage import PATIENCE, Server, await_true
from test_framecache_service import CLIENTS, Cache

pytestmark = pytest.mark.real_time("cards do not wait")

BUILD = CLIENTS.parent
CARDS = BUILD / "tests" / "cards"
DECKLINK = BUILD / "helpers" / "decklink-bridge" / "decklink-bridge"
DELTACAST = BUILD / "helpers" / "deltacast-bridge" / "deltacast-bridge"


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FAKE_CARD")}
    return {**kept, "LD_LIBRARY_PATH": str(CARDS), **{name: str(value) for name, value in more.items()}}


class Bridge:
    def __init__(self, program, script, log, options, env):
        self.log = log
        self.popen = subprocess.Popen([program, *map(str, options)], env=environment(FAKE_CARD=script, **env),
                                      stderr=open(log, "w"), stdout=subprocess.PIPE, text=True)

    def said(self):
        return self.log.read_text()

    def await_said(self, pattern, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.said()):
            assert time.monotonic() < end and self.popen.poll() is None, self.said()
            time.sleep(0.02)

    def end(self):
        self.popen.send_signal(signal.SIGTERM)
        assert self.popen.wait(PATIENCE) == 0, self.said()


@pytest.fixture
def bridge(tmp_path):
    running = []

    def start(script, *options, program=DECKLINK, slot="sdi", **env):
        log = tmp_path / f"bridge-{len(running)}.log"
        running.append(Bridge(program, script, log, [*(["--slot", slot] if slot else []), *options], env))
        return running[-1]
    yield start
    for one in running:
        one.popen.kill()
        one.popen.wait()


@pytest.fixture
def check():
    """frametest --check, from the oldest frame that is there."""
    running = []

    def start(*options, slot="sdi"):
        running.append(subprocess.Popen([CLIENTS / "frametest", "--check", "--all", *map(str, options), slot],
                                        stdout=subprocess.PIPE, text=True))
        return running[-1]
    yield start
    for one in running:
        one.kill()
        one.wait()


def told(process, seconds=60):
    return json.loads(process.communicate(timeout=seconds)[0])


@pytest.fixture
def cache(slots, serve):  # noqa: F811
    return Cache(serve({"framecache.listen": f"127.0.0.1:0, unix:{slots}/door", "framecache.dir": slots}))


def await_reading(reader, cache, slot="sdi"):
    """It has the slot open, and some frames have come since."""
    path = cache.get(f"/slots/{slot}")["shm_path"]
    await_true(lambda: path in pathlib.Path(f"/proc/{reader.pid}/maps").read_text(), 20)
    cursor = cache.get(f"/slots/{slot}")["write_cursor"]
    await_true(lambda: cache.get(f"/slots/{slot}")["write_cursor"] > cursor + 15, 20)


def api(cache):
    return ("--api", f"http://127.0.0.1:{cache.port}")


# --- the judge of the fake card -------------------------------------------------------------------


def gst(*pipeline, script, **env):
    gst = shutil.which("gst-launch-1.0")
    if not gst or subprocess.run(["gst-inspect-1.0", "decklinkvideosrc"], capture_output=True).returncode:
        pytest.skip("gstreamer1.0-plugins-bad is not installed")
    done = subprocess.run([gst, "-v", *pipeline], env=environment(FAKE_CARD=script, **env), timeout=60, text=True,
                          capture_output=True)
    assert done.returncode == 0, done
    return done.stdout


def bits_of(frame, width, height):
    """The number that clients/test_card.h has drawn into the top of an UYVY frame."""
    row = frame[(height // 32) * width * 2:][:width * 2]
    number = 0
    for block in range(64):
        x = block * width // 64 + width // 128
        number = number << 1 | (row[x * 2 + 1] > 125)
    return number


@pytest.mark.parametrize("mode,name,size,rate", [
    ("720p50", "720p50", (1280, 720), "50/1"), ("1080p5994", "1080p59.94", (1920, 1080), "60000/1001"),
    ("pal", "PAL", (720, 576), "25/1")])
def test_gstreamer_takes_the_fake_card_for_a_decklink(tmp_path, mode, name, size, rate):
    out = tmp_path / "video"
    caps = gst("decklinkvideosrc", f"mode={mode}", "num-buffers=12", "!", "filesink", f"location={out}",
               script=f"{name}:0")
    width, height = size
    assert f"width=(int){width}, height=(int){height}" in caps and f"framerate=(fraction){rate}" in caps
    frames = out.read_bytes()
    assert len(frames) == 12 * width * height * 2
    numbers = [bits_of(frames[i * width * height * 2:], width, height) for i in range(12)]
    # Its own queue drops under load.
    assert numbers == sorted(set(numbers)) and numbers[-1] < 200


def test_gstreamer_hears_16_channels_and_sees_the_format(tmp_path):
    out = tmp_path / "sound"
    caps = gst("decklinkvideosrc", "mode=auto", "num-buffers=35", "!", "fakesink", "decklinkaudiosrc", "channels=16",
               "num-buffers=30", "!", "filesink", f"location={out}", script="1080p25:0")
    assert "channels=(int)16" in caps and "S32LE" in caps
    assert "width=(int)1920, height=(int)1080" in caps, "told of the change from the mode it began with"
    samples = memoryview(out.read_bytes()).cast("i")
    assert any(samples), "the beep"
    # Each channel is one sample ahead of the one before.
    column = lambda c: list(samples[c::16])  # noqa: E731
    assert column(0)[1:400] == column(1)[:399] != column(0)[:399]


# --- the bridge ----------------------------------------------------------------------------------


@pytest.mark.parametrize("script,fmt,channels,wanted", [
    ("720p50:0", "uyvy422", 2, {"width": 1280, "height": 720, "fps_num": 50, "fps_den": 1}),
    ("PAL:0", "v210", 16, {"width": 720, "height": 576, "fps_num": 25, "fps_den": 1}),
    ("NTSC:0", "uyvy422", 8, {"width": 720, "height": 486, "fps_num": 30000, "fps_den": 1001}),
    ("1080p25:0", "v210", 0, {"width": 1920, "height": 1080}),
    ("1080i50:0", "uyvy422", 2, {"width": 1920, "height": 1080, "fps_num": 25, "fps_den": 1})],
    ids=["720p50", "pal-v210-16", "ntsc-8", "1080p25-v210-0", "1080i50"])
def test_frames_and_sound_are_exactly_the_cards(cache, bridge, check, script, fmt, channels, wanted):
    card = bridge(script, *api(cache), "--format", fmt, "--channels", channels)
    slot = cache.await_slot("sdi", state="live", source_type="sdi", pixel_format=fmt, audio_channels=channels)
    assert {name: slot[name] for name in wanted} == wanted
    seen = told(check("--frames", 40))
    assert seen["read"] == 40 and seen["wrong"] == seen["sound_wrong"] == seen["made_up"] == 0, seen
    card.end()
    assert cache.ask("GET", "/slots/sdi")[0] == 404, "given back"


def test_a_signal_goes_and_comes_back(cache, bridge, check):
    card = bridge("720p50:40 none:60 720p50:0", *api(cache))
    reader = check("--frames", 160)
    cache.await_slot("sdi", state="no-signal")
    cache.await_slot("sdi", state="live")
    seen = told(reader)
    assert seen["wrong"] == seen["sound_wrong"] == seen["lost"] == 0, seen
    assert seen["made_up"] == 60 and seen["flagged"] == 1, "the first frame after them"
    assert re.findall(r"slot=sdi (signal|no signal)\n", card.said()) == ["no signal", "signal"]
    card.end()


@pytest.mark.parametrize("policy", ["black", "stop"])
def test_without_a_signal_there_is_what_was_asked_for(cache, bridge, check, policy):
    card = bridge("720p50:20 none:100 720p50:0", *api(cache), "--no-signal", policy)
    cache.await_slot("sdi", state="no-signal")
    if policy == "stop":
        # For longer than a writer may be silent: it is not taken for stalled.
        while (slot := cache.get("/slots/sdi"))["state"] == "no-signal":
            assert slot["write_cursor"] == 20
            time.sleep(0.02)
        assert slot["state"] == "live"
    cache.await_slot("sdi", state="live")
    seen = told(check("--frames", 60))
    assert seen["wrong"] == seen["sound_wrong"] == 0 and (seen["made_up"] > 0) == (policy == "black"), seen
    card.end()


def test_a_format_that_changes_is_another_slot(cache, bridge, check):
    card = bridge("720p50:100 1080p25:0", *api(cache))
    first = cache.await_slot("sdi", state="live", height=720)
    reader = check()
    second = cache.await_slot("sdi", state="live", height=1080)
    assert second["generation"] > first["generation"]
    seen = told(reader)
    assert seen["wrong"] == seen["sound_wrong"] == 0 and seen["ended"] in ("closed", "superseded"), seen
    assert seen["read"] >= 60
    seen = told(check("--frames", 30))
    assert seen["read"] == 30 and seen["wrong"] == seen["sound_wrong"] == 0, seen
    card.end()


def test_frames_that_the_card_drops_are_counted_and_made_up(cache, bridge, check):
    card = bridge("720p50:30 lost:5 720p50:30 lost:100 720p50:0", *api(cache))
    reader = check("--frames", 100)
    seen = told(reader)
    assert seen["wrong"] == seen["sound_wrong"] == seen["lost"] == 0 and seen["made_up"] == 5, seen
    slot = cache.get("/slots/sdi")
    assert slot["dropped_frames"] == 105
    card.end()


def test_a_card_that_is_late_or_hangs_is_told(cache, bridge):
    card = bridge("720p50:30 late:40 720p50:10 hang:100 720p50:0", *api(cache))
    cache.await_slot("sdi", state="stalled")
    cache.await_slot("sdi", state="live")
    card.end()


def test_a_bridge_that_is_killed_goes_on_in_its_slot(cache, bridge, check):
    card = bridge("720p50:0", *api(cache))
    before = cache.await_slot("sdi", state="live")
    reader = check("--frames", 150)
    await_reading(reader, cache)
    card.popen.kill()
    cache.await_slot("sdi", state="dead")
    again = bridge("720p50:0", *api(cache))
    again.await_said("goes on 1280x720")
    after = cache.await_slot("sdi", state="live")
    assert after["generation"] == before["generation"] and after["writers"] == 2
    seen = told(reader)
    assert seen["wrong"] == seen["sound_wrong"] == 0 and seen["flagged"] == 1, seen
    again.end()


def test_the_service_may_come_later_and_go(slots, bridge, crew, tmp_path, check):  # noqa: F811
    server = Server(crew, tmp_path, {"framecache.listen": f"127.0.0.1:0, unix:{slots}/door", "framecache.dir": slots})
    cache = Cache(server)
    nowhere = bridge("720p50:0", "--api", f"unix:{slots}/later")
    nowhere.await_said(r"no slot yet, asking again each second: no answer from unix:\S+: No such file")
    os.link(slots / "door", slots / "later")
    cache.await_slot("sdi", state="live")
    server.stop()
    seen = told(check("--frames", 30))
    assert seen["read"] == 30 and seen["wrong"] == seen["sound_wrong"] == 0
    nowhere.popen.send_signal(signal.SIGTERM)
    assert nowhere.popen.wait(PATIENCE) == 0
    assert "slot not given back" in nowhere.said()


def test_a_service_that_answers_byte_by_byte_is_given_up(slots, bridge, tmp_path):  # noqa: F811
    with socket.create_server(("127.0.0.1", 0)) as server:
        def trickle():
            peer, _ = server.accept()
            with peer, contextlib.suppress(OSError):
                for _ in range(300):
                    peer.send(b"H")
                    time.sleep(0.25)
        threading.Thread(target=trickle, daemon=True).start()
        card = bridge("720p50:0", "--api", f"http://127.0.0.1:{server.getsockname()[1]}")
        card.await_said(r"no slot yet, asking again each second: no answer from http://127.0.0.1:\d+: Connection timed out")
        card.popen.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("rows", [-2560, 0, 2558, -9223372036854775808])
def test_rows_that_cannot_be_are_left_out(slots, bridge, rows):  # noqa: F811
    card = bridge("720p50:0", "--api", "none", FAKE_CARD_ROWS=rows)
    card.await_said(f"the card's frames have rows of {rows} bytes: left out")
    card.end()


def test_a_slot_that_is_taken_away_ends_the_bridge(cache, bridge):
    card = bridge("720p50:0", *api(cache))
    cache.await_slot("sdi", state="live")
    assert cache.ask("DELETE", "/slots/sdi?force=1")[0] == 204
    assert card.popen.wait(PATIENCE) == 1
    assert "fault: the slot was taken away" in card.said()


def test_a_second_bridge_is_refused(cache, bridge):
    first = bridge("720p50:0", *api(cache))
    cache.await_slot("sdi", state="live")
    second = bridge("720p50:0", *api(cache))
    assert second.popen.wait(PATIENCE) == 1
    assert "a living writer has this slot" in second.said()
    assert cache.get("/slots/sdi")["state"] == "live"
    first.end()


@pytest.mark.parametrize("env,options,fault", [
    ({"LD_LIBRARY_PATH": "/nonexistent"}, (), r"libDeckLinkAPI.so.*comes with Blackmagic's Desktop Video"),
    ({}, ("--library", "libc.so.6"), "has no CreateDeckLinkIteratorInstance_0004"),
    ({"FAKE_CARD_NO_DRIVER": 1}, (), "driver is not loaded"), ({"FAKE_CARDS": 0}, (), "there is no card"),
    ({}, ("--device", "7"), "there is no card 7; --list names the 1 that is here"),
    ({"FAKE_CARD_BUSY": 1}, (), "another program may have it"),
    ({"FAKE_CARD_DETECTION": 0}, (), "cannot tell what comes in; say --mode"),
    ({}, ("--mode", "4k1"), "no mode 4k1")],
    ids=["no-library", "other-library", "no-driver", "no-card", "no-such-card", "busy", "no-detection", "no-mode"])
def test_what_is_missing_is_said(slots, bridge, env, options, fault):  # noqa: F811
    card = bridge("720p50:0", "--api", "none", *options, **env)
    assert card.popen.wait(PATIENCE) == 1
    assert re.search(fault, card.said()), card.said()
    assert list(slots.iterdir()) == []


@pytest.mark.parametrize("options", [("--slot", "../x"), ("--sink", "tape"), ("--channels", "3"), ("--api", "ftp://x"),
                                     ("--format", "rgba"), ("--no-signal", "panic"), ("more",), ("--depth", "1")])
def test_options_that_make_no_sense_are_refused(slots, bridge, options):  # noqa: F811
    card = bridge("720p50:0", *options)
    assert card.popen.wait(PATIENCE) == 2
    assert re.fullmatch(r"decklink-bridge: [\w-]+.*: \S+ makes no sense; expected .+\n", card.said())


def test_a_slot_must_be_named(bridge):
    card = bridge("720p50:0", slot=None)
    assert card.popen.wait(PATIENCE) == 2
    assert card.said() == "decklink-bridge: --slot is missing; --help says what there is\n"


def test_cards_are_listed_and_chosen_by_name(cache, bridge):
    card = bridge("720p50:0", "--list", slot=None, FAKE_CARDS=2)
    assert card.popen.communicate(timeout=PATIENCE)[0] == "0\tDeckLink Fake (1)\n1\tDeckLink Fake (2)\n"
    card = bridge("1080p25:0", *api(cache), "--device", "DeckLink Fake (2)", "--mode", "1080p25",
                  FAKE_CARDS=2, FAKE_CARD_DETECTION=0)
    cache.await_slot("sdi", state="live", height=1080)
    card.end()


# --- pipes beside the slot -----------------------------------------------------------------------


def numbers_in(video, width, height, frames):
    size = width * height * 2
    got = []
    for _ in range(frames):
        frame = video.read(size)
        assert len(frame) == size
        got.append(bits_of(frame, width, height))
    return got


@pytest.mark.parametrize("sink", ["fifo,shm", "fifo"])
def test_frames_go_into_pipes_too(cache, bridge, check, tmp_path, sink):
    pipes = ("--sink", sink, "--video-fifo", tmp_path / "v", "--audio-fifo", tmp_path / "a")
    card = bridge("720p50:0", *api(cache), *pipes)
    if sink == "fifo":
        card.await_said("format 1280x720")
        assert cache.names() == []
    else:
        cache.await_slot("sdi", state="live")
    with open(tmp_path / "v", "rb") as video, open(tmp_path / "a", "rb") as audio:
        numbers = numbers_in(video, 1280, 720, 60)
        sound = memoryview(audio.read(960 * 2 * 4 * 60)).cast("i")
        assert numbers == sorted(numbers) and numbers[-1] - numbers[0] == 59, "counts are exact"
        # The beep lies where its frames are: in the first tenth of a second.
        for i, number in enumerate(numbers):
            loud = any(sound[i * 1920:(i + 1) * 1920])
            assert loud == (number % 50 < 5), (i, number)
        if sink != "fifo":
            seen = told(check("--frames", 20))
            assert seen["wrong"] == seen["sound_wrong"] == 0
    card.end()


def test_a_pipe_that_nobody_empties_costs_the_slot_nothing(cache, bridge, check, tmp_path):
    pipes = ("--sink", "fifo,shm", "--video-fifo", tmp_path / "v", "--audio-fifo", tmp_path / "a", "--depth", 40)
    card = bridge("720p50:0", *api(cache), *pipes)
    cache.await_slot("sdi", state="live")
    with open(tmp_path / "v", "rb") as video:
        first = numbers_in(video, 1280, 720, 1)[0]
        seen = told(check("--frames", 100))
        assert seen["wrong"] == seen["lost"] == 0 and seen["read"] == 100, seen
        # What it missed is made up: as many frames as passed.
        numbers = [first, *numbers_in(video, 1280, 720, 140)]
        assert len(set(numbers)) < 141 and numbers == sorted(numbers)
        jump = next(i for i in range(1, 141) if numbers[i] - numbers[i - 1] > 1)
        # It fell behind by so many frames, and has written so many of the one before.
        assert numbers[jump] - numbers[0] == jump, (jump, numbers)
    card.end()


def test_what_is_no_pipe_is_left_alone(slots, bridge, tmp_path):  # noqa: F811
    (tmp_path / "v").write_text("mine")
    card = bridge("720p50:0", "--api", "none", "--sink", "fifo", "--video-fifo", tmp_path / "v")
    assert card.popen.wait(PATIENCE) == 1
    assert "is there and is no FIFO" in card.said() and (tmp_path / "v").read_text() == "mine"


def test_timecode_comes_with_the_frame(cache, bridge):
    library = ctypes.CDLL(str(BUILD / "lib" / "libfc_client.so.2"))
    library.fc_open.restype = ctypes.c_void_p

    class Frame(ctypes.Structure):
        _fields_ = [("pts_us", ctypes.c_uint64), ("wall_us", ctypes.c_uint64), ("size", ctypes.c_uint32),
                    ("flags", ctypes.c_uint32), ("index", ctypes.c_uint64), ("mono_ns", ctypes.c_uint64),
                    ("timecode", ctypes.c_uint32)]
    card = bridge("720p59.94:0", *api(cache))
    cache.await_slot("sdi", state="live")
    slot = ctypes.c_void_p(library.fc_open(b"sdi"))
    for _ in range(5):
        frame = ctypes.POINTER(Frame)()
        assert library.fc_read_frame(slot, ctypes.byref(frame), ctypes.c_uint64(60000)) == 0
        at = frame.contents
        number = round(at.pts_us * 60000 / 1001 / 1e6)
        code = at.timecode
        assert code >> 31 == 1, "drop frame"
        digits = [(code & 0x7fffffff) >> shift & 0xff for shift in (24, 16, 8, 0)]
        hours, minutes, seconds, frames = [digit >> 4 for digit in digits] and [
            (digit >> 4) * 10 + (digit & 15) for digit in digits]
        assert ((hours - 10) * 3600 + minutes * 60 + seconds) * 60 + frames == number
    library.fc_close(slot)
    card.end()


# --- DELTACAST: the same, on a fake that nobody else has judged ------------------------------------


@pytest.fixture
def deltacast(bridge):
    def start(script, *options, **more):
        return bridge(script, *(() if "--device" in options else ("--device", "1")), *options, program=DELTACAST, **more)
    return start


@pytest.mark.parametrize("script,fmt,channels,wanted", [
    ("720p50:0", "uyvy422", 16, {"width": 1280, "height": 720, "fps_num": 50, "fps_den": 1}),
    ("1080p25:0", "v210", 8, {"width": 1920, "height": 1080, "fps_num": 25, "fps_den": 1}),
    ("720p59.94:0", "uyvy422", 2, {"width": 1280, "height": 720, "fps_num": 60000, "fps_den": 1001}),
    ("PAL:0", "uyvy422", 0, {"width": 720, "height": 576})], ids=["720p50-16", "1080p25-v210-8", "720p59.94", "pal-0"])
def test_deltacast_frames_and_sound_are_exactly_the_cards(cache, deltacast, check, script, fmt, channels, wanted):
    card = deltacast(script, *api(cache), "--format", fmt, "--channels", channels)
    slot = cache.await_slot("sdi", state="live", pixel_format=fmt, audio_channels=channels)
    assert {name: slot[name] for name in wanted} == wanted
    # Its times begin with the stream, the card's own numbers with the wire: so the picture says which it is.
    seen = told(check("--frames", 40, "--picture"))
    assert seen["read"] == 40 and seen["wrong"] == seen["sound_wrong"] == 0, seen
    card.end()
    assert cache.ask("GET", "/slots/sdi")[0] == 404


def test_deltacast_signal_and_format(cache, deltacast, check):
    card = deltacast("none:20 720p50:100 none:100 720p50:150 1080p25:0", *api(cache))
    assert cache.names() == []
    first = cache.await_slot("sdi", state="live", height=720)
    reader = check("--picture")
    cache.await_slot("sdi", state="no-signal")
    assert cache.await_slot("sdi", state="live")["generation"] == first["generation"]
    second = cache.await_slot("sdi", state="live", height=1080)
    assert second["generation"] > first["generation"]
    seen = told(reader)
    assert seen["wrong"] == seen["sound_wrong"] == 0 and seen["made_up"] > 20 and seen["flagged"] >= 1, seen
    card.end()


def test_deltacast_dropped_frames_are_counted(cache, deltacast, check):
    card = deltacast("720p50:100 lost:5 720p50:0", *api(cache))
    seen = told(check("--frames", 120, "--picture"))
    assert seen["wrong"] == seen["sound_wrong"] == 0, seen
    end = time.monotonic() + PATIENCE
    while cache.get("/slots/sdi")["dropped_frames"] < 5:
        assert time.monotonic() < end
        time.sleep(0.02)
    card.end()


@pytest.mark.parametrize("env,options,fault", [
    ({"LD_LIBRARY_PATH": "/nonexistent"}, (), r"libvideomasterhd.so.*comes with DELTACAST's VideoMaster"),
    ({}, ("--library", "libc.so.6"), "the library has no VHD_GetApiInfo"),
    ({"FAKE_CARD_NO_DRIVER": 1}, (), "driver is not loaded"), ({"FAKE_CARDS": 0}, (), "there is no card"),
    ({}, ("--device", "3:0"), "no board 3 of 1"), ({}, ("--device", "5"), "the board has 2 inputs, and no 5"),
    ({}, ("--device", "x"), "BOARD:INPUT")],
    ids=["no-library", "other-library", "no-driver", "no-card", "no-board", "no-input", "no-device"])
def test_deltacast_says_what_is_missing(slots, deltacast, env, options, fault):  # noqa: F811
    card = deltacast("720p50:0", "--api", "none", *options, **env)
    assert card.popen.wait(PATIENCE) == 1
    assert re.search(fault, card.said()), card.said()


def test_deltacast_boards_are_listed(deltacast):
    card = deltacast("720p50:0", "--list", slot=None)
    assert card.popen.communicate(timeout=PATIENCE)[0] == "0:0\tboard 0, 2 inputs\n"
