"""The user's account at a network: logged in to while connected, remembered when the server says that it is right."""
import base64

import pytest

from test_irc import Bouncer, network, on_channel

CAPS = "sasl=PLAIN batch labeled-response message-tags draft/account-registration=before-connect,email-required"


def plain(user, password, pieces=False):
    text = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    return [f"AUTHENTICATE {text[i:i + 400]}" for i in range(0, len(text), 400)]


@pytest.fixture
def bouncer(serve):
    return Bouncer(serve)


def settings(client):
    return client.service("sasl status")


def logs_in(up, user, password):
    """The server's side of PLAIN, as far as the answer."""
    up.expect("^AUTHENTICATE PLAIN$")
    up.send("AUTHENTICATE +")
    said = up.expect("^AUTHENTICATE ").params[0]
    assert base64.b64decode(said).split(b"\0")[1:] == [user.encode(), password.encode()]


def registers_with(up, user, password):
    up.expect("^CAP LS")
    up.nick = "ann"
    up.send(f":fake CAP * LS :{CAPS}")
    up.send(f":fake CAP * ACK :{up.expect('^CAP REQ').params[1]}")
    logs_in(up, user, password)
    up.send(f":fake 900 * * {user} :You are now logged in as {user}", ":fake 903 * :good")
    up.expect("^CAP END")


def test_authenticate_later(bouncer, fake):
    """A client logs in to its network; what was right is there at the next connection, what was not is not."""
    server = fake()
    client, up = on_channel(bouncer, server, caps=CAPS, client_caps="sasl")
    client.send("AUTHENTICATE PLAIN")
    client.expect("^AUTHENTICATE \\+$")
    client.send(*plain("ann", "wrong"))
    logs_in(up, "ann", "wrong")
    up.send(":fake 904 ann :SASL authentication failed")
    assert client.expect(" 90[34] ").params[1] == "SASL authentication failed"
    assert settings(client) == ["net: no SASL is set"]
    client.send("AUTHENTICATE PLAIN")
    client.expect("^AUTHENTICATE \\+$")
    client.send(*plain("ann", "right"))
    logs_in(up, "ann", "right")
    # Another one meanwhile has to wait.
    other = bouncer.client("admin/net@other", caps="sasl")
    other.send("AUTHENTICATE PLAIN")
    other.expect(" 904 ")
    up.send(":fake 900 ann ann!u@h ann :You are now logged in as ann", ":fake 903 ann :SASL authentication successful")
    assert client.expect(" 900 ").params[2] == "ann"
    client.expect(" 903 ")
    other.expect(" 900 ")
    late = bouncer.client("admin/net@late", caps="sasl")
    assert late.expect(" 900 ").params[2] == "ann"
    up.close()
    up = server.accept()
    registers_with(up, "ann", "right")
    up.welcome()
    client.expect("net is connected")
    client.send("AUTHENTICATE ANONYMOUS")
    client.expect("^AUTHENTICATE \\+$")
    client.send("AUTHENTICATE " + base64.b64encode(b"trace").decode())
    client.expect(" 903 ")
    up.close()
    up = server.accept()
    up.register(CAPS)


def test_what_is_said_meanwhile_is_not_what_is_logged_in_with(bouncer, fake):
    server = fake()
    client, up = on_channel(bouncer, server, caps=CAPS, client_caps="sasl")
    client.send("AUTHENTICATE PLAIN")
    client.expect("^AUTHENTICATE \\+$")
    client.send(*plain("ann", "right" * 40))
    up.expect("^AUTHENTICATE PLAIN$")
    client.send("NS IDENTIFY annie another", "NS IDENTIFY annie another")
    up.expect("another")
    up.expect("another")
    up.send("AUTHENTICATE +")
    said = base64.b64decode(up.expect("^AUTHENTICATE ").params[0])
    assert said.split(b"\0")[1:] == [b"ann", b"right" * 40]
    up.send(":fake 903 ann :SASL authentication successful")
    client.expect(" 903 ")
    up.close()
    registers_with(server.accept(), "ann", "right" * 40)


def test_authenticate_that_cannot_be(bouncer, fake):
    client, up = on_channel(bouncer, fake(), client_caps="sasl")
    client.send("AUTHENTICATE PLAIN")
    assert "no network" in client.expect(" 904 ").params[1]
    everywhere = bouncer.client("admin")
    everywhere.send("AUTHENTICATE PLAIN")
    everywhere.expect(" 904 ")


@pytest.mark.parametrize("junk, number", [
    (["AUTHENTICATE SCRAM-SHA-256"], 908), (["AUTHENTICATE PLAIN", "AUTHENTICATE !!!"], 904),
    (["AUTHENTICATE PLAIN", "AUTHENTICATE *"], 906), (["AUTHENTICATE PLAIN", *["AUTHENTICATE " + "A" * 400] * 4], 905),
    (["AUTHENTICATE PLAIN", "AUTHENTICATE " + "A" * 401], 905), (["AUTHENTICATE PLAIN", "AUTHENTICATE +"], 904)],
    ids=["mechanism", "no base64", "aborted", "too long", "a piece too long", "empty"])
def test_authenticate_with_anything(bouncer, fake, junk, number):
    client, up = on_channel(bouncer, fake(), caps=CAPS, client_caps="sasl")
    client.send(*junk)
    client.expect(f" {number} ")
    client.send("AUTHENTICATE *")
    client.sync()
    assert not [line for line in up.said if "AUTHENTICATE" in line]


@pytest.mark.parametrize("said, account, password", [
    ("PRIVMSG NickServ :IDENTIFY hunter2", "ann", "hunter2"), ("NS IDENTIFY annie hunter3", "annie", "hunter3"),
    ("PRIVMSG NickServ@services.test :register hunter4 ann@test", "ann", "hunter4"),
    ("REGISTER * ann@test hunter5", "ann", "hunter5")], ids=["identify", "ns", "register", "REGISTER"])
def test_what_was_said_is_remembered_when_it_is_right(bouncer, fake, said, account, password):
    server = fake()
    client, up = on_channel(bouncer, server, caps=CAPS)
    client.send(said)
    label = up.expect(password).tags["label"]
    # Not that of somebody else's account, and not before the server says so.
    assert "PLAIN" not in settings(client)[0]
    if said.startswith("REGISTER"):
        up.send(f"@label={label} :fake REGISTER SUCCESS {account} :Account created")
        client.expect("REGISTER SUCCESS")
    else:
        up.send(f":fake 900 ann ann!u@h {account} :You are now logged in as {account}")
        client.expect(" 900 ")
    up.close()
    up = server.accept()
    registers_with(up, account, password)
    up.welcome()
    client.expect("net is connected")
    if said.startswith("NS"):
        client.send("NS SET PASSWORD hunter6")
        up.expect("hunter6")
        up.close()
        registers_with(server.accept(), account, "hunter6")


def test_what_is_not_remembered(bouncer, fake):
    """Another's account, and where another mechanism was chosen."""
    client, up = on_channel(bouncer, fake(), caps=CAPS)
    client.send("PRIVMSG NickServ :IDENTIFY annie wrong")
    up.expect("wrong")
    up.send(":fake 900 ann ann!u@h bobby :You are now logged in as bobby")
    client.expect(" 900 ")
    assert "PLAIN" not in settings(client)[0]


def test_an_account_that_is_needed(bouncer, fake):
    """A server that lets nobody in without is not asked again and again."""
    up = network(bouncer, fake())
    up.expect("^USER")
    client = bouncer.client("admin/net@one")
    up.send(":fake CAP * LS :sasl=PLAIN", ":fake FAIL * ACCOUNT_REQUIRED :You need an account", ":fake ERROR :bye")
    up.close()
    assert "Not trying again" in client.expect("net is gone").params[1]
