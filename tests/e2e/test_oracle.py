"""Every byte that a listener gets is the one that the encoder sent, and stands at its place.

Encoders send numbered MP3 frames; a listener must hear a run of whole ones from its first byte on,
however the stream came in, with and without titles, on one worker and on several. Whoever reads too
slowly loses whole frames and nothing else."""

import signal

import pytest

from fault_harness import (Encoder, Listener, Server, assert_never_back, assert_whole, assert_whole_and_titled, await_,
                           frame_at, runs_of, swarm, swarm_report, swarm_start)

# 1280 kbit/s into a ring of 64 KiB: laps come within a second.
SMALL = {"radio.ring": "64k", "radio.burst": "8k", "radio.send_buffer": "4608", "radio.turn": "50ms"}
FAST = {"bitrate": 320, "speed": 4}


# --- ways in, ways out ---------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_every_listener_hears_every_frame(workers):
    with Server({"workers": workers}) as server, Encoder(server, title_every=0.5):
        report = assert_whole_and_titled(
            lambda seconds: swarm(server, listeners=150, icy=0.5, check=True, seconds=seconds), 75 * 2)
        assert report["check"]["icy_listeners"] == 75


@pytest.mark.parametrize("protocol", ["source", "put", "put-chunked", "shoutcast"])
@pytest.mark.parametrize("chop", [0, 1, 7, 1461])
def test_every_way_in_delivers_the_same(protocol, chop):
    mount = "/stream" if protocol == "shoutcast" else "/live"
    # 1 byte a write is 16000 system calls a second at both ends: slower frames do as well.
    rate = {"bitrate": 32} if chop == 1 else {}
    with Server({"workers": 2, "radio.icy_interval": 700}) as server, \
         Encoder(server, mount, protocol=protocol, chop=chop, **rate, burst_seconds=1):
        report = swarm(server, mount, listeners=10, icy=0.5, check=True, seconds=0.7)
        assert_whole(report)


@pytest.mark.parametrize("interval", [256, 417, 418, 8192, 65536])
def test_titles_stand_at_their_interval_whatever_it_is(interval):
    with Server({"radio.icy_interval": interval}) as server, \
         Encoder(server, title_every=0.3, **FAST), \
         Listener(server, icy=True) as listener:
        await_("five titles", lambda: len(listener.titles()) >= 5)
        assert listener.reply().headers["icy-metaint"] == str(interval)
        assert len(runs_of(listener.frames())) == 1
        assert all(at % interval == 0 for at, _ in listener.blocks())


def test_a_mounts_own_interval_and_ring_hold_there_alone():
    with Server({"mount./a.icy_interval": 512, "mount./a.burst": "0"}) as server, \
         Encoder(server, "/a", burst_seconds=2), Encoder(server, "/b", burst_seconds=2), \
         Listener(server, "/a", icy=True) as a, Listener(server, "/b", icy=True) as b:
        assert a.reply().headers["icy-metaint"] == "512"
        assert b.reply().headers["icy-metaint"] == "16000"
        a.await_bytes(2000)
        b.await_bytes(2000)
        # /b's listener starts two seconds back, /a's at the newest frame.
        assert b.frames()[0].number == 0
        assert a.frames()[0].number > 60


@pytest.mark.parametrize("low_latency", ["yes", "no"])
def test_a_burst_ends_in_live_without_a_seam(low_latency):
    with Server({"radio.low_latency": low_latency}) as server, \
         Encoder(server, burst_seconds=10, bitrate=64):
        report = swarm(server, listeners=20, check=True, seconds=1.5, icy=0.3)
        assert_whole(report)
        # 64 KiB of 64 kbit/s is 8 seconds.
        assert report["bytes"] > 20 * 60000


def test_a_time_longer_than_the_ring_still_starts_a_listener():
    with Server({"radio.ring": "64k", "radio.burst": "8k", "radio.burst_time": "60s"}) as server, \
         Encoder(server, **FAST) as encoder:
        await_("the ring is full", lambda: server.stats("/live")["total_bytes_read"] > 200000)
        with Listener(server) as listener:
            listener.await_bytes(100000)
            assert len(runs_of(listener.frames())) == 1
        assert encoder.process.poll() is None


# --- those who read slowly -----------------------------------------------------------------------


@pytest.mark.real_time("the ring holds half a second")
def test_slow_readers_skip_whole_frames_and_harm_nobody():
    with Server({**SMALL, "workers": 2, "radio.lag_limit": "1m"}) as server, \
         Encoder(server, title_every=0.5, **FAST):
        # Half of the rate that the mount really has.
        running = swarm_start(server, listeners=60, slow_fraction=0.1, slow_rate=0.5, bitrate=1280,
                              icy=0.5, check=True, seconds=8)
        # Counted while they are there, in the mount's numbers and in their own.
        await_("skips are counted", lambda: (server.stats("/live") or {"skips": 0})["skips"] >= 6)
        skipped = [c for c in server.clients("/live") if c["Skips"]]
        assert 1 <= len(skipped) <= 6 and all(c["Lost"] > 0 for c in skipped)
        report = swarm_report(running)
        assert_whole(report)
        slow = report["slow"]
        assert slow["listeners"] == 6 and slow["gaps"] >= 6
        assert slow["torn"] == slow["torn_at_start"] == slow["repeats"] == slow["icy_bad"] == 0
        stats = server.stats("/live")
        assert stats["slow_listeners"] == 0 and stats["skips"] >= slow["gaps"]
        assert server.metric("radio_torn_frames_total") == 0


def test_without_memory_for_their_ends_frames_are_cut_and_counted():
    with Server({**SMALL, "radio.lag_limit": "1m", "radio.tails": "0"}) as server, \
         Encoder(server, **FAST), Listener(server, rcvbuf=2048) as listener:
        listener.await_bytes(30000)
        for laps in (1, 2, 3, 4, 5, 6):
            listener.pause()
            await_("it is lapped", lambda: server.clients("/live")[0]["Skips"] >= laps)
            listener.resume()
            listener.await_bytes(100000)
        assert server.metric("radio_torn_frames_total") > 0


@pytest.mark.parametrize("icy", [False, True])
def test_a_reader_that_pauses_loses_whole_frames(icy):
    with Server({**SMALL, "radio.lag_limit": "1m", "radio.icy_interval": 1000}) as server, \
         Encoder(server, title_every=0.3, **FAST), \
         Listener(server, icy=icy, rcvbuf=2048) as listener:
        def skips():
            return server.clients("/live")[0]["Skips"]

        listener.await_bytes(30000)
        for _ in range(3):
            had = skips()  # who was left out has more than ours
            listener.pause()
            await_("it is lapped", lambda n=had: skips() > n)
            listener.resume()
            listener.await_bytes(100000)
        frames = listener.frames()
        assert_never_back(frames)
        assert len(runs_of(frames)) >= 4
        if icy:
            assert_title_names_heard(listener)
        assert server.metric("radio_torn_frames_total") == 0


@pytest.mark.real_time("the ring holds half a second")
def test_a_reader_is_dropped_only_when_slowness_lasts():
    with Server({**SMALL, "radio.lag_limit": "2s"}) as server, \
         Encoder(server, **FAST), \
         Listener(server) as pausing, Listener(server, rcvbuf=2048) as stopped, \
         Listener(server) as healthy:
        pausing.await_bytes(20000)
        stopped.await_bytes(20000)
        stopped.pause()
        for laps in (1, 2, 3):
            pausing.pause()
            await_("it is lapped",
                   lambda: sorted(c["Skips"] for c in server.clients("/live"))[-1] >= laps)
            pausing.resume()
            pausing.await_bytes(150000)
        # Who stops reading for good holds no place for ever.
        await_("one is dropped", lambda: server.stats("/live")["slow_listeners"] == 1)
        server.await_log("listener gone .*why=slow")
        assert server.listeners("/live") == 2
        pausing.await_bytes(50000)
        healthy.await_bytes(50000)
        assert not pausing.ended and len(runs_of(healthy.frames())) == 1
        stopped.resume()
        stopped.await_end()
        assert_never_back(stopped.frames())


@pytest.mark.real_time("the ring holds half a second")
def test_those_who_never_catch_up_are_dropped_after_the_limit():
    with Server({**SMALL, "radio.lag_limit": "1s"}) as server, Encoder(server, **FAST):
        report = swarm(server, listeners=20, slow_fraction=0.1, slow_rate=0.1, bitrate=1280,
                       check=True, seconds=6)
        assert report["disconnected"] == 2 and report["slow"]["listeners"] == 2, report
        assert report["slow"]["torn"] == report["slow"]["repeats"] == 0
        assert report["check"]["whole"] == report["check"]["listeners"] == 18
        assert server.stats("/live")["slow_listeners"] == 2


@pytest.mark.real_time("an encoder as fast as this needs a processor")
@pytest.mark.parametrize("ring,speed", [("64k", 30), ("512k", 250)])
def test_an_encoder_that_sends_a_ring_full_in_one_turn_tears_nothing(ring, speed):
    # Eight rings a second, two in each turn: everybody is lapped all the time.
    with Server({"workers": 2, "radio.ring": ring, "radio.burst": "8k", "radio.lag_limit": "1m"}) \
         as server, Encoder(server, ready=False, speed=speed, seconds=60) as flood:
        flood.await_event("connected")
        report = swarm(server, listeners=40, slow_fraction=0.25, slow_rate=20, icy=0.5, check=True,
                       seconds=2)
        for who in (report["check"], report["slow"]):
            assert who["frames"] > 500 and who["gaps"] > 0
            assert who["torn"] == who["torn_at_start"] == who["repeats"] == who["icy_bad"] == 0
        assert report["disconnected"] == report["failed"] == 0
        assert server.metric("radio_torn_frames_total") == 0


# --- titles --------------------------------------------------------------------------------------


def assert_title_names_heard(listener):
    """Titles "title N" come behind frame N, and in order; titles that a skip passed may be missing."""
    audio = listener.audio()
    number_at, at = {}, 0
    while (frame := frame_at(audio, at)) is not None:
        number_at[frame.number] = at
        at += frame.len
    named = [(place, int(title.removeprefix(b"title "))) for place, title in listener.titles()
             if title.startswith(b"title ")]
    assert named
    assert [n for _, n in named] == sorted({n for _, n in named})
    for place, number in named:
        assert number_at.get(number, -1) < place


def tell(server, listener, song, **more):
    """The title that the listener sees for a song."""
    before = len(listener.titles())
    reply = server.title("/live", song, **more)
    assert reply.status == 200, reply.raw
    await_("the title comes", lambda: len(listener.titles()) > before)
    return listener.titles()[before][1]


@pytest.fixture(name="told", scope="module")
def _told():
    with Server({"radio.icy_interval": 4096}) as server, Encoder(server, **FAST), \
         Listener(server, icy=True) as listener:
        yield server, listener
        assert len(runs_of(listener.frames())) == 1


@pytest.mark.parametrize("length", [1, 15, 16, 17, 255, 1023, 4000, 0])
def test_titles_of_any_length_arrive(told, length):
    server, listener = told
    song = ("0123456789" * 600)[:length]
    # A title that is the same as the one before need not be sent again.
    tell(server, listener, f"before {length}")
    assert tell(server, listener, song) == song.encode()


@pytest.mark.parametrize("length", [4080, 5000])
def test_titles_that_no_block_can_hold_are_cut(told, length):
    server, listener = told
    song = ("abcdefghij" * 600)[:length]
    got = tell(server, listener, song)
    # 255 units of 16 bytes, less StreamTitle='…'; and a NUL at the end.
    assert 4000 <= len(got) <= 4080 - 16 and song.encode().startswith(got)


def test_long_titles_are_cut_between_characters(told):
    server, listener = told
    got = tell(server, listener, "x" + "\u20ac" * 1600)
    text = got.decode("utf-8")
    assert text == "x" + "\u20ac" * (len(text) - 1) and len(got) > 4000


@pytest.mark.parametrize("song,shown", [
    ("It's a 'quoted' one", b"It's a 'quoted' one"),
    ('Say "this"', b'Say "this"'),
    ("Die \u00c4rzte \u2013 \u65e5\u672c\u8a9e \U0001f3b5", None),
    ("a; b = c & d?", b"a; b = c & d?"),
    ("tab\tand\r\nline", b"tab and  line"),
])
def test_titles_keep_their_characters(told, song, shown):
    server, listener = told
    assert tell(server, listener, song) == (shown or song.encode())


def test_a_title_cannot_end_its_own_quotes(told):
    server, listener = told
    before = len(listener.titles())
    assert server.title("/live", "x';StreamUrl='http://evil/").status == 200
    await_("the title comes", lambda: len(listener.titles()) > before)
    block = [text for _, text in listener.blocks() if text][before].rstrip(b"\0")
    # One field, and nothing but the end of it looks like an end.
    assert block.startswith(b"StreamTitle='x' ;") and block.count(b"';") == 1


@pytest.mark.parametrize("song,more", [
    ("Beyonc\u00e9".encode("latin1"), {}),
    ("Beyonc\u00e9".encode("utf-8"), {}),
    ("Beyonc\u00e9".encode("latin1"), {"charset": "ISO-8859-1"}),
    ("Beyonc\u00e9".encode("utf-8"), {"charset": "UTF-8"}),
])
def test_latin1_and_utf8_both_become_utf8(told, song, more):
    server, listener = told
    tell(server, listener, f"before {song!r} {more}")
    assert tell(server, listener, song, **more) == "Beyonc\u00e9".encode()


def test_a_url_comes_with_the_title(told):
    server, listener = told
    before = len(listener.blocks())
    tell(server, listener, "with a picture", url="http://x.example/a.jpg")
    block = [text for _, text in listener.blocks()[before:] if text][0].rstrip(b"\0")
    assert block == b"StreamTitle='with a picture';StreamUrl='http://x.example/a.jpg';"


def test_a_title_belongs_to_its_place_in_the_audio():
    """Who starts in the past hears the past's title first, and the new one where it belongs."""
    with Server({"radio.icy_interval": 1000, "radio.burst": "64k"}) as server, \
         Encoder(server, bitrate=128, burst_seconds=4), \
         Listener(server, icy=True) as early:
        early.await_bytes(1000)
        server.title("/live", "first")
        await_("first", lambda: [t for _, t in early.titles()] == [b"first"])
        early.await_bytes(16000)
        server.title("/live", "second")
        await_("second", lambda: [t for _, t in early.titles()] == [b"first", b"second"])
        with Listener(server, icy=True) as late:
            await_("both", lambda: [t for _, t in late.titles()] == [b"first", b"second"])
            # The late one began in the burst; both saw the second title at the same frame, to
            # within the interval.
            frame_of = {}
            for who, listener in (("early", early), ("late", late)):
                place = listener.titles()[1][0]
                frame_of[who] = max(f.number for f in listener.frames() if f.at < place)
            assert late.frames()[0].number < frame_of["late"]
            assert abs(frame_of["early"] - frame_of["late"]) <= 1000 // 417 + 1


# --- while the settings change -------------------------------------------------------------------


def test_a_changed_file_touches_no_listener():
    def text(extra):
        return f"radio:\n  icy_interval: 2000\nmount:\n  /live:\n    password: hackme\n{extra}"

    with Server({"workers": 2}, config=text("")) as server, Encoder(server, title_every=0.3):
        running = swarm_start(server, listeners=100, icy=0.5, check=True, seconds=600)
        await_("all listen", lambda: server.listeners("/live") == 100)
        for i in range(10):
            # A good one, and one that is refused whole.
            for extra in (f"    name: Round {i}\n    icy_interval: {3000 + i}\n", "    burst: x\n"):
                with open(server.config_path, "w", encoding="utf-8") as f:
                    f.write(text(extra))
                server.process.send_signal(signal.SIGHUP)
                server.await_log("core reloaded" if "Round" in extra else "core \"?not reloaded", i + 1)
        with Listener(server, icy=True) as listener:
            headers = listener.reply().headers
            assert headers["icy-name"] == "Round 9" and headers["icy-metaint"] == "3009"
        running.terminate()
        assert_whole(swarm_report(running))
