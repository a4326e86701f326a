"""A relayed mount through upgrades and crashes: the stream is fetched anew, and nobody hears that."""

import os
import random
import time

import pytest

import ogg_pages
from encoders import ffmpeg_send
from fault_harness import (SANITIZED, Encoder, Listener, Server, assert_whole, await_, swarm_report, swarm_start)
from handover_harness import Kept
from test_relay import await_relay, of, url_of

pytestmark = pytest.mark.skipif(SANITIZED, reason="a sanitizer does not bear clone(CLONE_FILES)")

# What is missed while a server changes is heard anew: half a minute of it.
PAST = {"radio.ring": "4M", "radio.burst": "512k"}
TIMES = int(os.environ.get("HANDOVERS", "6"))


@pytest.mark.parametrize("metadata", ["no", "yes"])
@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_listeners_of_a_relay_hear_no_gap(how, metadata):
    """The upstream begins with its past, the ring has it already, and what it has is left out."""
    with Server(PAST) as origin, Encoder(origin, title_every=1) as encoder:
        with Kept(PAST | of(url_of(origin), metadata=metadata)) as server:
            server.await_state("/live", "live")
            swarm = swarm_start(server, listeners=40, icy=0.5, check=True, seconds=600)
            await_("all listen", lambda: server.listeners() == 40)
            for _ in range(TIMES):
                time.sleep(random.uniform(0.3, 0.8))
                server.upgrade() if how == "upgrade" else server.kill()
                await_relay(server, "running")
            time.sleep(1)
            swarm.terminate()
            assert_whole(swarm_report(swarm))
        assert encoder.stop()["connects"] == 1


def test_on_demand_too():
    """Who listens is who demands it."""
    with Server(PAST) as origin, Encoder(origin, title_every=1):
        with Kept(PAST | of(url_of(origin), on_demand="yes", wait="60s")) as server:
            swarm = swarm_start(server, listeners=20, icy=0.5, check=True, seconds=600)
            await_("all listen", lambda: server.listeners() == 20)
            for step in (server.upgrade, server.kill, server.upgrade):
                step()
                await_relay(server, "running")
                time.sleep(0.5)
            swarm.terminate()
            assert_whole(swarm_report(swarm))


@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_listeners_where_it_is_pushed_to_hear_no_gap(how):
    """The server that pushes changes: its new push begins with its past, and the other one knows it."""
    with Server(PAST) as edge:
        push = {**PAST, "push.up.mount": "/live", "push.up.url": f"http://127.0.0.1:{edge.port}/live",
            "push.up.password": "hackme",
                "pushes.retry_min": "100ms", "pushes.retry_max": "500ms"}
        with Kept(push) as server, Encoder(server, title_every=1) as encoder:
            edge.await_state("/live", "live")
            swarm = swarm_start(edge, listeners=40, icy=0.5, check=True, seconds=600)
            await_("all listen", lambda: edge.listeners() == 40)
            for i in range(TIMES):
                server.upgrade() if how == "upgrade" else server.kill()
                edge.await_log("source live mount=/live", 2 + i)
                time.sleep(random.uniform(0.3, 0.8))
            swarm.terminate()
            assert_whole(swarm_report(swarm))
            assert encoder.stop()["connects"] == 1


def pages_heard(listener):
    body = listener.body
    return list(ogg_pages.pages(body[:body.rindex(b"OggS")]))


def assert_pages_follow(pages, headers=3):
    """One chain, whose headers are heard once; behind them each page is the next."""
    assert [p.begins for p in pages].count(True) == 1 and pages[0].begins
    numbers = [p.number for p in pages]
    jumps = [i for i in range(1, len(numbers)) if numbers[i] != numbers[i - 1] + 1]
    assert len(jumps) <= 1 and all(i <= headers for i in jumps), numbers


@pytest.mark.parametrize("form", ["vorbis", "opus"])
@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_ogg_pages_of_a_relay_stay_in_step(crew, sounds, how, form):
    """The chain begins anew with its headers; those are known, and so are the pages behind them."""
    with Server(PAST) as origin:
        origin.host = f"127.0.0.1:{origin.port}"
        origin.source_url = lambda mount, scheme, _=None: f"{scheme}://source:hackme@{origin.host}{mount}"
        encoder = ffmpeg_send(crew, origin, sounds, form, "/live")
        origin.await_state("/live", "live")
        with Kept(PAST | of(url_of(origin))) as server:
            server.await_state("/live", "live")
            listeners = [Listener(server) for _ in range(3)]
            for listener in listeners:
                await_("it hears", lambda l=listener: len(l.body) > 5000)
            for _ in range(3):
                server.upgrade() if how == "upgrade" else server.kill()
                await_relay(server, "running")
                got = len(listeners[0].body)
                await_("it hears on", lambda n=got: len(listeners[0].body) > n + 8000)
            late = Listener(server)
            await_("it hears", lambda: len(late.body) > 20000)
            for listener in [*listeners, late]:
                assert not listener.ended
                assert_pages_follow(pages_heard(listener))
        assert encoder.running()


def test_another_chain_than_before_is_heard_with_its_headers(crew, sounds):
    """The upstream's encoder was exchanged while the server changed."""
    with Server(PAST) as origin:
        origin.host = f"127.0.0.1:{origin.port}"
        origin.source_url = lambda mount, scheme, _=None: f"{scheme}://source:hackme@{origin.host}{mount}"
        first = ffmpeg_send(crew, origin, sounds, "vorbis", "/live")
        origin.await_state("/live", "live")
        with Kept(PAST | of(url_of(origin))) as server:
            server.await_state("/live", "live")
            listener = Listener(server)
            await_("it hears", lambda: len(listener.body) > 5000)
            first.kill()
            await_("it is gone", lambda: origin.state("/live") != "live")
            ffmpeg_send(crew, origin, sounds, "vorbis", "/live", options=("-serial_offset", "99"))
            server.kill()
            await_relay(server, "running")
            await_("there are two chains",
                   lambda: [p.begins for p in pages_heard(listener)].count(True) == 2)
            got = len(listener.body)
            await_("it hears on", lambda: len(listener.body) > got + 10000)
            pages = pages_heard(listener)
            at = max(i for i, p in enumerate(pages) if p.begins)
            assert_pages_follow(pages[:at])
            assert_pages_follow(pages[at:])
