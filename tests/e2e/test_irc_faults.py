"""The bouncer among those who mean it no good, and those who are only slow: nobody else notices."""
import re
import socket

import pytest

from irc import Line
from stage import drawn
from test_irc import Bouncer, network, on_channel, say


@pytest.fixture
def bouncer(serve):
    return Bouncer(serve)


# What must not wait for others is done at all, as these take hours, or for ever.
def answers(client):
    """The bouncer answers this client."""
    client.sync()


# -- hostile servers -------------------------------------------------------------------------------

@pytest.mark.parametrize("junk", [
    b":" + b"x" * 100000 + b" PRIVMSG #ring :long\r\n", b"@" + b"a=b;" * 50000 + b" PING :x\r\n",
    b"PRIVMSG", b"\0\0\0\r\n\0PING\0\r\n", b"\r\n" * 5000, b":\r\n: \r\n@\r\n@ \r\n:a\r\n",
    b"JOIN\r\nPART\r\nKICK\r\nMODE\r\nTOPIC\r\nNICK\r\nQUIT\r\nPRIVMSG\r\nNOTICE\r\nTAGMSG\r\nINVITE\r\nBATCH\r\n"
    b"CAP\r\nAUTHENTICATE\r\nPING\r\nPONG\r\nERROR\r\nRENAME\r\nMODE #ring\r\nMODE #ring +ovbk\r\nKICK #ring\r\n",
    b"".join(b":f %03d\r\n:f %03d ann\r\n:f %03d ann #ring\r\n" % (i, i, i) for i in range(1000)),
    b":bob!b@h PRIVMSG #ring :\xff\xfe\xc3\r\n:bob NICK :\r\n:\xff NICK \xfe\r\n",
    b":ann!u@h NICK a b\r\n:ann NICK ann\r\n:bob NICK ann\r\n:ann!u@h QUIT\r\n:ann!u@h JOIN :\r\n",
    b":ann!u@h JOIN " + b",".join(b"#c%d" % i for i in range(500)) + b"\r\n",
    b":f 353 ann = #ring :" + b"@+" * 2000 + b" " + b"n " * 2000 + b"\r\n",
    b":f 005 ann PREFIX=(" + b"a" * 300 + b")" + b"b" * 300 + b" CHANTYPES= CASEMAPPING=nonsense NICKLEN=-1\r\n",
    b"CAP * ACK :-server-time -batch nonsense\r\nCAP * NEW :sasl\r\nCAP * DEL :batch\r\nCAP * LS *\r\n",
    b"AUTHENTICATE " + b"A" * 400 + b"\r\n" + b"AUTHENTICATE +\r\n:f 903 ann\r\n:f 904 ann\r\n",
], ids=["source", "tags", "no end", "nul", "blank", "empty", "bare", "numbers", "bytes", "nicks", "channels",
        "names", "isupport", "cap", "sasl"])
def test_a_server_that_says_anything(bouncer, fake, junk):
    server = fake()
    client, up = on_channel(bouncer, server, caps="batch server-time message-tags labeled-response echo-message")
    up.send_bytes(junk)
    up.send_bytes(b"\r\n")
    up.send("PING after")
    up.expect("PONG :after|^QUIT")
    answers(client)
    client.service("network status")
    assert bouncer.server.process.running()


def test_a_server_of_chance(bouncer, fake):
    """Lines made of what lines are made of, in any order; the seed is printed."""
    chance = drawn()
    server = fake()
    client, up = on_channel(bouncer, server, caps="batch server-time message-tags labeled-response")
    words = ["#ring", "#other", "ann", "bob", "carol", "ann,bob", ":x y", "+o", "-o+v", "+k", "@bob +carol", "=", "*",
             "", "\x01ACTION x\x01", "timestamp=1", "1795242600"]
    verbs = ["PRIVMSG", "NOTICE", "JOIN", "PART", "QUIT", "NICK", "MODE", "TOPIC", "KICK", "INVITE", "TAGMSG", "AWAY",
             "ACCOUNT", "CHGHOST", "SETNAME", "BATCH", "353", "366", "332", "333", "324", "329", "005", "352", "315",
             "301", "433", "731", "730", "001", "900", "RENAME", "REDACT", "FAIL"]
    sources = ["", ":ann!u@h ", ":bob!b@h ", ":carol!c@h ", ":fake ", ":ann "]
    tags = ["", "", "@time=2026-01-01T00:00:00.000Z ", "@label=r1 ", "@batch=x ", "@msgid=a;+b=c "]
    for _ in range(40):
        lines = []
        for _ in range(100):
            params = " ".join(w for w in chance.choices(words, k=chance.randrange(5)) if w)
            lines.append(chance.choice(tags) + chance.choice(sources) + chance.choice(verbs) + " " + params)
        up.send(*lines)
        up.read()
    up.send("PING after")
    up.expect("PONG :after")
    client.sync()
    assert bouncer.server.process.running()


def test_ten_thousand_channels(serve, fake):
    bouncer = Bouncer(serve, {"irc.channels": "500"})
    server = fake()
    client, up = on_channel(bouncer, server)
    for i in range(0, 10000, 100):
        up.send(*(f":ann!u@h JOIN #c{k}" for k in range(i, i + 100)))
    up.send("PING after")
    up.expect("PONG :after")
    answers(client)
    lines = [line for line in client.service("channel status") if line.startswith("#")]
    assert len(lines) == 500


# -- slow and loud ---------------------------------------------------------------------------------

def flood(bouncer, fake, count, size=400):
    """(client, up, a raw client that never reads)."""
    client, up = on_channel(bouncer, fake())
    dead = bouncer.client("admin/net@dead")
    dead.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    for i in range(0, count, 100):
        up.send(*(f":bob!b@h PRIVMSG #ring :{k:06} {'x' * size}" for k in range(i, i + 100)))
    return client, up, dead


def test_a_dead_reader_delays_nobody(bouncer, fake):
    client, up, dead = flood(bouncer, fake, 20000)
    client.expect("019999")
    say(up, "now")
    client.expect(":now")
    got = [int(m[1]) for m in (re.search(r":(\d{6}) ", line) for line in client.said) if m]
    assert got == list(range(20000))
    # And it, when it wakes up, has lost nothing that a client is sent when it comes back.
    dead.expect(":now")
    got = [int(m[1]) for m in (re.search(r":(\d{6}) ", line) for line in dead.said) if m]
    assert got == sorted(set(got)) and got[-1] == 19999


def test_a_paste_delays_no_other_network(serve, fake):
    bouncer = Bouncer(serve, {"irc.burst": "5", "irc.interval": "1m"})
    first, second = fake(), fake()
    one = network(bouncer, first, "one")
    one.register(None)
    two = network(bouncer, second, "two")
    two.register(None)
    paster, other = bouncer.client("admin/one@a"), bouncer.client("admin/two@b")
    paster.send(*(f"PRIVMSG bob :paste {i}" for i in range(120)))
    one.expect("paste 0")
    other.send("PRIVMSG carol :quick")
    two.expect("PRIVMSG carol :quick")
    answers(other)
    answers(paster)
    two.send(":carol!c@h PRIVMSG ann :back")
    other.expect(":back")
    one.sync()
    assert not any("paste 100" in line for line in one.said)


def test_too_much_to_send_is_refused_and_said(serve, fake):
    bouncer = Bouncer(serve, {"irc.burst": "8", "irc.interval": "1m", "irc.queue": "20"})
    client, up = on_channel(bouncer, fake())
    client.send(*(f"PRIVMSG #ring :paste {i}" for i in range(60)))
    client.expect("FAIL \\* RATE_LIMITED")
    answers(client)


def test_a_join_of_two_thousand(bouncer, fake):
    server = fake()
    client, up = on_channel(bouncer, server)
    client.send("JOIN #big")
    up.expect("JOIN #big")
    names = [f"person{i:04}" for i in range(2000)]
    up.send(":ann!u@h JOIN #big", *(f":fake 353 ann = #big :{' '.join(names[i:i + 40])}" for i in range(0, 2000, 40)),
            ":fake 366 ann #big :End")
    client.expect("366 .*#big")
    listed = [n for line in client.said if " 353 " in line and "#big" in line for n in Line(line).params[-1].split()]
    assert sorted(n for n in listed if n != "ann") == names and all(len(line) <= 510 for line in client.said)
    up.send(*(f":{n}!p@h QUIT :split" for n in names))
    up.sync()
    late = bouncer.client("admin/net@late")
    line = late.expect("353 .*#big")
    assert line.params[-1].strip() == "ann"


# -- hostile clients -------------------------------------------------------------------------------

@pytest.mark.parametrize("junk", [b"x" * 200000, b"\0" * 5000 + b"\r\n", b"PASS\r\nNICK\r\nUSER\r\nCAP\r\n" * 50,
                                  b"CAP REQ :" + b"batch " * 300 + b"\r\n", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n",
                                  b"AUTHENTICATE PLAIN\r\nAUTHENTICATE ****\r\nAUTHENTICATE " + b"A" * 500 + b"\r\n",
                                  b"AUTHENTICATE PLAIN\r\n" + (b"AUTHENTICATE " + b"A" * 400 + b"\r\n") * 40],
                         ids=["endless", "nul", "bare", "cap", "tls", "http", "base64", "long sasl"])
def test_a_stranger_that_says_anything(bouncer, junk):
    stranger = bouncer.client(None)
    stranger.send_bytes(junk)
    good = bouncer.client("admin@good")
    answers(good)
    stranger.close()


def test_a_user_that_says_anything(bouncer, fake):
    client, up = on_channel(bouncer, fake(), client_caps="batch labeled-response message-tags draft/multiline "
                                                         "draft/chathistory")
    for verb in ("PRIVMSG", "NOTICE", "TAGMSG", "JOIN", "PART", "MODE", "TOPIC", "NAMES", "NICK", "AWAY", "SETNAME",
                 "MONITOR", "BATCH", "CHATHISTORY", "MARKREAD", "READ", "SEARCH", "BOUNCER", "CAP", "WHO", "WHOIS",
                 "KICK", "INVITE", "AUTHENTICATE", "ISUPPORT", "USER", "PASS", "PONG", "PING", "XYZZY"):
        for params in ("", " :", " #ring", " #ring :", " + -", " * * * * *", " LATEST #ring * x", " " + "a" * 450,
                       " +1 draft/multiline", " \xff\xfe"):
            client.send(f"@label=l;+t=1 {verb}{params}")
    client.send("MARKREAD #ring timestamp=9999-12-31T23:59:59.999Z", "NICK ann")
    answers(client)
    client.send("PRIVMSG #ring :" + "y" * 9000)
    client.expect(" 417 ")
    assert bouncer.server.process.running()


def test_a_client_that_never_registers_is_dropped(serve):
    bouncer = Bouncer(serve, {"irc.login_timeout": "300ms"})
    stranger = bouncer.client(None)
    stranger.send("NICK x", "CAP LS")
    stranger.gone()


def test_guessing_passwords_has_to_wait(serve):
    bouncer = Bouncer(serve, {"auth.attempts": "3", "auth.lockout": "1h"})
    for i in range(5):
        guess = bouncer.client(None)
        guess.send(f"PASS :guess{i}", "NICK ann", "USER admin 0 * :Ann")
        line = guess.expect(" 464 ")
    assert "too many" in line.params[-1].lower()


def test_silent_clients_are_dropped(serve):
    bouncer = Bouncer(serve, {"irc.ping_interval": "1500ms", "irc.ping_timeout": "1500ms"})
    client = bouncer.client("admin")
    client.expect("^PING")
    client.gone()
