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


def test_a_token_before_it_counts_no_password_less(serve, asked):
    """Who guesses passwords behind a token that is nobody's is locked out as anybody else."""
    bouncer = Bouncer(serve, {"irc.auth_url": asked.url("/auth"), "irc.oauth_url": asked.url("/introspect"),
                              "irc.oauth_client": "us", "irc.oauth_secret": "our secret", "auth.attempts": "3",
                              "auth.lockout": "1h"})

    def guess(number):
        client = bouncer.client(None)
        client.send("CAP LS 302", "CAP REQ :sasl", "AUTHENTICATE OAUTHBEARER")
        client.expect("AUTHENTICATE \\+")
        client.send("AUTHENTICATE " + base64.b64encode(b"n,,\1auth=Bearer bad\1\1").decode())
        client.expect(" 904 ")
        client.send(f"PASS :guess {number}", "NICK x", "USER ann 0 * :X", "CAP END")
        return client.expect(" (464|904) ").text
    said = [guess(number) for number in range(6)]
    assert "Too many wrong passwords" in said[-1], said


def test_wrong_tokens_are_counted(serve, asked):
    """Who guesses tokens waits as who guesses passwords; one that has ended may come again and again, and a right one too."""
    bouncer = Bouncer(serve, {"irc.oauth_url": asked.url("/introspect"), "irc.oauth_client": "us",
                              "irc.oauth_secret": "our secret", "auth.attempts": "3"})
    for token in ["good/ann"] + ["bad/old"] * 5:
        said = bearer(bouncer, token).expect(" 90[34] ").text
        assert "Too many" not in said and (" 903 " in said) == token.startswith("good"), said
    for token in ("bad/1", "bad/2"):
        bearer(bouncer, token).expect(" 904 .*Invalid token")
    before = len(asked.requests)
    bearer(bouncer, "bad/3").expect(" 904 .*Too many wrong tokens")
    bearer(bouncer, "good/bob").expect(" 904 .*Too many wrong tokens")
    assert len(asked.requests) == before
    bearer(bouncer, "good/ann").expect(" 903 ")


def test_another_case_is_another_person(bouncer):
    """Accounts are told apart by case: ADMIN, whom an OAuth server knows, is not admin; nor is CARL carl, who is shut out."""
    bouncer.client("admin").close()
    chief = bearer(bouncer, "good/ADMIN")
    chief.send("CAP END")
    chief.expect(" 001 ")
    assert chief.service("user status")[0].startswith("ADMIN: ")
    assert "administrators" in chief.service("server status")[0]
    secret = bouncer.good("password create -label phone", "carl")[0].split()[-1]
    bouncer.client("carl", password=secret, nick="x").close()
    bouncer.good("user update carl -enabled false")
    client = bouncer.client(None)
    client.send(f"PASS :{secret}", "NICK x", "USER CARL 0 * :X")
    client.expect(" 464 ")
