"""A stranger's ways in, tried: docs/security.md says which test shows what.

Paths are not listed here: they come from GET /api/v1/operations and from the route tables in src/, so
that whoever adds one finds it judged below, or a test that fails until he has said who may use it."""
import contextlib
import functools
import html
import html.parser
import http.cookies
import json
import re
import shutil
import signal
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree

import pytest

from encoders import dial, read_until
from outside import Outside
from stage import (ADMIN_PASSWORD, PROGRAM, ROOT, SOURCE_PASSWORD, await_true, basic, exchange,
                   free_ports, has_head, http_get)
from test_requests import mp3_frames, raw_source

ADMIN = ("admin", ADMIN_PASSWORD)
RANKS = ["none", "dj", "operator", "admin"]
REFUSED = (401, 403, 429)


@pytest.fixture(scope="module")
def server(shared_serve, shared_room):
    return shared_serve({"auth.attempts": "0", "http.public_url": "", "radio.shoutcast_mount": "/live",
                         "framecache.listen": "127.0.0.1:0", "framecache.dir": shared_room / "slots"})


@functools.lru_cache(None)
def operations_of(port):
    return tuple(sorted((o["method"], o["path"], o["rank"])
                        for o in http_get(port, "/api/v1/operations").json["operations"]))


def has_operation(server, method, path):
    return any(o[:2] == (method, "/api/v1" + path) for o in operations_of(server.port))


def status_of(server, method, path, headers=None, body=None):
    """The status alone: some answers have no end."""
    lines = {"Host": server.host, "Connection": "close", **(headers or {})}
    if body is not None or method in ("POST", "PUT", "DELETE"):
        body = body or b""
        lines["Content-Length"] = len(body)
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items())
    got = exchange(server.port, head.encode() + b"\r\n" + (body or b""), has_head)
    return int(got.split(b" ", 2)[1])


# -- who may do what -------------------------------------------------------------------------------

class Role:
    """Somebody who asks: headers, the rank that he has, and the mounts that it holds for."""

    def __init__(self, headers, rank="none", mounts="", known=False):
        self.headers, self.rank, self.mounts, self.known = headers, rank, mounts, known

    def may(self, needed, mount):
        if RANKS.index(self.rank) < RANKS.index(needed):
            return False
        everywhere = self.mounts == "*"
        if mount:
            return everywhere or self.mounts == mount
        return needed == "dj" or everywhere


def login(server, user, password, headers=None):
    return server.get("/api/v1/login", headers, method="POST",
                      body=json.dumps({"user": user, "password": password}))


def cookies_of(answer):
    return {name: morsel.value for line in answer.headers.get_all("Set-Cookie", [])
            for name, morsel in http.cookies.SimpleCookie(line).items()}


def session(server, user=ADMIN[0], password=ADMIN[1]):
    """The headers of a browser that is logged in, with the word against other sites."""
    answer = login(server, user, password)
    assert answer.status == 200, answer.body
    return {"Cookie": f"ringmain_session={cookies_of(answer)['ringmain_session']}",
            "X-CSRF-Token": answer.json["csrf"]}


def by_password(user, password):
    return {"Authorization": basic(user, password)}


def strangers(server):
    ended = session(server)
    assert server.get("/api/v1/logout", ended, method="POST").status == 204
    return {
        "nobody": Role({}),
        "a wrong password": Role(by_password("admin", "a guess")),
        "no such user": Role(by_password("nobody", ADMIN_PASSWORD)),
        "an empty password": Role(by_password("admin", "")),
        "an empty name": Role(by_password("", ADMIN_PASSWORD)),
        "the encoders' password": Role(by_password("source", SOURCE_PASSWORD)),
        "the encoders' password as the administrator": Role(by_password("admin", SOURCE_PASSWORD)),
        "a token that is none": Role({"Authorization": "Bearer " + "0" * 64}),
        "an empty token": Role({"Authorization": "Bearer "}),
        "a scheme that is none": Role({"Authorization": "Negotiate YWRtaW4="}),
        "a session that is none": Role({"Cookie": "ringmain_session=" + "0" * 64}),
        "a session that was logged out": Role(ended),
    }


def known(server):
    return {
        "the administrator": Role(by_password(*ADMIN), "admin", "*", True),
        "the administrator's browser": Role(session(server), "admin", "*", True),
    }


USERS = {  # rank, mounts as the API takes them, mounts as Role does
    "dj": ("dj", "/mine"), "elsewhere": ("dj", "/elsewhere"), "mountless": ("dj", ""),
    "op": ("operator", ""), "opmine": ("operator", "/mine"), "second": ("admin", "")}
USER_PASSWORD = "a long word for all of them"


def accounts(server):
    """Users and tokens, where the server has operations that make them."""
    roles = {}
    if has_operation(server, "POST", "/users"):
        for name, (rank, mounts) in USERS.items():
            made = api(server, "POST", "/users", {"name": name, "password": USER_PASSWORD,
                                                  "rank": rank, "mounts": mounts})
            assert made.status in (200, 201, 204, 409), made.body
            holds = "*" if not mounts and rank != "dj" else mounts
            roles[f"user {name}"] = Role(by_password(name, USER_PASSWORD), rank, holds, True)
            roles[f"browser of {name}"] = Role(session(server, name, USER_PASSWORD), rank, holds,
                                               True)
    if has_operation(server, "POST", "/tokens"):
        for rank, mounts in (("dj", "/mine"), ("operator", ""), ("admin", "")):
            made = api(server, "POST", "/tokens", {"name": f"of {rank}", "rank": rank,
                                                   "mounts": mounts})
            assert made.status in (200, 201), made.body
            roles[f"token of {rank}"] = Role({"Authorization": "Bearer " + made.json["token"]},
                                             rank, mounts or "*", True)
    return roles


def api(server, method, path, body=None, headers=None, auth=ADMIN):
    headers = {"Content-Type": "application/json", **(headers or {})}
    return server.get("/api/v1" + path, headers, auth, method=method,
                      body=None if body is None else json.dumps(body))


# Nothing that is done here comes to anything: the bodies are empty objects, and what a path names
# is not there. What takes neither does no harm.
def harmless(path, mount):
    return path.replace("{mount}", mount.strip("/")).replace("{network}", "192.0.2.7") \
               .replace("{id}", "987654321").replace("{name}", "no-such-name") \
               .replace("{slot}", "none")


# rank "none" in the table: open to all, but for these, which ask by themselves whether he is known.
# The server here has an administrator: its setup is over, and says so (test_setup.py).
OPEN = {("GET", "/api/v1/operations"), ("GET", "/api/v1/station"), ("POST", "/api/v1/login"),
        ("GET", "/api/v1/setup"), ("POST", "/api/v1/setup")}
FOR_THE_KNOWN = {("POST", "/api/v1/logout"), ("GET", "/api/v1/me")}


def test_what_is_open_to_all_is_listed_here(server):
    found = {o[:2] for o in operations_of(server.port) if o[2] == "none"}
    assert found == OPEN | FOR_THE_KNOWN, "somebody opened an operation: say why here"


def test_no_operation_asks_for_less_than_its_kind(server):
    for method, path, rank in operations_of(server.port):
        if (method, path) in OPEN | FOR_THE_KNOWN:
            continue
        # Tokens: one's own, see below; on IRC: oneself; the rooms: who is in them.
        least = "dj" if re.search(r"\{mount\}|/tokens|/irc/(me|command|search|export)|^/api/v1/(voice|sfu)/", path) and (
            method == "GET" or "{mount}" in path or "/tokens" in path or "/irc/" in path) else "operator"
        if re.search("^/api/v1/(users|settings|reload|audit)|/irc/users", path) or \
           method != "GET" and path in ("/api/v1/relays", "/api/v1/relays/{mount}",
                                        "/api/v1/hooks", "/api/v1/hooks/{name}"):
            least = "admin"
        assert RANKS.index(rank) >= RANKS.index(least), (method, path, rank)


def expected(role, method, path, rank, mount):
    """Whether it must be refused, and as what; None: it is let in."""
    if (method, path) in OPEN:
        return None
    if not role.known:
        return 401
    if (method, path) in FOR_THE_KNOWN:
        return None
    if (method, path) == ("POST", "/api/v1/tokens") and "Bearer" in str(role.headers):
        return 403  # a token makes no tokens
    return None if role.may(rank, mount if "{mount}" in path else "") else 403


def ask_all(server, roles):
    faults = []
    for name, role in roles.items():
        for method, path, rank in operations_of(server.port):
            if (method, path) == ("POST", "/api/v1/logout") and "Cookie" in role.headers:
                continue
            for mount in ("/mine",) if "{mount}" in path else ("",):
                status = status_of(server, method, harmless(path, mount),
                                   {"Content-Type": "application/json", **role.headers}, b"{}")
                want = expected(role, method, path, rank, mount)
                if status != want if want else status in REFUSED or status >= 500:
                    faults.append(f"{name}: {method} {path}: {status}, not {want or 'let in'}")
                if method == "GET" and want:
                    status = status_of(server, "HEAD", harmless(path, mount), role.headers)
                    if status != want:
                        faults.append(f"{name}: HEAD {path}: {status}, not {want}")
    assert not faults, "\n".join(faults)


def test_each_operation_with_each_stranger(server):
    ask_all(server, strangers(server))


def test_each_operation_with_each_administrator(server):
    ask_all(server, known(server))


def test_each_operation_with_each_user_and_token(server):
    roles = accounts(server)
    if not roles:
        pytest.skip("this server has no operations that make users and tokens")
    ask_all(server, roles)


def test_a_token_that_has_run_out_is_none(server):
    if not has_operation(server, "POST", "/tokens"):
        pytest.skip("this server has no operation that makes tokens")
    end = 0
    while time.time() >= end:  # left out for as long as that, it is refused: its time is over
        end = int(time.time()) + 4
        made = api(server, "POST", "/tokens", {"name": "short", "rank": "admin", "mounts": "",
                                               "expires": end})
        if made.status in (200, 201):
            break
    assert made.status in (200, 201), made.body
    headers = {"Authorization": "Bearer " + made.json["token"]}
    assert server.get("/api/v1/me", headers).status == 200 or time.time() >= end
    await_true(lambda: server.get("/api/v1/me", headers).status == 401, 10)
    ask_all(server, {"an expired token": Role(headers)})


def needs_users(server):
    if not (has_operation(server, "POST", "/users") and has_operation(server, "POST", "/tokens")):
        pytest.skip("this server has no operations that make users and tokens")
    return accounts(server)


def make_token(server, headers, **said):
    return api(server, "POST", "/tokens", {"name": "made", **said}, headers, None)


def bearer(made):
    assert made.status == 201, made.body
    return {"Authorization": "Bearer " + made.json["token"]}


def test_nobody_gets_more_by_a_token(server):
    roles = needs_users(server)
    dj, opmine = roles["user dj"].headers, roles["user opmine"].headers
    for who, said in ((dj, {"rank": "admin"}), (dj, {"rank": "operator"}), (opmine, {"rank": "admin"}),
                      (dj, {"rank": "dj", "mounts": "/elsewhere"}),
                      (opmine, {"rank": "operator", "mounts": "/elsewhere"})):
        assert make_token(server, who, **said).status == 403, said
    for who, rank, said in ((dj, "dj", {}), (dj, "dj", {"mounts": "*"}), (opmine, "operator", {}),
                            (dj, "dj", {"mounts": "/mine /elsewhere"}), (dj, "dj", {"mounts": "/* /mine"})):
        made = make_token(server, who, **said)
        ask_all(server, {f"token {said}": Role(bearer(made), rank, "/mine", True)})


def test_a_token_makes_no_token(server):
    """It would outlive itself, or its being taken back."""
    roles = needs_users(server)
    for name, role in roles.items():
        if name.startswith("token "):
            assert make_token(server, role.headers, rank="dj").status == 403, name
    short = bearer(make_token(server, roles["user dj"].headers, expires=int(time.time()) + 3600))
    assert make_token(server, short).status == 403


def test_tokens_of_others_are_neither_seen_nor_ended(server):
    roles = needs_users(server)
    theirs = make_token(server, roles["user op"].headers)
    mine = roles["user dj"].headers
    seen = api(server, "GET", "/tokens", None, mine, None).json["tokens"]
    assert {t["owner"] for t in seen} <= {"dj"}
    path = f"/tokens/{theirs.json['id']}"
    assert api(server, "DELETE", path, None, mine, None).status == 404
    assert server.get("/api/v1/me", bearer(theirs)).status == 200
    # Nor is any ever shown again, or the password of anybody.
    for path in ("/tokens", "/users", "/sessions", "/audit"):
        said = api(server, "GET", path).text
        assert theirs.json["token"] not in said and "$argon2" not in said, path


def test_who_loses_his_rights_loses_them_at_once(server):
    needs_users(server)
    name = "leaver"
    for change in ({"rank": "dj", "mounts": "/mine"}, {"disabled": True}, None):
        made = api(server, "POST", "/users", {"name": name, "password": USER_PASSWORD,
                                              "rank": "operator", "mounts": ""})
        assert made.status == 201, made.body
        ways = [by_password(name, USER_PASSWORD), session(server, name, USER_PASSWORD)]
        ways.append(bearer(make_token(server, ways[0])))
        for headers in ways:
            assert server.get("/api/v1/server", headers).status == 200
        if change:
            assert api(server, "PUT", f"/users/{name}", change).status == 200
        else:
            assert api(server, "DELETE", f"/users/{name}").status == 204
        want = 403 if change and "rank" in change else 401
        for number, headers in enumerate(ways):
            status = server.get("/api/v1/server", headers).status
            assert status in ({want} if number < 2 else {want, 403}), (change, number, status)
        if change:
            assert api(server, "DELETE", f"/users/{name}").status == 204


# -- the paths that are not of the API -------------------------------------------------------------

# Who may, of each path of a route table: "all", a rank, or "encoder" (its password, or a DJ).
ROUTES = {
    "/status-json.xsl": "all", "/status.xsl": "all", "/7.html": "all", "/events": "all", "/healthz": "all",
    "/readyz": "all", "/.well-known/acme-challenge/": "all",
    "/metrics": "this machine", "/api/v1/": "each operation says", "the embedded files": "all",
    "/admin/metadata": "encoder", "/admin/metadata.json": "encoder", "/admin.cgi": "encoder",
    "/admin/streamlist.txt": "operator", "/admin/": "each call says",
    # At the frame cache's own door alone: test_framecache_service.py asks who may.
    "/slots": "this machine", "/slots/": "this machine", "/health": "all",
    # Mumble's own login behind it: test_voice.py, test_voice_door.py.
    "/voice/ws": "who voice.password lets in",
    # The login of IRC behind it: test_irc_web.py.
    "/irc/ws": "who is known",
    # test_sfu_gate.py asks who may publish and watch.
    "/whip": "publisher", "/whip/": "publisher", "/whap": "viewer", "/whep": "viewer", "/whep/": "viewer",
    # test_irc_upload.py; what is given out has a name that nobody guesses.
    "/irc/uploads": "dj", "/irc/uploads/": "all",
    "/switchRoom": "viewer", "/getRoomList": "viewer",
}


def rows_of(source, table):
    return re.findall(table + r"\[\] = \{(.*?)\n\};", source, re.S)


def test_each_row_of_each_route_table_is_known_here():
    found = set()
    for file in sorted((ROOT / "src").rglob("*.c")):
        for body in rows_of(file.read_text(), r"const struct route \w+"):
            for path in re.findall(r'\{(?:API_ROOT )?"([^"]+)", ', body):
                found.add("/api/v1/" if path == "/" and "API_ROOT" in body else path)
    assert found == set(ROUTES), "a path came or went: say in ROUTES who may use it"


def admin_calls():
    source = (ROOT / "src/radio/radio_admin.c").read_text()
    (body,) = rows_of(source, r"struct admin_call admin_calls")
    calls = re.findall(r'\{"([\w.]+)", (NEED_\w+), RANK_(\w+), (true|false), \w+\}', body)
    assert len(calls) == body.count("{") > 15
    return [(name, need == "NEED_MOUNT", rank.lower(), changes == "true")
            for name, need, rank, changes in calls]


def spellings(name):
    yield f"/admin/{name}"
    yield f"/admin/{name}.json"
    yield f"/admin/{name}.xsl"
    yield f"//admin/./{name}"
    yield f"/x/../admin/{name}"
    yield f"/%61dmin/{name}"


def test_each_admin_call_in_each_spelling_with_each_role(server):
    people = {**strangers(server), **known(server), **accounts(server)}
    faults = []
    for name, on_mount, rank, _ in admin_calls():
        for path in spellings(name):
            if name.endswith(".txt") and not path.endswith(".txt"):
                continue
            for who, role in people.items():
                query = "?mount=/mine" if on_mount else ""
                want = 401 if not role.known else \
                    None if role.may(rank, "/mine" if on_mount else "") else 403
                if "encoders' password" in who and path.endswith(("/metadata", "/metadata.json")) \
                   and "as the" not in who:
                    want = None
                # The encoder's password is asked of whoever comes to these, by whatever name.
                if "encoders'" in who and "metadata" in path and "update" not in path:
                    continue
                status = status_of(server, "GET", path + query, role.headers)
                if status != want if want else status in REFUSED or status >= 500:
                    faults.append(f"{who}: {path}: {status}, not {want or 'let in'}")
    assert not faults, "\n".join(faults)


def test_an_encoder_may_set_the_title_and_nothing_else(server):
    for user in ("source", "", "admin", "dj"):
        headers = by_password(user, SOURCE_PASSWORD)
        for name, on_mount, _, _ in admin_calls():
            status = status_of(server, "GET", f"/admin/{name}?mount=/mine", headers)
            assert (status not in REFUSED) == (name == "metadata"), (user, name, status)


def test_a_call_that_is_none_tells_a_stranger_nothing(server):
    for path in ("/admin/no-such-call", "/admin/stats/more", "/admin/stats;x", "/admin/stats%00"):
        assert server.get(path).status in (400, 401), path
    for mount in ("/mine", "/live", "/there-is-none"):
        assert server.get(f"/admin/listclients?mount={mount}").status == 401
        assert server.get(f"/api/v1/mounts{mount}").status == 401


def test_a_feed_wants_the_encoders_password_on_every_path(server):
    for method in ("SOURCE", "PUT"):
        for path in ("/mine", "/mine.mp3", "//mine", "/a/../mine"):
            for name, role in strangers(server).items():
                if "encoders'" in name:
                    continue
                got = status_of(server, method, path,
                                {"Content-Type": "audio/mpeg", **role.headers}, b"")
                assert got == 401, (method, path, name, got)


# -- other sites in the visitor's browser ----------------------------------------------------------

FOREIGN = [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
           {"Origin": "https://evil.example"}, {"Origin": "null"},
           {"Referer": "https://evil.example/HOST"}]


def changing(server):
    """All that changes something: method and path. Login and setup are nobody's yet: what they want is
    in the body. (test_access.py, test_setup.py)"""
    for method, path, _ in operations_of(server.port):
        if method != "GET" and path not in ("/api/v1/login", "/api/v1/setup"):
            yield method, harmless(path, "/mine")
    for name, _, _, changes in admin_calls():
        if changes:
            yield "GET", f"/admin/{name}?mount=/mine"
        yield "POST", f"/admin/{name}?mount=/mine"


def test_no_other_site_changes_anything(server):
    faults = []
    for method, path in changing(server):
        json_type = {"Content-Type": "application/json"}
        cookie = session(server)
        word = cookie.pop("X-CSRF-Token")
        tries = {"no word": {}, "a wrong word": {"X-CSRF-Token": "0" * 64},
                 "an empty word": {"X-CSRF-Token": ""}, "half a word": {"X-CSRF-Token": word[:32]},
                 "the cookie's word as another header": {"X-XSRF-Token": word},
                 "the word as a cookie": {"Cookie": f"{cookie['Cookie']}; ringmain_csrf={word}"}}
        for name, headers in tries.items():
            status = status_of(server, method, path, {**json_type, **cookie, **headers}, b"{}")
            if status != 403:
                faults.append(f"session with {name}: {method} {path}: {status}")
        for headers in FOREIGN:
            headers = {k: v.replace("HOST", server.host) for k, v in headers.items()}
            status = status_of(server, method, path,
                               {**json_type, **by_password(*ADMIN), **headers}, b"{}")
            if status != 403:
                faults.append(f"password with {headers}: {method} {path}: {status}")
    assert not faults, "\n".join(faults)


def test_a_browsers_form_cannot_speak_json(server):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        for method, path, _ in operations_of(server.port):
            if method == "GET" or (method, path) == ("POST", "/api/v1/login"):
                continue
            status = status_of(server, method, harmless(path, "/mine"),
                               {**session(server), "Content-Type": kind}, b"{}")
            # What takes no body does not look at its type.
            assert status in (204, 200, 404, 409, 415), (method, path, status)


def test_no_other_site_reads_what_is_not_for_all(server):
    """No answer to who is known lets other origins in, and no preflight lets credentials through."""
    for method, path, rank in operations_of(server.port):
        if method == "GET" and rank != "none" and not path.endswith("/events"):
            answer = server.get(harmless(path, "/mine"), {"Origin": "https://evil.example"}, ADMIN)
            assert "Access-Control-Allow-Origin" not in answer.headers, path
            assert answer.headers["Cache-Control"] == "no-store", path
    for path in ("/api/v1/me", "/admin/stats", "/live", "/status-json.xsl"):
        answer = server.get(path, {"Origin": "https://evil.example",
                                   "Access-Control-Request-Method": "PUT",
                                   "Access-Control-Request-Headers": "authorization,x-csrf-token"},
                            method="OPTIONS")
        allowed = answer.headers.get("Access-Control-Allow-Headers", "").lower()
        assert "authorization" not in allowed and "csrf" not in allowed, path
        assert "Access-Control-Allow-Credentials" not in answer.headers, path
        assert "PUT" not in answer.headers.get("Access-Control-Allow-Methods", ""), path


def test_who_lets_a_program_judge_encoders_is_not_open_to_other_sites(serve, sounds):
    """A title with the password that a browser keeps, sent by another site, where the station's own
    program says who is an encoder."""
    yes = (lambda r: r.answer(200, "icecast-auth-user: 1\r\n"))
    with Outside(yes) as program:
        server = serve({"mount./live.auth_stream": program.url("/may")})
        with raw_source(server, "/live", "audio/mpeg", "", mp3_frames(sounds)):
            server.await_mount("/live")
            call = "/admin/metadata?mode=updinfo&mount=/live&song="
            who = ("source", "whatever")
            assert server.get(call + "ours", auth=who).status == 200
            for headers in FOREIGN:
                assert server.get(call + "theirs", headers, auth=who).status == 403, headers
            assert server.mount("/live")["title"] == "ours"


# -- sessions --------------------------------------------------------------------------------------

def test_a_session_that_was_handed_over_is_not_taken_up(server):
    planted = "f" * 64
    body = json.dumps({"user": ADMIN[0], "password": ADMIN[1]})
    answer = server.get("/api/v1/login", {"Cookie": f"ringmain_session={planted}"}, method="POST",
                        body=body)
    fresh = cookies_of(answer)["ringmain_session"]
    assert fresh != planted and re.fullmatch("[0-9a-f]{64}", fresh)
    assert server.get("/api/v1/me", {"Cookie": f"ringmain_session={planted}"}).status == 401
    assert server.get("/api/v1/me", {"Cookie": f"ringmain_session={fresh}"}).status == 200
    # The next login in this browser ends it.
    server.get("/api/v1/login", {"Cookie": f"ringmain_session={fresh}"}, method="POST", body=body)
    assert server.get("/api/v1/me", {"Cookie": f"ringmain_session={fresh}"}).status == 401


def test_a_login_that_fails_leaves_no_session_and_ends_none(server):
    mine = session(server)
    answer = server.get("/api/v1/login", {"Cookie": mine["Cookie"]}, method="POST",
                        body=json.dumps({"user": "admin", "password": "a guess"}))
    assert answer.status == 401 and "Set-Cookie" not in answer.headers
    assert server.get("/api/v1/me", {"Cookie": mine["Cookie"]}).status == 200


def test_two_sessions_have_nothing_in_common(server):
    one, two = session(server), session(server)
    assert one["Cookie"] != two["Cookie"] and one["X-CSRF-Token"] != two["X-CSRF-Token"]
    mixed = {"Cookie": one["Cookie"], "X-CSRF-Token": two["X-CSRF-Token"]}
    assert server.get("/api/v1/logout", mixed, method="POST").status == 403
    assert server.get("/api/v1/logout", one, method="POST").status == 204
    assert server.get("/api/v1/me", {"Cookie": one["Cookie"]}).status == 401
    assert server.get("/api/v1/me", {"Cookie": two["Cookie"]}).status == 200


def test_another_password_ends_all_sessions(crew, tmp_path):
    file, port = tmp_path / "ringmain.yaml", free_ports()
    say = (lambda password: file.write_text(f'admin: {{password: "{password}"}}\n'))
    say("the first word")
    process = crew.start([PROGRAM, "--data", tmp_path / "data", "--config", file, "--set",
                          f"http.listen=127.0.0.1:{port}"], "ringmain")
    await_true(lambda: " info core ready " in process.said(), 20, process.said)
    ask = functools.partial(http_get, port)
    enter = (lambda password: ask("/api/v1/login", method="POST", body=json.dumps(
        {"user": "admin", "password": password})))
    answer = enter("the first word")
    assert answer.status == 200, answer.body
    cookie = {"Cookie": f"ringmain_session={cookies_of(answer)['ringmain_session']}"}
    assert ask("/api/v1/me", cookie).status == 200
    say("the second word")
    process.popen.send_signal(signal.SIGHUP)
    await_true(lambda: enter("the second word").status == 200, 15, process.said)
    assert ask("/api/v1/me", cookie).status == 401


# -- calls to the inside ---------------------------------------------------------------------------

INSIDE = ["http://127.0.0.1:PORT/live", "http://localhost:PORT/live", "http://2130706433:PORT/",
          "http://0x7f.1:PORT/", "http://0177.0.0.1:PORT/", "http://127.1:PORT/", "http://0:PORT/",
          "http://[::1]:PORT/", "http://[::ffff:127.0.0.1]:PORT/", "http://[::127.0.0.1]:PORT/",
          "http://[64:ff9b::7f00:1]:PORT/", "http://[2002:7f00:1::]:PORT/",
          "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://192.168.0.1/",
          "http://100.64.0.1/", "http://[fe80::1]/", "http://[fd00::1]/",
          "http://192.0.2.1@127.0.0.1:PORT/", "http://127.0.0.1:PORT#@192.0.2.1/"]
NO_URLS = ["file:///etc/passwd", "gopher://192.0.2.1/", "ftp://192.0.2.1/", "dict://127.0.0.1:11211/",
           "192.0.2.1/live", "//192.0.2.1/", "http://", "http:///live", "http://a b/",
           "http://192.0.2.1/\r\nX: y", "http://192.0.2.1:99999/", "javascript:alert(1)", ""]


def test_a_relay_given_by_the_api_does_not_reach_the_inside(serve):
    with Outside(lambda r: r.answer(200, "Content-Type: audio/mpeg\r\n")) as inside:
        server = serve()
        for number, url in enumerate(INSIDE):
            made = api(server, "POST", "/relays", {"mount": f"/r{number}", "on_demand": False,
                                                   "url": url.replace("PORT", str(inside.port))})
            assert made.status in (201, 400), (url, made.body)
        for url in NO_URLS:
            made = api(server, "POST", "/relays", {"mount": "/none", "url": url, "on_demand": False})
            assert made.status == 400, (url, made.body)

        def blocked():
            relays = api(server, "GET", "/relays").json["relays"]
            return relays and all("may not be called" in (r["error"] or "") for r in relays)
        await_true(blocked, 20, lambda: api(server, "GET", "/relays").text)
        assert inside.requests == []


def test_a_redirect_does_not_lead_to_the_inside(serve):
    """127.0.0.2 stands for a server outside: outgoing.internal lets it be called."""
    with Outside(lambda r: r.answer(200, "Content-Type: audio/mpeg\r\n")) as inside, \
         Outside(lambda r: r.answer(302, f"Location: {inside.url('/secret')}\r\n")) as outside:
        server = serve({"outgoing.internal": "127.0.0.2"})
        # The listener of Outside is at 127.0.0.1 alone: a second one at 127.0.0.2.
        import socket
        import threading
        listener = socket.create_server(("127.0.0.2", outside.port))
        threading.Thread(target=outside._accept, args=(listener,), daemon=True).start()
        made = api(server, "POST", "/relays", {"mount": "/r", "on_demand": False,
                                               "url": f"http://127.0.0.2:{outside.port}/live"})
        assert made.status == 201
        await_true(lambda: outside.requests, 10)
        await_true(lambda: "may not be called" in
                   (api(server, "GET", "/relays").json["relays"][0]["error"] or ""), 10,
                   lambda: api(server, "GET", "/relays").text)
        assert inside.requests == []
        outside.over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_no_operation_but_those_of_relays_and_hooks_takes_an_address_to_call(server):
    """Pushes, directories and URLs of authorization stand in the settings file alone. A new
    operation that takes a URL belongs under the guard too: then test it above, and name it here."""
    schemas = json.loads((ROOT / "docs/openapi.json").read_text())["components"]["schemas"]
    takes = {o["request"] for o in server.get("/api/v1/operations").json["operations"]
             if o["request"]}
    with_url = {name for name in takes
                if any("url" in field or "address" in field for field in schemas[name]["properties"])}
    # Title's is for listeners: nobody calls it here. Hooks: test_hooks_made.py.
    assert with_url == {"NewRelay", "Title", "NewHook", "HookChange"}


# -- header injection, and names that are none -----------------------------------------------------

NO_MOUNTS = ["/x\r\nSet-Cookie: a=b", "/x\ny", "/x\ty", "/x\x7fy", "/a/../b", "/..", "/.", "/a//b",
             "/a\\b", "/a/", "/", "//", "x", " /x", "/admin/stats", "/api/v1/mounts", "/metrics",
             "/status-json.xsl", "/live.m3u", "/live.xspf", "/" + "x" * 300, ""]


def test_what_is_no_mounts_name_is_none_of_a_relay(server):
    for name in NO_MOUNTS:
        made = api(server, "POST", "/relays", {"mount": name, "url": "http://192.0.2.1/x",
                                               "on_demand": True})
        assert made.status == 400, (name, made.status)
    assert server.admin("streamlist.txt").text == ""


@pytest.mark.parametrize("name", ["/a/../b", "/..", "/a//b", "/a\\b", "/./a", "/a/", "/admin/stats",
                                  "//admin/stats", "/api/v1/x"])
def test_what_is_no_mounts_name_is_none_of_a_shoutcast_encoder(serve, name):
    server = serve({"radio.source_password": "word"})
    for line in (f"SOURCE word {name}\n", f"{name}:word\r\n"):
        with dial(server) as connection:
            connection.sendall(line.encode() + b"content-type:audio/mpeg\n\n")
            assert read_until(connection, b"\n").startswith(b"invalid"), line
    assert " source live " not in server.log()


HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">'\";]]>&amp;&lt;\\"
SPLIT = "a\r\nSet-Cookie: a=b\r\n\r\n<b>"


@pytest.fixture(scope="module")
def hostile(shared_serve, sounds):
    """A station whose encoder and listener are bad people; its mount's name is bad as well."""
    server = shared_serve({"radio.shoutcast_mount": "/a\"><b>'&"})
    server.bad = "/a\"><b>'&"
    server.path = urllib.parse.quote(server.bad)
    headers = "".join(f"{name}: {HOSTILE}\r\n" for name in (
        "ice-name", "ice-description", "ice-genre", "User-Agent", "ice-audio-info"))
    headers += "ice-url: javascript:document.title='owned'\r\n"
    with raw_source(server, server.path, "audio/mpeg", headers, mp3_frames(sounds)), \
         dial(server) as listener:
        server.await_mount(server.path)
        listener.sendall(f"GET {server.path} HTTP/1.0\r\nUser-Agent: {HOSTILE}\r\n\r\n".encode())
        assert b" 200 " in read_until(listener, b"\r\n\r\n")
        set_title(server, HOSTILE)
        yield server


def set_title(server, title):
    answer = server.set_title(server.path, urllib.parse.urlencode({"song": title}))
    assert answer.status == 200, answer.body


def head_lines(got):
    return got.split(b"\r\n\r\n")[0].split(b"\r\n")


def test_a_line_break_in_a_title_breaks_no_line(hostile):
    ways = {
        "call": lambda: hostile.set_title(hostile.path, urllib.parse.urlencode({"song": SPLIT})),
        "parts": lambda: hostile.set_title(
            hostile.path, urllib.parse.urlencode({"artist": SPLIT, "title": SPLIT, "url": SPLIT})),
        "api": lambda: api(hostile, "PUT", f"/mounts{hostile.path}/title", {"title": SPLIT}),
    }
    for name, way in ways.items():
        assert way().status in (200, 204), name
        title = hostile.mount(hostile.path)["title"]
        assert "Set-Cookie" in title and not re.search("[\0-\x1f\x7f]", title), name
        for end in (".m3u", ".xspf", ".pls", ".vclt"):
            body = hostile.get(hostile.path + end).text
            assert not re.search("(?m)^Set-Cookie", body), (name, end)
    assert not re.search("(?m)^Set-Cookie", hostile.log())
    set_title(hostile, HOSTILE)


def test_a_stream_has_the_headers_that_it_should_and_no_more(hostile):
    got = exchange(hostile.port, f"GET {hostile.path} HTTP/1.0\r\nIcy-MetaData: 1\r\n\r\n".encode(),
                   lambda g: b"StreamTitle" in g and len(g) > 60000)
    names = {line.split(b":")[0].lower() for line in head_lines(got)[1:]}
    assert names == {b"server", b"date", b"connection", b"content-type", b"cache-control", b"expires",
                     b"pragma", b"icy-name", b"icy-description", b"icy-genre", b"icy-url",
                     b"icy-metaint", b"access-control-allow-origin",
                     b"access-control-expose-headers", b"ice-audio-info"} & names | {b"icy-name"}
    assert b"set-cookie" not in names


def test_a_title_gets_out_of_no_quotes_of_the_stream(hostile):
    set_title(hostile, "x';StreamUrl='http://evil.example/';y='")

    def said(got):
        at = got.find(b"StreamTitle='x")
        return got[at:got.index(b"\0", at)] if at >= 0 and b"\0" in got[at:] else None
    got = exchange(hostile.port, f"GET {hostile.path} HTTP/1.0\r\nIcy-MetaData: 1\r\n\r\n".encode(),
                   said, 20)
    set_title(hostile, HOSTILE)
    # What ends a value for players is a quote with a semicolon behind it.
    assert said(got).count(b"';") == 1 and said(got).endswith(b"';"), said(got)


@pytest.mark.parametrize("bad", ["x\rSet-Cookie: a=b", "x\0y", "x\n Set-Cookie: a=b"])
def test_a_header_with_a_break_in_it_is_refused(server, bad):
    for name in ("Host", "ice-name", "User-Agent", "Cookie", "Origin"):
        got = exchange(server.port, f"GET /status.xsl HTTP/1.1\r\nConnection: close\r\n{name}: "
                       f"{bad}\r\n\r\n".encode())
        assert got.startswith(b"HTTP/1.1 400 "), (name, got)
        assert b"Set-Cookie" not in got


@pytest.mark.parametrize("lines", [
    "Host: a\r\nHost: b", "Host: a\r\nHost: a", "Host: \"><script>", "Host: a/b", "Host: a@b",
    "Host: a b", "Host: a?b", "Host: a#b", "Host: a\\b", "Host: <a>"])
def test_a_host_that_is_none_is_refused(server, lines):
    """RFC 9112 section 3.2. It comes back in play lists and addresses, and says what is our site."""
    for version in ("1.0", "1.1"):
        got = exchange(server.port, f"GET /status-json.xsl HTTP/{version}\r\n{lines}\r\n"
                       "Connection: close\r\n\r\n".encode())
        assert re.match(rb"HTTP/1\.[01] 400 ", got), got[:200]


@pytest.mark.parametrize("host", ["radio.example", "radio.example:8000", "127.0.0.1:1", "[::1]:8000",
                                  "a_b.example", "", "xn--rdio-9ra.example"])
def test_a_host_that_is_one_is_not(server, host):
    got = exchange(server.port, f"GET /status-json.xsl HTTP/1.1\r\nHost: {host}\r\n"
                   "Connection: close\r\n\r\n".encode())
    assert got.startswith(b"HTTP/1.1 200 "), got[:200]


@pytest.mark.parametrize("path", ["/a%0d%0aSet-Cookie:%20a=b", "/a%0ab", "/a%00b", "/a%7fb",
                                  "/status.xsl%0d%0aX:y", "/a%5cb", "/a%2fb"])
def test_a_path_with_a_break_in_it_is_refused(server, path):
    for method in ("GET", "PUT", "SOURCE", "POST"):
        got = exchange(server.port, f"{method} {path} HTTP/1.0\r\nContent-Length: 0\r\n"
                       f"Authorization: {basic('source', SOURCE_PASSWORD)}\r\n\r\n".encode(), has_head)
        assert b" 400 " in got.split(b"\r\n")[0], (method, got)
        assert not any(line.startswith((b"Set-Cookie", b"X:")) for line in head_lines(got))


def test_a_redirect_leads_where_it_should(serve, sounds):
    server = serve({"mount./live.max_listeners": "1", "mount./live.redirect": "http://other.example"})
    with raw_source(server, "/live", "audio/mpeg", "", mp3_frames(sounds)), dial(server) as first:
        server.await_mount("/live")
        first.sendall(b"GET /live HTTP/1.0\r\n\r\n")
        read_until(first, b"\r\n\r\n")
        for target in ("/live", "/live?u=http://evil.example/%0d%0aSet-Cookie:a=b", "//live",
                       "http://evil.example/live"):
            got = exchange(server.port, f"GET {target} HTTP/1.1\r\nHost: evil.example\r\n\r\n".encode())
            lines = head_lines(got)
            assert b" 302 " in lines[0] and b"Location: http://other.example/live" in lines, got
    for target in ("/status.xsl", "//evil.example/status.xsl", "http://evil.example/status.xsl"):
        got = exchange(server.port, f"GET {target} HTTP/1.0\r\nHost: evil.example\r\n\r\n".encode())
        locations = [line for line in head_lines(got) if line.lower().startswith(b"location")]
        assert locations in ([], [b"Location: /"]), got


def test_a_log_line_is_one_line(server):
    for text in ("/x%22%20why=y", "/x%E2%80%A8y", "/x%C2%85y"):
        server.get(text, {"User-Agent": "a\" b=c"}, method="PUT", auth=("a\" user=b", "x y"))
    api(server, "POST", "/login", {"user": "x\n2026-01-01T00:00:00.000Z info edge login user=admin",
                                   "password": "y"}, auth=None)
    server.get("/admin/stats", auth=("x\r\nforged\x1b[31m", "y"))
    for line in server.log().splitlines():
        assert not line.startswith(("forged", "2026-01-01")), line
    assert "\x1b" not in server.log()


def test_no_secret_is_told(serve):
    secrets = {name: f"{name}-word-that-is-secret" for name in (
        "hook", "relay", "mount", "header", "query", "guess", "body", "bearer", "cookie")}
    server = serve({"log.level": "debug", "hook.h.headers": f"Authorization:{secrets['header']}",
                    "hook.t.url": f"https://{secrets['header']}@192.0.2.1:8/x", "hook.h.url": "http://127.0.0.1:9/x",
                    "hook.h.secret": secrets["hook"], "mount./live.auth_password": secrets["mount"],
                    "relay./r.url": f"http://user:{secrets['relay']}@192.0.2.1/x"})
    server.get(f"/admin.cgi?pass={secrets['query']}&mode=updinfo&song=x")
    server.get(f"/live?token={secrets['query']}")
    server.get("/admin/stats", auth=("admin", secrets["guess"]))
    login(server, "admin", secrets["body"])
    server.get("/api/v1/me", {"Authorization": f"Bearer {secrets['bearer']}"})
    server.get("/api/v1/me", {"Cookie": f"ringmain_session={secrets['cookie']}"})
    headers = session(server)
    secrets["session"] = headers["Cookie"].partition("=")[2]
    secrets["admin"], secrets["source"] = ADMIN_PASSWORD, SOURCE_PASSWORD
    said = {path: server.get(path, auth=ADMIN).text for path in (
        "/api/v1/log?limit=500&level=debug", "/api/v1/relays", "/api/v1/hooks", "/admin/relays",
        "/admin/hooks", "/api/v1/health", "/metrics", "/api/v1/sessions", "/api/v1/audit")}
    said["settings"] = server.get("/api/v1/settings", auth=ADMIN).text
    assert "http://user:***@192.0.2.1/x" in said["settings"]
    assert "Authorization: ***" in said["settings"]
    said["log"] = server.log()
    found = [(path, name) for path, text in said.items() for name, secret in secrets.items()
             if secret in text]
    assert not found


# -- what strangers wrote, in what we answer -------------------------------------------------------

def texts(value):
    if isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, str):
        yield value


def test_json_gives_back_what_was_written(hostile):
    paths = ["/status-json.xsl", "/admin/stats.json", "/admin/listmounts.json",
             f"/admin/listclients.json?mount={hostile.path}"]
    paths += [harmless(path, hostile.path) for method, path, _ in operations_of(hostile.port)
              if method == "GET" and not path.endswith("/events")]
    seen = 0
    for path in paths:
        answer = hostile.get(path, auth=ADMIN)
        if "json" not in answer.headers["Content-Type"]:
            continue
        assert not answer.headers["Content-Type"].startswith("text/html")
        seen += sum(HOSTILE in text for text in texts(answer.json))
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
    assert seen > 10


def test_events_are_json_a_line(hostile):
    for path, auth in (("/events", None), ("/api/v1/events", ADMIN)):
        head = f"GET {path} HTTP/1.1\r\nHost: {hostile.host}\r\n"
        head += f"Authorization: {basic(*auth)}\r\n" if auth else ""
        got = exchange(hostile.port, head.encode() + b"\r\n",
                       lambda g: b"\n\n" in g.partition(b"\r\n\r\n")[2].partition(b"data:")[2])
        data = re.search(rb"(?m)^data: ?(\{.*)$", got).group(1)
        assert HOSTILE in set(texts(json.loads(data))), path
        assert b"text/event-stream" in got


def test_xml_gives_back_what_was_written(hostile):
    seen = 0
    for path in ("/admin/stats", "/admin/listmounts", f"/admin/listclients?mount={hostile.path}",
                 f"/admin/stats?mount={hostile.path}", hostile.path + ".xspf"):
        tree = hostile.get(path, auth=ADMIN).xml
        assert not [e.tag for e in tree.iter() if e.tag.lower() in ("script", "img", "b")]
        said = [t for e in tree.iter() for t in (e.text, *e.attrib.values()) if t]
        seen += sum(HOSTILE in text or hostile.bad == text for text in said)
    assert seen > 8


class Markup(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attributes]

    def handle_data(self, data):
        self.text += data


def test_html_has_no_markup_but_its_own(hostile):
    answer = hostile.get("/7.html")
    markup = Markup()
    markup.feed(answer.text)
    assert markup.tags == ["html", "body"] and HOSTILE in markup.text


def test_play_lists_have_the_lines_that_they_should(hostile):
    host = {"Host": "radio.example"}
    url = f"http://radio.example{hostile.path}"
    lines = hostile.get(hostile.path + ".m3u", host).text.splitlines()
    assert lines == ["#EXTM3U", f"#EXTINF:-1,{HOSTILE}", url]
    lines = hostile.get(hostile.path + ".pls", host).text.splitlines()
    assert lines[0] == "[playlist]" and lines[1] == f"File1={url}"
    assert [line.split("=")[0] for line in lines[2:]] == ["Title1", "Length1", "NumberOfEntries",
                                                          "Version"]
    xspf = ElementTree.fromstring(hostile.get(hostile.path + ".xspf", host).body)
    ns = "{http://xspf.org/ns/0/}"
    assert [e.text for e in xspf.iter(f"{ns}location")] == [url]
    assert [e.text for e in xspf.iter(f"{ns}title")][-1] == HOSTILE
    # A player that opens what stands there is not to be handed a script.
    for end in (".m3u", ".pls", ".xspf", ".vclt"):
        answer = hostile.get(hostile.path + end, host)
        assert answer.headers["Content-Disposition"].startswith("attachment"), end


def test_metrics_have_one_sample_a_line(hostile):
    escaped = hostile.bad.replace("\\", "\\\\").replace('"', '\\"')
    lines = hostile.get("/metrics").text.splitlines()
    assert f'ringmain_radio_mount_up{{mount="{escaped}"}} 1' in lines
    for line in lines:
        assert line.startswith("#") or re.fullmatch(r'\w+(\{(\w+="(\\.|[^"\\])*",?)*\})? \S+', line), line


def test_a_login_address_is_one_line(hostile):
    answer = hostile.admin(f"buildm3u?mount={hostile.path}&username=a%0d%0ahttp://evil&password=%40%2f%0a")
    assert len(answer.text.split()) == 1 and answer.text.count("@") == 1, answer.text


# Markup is never made of texts: there is nothing that could be forgotten to be escaped.
def test_no_script_of_ours_makes_markup_of_text():
    bad = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|"
                     r"createContextualFragment|DOMParser|setAttribute\(\s*[\"']on|javascript:")
    files = [f for f in (ROOT / "web").rglob("*") if f.suffix in (".js", ".html")]
    assert len(files) > 20
    for file in files:
        assert not bad.search(file.read_text()), file
        if file.suffix == ".html":
            assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+\s*=|style\s*=\s*[\"']", file.read_text()), file


@pytest.mark.parametrize("page", ["/", "/player", "/embed"])
def test_a_browser_shows_it_and_runs_nothing(crew, tmp_path, hostile, page):
    if not shutil.which("chromium"):
        pytest.skip("chromium is not installed")
    port = free_ports()
    path = page if page == "/" else page + hostile.path
    browser = crew.start(["chromium", "--headless", "--no-sandbox", "--mute-audio", "--disable-gpu",
                          "--no-first-run", f"--user-data-dir={tmp_path / 'profile'}",
                          f"--remote-debugging-port={port}", hostile.url + path])

    def tab():
        with contextlib.suppress(OSError, ValueError):
            return next((t for t in http_get(port, "/json/list").json if t["type"] == "page"), None)
    seen = []

    def shown():
        one = tab()
        seen.append(one and one["title"])
        said = html.unescape(seen[-1] or "")
        return said == "owned" or said and page == "/" or "<img" in said
    await_true(shown, 30, lambda: f"{seen[-1:]}\n{browser.said()[-2000:]}")
    # Its scripts have run by now: what the encoder said of itself is in the title by their doing.
    assert "owned" not in seen and "owned" != tab()["title"]
