"""systemctl restart: what is open waits in systemd's descriptor store, and nobody is disconnected."""

import os
import random
import signal
import time

import pytest

from fault_harness import (PATIENCE, SANITIZED, SERVER, Encoder, Listener, assert_whole, await_, runs_of,
                           swarm_report, swarm_start)
from systemd_harness import Unit
from test_tls import certificate, swarm_tls

pytestmark = pytest.mark.skipif(SANITIZED, reason="a sanitizer does not bear clone(CLONE_FILES)")

TIMES = int(os.environ.get("HANDOVERS", "5"))


def assert_still_live(*encoders):
    for encoder in encoders:
        done = encoder.stop()
        assert done["connects"] == 1 and done["drops"] == 0 and done["lost"] == 0, done


def test_a_restart_is_heard_by_nobody(tmp_path):
    """Plain and TLS, with titles and without, between upgrades and kills."""
    pair = certificate(tmp_path, "station")
    with Unit({"radio.turn": "50ms", "radio.icy_interval": 3000, "tls.handshake_timeout": "2m", "tls.certificate": pair[0],
               "tls.key": pair[1]}) as server:
        encoders = [Encoder(server, "/live", title_every=0.7),
                    Encoder(server, "/put", protocol="put", title_every=0.9),
                    Encoder(server, "/stream", protocol="shoutcast")]
        common = {"paths": "/live,/put,/stream", "icy": 0.5, "check": True, "seconds": 600}
        swarms = [swarm_start(server, listeners=400, **common),
                  swarm_tls(server, listeners=50, **common),
                  swarm_tls(server, listeners=50, tls_1_2=True, **common)]
        await_("all listen", lambda: server.listeners() == 500)
        for i in range(TIMES):
            time.sleep(random.uniform(0.2, 0.5))
            server.restart()
            server.await_log("went on with what systemd kept", i + 1)
            assert server.listeners() == 500
            await_("systemd has let go of its copies", lambda: server.notify.store == [])
            if i % 2:
                server.process.send_signal(signal.SIGUSR2)
                server.await_log("core took over", i // 2 + 1)
            else:
                os.kill(server.pid(), signal.SIGKILL)
                server.await_log("started again after a crash", i // 2 + 1)
            # Told to end before that, it has nothing yet that it could give to systemd.
            server.await_log(" core ready ", 3 + 2 * i)
        for swarm in swarms:
            swarm.terminate()
        for swarm in swarms:
            assert_whole(swarm_report(swarm))
        assert_still_live(*encoders)


def test_who_leaves_after_a_restart_is_gone():
    """No copy of systemd's keeps a connection open that the server has closed."""
    with Unit() as server, Encoder(server):
        listener = Listener(server)
        listener.await_bytes(5000)
        server.restart()
        number = server.clients("/live")[0]["ID"]
        server.admin("killclient", mount="/live", id=number)
        listener.await_end()


def test_who_knocks_meanwhile_is_answered():
    with Unit() as server:
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0
        with server.connect() as early:
            early.sendall(b"GET /api/v1/station HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            server.start()
            assert early.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_stop_ends_all():
    """The same signal; systemd drops its store, and that is the end of the connections."""
    with Unit() as server, Encoder(server):
        listener = Listener(server)
        listener.await_bytes(5000)
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0
        assert not listener.ended
        server.notify.drop()
        listener.await_end()
        assert not server.listens()


def test_interrupted_it_ends_in_order():
    """SIGINT is a person's word, and a second SIGTERM too."""
    with Unit() as server, Encoder(server):
        listener = Listener(server)
        listener.await_bytes(5000)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(PATIENCE) == 0
        listener.await_end()
        assert "core ended" in server.log()
        await_("systemd keeps nothing", lambda: server.notify.store == [])


def test_a_store_that_is_too_small_means_an_orderly_end():
    with Unit(offered=8) as server, Encoder(server):
        listeners = [Listener(server) for _ in range(8)]
        for listener in listeners:
            listener.await_bytes(5000)
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0
        assert "systemd does not keep the connections" in server.log() and "core ended" in server.log()
        for listener in listeners:
            listener.await_end()


def test_a_store_that_is_not_whole_means_a_start_like_any_other():
    """systemd kept fewer than it promised: all of it is closed."""
    with Unit(most=6, offered=4096) as server, Encoder(server):
        listeners = [Listener(server) for _ in range(8)]
        for listener in listeners:
            listener.await_bytes(5000)
        server.restart()
        assert "went on" not in server.log()
        for listener in listeners:
            listener.await_end()
        assert server.listeners() == 0


def test_another_layout_means_a_start_like_any_other():
    with Unit() as server, Encoder(server):
        listener = Listener(server)
        listener.await_bytes(5000)
        with open(SERVER, "rb") as f:
            server.replace(f.read().replace(b"radio.listeners\0", b"radio.audience_\0"))
        server.restart()
        assert "what systemd kept cannot be used" in server.log()
        listener.await_end()
        server.restore()


def test_a_server_that_crashes_while_it_goes_on_is_started_again():
    """The start is what fails first: with bad settings, three times. systemd has all still, and the next
    start with good ones goes on."""
    with Unit(config="radio:\n  turn: 100ms\n") as server, Encoder(server) as encoder:
        listener = Listener(server)
        listener.await_bytes(5000)
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0

        def write(turn):
            with open(server.config_path, "w", encoding="utf-8") as f:
                f.write(f"radio:\n  turn: {turn}\n")

        write("purple")
        with pytest.raises(AssertionError):
            server.start()
        assert server.process.wait(PATIENCE) == 1
        write("100ms")
        server.start()
        listener.await_bytes(30000)
        assert len(runs_of(listener.frames())) == 1 and not listener.ended
        assert_still_live(encoder)


def test_without_an_offer_it_ends_as_ever():
    with Unit(offered=0) as server, Encoder(server):
        listener = Listener(server)
        listener.await_bytes(5000)
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0
        listener.await_end()
        assert "core ended" in server.log()
