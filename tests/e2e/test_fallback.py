"""When an encoder goes away its listeners stay: they hear the next of mount, mount, file, and come back.

Each encoder has its own stream id in its numbered frames, so that what a listener heard is a list
of runs. Nothing may be torn, heard twice, or out of step with the ICY counter."""

import os
import signal
import subprocess
import time

import pytest

from fault_harness import (SOURCE, SOURCE_PASSWORD, Encoder, Listener,
                           Server, assert_never_back, await_, frames_of, run, runs_of, swarm_report,
                           swarm_start, switches_of)

NO_LINGER = {"radio.linger": "0"}


def hear(server, mount="/live", count=6, **how):
    """Listeners with and without titles."""
    return [Listener(server, mount, icy=i % 2 == 1, **how) for i in range(count)]


def await_files(listeners, streams):
    """Where a file is among what they hear its frames are stream 0."""
    for listener in listeners:
        await_(f"the listener hears {streams}",
               lambda l=listener: l.ended or switches_of(l.frames(foreign=True)) == streams,
               every=0.1)
        assert not listener.ended
        assert_never_back(listener.frames(foreign=True))


def close(listeners):
    for listener in listeners:
        listener.close()


def await_all(listeners, stream):
    for listener in listeners:
        listener.await_stream(stream)


def assert_stayed(listeners, streams):
    """All heard these streams in this order on the one connection, whole frames, no gap in a run
    between two switches, nothing twice."""
    for listener in listeners:
        assert not listener.ended
        frames = listener.frames()
        assert switches_of(frames) == streams, runs_of(frames)
        assert len(runs_of(frames)) == len(streams), runs_of(frames)
        assert_never_back(frames)


# --- mount to mount ------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 3])
def test_a_killed_primary_hands_its_listeners_to_the_fallback_and_back(workers):
    with Server({**NO_LINGER, "workers": workers, "mount./live.fallback": "/backup",
                 "radio.icy_interval": 1111}) as server, \
         Encoder(server, "/backup", stream_id=2, title_every=0.5):
        primary = Encoder(server, stream_id=1, title_every=0.5)
        listeners = hear(server)
        await_all(listeners, 1)
        for start in (5000, 10000):
            primary.kill()
            await_all(listeners, 2)
            assert server.state("/live") == "fallback"
            assert server.listeners("/live") == len(listeners)
            primary = Encoder(server, stream_id=1, title_every=0.5, start_number=start)
            await_all(listeners, 1)
        for listener in listeners:
            listener.await_bytes(20000)
        assert_stayed(listeners, [1, 2, 1, 2, 1])
        assert all(len(l.titles()) >= 1 for l in listeners if l.icy)
        # The same connections all the way.
        assert server.metric("radio_listeners_come_total") == len(listeners)
        close(listeners)
        primary.kill()


def test_listeners_are_on_the_fallback_within_a_second():
    """A busy machine makes pauses of its own, but not each time: the shortest of some counts."""
    pauses = []
    with Server({**NO_LINGER, "mount./live.fallback": "/backup"}) as server, \
         Encoder(server, "/backup", stream_id=2):
        while not pauses or min(pauses) >= 1000 and len(pauses) < 5:
            primary = Encoder(server, stream_id=1)
            running = swarm_start(server, listeners=300, icy=0.5, check=True, seconds=600)
            await_("all listen", lambda: server.listeners("/live") == 300)
            moved = server.metric("radio_fallbacks_total")
            primary.kill()
            await_("all are moved", lambda: server.metric("radio_fallbacks_total") > moved)
            with Listener(server) as listener:
                listener.await_stream(2)
                listener.await_bytes(16000)
            running.terminate()
            report = swarm_report(running)
            check = report["check"]
            assert report["disconnected"] == report["failed"] == 0
            assert check["switches"] == 300 and check["whole"] == 300
            assert check["torn"] == check["icy_bad"] == 0
            pauses.append(report["gap_max_ms"]["max"])
    assert min(pauses) < 1000, pauses


def test_fallback_override_no_keeps_them_where_they_are():
    with Server({**NO_LINGER, "mount./live.fallback": "/backup",
                 "mount./live.fallback_override": "no"}) as server, \
         Encoder(server, "/backup", stream_id=2) as backup:
        primary = Encoder(server, stream_id=1)
        listeners = hear(server)
        await_all(listeners, 1)
        primary.kill()
        await_all(listeners, 2)
        with Encoder(server, stream_id=1, start_number=5000), \
             Listener(server) as newcomer:
            newcomer.await_stream(1)
            for listener in listeners:
                listener.await_bytes(30000)
            assert_stayed(listeners, [1, 2])
            # When what they hear ends they do come home.
            backup.kill()
            await_all(listeners, 1)
            assert_stayed(listeners, [1, 2, 1])
        close(listeners)


def test_a_chain_of_mounts_is_gone_down_and_up():
    with Server({**NO_LINGER, "mount./live.fallback": "/b", "mount./b.fallback": "/c"}) as server:
        a, b = Encoder(server, stream_id=1), Encoder(server, "/b", stream_id=2)
        c = Encoder(server, "/c", stream_id=3)
        listeners = hear(server)
        await_all(listeners, 1)
        a.kill()
        await_all(listeners, 2)
        b.kill()
        await_all(listeners, 3)
        b = Encoder(server, "/b", stream_id=2, start_number=5000)
        await_all(listeners, 2)
        a = Encoder(server, stream_id=1, start_number=5000)
        await_all(listeners, 1)
        # One in the middle of the chain that nobody hears may go: nobody is moved.
        b.kill()
        c.kill()
        for listener in listeners:
            listener.await_bytes(20000)
        assert_stayed(listeners, [1, 2, 3, 2, 1])
        a.kill()
        for listener in listeners:
            listener.await_end()
        close(listeners)


def test_a_fallback_that_is_off_is_passed_over():
    with Server({**NO_LINGER, "mount./live.fallback": "/b", "mount./b.fallback": "/c"}) as server:
        with Encoder(server, "/c", stream_id=3), Listener(server) as listener:
            # Nobody has ever fed /live or /b.
            listener.await_stream(3)
            assert listener.reply().status == 200


def test_a_stalled_encoder_is_dropped_and_the_fallback_heard():
    # Of /live alone: the other encoder may be slow.
    with Server({**NO_LINGER, "mount./live.fallback": "/backup", "mount./live.source_timeout": "4s"}) \
         as server, Encoder(server, "/backup", stream_id=2), Encoder(server, stream_id=1) as primary:
        listeners = hear(server)
        await_all(listeners, 1)
        primary.signal(signal.SIGSTOP)
        await_all(listeners, 2)
        server.await_log("source gone mount=/live why=timeout")
        assert_stayed(listeners, [1, 2])
        close(listeners)


def test_a_half_open_source_holds_a_mount_only_for_the_timeout():
    with Server({"radio.source_timeout": "4s"}) as server:
        with server.connect() as s:
            s.sendall(f"SOURCE /live HTTP/1.0\r\n{SOURCE}Content-Type: audio/mpeg\r\n\r\n".encode())
            assert b"200" in s.recv(1000)
            # It sends nothing and does not hang up.
            assert server.get("/live").status == 404
            server.await_log("source gone mount=/live why=timeout")
            with Encoder(server) as encoder:
                assert encoder.process.poll() is None


@pytest.mark.parametrize("how", ["head", "nothing"])
def test_a_source_that_never_asks_is_dropped(how):
    with Server({"http.header_timeout": "500ms"}) as server, server.connect() as s:
        if how == "head":
            s.sendall(b"SOURCE /live HTTP/1.0\r\nContent-Type: audio/mpeg\r\n")
        assert s.recv(100) == b""


def test_rubbish_is_dropped_with_a_line_that_names_it():
    with Server({**NO_LINGER, "mount./live.fallback": "/backup"}) as server, \
         Encoder(server, "/backup", stream_id=2):
        good = Encoder(server, stream_id=1)
        listeners = hear(server)
        await_all(listeners, 1)
        good.kill()
        await_all(listeners, 2)
        with Encoder(server, ready=False, rubbish=True, speed=0):
            server.await_log("source gone mount=/live why=rubbish")
        for listener in listeners:
            listener.await_bytes(10000)
        assert_stayed(listeners, [1, 2])
        close(listeners)


def test_an_encoder_that_turns_to_rubbish_is_dropped():
    with Server({"radio.source_timeout": "2m"}) as server, server.connect() as s:
        s.sendall(f"SOURCE /live HTTP/1.0\r\n{SOURCE}Content-Type: audio/mpeg\r\n\r\n".encode())
        assert b"200" in s.recv(1000)
        with Encoder(server, "/other", burst_seconds=20), Listener(server, "/other") as l:
            l.await_bytes(60000)
            s.sendall(l.body[:40000])
        server.await_state("/live", "live")
        try:
            for _ in range(200):
                s.sendall(os.urandom(16384))
        except OSError:
            pass
        server.await_log("source gone mount=/live why=rubbish")


# --- lingering -----------------------------------------------------------------------------------


def test_a_flap_within_linger_is_no_switch():
    with Server({"radio.linger": "2m", "mount./live.fallback": "/backup"}) as server, \
         Encoder(server, "/backup", stream_id=2), \
         Encoder(server, stream_id=1) as flap:
        listeners = hear(server)
        await_all(listeners, 1)
        # Before /live began there was one: from the fallback.
        before = server.metric("radio_fallbacks_total")
        flap.kill()
        server.await_state("/live", "lingering")
        heard = listeners[0].last().number
        back = Encoder(server, stream_id=1, start_number=heard + 1000)
        await_("it is heard again", lambda: all(l.last().number > heard + 1000 for l in listeners))
        for listener in listeners:
            listener.await_bytes(20000)
            frames = listener.frames()
            # At most what was on its way when the encoder broke off is missing.
            assert switches_of(frames) == [1] and len(runs_of(frames)) == 2, runs_of(frames)
            assert_never_back(frames)
        assert server.metric("radio_fallbacks_total") == before
        close(listeners)
        back.kill()


def test_linger_is_over_in_its_time():
    with Server({"radio.linger": "1s", "mount./live.fallback": "/backup"}) as server, \
         Encoder(server, "/backup", stream_id=2):
        primary = Encoder(server, stream_id=1)
        listeners = hear(server)
        await_all(listeners, 1)
        began = time.monotonic()
        primary.kill()
        await_all(listeners, 2)
        assert time.monotonic() - began > 0.9
        # What the fallback sent meanwhile is heard too: there is no hole of a second.
        for listener in listeners:
            frames = listener.frames()
            first = next(f.number for f in frames if f.stream == 2)
            listener.await_bytes(8000)
            assert first < listener.last().number - 20
        assert_stayed(listeners, [1, 2])
        close(listeners)


def test_without_linger_and_fallback_listeners_are_let_go_at_once():
    with Server(NO_LINGER) as server:
        primary = Encoder(server)
        listeners = hear(server)
        await_all(listeners, 1)
        primary.kill()
        for listener in listeners:
            listener.await_end()
            frames_of(listener.audio())
        assert server.get("/live").status == 404
        close(listeners)


def test_fifty_quick_restarts_drop_nobody():
    with Server({"radio.linger": "2m", "workers": 2}) as server:
        encoder = Encoder(server, burst_seconds=0.3)
        listeners = hear(server)
        await_all(listeners, 1)
        for i in range(1, 51):
            encoder.kill()
            # Until the server has seen the end the mount is in use.
            await_("the encoder's end is seen",
                   lambda n=i: server.log().count("source gone mount=/live") >= n)
            encoder = Encoder(server, ready=False, burst_seconds=0.3, start_number=i * 1000)
            encoder.await_event("connected")
            await_("it is live", lambda n=i: server.log().count("source live mount=/live") > n)
        for listener in listeners:
            await_("the last one is heard", lambda l=listener: l.last().number >= 50000)
        encoder.kill()
        for listener in listeners:
            assert not listener.ended
            frames = listener.frames()
            assert_never_back(frames)
            # Each of them was heard, from its first frame on.
            assert [r[1] for r in runs_of(frames)][1:] == [i * 1000 for i in range(1, 51)]
        close(listeners)


def test_takeover_replaces_an_encoder_under_its_listeners():
    for linger in ("4s", "0"):
        with Server({"radio.takeover": "yes", "radio.linger": linger, "workers": 2}) as server:
            encoders = [Encoder(server)]
            listeners = hear(server)
            await_all(listeners, 1)
            for i in range(2, 12):
                encoders.append(Encoder(server, ready=False, stream_id=i))
                encoders[-1].await_event("connected")
                await_all(listeners, i)
                encoders[-2].await_event("lost")
            assert_stayed(listeners, list(range(1, 12)))
            close(listeners)
            for encoder in encoders:
                encoder.kill()


def test_a_second_encoder_is_refused_without_takeover():
    with Server() as server, Encoder(server) as first:
        with Encoder(server, ready=False, stream_id=2) as second:
            second.await_event("refused")
            assert [e["status"] for e in second.events() if e["event"] == "refused"] == [403]
        assert first.process.poll() is None
        server.await_log("source refused mount=/live why=\"Mountpoint in use\"")


# --- files ---------------------------------------------------------------------------------------


@pytest.fixture(name="mp3", scope="module")
def _mp3(tmp_path_factory):
    """1.2 seconds of a tone, with an ID3 tag in front."""
    path = str(tmp_path_factory.mktemp("file") / "jingle.mp3")
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=440:duration=1.2", "-ar",
                    "44100", "-ac", "2", "-b:a", "128k", "-metadata", "title=Jingle", "-f", "mp3",
                    path], check=True)
    return path


def assert_loops(listener, path):
    """The file's frames come again and again, in its order."""
    with open(path, "rb") as f:
        data = f.read()
    played = [f for f in listener.frames(foreign=True) if f.stream == 0]
    audio = listener.audio()
    texts = [audio[f.at:f.at + f.len] for f in played]
    assert all(t in data for t in texts)
    places = [data.find(t) for t in texts]
    # Silence makes equal frames; only those that are unlike all others tell their place.
    places = [p for p, t in zip(places, texts) if data.count(t) == 1]
    rises = sum(b > a for a, b in zip(places, places[1:]))
    backs = sum(b < a for a, b in zip(places, places[1:]))
    assert backs >= 1 and rises > 10 * backs
    return backs


def test_a_file_is_heard_when_nothing_else_is(mp3):
    with Server({**NO_LINGER, "mount./live.fallback_file": mp3}) as server:
        await_("the file plays", lambda: server.state("/live") == "fallback")
        with Listener(server) as listener:
            await_("three rounds", lambda: len(listener.body) > 3 * 19200 + 5000)
            assert_loops(listener, mp3)
            assert listener.reply().headers["content-type"] == "audio/mpeg"


def test_mount_mount_file_and_all_the_way_back(mp3):
    with Server({**NO_LINGER, "mount./live.fallback": "/b", "mount./live.fallback_file": mp3,
                 "radio.icy_interval": 900}) as server:
        a, b = Encoder(server, stream_id=1), Encoder(server, "/b", stream_id=2)
        listeners = hear(server)
        await_all(listeners, 1)
        a.kill()
        await_all(listeners, 2)
        b.kill()
        await_files(listeners, [1, 2, 0])
        b = Encoder(server, "/b", stream_id=2, start_number=5000)
        await_files(listeners, [1, 2, 0, 2])
        a = Encoder(server, stream_id=1, start_number=5000)
        await_files(listeners, [1, 2, 0, 2, 1])
        close(listeners)
        a.kill()
        b.kill()


def test_a_file_heard_through_another_mount_hands_over_to_that_mounts_encoder(mp3):
    """The mount with the file stands first, so that it is also the first to be told."""
    with Server({**NO_LINGER, "mount./b.fallback_file": mp3, "mount./live.fallback": "/b",
                 "workers": 3}) as server:
        await_("the file plays", lambda: server.state("/live") == "fallback")
        listeners = hear(server) + hear(server, "/b")
        await_files(listeners, [0])
        with Encoder(server, "/b", stream_id=2):
            await_files(listeners, [0, 2])
        await_files(listeners, [0, 2, 0])
        close(listeners)


def test_reloads_do_not_touch_who_hears_a_file(mp3, tmp_path):
    other = tmp_path / "other.mp3"
    other.write_bytes(open(mp3, "rb").read())
    mounts = "mount: {{ /b: {{ fallback_file: {} }}, /live: {{ fallback: /b }} }}\n"
    with Server({**NO_LINGER, "workers": 3}, config=mounts.format(mp3)) as server:
        await_("the file plays", lambda: server.state("/live") == "fallback")
        listeners = hear(server) + hear(server, "/b")
        await_files(listeners, [0])
        for i in range(1, 11):
            # The same file, and another one.
            with open(server.config_path, "w", encoding="utf-8") as f:
                f.write(mounts.format(other if i % 4 >= 2 else mp3))
            server.process.send_signal(signal.SIGHUP)
            server.await_log("core reloaded", i)
            before = [len(listener.body) for listener in listeners]
            await_("all hear more", lambda: all(
                l.ended or len(l.body) > n + 8000 for l, n in zip(listeners, before)))
            assert not any(listener.ended for listener in listeners)
        close(listeners)


def test_the_file_begins_without_a_hole_and_the_encoder_comes_back(mp3):
    """From mount straight to file, over and over: the moment when the file is being opened too."""
    with Server({**NO_LINGER, "mount./live.fallback_file": mp3, "workers": 2}) as server:
        primary = Encoder(server, stream_id=1)
        listeners = hear(server, count=20)
        await_all(listeners, 1)
        heard = [1]
        for i in range(1, 4):
            primary.kill()
            await_files(listeners, heard := heard + [0])
            primary = Encoder(server, stream_id=1, start_number=i * 10000)
            await_files(listeners, heard := heard + [1])
        close(listeners)
        primary.kill()


def test_listeners_wait_while_the_file_is_being_opened(tmp_path):
    """A pipe opens when somebody writes to it: a disk that takes its time, at will."""
    path = tmp_path / "slow.mp3"
    os.mkfifo(path)
    with Server({**NO_LINGER, "mount./live.fallback_file": str(path)}) as server:
        # At the start nobody feeds /live and the file is wanted: this open waits for us already.
        with Encoder(server) as primary, Encoder(server, "/plain") as other:
            listeners = hear(server)
            await_all(listeners, 1)
            with open(path, "wb"):
                pass
            primary.kill()
            server.await_log("source gone mount=/live")
            # Turns in which nobody may be let go: as many as those have who wait for nothing.
            with Listener(server, "/plain") as unlucky:
                unlucky.await_stream(1)
                other.kill()
                unlucky.await_end()
            assert not any(listener.ended for listener in listeners)
            # It cannot be played, as it has no beginning to come back to.
            with open(path, "wb"):
                server.await_log("fallback file does not play")
            for listener in listeners:
                listener.await_end()
        close(listeners)


@pytest.mark.parametrize("fault", ["missing", "empty", "rubbish", "directory"])
def test_a_file_that_does_not_play_is_named_and_harms_nobody(tmp_path, fault):
    path = tmp_path / "file.mp3"
    if fault == "empty":
        path.write_bytes(b"")
    elif fault == "rubbish":
        path.write_bytes(os.urandom(1 << 20))
    elif fault == "directory":
        path.mkdir()
    with Server({**NO_LINGER, "mount./live.fallback_file": str(path)}) as server:
        server.await_log("fallback file does not play mount=/live file=.*file.mp3 why=")
        assert server.get("/live").status == 404
        used = server.cpu()
        with Encoder(server), Listener(server) as listener:
            listener.await_bytes(30000)
        assert server.cpu() - used < 1.5


# --- other ways to move --------------------------------------------------------------------------


def test_beyond_max_listeners_the_fallback_is_heard():
    with Server({"mount./live.fallback": "/backup", "mount./live.fallback_when_full": "yes",
                 "mount./live.max_listeners": 2}) as server, \
         Encoder(server, stream_id=1), Encoder(server, "/backup", stream_id=2):
        listeners = [Listener(server) for _ in range(2)]
        await_all(listeners, 1)
        more = [Listener(server, icy=True) for _ in range(2)]
        await_all(more, 2)
        assert server.listeners("/live") == 2 and server.listeners("/backup") == 2
        close(listeners)
        await_("two places are free", lambda: server.listeners("/live") == 0)
        with Listener(server) as again:
            again.await_stream(1)
        close(more)
        await_("all left", lambda: server.listeners() == 0)


def test_beyond_max_listeners_the_administrators_fallback_is_heard_by_whom_it_admits():
    with Server({"mount./live.fallback_when_full": "yes", "mount./live.max_listeners": 1,
                 "mount./backup.deny": "127.0.0.9"}) as server, \
         Encoder(server, stream_id=1), Encoder(server, "/backup", stream_id=2):
        with Listener(server) as one:
            await_all([one], 1)
            assert server.get("/live").status == 503
            server.admin("fallbacks", mount="/live", fallback="/backup")
            with Listener(server) as two:
                await_all([two], 2)
                assert server.get("/live", source="127.0.0.9").status == 503


def test_a_file_counts_towards_the_bandwidth(mp3):
    """Two listeners at 128 kbit/s fit into 40 KiB a second."""
    with Server({**NO_LINGER, "mount./live.fallback_file": mp3,
                 "radio.max_bandwidth": "40k"}) as server:
        await_("the file plays", lambda: server.state("/live") == "fallback")
        await_("its rate is known", lambda: server.get("/live", method="HEAD").status == 200)

        def try_three():
            """Until the rate is looked at, which is once a second, there is room for all."""
            listeners = [Listener(server) for _ in range(3)]
            statuses = [x.reply().status for x in listeners]
            close(listeners)
            await_("they have left", lambda: server.listeners() == 0)
            return statuses
        await_("the third is one too many", lambda: try_three() == [200, 200, 503])


def test_another_format_lets_go_cleanly_and_newcomers_get_its_type(tmp_path):
    ogg = tmp_path / "tone.ogg"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=440:duration=120", "-c:a",
                    "libvorbis", "-f", "ogg", str(ogg)], check=True)
    with Server({**NO_LINGER, "mount./live.fallback": "/backup"}) as server:
        feeder = subprocess.Popen(["ffmpeg", "-v", "error", "-re", "-i", str(ogg), "-c", "copy",
                                   "-content_type", "application/ogg", "-f", "ogg",
                                   f"icecast://source:{SOURCE_PASSWORD}@127.0.0.1:{server.port}"
                                   "/backup"])
        try:
            server.await_state("/backup", "live")
            primary = Encoder(server, stream_id=1)
            listeners = hear(server)
            await_all(listeners, 1)
            primary.kill()
            for listener in listeners:
                listener.await_end()
                # Whole frames up to the end, and not a byte of Ogg.
                frames = frames_of(listener.audio())
                assert len(runs_of(frames)) == 1
                assert b"OggS" not in listener.raw
            with Listener(server) as newcomer:
                newcomer.await_bytes(4000)
                assert newcomer.reply().headers["content-type"] == "application/ogg"
                assert newcomer.body.startswith(b"OggS")
            close(listeners)
        finally:
            feeder.kill()
            feeder.wait()


def test_an_encoder_that_comes_back_in_another_format_lets_its_listeners_go(tmp_path):
    ogg = tmp_path / "tone.ogg"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=440:duration=5", "-c:a",
                    "libvorbis", "-f", "ogg", str(ogg)], check=True)
    with Server({"radio.linger": "2m"}) as server:
        primary = Encoder(server, stream_id=1)
        listeners = hear(server)
        await_all(listeners, 1)
        primary.kill()
        server.await_state("/live", "lingering")
        with server.connect() as s:
            s.sendall(f"SOURCE /live HTTP/1.0\r\n{SOURCE}Content-Type: application/ogg\r\n\r\n"
                      .encode() + ogg.read_bytes())
            for listener in listeners:
                listener.await_end()
                frames_of(listener.audio())
                assert b"OggS" not in listener.raw
            with Listener(server) as newcomer:
                await_("the newcomer hears it", lambda: len(newcomer.body) > 4000)
                assert newcomer.body.startswith(b"OggS")
        close(listeners)


@pytest.mark.parametrize("workers", [1, 2])
def test_moveclients_moves_them_on_their_connection(workers):
    with Server({"workers": workers}) as server, \
         Encoder(server, "/a", stream_id=1), Encoder(server, "/b", stream_id=2):
        listeners = hear(server, "/a")
        await_all(listeners, 1)
        reply = server.admin("moveclients", mount="/a", destination="/b")
        assert reply.status == 200 and b"<return>1</return>" in reply.body, reply.raw
        await_all(listeners, 2)
        assert server.listeners("/a") == 0 and server.listeners("/b") == len(listeners)
        assert_stayed(listeners, [1, 2])
        # One of them, back.
        one = server.clients("/b")[0]["id"]
        assert server.admin("moveclients", mount="/b", destination="/a", id=one).status == 200
        await_("one is back", lambda: server.listeners("/a") == 1)
        assert server.clients("/a")[0]["id"] == one
        await_("it hears the first again",
               lambda: sum(l.last().stream == 1 for l in listeners) == 1)
        for listener in listeners:
            assert_never_back(listener.frames())
        close(listeners)
        await_("all left", lambda: server.listeners() == 0)


def test_fallbacks_set_by_the_administrator_hold_and_loops_are_refused():
    with Server({**NO_LINGER, "mount./a.fallback": "", "mount./b.fallback": "/a"}) as server, \
         Encoder(server, "/b", stream_id=2):
        primary = Encoder(server, "/a", stream_id=1)
        listeners = hear(server, "/a")
        await_all(listeners, 1)
        assert server.admin("fallbacks", mount="/a", fallback="/b").status == 400
        assert server.admin("fallbacks", mount="/b", fallback="").status == 200
        assert server.admin("fallbacks", mount="/a", fallback="/b").status == 200
        primary.kill()
        await_all(listeners, 2)
        assert_stayed(listeners, [1, 2])
        close(listeners)


@pytest.mark.parametrize("mounts,places", [
    ("  /a: {fallback: /a2}\n  /a2: {fallback: /a}\n", ["2:18", "3:19"]),
    ("  /a: {fallback: /b}\n  /b: {fallback: /c}\n  /c: {fallback: /a}\n", ["2:18", "3:18", "4:18"]),
])
def test_loops_in_the_file_are_refused_with_their_place(tmp_path, mounts, places):
    path = tmp_path / "ringmain.conf"
    path.write_text("mount:\n" + mounts)
    done = run("--config", str(path), "--check")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{path}:{place}" for place in places]
    assert all("does not fall back to this one" in line for line in lines)


def test_a_mount_may_be_the_fallback_of_many_and_of_its_pattern(tmp_path):
    path = tmp_path / "ringmain.conf"
    path.write_text("mount:\n  default: {fallback: /auto}\n  /a: {}\n  /b: {fallback: /a}\n")
    assert run("--config", str(path), "--check").returncode == 0


def test_killsource_sends_listeners_to_the_fallback():
    with Server({**NO_LINGER, "mount./live.fallback": "/backup"}) as server, \
         Encoder(server, "/backup", stream_id=2), Encoder(server, stream_id=1) as primary:
        listeners = hear(server)
        await_all(listeners, 1)
        assert server.admin("killsource", mount="/live").status == 200
        primary.await_event("lost")
        await_all(listeners, 2)
        assert_stayed(listeners, [1, 2])
        server.await_log("source gone mount=/live why=killed")
        close(listeners)
