"""What is secret of users is not in the log, nor in any answer but the one that makes it."""
import base64
import json

import pytest

from irc_service import ADMIN, Bouncer
from outside import Outside

OPENED = ("account-of-bob-1", "wrong-guess-2", "elsewhere-3", "sasl-of-bob-4", "pass-of-net-5", "changed-to-6", "oauth-us-7",
          "token-of-ann-8", "key-of-room-9", "command-secret-10")


def judge(request):
    if request.path == "/auth":
        said = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        request.answer(200 if said == "ann:elsewhere-3" else 500 if said.startswith("eve:") else 401)
        return
    good = "token-of-ann-8" in request.form["token"]
    request.answer(200, "", json.dumps({"active": good, "username": "ann"}))


@pytest.fixture
def bouncer(serve):
    with Outside(judge) as asked:
        yield Bouncer(serve, {"irc.auth_url": asked.url("/auth"), "irc.oauth_url": asked.url("/introspect"),
                              "irc.oauth_client": "us", "irc.oauth_secret": "oauth-us-7", "irc.upload_max": "1M",
                              "log.level": "debug", "irc.scram": "yes",
                              "outgoing.internal": "127.0.0.0/8"})


def test_no_secret_is_told(bouncer, fake):
    told = []

    def order(text, user="admin", good=None):
        was, lines = bouncer.order(text, user)
        assert good is None or was is good, lines
        told.append("\n".join(lines))
        return lines

    server = fake()
    order("server debug true")
    order("user create -username bob -password account-of-bob-1", good=True)
    order(f"network create -addr {server.address()} -name net -nick bob -pass pass-of-net-5 "
          "-connect-command 'PRIVMSG NickServ :IDENTIFY command-secret-10'", "bob", good=True)
    up = server.accept()
    up.register(None)
    up.expect("IDENTIFY command-secret-10")
    order("sasl set-plain -network net bob sasl-of-bob-4", "bob", good=True)
    order("user update bob -password", good=False)
    order("channel create #ring/net -key key-of-room-9", "bob")
    app = bouncer.good("password create -label phone", "bob")[0].split()[-1]
    vapid = bouncer.good("password create -label spare", "bob")[0].split()[-1]

    # Right and wrong, in each way that there is.
    for login, password in (("bob", "account-of-bob-1"), ("bob", app), ("ann", "elsewhere-3")):
        bouncer.client(login, password=password, nick="x").close()
    for user, password in (("bob", "wrong-guess-2"), ("ann", "wrong-guess-2"), ("eve", "wrong-guess-2")):
        client = bouncer.client(None)
        client.send(f"PASS :{password}", "NICK x", f"USER {user} 0 * :X")
        told.append(client.expect(" 464 ").text)
    for mechanism, said in (("PLAIN", "\0bob\0wrong-guess-2"), ("OAUTHBEARER", "n,,\1auth=Bearer token-of-ann-8\1\1"),
                            ("OAUTHBEARER", "n,,\1auth=Bearer wrong-guess-2\1\1")):
        client = bouncer.client(None)
        client.send("CAP LS 302", "NICK x", "USER bob 0 * :X", "CAP REQ :sasl", f"AUTHENTICATE {mechanism}")
        client.expect("AUTHENTICATE \\+")
        client.send("AUTHENTICATE " + base64.b64encode(said.encode()).decode())
        client.expect(" 90[34] ")
        told += client.said
    get = bouncer.server.get
    for path in ("/api/v1/irc/me", "/irc/uploads"):
        for headers in ({"Authorization": "Bearer token-of-ann-8"}, {"Authorization": "Bearer wrong-guess-2"}):
            told.append(get(path, headers=headers).body.decode())
        for auth in (("bob", app), ("bob", "wrong-guess-2"), ("ann", "elsewhere-3"), ("bob", "account-of-bob-1")):
            told.append(get(path, auth=auth).body.decode())
    order("user update bob -password changed-to-6", good=True)

    # What everybody who may look is shown.
    for text in ("network status", "sasl status -network net", "channel status", "password list", "user status",
                 "data export", "device-certificate status"):
        order(text, "bob")
    order("user status")
    order("server status")
    for path in ("irc/users", "irc/users/bob", "irc/me", "settings", "users", "tokens", "log", "audit", "server", "events"):
        answer = get(f"/api/v1/{path}", auth=ADMIN, seconds=20) if path != "events" else None
        if answer is not None:
            told.append(answer.body.decode())
    told.append(get("/metrics").body.decode())
    told.append(bouncer.server.log())

    assert " irc " in told[-1] and "client in" in told[-1]
    for secret in (*OPENED, app, vapid):
        for kind in (secret, base64.b64encode(secret.encode()).decode().rstrip("=")[:-1]):
            found = [text for text in told if kind in text]
            assert not found, (kind, found[0][max(0, found[0].find(kind) - 300):][:600])
