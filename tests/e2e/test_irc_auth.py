"""Who has no account here: a program is asked, or an OAuth 2.0 server."""
import base64
import json

import pytest

from irc_service import Bouncer
from outside import Outside


def judge(request):
    """Knows ann by password, and by a token; bob's token is another's, and nobody else."""
    if request.path == "/auth":
        said = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        request.answer({"ann:her password": 200, "admin:taken over": 200, "boss:taken over": 200,
                        "eve:broken": 500}.get(said, 401))
        return
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"us:our secret").decode()
    token = request.form["token"]
    request.answer(200, "", json.dumps({"active": token.startswith("good"), "username": token.rsplit("/", maxsplit=1)[-1]}))


@pytest.fixture
def asked():
    with Outside(judge) as outside:
        yield outside


@pytest.fixture
def bouncer(serve, asked):
    made = Bouncer(serve, {"irc.auth_url": asked.url("/auth"), "irc.oauth_url": asked.url("/introspect"),
                           "irc.oauth_client": "us", "irc.oauth_secret": "our secret"})
    made.good("user create -username boss -password 'long enough 1' -admin true")
    made.good("user create -username carl -password 'long enough 1'")
    return made


def test_a_program_says_who_it_is(bouncer, asked):
    ann = bouncer.client("ann", password="her password", nick="annie")
    assert ann.service("user status") == ["ann: nick annie, 0 networks, 1 clients"]
    assert [r.method for r in asked.requests] == ["POST"]
    # Who is known here is not asked for.
    bouncer.client("carl", password="long enough 1", nick="x").close()
    assert len(asked.requests) == 1
    for user, password, why in (("ann", "wrong", "Invalid"), ("eve", "broken", "try again"),
                                # Nobody becomes an administrator by it.
                                ("admin", "taken over", "Invalid"), ("boss", "taken over", "Invalid")):
        client = bouncer.client(None)
        client.send(f"PASS :{password}", "NICK x", f"USER {user} 0 * :X")
        client.expect(f" 464 .*{why}")
        client.gone()
    bouncer.good("user update carl -enabled false")
    before = len(asked.requests)
    client = bouncer.client(None)
    client.send("PASS :her password", "NICK x", "USER carl 0 * :X")
    client.expect(" 464 ")
    assert len(asked.requests) == before


def bearer(bouncer, token, user=""):
    client = bouncer.client(None)
    client.send("CAP LS 302", "NICK x", "USER x 0 * :X", "CAP REQ :sasl", "AUTHENTICATE OAUTHBEARER")
    assert "sasl=PLAIN,OAUTHBEARER" in client.expect("CAP .* LS .*sasl").text
    client.expect("AUTHENTICATE \\+")
    said = f"n,{'a=' + user if user else ''},\1auth=Bearer {token}\1\1"
    text = base64.b64encode(said.encode()).decode()
    pieces = [text[i:i + 400] for i in range(0, len(text), 400)]
    client.send(*(f"AUTHENTICATE {piece}" for piece in pieces), *(["AUTHENTICATE +"] if len(pieces[-1]) == 400 else []))
    return client


@pytest.mark.parametrize("user", ["", "ann", "ann@phone"])
def test_a_token_says_who_it_is(bouncer, user):
    # One that is longer than a password may be.
    client = bearer(bouncer, "good" + "x" * 1500 + "/ann", user)
    client.expect(" 903 ")
    client.send("CAP END")
    client.expect(" 001 ")
    assert client.service("user status")[0].startswith("ann:")


@pytest.mark.parametrize("token, user", [("bad/ann", ""), ("good/bob", "ann"), ("good/admin", ""), ("good/boss", ""),
                                         ("", "")])
def test_tokens_that_are_refused(bouncer, token, user):
    bearer(bouncer, token, user).expect(" 904 ")


def test_without_it_is_not_offered(serve):
    client = Bouncer(serve).client(None)
    client.send("CAP LS 302", "NICK x", "AUTHENTICATE OAUTHBEARER")
    assert "OAUTHBEARER" not in client.expect("CAP .* LS .*sasl").text
    client.expect(" 908 ")
