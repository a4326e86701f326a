"""METADATA (draft/metadata-2): keys of the bouncer's own, and those of a network's server."""
import re
import socket

import pytest

from irc import Line, Wire
from stage import ADMIN_PASSWORD
from test_irc import Bouncer, on_channel

CAPS = "batch draft/metadata-2"
SERVER = "batch message-tags labeled-response draft/metadata-2=max-subs=30,max-keys=20,max-value-bytes=300"
PINNED, MUTED = "soju.im/pinned", "soju.im/muted"


@pytest.fixture
def bouncer(serve):
    return Bouncer(serve)


def come(bouncer, fake, caps=None, client_caps=CAPS):
    """on_channel(), behind what a client is told at first."""
    client, up = on_channel(bouncer, fake, caps=caps, client_caps=client_caps)
    assert [line for line in client.said if "BATCH +" in line and "metadata *" in line]
    return client, up


def later(bouncer, login):
    client = bouncer.client(login, caps=CAPS)
    assert batch(client) == []
    return client


def batch(client, kind="metadata"):
    """The lines of the next batch of that kind."""
    begin = client.expect(f"BATCH \\+\\S+ {kind}")
    lines = [Line(text) for text in client.until(f"BATCH -{begin.params[0][1:]}$")]
    assert all(line.tags["batch"] == begin.params[0][1:] for line in lines)
    return [(line.verb, *line.params) for line in lines]


def test_keys_of_our_own(bouncer, fake):
    """They are set by one client and told to those that want to know, now and when they come."""
    client, up = come(bouncer, fake())
    other = later(bouncer, "admin/net@other")
    plain = bouncer.client("admin/net@plain")
    assert "draft/metadata-2=before-connect,max-subs=50,max-keys=0,max-value-bytes=1" in " ".join(client.said)
    other.send(f"METADATA * SUB {PINNED}")
    assert other.expect(" 770 ").params == ["ann", PINNED]
    other.sync()
    client.send(f"METADATA #ring SET {PINNED} :1", f"METADATA #ring SET {MUTED} 1")
    assert client.expect(" 761 ").params == ["ann", "#ring", PINNED, "*", "1"]
    assert client.expect(" 761 ").params == ["ann", "#ring", MUTED, "*", "1"]
    assert other.expect("METADATA").params == ["#ring", PINNED, "*", "1"]
    other.sync()
    assert len([line for line in other.said if " METADATA " in line and "CAP" not in line]) == 1
    client.send("METADATA #ring LIST", f"METADATA #ring GET {PINNED} soju.im/blocked other")
    assert batch(client) == [("761", "ann", "#ring", PINNED, "*", "1"), ("761", "ann", "#ring", MUTED, "*", "1")]
    assert batch(client) == [("761", "ann", "#ring", PINNED, "*", "1"), ("766", "ann", "#ring", "soju.im/blocked", "key not set"),
                             ("766", "ann", "#ring", "other", "key not set")]
    # Somebody nobody spoke to yet.
    client.send(f"METADATA carol SET {PINNED} 1")
    client.expect(" 761 ")
    assert other.expect("METADATA").params[0] == "carol"
    # Before it is registered, and what it is told then.
    early = bouncer.client(None)
    early.send("CAP LS 302", f"CAP REQ :{CAPS}", "NICK ann", f"PASS :{bouncer.server.admin_password}", "USER admin/net@early 0 * :Ann",
               f"METADATA * SUB {PINNED} {MUTED}", "METADATA * SUBS", f"METADATA #ring SET {MUTED} 0", "CAP END")
    assert early.expect(" 770 ").params[1:] == [PINNED, MUTED]
    assert sorted(line[2] for line in batch(early, "metadata-subs")) == sorted([PINNED, MUTED])
    early.expect("FAIL METADATA INVALID_TARGET")
    assert sorted(batch(early)) == sorted([("METADATA", "#ring", PINNED, "*", "1"), ("METADATA", "#ring", MUTED, "*", "1"),
                                           ("METADATA", "carol", PINNED, "*", "1")])
    early.send("METADATA #ring SYNC")
    assert len(batch(early)) == 2
    # Gone again, each with what is left of it; and after a while for good.
    client.send("METADATA #ring CLEAR")
    assert [line[:4] for line in batch(client)] == [("766", "ann", "#ring", PINNED), ("766", "ann", "#ring", MUTED)]
    assert other.expect("METADATA").params == ["#ring", PINNED, "*", "0"]
    other.send(f"METADATA * UNSUB {PINNED}", "METADATA * SUBS")
    assert other.expect(" 771 ").params[1:] == [PINNED]
    assert batch(other, "metadata-subs") == []
    assert not [line for line in plain.sync() if "METADATA" in line]


def test_of_all_networks(bouncer, fake):
    """A client that is on all of them says whose channel it means."""
    client, up = come(bouncer, fake())
    client.send(f"METADATA #ring SET {MUTED} 1")
    client.expect(" 761 ")
    client.close()
    client = bouncer.client("admin", caps=CAPS)
    client.send(f"METADATA #ring/net GET {MUTED}", f"METADATA #ring GET {MUTED}")
    assert batch(client) == []  # what it wants to hear of when it comes: nothing
    assert batch(client) == [("761", "ann", "#ring/net", MUTED, "*", "1")]
    client.expect("FAIL METADATA INVALID_TARGET #ring")


@pytest.mark.parametrize("line, answer", [
    ("METADATA #ring SET $url$ :x", "FAIL METADATA KEY_INVALID #ring "), ("METADATA #ring SET url :x", "FAIL METADATA KEY_NO_PERMISSION #ring url "),
    (f"METADATA #ring SET {PINNED} :yes", "FAIL METADATA VALUE_INVALID #ring "),
    (f"METADATA #ring SET {PINNED}", f"FAIL METADATA KEY_NOT_SET #ring {PINNED} "),
    (f"METADATA * SET {PINNED} 1", f"FAIL METADATA KEY_NO_PERMISSION \\* {PINNED} "),
    ("METADATA $a:user LIST", "FAIL METADATA INVALID_TARGET \\$a:user "), ("METADATA #ring destr0y", "FAIL METADATA SUBCOMMAND_INVALID destr0y "),
    ("METADATA", "FAIL METADATA"), ("METADATA * SUB foo $url bar", " 770 ann foo bar$")],
    ids=["key", "not ours", "value", "not set", "self", "target", "order", "nothing", "sub"])
def test_faults(bouncer, fake, line, answer):
    client, up = come(bouncer, fake())
    client.send(line)
    client.expect(answer)


def test_there_is_an_end_of_subscriptions(bouncer, fake):
    client, up = come(bouncer, fake())
    for i in range(0, 60, 10):
        client.send("METADATA * SUB " + " ".join(f"key{k}" for k in range(i, i + 10)))
    assert client.expect("FAIL METADATA TOO_MANY_SUBS").params[2] == "key50"
    client.send("METADATA * SUBS")
    assert len(batch(client, "metadata-subs")) == 50


def test_keys_of_a_server(bouncer, fake):
    """Asked for there, answered to who asked, told to who wants to know; each key once for all clients."""
    server = fake()
    client, up = come(bouncer, server, SERVER, CAPS + " labeled-response")
    other = later(bouncer, "admin/net@other")
    late = later(bouncer, "admin/net@late")
    late.send("CAP LS 302")
    assert "max-subs=50,max-keys=20,max-value-bytes=300" in late.expect("CAP .* LS .*metadata").text
    client.send("@label=s METADATA * SET url :http://www.example.com")
    asked = up.expect("METADATA")
    assert asked.params == ["*", "SET", "url", "http://www.example.com"]
    up.send(f"@label={asked.tags['label']} :fake 761 ann * url * :http://www.example.com")
    assert client.expect(" 761 ").tags == {"label": "s"}
    client.send("@label=l METADATA bob LIST")
    asked = up.expect("METADATA")
    assert asked.params == ["bob", "LIST"]
    up.send(f"@label={asked.tags['label']} :fake BATCH +VUN metadata bob", "@batch=VUN :fake 761 ann bob url * :http://bob",
            "@batch=VUN :fake 761 ann bob im.xmpp * :bob@xmpp", ":fake BATCH -VUN")
    assert batch(client) == []  # ours, of bob
    assert [line[3:] for line in batch(client, "metadata bob")] == [("url", "*", "http://bob"), ("im.xmpp", "*", "bob@xmpp")]
    client.send(f"METADATA #ring GET {PINNED} url")
    asked = up.expect("METADATA")
    assert asked.params == ["#ring", "GET", "url"]
    assert batch(client) == [("766", "ann", "#ring", PINNED, "key not set")]
    up.send(f"@label={asked.tags['label']} :fake FAIL METADATA KEY_NO_PERMISSION #ring url :permission denied")
    client.expect("FAIL METADATA KEY_NO_PERMISSION")
    # Two want to know, the server is told once, and again when it comes back.
    client.send(f"METADATA * SUB avatar {PINNED}")
    assert up.expect("METADATA").params == ["*", "SUB", "avatar"]
    up.send(":fake 770 ann avatar")
    other.send("METADATA * SUB avatar")
    other.expect(" 770 ")
    up.send(":bob!b@h METADATA bob avatar * :http://a", ":bob!b@h METADATA bob other * :x")
    for one in (client, other):
        assert one.expect("bob!b@h METADATA").params == ["bob", "avatar", "*", "http://a"]
    client.send("METADATA * UNSUB avatar")
    client.expect(" 771 ")
    up.send(":bob!b@h METADATA bob avatar * :http://b", ":bob!b@h PRIVMSG #ring :behind")
    assert other.expect("bob!b@h METADATA").params[3] == "http://b"
    client.expect("behind")
    assert not [line for line in client.said + late.said if "http://b" in line and "xmpp" not in line and "//bob" not in line]
    up.close()
    up = server.accept()
    up.register(SERVER)
    assert up.expect("METADATA").params == ["*", "SUB", "avatar"]
    other.send("METADATA * UNSUB avatar")
    assert up.expect("METADATA").params == ["*", "UNSUB", "avatar"]


def slow_client(bouncer):
    """One whose machine takes little at a time, and that does not read yet."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", bouncer.irc))
    client = Wire(connection)
    client.send("CAP LS 302", f"CAP REQ :{CAPS}", f"PASS :{ADMIN_PASSWORD}", "NICK ann", "USER admin/net@slow 0 * :Ann",
                f"METADATA * SUB {PINNED} {MUTED}", "CAP END")
    return client


def test_who_has_pinned_a_thousand_is_told_of_each(serve, fake):
    """What one has set, and the channels that one is in, are more than may wait: they come as they are read."""
    bouncer = Bouncer(serve, {"irc.client_buffer": "64k"})
    client, up = come(bouncer, fake())
    channels = [f"#channel-of-a-long-name-{i}" for i in range(600)]
    people = [f"person-of-a-long-name-{i}" for i in range(600)]
    for name in channels:
        up.send(f":ann!u@h JOIN {name}", f":fake 332 ann {name} :{'topic ' * 50}", f":fake 353 ann = {name} :@ann bob",
                f":fake 366 ann {name} :End")
    up.send("PING joined")
    up.expect("PONG .*joined")
    for some in (channels[i:i + 100] + people[i:i + 100] for i in range(0, 600, 100)):
        client.send(*(f"METADATA {name} SET {key} 1" for name in some for key in (PINNED, MUTED)))
        client.sync(30)
    said = client.service("channel status")
    assert re.search("and [0-9]+ more lines", said[-1]) and len(said) + int(said[-1].split()[1]) >= 600
    slow = slow_client(bouncer)
    # Another is told meanwhile what is said, and of a person that is no more.
    up.send(":bob!b@h PRIVMSG #ring :hello")
    client.expect(":hello")
    client.sync()
    client.service(f"channel delete {channels[300]}")
    begin = slow.expect("BATCH .* metadata")
    told = {tuple(Line(text).params[:2]) for text in slow.until(f"BATCH -{begin.params[0][1:]}$") if " METADATA " in text}
    assert {(name, key) for name in channels[:300] + channels[301:] + people for key in (PINNED, MUTED)} <= told
    joined = [Line(text).params[0] for text in slow.until(" PRIVMSG #ring :hello") if " JOIN " in text]
    assert set(joined) - {channels[300]} == set(channels) - {channels[300]} | {"#ring"} and len(joined) == len(set(joined))
    slow.close()
