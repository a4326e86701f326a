"""Relays that an administrator makes over the API: kept in relays.json over restarts, upgrades and
crashes, and nobody who listens hears those; relays of the settings go before them."""
import json
import os
import random
import stat
import time

import pytest

from fault_harness import (ADMIN, SANITIZED, Encoder, Server, assert_whole, await_, swarm_report,
                           swarm_start)
from handover_harness import Kept
from outside import Outside
from test_relay import RETRY, await_relay, of, relay, url_of

# What is missed while a server changes is heard anew: half a minute of it.
PAST = {"radio.ring": "4M", "radio.burst": "512k"}
NEAR = {**RETRY, **PAST, "relays.wait": "60s", "outgoing.internal": "127.0.0.0/8"}
NOBODY = "http://192.0.2.1/x"


def call(server, method, path, body=None):
    text = "" if body is None else json.dumps(body)
    return server.ask(f"{method} /api/v1{path} HTTP/1.0\r\n{ADMIN}"
                      "Content-Type: application/json\r\n"
                      f"Content-Length: {len(text)}\r\n\r\n{text}")


def make(server, mount, url, on_demand=False):
    made = call(server, "POST", "/relays", {"mount": mount, "url": url, "on_demand": on_demand})
    assert made.status == 201, made.raw
    assert made.json()["mount"] == mount and made.json()["origin"] == "api"


def file_of(data):
    return os.path.join(data, "relays.json")


def kept(data):
    with open(file_of(data), encoding="utf-8") as f:
        return json.load(f)


@pytest.mark.skipif(SANITIZED, reason="a sanitizer does not bear clone(CLONE_FILES)")
@pytest.mark.parametrize("on_demand", [False, True], ids=["always", "on demand"])
@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_listeners_of_one_hear_no_gap(how, on_demand):
    with Server(PAST) as origin, Encoder(origin, title_every=1) as encoder:
        with Kept(NEAR) as server:
            make(server, "/live", url_of(origin), on_demand)
            if not on_demand:
                server.await_state("/live", "live")
            swarm = swarm_start(server, listeners=40, icy=0.5, check=True, seconds=600)
            await_("all listen", lambda: server.listeners() == 40)
            for _ in range(4):
                time.sleep(random.uniform(0.3, 0.8))
                server.upgrade() if how == "upgrade" else server.kill()
                assert relay(server)["origin"] == "api"
                await_relay(server, "running")
            time.sleep(1)
            swarm.terminate()
            assert_whole(swarm_report(swarm))
        assert encoder.stop()["connects"] == 1


def test_they_outlive_a_restart_until_they_are_removed(tmp_path):
    data = str(tmp_path / "data")
    with Server(NEAR, data=data) as server:
        make(server, "/a", "http://ann:word@192.0.2.1/x", True)
        make(server, "/b/c", NOBODY)
        assert stat.S_IMODE(os.stat(file_of(data)).st_mode) == 0o600
    with Server(NEAR, data=data) as server:
        assert relay(server, "/a")["on_demand"] and not relay(server, "/b/c")["on_demand"]
        assert call(server, "DELETE", "/relays/a").status == 204
        assert call(server, "DELETE", "/relays/a").status == 404
    with Server(NEAR, data=data) as server:
        assert relay(server, "/a") is None and relay(server, "/b/c")
        # A reload is none of their business.
        assert call(server, "POST", "/reload").json()["good"] and relay(server, "/b/c")
    assert kept(data) == [{"mount": "/b/c", "url": NOBODY, "on_demand": False}]


def test_those_of_the_settings_go_before(tmp_path):
    data = str(tmp_path / "data")
    with Server(NEAR, data=data) as server:
        make(server, "/live", NOBODY)
    with Server({**of("http://127.0.0.1:9/other", "/live")}, data=data) as server:
        found = relay(server)
        assert found["url"].endswith("/other") and call(server, "DELETE", "/relays/live").status == 409
        assert call(server, "POST", "/relays", {"mount": "/live", "url": NOBODY}).status == 409
    assert not os.path.exists(file_of(data) + ".bad")


@pytest.mark.parametrize("text,left", [
    ("[{", []), ("{}", []), ("", []),
    ('[{"mount": "/a", "url": "http://192.0.2.1/x"}, {"mount": "b", "url": "http://192.0.2.1/x"}]',
     ["/a"]),
    ('[{"mount": "/a", "url": "http://192.0.2.1/x"}, {"mount": "/b", "url": "file:///etc/x"}]',
     ["/a"]),
    ('[{"mount": "/a", "url": "http://192.0.2.1/x"}, {"mount": "/b", "url": "http://192.0.2.1/x",'
     ' "reach": 1}]', ["/a"]),
    ('[7, {"mount": "/a", "url": "http://192.0.2.1/x"}]', ["/a"]),
], ids=["torn", "object", "empty", "no mount", "no address", "not known", "number"])
def test_a_file_that_makes_no_sense_is_said_and_put_aside(tmp_path, text, left):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "relays.json").write_text(text)
    with Server(NEAR, data=str(data)) as server:
        server.await_log("radio relays not all read .*relays.json")
        assert [r["mount"] for r in json.loads(call(server, "GET", "/relays").body)["relays"]] == left
    assert (data / "relays.json.bad").read_text() == text
    assert [r["mount"] for r in kept(str(data))] == left


def test_what_cannot_be_kept_is_not_made(tmp_path):
    data = tmp_path / "data"
    with Server(NEAR, data=str(data)) as server:
        (data / "relays.json.new").mkdir()
        made = call(server, "POST", "/relays", {"mount": "/a", "url": NOBODY})
        assert (made.status, made.json()["error"]["code"]) == (507, "not_kept")
        assert relay(server, "/a") is None
        server.await_log("radio relays not kept")
        (data / "relays.json.new").rmdir()
        make(server, "/a", NOBODY)
        (data / "relays.json.new").mkdir()
        assert call(server, "DELETE", "/relays/a").status == 507 and relay(server, "/a")


def test_there_are_not_endlessly_many():
    with Server(NEAR) as server:
        for i in range(256):
            make(server, f"/r{i}", NOBODY, True)
        more = call(server, "POST", "/relays", {"mount": "/more", "url": NOBODY})
        assert (more.status, more.json()["error"]["code"]) == (507, "list_full")


def test_an_address_of_the_inside_stays_one_after_a_restart(tmp_path):
    data = str(tmp_path / "data")
    with Outside(lambda r: r.answer(200, "Content-Type: audio/mpeg\r\n")) as inside:
        for first in (True, False):
            with Server(RETRY, data=data) as server:
                if first:
                    make(server, "/r", inside.url("/live"))
                await_("it says why", lambda s=server: "may not be called" in (relay(s, "/r")["error"] or ""))
                # And what would let it.
                assert "outgoing.internal" in relay(server, "/r")["error"]
        assert not inside.requests


def test_the_log_names_what_an_order_was_for():
    with Server(NEAR) as server:
        make(server, "/a", NOBODY)
        assert call(server, "POST", "/bans", {"network": "192.0.2.0/24"}).status == 201
        server.await_log("edge order method=POST path=/api/v1/relays mount=/a user=admin")
        server.await_log("edge order method=POST path=/api/v1/bans target=192.0.2.0/24 user=admin")
