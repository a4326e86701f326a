"""The IRC bouncer against a server that the test plays, and Debian's: what users rely on."""
import base64
import os
import re
import shutil
import signal
import socket
import ssl
import time

import pytest

from irc import (Client, Fake, FakeServer, Line, Person, Scram, Wire, certificate, fingerprint,
                 start_inspircd, start_ngircd)
from stage import ADMIN_PASSWORD, Crew, Server, await_true, free_ports, need

QUICK = {"irc.reconnect_first": "50ms", "irc.reconnect_most": "200ms", "workers": "2",
         "radio.shoutcast_port": "no"}


class Bouncer:
    def __init__(self, serve, settings=None):
        self.irc = free_ports()
        self.server = serve({"irc.listen": f"127.0.0.1:{self.irc}", **QUICK, **(settings or {})})

    def client(self, login="admin", **options):
        return Client(self.irc, login, **options)


@pytest.fixture
def bouncer(serve):
    return Bouncer(serve)


@pytest.fixture
def fake():
    servers = []

    def make(context=None):
        servers.append(FakeServer(context))
        return servers[-1]
    yield make
    for server in servers:
        server.close()


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
    up.send("PING done")
    up.expect("PONG :done")
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
        up.send("PING done")
        up.expect("PONG :done")
        client = bouncer.client("admin/net@one")
        client.expect(f":m{i}$")
        assert [line for line in client.said if " PRIVMSG #ring " in line] == [f":bob!b@h PRIVMSG #ring :m{i}"]


def test_places_and_lines_survive_kill_9(bouncer, fake, tmp_path):
    server = fake()
    client, up = on_channel(bouncer, server, login="admin/net@one")
    for i in range(5):
        say(up, f"m{i}")
    client.expect("m4")
    client.close()
    say(up, "m5")
    time.sleep(1.2)  # what was said a second ago is safe
    kill_server(bouncer)
    up = server.accept(30)
    up.register(None)
    up.joins("#ring", "bob")
    say(up, "m6")
    up.send("PING done")
    up.expect("PONG :done")
    client = Client(bouncer.irc, "admin/net@one")
    client.expect("m6")
    got = [Line(line).params[1] for line in client.said if " PRIVMSG #ring " in line]
    assert got == ["m5", "m6"]
    assert not any(" PRIVMSG #ring " in line for line in client.sync())


def kill_server(bouncer):
    """The server alone dies: its keeper starts another."""
    log = bouncer.server.log()
    starts = log.count(" info core ready")
    children = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and
                is_server(int(pid), bouncer.server.port)]
    newest = max(children)
    os.kill(newest, signal.SIGKILL)
    await_true(lambda: bouncer.server.log().count(" info core ready") > starts, 20, bouncer.server.log)


def is_server(pid, port):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            line = f.read()
    except OSError:
        return False
    return f"http.listen=127.0.0.1:{port}".encode() in line and b"setpriv" not in line


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
    client.send("CHATHISTORY LATEST #nowhere * 3")
    client.expect("FAIL CHATHISTORY INVALID_TARGET")
    client.send("CHATHISTORY BEFORE #ring nonsense 3")
    client.expect("FAIL CHATHISTORY INVALID_PARAMS")
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


def test_a_silent_server_blocks_nobody(serve, fake):
    bouncer = Bouncer(serve, {"irc.answer_timeout": "300ms"})
    client, up = on_channel(bouncer, fake(), client_caps="batch labeled-response")
    client.send("@label=one WHO #ring")
    up.expect("^WHO")
    client.expect("label=one.*ACK")
    client.send("@label=two WHO #other")
    up.expect("^WHO #other")
    up.send(":fake 315 ann #other :End of WHO")
    assert client.expect("315").tags == {"label": "two"}


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
    bouncer = Bouncer(serve, {"irc.burst": "2", "irc.interval": "1s"})
    client, up = on_channel(bouncer, fake())
    client.send(*(f"PRIVMSG #ring :paste {i}" for i in range(120)))
    up.expect("paste 1")
    began = time.monotonic()
    up.send("PING now")
    up.expect("^PONG :now")
    assert time.monotonic() - began < 2 and not any("paste 30" in line for line in up.said)


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


def test_connect_commands_come_before_channels(bouncer, fake):
    server = fake()
    client, up = on_channel(bouncer, server, options="-connect-command 'PRIVMSG Q :auth x'")
    assert "PRIVMSG Q :auth x" in up.said
    up.close()
    up = server.accept()
    up.register(None)
    up.expect("PRIVMSG Q :auth x")
    up.expect("JOIN #ring", 15)


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
    with pytest.raises((ssl.SSLError, ConnectionError, pytest.fail.Exception)):
        server.accept().expect("CAP LS", 3)
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
    up.read()
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
