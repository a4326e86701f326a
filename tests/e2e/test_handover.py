"""Nobody is ever disconnected: upgrades and crashes under load, heard by nobody.

The oracle is that of the other tests: numbered frames, each heard once and whole, ICY blocks at their
interval, on connections that are never closed. The processes are real, and so are the kills. What is no MP3
of an encoder is in test_handover_streams.py, what goes wrong in test_handover_faults.py."""

import pytest

from fault_harness import (ADMIN, SANITIZED, SOURCE, Encoder, Listener, assert_never_back, assert_whole, await_, basic,
                           runs_of, swarm_joined, swarm_report, swarm_start)
from handover_harness import TIMES, Kept, all_hear, assert_still_live, disturb, swarm_over
from test_tls import certificate, swarm_tls

pytestmark = pytest.mark.skipif(SANITIZED, reason="a sanitizer does not bear clone(CLONE_FILES)")


@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_nobody_hears_it(how):
    """Titles and none, slow readers and fast ones, three ways in, two workers."""
    with Kept({"radio.turn": "50ms", "radio.icy_interval": 3000}) as server:
        encoders = [Encoder(server, "/live", title_every=0.7),
                    Encoder(server, "/put", protocol="put", title_every=0.9),
                    Encoder(server, "/chunked", protocol="put-chunked", chop=333),
                    Encoder(server, "/stream", protocol="shoutcast")]
        swarm = swarm_start(server, paths="/live,/put,/chunked,/stream", listeners=200, icy=0.5,
                            check=True, seconds=600)
        await_("all listen", lambda: server.listeners() == 200)
        swarm_joined(swarm)
        disturb(server, how, TIMES)
        report = swarm_over(swarm)
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
        all_hear(slow, 50000)
        for listener in slow:
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
    with Kept({"radio.turn": "50ms", "radio.icy_interval": 3000, "tls.handshake_timeout": "2m", "tls.certificate": pair[0],
               "tls.key": pair[1]}) as server:
        encoder = Encoder(server, title_every=0.7)
        swarms = [swarm_tls(server, listeners=60, icy=0.5, check=True, seconds=600, **version)
                  for version in ({}, {"tls_1_2": True})]
        await_("all listen", lambda: server.listeners() == 120)
        for swarm in swarms:
            swarm_joined(swarm)
        disturb(server, how, TIMES)
        for swarm in swarms:
            assert_whole(swarm_over(swarm))
        assert_still_live(encoder)


def test_what_was_known_is_known():
    """Ids, titles, counts, and how long somebody has been there."""
    with Kept() as server, Encoder(server, "/live") as encoder:
        listeners = [Listener(server, icy=i % 2 == 1) for i in range(5)]
        all_hear(listeners, 5000)
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
    with Kept({"http.header_timeout": "5m", "http.idle_timeout": "5m"}) as server:
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


@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_who_was_right_lately_is_known_to_the_next_server(how):
    """Somebody guesses behind the encoder's own address, and goes on doing so."""
    title = "/admin/metadata?mode=updinfo&mount=/live&song="
    with Kept({"auth.attempts": "3", "auth.lockout": "1h"}) as server:
        encoder = Encoder(server)
        server.await_state("/live", "live")
        assert server.get(title + "one", SOURCE).status == 200
        assert server.get("/admin/stats", ADMIN).status == 200
        for i in range(3):
            disturb(server, how, 1)
            guesses = [server.get(title + "x", basic("source", f"guess {i} {k}")).status for k in range(5)]
            assert 429 in guesses
            assert server.get(title + f"{i}", SOURCE).status == 200
            assert server.get("/admin/stats", ADMIN).status == 200
        assert_still_live(encoder)
