"""A program elsewhere decides: it is asked with the fields of Icecast 2.4, which the real one is asked
beside us about; nobody waits but who asks; and it is told how long each listener listened."""

import hashlib
import hmac
import json
import threading
import time

import pytest

from fault_harness import SOURCE, Encoder, Listener, Server, assert_whole, await_, basic, swarm
from outside import IceServer, Outside

YES = "icecast-auth-user: 1\r\n"


class Program:
    """Lets in whose password is right; what it is told is in .told."""

    def __init__(self, password="right", headers=YES, delay=0):
        self.password, self.headers, self.delay = password, headers, delay

    def __call__(self, request):
        time.sleep(self.delay)
        form = request.form
        if form.get("action") in ("listener_add", "stream_auth") and \
           form.get("pass") != self.password:
            request.answer(200, "icecast-auth-user: 0\r\nicecast-auth-message: no ticket\r\n")
        else:
            request.answer(200, self.headers)


def listening(outside, mount="/live", **more):
    return {f"mount.{mount}.auth_listener_add": outside.url("/add"),
            f"mount.{mount}.auth_listener_remove": outside.url("/remove"),
            **{f"mount.{mount}.{name}": value for name, value in more.items()}}


RIGHT, WRONG = basic("ann", "right"), basic("ann", "wrong")


def test_who_may_listen_does_and_its_time_is_told():
    with Outside(Program()) as outside, Server(listening(outside)) as server, Encoder(server):
        assert server.get("/live").status == 401
        reply = server.get("/live", WRONG)
        assert reply.status == 401 and "www-authenticate" in reply.headers
        server.await_log("listener refused .*no ticket")
        began = time.monotonic()
        listener = Listener(server, "/live?x=1", headers=RIGHT)
        assert listener.reply().status == 200
        heard = time.monotonic()
        listener.await_bytes(30000)
        asked = outside.of(action="listener_add")[-1].form
        assert asked["mount"] == "/live?x=1" and asked["user"] == "ann" and asked["ip"] == "127.0.0.1"
        assert asked["agent"] == "test" and asked["pass"] == "right"
        assert asked["port"] == str(server.port)
        assert [c["ID"] for c in server.clients("/live")] == [int(asked["client"])]
        await_("a while", lambda: time.monotonic() - heard > 2.2)
        listener.close()
        left = await_("its end is told", lambda: outside.of(action="listener_remove"), 20)[0].form
        assert left["client"] == asked["client"] and left["user"] == "ann"
        assert left["mount"] == "/live?x=1"
        assert 2 <= int(left["duration"]) <= time.monotonic() - began + 1


def both(answer, ask):
    """What Icecast and ringmain ask this program: (its requests, our requests)."""
    with Outside(answer) as theirs, Outside(answer) as ours:
        mounts = f"""<mount type="normal"><mount-name>/live</mount-name><authentication type="url">
            <option name="mount_add" value="{theirs.url('/a')}"/>
            <option name="mount_remove" value="{theirs.url('/a')}"/>
            <option name="listener_add" value="{theirs.url('/a')}"/>
            <option name="listener_remove" value="{theirs.url('/a')}"/>
            <option name="stream_auth" value="{theirs.url('/a')}"/>
            <option name="headers" value="x-pocket,referer"/><option name="header_prefix" value="Head-"/>
            </authentication></mount>"""
        names = ["mount_add", "mount_remove", "listener_add", "listener_remove", "stream"]
        settings = {f"mount./live.auth_{name}": ours.url("/a") for name in names}
        settings |= {"mount./live.auth_headers": "x-pocket,referer",
                     "mount./live.auth_header_prefix": "Head-", "radio.linger": "0"}
        with IceServer(mounts=mounts) as ice, Server(settings) as server:
            ask(ice, theirs)
            ask(server, ours)
            return list(theirs.requests), list(ours.requests)


def test_the_same_is_asked_as_by_icecast():
    def ask(server, outside):
        with Encoder(server, "/live", password="right", ready=False) as encoder:
            server.await_state("/live", "live")
            headers = RIGHT + "X-Pocket: a & b\r\nReferer: http://x/\r\n"
            listener = Listener(server, "/live?token=1", headers=headers)
            assert listener.reply().status == 200
            listener.await_bytes(20000)
            listener.close(reset=True)
            await_("it has left", lambda: outside.of(action="listener_remove"), 30)
            encoder.stop()
        await_("the mount is gone", lambda: outside.of(action="mount_remove"), 30)

    theirs, ours = both(Program(), ask)
    for action in ("stream_auth", "mount_add", "listener_add", "listener_remove", "mount_remove"):
        mine = [r for r in ours if r.form["action"] == action][0]
        his = [r for r in theirs if r.form["action"] == action][0]
        assert mine.method == his.method == "POST"
        assert mine.headers["content-type"] == his.headers["content-type"]
        assert list(mine.form) == list(his.form), action
        changing = {"port", "client", "duration"}
        assert {k: v for k, v in mine.form.items() if k not in changing} == \
               {k: v for k, v in his.form.items() if k not in changing}, action


def test_a_time_limit_is_kept():
    with Outside(Program(headers=YES + "icecast-auth-timelimit: 2\r\n")) as outside, \
         Server(listening(outside)) as server, Encoder(server):
        began = time.monotonic()
        with Listener(server, headers=RIGHT) as listener:
            assert listener.reply().status == 200
            listener.await_end()
        left = await_("told", lambda: outside.of(action="listener_remove"))[0].form
        assert 2 <= int(left["duration"]) <= time.monotonic() - began + 1


def test_encoders_are_let_in_by_it_and_so_are_their_titles():
    with Outside(Program()) as outside, Server({
            "mount./live.auth_stream": outside.url("/s")}) as server:
        raw = "SOURCE /live HTTP/1.0\r\n{}Content-Type: audio/mpeg\r\n\r\n"
        assert server.ask(raw.format("")).status == 401
        assert not outside.requests, "libshout's first question is nobody's business"
        # Not even the password of the settings.
        assert server.ask(raw.format(SOURCE)).status == 401
        with Encoder(server, password="right"):
            assert outside.of(action="stream_auth")[-1].form["user"] == "source"
            call = "/admin/metadata?mode=updinfo&mount=/live&song=x"
            assert server.get(call, SOURCE).status == 401
            assert server.get(call, basic("source", "right")).status == 200
            assert outside.of(action="stream_auth", admin="1")
        with Encoder(server, "/other"):
            pass


@pytest.mark.parametrize("answer,words", [
    (lambda r: r.answer(500), "500"), (lambda r: r.reset(), None),
    (lambda r: r.answer(200, "X: " + "y" * 30000 + "\r\n"), None),
    (lambda r: r.send(b"\0" * 100), None),
    (lambda r: time.sleep(10), None)])
@pytest.mark.parametrize("when_down", ["deny", "allow"])
def test_when_it_is_down_the_setting_decides(answer, words, when_down):
    with Outside(answer) as outside, \
         Server(listening(outside, auth_when_down=when_down, auth_timeout="500ms")) as server, \
         Encoder(server):
        with Listener(server, headers=RIGHT) as listener:
            assert listener.reply().status == (200 if when_down == "allow" else 401)
        server.await_log("auth server down")
        assert server.metric("radio_auth_down_total") == 1


def test_a_slow_one_delays_nobody_else():
    over, program = threading.Event(), Program()

    def slow(request):
        over.wait(100)
        program(request)
    with Outside(slow) as outside, Server({**listening(outside, "/slow", auth_timeout="60s"), "workers": 1,
                                           "radio.auth_requests": 30}) as server, \
         Encoder(server), Encoder(server, "/slow", ready=False):
        server.await_state("/live", "live")
        server.await_state("/slow", "live")
        waiting = [Listener(server, "/slow", headers=RIGHT) for _ in range(40)]
        try:
            # All of that while nobody is answered.
            assert_whole(swarm(server, listeners=100, check=True, seconds=2))
            # Those beyond the bound are told so at once.
            await_("ten are told", lambda: sum(b"503" in w.received() for w in waiting) == 10)
            assert all(b"503" in w.received() or not w.received() for w in waiting)
            over.set()
            statuses = sorted(w.reply().status for w in waiting)
            assert statuses == [200] * 30 + [503] * 10
        finally:
            for one in waiting:
                one.close()


def test_a_yes_holds_for_a_while():
    with Outside(Program()) as outside, \
         Server({**listening(outside, auth_cache="1s"), "workers": 1}) as server, Encoder(server):
        def ask(headers):
            with Listener(server, headers=headers) as listener:
                return listener.reply().status
        began = time.monotonic()
        assert [ask(RIGHT) for _ in range(5)] == [200] * 5
        asked = len(outside.of(action="listener_add"))
        assert 1 <= asked <= 1 + int(time.monotonic() - began)
        # Another password, another path: asked again; and a no never holds.
        assert ask(WRONG) == ask(WRONG) == 401
        assert len(outside.of(action="listener_add")) == asked + 2
        await_("it is asked again", lambda: ask(RIGHT) == 200 and
               len(outside.of(action="listener_add", **{"pass": "right"})) == asked + 1)
        assert server.metric("radio_auth_cached_total") >= 5 - asked


def test_the_json_hook_is_asked_for_all_and_signed():
    def answer(request):
        said = json.loads(request.body)
        stamp = request.headers["x-ringmain-timestamp"]
        mac = hmac.new(b"key", f"{stamp}.".encode() + request.body, hashlib.sha256).hexdigest()
        good = request.headers["x-ringmain-signature"] == f"sha256={mac}" and \
            abs(int(stamp) - time.time()) < 300
        allow = good and said["password"] == "right"
        request.answer(200, "Content-Type: application/json\r\n",
                       json.dumps({"allow": allow, "message": "so", "limit": 3000}))
    with Outside(answer) as outside, Server({
            "mount./live.auth_hook": outside.url("/hook"),
            "mount./live.auth_hook_secret": "key"}) as server, \
         Encoder(server, password="right"):
        listener = Listener(server, "/live?a=%22b%22", headers=RIGHT + "Cookie: x\r\n")
        assert listener.reply().status == 200
        assert server.get("/live", WRONG).status == 401
        listener.await_bytes(1000)
        listener.close(reset=True)
        actions = await_("all are told", lambda: (a := [json.loads(r.body)["action"]
                         for r in list(outside.requests)]) and "listener_remove" in a and a)
        assert actions == ["stream_auth", "listener_add", "listener_add", "listener_remove"]
        said = json.loads(outside.requests[1].body)
        assert said["query"] == "a=%22b%22" and said["ip"] == "127.0.0.1" and said["user"] == "ann"


def test_who_finds_no_place_after_all_has_left():
    with Outside(Program()) as outside, \
         Server({**listening(outside), "mount./live.max_listeners": 1}) as server, Encoder(server):
        with Listener(server, headers=RIGHT) as listener:
            assert listener.reply().status == 200
            assert server.get("/live", RIGHT).status == 503
            await_("told", lambda: len(outside.of(action="listener_remove", duration="0")) == 1)


def test_five_hundred_leave_at_once_and_all_are_told():
    with Outside(Program()) as outside, Server(listening(outside)) as server, Encoder(server):
        listeners = [Listener(server, headers=RIGHT, start=False) for _ in range(200)]
        await_("all listen", lambda: server.listeners() == 200)
        server.admin("killsource", mount="/live")
        for listener in listeners:
            listener.close()
        await_("all are told", lambda: len(outside.of(action="listener_remove")) == 200, 30)
        assert server.metric("radio_auth_leaves_lost_total") == 0


def test_the_server_stops_while_some_are_asked_for():
    with Outside(Program(delay=100)) as outside, \
         Server(listening(outside, auth_timeout="60s")) as server, Encoder(server):
        with Listener(server, headers=RIGHT) as listener:
            await_("it is asked for", lambda: outside.requests)
            assert server.stop() < 40, "the answer is not waited for"
            assert listener.reply().status == 503


def test_a_listener_who_gives_up_while_it_is_asked_for_is_nobody():
    with Outside(Program(delay=1)) as outside, Server(listening(outside)) as server, Encoder(server):
        for i in range(20):
            listener = Listener(server, headers=RIGHT)
            await_("it is asked for", lambda n=i: len(outside.of(action="listener_add")) == n + 1)
            listener.close(reset=True)
        await_("all have left", lambda: len(outside.of(action="listener_remove")) == 20)
        assert server.listeners() == 0
