"""An intro is heard first and whole, by each listener for itself; then live begins, whatever becomes of the
file meanwhile."""

import os
import struct
import subprocess
import time
import urllib.parse

import pytest

from fault_harness import (ADMIN, Encoder, Listener, Server, _filler, await_, frames_of, runs_of,
                           swarm_start, swarm_report)

INTRO, OTHER, LIVE = 70, 71, 1


def frame(stream, number):
    """A numbered frame of 128 kbit/s, as frame_at() reads it."""
    def digits(value, count):
        return bytes(value >> 7 * (count - 1 - i) & 127 for i in range(count))
    padded = number % 2
    head = struct.pack("4B", 0xff, 0xfb, 9 << 4 | padded << 1, 0xc4) + bytes(32) + b"RMO1"
    head += digits(stream, 5) + digits(number, 10) + digits(0, 10)
    return head + _filler(417 + padded - len(head), stream, number, 0)


def frames(stream, count):
    return b"".join(frame(stream, number) for number in range(count))


def write(path, data):
    """All at once, as an editor does."""
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.rename(path)


@pytest.fixture(name="jingle")
def _jingle(tmp_path):
    path = tmp_path / "jingle.mp3"
    write(path, frames(INTRO, 200))
    return path


def station(jingle, **settings):
    return Server({"mount./live.intro": jingle, "radio.turn": "50ms",
                   **{name.replace("__", "."): value for name, value in settings.items()}})


def assert_introduced(listener, stream=INTRO, count=200):
    runs = runs_of(listener.frames())
    assert runs[0] == (stream, 0, count - 1), runs
    assert len(runs) == 2 and runs[1][0] == LIVE, runs
    return runs[1]


@pytest.mark.parametrize("icy", [False, True])
def test_the_intro_is_whole_and_so_is_what_follows(jingle, icy):
    with station(jingle) as server:
        server.await_log("intro loaded mount=/live")
        with Encoder(server, stream_id=LIVE), Listener(server) as first:
            first.await_stream(LIVE)
            with Listener(server, icy=icy) as listener:
                listener.await_stream(LIVE)
                listener.await_bytes(60000)
                live = assert_introduced(listener)
                # The burst is that of the moment in which the intro ended.
                assert live[2] - live[1] > 100
            assert_introduced(first)
        assert server.metric("radio_intros_total") == 2


def test_titles_begin_with_live(jingle):
    with station(jingle) as server:
        server.await_log("intro loaded")
        with Encoder(server, stream_id=LIVE) as _:
            server.title("/live", "now")
            await_("it is known", lambda: "now" in str(server.stats("/live")))
            with Listener(server, icy=True) as listener:
                await_("the title", listener.titles)
                at, title = listener.titles()[0]
                assert title == b"now" and at >= 200 * 417
                listener.await_bytes(40000)
                assert_introduced(listener)


def test_each_of_a_crowd_hears_it_for_itself(jingle):
    with station(jingle, workers=2) as server:
        server.await_log("intro loaded")
        with Encoder(server, stream_id=LIVE):
            crowd = [Listener(server, icy=i % 2 == 0) for i in range(30)]
            for listener in crowd:
                listener.await_stream(LIVE)
            for listener in crowd:
                assert_introduced(listener)
                listener.close()
            await_("they are gone", lambda: server.listeners("/live") == 0)


def test_head_and_probes_get_no_intro(jingle):
    with station(jingle) as server:
        server.await_log("intro loaded")
        with Encoder(server, stream_id=LIVE):
            assert server.get("/live", method="HEAD").status == 200
            assert server.get("/live", "Range: bytes=0-1\r\n").status == 206
            assert server.metric("radio_intros_total") == 0


def test_a_relay_gets_live_alone(jingle):
    with station(jingle) as server:
        server.await_log("intro loaded")
        with Encoder(server, stream_id=LIVE), \
             Listener(server, headers="Via: 1.1 other\r\n") as relay:
            relay.await_bytes(50000)
            assert runs_of(relay.frames())[0][0] == LIVE


def test_tags_and_a_cut_off_end_are_left_out(tmp_path):
    jingle = tmp_path / "tagged.mp3"
    tag = b"ID3\x03\0\0\0\0\x02\x00" + bytes(256)
    write(jingle, tag + frames(INTRO, 50) + frame(INTRO, 50)[:200])
    with station(jingle) as server:
        server.await_log("intro loaded")
        with Encoder(server, stream_id=LIVE), Listener(server) as listener:
            listener.await_stream(LIVE)
            assert_introduced(listener, count=50)


@pytest.mark.parametrize("icy", [False, True])
def test_who_reads_slowly_hears_all_of_it(tmp_path, icy):
    jingle = tmp_path / "long.mp3"
    write(jingle, frames(INTRO, 4000))
    with station(jingle, radio__ring="64k", radio__burst="16k", radio__send_buffer="16k") as server:
        server.await_log("intro loaded")
        with Encoder(server, stream_id=LIVE, bitrate=320), \
             Listener(server, icy=icy, rcvbuf=4096, start=False) as listener:
            await_("it listens", lambda: server.listeners("/live") == 1)
            # Live goes on for longer than its ring holds.
            server.await_state("/live", "live")
            before = server.metric("radio_bytes_in_total")
            await_("the ring is written anew",
                   lambda: server.metric("radio_bytes_in_total") > before + (80 << 10))
            listener.resume()
            listener.await_stream(LIVE)
            runs = runs_of(listener.frames())
            assert runs[0] == (INTRO, 0, 3999) and all(run[0] == LIVE for run in runs[1:]), runs
        assert server.metric("radio_torn_frames_total") == 0


def test_who_does_not_read_at_all_is_let_go(tmp_path):
    jingle = tmp_path / "long.mp3"
    write(jingle, frames(INTRO, 4000))
    with station(jingle, radio__lag_limit="1s", radio__send_buffer="16k") as server:
        server.await_log("intro loaded")
        with Encoder(server, stream_id=LIVE), Listener(server, rcvbuf=4096, start=False):
            await_("it listens", lambda: server.metric("radio_listeners_come_total") == 1)
            await_("it is gone", lambda: server.listeners("/live") == 0)
        assert server.metric("radio_listeners_slow_total") == 1


def test_a_file_that_changes_or_goes_is_heard_to_its_end_by_who_is_in_it(tmp_path):
    jingle = tmp_path / "long.mp3"
    write(jingle, frames(INTRO, 4000))
    with station(jingle, radio__send_buffer="16k", workers=2) as server:
        server.await_log("intro loaded")
        with Encoder(server, stream_id=LIVE):
            early = [Listener(server, rcvbuf=4096, start=False) for _ in range(4)]
            await_("they listen", lambda: server.listeners("/live") == 4)
            write(jingle, frames(OTHER, 100))
            server.await_log("intro loaded", 2)
            with Listener(server) as listener:
                listener.await_stream(LIVE)
                assert_introduced(listener, OTHER, 100)
            os.unlink(jingle)
            server.await_log('intro left out mount=/live .*why="it is not there"')
            with Listener(server) as listener:
                listener.await_stream(LIVE)
                assert len(runs_of(listener.frames())) == 1
            for listener in early:
                listener.resume()
            for listener in early:
                listener.await_stream(LIVE)
                assert runs_of(listener.frames())[0] == (INTRO, 0, 3999)
                listener.close()
            write(jingle, frames(INTRO, 10))
            server.await_log("intro loaded", 3)
        assert server.log().count("intro left out") == 1


def test_the_stream_may_end_or_change_while_an_intro_is_heard(tmp_path):
    """Who is in the intro hears it to its end, then what there is to hear."""
    jingle = tmp_path / "long.mp3"
    write(jingle, frames(INTRO, 4000))
    with station(jingle, radio__send_buffer="16k", radio__linger="0",
                 **{"mount./live__fallback": "/other"}) as server:
        server.await_log("intro loaded")
        with Encoder(server, "/other", stream_id=2):
            with Encoder(server, stream_id=LIVE):
                plain, icy = (Listener(server, icy=icy, rcvbuf=4096, start=False)
                              for icy in (False, True))
                await_("they listen", lambda: server.listeners("/live") == 2)
            server.await_state("/live", "fallback")
            for listener in (plain, icy):
                listener.resume()
            for listener in (plain, icy):
                listener.await_stream(2)
                runs = runs_of(listener.frames())
                assert runs[0] == (INTRO, 0, 3999) and [run[0] for run in runs[1:]] == [2], runs
                listener.close()


def test_moved_by_an_administrator_it_hears_no_second_intro(jingle, tmp_path):
    other = tmp_path / "other.mp3"
    write(other, frames(OTHER, 100))
    with station(jingle, **{"mount./other__intro": other}) as server:
        server.await_log("intro loaded", 2)
        with Encoder(server, stream_id=LIVE), Encoder(server, "/other", stream_id=2), \
             Listener(server) as listener:
            listener.await_stream(LIVE)
            query = urllib.parse.urlencode({"mount": "/live", "destination": "/other"})
            assert server.get(f"/admin/moveclients?{query}", ADMIN).status == 200
            listener.await_stream(2)
            assert [run[0] for run in runs_of(listener.frames())] == [INTRO, LIVE, 2]


@pytest.mark.parametrize("data, why", [
    (b"<html>" + b"x" * 20000, "it is no MP3, AAC, Ogg or MPEG-TS"),
    (b"", "it is no MP3, AAC, Ogg or MPEG-TS"),
    (frames(INTRO, 10000), "it is larger than radio.intro_size"),
    (None, "it is no file"),
], ids=["text", "empty", "large", "directory"])
def test_what_cannot_be_used_is_said_once_and_left_out(tmp_path, data, why):
    jingle = tmp_path / "jingle"
    if data is None:
        jingle.mkdir()
    else:
        write(jingle, data)
    with station(jingle) as server:
        server.await_log(f'intro left out mount=/live file=.*why="{why}"')
        with Encoder(server, stream_id=LIVE), Listener(server) as listener:
            listener.await_stream(LIVE)
            time.sleep(2.5)  # a second look
            assert len(runs_of(listener.frames())) == 1
        assert server.log().count("intro left out") == 1


def test_another_format_than_the_stream_is_said_once(tmp_path):
    jingle = tmp_path / "jingle.ogg"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=440:duration=2", "-c:a",
                    "libvorbis", "-f", "ogg", jingle], check=True)
    with station(jingle) as server:
        server.await_log("intro loaded")
        with Encoder(server, stream_id=LIVE):
            for _ in range(3):
                with Listener(server) as listener:
                    listener.await_stream(LIVE)
                    assert len(runs_of(listener.frames())) == 1
        assert server.log().count("it is of another format") == 1


def test_in_ogg_the_stream_is_a_chain_that_decodes(tmp_path):
    jingle = tmp_path / "jingle.ogg"
    heard = tmp_path / "heard.ogg"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=440:duration=2", "-c:a",
                    "libvorbis", "-f", "ogg", jingle], check=True)
    with station(jingle) as server:
        server.await_log("intro loaded")
        encoder = subprocess.Popen(
            ["ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "sine=880:duration=60", "-c:a",
             "libvorbis", "-content_type", "application/ogg", "-f", "ogg",
             f"icecast://source:hackme@127.0.0.1:{server.port}/live"])
        try:
            server.await_state("/live", "live")
            with Listener(server) as listener:
                listener.await_bytes(jingle.stat().st_size + 30000)
                heard.write_bytes(listener.body)
        finally:
            encoder.terminate()
            encoder.wait()
    assert heard.read_bytes().startswith(jingle.read_bytes())
    done = subprocess.run(["ffmpeg", "-v", "error", "-i", heard, "-f", "null", "-"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_reload_puts_one_in_and_takes_it_away(jingle):
    config = "mount:\n  /live:\n    genre: any\n{}"
    with Server({"radio.turn": "50ms"}, config=config.format("")) as server, \
         Encoder(server, stream_id=LIVE):
        def heard():
            with Listener(server) as listener:
                listener.await_stream(LIVE)
                return runs_of(listener.frames())[0][0]

        def reload(text):
            with open(server.config_path, "w", encoding="utf-8") as f:
                f.write(config.format(text))
            server.process.send_signal(1)

        assert heard() == LIVE
        reload(f"    intro: {jingle}\n")
        await_("the intro", lambda: heard() == INTRO)
        reload("")
        await_("no intro", lambda: heard() == LIVE)


def test_a_storm_in_and_out_leaves_nothing(jingle):
    with station(jingle) as server:
        server.await_log("intro loaded")
        with Encoder(server, stream_id=LIVE):
            report = swarm_report(swarm_start(server, listeners=300, seconds=3, icy=0.5))
            assert report["served"] == 300, report
            await_("they are gone", lambda: server.listeners("/live") == 0)
            with Listener(server) as listener:
                listener.await_stream(LIVE)
                assert frames_of(listener.audio())
                assert_introduced(listener)
