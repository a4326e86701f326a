"""Who may publish and watch: JSON web tokens, a hook, operators; and what clients are told of TURN."""
import base64
import hashlib
import hmac
import http.server
import json
import re
import threading
import time

import pytest

from stage import basic, free_ports
from test_sfu_http import PUBLISH, SDP, WATCH, ask

SECRET = "the secret of the tokens"


def part(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def token(claims, secret=SECRET, algorithm="HS256"):
    text = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims)}"
    return f"{text}.{part(hmac.digest(secret.encode(), text.encode(), 'sha256'))}"


@pytest.fixture(scope="module")
def hook():
    """A program that is asked; .asked is what it was asked, .say what it answers."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.server.asked.append(json.loads(
                self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(self.server.say)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.say = [], 200
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def with_tokens(shared_serve):
    return shared_serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.jwt_secret": SECRET,
                         "sfu.ice_servers": "stun:stun.example:3478, turn:turn.example:3478",
                         "sfu.turn_secret": "shared"})


@pytest.fixture(scope="module")
def with_hook(shared_serve, hook):
    return shared_serve({"sfu.udp": f"127.0.0.1:{free_ports()}",
                         "sfu.auth_url": f"http://127.0.0.1:{hook.server_address[1]}/ask"})


@pytest.fixture(scope="module")
def with_neither(shared_serve):
    return shared_serve({"sfu.udp": f"127.0.0.1:{free_ports()}"})


def attempt(server, path, body, bearer=None):
    answer = ask(server, "POST", path, body,
                 {**SDP, **({"Authorization": f"Bearer {bearer}"} if bearer else {})})
    if answer.status == 201:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        assert ask(server, "DELETE", answer.headers["Location"], headers=headers).status == 200
    return answer


NOW = int(time.time())


@pytest.mark.parametrize("status, given", [
    (201, token({"room": "a", "publish": True})),
    (201, token({"room": "*", "publish": True, "exp": NOW + 3600, "nbf": NOW - 10})),
    (401, token({"room": "b", "publish": True})),
    (401, token({"room": "a", "watch": True})),
    (401, token({"publish": True})),
    (401, token({"room": "a", "publish": True, "exp": NOW - 1})),
    (401, token({"room": "a", "publish": True, "nbf": NOW + 3600})),
    (401, token({"room": "a", "publish": True, "exp": "soon"})),
    (401, token({"room": "a", "publish": True}, secret="another")),
    (401, token({"room": "a", "publish": True}, algorithm="none")),
    (401, token({"room": "a", "publish": True}).rsplit(".", 1)[0] + "."),
    (401, token({"room": "a", "publish": True})[:-2]),
    (401, token([1, 2])),
    (401, "no.token.at.all"),
    (401, ".."),
    (401, None),
], ids=["good", "any room, in time", "other room", "only watch", "no room", "old", "early",
        "odd exp", "other secret", "none", "unsigned", "cut", "list", "nonsense", "dots", "nothing"])
def test_tokens_of_publishers(with_tokens, status, given):
    assert attempt(with_tokens, "/whip/a", PUBLISH, given).status == status


def test_tokens_of_viewers(with_tokens):
    assert attempt(with_tokens, "/whep/a", WATCH).status == 401
    assert attempt(with_tokens, "/whep/a", WATCH, token({"room": "a", "publish": True})).status == 401
    assert attempt(with_tokens, "/whep/a", WATCH, token({"room": "a", "watch": True})).status == 201


def test_clients_are_told_of_turn_servers(with_tokens):
    answer = attempt(with_tokens, "/whep/a", WATCH, token({"room": "a", "watch": True}))
    stun, turn = [link for link in answer.headers.get_all("Link") if "ice-server" in link]
    user, password = re.search('username="(.*?)"; credential="(.*?)"', turn).groups()

    assert stun == '<stun:stun.example:3478>; rel="ice-server"'
    assert turn.startswith('<turn:turn.example:3478>; rel="ice-server"')
    assert NOW + 11 * 3600 < int(user.split(":")[0]) < NOW + 13 * 3600
    assert password == base64.b64encode(
        hmac.digest(b"shared", user.encode(), hashlib.sha1)).decode()
    assert ask(with_tokens, "OPTIONS", "/whep/a").headers["Link"] is None


@pytest.mark.parametrize("says, status", [(200, 201), (204, 201), (403, 403), (401, 401), (500, 503)])
def test_a_hook_is_asked(with_hook, hook, says, status):
    hook.asked.clear()
    hook.say = says
    answer = ask(with_hook, "POST", "/whip/asked?x=1", PUBLISH,
                 {**SDP, "Authorization": "Bearer key", "User-Agent": "tester"})
    assert answer.status == status
    assert (answer.headers["Retry-After"] is not None) == (status == 503)
    assert hook.asked == [{"action": "publish", "room": "asked", "token": "key", "query": "x=1",
                           "address": "127.0.0.1", "agent": "tester"}]
    hook.say = 200
    if status == 201:
        assert ask(with_hook, "DELETE", answer.headers["Location"],
                   headers={"Authorization": "Bearer key"}).status == 200
    hook.asked.clear()
    hook.say = says
    assert attempt(with_hook, "/whep/asked", WATCH).status == status
    assert hook.asked[0]["action"] == "watch" and hook.asked[0]["room"] == "asked"


def test_without_any_token_an_operator_publishes(with_neither):
    admin = {"Authorization": basic("admin", with_neither.admin_password)}

    assert attempt(with_neither, "/whip/a", PUBLISH).status == 401
    assert ask(with_neither, "POST", "/whip/a", PUBLISH, {**SDP, **admin}).status == 201
    assert attempt(with_neither, "/whep/a", WATCH).status == 201
