"""Webhooks that an administrator makes over the API: judged as those of the settings, kept over a restart,
and called only where a stranger's address may lead."""
import json

import pytest

from outside import Outside
from stage import Server, await_true
from test_api import Api

OK = (lambda request: request.answer(204))
URL = "https://203.0.113.1/hook/word"


def told(outside, event="test"):
    return [json.loads(r.body) for r in list(outside.requests)
            if r.headers["x-ringmain-event"] == event]


def hooks(api, **options):
    return {h["name"]: h for h in api("GET", "/hooks", **options).json["hooks"]}


@pytest.fixture(scope="module")
def server(shared_serve):
    return shared_serve({"hook.fixed.url": "http://127.0.0.1:9/x", "outgoing.internal": "127.0.0.2"})


@pytest.fixture
def api(server):
    api = Api(server)
    yield api
    for name, hook in hooks(api).items():
        if hook["editable"]:
            assert api("DELETE", f"/hooks/{name}").status == 204


def test_one_is_made_changed_and_removed(crew, tmp_path):
    options = ("--data", tmp_path / "data")
    settings = {"outgoing.internal": "127.0.0.0/8"}
    with Outside(OK) as outside:
        server = Server(crew, tmp_path, settings, options)
        api = Api(server)
        made = api("POST", "/hooks", {"name": "chat", "url": outside.url("/a"), "secret": "key",
                                      "events": ["test", "title"], "headers": ["X-Mine: 1"]})
        assert made.status == 201 and made.json["editable"] and made.json["signed"]
        assert made.json["events"] == ["test", "title"] and "key" not in made.text
        assert api("POST", "/hooks/chat/test").status == 204
        await_true(lambda: told(outside), 10)
        request = outside.requests[0]
        assert request.path == "/a" and request.headers["x-mine"] == "1"
        assert request.headers["x-ringmain-signature"].startswith("sha256=")
        file = tmp_path / "data" / "hooks.json"
        assert file.stat().st_mode & 0o777 == 0o600
        server.stop()
        server = Server(crew, tmp_path, settings, options)
        api = Api(server)
        changed = api("PUT", "/hooks/chat", {"url": outside.url("/b"), "enabled": True})
        assert changed.status == 200 and changed.json["signed"] and changed.json["events"]
        server.process.popen.send_signal(1)
        server.await_log("core reloaded")
        api("POST", "/hooks/chat/test")
        await_true(lambda: len(told(outside)) == 2, 10)
        assert outside.requests[1].path == "/b"
        assert api("DELETE", "/hooks/chat").status == 204
        assert api("DELETE", "/hooks/chat").status == 404
        assert api("POST", "/hooks/chat/test").status == 404
        server.stop()
        server = Server(crew, tmp_path, settings, options)
        assert hooks(Api(server)) == {} and json.loads(file.read_text()) == []
        server.stop()


def test_those_of_the_settings_are_not_changed(api):
    for answer in (api("PUT", "/hooks/fixed", {"url": URL}), api("DELETE", "/hooks/fixed")):
        assert (answer.status, answer.json["error"]["code"]) == (409, "read_only")
    assert api("POST", "/hooks", {"name": "fixed", "url": URL}).status == 409
    assert api("PUT", "/hooks/none", {"url": URL}).status == 404
    assert not hooks(api)["fixed"]["editable"]


@pytest.mark.parametrize("said", [
    {"url": "ftp://203.0.113.1/"}, {"url": ""}, {"url": "http://{{mount}}.example/"}, {"url": None},
    {"name": "../x"}, {"name": ""}, {"name": "a b"}, {"name": "x" * 64}, {"name": None},
    {"events": "title"}, {"events": [1]}, {"events": ["x"] * 33}, {"headers": ["none"]},
    {"headers": ["A: b\r\nHost: c"]}, {"type": "a\r\nb: c"}, {"method": "delete"}, {"preset": "x"},
    {"enabled": 1}, {"secret": 7}], ids=lambda said: repr(said)[:30].encode(
        "unicode_escape").decode())
def test_what_is_no_webhook_is_none(api, said):
    answer = api("POST", "/hooks", {"name": "x", "url": URL, **said})
    assert (answer.status, answer.json["error"]["code"]) == (400, "bad_hook")
    assert set(hooks(api)) == {"fixed"}


# What a stranger may not reach, he does not reach by telling an administrator's browser either.
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "[::ffff:127.0.0.1]",
                                  "169.254.169.254", "10.0.0.1", "0.0.0.0"])
def test_a_webhook_does_not_reach_the_inside(api, host):
    with Outside(OK) as outside:
        assert api("POST", "/hooks", {"name": "x", "url": f"http://{host}:{outside.port}/"}).status \
            == 201
        assert api("POST", "/hooks/x/test").status == 204
        await_true(lambda: hooks(api)["x"]["lost"] == 1, 15, lambda: hooks(api))
        assert not outside.requests
        # Nor by a change.
        assert api("PUT", "/hooks/x", {"url": f"http://{host}:{outside.port}/{{{{event}}}}"}).status \
            == 200
        assert api("POST", "/hooks/x/test").status == 204
        await_true(lambda: hooks(api)["x"]["lost"] == 2, 15)
        assert not outside.requests


def test_there_are_not_endlessly_many(api):
    for i in range(64):
        assert api("POST", "/hooks", {"name": f"h{i}", "url": URL, "enabled": False}).status == 201
    refused = api("POST", "/hooks", {"name": "more", "url": URL})
    assert (refused.status, refused.json["error"]["code"]) == (507, "list_full")
    assert api("POST", "/hooks", {"name": "h1", "url": URL}).status == 409


def test_a_file_that_is_none_is_put_aside(crew, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "hooks.json").write_text('[{"name": "good", "url": "https://203.0.113.1/"}, {"name": 1}]')
    server = Server(crew, tmp_path, {}, ("--data", data))
    assert set(hooks(Api(server))) == {"good"}
    server.await_log("webhooks not all read .*kept_as=.*bad")
    server.stop()
    server = Server(crew, tmp_path, {}, ("--data", data))
    assert set(hooks(Api(server))) == {"good"}
    assert (data / "hooks.json.bad").exists() and "not all read" not in server.log()
    server.stop()


def test_a_file_that_cannot_be_read_is_not_written_over(crew, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "hooks.json").symlink_to("hooks.json")
    server = Server(crew, tmp_path, {}, ("--data", data))
    server.await_log("webhooks not read")
    assert Api(server)("POST", "/hooks", {"name": "x", "url": URL}).status == 507
    assert (data / "hooks.json").is_symlink() and not (data / "hooks.json.bad").exists()
    server.stop()


def test_the_settings_take_a_name_that_was_made(crew, tmp_path):
    options = ("--data", tmp_path / "data")
    with Outside(OK) as outside:
        settings = {"outgoing.internal": "127.0.0.0/8"}
        server = Server(crew, tmp_path, settings, options)
        for name in ("chat", "other"):
            assert Api(server)("POST", "/hooks", {"name": name, "url": outside.url(f"/made/{name}"),
                                                  "events": ["lockout"]}).status == 201
        server.stop()
        server = Server(crew, tmp_path, {**settings, "hook.chat.url": outside.url("/set"),
                                         "hook.chat.events": "lockout",
                                         "auth.attempts": 3}, options)
        server.await_log("made over the API and silent: .* hook=chat")
        for i in range(8):
            Api(server)("GET", "/hooks", auth=("admin", f"guess {i}"))
        await_true(lambda: {r.path for r in outside.requests} >= {"/set", "/made/other"}, 10)
        assert "/made/chat" not in {r.path for r in outside.requests}
        server.stop() # which locked us out
        server = Server(crew, tmp_path, {**settings, "hook.chat.url": outside.url("/set")}, options)
        api = Api(server)
        # It can still be removed, and that is all.
        assert api("PUT", "/hooks/chat", {"url": URL}).status == 409
        assert api("DELETE", "/hooks/chat").status == 204
        assert api("DELETE", "/hooks/chat").status == 409
        server.stop()


def test_where_it_cannot_be_kept_nothing_is_changed(crew, tmp_path):
    data = tmp_path / "data"
    server = Server(crew, tmp_path, {}, ("--data", data))
    (data / "hooks.json.new").mkdir()
    answer = Api(server)("POST", "/hooks", {"name": "x", "url": URL})
    assert (answer.status, answer.json["error"]["code"]) == (507, "not_kept")
    assert hooks(Api(server)) == {}
    server.stop()


def test_an_operator_sees_and_makes_none(server, api):
    auth = ("op", "a long word for him")
    assert api("POST", "/users", {"name": "op", "password": auth[1], "rank": "operator"}).status == 201
    assert api("POST", "/hooks", {"name": "x", "url": URL, "events": ["title"]}).status == 201
    assert hooks(api, auth=auth)["x"]["url"] == "https://203.0.113.1/..."
    for method, path in (("POST", "/hooks"), ("PUT", "/hooks/x"), ("DELETE", "/hooks/x")):
        body = None if method == "DELETE" else {"name": "y", "url": URL}
        body = {"url": URL} if method == "PUT" else body
        assert api(method, path, body, auth=auth).status == 403


# What it waits to tell was meant for the old address, and the new word for the new one.
def test_a_new_address_gets_nothing_of_the_old_one(serve):
    api = Api(serve({"outgoing.internal": "127.0.0.0/8", "hooks.retry_min": "100ms"}))
    with Outside(lambda request: request.answer(503)) as old, Outside(OK) as new:
        api("POST", "/hooks", {"name": "chat", "url": old.url("/a"), "events": ["test"]})
        api("POST", "/hooks/chat/test")
        await_true(lambda: len(old.requests) >= 2, 10)
        assert api("PUT", "/hooks/chat", {"url": new.url("/b"), "headers": ["X-Word: new"]}).status \
            == 200
        seen = len(old.requests)
        api("POST", "/hooks/chat/test")
        await_true(lambda: told(new), 10)
        assert [r.headers["x-word"] for r in new.requests] == ["new"]
        assert not any("x-word" in r.headers for r in old.requests)
        assert len(old.requests) <= seen + 1 and hooks(api)["chat"]["lost"] == 1


def test_one_that_is_turned_off_says_no_more(serve):
    api = Api(serve({"outgoing.internal": "127.0.0.0/8", "hooks.retry_min": "100ms"}))
    with Outside(lambda request: request.answer(503)) as outside:
        api("POST", "/hooks", {"name": "chat", "url": outside.url("/a"), "events": ["test"]})
        api("POST", "/hooks/chat/test")
        await_true(lambda: len(outside.requests) >= 2, 10)
        assert api("PUT", "/hooks/chat", {"enabled": False}).status == 200
        chat = hooks(api)["chat"]
        assert (chat["state"], chat["queued"], chat["lost"]) == ("off", 0, 1)
