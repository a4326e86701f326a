"""Streams of other servers come through byte for byte, come when somebody listens, come back when they
were lost, and never go in circles; what an upstream does wrong hurts nobody but its own mount."""

import os
import signal
import threading
import time

import pytest

from fault_harness import (PATIENCE, ROOT, SOURCE, Encoder, Listener, Server, assert_never_back,
                           assert_whole, assert_whole_and_titled, await_, basic, free_port, run, runs_of, serving, swarm)
from outside import IceServer, Outside, certificate

RETRY = {"relays.retry_min": "100ms", "relays.retry_max": "500ms"}


def relay(server, mount="/live"):
    """What is said of one."""
    for r in server.admin("relays.json").json()["relays"]["relay"]:
        if r["mount"] == mount:
            return r
    return None


def await_relay(server, state, mount="/live", seconds=None):
    return await_(f"the relay of {mount} is {state}",
                  lambda: (r := relay(server, mount)) and r["state"] == state and r, seconds)


def await_error(server, words, mount="/live", seconds=None):
    """It says these words, or anything when there are none."""
    return await_(f"the relay of {mount} says {words!r}",
                  lambda: (e := (relay(server, mount) or {}).get("error")) and words in e, seconds)


def of(url, mount="/live", **settings):
    return {**RETRY, f"relay.{mount}.url": url,
            **{f"relay.{mount}.{name}": value for name, value in settings.items()}}


def url_of(server, mount="/live"):
    return f"http://127.0.0.1:{server.port}{mount}"


# --- from and to real servers --------------------------------------------------------------------


def test_icecast_comes_through_byte_for_byte_with_its_titles():
    with IceServer() as ice, Encoder(ice, "/live", title_every=1):
        with Server(of(url_of(ice))) as server:
            server.await_state("/live", "live")
            report = assert_whole_and_titled(
                lambda seconds: swarm(server, listeners=40, icy=0.5, check=True, seconds=seconds), 40, (6, 30))
            assert report["check"]["titles_foreign"] == 0


def test_ringmain_comes_through_and_keeps_what_the_station_says():
    with Server() as origin, Encoder(origin, "/live", title_every=1), \
         Server(of(url_of(origin), metadata="yes")) as server:
        server.await_state("/live", "live")
        assert_whole(swarm(server, listeners=20, icy=0.5, check=True, seconds=3))
        origin_head = origin.get("/live", method="HEAD").headers
        head = server.get("/live", method="HEAD").headers
        for name in ("content-type", "icy-name", "icy-genre", "icy-br", "ice-audio-info"):
            assert head.get(name) == origin_head.get(name), name


def test_a_chain_of_relays_comes_through():
    with Server() as origin, Encoder(origin, "/live", title_every=1), \
         Server(of(url_of(origin))) as second, Server(of(url_of(second))) as third:
        third.await_state("/live", "live")
        assert_whole(swarm(third, listeners=10, icy=0.5, check=True, seconds=3))
        via = third.get("/live", "Via: 1.1 other\r\n", method="HEAD").headers["icy-via"]
        assert len(via.split(",")) == 3
        # Players are not told.
        assert "icy-via" not in third.get("/live", method="HEAD").headers


def test_icecast_is_our_slave_and_our_master():
    slave = """<master-server>127.0.0.1</master-server><master-server-port>%d</master-server-port>
        <master-update-interval>2</master-update-interval>
        <master-password>slave words</master-password><relays-on-demand>0</relays-on-demand>"""
    with Server({"relays.slave_password": "slave words"}) as origin, \
         Encoder(origin, "/live", title_every=1):
        assert origin.get("/admin/streamlist.txt").status == 401
        assert origin.get("/admin/stats", basic("relay", "slave words")).status in (401, 403)
        with IceServer(slave % origin.port) as ice:
            ice.await_state("/live")
            last = {"relays.master": f"http://127.0.0.1:{ice.port}",
                    "relays.master_password": "relay words", "relays.master_interval": "1s"}
            with Server({**RETRY, **last}) as server:
                # On demand: the first listener brings it.
                await_relay(server, "idle")
                with Listener(server, icy=True) as listener:
                    listener.await_bytes(60000)
                    assert listener.reply().status == 200
                    assert len(runs_of(listener.frames())) == 1
                assert relay(server)["origin"] == "master"
                # A master that is away takes nothing away.
                ice.stop()
                server.await_log("master not readable")
                assert relay(server)


def test_a_push_to_icecast_comes_through_with_its_titles():
    with IceServer() as ice, Server({
            "push.up.mount": "/live", "push.up.url": url_of(ice, "/copy"),
            "push.up.password": "hackme", "pushes.retry_min": "100ms"}) as server, \
         Encoder(server, "/live", title_every=1):
        ice.await_state("/copy")
        for seconds in (4, 30):
            report = swarm(ice, "/copy", listeners=10, icy=0.5, check=True, seconds=seconds)
            # Icecast starts a listener anywhere; all behind that is whole.
            assert report["check"]["torn"] == report["check"]["gaps"] == report["check"]["repeats"] == 0
            if report["check"]["titles"]:
                break
        assert report["check"]["titles"] > 0
        # It comes back when Icecast does.
        ice.stop()
        await_("the push waits", lambda: "waiting" in server.admin("relays.json").body.decode())
        ice.start()
        ice.await_state("/copy")


def test_a_push_with_a_wrong_password_says_so_and_disturbs_nobody():
    with IceServer() as ice, Server({
            "push.up.mount": "/live", "push.up.url": url_of(ice, "/copy"),
            "push.up.password": "wrong", "pushes.retry_min": "100ms"}) as server, \
         Encoder(server, "/live"):
        server.await_log("push down .*it answered 401")
        assert_whole(swarm(server, listeners=5, check=True, seconds=1))


@pytest.mark.parametrize("method", ["source", "put"])
def test_ogg_is_pushed_and_relayed_with_its_headers(method):
    path = os.path.join(ROOT, "tests", "golden", "container", "vorbis-chain.ogg")
    with open(path, "rb") as f:
        song = f.read()
    with Server() as far, Server({
            "push.up.mount": "/ogg", "push.up.url": url_of(far, "/copy"),
            "push.up.password": "hackme", "push.up.method": method}) as near, \
         Server(of(url_of(far, "/copy"), "/again")) as last, near.connect() as s:
        s.sendall(f"PUT /ogg HTTP/1.0\r\n{SOURCE}Content-Type: application/ogg\r\n\r\n".encode())
        s.sendall(song)
        last.await_state("/again", "live")
        with Listener(last, "/again") as listener:
            # All of it is in the ring: a late listener begins with the headers of a chain.
            await_("the listener has its pages", lambda: listener.body.count(b"OggS") >= 3)
            body = listener.body
            assert body.startswith(b"OggS") and body[28:35] == b"\x01vorbis"
            assert b"\x05vorbis" in body
            end = song.find(body[-200:])
            assert end > 0, "not the bytes of the song"


# --- SHOUTcast and others ------------------------------------------------------------------------


def frames_for(seconds):
    """Numbered frames, as bytes, for so many seconds of play."""
    with Server({"radio.ring": "16M", "radio.burst": "3M"}) as server, \
         Encoder(server, bitrate=128, burst_seconds=seconds) as encoder, Listener(server) as listener:
        want = int(seconds * 38)
        await_("the frames", lambda: len(listener.frames()) >= want)
        body = listener.audio()
        return [body[f.at:f.at + f.len] for f in listener.frames()[:want]]


@pytest.fixture(scope="module")
def frames():
    return frames_for(120)


class Radio:
    """An upstream that plays frames and never one twice; each answer begins where the last one was."""

    def __init__(self, frames, head="HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n", speed=20,
                 metaint=0, limit=None, back=0):
        self.frames, self.head, self.speed = frames, head, speed
        self.at = 0
        self.metaint, self.limit = metaint, limit
        self.back = back  # frames that each answer begins with and that were played before
        self.cut = threading.Event()
        self.plays = 0

    def __call__(self, request):
        self.plays += 1
        request.send(self.head)
        if self.back and self.at:
            # From the middle of a frame, as Icecast does.
            past = b"".join(self.frames[max(0, self.at - self.back):self.at])
            request.send(past[100:])
        count = title = 0
        while self.at < len(self.frames) and not self.cut.is_set():
            data = self.frames[self.at]
            self.at += 1
            while self.metaint and count + len(data) >= self.metaint:
                part = self.metaint - count
                title += 1
                text = f"StreamTitle='Song {title}';".encode()
                text += b"\0" * (-len(text) % 16)
                request.send(data[:part] + bytes([len(text) // 16]) + text)
                data, count = data[part:], 0
            request.send(data)
            count += len(data)
            if self.limit and self.at % self.limit == 0:
                # In the middle of the next one.
                request.send(self.frames[self.at][:100])
                request.reset()
                return
            time.sleep(0.026 / self.speed)
        request.connection.shutdown(2)


SHOUTCAST = ("ICY 200 OK\r\nicy-notice1:<BR>This stream requires Winamp<BR>\r\nicy-name:Old Radio\r\n"
             "icy-genre:Jazz\r\nicy-url:http://old.example\r\ncontent-type:audio/mpeg\r\nicy-pub:1\r\n"
             "icy-metaint:%d\r\nicy-br:128\r\n\r\n")


def test_shoutcast_is_understood(frames):
    with Outside(Radio(frames, SHOUTCAST % 8192, metaint=8192, speed=4)) as old, \
         Server(of(old.url("/"))) as server:
        server.await_state("/live", "live")
        with Listener(server, icy=True) as listener:
            listener.await_bytes(100000)
            assert len(runs_of(listener.frames())) == 1
            await_("titles", lambda: len(listener.titles()) >= 2)
            head = listener.reply().headers
            assert head["icy-name"] == "Old Radio" and head["icy-genre"] == "Jazz"
            assert head["icy-url"] == "http://old.example" and head["icy-br"] == "128"
        assert old.requests[0].headers["icy-metadata"] == "1"


@pytest.mark.parametrize("kind", ["m3u", "pls", "redirect"])
def test_a_list_or_a_redirect_leads_to_the_stream(frames, kind):
    radio = Radio(frames, speed=4)
    answers = {
        "m3u": lambda o: ("Content-Type: audio/x-mpegurl\r\n", f"#EXTM3U\r\n{o.url('/s')}\r\n"),
        "pls": lambda o: ("Content-Type: audio/x-scpls\r\n", f"[playlist]\nFile1={o.url('/s')}\n"),
    }

    def answer(request):
        if request.path == "/s":
            radio(request)
        elif kind == "redirect":
            request.answer(302, "Location: /s\r\n")
        else:
            headers, body = answers[kind](outside)
            request.answer(200, headers, body)
    with Outside(answer) as outside, Server(of(outside.url("/list"))) as server:
        server.await_state("/live", "live")
        assert [r.path for r in outside.requests[:2]] == ["/list", "/s"]


def test_tls_is_spoken_and_verified(frames, tmp_path):
    context, pem = certificate(str(tmp_path))
    with Outside(Radio(frames, speed=4), tls=context) as outside:
        with Server(of(outside.url("/live"))) as server:
            await_error(server, "certificate")
            assert not outside.requests
        with Server({**of(outside.url("/live")), "outgoing.ca_file": pem}) as server:
            server.await_state("/live", "live")


def test_chunks_are_taken_off(frames):
    def answer(request):
        request.send("HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n")
        for frame in frames[:1500]:
            for part in (frame[:7], frame[7:]):
                request.send(b"%x\r\n%s\r\n" % (len(part), part))
            time.sleep(0.003)
    with Outside(answer) as outside, Server(of(outside.url("/live"))) as server:
        server.await_state("/live", "live")
        with Listener(server) as listener:
            listener.await_bytes(80000)
            assert len(runs_of(listener.frames())) == 1


def test_user_and_password_are_sent_and_not_shown(frames):
    def answer(request):
        if request.headers.get("authorization") == basic("dj", "pass word")[15:].strip():
            Radio(frames, speed=4)(request)
        else:
            request.answer(401)
    with Outside(answer) as outside:
        url = f"http://dj:pass%20word@127.0.0.1:{outside.port}/live?token=secret"
        settings = {**of(url), **of(outside.url("/b"), "/b", user="dj", password="pass word"),
                    **of(outside.url("/c"), "/c")}
        with Server(settings) as server:
            server.await_state("/live", "live")
            server.await_state("/b", "live")
            await_error(server, "401", "/c")
            said = server.admin("relays.json").body.decode() + server.log()
            assert "pass word" not in said and "pass%20word" not in said and "secret" not in said


# --- what goes wrong -----------------------------------------------------------------------------


def test_an_upstream_that_is_lost_twenty_times_costs_only_what_it_did_not_send(frames):
    radio = Radio(frames, speed=10, limit=120)
    with Outside(radio) as outside, Server({**of(outside.url("/live")), "radio.linger": "2m",
                                            "radio.ring": "4M", "relays.retry_max": "100ms"}) as server:
        server.await_state("/live", "live")
        with Listener(server) as listener, Listener(server, icy=True) as icy:
            await_("lost twenty times", lambda: radio.plays > 20, 150)
            listener.await_bytes(5000)
            for one in (listener, icy):
                assert not one.ended
                heard = one.frames()  # raises when one is torn
                assert_never_back(heard)
                # A frame is missing where the connection broke in it, and nothing else: a gap of one
                # frame at each loss, of which there are more by now.
                losses = radio.plays
                assert len(runs_of(heard)) <= losses + 1
                assert sum(b[1] - a[2] - 1 for a, b in zip(runs_of(heard), runs_of(heard)[1:])) <= losses + 1
        assert relay(server)["retries"] >= 20


def test_what_an_upstream_sent_before_it_broke_off_is_heard(frames):
    """However late the server comes to read it: here it stands still meanwhile."""
    begun, go, gone = threading.Event(), threading.Event(), threading.Event()

    def answer(request):
        if begun.is_set():
            return
        begun.set()
        request.send("HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n")
        request.send(b"".join(frames[:60]))
        assert go.wait(PATIENCE)
        request.send(b"".join(frames[60:120]))
        request.reset()
        gone.set()
    with Outside(answer) as outside, Server({**of(outside.url("/live")), "radio.linger": "2m"}) as server:
        server.await_state("/live", "live")
        with Listener(server) as listener:
            await_("the first is heard", lambda: len(listener.received()) >= 1000)
            pid = serving(server.process.pid)
            os.kill(pid, signal.SIGSTOP)
            go.set()
            assert gone.wait(PATIENCE)
            os.kill(pid, signal.SIGCONT)
            server.await_log("relay down")
            await_("all is heard", lambda: (f := listener.last()) and f.number == 119)
            assert len(runs_of(listener.frames())) == 1


@pytest.mark.parametrize("back", [40, 100, 400])
def test_an_upstream_that_repeats_its_past_is_gone_on_with_where_it_broke_off(frames, back):
    # Each loss is in the middle of a frame, which the next answer has whole.
    radio = Radio(frames, speed=10, limit=150, back=back)
    with Outside(radio) as outside, Server({**of(outside.url("/live")), "radio.linger": "2m",
                                            "radio.ring": "4M", "relays.retry_max": "100ms"}) as server:
        server.await_state("/live", "live")
        with Listener(server) as listener:
            await_("lost ten times", lambda: radio.plays > 10, 150)
            listener.await_bytes(5000)
            heard = listener.frames()
            assert_never_back(heard)
            assert len(runs_of(heard)) == 1, "not one frame twice, and none missing"
            # And who comes now is given a burst as if nothing had been.
            with Listener(server) as late:
                late.await_bytes(30000)
                assert len(runs_of(late.frames())) == 1


FAULTS = {
    "rubbish": (lambda r: r.send(b"HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n" +
                                 os.urandom(600000)), None),
    "no answer": (lambda r: time.sleep(30), None),
    "half a head": (lambda r: (r.send("HTTP/1.0 200 OK\r\nContent-Ty"), r.reset()), None),
    "endless head": (lambda r: [r.send(f"X-{i}: {'x' * 900}\r\n" if i else "HTTP/1.0 200 OK\r\n")
                                for i in range(2000)], "too large"),
    "one endless line": (lambda r: [r.send("HTTP/1.0 200 OK\r\nX: " if not i else "y" * 1000)
                                    for i in range(3000)], None),
    "not found": (lambda r: r.answer(404), "404"),
    "a page": (lambda r: r.answer(200, "Content-Type: text/html\r\n", "<html>"), "page"),
    "no http": (lambda r: r.send(b"SSH-2.0-OpenSSH_9.2\r\n" * 3), None),
    "zero metaint": (lambda r: r.send("HTTP/1.0 200 OK\r\nicy-metaint: 0\r\n\r\n"), "icy-metaint"),
    "mad metaint": (lambda r: r.send("HTTP/1.0 200 OK\r\nicy-metaint: -1\r\n\r\n"), "icy-metaint"),
    "nothing": (lambda r: r.send("HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n"), None),
    "empty list": (lambda r: r.answer(200, "Content-Type: audio/x-scpls\r\n", "[playlist]\n"),
                   "names no stream"),
    "list of itself": (lambda r: r.answer(200, "Content-Type: audio/x-scpls\r\n",
                                          f"http://{r.headers['host']}/live\n"), "list"),
    "redirect of itself": (lambda r: r.answer(302, "Location: /live\r\n"), "302"),
    "redirect elsewhere": (lambda r: r.answer(302, "Location: file:///etc/passwd\r\n"), None),
    "bad chunks": (lambda r: r.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
                   None),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_upstream_disturbs_nobody(fault, frames):
    answer, words = FAULTS[fault]
    began = time.monotonic()
    # Of /live alone: the good one may be slow.
    with Outside(answer) as bad, Outside(Radio(frames, speed=4)) as good, \
         Server({**of(bad.url("/live")), **of(good.url("/ok"), "/ok"),
                 "mount./live.source_timeout": "1s"}) as server:
        server.await_state("/ok", "live")
        with Listener(server, "/ok") as listener:
            await_("the fault is met", lambda: bad.requests)
            if fault != "no answer":
                await_error(server, words or "")
                await_("it is called again", lambda: len(bad.requests) > 1)
            listener.await_bytes(60000)
            assert len(runs_of(listener.frames())) == 1
        # No oftener than every 100 ms, the first of a row; a list or a redirect asks twice.
        assert len(bad.requests) < 20 + (time.monotonic() - began) / 0.025


def test_a_stalled_upstream_is_let_go(frames):
    def answer(request):
        request.send("HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n" )
        request.send(b"".join(frames[:50]))
        time.sleep(20)
    with Outside(answer) as outside, Server({**of(outside.url("/live")),
                                             "radio.source_timeout": "500ms"}) as server:
        await_error(server, "sends nothing")
        await_("it is called again", lambda: len(outside.requests) > 1)


def test_attempts_become_rarer():
    port = free_port()
    began = time.monotonic()
    with Server({**of(f"http://127.0.0.1:{port}/"), "relays.retry_min": "50ms",
                 "relays.retry_max": "10s"}) as server:
        await_("five attempts", lambda: relay(server)["retries"] >= 5)
        # 50 + 100 + 200 + 400 + 800 ms at least.
        assert time.monotonic() - began > 1.2
        assert server.log().count("relay down") == 1, "the same is said once"


# --- on demand -----------------------------------------------------------------------------------


def demand(**more):
    return {"on_demand": "yes", "run_on": "500ms", "wait": "50s", **more}


def test_on_demand_the_first_listener_waits_and_the_last_one_ends_it(frames):
    radio = Radio(frames, speed=2)
    # It is kept for as long as the first one may wait.
    with Outside(radio) as outside, Server({**of(outside.url("/live"), **demand(wait="10s")),
                                            "radio.linger": "100ms"}) as server:
        await_relay(server, "idle")
        assert not outside.requests
        for turn in (1, 2):
            with Listener(server) as listener:
                assert listener.reply().status == 200
                listener.await_bytes(20000)
                assert radio.plays == turn
                listener.frames()
            await_relay(server, "idle")


def test_on_demand_without_an_upstream_is_503_within_its_time():
    port = free_port()
    with Server(of(f"http://127.0.0.1:{port}/live", **demand())) as server:
        reply = server.get("/live")
        assert reply.status == 503 and int(reply.headers["retry-after"]) > 0
    over = threading.Event()
    with Outside(lambda r: over.wait(100)) as outside, \
         Server({**of(outside.url("/live"), **demand(wait="700ms")), "relays.wait": "60s",
                 "radio.source_timeout": "2m"}) as server:
        began = time.monotonic()
        assert server.get("/live").status == 503
        assert 0.5 < time.monotonic() - began < 50, "not before its time, and not when all relays give up"
        over.set()


def test_on_demand_plays_the_fallback_meanwhile(frames):
    with Outside(Radio(frames, speed=2)) as outside, Server({
            **of(outside.url("/live"), **demand()), "mount./live.fallback": "/auto"}) as server, \
         Encoder(server, "/auto", stream_id=2):
        with Listener(server) as listener:
            assert listener.reply().status == 200
            await_relay(server, "running")
            await_("two streams are heard", lambda: len({f.stream for f in listener.frames()}) == 2)
            listener.frames()


def test_a_mount_falls_back_to_a_relay_on_demand(frames):
    with Outside(Radio(frames, speed=2)) as outside, Server({
            **of(outside.url("/x"), "/backup", **demand()), "mount./live.fallback": "/backup",
            "radio.linger": "200ms"}) as server:
        with Encoder(server, stream_id=2) as encoder, Listener(server) as listener:
            listener.await_bytes(20000)
            assert not outside.requests
            encoder.kill()
            await_("the relay is heard", lambda: len({f.stream for f in listener.frames()}) == 2)
            assert not listener.ended
        # And a listener who comes to the silent mount brings it too.
        await_relay(server, "idle", "/backup")
        with Listener(server) as listener:
            listener.await_bytes(10000)


def test_two_hundred_relays_on_demand(frames):
    mounts = [f"/m{i}" for i in range(200)]
    with Server({"http.connections": 2000}) as origin, Encoder(origin, "/live"):
        settings = {"relays.on_demand": "yes", "relays.run_on": "500ms", "relays.wait": "5s",
                    "radio.ring": "64k", "radio.burst": "16k"}
        for mount in mounts:
            settings[f"relay.{mount}.url"] = url_of(origin)
        with Server(settings) as server:
            listeners = {mount: Listener(server, mount) for mount in mounts}

            def hears(mount):
                status = listeners[mount].reply().status
                assert status in (200, 503)
                if status == 503:  # where the machine is slow; who comes again waits again
                    listeners[mount].close()
                    listeners[mount] = Listener(server, mount)
                return status == 200 and len(listeners[mount].received()) > 1000
            try:
                await_("all hear it", lambda: all([hears(mount) for mount in mounts]))
                assert server.metric("radio_relays_running") == 200
            finally:
                for listener in listeners.values():
                    listener.close()
            await_("all are let go", lambda: server.metric("radio_relays_running") == 0)
            # Those of the origin are noticed when it next sends.
            await_("the origin has none", lambda: origin.listeners() == 0)


# --- who wins ------------------------------------------------------------------------------------


def test_an_encoder_takes_the_mount_and_the_relay_comes_back(frames):
    with Outside(Radio(frames, speed=1)) as outside, \
         Server({**of(outside.url("/live")), "radio.linger": "2m"}) as server:
        server.await_state("/live", "live")
        with Listener(server) as listener:
            listener.await_bytes(5000)
            with Encoder(server, stream_id=2) as encoder:
                await_relay(server, "yielding")
                await_("the encoder is heard", lambda: len({f.stream for f in listener.frames()}) == 2)
                encoder.stop()
            await_relay(server, "running")
            await_("the relay is heard again",
                   lambda: len(runs_of(listener.frames())) >= 3)
            assert not listener.ended


def test_an_encoder_is_refused_where_the_relay_wins(frames):
    with Outside(Radio(frames, speed=1)) as outside, \
         Server(of(outside.url("/live"), encoder_wins="no")) as server:
        server.await_state("/live", "live")
        reply = server.ask(f"SOURCE /live HTTP/1.0\r\n{SOURCE}Content-Type: audio/mpeg\r\n\r\n")
        assert reply.status == 403
        assert relay(server)["state"] == "running"


def test_the_best_upstream_there_is_is_taken_and_gone_back_to(frames):
    first_port = free_port()
    second = Radio(frames, speed=1)
    with Outside(second) as b:
        urls = f"http://127.0.0.1:{first_port}/a,{b.url('/b')}"
        with Server({**of(urls, prefer="500ms"), "radio.linger": "2m"}) as server:
            await_relay(server, "running")
            assert relay(server)["upstream"] == 2
            with Listener(server) as listener, \
                 Outside(Radio(frames[2000:], speed=1), port=first_port):
                await_("it is back on the first",
                       lambda: relay(server)["upstream"] == 1 and
                       relay(server)["state"] == "running")
                listener.await_bytes(20000)
                assert not listener.ended
                listener.frames()
            # And when that goes, the second is there.
            await_("it is on the second again", lambda: relay(server)["upstream"] == 2)


def test_an_upstream_that_always_breaks_off_does_not_keep_the_next_from_playing(frames):
    # The first one answers well, plays a little and breaks off, each time.
    with Outside(Radio(frames, speed=10, limit=30)) as a, Outside(Radio(frames[2000:], speed=1)) as b:
        with Server({**of(f"{a.url('/a')},{b.url('/b')}"), "radio.linger": "2m",
                     "relays.retry_max": "100ms"}) as server:
            await_("the second plays", lambda: relay(server)["upstream"] == 2 and
                   relay(server)["state"] == "running")


# --- circles -------------------------------------------------------------------------------------


def circle(count, on_demand):
    ports = [free_port() for _ in range(count)]
    more = demand() if on_demand else {}
    return [(ports[i], of(f"http://127.0.0.1:{ports[(i + 1) % count]}/live", **more))
            for i in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("on_demand", [False, True])
def test_a_circle_is_refused(count, on_demand):
    servers = [Server(settings, port=port) for port, settings in circle(count, on_demand)]
    started = []
    try:
        for server in servers:
            started.append(server.start())
        if on_demand:
            began = time.monotonic()
            assert servers[0].get("/live").status in (503, 508)
            assert time.monotonic() - began < 45, "found, and not waited out"
            assert any("leads back" in ((relay(s) or {}).get("error") or "") for s in servers)
            return
        if count == 1:
            await_error(servers[0], "leads back")
            return
        # An encoder comes and goes: what is left in the circle must not feed itself.
        with Encoder(servers[0]) as encoder:
            for server in servers:
                server.await_state("/live", "live")
            encoder.stop()
        await_("somebody has noticed",
               lambda: any("comes from this server" in ((relay(s) or {}).get("error") or "") or
                           "leads back" in ((relay(s) or {}).get("error") or "")
                           for s in servers), 30)
        for server in servers:
            server.await_state("/live", "off", seconds=30)
    finally:
        for server in started:
            server.stop()


def test_a_circle_through_icecast_is_found():
    port = free_port()
    xml = f"""<relay><server>127.0.0.1</server><port>{port}</port><mount>/live</mount>
        <local-mount>/live</local-mount><on-demand>0</on-demand></relay>
        <master-update-interval>1</master-update-interval>"""
    with IceServer(xml) as ice, \
         Server({**of(url_of(ice)), "radio.linger": "20s"}, port=port) as server:
        with Encoder(server) as encoder:
            ice.await_state("/live", seconds=60)
            encoder.stop()
        await_error(server, "comes from this server")


def test_a_push_into_itself_is_refused():
    port = free_port()
    with Server({"push.me.mount": "/live", "push.me.url": f"http://127.0.0.1:{port}/echo",
                 "push.me.password": "hackme"}, port=port) as server, Encoder(server, "/live"):
        server.await_log("push down .*it answered 508")


# --- guard ---------------------------------------------------------------------------------------


def test_a_stranger_does_not_lead_us_inside():
    """The file's own address may be inside, and so may where that redirects to; names are judged by
    what they resolve to (units: reach; here: what the guard does with it)."""
    with Outside(lambda r: r.answer(200, "", "inside")) as inside:
        with Server(of(inside.url("/live"))) as server:
            await_("called", lambda: inside.requests)
            assert server.metric("edge_fetches_blocked_total") == 0


# --- settings ------------------------------------------------------------------------------------


def test_a_reload_changes_what_has_changed_and_nothing_else(frames):
    a, b = Radio(frames, speed=1), Radio(frames, speed=1)
    with Outside(a) as one, Outside(b) as two:
        text = "relay:\n  /a: {{url: {0}}}\n  /b: {{url: {1}}}\n"
        config = text.format(one.url("/a"), two.url("/b"))
        with Server(config=config) as server:
            await_relay(server, "running", "/a")
            await_relay(server, "running", "/b")
            with open(server.config_path, "w", encoding="utf-8") as f:
                f.write(f"relay:\n  /a: {{url: {one.url('/a')}}}\n  /c: {{url: {two.url('/c')}}}\n")
            server.process.send_signal(signal.SIGHUP)
            await_relay(server, "running", "/c")
            await_("b is gone", lambda: relay(server, "/b") is None)
            assert a.plays == 1 and relay(server, "/a")["state"] == "running"


@pytest.mark.parametrize("line,fault", [
    ("relay: {live: {url: 'http://a/b'}}", "expected a mount such as /live"),
    ("relay: {/live: {on_demand: yes}}", "expected a URL"),
    ("relay: {/live: {url: [http://a/b, ftp://a/b]}}", "ftp://a/b"),
    ("relay: {/live: {url: 'http://a/b', bind: eth0}}", "an address of this machine"),
    ("relays: {master: master.example}", "expected a URL"),
    ("push: {x: {url: 'http://a/b', mount: live}}", "expected a mount"),
    ("push: {x: {mount: /live}}", "expected a URL"),
    ("hook: {x: {url: 'http://{{mount}}.example/'}}", "expected a URL"),
    ("hook: {x: {url: 'http://a/', headers: ['no colon']}}", "Authorization: Bearer x"),
    ("directory: {url: [dir.xiph.org]}", "expected a URL"),
    ("mount: {/live: {auth_listener_add: 'file:///x'}}", "expected a URL"),
    ("outgoing: {internal: [localhost]}", "localhost"),
])
def test_faults_of_settings_are_said(line, fault, tmp_path):
    path = tmp_path / "ringmain.conf"
    path.write_text("server: {name: x}\n" + line + "\n")
    said = run("--check", "--config", str(path))
    assert said.returncode == 1 and f"{path}:2:" in said.stderr and fault in said.stderr, said.stderr


@pytest.mark.parametrize("item", ["dump", "htpasswd"])
def test_directories_that_are_not_there_are_said(item, tmp_path):
    """They may be there tomorrow: the settings are good all the same."""
    path = tmp_path / "ringmain.conf"
    path.write_text(f"mount:\n  /a:\n    {item}: {tmp_path}/none/file\n  /b:\n    {item}: {tmp_path}/file\n"
                    "  /c:\n    dump: /nowhere/{mount}/x.mp3\n")
    said = run("--check", "--config", str(path))
    assert said.returncode == 0 and said.stderr.count("\n") == 1, said.stderr
    assert f"{path}:3:" in said.stderr and item in said.stderr and f'"{tmp_path}/none"' in said.stderr


def test_orders_are_followed(frames):
    radio = Radio(frames, speed=1)
    with Outside(radio) as outside, Server({**of(outside.url("/live"), enabled="no")}) as server:
        assert relay(server)["state"] == "off"
        assert server.get("/live").status == 503
        assert server.admin("relay", mount="/live", action="start").status == 200
        await_relay(server, "running")
        server.admin("relay", mount="/live", action="restart")
        await_("called twice", lambda: radio.plays == 2)
        server.admin("relay", mount="/live", action="stop")
        await_relay(server, "off")
        assert server.admin("relay", mount="/live", action="dance").status == 400
        assert server.admin("relay", mount="/none", action="stop").status == 404


def test_an_upstream_that_is_too_fast_is_let_go(frames):
    # Twenty times too fast in itself: what is left of that on a busy machine is too fast still.
    with Outside(Radio(frames * 4, speed=10)) as outside, \
         Server(of(outside.url("/live"), max_bitrate=64)) as server:
        server.await_log("max_bitrate", seconds=100)
