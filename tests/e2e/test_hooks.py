"""Who wants to know is told, in order, in the form he wants and so that he can trust it; a receiver
that is away, slow or broken costs nobody anything but a bounded queue."""

import hashlib
import hmac
import json
import os
import time
import urllib.parse

import pytest

from fault_harness import (SOURCE, Encoder, Listener, Server, assert_whole, await_, basic, free_port,
                           swarm)
from outside import Outside

OK = (lambda r: r.answer(204))


def hook(url, name="h", **settings):
    return {f"hook.{name}.url": url,
            **{f"hook.{name}.{key}": value for key, value in settings.items()}}


def state(server, name="h"):
    return next(h for h in server.admin("hooks.json").json()["hooks"]["hook"] if h["name"] == name)


def events(outside):
    return [r.headers["x-ringmain-event"] for r in list(outside.requests)]


def bodies(outside, event):
    return [json.loads(r.body) for r in list(outside.requests)
            if r.headers["x-ringmain-event"] == event]


def test_a_source_comes_sings_and_goes():
    with Outside(OK) as outside, Server(hook(outside.url("/h"), events="source_up,source_down,title",
                                             secret="key")) as server:
        with Encoder(server) as encoder:
            server.title("/live", "Ann \"A\" - So\\ng </script>")
            await_("the title is told", lambda: "title" in events(outside))
            encoder.stop()
        await_("all is told", lambda: "source_down" in events(outside))
        assert events(outside) == ["source_up", "title", "source_down"]
        for request in outside.requests:
            stamp = request.headers["x-ringmain-timestamp"]
            mac = hmac.new(b"key", f"{stamp}.".encode() + request.body, hashlib.sha256).hexdigest()
            assert request.headers["x-ringmain-signature"] == f"sha256={mac}"
            assert abs(int(stamp) - time.time()) < 300
            assert request.headers["content-type"] == "application/json"
        up, = bodies(outside, "source_up")
        assert up["mount"] == "/live" and up["event"] == "source_up" and up["text"]
        assert up["data"]["address"] == "127.0.0.1" and up["data"]["codec"] == "mp3"
        title, = bodies(outside, "title")
        assert title["data"]["title"] == 'Ann "A" - So\\ng </script>'
        assert title["data"]["artist"] == 'Ann "A"' and title["data"]["song"] == "So\\ng </script>"
        down, = bodies(outside, "source_down")
        assert down["data"]["why"] and down["data"]["seconds"] >= 0
        assert len({r.headers["x-ringmain-delivery"] for r in outside.requests}) == 3


@pytest.mark.parametrize("title", ['"},"x":{"', "a\\", "ä – 🎵", "@everyone", "{{mount}}", "\x07bell",
                                   "x" * 3000])
def test_a_title_cannot_get_out_of_its_place(title):
    with Outside(OK) as outside, Server({
            **hook(outside.url("/d"), "d", preset="discord", events="title"),
            **hook(outside.url("/s"), "s", preset="slack", events="title"),
            **hook(outside.url("/t"), "t", preset="template", events="title",
                   template='{"now": "{{title}}", "on": "{{mount}}", "none": "{{nothing}}"}'),
            **hook(outside.url("/f?song={{title}}&m={{mount}}"), "f", preset="template", method="get",
                   events="title"),
            **hook(outside.url("/p"), "p", preset="template", type="text/plain", events="title",
                   template="on air: {{title}}")}) as server, Encoder(server):
        server.title("/live", title)
        # What makes an address too long is not sent there.
        long = len(title) > 1000
        await_("all are told", lambda: len(outside.requests) == (4 if long else 5))
        said = title.replace("\x07", " ").strip()
        by = {r.path: r for r in outside.requests}
        discord = json.loads(by["/d"].body)
        assert discord["content"] == f"/live: {said}" and discord["allowed_mentions"] == {"parse": []}
        assert json.loads(by["/s"].body) == {"text": f"/live: {said}"}
        assert json.loads(by["/t"].body) == {"now": said, "on": "/live", "none": ""}
        if not long:
            query = dict(urllib.parse.parse_qsl(by["/f"].query, strict_parsing=True))
            assert query == {"song": said, "m": "/live"} and by["/f"].method == "GET"
        assert by["/p"].body.decode() == f"on air: {said}"
        assert by["/p"].headers["content-type"] == "text/plain"


def test_events_find_those_who_want_them():
    with Outside(OK) as outside, Server({
            **hook(outside.url("/all"), "all"), **hook(outside.url("/a"), "a", mounts="/a"),
            **hook(outside.url("/off"), "off", enabled="no"),
            "mount./live.max_listeners": 1, "http.connections": 500}) as server:
        with Encoder(server), Encoder(server, "/a"), Listener(server) as one:
            assert one.reply().status == 200
            began = time.monotonic()
            for _ in range(5):
                assert server.get("/live").status == 503
            server.ask("SOURCE /live HTTP/1.0\r\n" + basic("source", "no") + "\r\n")
            server.ask(f"SOURCE /live HTTP/1.0\r\n{SOURCE}Content-Type: audio/mpeg\r\n\r\n")
            server.title("/live", "silent")
            await_("told", lambda: {("/all", "source_refused"), ("/all", "source_up"), ("/a", "source_up")}
                   <= {(r.path, r.headers["x-ringmain-event"]) for r in list(outside.requests)})
        paths = [(r.path, r.headers["x-ringmain-event"]) for r in outside.requests]
        took = time.monotonic() - began
        assert ("/all", "source_up") in paths and ("/a", "source_up") in paths
        assert 1 <= paths.count(("/all", "listener_limit")) <= 1 + took // 10, "once in ten seconds"
        assert ("/a", "listener_limit") not in paths
        assert "title" not in events(outside) and "/off" not in {p for p, _ in paths}
        limit = bodies(outside, "listener_limit")[0]
        assert limit["mount"] == "/live" and "full" in limit["data"]["detail"]


def test_a_lockout_is_told():
    with Outside(OK) as outside, Server({**hook(outside.url("/h"), events="lockout"),
                                         "auth.attempts": 3}) as server:
        for i in range(8):
            server.get("/admin/stats", basic("admin", f"guess {i}"))
        await_("told", lambda: outside.requests)
        told, = bodies(outside, "lockout")
        assert told["data"]["address"] == "127.0.0.1" and told["data"]["seconds"] > 0
        assert "guess" not in json.dumps(told)


def test_relays_tell_when_they_come_and_go():
    port = free_port()
    with Outside(OK) as outside, Server(port=port) as origin, \
         Server({**hook(outside.url("/h"), events="relay_up,relay_down"),
                 "relay./live.url": f"http://127.0.0.1:{port}/live",
                 "relays.retry_min": "100ms", "relays.retry_max": "200ms"}) as server:
        await_("down is told", lambda: events(outside) == ["relay_down"])
        with Encoder(origin):
            await_("up is told", lambda: events(outside) == ["relay_down", "relay_up"])
        await_("down is told again", lambda: events(outside)[2:3] == ["relay_down"])
        assert "password" not in str([r.body for r in outside.requests])


def test_what_is_not_taken_is_sent_again_in_order():
    answers = [500, 503, 429, 408, 200]

    def answer(request):
        request.answer(answers.pop(0) if len(answers) > 1 else 200,
                       "Retry-After: 1\r\n" if len(answers) == 3 else "")
    with Outside(answer) as outside, Server({
            **hook(outside.url("/h"), events="title", secret="k"), "hooks.retry_min": "20ms"}) as server, \
         Encoder(server):
        for i in range(5):
            server.title("/live", f"Song {i}")
        await_("all is told", lambda: state(server)["sent"] == 5)
        titles = [b["data"]["title"] for b in bodies(outside, "title")]
        assert titles == ["Song 0"] * 4 + [f"Song {i}" for i in range(5)]
        first = outside.requests[:5]
        assert len({r.headers["x-ringmain-delivery"] for r in first}) == 1
        assert all(b.at - a.at > 0.019 for a, b in zip(first, first[1:]))
        said = state(server)
        assert said["failed"] == 4 and said["lost"] == 0 and said["error"] is None


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_no_is_final(status):
    with Outside(lambda r: r.answer(status)) as outside, \
         Server({**hook(outside.url("/h"), events="title"), "hooks.retry_min": "20ms"}) as server, \
         Encoder(server):
        server.title("/live", "a")
        server.title("/live", "b")
        await_("both are given up", lambda: state(server)["lost"] == 2)
        assert len(outside.requests) == 2 and str(status) in state(server)["error"]


def test_a_dead_receiver_is_paused_and_comes_back():
    port = free_port()
    with Server({**hook(f"http://127.0.0.1:{port}/h", events="title,test"), "hooks.retry_min": "10ms",
                 "hooks.pause_after": 3, "hooks.pause": "1h"}) as server, Encoder(server):
        server.title("/live", "a")
        await_("it is paused", lambda: state(server)["state"] == "paused")
        for i in range(10):
            server.title("/live", f"lost {i}")
        assert state(server)["queued"] == 0 and state(server)["lost"] == 11
        with Outside(OK, port=port) as outside:
            # The test ends the pause.
            assert server.admin("hooks", test="h").status == 200
            await_("the test is there", lambda: events(outside) == ["test"])
            server.title("/live", "b")
            await_("it goes on", lambda: events(outside) == ["test", "title"])
        assert server.admin("hooks", test="none").status == 404


def test_a_slow_receiver_has_a_bounded_queue_and_slows_nobody():
    with Outside(lambda r: time.sleep(150)) as outside, Server({
            **hook(outside.url("/h"), events="title"), "hooks.queue": 10,
            "hooks.timeout": "2m"}) as server, Encoder(server):
        for i in range(50):
            server.title("/live", f"Song {i}")
        assert_whole(swarm(server, listeners=20, check=True, seconds=1))
        said = state(server)
        assert said["queued"] == 10 and said["lost"] == 40 and said["state"] == "sending"
        assert server.stop() < 40, "nobody is waited for"


def test_headers_are_sent_as_they_are_set():
    config = "hook:\n  h: {url: %s, events: [source_up], headers: ['Authorization: Bearer a b', 'X-Y: z']}\n"
    with Outside(OK) as outside, Server(config=config % outside.url("/h")) as server, Encoder(server):
        await_("told", lambda: outside.requests)
        assert outside.requests[0].headers["authorization"] == "Bearer a b"
        assert outside.requests[0].headers["x-y"] == "z"


# --- programs ------------------------------------------------------------------------------------


def program(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    for parent in path.parents:
        if parent.stat().st_uid == os.getuid() and not parent.stat().st_mode & 1:
            parent.chmod(parent.stat().st_mode | 0o011)
    return path


def test_programs_run_without_a_shell_and_without_rights(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    out.chmod(0o777)
    up = program(tmp_path / "up $(touch pwned)",
                 f'{{ echo "$#|$1|$RINGMAIN_EVENT|$RINGMAIN_MOUNT|$RINGMAIN_AGENT|$(id -u)|'
                 f'$RINGMAIN_SOURCE_PASSWORD"; grep NoNewPrivs /proc/self/status; '
                 f'ls /proc/self/fd | wc -l; env; }} >{out}/up.tmp; mv {out}/up.tmp {out}/up')
    down = program(tmp_path / "down", f'echo "$1 $RINGMAIN_WHY" >{out}/down.tmp; mv {out}/down.tmp {out}/down')
    mount = "/a;touch x'"
    config = (f"mount:\n  default: {{on_connect: '{up}', on_disconnect: {down}, "
              "password: hackme}\nradio: {linger: 0}\n").replace("radio: {linger: 0}\n", "")
    with Server(config=config) as server:
        with server.connect() as s, Encoder(server, "/numbers") as frames:
            listener = Listener(server, "/numbers")
            listener.await_bytes(20000)
            data = listener.audio()
            listener.close()
            frames.kill()
        await_("the first came and is gone", lambda: (out / "up").exists() and (out / "down").exists())
        (out / "down").unlink()
        (out / "up").unlink()
        with server.connect() as s:
            s.sendall(f"SOURCE /a;touch%20x' HTTP/1.0\r\n{SOURCE}User-Agent: $(id)\r\n"
                      "Content-Type: audio/mpeg\r\n\r\n".encode() + data)
            await_("it ran", (out / "up").exists)
        await_("and the other", lambda: (out / "down").exists())
        said = (out / "up").read_text().splitlines()
        uid = 65534 if os.getuid() == 0 else os.getuid()
        assert said[0] == f"1|{mount}|source_up|{mount}|$(id)|{uid}|"
        assert said[1].split() == ["NoNewPrivs:", "1"]
        assert int(said[2]) <= 4, "no descriptor of ours is handed on"
        assert not any("hackme" in line for line in said)
        assert (out / "down").read_text().strip() in (f"{mount} closed", f"{mount} connection lost")


@pytest.mark.real_time("three encoders have four seconds to come")
def test_programs_are_bounded_in_number_and_time(tmp_path):
    slow = program(tmp_path / "slow", "sleep 100 & wait\n")
    with Server({"mount.default.on_connect": slow, "hooks.programs": 2,
                 "hooks.program_timeout": "4s"}) as server:
        with Encoder(server, "/a", ready=False), Encoder(server, "/b", ready=False), \
             Encoder(server, "/c", ready=False):
            await_("one is not started", lambda: server.metric("edge_programs_lost_total") == 1)
            assert server.metric("edge_programs_total") == 2
            server.await_log("program killed", count=2)
        await_("they are dead", lambda: not [
            line for line in os.popen("ps -eo args").read().splitlines()
            if str(slow) in line and "<defunct>" not in line and "--set" not in line])


def test_a_program_that_is_not_there_is_said(tmp_path):
    with Server({"mount.default.on_connect": tmp_path / "none"}) as server, Encoder(server):
        server.await_log("program not started")
        assert_whole(swarm(server, listeners=3, check=True, seconds=0.5))
