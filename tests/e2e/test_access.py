"""Who may do what: each admin path with each way to ask, requests that other sites make a browser
send, and guessing of passwords beside an encoder that knows its own."""
import http.cookies
import json
import time

import pytest

from encoders import dial, read_until
from event_stream import EventStream
from stage import ADMIN_PASSWORD, PATIENCE, SOURCE_PASSWORD, await_true, basic
from test_requests import mp3_frames, raw_source

ADMIN = ("admin", ADMIN_PASSWORD)
ENCODER = ("source", SOURCE_PASSWORD)

READING = ["stats", "listmounts", "streamlist", "streamlist.txt", "listclients?mount=/live",
           "buildm3u?mount=/live&username=a&password=b"]
CHANGING = ["killclient?mount=/live&id=1", "moveclients?mount=/live&destination=/b",
            "fallbacks?mount=/live&fallback=/b", "reloadconfig", "killsource?mount=/live"]
METADATA = "metadata?mode=updinfo&mount=/live&song=x"


@pytest.fixture(scope="module")
def server(shared_serve):
    return shared_serve({"auth.attempts": "0"})


class Browser:
    """Keeps cookies as a browser does."""

    def __init__(self, server):
        self.server, self.cookies, self.word = server, {}, None

    def ask(self, path, method="GET", body=None, headers=None):
        headers = dict(headers or {})
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        answer = self.server.get(path, headers, method=method, body=body)
        for line in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in http.cookies.SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer

    def change(self, path, method="POST", body=None):
        """As a page of ours does it."""
        return self.ask(path, method, body, {"X-CSRF-Token": self.word,
                                             "X-Requested-With": "ringmain"})

    def login(self, user, password, headers=None):
        answer = self.ask("/api/v1/login", "POST",
                          json.dumps({"user": user, "password": password}), headers)
        if answer.status == 200:
            self.word = answer.json["csrf"]
        return answer


@pytest.fixture
def browser(server):
    browser = Browser(server)
    assert browser.login(*ADMIN).status == 200
    return browser


# -- ways to ask -----------------------------------------------------------------------------------

@pytest.mark.parametrize("call", READING + CHANGING + [METADATA])
def test_admin_calls_are_for_who_is_known(server, call):
    path = f"/admin/{call}"
    refused = server.get(path)
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic ")
    assert server.get(path, auth=("admin", "guess")).status == 401
    assert server.get(path, auth=("nobody", ADMIN_PASSWORD)).status == 401
    assert server.get(path, {"Authorization": "Bearer abc"}).status == 401
    assert server.get(path, {"Cookie": "ringmain_session=" + "0" * 64}).status == 401
    # Let in: what is wrong with it is another matter, as there is no such mount.
    assert server.get(path, auth=ADMIN).status in (200, 400, 404)


@pytest.mark.parametrize("call", READING + CHANGING)
def test_an_encoder_sets_titles_and_no_more(server, call):
    assert server.get(f"/admin/{call}", auth=ENCODER).status == 401
    assert server.get(f"/admin/{METADATA}", auth=ENCODER).status == 400


def test_a_script_of_our_pages_gets_no_password_window(server):
    refused = server.get("/admin/stats", {"X-Requested-With": "ringmain"})
    assert refused.status == 401 and refused.json["error"]
    assert "WWW-Authenticate" not in refused.headers
    assert server.get("/api/v1/me").json["error"]


# -- browsers --------------------------------------------------------------------------------------

def test_a_browser_logs_in_and_out(server):
    browser = Browser(server)
    answer = browser.login(*ADMIN)
    assert answer.json["user"] == "admin" and answer.json["rank"] == "admin"
    lines = answer.headers.get_all("Set-Cookie")
    session = next(line for line in lines if line.startswith("ringmain_session="))
    assert "HttpOnly" in session and "SameSite=Strict" in session and "Path=/" in session
    word = next(line for line in lines if line.startswith("ringmain_csrf="))
    assert "HttpOnly" not in word and browser.cookies["ringmain_csrf"] == browser.word
    assert browser.ask("/api/v1/me").json["csrf"] == browser.word
    assert browser.ask("/admin/stats").status == 200
    kept = dict(browser.cookies)
    assert browser.change("/api/v1/logout").status == 204
    browser.cookies = kept
    assert browser.ask("/api/v1/me").status == 401


def test_a_cookie_changes_nothing_without_its_word(server, browser):
    for call in CHANGING:
        path = f"/admin/{call}"
        for method in ("GET", "POST"):
            assert browser.ask(path, method).status == 403, call
            assert browser.ask(path, method, headers={"X-CSRF-Token": "0" * 64}).status == 403
            assert browser.ask(path, method,
                               headers={"X-CSRF-Token": browser.word}).status in (200, 400, 404)
    other = Browser(server)
    other.login(*ADMIN)
    assert browser.ask("/admin/reloadconfig", headers={"X-CSRF-Token": other.word}).status == 403
    assert browser.ask("/api/v1/logout", "POST").status == 403


@pytest.mark.parametrize("headers, foreign", [
    ({"Sec-Fetch-Site": "cross-site"}, True),
    ({"Sec-Fetch-Site": "same-site"}, True),
    ({"Sec-Fetch-Site": "same-origin"}, False),
    ({"Sec-Fetch-Site": "none"}, False),
    ({"Origin": "https://evil.example"}, True),
    ({"Origin": "null"}, True),
    ({"Origin": "http://HOST"}, False),
    ({"Origin": "http://HOST.evil.example"}, True),
    ({"Origin": "https://radio.example"}, False),
    ({"Referer": "http://evil.example/HOST"}, True),
    ({"Referer": "http://HOST/admin"}, False),
    ({}, False),
])
def test_another_site_cannot_use_the_password_that_a_browser_keeps(shared_serve, headers, foreign):
    server = shared_serve({"http.public_url": "https://radio.example"})
    headers = {k: v.replace("HOST", server.host) for k, v in headers.items()}
    for call in ("reloadconfig", METADATA):
        status = server.get(f"/admin/{call}", headers, auth=ADMIN).status
        assert (status == 403) == foreign, (call, status)
    answer = Browser(server).login(*ADMIN, headers=headers)
    assert answer.status == (403 if foreign else 200)
    # What only reads tells another site nothing.
    assert server.get("/admin/stats", headers, auth=ADMIN).status == 200


def test_nobody_can_be_handed_a_session(server):
    """Each login makes a new cookie and ends the one that came with it."""
    browser = Browser(server)
    browser.cookies["ringmain_session"] = "a" * 64
    browser.login(*ADMIN)
    first = dict(browser.cookies)
    assert first["ringmain_session"] != "a" * 64
    browser.login(*ADMIN)
    assert browser.cookies["ringmain_session"] != first["ringmain_session"]
    assert browser.ask("/api/v1/me").status == 200
    browser.cookies = first
    assert browser.ask("/api/v1/me").status == 401


def test_sessions_run_out(serve):
    server = serve({"auth.session_idle": "1s"})
    browser = Browser(server)
    began = time.monotonic()
    browser.login(*ADMIN)
    assert browser.ask("/api/v1/me").status == 200 or time.monotonic() - began > 1
    end = time.monotonic() + 60
    while time.monotonic() < end:
        time.sleep(1.1)
        if browser.ask("/api/v1/me").status == 401:
            return
    pytest.fail("the session did not run out")


def test_a_cookie_goes_over_tls_only_where_it_came_so(serve):
    server = serve({"http.trusted_proxies": "127.0.0.1"})
    body = json.dumps({"user": "admin", "password": ADMIN_PASSWORD})
    for headers, secure in (({"X-Forwarded-Proto": "https"}, True), ({}, False)):
        answer = server.get("/api/v1/login", headers, method="POST", body=body)
        assert all(("; Secure" in c) == secure for c in answer.headers.get_all("Set-Cookie"))


@pytest.mark.parametrize("body", ["", "{", "[]", '{"user": 1, "password": "x"}', '{"user": "a"}',
                                  '{"user": "' + "a" * 100 + '", "password": "x"}',
                                  '{"user": "a", "user": "b", "password": "x"}'])
def test_a_login_that_is_none_is_refused(server, body):
    assert server.get("/api/v1/login", method="POST", body=body).status == 400


# -- guessing --------------------------------------------------------------------------------------

def test_who_guesses_waits_and_the_encoder_at_the_same_address_does_not(serve, sounds):
    server = serve({"auth.attempts": "5", "auth.lockout": "1h"})
    frames = mp3_frames(sounds)
    with raw_source(server, "/live", "audio/mpeg", "", frames):
        server.await_mount("/live")
        assert server.admin("stats").status == 200
        answers = [server.get("/admin/stats", auth=("admin", f"guess {i}")) for i in range(8)]
        assert [a.status for a in answers] == [401] * 5 + [429] * 3
        assert 3500 < int(answers[-1].headers["Retry-After"]) <= 3600
        # Who was right lately is let in, from this very address, in all that he does.
        assert server.admin("stats").status == 200
        assert server.set_title("/live", "song=still+here").status == 200
    server.await_no_mount("/live")
    with raw_source(server, "/live", "audio/mpeg", "", frames):
        server.await_mount("/live")
    # An encoder that was never here is no administrator who guesses.
    assert server.get("/admin/metadata?mode=updinfo&mount=/other&song=x",
                      auth=ENCODER).status == 400
    with raw_source(server, "/new", "audio/mpeg", "", frames):
        server.await_mount("/new")
    server.await_log("edge locked out address=127.0.0.1 user=admin wait=3600")
    text = server.get("/metrics").text
    assert "ringmain_edge_lockouts_total 1" in text


def test_guesses_at_an_encoders_password_are_counted_for_themselves(serve):
    server = serve({"auth.attempts": "5", "auth.lockout": "1h"})
    call = "/admin/metadata?mode=updinfo&mount=/live&song=x"
    answers = [server.get(call, auth=("source", f"guess {i}")) for i in range(6)]
    assert [a.status for a in answers] == [401] * 5 + [429]
    # Others with the right password, who were never here, wait: it may have been guessed.
    assert server.get(call, auth=ENCODER).status == 429
    assert server.admin("stats").status == 200


def test_an_encoder_with_an_old_password_locks_nobody_out(serve, sounds):
    server = serve({"auth.attempts": "3", "auth.lockout": "1h"})
    for _ in range(20):
        connection = dial(server)
        connection.sendall(b"SOURCE /live HTTP/1.0\r\nContent-Type: audio/mpeg\r\nAuthorization: " +
                           basic("source", "last year's").encode() + b"\r\n\r\n")
        assert b" 401 " in read_until(connection, b"\r\n\r\n")
        connection.close()
    with raw_source(server, "/live", "audio/mpeg", "", mp3_frames(sounds)):
        server.await_mount("/live")


def test_who_has_no_credentials_does_not_guess(serve):
    server = serve({"auth.attempts": "2", "auth.lockout": "1h"})
    for _ in range(10):
        assert server.get("/admin/stats").status == 401
        assert server.get("/live", method="PUT").status == 401
    assert server.admin("stats").status == 200


def test_a_wait_ends(serve):
    server = serve({"auth.attempts": "2", "auth.lockout": "1s"})
    began = time.monotonic()
    for i in range(3):
        server.get("/admin/stats", auth=("admin", f"guess {i}"))
    assert server.admin("stats").status == 429 or time.monotonic() - began > 1
    await_true(lambda: server.admin("stats").status == 200, 10)


# -- numbers ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_numbers_are_not_for_those_whom_a_proxy_on_this_machine_passes_on(server, header):
    assert server.get("/metrics").status == 200
    assert server.get("/metrics", {header: "203.0.113.9"}).status == 401
    assert server.get("/metrics", {header: "203.0.113.9"}, auth=ADMIN).status == 200


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}],
                         ids=["name", "origin"])
def test_numbers_are_not_for_pages_of_other_sites(server, headers):
    assert server.get("/metrics", headers).status == 401
    assert server.get("/metrics", {"Host": "localhost"}).status == 200


def test_numbers_are_for_the_networks_that_are_named(serve):
    server = serve({"metrics.allow": "203.0.113.0/24", "http.trusted_proxies": "127.0.0.1"})
    assert server.get("/metrics").status == 401
    assert server.get("/metrics", {"X-Forwarded-For": "203.0.113.9"}).status == 200
    assert server.get("/metrics", {"X-Forwarded-For": "198.51.100.1"}).status == 401


# -- rights that go while somebody looks on --------------------------------------------------------

OPERATOR = {"name": "gil", "password": "as long as it must", "rank": "operator"}


@pytest.fixture
def gil(server):
    """An operator: his browser, logged in."""
    assert server.get("/api/v1/users", {"Content-Type": "application/json"}, ADMIN, method="POST",
                      body=json.dumps(OPERATOR)).status == 201
    browser = Browser(server)
    assert browser.login("gil", OPERATOR["password"]).status == 200
    yield browser
    server.get("/api/v1/users/gil", auth=ADMIN, method="DELETE")


def order(server, method, path, body=None):
    """By the administrator; what was made, or nothing."""
    answer = server.get("/api/v1" + path, {"Content-Type": "application/json"}, ADMIN, method=method,
                        body=body and json.dumps(body))
    assert answer.status in (200, 201, 204), answer.body
    return answer.json if answer.body else None


def follow(server, gil, way):
    headers = {}
    if way == "session":
        headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in gil.cookies.items())
    elif way == "token":
        made = gil.ask("/api/v1/tokens", "POST", '{"name": "t", "rank": "operator"}',
                       {"X-CSRF-Token": gil.word, "Content-Type": "application/json"}).json
        headers["Authorization"] = "Bearer " + made["token"]
    stream = EventStream(server.port, auth=("gil", OPERATOR["password"]) if way == "password" else None,
                         headers=headers)
    assert stream.status == 200 and stream.next()[0] == "snapshot"
    return stream


def end_sessions(server):
    for session in order(server, "GET", "/sessions")["sessions"]:
        if session["user"] == "gil":
            order(server, "DELETE", f"/sessions/{session['id']}")


def end_tokens(server):
    for token in order(server, "GET", "/tokens")["tokens"]:
        if token["owner"] == "gil":
            order(server, "DELETE", f"/tokens/{token['id']}")


def change(**what):
    return lambda server: order(server, "PUT", "/users/gil", what)


GOES = {
    "user-deleted": (lambda server: order(server, "DELETE", "/users/gil"), {"password", "session", "token"}),
    "user-disabled": (change(disabled=True), {"password", "session", "token"}),
    "rank": (change(rank="dj"), {"password", "session", "token"}),
    "mounts": (change(mounts="/mine"), {"password", "session", "token"}),
    "password": (change(password="another that is long"), {"password", "session"}),
    "session-ended": (end_sessions, {"session"}),
    "token-ended": (end_tokens, {"token"}),
    "nothing": (change(rank="admin"), set()),
}


@pytest.mark.parametrize("goes", GOES)
def test_an_events_stream_ends_with_the_right_to_it(server, gil, goes):
    done, ended = GOES[goes]
    streams = {way: follow(server, gil, way) for way in ("password", "session", "token")}
    done(server)
    assert {way for way in ended if streams[way].ends(PATIENCE)} == ended
    # The others see what happens next.
    for way in streams.keys() - ended:
        streams[way].until(lambda s: True)
        assert not streams[way].ends(0.6), way
    for stream in streams.values():
        stream.close()


def test_an_events_stream_ends_when_the_user_logs_out(server, gil):
    stream = follow(server, gil, "session")
    assert gil.change("/api/v1/logout").status in (200, 204)
    assert stream.ends(PATIENCE)
    stream.close()


def test_an_events_stream_ends_when_its_token_runs_out(server):
    for seconds in (2, 10, 50):  # a busy machine may be late to the first
        made = order(server, "POST", "/tokens", {"name": "t", "rank": "operator",
                                                 "expires": int(time.time()) + seconds})
        stream = EventStream(server.port, headers={"Authorization": "Bearer " + made["token"]})
        if stream.status == 200:
            break
    assert stream.status == 200 and stream.ends(PATIENCE + 50)
    stream.close()
