"""Who owns a server, or a client, and means harm."""
import base64
import re

import pytest

from test_irc import Bouncer, network, on_channel, say


@pytest.fixture
def bouncer(serve):
    return Bouncer(serve)


# -- a server that waits for the right moment -----------------------------------------------------

def test_a_login_is_said_as_it_was_when_it_began(bouncer, fake):
    """The server sits on SASL until the password is another one: it must not hear what lies there since."""
    user, password = "u" * 300, "p" * 300
    up = network(bouncer, fake(), options=f"-sasl-mechanism PLAIN -sasl-username {user} -sasl-password {password}")
    up.expect("^USER ")
    up.send(":fake CAP * LS :sasl=PLAIN")
    up.expect("CAP REQ :sasl")
    up.send(":fake CAP * ACK :sasl")
    up.expect("AUTHENTICATE PLAIN")
    client = bouncer.client("admin/net@other", nick="ann")
    client.service("sasl reset -network net")
    client.service("network create -addr irc+insecure://127.0.0.1:1 -enabled false -name other "
                   f"-sasl-username {'s' * 300} -sasl-password {'t' * 300}")
    up.send("AUTHENTICATE +")
    said = ""
    while True:
        piece = up.expect("^AUTHENTICATE ").params[0]
        said += piece.strip("+") if piece == "+" else piece
        if len(piece) < 400:
            break
    assert base64.b64decode(said).decode() == f"\0{user}\0{password}"


# -- a server that keeps us busy -------------------------------------------------------------------

def test_others_are_heard_while_a_server_keeps_us_busy(serve, fake):
    """Each of its lines has thousands of others as a consequence; a client is answered long before the last."""
    bouncer = Bouncer(serve, {"irc.channels": "4000", "workers": "1"})
    up = network(bouncer, fake())
    up.register(None)
    up.send(*(f":ann!a@h JOIN #c{i}" for i in range(3000)), "PING joined")
    up.expect("PONG :joined")
    client = bouncer.client(None)
    first = 0
    for last in (60, 200, 500):
        up.send(*(f":ann{i or ''}!a@h NICK ann{i + 1}" for i in range(first, last)), f"PING busy{last}")
        client.send("CAP LS 302")
        client.expect("CAP .* LS")
        up.read()
        was_heard = not any(f"PONG :busy{last}" in line for line in up.said)
        up.expect(f"PONG :busy{last}")
        if was_heard:
            return
        # It was us who were not there in time, or nobody ever is.
        first = last
    pytest.fail("nobody is heard before the last line of a server")


# -- a client that asks more than can be answered --------------------------------------------------

def test_what_stands_behind_questions_waits_for_their_answers(serve, fake):
    bouncer = Bouncer(serve, {"irc.questions": "2"})
    client, up = on_channel(bouncer, fake(), client_caps="batch message-tags")
    say(up, "word")
    client.expect(":word")
    asked = 60
    client.send(*(["SEARCH text=word"] * asked), "PING behind")
    answered = sum("BATCH -" in line for line in client.until("PONG .*behind"))
    assert answered >= asked - 2
    client.send(*(["PRIVMSG BouncerServ :search word"] * asked), "PING again")
    assert sum("hello" not in line and ":bob" not in line and "<bob> word" in line
               for line in client.until("PONG .*again")) >= asked - 2


def test_a_network_that_is_deleted_while_its_history_is_asked_for(bouncer, fake):
    client, up = on_channel(bouncer, fake(), client_caps="batch message-tags")
    say(up, "word")
    client.expect(":word")
    other = bouncer.client("admin@other", caps="batch message-tags")
    for _ in range(5):
        other.send("CHATHISTORY BEFORE #ring/net timestamp=2020-01-01T00:00:00.000Z 10")
    other.send("PRIVMSG BouncerServ :network delete net", *(["SEARCH text=word"] * 5))
    client.gone()
    other.sync()


# -- labels, and lines that are too long to be told at once ----------------------------------------

LABELS = "batch message-tags labeled-response echo-message server-time"


def test_a_label_is_answered_whatever_becomes_of_the_line(bouncer, fake):
    """What is said where the client does not look has no echo; it would wait for one for ever."""
    client, up = on_channel(bouncer, fake(), client_caps=LABELS)
    client.send("PART #ring :detach")
    client.expect("PART #ring")
    client.send("@label=one PRIVMSG #ring :unseen")
    client.expect("^@label=one .*ACK")
    client.send("@label=two QUIT :bye")
    client.expect("^ERROR ")


def test_long_lines_cost_no_client_its_connection(serve, fake):
    """Pages of the database are counted in lines; a server may make each of them as long as it likes."""
    bouncer = Bouncer(serve, {"irc.client_buffer": "64k", "irc.ring": "16k"})
    client, up = on_channel(bouncer, fake(), caps="message-tags", client_caps="message-tags batch")
    client.close()
    lines = 120
    for i in range(lines):
        say(up, f"{i} " + "x" * 400, tags=f"@+t={'y' * 2000} ")
    up.send("PING said")
    up.expect("PONG :said")
    client = bouncer.client("admin/net@one", caps="message-tags batch")
    client.expect(f" :{lines - 1} x")
    told = [int(re.search(r"#ring :(\d+) x", line)[1]) for line in client.said if "#ring :" in line and "PRIVMSG" in line]
    assert told == list(range(lines))
    client.send("CHATHISTORY LATEST #ring * 1000")
    client.expect(f" :{lines - 1} x")
    client.send("SEARCH in=#ring;limit=100")
    client.expect(f" :{lines - 1} x")
    client.sync()
