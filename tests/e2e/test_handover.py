"""Nobody is ever disconnected: upgrades and crashes under load, heard by nobody.

The oracle is that of the other tests: numbered frames, each heard once and whole, ICY blocks at their
interval, on connections that are never closed. The processes are real, and so are the kills."""

import os
import random
import signal
import ssl
import subprocess
import time

import pytest

import ogg_pages
from encoders import Pacer, ffmpeg_send
from fault_harness import (SANITIZED, SERVER, SOURCE, Encoder, Listener, assert_never_back,
                           assert_whole, await_, runs_of, swarm_report, swarm_start)
from handover_harness import Kept, children, command
from test_tls import certificate, swarm_tls

pytestmark = pytest.mark.skipif(SANITIZED, reason="a sanitizer does not bear clone(CLONE_FILES)")

ROOT = os.path.dirname(os.path.abspath(__file__))
TIMES = int(os.environ.get("HANDOVERS", "20"))


@pytest.fixture(scope="session")
def fault(tmp_path_factory):
    """The library that ends a process at a chosen call."""
    out = tmp_path_factory.mktemp("fault") / "handover_fault.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(out),
                    os.path.join(ROOT, "handover_fault.c"), "-ldl"], check=True)
    return str(out)


def disturb(server, how, times):
    """So many upgrades or kills, each at a moment of its own."""
    for i in range(times):
        time.sleep(random.uniform(0.05, 0.6))
        kind = how if how != "both" else ("kill", "upgrade")[i % 2]
        server.kill() if kind == "kill" else server.upgrade()


def assert_still_live(*encoders):
    """They were let in once, and nobody broke with them."""
    for encoder in encoders:
        done = encoder.stop()
        assert done and done["connects"] == 1 and done["drops"] == 0 and done["lost"] == 0, done


# --- nobody hears it ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_nobody_hears_it(how):
    """Titles and none, slow readers and fast ones, three ways in, two workers."""
    with Kept({"radio.turn": "50ms", "radio.icy_interval": 3000}) as server:
        encoders = [Encoder(server, "/live", title_every=0.7),
                    Encoder(server, "/put", protocol="put", title_every=0.9),
                    Encoder(server, "/chunked", protocol="put-chunked", chop=333),
                    Encoder(server, "/stream", protocol="shoutcast")]
        swarm = swarm_start(server, paths="/live,/put,/chunked,/stream", listeners=200, icy=0.5,
                            check=True, seconds=max(8, TIMES * 0.6 + 3))
        await_("all listen", lambda: server.listeners() == 200)
        disturb(server, how, TIMES)
        report = swarm_report(swarm)
        assert_whole(report)
        # A pause is one turn and what the change of servers takes.
        print(how, report["gap_max_ms"], report["check"]["frames"])
        assert_still_live(*encoders)
        assert server.metric("core_crashes_total" if how == "kill" else
                             "core_upgrades_total") == TIMES


@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_slow_listeners_lose_whole_frames_and_nothing_else(how):
    """They are lapped in a small ring, with rests of frames put aside, when it happens."""
    with Kept({"radio.ring": "64k", "radio.burst": "8k", "radio.send_buffer": "4608",
               "radio.turn": "50ms", "radio.lag_limit": "5m", "radio.icy_interval": 1000}) as server:
        encoder = Encoder(server, bitrate=320, speed=3, title_every=0.2)
        slow = [Listener(server, icy=i % 2 == 1, rcvbuf=2304) for i in range(20)]
        for i in range(TIMES):
            for listener in slow[i % 3::3]:
                listener.pause()
            disturb(server, how, 1)
            for listener in slow:
                listener.resume()
        for listener in slow:
            got = len(listener.received())
            await_("it hears on", lambda l=listener, n=got: len(l.received()) > n + 50000)
            assert not listener.ended
            frames = listener.frames()
            assert_never_back(frames)
            assert len(frames) > 100
        assert any(len(runs_of(l.frames())) > 1 for l in slow), "nobody was ever lapped"
        assert_still_live(encoder)


@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_nobody_hears_it_over_tls(tmp_path, how):
    """The keys and counts of both versions are in tables too: no new handshake, no byte wrong."""
    pair = certificate(tmp_path, "server")
    with Kept({"radio.turn": "50ms", "radio.icy_interval": 3000, "tls.certificate": pair[0],
               "tls.key": pair[1]}) as server:
        encoder = Encoder(server, title_every=0.7)
        seconds = max(8, TIMES * 0.6 + 3)
        swarms = [swarm_tls(server, listeners=60, icy=0.5, check=True, seconds=seconds, **version)
                  for version in ({}, {"tls_1_2": True})]
        await_("all listen", lambda: server.listeners() == 120)
        disturb(server, how, TIMES)
        for swarm in swarms:
            assert_whole(swarm_report(swarm))
        assert_still_live(encoder)


def make_file(path, seconds):
    """Numbered frames as a file: what a listener of them hears."""
    with Kept() as server, Encoder(server, burst_seconds=seconds, speed=0, stream_id=9):
        listener = Listener(server)
        listener.await_bytes(seconds * 16000 // 2)
        frames = listener.frames()[:200]
        with open(path, "wb") as f:
            f.write(listener.audio()[:frames[-1].at + frames[-1].len])
    return frames


def assert_round(listener, numbers):
    """It heard these frames in this order, round and round."""
    heard = [numbers.index(f.number) for f in listener.frames()]
    assert all(after == (before + 1) % len(numbers) for before, after in zip(heard, heard[1:])), heard


class SecretEncoder:
    """Sends a body over TLS at the pace of its bit rate, on a thread."""

    def __init__(self, server, mount, data, rate=16000):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(server.connect(), server_hostname="localhost")
        self.socket.sendall(f"PUT {mount} HTTP/1.1\r\nHost: x\r\n{SOURCE}Content-Type: audio/mpeg"
                            "\r\n\r\n".encode())
        self.pacer = Pacer(self.socket, data, rate)
        server.await_state(mount, "live")


@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_an_encoder_over_tls_is_not_interrupted(tmp_path, how):
    pair = certificate(tmp_path, "server")
    path = str(tmp_path / "file.mp3")
    numbers = [f.number for f in make_file(path, 10)]
    with open(path, "rb") as f:
        data = f.read()
    with Kept({"tls.certificate": pair[0], "tls.key": pair[1]}) as server:
        encoder = SecretEncoder(server, "/live", data, rate=6000)
        listeners = [Listener(server, icy=i % 2 == 1) for i in range(6)]
        for listener in listeners:
            listener.await_bytes(3000)
        disturb(server, how, min(TIMES, 8))
        for listener in listeners:
            listener.await_bytes(6000)
            assert_round(listener, numbers)
        assert encoder.pacer.failed is None
        encoder.pacer.stop()


@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_ogg_pages_stay_in_step(crew, sounds, how):
    """ffmpeg's own connection, and the headers that each listener was given once."""
    with Kept() as server:
        server.host = f"127.0.0.1:{server.port}"
        server.source_url = lambda mount, scheme, _=None: (
            f"{scheme}://source:hackme@{server.host}{mount}")
        encoders = [ffmpeg_send(crew, server, sounds, form, f"/{form}", loop=False)
                    for form in ("opus", "vorbis")]
        for form in ("opus", "vorbis"):
            server.await_state(f"/{form}", "live")
        listeners = [Listener(server, f"/{form}") for form in ("opus", "vorbis") * 4]
        for listener in listeners:
            await_("it hears", lambda l=listener: len(l.body) > 10000)
        disturb(server, how, min(TIMES, 12))
        for listener in listeners:
            got = len(listener.received())
            await_("it hears on", lambda l=listener, n=got: len(l.received()) > n + 8000)
            body = listener.body
            last = None
            pages = list(ogg_pages.pages(body[:body.rindex(b"OggS")]))
            assert pages[0].begins
            for page in pages:
                # The first data page may be any; from there on each is the next.
                assert last is None or last < 3 or page.number == last + 1, (last, page.number)
                last = page.number
            assert not listener.ended
        assert all(e.running() for e in encoders)


@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_fallbacks_go_on_where_they_are(tmp_path, how):
    """A mount that hears another one's encoder, and one that hears a file in a loop."""
    path = str(tmp_path / "file.mp3")
    numbers = [f.number for f in make_file(path, 10)]
    with Kept({"mount./off.fallback": "/live", "mount./file.fallback_file": path,
               "radio.icy_interval": 3000}) as server:
        encoder = Encoder(server, title_every=1)
        off = [Listener(server, "/off", icy=i % 2 == 1) for i in range(6)]
        file = [Listener(server, "/file", icy=i % 2 == 1) for i in range(6)]
        for listener in off + file:
            listener.await_bytes(20000)
        disturb(server, how, min(TIMES, 10))
        for listener in off + file:
            listener.await_bytes(40000)
            assert not listener.ended
        for listener in off:
            assert len(runs_of(listener.frames())) == 1, runs_of(listener.frames())
        for listener in file:
            assert_round(listener, numbers)
        # The administrator's word is not forgotten either, and fallbacks work afterwards.
        encoder.kill()
        server.await_state("/live", "lingering", "off", "stalled")


def test_what_was_known_is_known():
    """Ids, titles, counts, and how long somebody has been there."""
    with Kept() as server, Encoder(server, "/live") as encoder:
        listeners = [Listener(server, icy=i % 2 == 1) for i in range(5)]
        for listener in listeners:
            listener.await_bytes(5000)
        assert server.title("/live", "Ring of Fire").status == 200
        await_("the title", lambda: server.stats("/live").get("title") == "Ring of Fire")
        before = sorted(c["ID"] for c in server.clients("/live"))
        came = server.stats("/live")["stream_start_iso8601"]
        for step in (server.upgrade, server.kill, server.upgrade):
            step()
            stats = server.stats("/live")
            assert stats["title"] == "Ring of Fire"
            assert stats["stream_start_iso8601"] == came
            assert sorted(c["ID"] for c in server.clients("/live")) == before
            assert server.listeners("/live") == 5
        extra = Listener(server)
        extra.await_bytes(5000)
        ids = {c["ID"] for c in server.clients("/live")}
        assert len(ids) == 6 and set(before) < ids
        for listener in listeners:
            listener.socket.close()
        await_("they are missed", lambda: server.listeners("/live") == 1)
        assert_still_live(encoder)


def test_nobody_who_just_knocks_is_turned_away():
    """Connections come all the time; each gets its answer, whichever server it is."""
    with Kept() as server, Encoder(server):
        swarm = swarm_start(server, listeners=1500, rate=300, check=True, icy=0.3, seconds=3)
        disturb(server, "upgrade", 6)
        assert_whole(swarm_report(swarm))


def test_a_half_read_request_moves_and_is_answered():
    with Kept() as server:
        with server.connect() as half, server.connect() as idle:
            half.sendall(b"GET /api/v1/station HTTP/1.1\r\nHost: x\r\nConnec")
            idle.sendall(b"GET /api/v1/station HTTP/1.1\r\nHost: x\r\n\r\n")
            first = idle.recv(65536)
            assert first.startswith(b"HTTP/1.1 200")
            server.upgrade()
            half.sendall(b"tion: close\r\n\r\n")
            assert half.recv(65536).startswith(b"HTTP/1.1 200")
            idle.sendall(b"GET /api/v1/station HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.recv(65536).startswith(b"HTTP/1.1 200")


# --- a new server that is none ----------------------------------------------------------------------


BROKEN = {
    "no program at all": b"\x7fELF garbage",
    "one that ends": "#!/bin/sh\nexit 1\n",
    "one that ends well": "#!/bin/sh\nexit 0\n",
    "one that kills itself": "#!/bin/sh\nkill -9 $$\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_program_leaves_the_old_server_serving(kind):
    with Kept() as server, Encoder(server, title_every=1) as encoder:
        listener = Listener(server, icy=True)
        listener.await_bytes(5000)
        server.replace(BROKEN[kind])
        server.upgrade_fails()
        server.upgrade_fails()
        listener.await_bytes(20000)
        server.restore()
        server.upgrade()
        listener.await_bytes(20000)
        assert len(runs_of(listener.frames())) == 1
        assert_still_live(encoder)


def test_bad_settings_leave_the_old_server_serving():
    with Kept(config="radio:\n  turn: 100ms\n") as server, Encoder(server) as encoder:
        listener = Listener(server)
        listener.await_bytes(5000)
        with open(server.config_path, "w", encoding="utf-8") as f:
            f.write("radio:\n  turn: purple\n")
        server.upgrade_fails()
        listener.await_bytes(20000)
        assert len(runs_of(listener.frames())) == 1
        assert_still_live(encoder)


def test_a_new_server_killed_at_each_step(fault, tmp_path):
    """Whatever step it dies at, either the old one serves on, or the new one's holder starts it again:
    nobody hears which."""
    kept = given = 0
    with Kept({"workers": 1}) as server, Encoder(server, title_every=1) as encoder:
        listeners = [Listener(server, icy=i % 2 == 1) for i in range(12)]
        for listener in listeners:
            listener.await_bytes(5000)
        step = 1
        while True:
            mark = tmp_path / f"mark{step}"
            server.wrap(LD_PRELOAD=fault, FAULT_STEP=step, FAULT_MARK=mark)
            answer = server.ctl("upgrade")
            if not mark.exists():
                assert answer.returncode == 0
                break
            if answer.returncode == 0:
                given += 1
            else:
                kept += 1
                assert "this server goes on" in server.log()
            await_("a server answers", lambda: server.get("/api/v1/station").status == 200)
            step += 1
            assert step < 60
        for listener in listeners:
            listener.await_bytes(20000)
            assert not listener.ended
            assert len(runs_of(listener.frames())) == 1, runs_of(listener.frames())
        print("steps", step, "kept", kept, "given", given)
        assert kept > 3 and given > 0
        assert_still_live(encoder)


def test_a_server_of_other_tables_takes_the_doors_alone():
    """The old one goes on with those that it has, and ends when they have left."""
    with Kept() as server, Encoder(server, "/live") as encoder:
        listener = Listener(server)
        listener.await_bytes(5000)
        with open(SERVER, "rb") as f:
            program = f.read()
        assert b"radio.listeners\0" in program
        server.replace(program.replace(b"radio.listeners\0", b"radio.audience_\0"))
        old = server.pid()
        answer = server.ctl("upgrade")
        assert answer.stdout == "ok the old server drains\n", answer
        server.await_log(" core ready ", 2)
        assert server.pid() != old
        with Encoder(server, "/other"):
            other = Listener(server, "/other")
            other.await_bytes(5000)
            listener.await_bytes(20000)
            assert len(runs_of(listener.frames())) == 1
            listener.socket.close()
            encoder.kill()
            await_("the old server ends", lambda: old not in server.tree(), 30)
            other.await_bytes(5000)


# --- crashes ----------------------------------------------------------------------------------------


def test_a_connection_that_crashes_the_server_twice_is_dropped_and_named(fault, tmp_path):
    port = tmp_path / "port"
    with Kept(preload=fault) as server:
        server.process.terminate()
        server.process.wait()
        server.environment["FAULT_PORT"] = str(port)
        server.start()
        with Encoder(server) as encoder:
            others = [Listener(server, icy=i % 2 == 1) for i in range(6)]
            poison = Listener(server, headers="X: y\r\n")
            for listener in [*others, poison]:
                listener.await_bytes(5000)
            number = poison.socket.getsockname()[1]
            port.write_text(str(number))
            await_("it is dropped", lambda: poison.ended)
            server.await_log(r'listener not restored id=\d+ address=127.0.0.1 agent=test '
                             r'why="the server crashed over it twice"')
            assert server.metric("core_crashes_total") == 2
            for listener in others:
                listener.await_bytes(20000)
                assert len(runs_of(listener.frames())) == 1
            assert_still_live(encoder)


def test_a_server_that_cannot_start_again_ends_its_keeper():
    with Kept() as server, Encoder(server):
        # Its settings are gone: it cannot go on, three times.
        server.args_file = os.path.join(server.data, "passwords")
        with open(server.program, "rb"):
            pass
        for _ in range(2):
            server.kill()
    with Kept(config="radio:\n  turn: 100ms\n") as server:
        with open(server.config_path, "w", encoding="utf-8") as f:
            f.write("radio:\n  turn: purple\n")
        os.kill(server.pid(), signal.SIGKILL)
        assert server.process.wait(20) == 1
        assert server.log().count("purple") == 3, server.log()
        server.process.returncode = 0


def test_the_holder_killed_is_an_upgrade():
    with Kept() as server, Encoder(server, title_every=1) as encoder:
        listeners = [Listener(server, icy=i % 2 == 1) for i in range(6)]
        for listener in listeners:
            listener.await_bytes(5000)
        for i in range(3):
            os.kill(server.holder(), signal.SIGKILL)
            server.upgrades += 1
            server.await_log("core took over", server.upgrades)
            server.await_log(" core ready ", 1 + server.upgrades)
        server.kill()
        for listener in listeners:
            listener.await_bytes(20000)
            assert len(runs_of(listener.frames())) == 1
        assert_still_live(encoder)


def test_the_keeper_killed_ends_the_server_in_order():
    with Kept() as server:
        pids = server.tree()
        server.process.kill()
        server.process.wait()
        await_("all are gone", lambda: not any(os.path.exists(f"/proc/{p}/exe") for p in pids[1:]))
        assert "the keeper is gone" in server.log()
        assert "core ended" in server.log()
        assert not server.listens()
        server.process.returncode = 0


# --- what a shell sees ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_as_one_program(number):
    with Kept() as server:
        pids = server.tree()
        assert len(pids) == 3
        server.process.send_signal(number)
        assert server.process.wait(20) == 0
        assert not any(os.path.exists(f"/proc/{p}/exe") for p in pids)
        assert server.log().count("core stopping") == 1


def test_a_start_that_fails_says_so_once():
    with Kept() as server:
        with Kept(port=None) as other:
            second = subprocess.run([SERVER, "--data", other.data, "--set",
                                     f"http.listen=127.0.0.1:{server.port}"], capture_output=True,
                                    text=True, timeout=20, check=False)
        assert second.returncode == 1
        assert second.stderr.count("another program serves") == 1


def test_signals_reach_the_server():
    with Kept() as server:
        server.process.send_signal(signal.SIGHUP)
        server.await_log("core reloaded")
        server.process.send_signal(signal.SIGUSR2)
        server.await_log("core took over")
        server.await_log(" core ready ", 2)
        server.process.send_signal(signal.SIGHUP)
        server.await_log("core reloaded", 2)
        os.kill(server.pid(), signal.SIGUSR2)
        server.await_log("core took over", 2)
        assert server.ctl("reload").stdout == "ok\n"


def test_the_demo_does_not_multiply():
    # Where it was built, for its helper is beside it there.
    with Kept({"radio.demo": "yes"}, program=SERVER) as server:
        server.await_state("/demo", "live", seconds=40)
        for step in (server.upgrade, server.kill, server.upgrade):
            step()
        server.await_state("/demo", "live", seconds=40)
        await_("there is one", lambda: sum("ringmain-demo" in command(p)
                                           for p in server.tree()) <= 1)


def test_nothing_grows():
    """Descriptors and memory, of all three processes, over fifty upgrades and some kills."""
    with Kept() as server, Encoder(server, title_every=1) as encoder:
        listeners = [Listener(server, icy=i % 2 == 1) for i in range(20)]
        for listener in listeners:
            listener.await_bytes(5000)

        def keeper_costs():
            pid = server.process.pid
            return len(os.listdir(f"/proc/{pid}/fd")) + len(os.listdir(f"/proc/{server.holder()}/fd"))

        for _ in range(5):
            server.upgrade()
        server.kill()
        await_("the old ones are gone", lambda: len(children(server.process.pid)) == 1)
        before = server.descriptors(), keeper_costs(), server.rss()
        for i in range(50):
            server.upgrade()
            if i % 10 == 9:
                server.kill()
        await_("the old ones are gone", lambda: len(children(server.process.pid)) == 1)
        after = server.descriptors(), keeper_costs(), server.rss()
        print("before", before, "after", after)
        assert after[0] <= before[0] + 2
        assert after[1] <= before[1] + 2
        assert after[2] <= before[2] * 1.3 + 4e6
        for listener in listeners:
            assert not listener.ended
            assert len(runs_of(listener.frames())) == 1
        assert_still_live(encoder)
