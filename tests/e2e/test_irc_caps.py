"""What clients may ask for, one capability after the other, and who is waited for."""
import re

import pytest

from irc import Line
from stage import await_true
from test_irc import Bouncer, network, on_channel, say

FULL = ("account-notify account-tag away-notify batch chghost echo-message extended-join extended-monitor invite-notify "
        "labeled-response message-tags multi-prefix server-time setname draft/message-redaction")
OURS = ("batch cap-notify echo-message invite-notify labeled-response message-tags multi-prefix sasl server-time "
        "standard-replies no-implicit-names draft/no-implicit-names soju.im/no-implicit-names draft/chathistory "
        "draft/event-playback draft/extended-isupport draft/metadata-2 draft/multiline draft/read-marker draft/pre-away "
        "soju.im/account-required soju.im/client-cert soju.im/bouncer-networks soju.im/bouncer-networks-notify soju.im/read soju.im/search "
        "znc.in/self-message")
THEIRS = ("account-notify account-tag away-notify chghost extended-join extended-monitor setname "
          "draft/message-redaction")
MONITOR = "CASEMAPPING=ascii CHANTYPES=# PREFIX=(ov)@+ MONITOR=100"


@pytest.fixture
def bouncer(serve):
    return Bouncer(serve)


def offered(lines, sub):
    return {word.split("=")[0] for line in lines if f" {sub} " in line for word in line.split(" :", 1)[1].split()}


def test_what_is_offered(bouncer, fake):
    """Before anybody is known all; then what needs a server that has it goes, and comes with the server."""
    server = fake()
    up = network(bouncer, server)
    up.register(FULL)
    client = bouncer.client("admin/net@one", caps="server-time")
    offer = offered(client.said, "LS")
    assert set(OURS.split()) | set(THEIRS.split()) <= offer
    up.close()
    assert set(THEIRS.split()) <= offered([client.expect("CAP .* DEL .*away-notify").text], "DEL")
    up = server.accept()
    up.register("batch away-notify")
    assert offered([client.expect("CAP .* NEW").text], "NEW") == {"away-notify"}
    client.send("CAP REQ :chghost")
    client.expect("CAP .* NAK :chghost")
    client.send("CAP REQ :away-notify")
    client.expect("CAP .* ACK :away-notify")


@pytest.mark.parametrize("line, cap", [
    (":bob!b@h AWAY :gone", "away-notify"), (":bob!b@h ACCOUNT bobby", "account-notify"),
    (":bob!b@h CHGHOST c cloak", "chghost"), (":bob!b@h SETNAME :Bob the Great", "setname"),
    (":bob!b@h REDACT #ring id1 :oops", "draft/message-redaction"),
    ("@+typing=active :bob!b@h TAGMSG #ring", "message-tags")], ids=lambda value: value.split("/")[-1].split(" ")[0])
def test_told_to_who_asked(bouncer, fake, line, cap):
    client, up = on_channel(bouncer, fake(), caps=FULL, client_caps=cap)
    plain = bouncer.client("admin/net@plain")
    plain.sync()
    up.send(line)
    say(up, "behind it")
    verb = Line(line).verb
    assert client.expect(f" {verb} ").params == Line(line).params
    plain.expect("behind it")
    assert not [text for text in plain.said if f" {verb} " in text]


def test_joins_are_short_for_who_knows_no_long_ones(bouncer, fake):
    client, up = on_channel(bouncer, fake(), caps=FULL, client_caps="extended-join")
    plain = bouncer.client("admin/net@plain")
    plain.sync()
    up.send(":carol!c@h JOIN #ring carol :Carol")
    assert client.expect("carol.* JOIN").params == ["#ring", "carol", "Carol"]
    assert plain.expect("carol.* JOIN").params == ["#ring"]


def test_names_unasked_or_not(bouncer, fake):
    client, up = on_channel(bouncer, fake())
    quiet = bouncer.client("admin/net@quiet", caps="draft/no-implicit-names")
    assert not [line for line in quiet.sync() if " 353 " in line] and [line for line in quiet.said if " JOIN " in line]
    quiet.send("NAMES #ring")
    assert sorted(quiet.expect(" 353 ").params[-1].split()) == ["ann", "bob"]


def test_several_lines_are_one_message(bouncer, fake):
    client, up = on_channel(bouncer, fake(), client_caps="batch message-tags draft/multiline")
    client.send("BATCH +m draft/multiline #ring", "@batch=m PRIVMSG #ring :one", "@batch=m PRIVMSG #ring :two ",
                "@batch=m;draft/multiline-concat PRIVMSG #ring :and a half", "BATCH -m")
    assert up.expect("^PRIVMSG #ring").params[1] == "one"
    assert up.expect("^PRIVMSG #ring").params[1] == "two and a half"
    client.send("BATCH +n draft/multiline #ring", *(f"@batch=n PRIVMSG #ring :{i}" for i in range(25)), "BATCH -n")
    assert client.expect("FAIL BATCH").params[1] == "MULTILINE_MAX_LINES"
    client.sync()
    up.send("PING now")
    up.expect("PONG")
    assert not [line for line in up.said if re.search("PRIVMSG #ring :\\d+$", line)]


def test_events_are_played_back_to_who_asked(bouncer, fake):
    client, up = on_channel(bouncer, fake(), caps=FULL)
    up.send(":carol!c@h JOIN #ring", ":carol!c@h PART #ring :bye")
    say(up, "end")
    client.expect(":end$")
    for caps, verbs in (("draft/event-playback", ["JOIN", "JOIN", "PART", "PRIVMSG"]), ("", ["PRIVMSG"])):
        reader = bouncer.client(f"admin/net@r{len(caps)}", caps=f"batch draft/chathistory {caps}")
        reader.send("CHATHISTORY LATEST #ring * 20")
        reader.expect("BATCH \\+")
        assert [Line(line).verb for line in reader.until("BATCH -")] == verbs


def test_away(bouncer, fake):
    """The words that one says go to the server; who only looks (pre-away) wakes nobody."""
    up = network(bouncer, fake())
    up.register(FULL)
    up.expect("^AWAY :Auto away")
    looker = bouncer.client(None)
    looker.send("CAP LS 302", "PASS :" + bouncer.server.admin_password, "NICK ann", "USER admin/net@look 0 * :Ann",
                "CAP REQ :draft/pre-away", "AWAY *", "CAP END")
    looker.expect(" 422 ")
    client = bouncer.client("admin/net@one")
    up.expect("^AWAY$")
    client.send("AWAY :gone for lunch")
    up.expect("^AWAY :gone for lunch")
    up.send(":fake 306 ann :You have been marked as being away")
    client.expect(" 306 ")
    client.close()
    back = bouncer.client("admin/net@two")
    back.sync()
    back.send("AWAY")
    up.expect("^AWAY$")
    back.close()
    up.expect("^AWAY :Auto away")


def test_setname(bouncer, fake):
    client, up = on_channel(bouncer, fake(), caps=FULL, client_caps="setname")
    client.send("SETNAME :Ann the Brave")
    up.expect("^(@\\S+ )?SETNAME :?Ann the Brave")
    up.send(":ann!u@h SETNAME :Ann the Brave")
    client.expect("SETNAME :Ann the Brave")


# -- MONITOR ---------------------------------------------------------------------------------------

def test_monitor(bouncer, fake):
    """One list at the server for all clients; each is told of those on its own."""
    server = fake()
    up = network(bouncer, server)
    up.register(FULL, isupport=MONITOR)
    one, two = bouncer.client("admin/net@one"), bouncer.client("admin/net@two")
    one.send("MONITOR + bob,carol")
    up.expect("MONITOR \\+ bob,carol")
    two.send("MONITOR + BOB,dave")
    up.expect("MONITOR \\+ dave")
    up.send(":fake 730 ann :bob!b@h,dave!d@h", ":fake 731 ann :carol")
    assert one.expect(" 730 ").params[-1] == "bob!b@h"
    assert one.expect(" 731 ").params[-1] == "carol"
    assert two.expect(" 730 ").params[-1] == "bob!b@h,dave!d@h"
    assert not [line for line in two.sync() if " 731 " in line]
    one.send("MONITOR L")
    assert set(one.expect(" 732 ").params[-1].split(",")) == {"bob", "carol"}
    one.expect(" 733 ")
    # What is known is said at once, and asked of nobody.
    three = bouncer.client("admin/net@three")
    three.send("MONITOR + bob")
    assert three.expect(" 730 ").params[-1].startswith("bob!")
    three.send("MONITOR S")
    three.expect(" 730 .*bob")
    # The last one who waits takes it off.
    one.send("MONITOR - bob,carol")
    up.expect("MONITOR - carol$")
    three.close()
    await_true(lambda: "irc_clients 2\n" in bouncer.server.get("/metrics").text, 60, one.said)
    two.send("MONITOR C")
    up.expect("MONITOR - (bob,dave|dave,bob)$")
    assert not [line for line in up.said if line.startswith("MONITOR + BOB")]


def test_monitor_after_a_reconnect(bouncer, fake):
    server = fake()
    up = network(bouncer, server)
    up.register(FULL, isupport=MONITOR)
    client = bouncer.client("admin/net@one")
    client.send("MONITOR + bob")
    up.expect("MONITOR \\+ bob")
    up.close()
    up = server.accept()
    up.register(FULL, isupport=MONITOR)
    up.expect("MONITOR \\+ bob")
    up.send(":fake 734 ann 1 bob :Monitor list is full.")
    assert "bob" in client.expect(" 734 ").text


def test_monitor_has_an_end(bouncer, fake):
    up = network(bouncer, fake())
    up.register(FULL, isupport=MONITOR)
    client = bouncer.client("admin/net@one")
    for i in range(0, 1010, 10):
        client.send("MONITOR + " + ",".join(f"nick{k}" for k in range(i, i + 10)))
    client.expect(" 734 ")


# -- ISUPPORT --------------------------------------------------------------------------------------

def tokens(lines):
    """Of lines of 005."""
    return {word.partition("=")[0]: word.partition("=")[2]
            for line in lines if " 005 " in line for word in Line(line).params[1:-1]}


def test_tokens_of_a_network(bouncer, fake):
    """What its server has, but for what is ours to say; changes come as such, in a batch for who knows it."""
    up = network(bouncer, fake())
    up.register("batch message-tags", isupport="CASEMAPPING=ascii CHANTYPES=# PREFIX=(ov)@+ CHATHISTORY=7 LINELEN=512 WHOX "
                "VAPID=theirs soju.im/FILEHOST=https://theirs CLIENTTAGDENY=*,-typing BOT=b MONITOR=5 draft/ICON=https://net/icon")
    client = bouncer.client("admin/net@one")
    has = tokens(client.said)
    assert has["CHATHISTORY"] == "1000" and has["LINELEN"] == "4096" and has["VAPID"] != "theirs" and "WHOX" in has
    assert has["CLIENTTAGDENY"] == "*,-typing" and has["BOT"] == "b" and has["MONITOR"] == "5" and "soju.im/SAFERATE" in has
    assert has["draft/ICON"] == "https://net/icon" and "soju.im/FILEHOST" not in has and "draft/ACCOUNTREQUIRED" not in has
    knows = bouncer.client("admin/net@two", caps="batch draft/extended-isupport")
    assert all(" 005 " not in line or line.startswith("@batch=") for line in knows.said)
    knows.at = 0
    knows.expect("BATCH \\+\\S+ draft/isupport")
    assert tokens(knows.until("BATCH -")) == has
    knows.sync()
    up.send(":fake 005 ann MONITOR=6 -BOT LINELEN=1000 :are supported")
    knows.expect("BATCH \\+\\S+ draft/isupport")
    assert tokens(knows.until("BATCH -")) == {"MONITOR": "6", "-BOT": ""}
    client.send("ISUPPORT")
    client.expect("MONITOR=6 -BOT")
    now = tokens(client.sync())
    assert now["MONITOR"] == "6" and "BOT" not in now


def test_tokens_without_tags(bouncer, fake):
    up = network(bouncer, fake())
    up.register("batch", isupport="CASEMAPPING=ascii CHANTYPES=# PREFIX=(ov)@+ CLIENTTAGDENY=-typing")
    client = bouncer.client("admin/net@one", caps="message-tags")
    assert [word for line in client.said for word in line.split() if "CLIENTTAGDENY" in word] == ["CLIENTTAGDENY=*"]
    client.send("@+typing=active TAGMSG #ring", "PRIVMSG #ring :behind")
    assert "typing" not in up.expect("behind").text and not [line for line in up.said if "TAGMSG" in line]


def test_tokens_of_the_bouncer(serve):
    """Also before anybody is known: that somebody has to be."""
    bouncer = Bouncer(serve, {"irc.icon": "https://example.org/i.png", "irc.title": "Bounce"})
    client = bouncer.client("admin", caps="batch soju.im/bouncer-networks")
    has = tokens(client.said)
    assert has["draft/ICON"] == "https://example.org/i.png" and has["NETWORK"] == "Bounce" and has["BOT"] == "B"
    assert has["CLIENTTAGDENY"] == "*" and has["CHANTYPES"] == "" and "draft/ACCOUNTREQUIRED" not in has
    early = bouncer.client(None)
    early.send("CAP LS 302", "ISUPPORT", "CAP REQ :batch draft/extended-isupport", "ISUPPORT")
    early.expect(" 451 ")
    early.expect("BATCH \\+\\S+ draft/isupport")
    assert "draft/ACCOUNTREQUIRED" in tokens(early.until("BATCH -"))


# -- reactions -------------------------------------------------------------------------------------

def test_reactions_are_remembered(bouncer, fake):
    """Of lines without words those: told to who knows tags, later to who asks for events; typing is told and forgotten."""
    client, up = on_channel(bouncer, fake(), caps="batch message-tags server-time", client_caps="message-tags")
    other = bouncer.client("admin/net@other", caps="message-tags echo-message")
    plain = bouncer.client("admin/net@plain")
    for one in (other, plain):
        one.sync()
    say(up, "hello", tags="@msgid=m1 ")
    up.send("@+draft/react=lol;+draft/reply=m1;msgid=m2 :bob!b@h TAGMSG #ring", "@+typing=active :bob!b@h TAGMSG #ring")
    assert client.expect("TAGMSG").tags["+draft/react"] == "lol"
    assert client.expect("TAGMSG").tags["+typing"] == "active"
    client.send("@+draft/unreact=lol;+draft/reply=m1 TAGMSG #ring")
    up.expect("draft/unreact=lol.*TAGMSG")
    assert other.expect("unreact").tags["+draft/unreact"] == "lol"
    say(up, "end")
    plain.expect(":end$")
    assert not [line for line in plain.said if "TAGMSG" in line]
    for caps, verbs in (("draft/event-playback message-tags", ["PRIVMSG", "TAGMSG", "TAGMSG", "PRIVMSG"]),
                        ("draft/event-playback", ["PRIVMSG", "PRIVMSG"]), ("message-tags", ["PRIVMSG", "PRIVMSG"])):
        reader = bouncer.client("admin/net@reader", caps=f"batch draft/chathistory {caps}")
        reader.send("CHATHISTORY LATEST #ring * 20")
        reader.expect("BATCH \\+")
        lines = [Line(text) for text in reader.until("BATCH -")]
        assert [line.verb for line in lines if line.verb not in ("JOIN", "MODE")] == verbs
        assert "typing" not in "".join(reader.said)
