"""The IRC bouncer against a server that the test plays, and Debian's: what users rely on."""
import base64
import os
import re
import signal
import socket
import ssl

import pytest

from fault_harness import SANITIZED, serving
from irc import (PATIENT, Client, Line, Person, Scram, await_kept, certificate, fingerprint,
                 start_inspircd, start_ngircd)
from stage import ADMIN_PASSWORD, await_true, free_ports, reset

QUICK = {**PATIENT, "workers": "2", "radio.shoutcast_port": "no"}


class Bouncer:
    def __init__(self, serve, settings=None):
        self.irc = free_ports()
        self.server = serve({"irc.listen": f"127.0.0.1:{self.irc}", **QUICK, **(settings or {})})

    def client(self, login="admin", **options):
        return Client(self.irc, login, **options)


@pytest.fixture
def bouncer(serve):
    return Bouncer(serve)


def network(bouncer, server, name="net", options=""):
    """A network of the administrator's on this server; its connection, not registered yet."""
    client = bouncer.client("admin@setup")
    said = client.service(f"network create -addr {server.address()} -name {name} -nick ann {options}")
    assert any("was created" in line for line in said), said
    client.close()
    return server.accept()


def on_channel(bouncer, fake, caps=None, channel="#ring", options="", login="admin/net@one", client_caps=""):
    """(client, the server's end), the user in a channel of one other member."""
    up = network(bouncer, fake, options=options)
    up.register(caps)
    client = bouncer.client(login, caps=client_caps)
    client.send(f"JOIN {channel}")
    up.joins(channel, "bob")
    client.expect("366")
    return client, up


def say(up, text, who="bob", target="#ring", tags=""):
    up.send(f"{tags}:{who}!b@h PRIVMSG {target} :{text}")


# -- registration ----------------------------------------------------------------------------------

def test_wrong_password_is_refused(bouncer):
    client = bouncer.client(None)
    client.send("PASS :wrong", "NICK ann", "USER admin 0 * :Ann")
    client.expect(" 464 ")
    client.gone()


def test_no_password_is_refused(bouncer):
    client = bouncer.client(None)
    client.send("NICK ann", "USER admin 0 * :Ann")
    client.expect(" 464 ")
    client.gone()


def test_sasl_plain(bouncer):
    client = bouncer.client(None)
    client.send("CAP LS 302", "NICK ann", "USER ann 0 * :Ann")
    offer = client.expect("CAP \\* LS ")
    assert "sasl=PLAIN" in offer.text
    client.send("CAP REQ :sasl", "AUTHENTICATE PLAIN")
    client.expect("AUTHENTICATE \\+")
    client.send("AUTHENTICATE " + base64.b64encode(b"\0admin\0nonsense").decode())
    client.expect(" 904 ")
    client.send("AUTHENTICATE PLAIN")
    client.expect("AUTHENTICATE \\+")
    client.send("AUTHENTICATE " + base64.b64encode(f"\0admin\0{ADMIN_PASSWORD}".encode()).decode(), "CAP END")
    client.expect(" 903 ")
    client.expect(" 001 ")


def test_capabilities_fit_in_lines(bouncer):
    client = bouncer.client(None)
    client.send("CAP LS 302")
    client.expect("CAP \\* LS :")
    listed = [line for line in client.said if " LS " in line]
    assert len(listed) > 1 and all(len(line.encode()) <= 510 for line in listed)
    assert all(" LS * :" in line for line in listed[:-1])


def test_app_password_is_revocable(bouncer):
    client = bouncer.client("admin")
    said = client.service("password create -label phone")
    secret = re.search(r"is ([0-9a-f]{24})", said[0])[1]
    other = bouncer.client("admin@phone", password=secret)
    other.close()
    assert "last used" in client.service("password status")[0]
    client.service("password delete phone")
    other = bouncer.client(None)
    other.send(f"PASS :{secret}", "NICK ann", "USER admin 0 * :Ann")
    other.expect(" 464 ")


def test_tls_and_plain_on_one_port(serve, tmp_path):
    pair = certificate(tmp_path, "station")
    bouncer = Bouncer(serve, {"tls.certificate": pair[0], "tls.key": pair[1], "workers": "2"})
    context = ssl.create_default_context(cafile=pair[0])
    # As many as it takes to come from the other worker too, whoever accepted them.
    for i in range(6):
        client = bouncer.client(f"admin@tls{i}", context=context)
        client.sync()
        assert "BouncerServ" not in client.service("help")[0]
        client.close()
    bouncer.client("admin").sync()


# -- what is said ----------------------------------------------------------------------------------

def test_messages_both_ways(bouncer, fake):
    client, up = on_channel(bouncer, fake())
    say(up, "hello")
    assert client.expect("PRIVMSG #ring").params[1] == "hello"
    client.send("PRIVMSG #ring :and back")
    up.expect("^PRIVMSG #ring :and back$")
    assert not [line for line in client.sync() if "and back" in line]


def test_what_one_says_to_oneself_comes_once(bouncer, fake):
    """From a server that only delivers it, as ngircd, and from one that echoes it too, as inspircd."""
    server = fake()
    client, up = on_channel(bouncer, server)
    client.send("PRIVMSG ann :a note")
    up.expect("^PRIVMSG ann :a note$")
    up.send(":ann!u@h PRIVMSG ann :a note")
    client.expect(":ann!u@h PRIVMSG ann :a note$")
    up.close()
    up = server.accept()
    up.register("batch echo-message labeled-response message-tags")
    up.joins("#ring")
    label = None
    for order in ("label, plain", "plain, label"):
        client.send(f"PRIVMSG ann :{order}")
        label = up.expect(f"PRIVMSG ann :{order}$").tags["label"]
        both = [f"@label={label};msgid=x{len(order)}{order[0]} :ann!u@h PRIVMSG ann :{order}",
                f"@msgid=x{len(order)}{order[0]} :ann!u@h PRIVMSG ann :{order}"]
        up.send(*(both if order[0] == "l" else both[::-1]))
        client.expect(f"PRIVMSG ann :{order}$")
    assert not [line for line in client.sync() if "PRIVMSG ann" in line]
    later = bouncer.client("admin/net@later", caps="batch draft/chathistory")
    later.send("CHATHISTORY LATEST ann * 10")
    later.expect("BATCH \\+.* chathistory ann")
    assert [line.split(" :")[-1] for line in later.until("BATCH -")] == ["a note", "label, plain", "plain, label"]


def test_what_is_said_to_services_is_not_echoed(bouncer, fake):
    """To whom does not know echo-message, by a server that does; nor are TAGMSG told without tags."""
    client, up = on_channel(bouncer, fake(), caps="batch echo-message labeled-response message-tags")
    client.send("PRIVMSG NickServ :HELP")
    label = up.expect("PRIVMSG NickServ :HELP$").tags["label"]
    up.send(f"@label={label} :ann!u@h PRIVMSG NickServ :HELP", ":NickServ!n@h NOTICE ann :No.",
            "@+typing=active :eve!e@h TAGMSG ann", ":eve!e@h NOTICE ann :end")
    assert not [line for line in client.until("NOTICE ann :end") if "HELP" in line or "TAGMSG" in line]
    assert any("NOTICE ann :No." in line for line in client.said)


def test_other_clients_see_what_one_says(bouncer, fake):
    client, up = on_channel(bouncer, fake())
    other = bouncer.client("admin/net@two")
    client.send("PRIVMSG #ring :from one")
    line = other.expect("from one")
    assert line.source.startswith("ann!") and line.verb == "PRIVMSG"


def test_each_client_reads_on_from_its_own_place(bouncer, fake):
    client, up = on_channel(bouncer, fake())
    other = bouncer.client("admin/net@two")
    say(up, "m1")
    client.expect("m1")
    other.expect("m1")
    other.close()
    say(up, "m2")
    client.expect("m2")
    client.close()
    say(up, "m3")
    up.sync()
    for name, want in (("one", ["m3"]), ("two", ["m2", "m3"]), ("one", []), ("two", [])):
        client = bouncer.client(f"admin/net@{name}")
        got = [Line(line).params[1] for line in client.sync() if " PRIVMSG #ring " in line]
        assert got == want, name
        client.close()


def test_what_did_not_arrive_is_told_again(bouncer, fake):
    """A client that is gone before it has read: its machine never said that it had the line."""
    client, up = on_channel(bouncer, fake(), login="admin/net@one")
    say(up, "m0")
    client.expect("m0")
    for i in range(1, 20):
        client.socket.close()
        say(up, f"m{i}")
        up.sync()
        client = bouncer.client("admin/net@one")
        client.expect(f":m{i}$")
        assert [line for line in client.said if " PRIVMSG #ring " in line] == [f":bob!b@h PRIVMSG #ring :m{i}"]


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's build has no keeper")
def test_places_and_lines_survive_kill_9(bouncer, fake, tmp_path):
    server = fake()
    client, up = on_channel(bouncer, server, login="admin/net@one")
    for i in range(5):
        say(up, f"m{i}")
    client.expect("m4")
    client.close()
    say(up, "m5")
    await_kept(bouncer.server, lines=["m5"])
    kill_server(bouncer)
    up = server.accept()
    up.register(None)
    up.joins("#ring", "bob")
    say(up, "m6")
    up.sync()
    client = Client(bouncer.irc, "admin/net@one")
    client.expect("m6")
    got = [Line(line).params[1] for line in client.said if " PRIVMSG #ring " in line]
    assert got == ["m5", "m6"]
    assert not any(" PRIVMSG #ring " in line for line in client.sync())


def kill_server(bouncer):
    """The server alone dies: its keeper starts another. (Which it is, its parents say: process ids begin again at 300,
    and who kills the holder in its place has an upgrade, which networks do not notice.)"""
    log = bouncer.server.log()
    starts, crashes = log.count(" info core ready"), log.count("started again after a crash")
    os.kill(serving(bouncer.server.process.popen.pid), signal.SIGKILL)
    await_true(lambda: bouncer.server.log().count(" info core ready") > starts, 60, bouncer.server.log)
    assert bouncer.server.log().count("started again after a crash") == crashes + 1, bouncer.server.log()


def test_history_by_time_and_name(bouncer, fake):
    client, up = on_channel(bouncer, fake(), caps="server-time message-tags batch",
                            client_caps="batch server-time message-tags draft/chathistory")
    for i in range(10):
        say(up, f"m{i}", tags=f"@time=2026-01-01T00:00:0{i}.000Z;msgid=id{i} ")
    client.expect("m9")

    def ask(question):
        client.send(f"CHATHISTORY {question}")
        client.expect("BATCH \\+.* chathistory")
        return [Line(line).params[1] for line in client.until("BATCH -")]

    assert ask("LATEST #ring * 3") == ["m7", "m8", "m9"]
    assert ask("BEFORE #ring timestamp=2026-01-01T00:00:03.000Z 2") == ["m1", "m2"]
    assert ask("AFTER #ring msgid=id6 10") == ["m7", "m8", "m9"]
    assert ask("AFTER #ring timestamp=2026-01-01T00:00:06.000Z 2") == ["m7", "m8"]
    assert ask("BETWEEN #ring msgid=id2 msgid=id5 10") == ["m3", "m4"]
    assert ask("BETWEEN #ring timestamp=2026-01-01T00:00:05.000Z timestamp=2026-01-01T00:00:02.000Z 10") \
        == ["m3", "m4"]
    assert "m5" in ask("AROUND #ring msgid=id5 3")
    for asked, refused in (("LATEST #nowhere * 3", "INVALID_TARGET LATEST #nowhere"),
                           ("BEFORE #ring nonsense 3", "INVALID_PARAMS BEFORE nonsense"),
                           ("BETWEEN #ring msgid=id2 nonsense 3", "INVALID_PARAMS BETWEEN nonsense"),
                           ("AFTER #ring msgid=none 3", "INVALID_MSGREFTYPE AFTER #ring msgid=none"),
                           ("LATEST #ring * abc", "INVALID_PARAMS LATEST abc"),
                           ("LATEST #ring", "NEED_MORE_PARAMS LATEST"), ("SOON #ring * 3", "INVALID_PARAMS SOON"),
                           ("", "NEED_MORE_PARAMS *")):
        client.send(f"CHATHISTORY {asked}")
        assert " ".join(client.expect("FAIL CHATHISTORY").params[1:-1]) == refused
    for asked, refused in (("#ring yesterday", "INVALID_PARAMS #ring yesterday"), ("", "NEED_MORE_PARAMS")):
        client.send(f"MARKREAD {asked}")
        assert " ".join(client.expect("FAIL MARKREAD").params[1:-1]) == refused
    client.send("CHATHISTORY TARGETS timestamp=2025-01-01T00:00:00.000Z timestamp=2027-01-01T00:00:00.000Z 9")
    client.expect("CHATHISTORY TARGETS #ring 2026-01-01T00:00:09.000Z")


def test_history_goes_on_in_the_store(serve, fake):
    """More than the ring keeps: ring and store are one."""
    bouncer = Bouncer(serve, {"irc.ring": "16k"})
    client, up = on_channel(bouncer, fake(), login="admin/net@one")
    other = bouncer.client("admin/net@two")
    other.sync()
    other.close()
    for i in range(600):
        say(up, f"line {i:04} {'x' * 60}")
    client.expect("line 0599")
    other = bouncer.client("admin/net@two")
    other.expect("line 0599")
    got = [int(m[1]) for m in (re.search(r"line (\d{4})", line) for line in other.said) if m]
    assert got == list(range(600))
    reader = bouncer.client("admin/net@three", caps="batch server-time message-tags draft/chathistory")
    reader.send("CHATHISTORY LATEST #ring * 500")
    reader.expect("line 0599")
    got = [int(m[1]) for m in (re.search(r"line (\d{4})", line) for line in reader.said) if m]
    assert got == list(range(100, 600))


def test_read_markers_are_shared_and_only_go_forward(bouncer, fake):
    client, up = on_channel(bouncer, fake(), client_caps="draft/read-marker")
    other = bouncer.client("admin/net@two", caps="draft/read-marker")
    client.send("MARKREAD #ring timestamp=2026-01-02T00:00:00.000Z")
    other.expect("MARKREAD #ring timestamp=2026-01-02T00:00:00.000Z")
    client.send("MARKREAD #ring timestamp=2026-01-01T00:00:00.000Z")
    client.expect("MARKREAD #ring timestamp=2026-01-02T00:00:00.000Z")
    client.expect("MARKREAD #ring timestamp=2026-01-02T00:00:00.000Z")


def test_search(bouncer, fake):
    client, up = on_channel(bouncer, fake(), client_caps="batch soju.im/search")
    for text in ("a fine day", "100% sure", "fine words"):
        say(up, text)
    client.expect("fine words")
    client.send("SEARCH text=fine;in=#ring")
    client.expect("BATCH \\+.*search")
    assert [Line(line).params[1] for line in client.until("BATCH -")] == ["a fine day", "fine words"]
    client.send("SEARCH text=100%;in=#ring")
    client.expect("BATCH \\+.*search")
    assert [Line(line).params[1] for line in client.until("BATCH -")] == ["100% sure"]
    for asked, refused in (("foo=bar", "foo"), ("text=fine;limit=few", "limit"), ("before=noon", "before")):
        client.send(f"SEARCH {asked}")
        assert client.expect("FAIL SEARCH").params[1:-1] == ["INVALID_PARAMS", refused]


def test_who_knows_no_batches_is_sent_none(bouncer, fake):
    """What it asks for all the same comes line by line, without tags."""
    client, up = on_channel(bouncer, fake())
    say(up, "one fine day")
    client.expect("fine day")
    client.sync()
    begin = client.at
    client.send("CHATHISTORY LATEST #ring * 5")
    client.expect("^:bob!.* PRIVMSG #ring :one fine day$")
    client.send("SEARCH text=fine")
    client.expect("^:bob!.* PRIVMSG #ring :one fine day$")
    client.send("CHATHISTORY TARGETS timestamp=2025-01-01T00:00:00.000Z timestamp=2099-01-01T00:00:00.000Z 9")
    client.expect("^:[^ ]* CHATHISTORY TARGETS #ring ")
    client.send("METADATA #ring SET soju.im/pinned 1", "METADATA #ring LIST", "METADATA #ring GET soju.im/muted",
                "METADATA * SUB soju.im/pinned", "METADATA * SUBS", "METADATA #ring SYNC", "METADATA #ring CLEAR",
                "BOUNCER LISTNETWORKS", "CLIENTCERT LIST")
    client.expect("^:[^ ]* 761 ann #ring soju.im/pinned ")
    client.expect("^:[^ ]* 766 ann #ring soju.im/muted ")
    client.expect("^:[^ ]* 772 ann soju.im/pinned")
    client.expect("^:[^ ]* METADATA #ring soju.im/pinned ")
    client.sync()
    assert not [line for line in client.said[begin:] if " BATCH " in line or line.startswith("@")]


# -- one connection, all networks ------------------------------------------------------------------

def test_a_plain_client_carries_all_networks(bouncer, fake):
    first, second = fake(), fake()
    one = network(bouncer, first, "one")
    one.register(None)
    two = network(bouncer, second, "two")
    two.register(None)
    client = bouncer.client("admin@all")
    client.send("JOIN #a/one,#b/two")
    one.joins("#a", "bob")
    two.joins("#b", "carol")
    client.expect("JOIN #a/one")
    client.expect("366 .*#b/two")
    say(one, "from one", target="#a")
    line = client.expect("from one")
    assert line.source.startswith("bob/one!") and line.params[0] == "#a/one"
    client.send("PRIVMSG #b/two :to two", "PRIVMSG carol/two :privately")
    two.expect("^PRIVMSG #b :to two$")
    two.expect("^PRIVMSG carol :privately$")
    two.send(":carol!c@h PRIVMSG ann :hello")
    line = client.expect(":hello")
    assert line.source.startswith("carol/two!") and line.params[0] == "ann"


def test_names_of_all_networks_are_translated_both_ways(bouncer, fake):
    """Whatever parameter they stand in: a client knows its channels and people by them."""
    server = fake()
    up = network(bouncer, server)
    up.register(None, nick="ann_")
    client = bouncer.client("admin@all")
    client.send("JOIN #ring")
    assert client.expect(" 403 ").params[1:] == ["#ring", "Say #ring/NETWORK"]
    client.send("JOIN #ring/net")
    up.joins("#ring", "eve")
    client.expect(" 366 ann #ring/net ")
    for said, heard in (("KICK #ring/net eve/net :out", "KICK #ring eve :out"),
                        ("MODE #ring/net +vo eve/net ann", "MODE #ring +vo eve ann_"),
                        ("INVITE eve/net #ring/net", "INVITE eve #ring")):
        client.send(said)
        assert up.expect(f"^{said.split()[0]} ").text == heard
    up.send(":fake 341 ann_ eve #ring")
    assert client.expect(" 341 ").text == ":fake 341 ann eve/net #ring/net"
    up.send(":eve!e@h MODE #ring +vo eve ann_", ":eve!e@h KICK #ring bob :out", ":fake 482 ann_ #ring :No")
    assert client.expect(" MODE ").text == ":eve/net!e@h MODE #ring/net +vo eve/net ann"
    assert client.expect(" KICK ").text == ":eve/net!e@h KICK #ring/net bob/net :out"
    assert client.expect(" 482 ").text == ":fake 482 ann #ring/net :No"
    client.send("WHO #ring/net", "NICK anna", "WHOIS eve/net", "MODE #ring/net b")
    up.expect("^MODE #ring b$")
    up.send(":fake 352 ann_ #ring u h fake ann_ H :0 Ann", ":fake 315 ann_ #ring :End",
            ":fake 311 ann_ eve e h * :Eve", ":fake 319 ann_ eve :@#ring", ":fake 318 ann_ eve :End",
            ":fake 367 ann_ #ring *!*@bad eve 1", ":fake 368 ann_ #ring :End", ":fake 401 ann_ carol :No")
    assert client.expect(" NICK ").text == ":ann NICK anna"
    assert [line.text for line in [client.expect(" 352 "), *(Line(text) for text in client.until(" 401 "))]] == [
        ":fake 352 anna #ring/net u h fake anna H :0 Ann", ":fake 315 anna #ring/net :End",
        ":fake 311 anna eve/net e h * :Eve", ":fake 319 anna eve/net :@#ring/net", ":fake 318 anna eve/net :End",
        ":fake 367 anna #ring/net *!*@bad eve/net 1", ":fake 368 anna #ring/net :End"]
    assert client.said[client.at - 1] == ":fake 401 anna carol/net :No"
    say(up, "a fine day")
    client.expect(":a fine day")
    client.send("CHATHISTORY LATEST #ring * 5", "MARKREAD #ring", "MARKREAD #nowhere/net", "CHATHISTORY LATEST #ring/net * 5")
    assert client.expect("FAIL CHATHISTORY").params[1:] == ["INVALID_TARGET", "LATEST", "#ring", "Say NAME/NETWORK"]
    assert client.expect("FAIL MARKREAD").params[1:] == ["INVALID_PARAMS", "#ring", "Say NAME/NETWORK"]
    assert client.expect("MARKREAD ").params == ["#nowhere/net", "*"]
    assert client.expect("fine day").params[0] == "#ring/net"
    client.send("SEARCH in=#other/net;text=fine", "SEARCH in=#ring/net;from=bob/net;text=fine")
    assert client.expect("fine day").params[0] == "#ring/net"


# -- labels and answers ----------------------------------------------------------------------------

def test_who_is_answered_to_who_asked(bouncer, fake):
    client, up = on_channel(bouncer, fake(), client_caps="batch labeled-response")
    other = bouncer.client("admin/net@two")
    other.sync()
    client.send("@label=abc WHO #ring")
    up.expect("^WHO #ring")
    up.send(":fake 352 ann #ring b h fake bob H :0 Bob", ":fake 315 ann #ring :End of WHO")
    begin = client.expect("BATCH \\+.*labeled-response")
    assert begin.tags == {"label": "abc"}
    assert Line(client.until("BATCH -")[0]).verb == "352"
    assert not [line for line in other.sync() if " 352 " in line]
    client.send("@label=def PING x")
    assert client.expect("PONG").tags == {"label": "def"}
    client.send("@label=ghi PRIVMSG BouncerServ :")
    client.expect("label=ghi")


def test_labels_go_through_where_the_server_has_them(bouncer, fake):
    client, up = on_channel(bouncer, fake(), caps="batch labeled-response echo-message message-tags server-time",
                            client_caps="batch labeled-response echo-message message-tags")
    other = bouncer.client("admin/net@two")
    client.send("@label=mine PRIVMSG #ring :hi")
    sent = up.expect("PRIVMSG #ring")
    up.send(f"@label={sent.tags['label']};msgid=xyz :ann!u@h PRIVMSG #ring :hi")
    line = client.expect("PRIVMSG #ring")
    assert line.tags["msgid"] == "xyz" and line.tags["label"] == "mine"
    assert other.expect("PRIVMSG #ring").params[1] == "hi"


def test_what_a_label_answers_is_learned(bouncer, fake):
    """As InspIRCd has it: a labelled JOIN is answered by a batch with all names, and a labelled NICK by who has it then;
    that somebody is away belongs to who he is."""
    caps = "batch labeled-response message-tags"
    up = network(bouncer, fake())
    up.register(caps + " echo-message")
    client = bouncer.client("admin/net@one", caps=caps + " echo-message")
    client.send("@label=mine JOIN #ring")
    label = up.expect("JOIN #ring").tags["label"]
    up.send(f"@label={label} :fake BATCH +1 labeled-response", "@batch=1 :ann!u@h JOIN #ring",
            "@batch=1 :fake 332 ann #ring :fine", "@batch=1 :fake 353 ann = #ring :ann @bob", "@batch=1 :fake 366 ann #ring :End",
            ":fake BATCH -1")
    assert client.expect(" JOIN #ring").tags["label"] == "mine"
    assert client.expect(" 353 ").params[-1] == "ann @bob"
    client.expect(" 366 ")
    other = bouncer.client("admin/net@two")
    lines = [line.split(" ", 1)[1] for line in other.sync() if "#ring" in line]
    assert lines == ["JOIN #ring", "332 ann #ring :fine", "353 ann = #ring :ann @bob", "366 ann #ring :End of /NAMES list"]
    client.send("NICK anna")
    label = up.expect("NICK anna").tags["label"]
    up.send(f"@label={label} :anna!u@h NICK anna", ":bob!b@h MODE #ring +v anna")
    assert client.expect(" NICK ").source == other.expect(" NICK ").source == "ann!u@h"
    client.send("PART")
    assert client.expect(" 461 ").params[0] == "anna"
    client.send("NAMES #ring")
    assert client.expect(" 353 ").params[-1] in ("+anna @bob", "@bob +anna")
    client.send("@label=who WHOIS bob")
    label = up.expect("WHOIS bob").tags["label"]
    up.send(f"@label={label} :fake BATCH +2 labeled-response", "@batch=2 :fake 311 anna bob b h * :Bob",
            "@batch=2 :fake 301 anna bob :gone", "@batch=2 :fake 318 anna bob :End", ":fake BATCH -2")
    client.expect("@label=who .*BATCH")
    assert [Line(line).verb for line in client.until("BATCH -")] == ["311", "301", "318"]


def test_a_silent_server_blocks_nobody(serve, fake):
    bouncer = Bouncer(serve, {"irc.answer_timeout": "300ms"})
    client, up = on_channel(bouncer, fake(), client_caps="batch labeled-response")
    client.send("@label=one WHO #ring")
    up.expect("^WHO")
    client.expect("label=one.*ACK")

    # One that answers in time, which a busy machine may leave it none for.
    def answered(turns=iter(range(1000))):
        label = f"two{next(turns)}"
        client.send(f"@label={label} WHO #other")
        up.expect("^WHO #other")
        up.send(":fake 315 ann #other :End of WHO")
        line = client.expect(f"^@label={label} | 315 ")
        return line.verb == "315" and line.tags == {"label": label}
    await_true(answered, 60, lambda: client.said[-10:])


# -- upstream --------------------------------------------------------------------------------------

@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_sasl_upstream(bouncer, fake, mechanism):
    up = network(bouncer, fake(),
                 options=f"-sasl-mechanism {mechanism} -sasl-username ann -sasl-password secret")
    up.expect("CAP LS")
    up.send(":fake CAP * LS * :batch", ":fake CAP * LS :sasl=PLAIN,SCRAM-SHA-256 server-time")
    up.send(f":fake CAP * ACK :{up.expect('CAP REQ').params[1]}")
    up.expect(f"AUTHENTICATE {mechanism}")
    up.send("AUTHENTICATE +")

    def answer():
        return base64.b64decode(up.expect("AUTHENTICATE").params[0]).decode()

    if mechanism == "PLAIN":
        assert answer() == "\0ann\0secret"
    else:
        scram = Scram("secret")
        up.send("AUTHENTICATE " + base64.b64encode(scram.first(answer()).encode()).decode())
        last = scram.last(answer())
        assert last
        up.send("AUTHENTICATE " + base64.b64encode(last.encode()).decode())
        up.expect("AUTHENTICATE \\+")
    up.send(":fake 900 ann ann!u@h ann :You are logged in", ":fake 903 ann :done")
    up.expect("CAP END")


def test_a_scram_server_that_does_not_know_the_password_is_left(bouncer, fake):
    server = fake()
    up = network(bouncer, server,
                 options="-sasl-mechanism SCRAM-SHA-256 -sasl-username ann -sasl-password secret")
    up.expect("CAP LS")
    up.send(":fake CAP * LS :sasl")
    up.send(f":fake CAP * ACK :{up.expect('CAP REQ').params[1]}")
    up.expect("AUTHENTICATE SCRAM")
    up.send("AUTHENTICATE +")
    up.expect("AUTHENTICATE")
    up.send(":fake 903 ann :welcome, whoever you are")
    up.gone()


@pytest.mark.parametrize("ends", [":fake 903 ann :welcome", "AUTHENTICATE +", ":fake 904 ann :no", ""],
                         ids=["let in", "more", "refused", "gone"])
def test_a_scram_server_that_does_not_wait_for_the_proof(bouncer, fake, ends):
    """The most rounds that are done for a server, on another thread than all the others' lines."""
    server = fake()
    up = network(bouncer, server,
                 options="-sasl-mechanism SCRAM-SHA-256 -sasl-username ann -sasl-password secret")
    up.expect("CAP LS")
    up.send(":fake CAP * LS :sasl")
    up.send(f":fake CAP * ACK :{up.expect('CAP REQ').params[1]}")
    up.expect("AUTHENTICATE SCRAM")
    up.send("AUTHENTICATE +")
    first = base64.b64decode(up.expect("AUTHENTICATE").params[0]).decode()
    challenge = Scram("secret", iterations=200000).first(first)
    up.send("AUTHENTICATE " + base64.b64encode(challenge.encode()).decode(), *filter(None, [ends]))
    if ends:
        up.gone()
    else:
        up.close()
    server.accept().expect("^CAP LS")
    bouncer.client("admin").sync()


def test_a_refused_login_says_why_and_tries_again(bouncer, fake):
    server = fake()
    up = network(bouncer, server, options="-sasl-mechanism PLAIN -sasl-username ann -sasl-password wrong")
    up.expect("CAP LS")
    up.send(":fake CAP * LS :sasl")
    up.send(f":fake CAP * ACK :{up.expect('CAP REQ').params[1]}")
    up.expect("AUTHENTICATE PLAIN")
    up.send("AUTHENTICATE +")
    up.expect("AUTHENTICATE")
    up.send(":fake 904 ann :SASL authentication failed")
    up.gone()
    client = bouncer.client("admin/net")
    assert any("the login was refused" in line for line in client.service("network status"))
    server.accept().expect("CAP LS")


def test_pong_is_never_delayed(serve, fake):
    bouncer = Bouncer(serve, {"irc.burst": "8", "irc.interval": "1m"})
    client, up = on_channel(bouncer, fake())
    client.send(*(f"PRIVMSG #ring :paste {i}" for i in range(120)))
    up.expect("paste 1")
    up.sync()
    # The pastes take two hours.
    assert not any("paste 30" in line for line in up.said)


def test_nick_in_use_and_regained(bouncer, fake):
    up = network(bouncer, fake())
    up.expect("CAP LS")
    up.expect("NICK ann")
    up.send(":fake CAP * LS :", ":fake 433 * ann :Nickname is already in use")
    up.expect("NICK ann_")
    up.nick = "ann_"
    up.welcome("CASEMAPPING=ascii CHANTYPES=# PREFIX=(ov)@+ MONITOR=100")
    up.expect("MONITOR \\+ ann$")
    up.send(":fake 731 ann_ :ann")
    up.expect("NICK ann$")
    up.send(":ann_!u@h NICK ann")
    up.sync()
    client = bouncer.client("admin/net")
    assert "nick ann," in client.service("network status")[0]


def test_reconnects_and_joins_again(bouncer, fake):
    server = fake()
    client, up = on_channel(bouncer, server)
    up.send("ERROR :Closing link: server restarts")
    up.socket.shutdown(socket.SHUT_WR)
    notice = client.expect("NOTICE .*is gone")
    assert "server restarts" in notice.text
    up = server.accept()
    up.register(None)
    up.joins("#ring", "bob")
    client.expect("NOTICE .*is connected")
    say(up, "again")
    client.expect("again")


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("speaks", [False, True], ids=["silent", "speaking"])
def test_what_a_server_said_before_it_hung_up_is_heard(bouncer, fake, tmp_path, secured, speaks):
    """Also where the connection is reset, as by one that did not read all of ours, and we come late to read; also where
    we notice by not being able to say something."""
    pair = certificate(tmp_path, "upstream") if secured else None
    client, up = on_channel(bouncer, fake(secure(pair) if pair else None),
                            options=f"-certfp {fingerprint(pair[0])}" if pair else "")
    pid = serving(bouncer.server.process.popen.pid)
    os.kill(pid, signal.SIGSTOP)
    if speaks:
        client.send("PRIVMSG #ring :is anybody there?")
    up.send(":bob!b@h PRIVMSG #ring :the last word", "ERROR :Closing link: no clones here")
    reset(up.socket)
    os.kill(pid, signal.SIGCONT)
    assert "no clones here" in client.expect("NOTICE .*is gone").text
    assert any(line.endswith(":the last word") for line in client.said)


def test_who_hangs_up_is_heard_for_longer_than_a_turn(serve, fake):
    """Each of the server's lines has a thousand others as a consequence."""
    bouncer = Bouncer(serve, {"irc.turn": "1ms", "irc.channels": "2000"})
    client, up = on_channel(bouncer, fake())
    up.send(*(f":ann!u@h JOIN #c{i}" for i in range(1000)))
    up.sync()
    pid = serving(bouncer.server.process.popen.pid)
    os.kill(pid, signal.SIGSTOP)
    up.send(*(f":ann{i or ''}!u@h NICK ann{i + 1}" for i in range(60)))
    up.send(":bob!b@h PRIVMSG #ring :the last word", "ERROR :Closing link: no clones here")
    reset(up.socket)
    os.kill(pid, signal.SIGCONT)
    assert "no clones here" in client.expect("NOTICE .*is gone").text
    assert any(line.endswith(":the last word") for line in client.said)


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("speaks", [False, True], ids=["silent", "speaking"])
def test_what_a_client_said_before_it_hung_up_is_heard(serve, fake, tmp_path, secured, speaks):
    """Also where its connection is reset, and we come late to read; where we notice by not being able to say something; and
    where it takes longer than a turn."""
    pair = certificate(tmp_path, "station")
    bouncer = Bouncer(serve, {"tls.certificate": pair[0], "tls.key": pair[1], "irc.turn": "1ms"})
    stays, up = on_channel(bouncer, fake())
    client = bouncer.client("admin/net@two", context=ssl.create_default_context(cafile=pair[0]) if secured else None)
    client.sync()
    pid = serving(bouncer.server.process.popen.pid)
    os.kill(pid, signal.SIGSTOP)
    if speaks:
        say(up, "is anybody there?")
    client.send(*["PRIVMSG BouncerServ :help"] * 200, "PRIVMSG #ring :the last word")
    reset(client.socket)
    os.kill(pid, signal.SIGCONT)
    up.expect("^PRIVMSG #ring :the last word")
    await_true(lambda: " 1 clients" in stays.service("user status")[0], 60)


def test_connect_commands_come_before_channels(bouncer, fake):
    server = fake()
    client, up = on_channel(bouncer, server, options="-connect-command 'PRIVMSG Q :auth x'")
    assert "PRIVMSG Q :auth x" in up.said
    up.close()
    up = server.accept()
    up.register(None)
    up.expect("PRIVMSG Q :auth x")
    up.expect("JOIN #ring")


def test_quit_is_said_at_the_end(serve, fake):
    bouncer = Bouncer(serve, {"irc.quit_message": "so long"})
    client, up = on_channel(bouncer, fake())
    bouncer.server.stop()
    up.expect("^QUIT :so long")


def secure(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_tls_upstream_pinned(bouncer, fake, tmp_path, newest):
    pair = certificate(tmp_path, "upstream")
    context = secure(pair)
    context.maximum_version = newest
    client, up = on_channel(bouncer, fake(context), options=f"-certfp {fingerprint(pair[0])}")
    say(up, "over TLS")
    client.expect("over TLS")
    client.send("PRIVMSG #ring :back")
    up.expect("PRIVMSG #ring :back")


def test_tls_upstream_by_authority(serve, fake, tmp_path):
    pair = certificate(tmp_path, "upstream")
    bouncer = Bouncer(serve, {"outgoing.ca_file": pair[0]})
    client, up = on_channel(bouncer, fake(secure(pair)))
    say(up, "signed")
    client.expect("signed")


@pytest.mark.parametrize("options", ["", "-certfp " + "ab" * 32], ids=["authority", "pin"])
def test_an_unknown_certificate_is_refused(bouncer, fake, tmp_path, options):
    server = fake(secure(certificate(tmp_path, "stranger")))
    client = bouncer.client("admin@setup")
    client.service(f"network create -addr {server.address()} -name net {options}")
    try:
        up = server.accept()
    except (ssl.SSLError, ConnectionError):
        pass  # that it is not believed may be said before the handshake is over
    else:
        up.gone()
        assert not up.said
    await_true(lambda: any("certificate" in line for line in client.service("network status")), 5)


def test_sts_is_obeyed(serve, fake, tmp_path):
    pair = certificate(tmp_path, "upstream")
    bouncer = Bouncer(serve, {"outgoing.ca_file": pair[0]})
    safe, plain = fake(secure(pair)), fake()
    up = network(bouncer, plain)
    up.expect("CAP LS")
    up.send(f":fake CAP * LS :sts=port={safe.port},duration=3600")
    up.gone()
    up = safe.accept()
    up.register(f"sts=duration=3600,port={safe.port} server-time")


def test_internal_addresses_are_for_administrators(serve, fake):
    """Another user may not have the server call what only it can reach."""
    bouncer = Bouncer(serve)
    made = bouncer.server.get("/api/v1/users", auth=("admin", ADMIN_PASSWORD), method="POST",
                              headers={"Content-Type": "application/json"},
                              body='{"name": "eve", "password": "a long enough one", "rank": "dj"}')
    assert made.status == 201, made.text
    server = fake()
    client = bouncer.client("eve", password="a long enough one", nick="eve")
    client.service(f"network create -addr {server.address()} -name net")
    await_true(lambda: any("may not be called" in line for line in client.service("network status")), 10)


# -- people come and go ----------------------------------------------------------------------------

def test_state_of_channels_is_told_to_late_clients(bouncer, fake):
    client, up = on_channel(bouncer, fake())
    up.send(":fake 332 ann #ring :the topic", ":bob!b@h MODE #ring +o ann", ":carol!c@h JOIN #ring",
            ":bob!b@h NICK bobby", ":bobby!b@h TOPIC #ring :a new topic", ":carol!c@h QUIT :bye", "PING end")
    up.expect("PONG :end")
    late = bouncer.client("admin/net@late")
    assert late.expect(" 332 ").params[-1] == "a new topic"
    assert sorted(late.expect(" 353 ").params[-1].split()) == ["@ann", "bobby"]


def test_detached_channels(bouncer, fake):
    client, up = on_channel(bouncer, fake())
    client.send("PART #ring :detach")
    client.expect("PART #ring")
    say(up, "nothing much")
    say(up, "ann: look here")
    assert "ann: look here" in client.expect("NOTICE .*highlight in #ring").text
    assert not any("PRIVMSG #ring" in line for line in client.sync())
    client.send("JOIN #ring")
    client.expect("JOIN #ring")
    client.expect("nothing much")
    client.expect("ann: look here")
    up.sync()
    assert up.said.count("JOIN #ring") == 1 and not any(line.startswith("PART") for line in up.said)


def test_away_while_nobody_is_there(bouncer, fake):
    client, up = on_channel(bouncer, fake())
    client.send("AWAY :gone for lunch")
    up.expect("^AWAY :gone for lunch")
    client.send("AWAY")
    up.expect("^AWAY$")
    client.close()
    up.expect("^AWAY :Auto away")


def test_multiline_is_cut_for_servers_without(bouncer, fake):
    client, up = on_channel(bouncer, fake(), client_caps="batch draft/multiline message-tags")
    client.send("BATCH +1 draft/multiline #ring", "@batch=1 PRIVMSG #ring :first",
                "@batch=1 PRIVMSG #ring :second ", "@batch=1;draft/multiline-concat PRIVMSG #ring :half",
                "BATCH -1")
    up.expect("PRIVMSG #ring :first$")
    up.expect("PRIVMSG #ring :second half$")


def test_long_lines_are_split(bouncer, fake):
    client, up = on_channel(bouncer, fake())
    client.send("PRIVMSG #ring :" + "word " * 300)
    first = up.expect("PRIVMSG #ring")
    assert len(":ann!u@h " + first.text) <= 510 and up.expect("PRIVMSG #ring")


def test_bouncer_networks(bouncer, fake):
    up = network(bouncer, fake())
    up.register(None)
    client = bouncer.client("admin", caps="batch soju.im/bouncer-networks soju.im/bouncer-networks-notify")
    client.send("BOUNCER LISTNETWORKS")
    line = client.expect("BOUNCER NETWORK")
    assert "name=net" in line.params[2] and "state=connected" in line.params[2]
    netid = line.params[1]
    client.send("BOUNCER ADDNETWORK name=other;host=127.0.0.1;port=1;tls=0")
    other = client.expect("BOUNCER ADDNETWORK").params[1]
    client.expect(f"BOUNCER NETWORK {other} .*error=")
    client.send(f"BOUNCER DELNETWORK {other}")
    client.expect(f"BOUNCER NETWORK {other} \\*")
    bound = bouncer.client(None)
    bound.send("CAP LS 302", "CAP REQ :sasl soju.im/bouncer-networks", "NICK x", "USER x 0 * :x",
               "AUTHENTICATE PLAIN",
               "AUTHENTICATE " + base64.b64encode(f"\0admin\0{ADMIN_PASSWORD}".encode()).decode())
    bound.expect(" 903 ")
    bound.send(f"BOUNCER BIND {netid}", "CAP END")
    assert "BOUNCER_NETID=" + netid in bound.expect(" 005 ").text


# -- Debian's servers ------------------------------------------------------------------------------

class Named:
    def __init__(self, address):
        self.said = address

    def address(self):
        return self.said


def live_network(bouncer, address, options=""):
    client = bouncer.client("admin@setup")
    client.service(f"network create -addr {address} -name net -nick ann {options}")
    await_true(lambda: any("[up]" in line for line in client.service("network status")), 15,
               lambda: client.said[-10:])
    client.close()


def live_talk(bouncer, port, caps=""):
    client = bouncer.client("admin/net@one", caps=caps)
    client.send("JOIN #ring")
    client.expect("366")
    bob = Person(port)
    bob.send("JOIN #ring")
    client.expect("bob.* JOIN")
    bob.say("#ring", "hello ann")
    client.expect("hello ann")
    client.send("PRIVMSG #ring :hello bob")
    bob.expect("hello bob")
    client.close()
    bob.say("#ring", "missed 1", "missed 2")
    bob.sync()
    client = bouncer.client("admin/net@one", caps=caps)
    client.expect("missed 1")
    client.expect("missed 2")
    assert not any("hello ann" in line for line in client.said)
    client.send("WHOIS bob")
    client.expect(" 311 ")
    client.expect(" 318 ")
    return client, bob


def test_ngircd(bouncer, crew, tmp_path):
    if not os.path.exists("/usr/sbin/ngircd"):
        pytest.skip("ngircd is not installed")
    port = start_ngircd(crew, tmp_path)
    live_network(bouncer, f"irc+insecure://127.0.0.1:{port}")
    live_talk(bouncer, port)


def test_inspircd(bouncer, crew, tmp_path):
    if not os.path.exists("/usr/sbin/inspircd"):
        pytest.skip("inspircd is not installed")
    pair = certificate(tmp_path, "insp")
    port, tls_port = start_inspircd(crew, tmp_path, pair)
    live_network(bouncer, f"ircs://127.0.0.1:{tls_port}", f"-certfp {fingerprint(pair[0])}")
    caps = "batch echo-message labeled-response message-tags server-time"
    client, bob = live_talk(bouncer, port, caps)
    client.send("@label=x1 PRIVMSG #ring :labelled")
    line = client.expect("labelled")
    assert line.tags["label"] == "x1" and "msgid" in line.tags
    client.send("@label=x2 WHOIS bob")
    assert client.expect("BATCH").tags["label"] == "x2"
