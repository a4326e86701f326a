"""How the bouncer comes to a network, and what it asks it for: proxies, addresses, certificates, gaps."""
import contextlib
import ipaddress
import os
import re
import time

import pytest

from irc import Fake, FakeUnixServer, Line, certificate, fingerprint, start_inspircd
from stage import ADMIN_PASSWORD, PATIENCE, await_true
from test_irc import Bouncer, network, on_channel, say


@pytest.fixture
def bouncer(serve):
    return Bouncer(serve)


# -- the way there ---------------------------------------------------------------------------------

def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        assert piece, data
        data += piece
    return data


def socks(server, user=None, answer=0):
    """The proxy's side of SOCKS5; the connection, and where it was to lead."""
    server.listener.settimeout(PATIENCE)
    connection, _ = server.listener.accept()
    server.connections.append(connection)
    connection.settimeout(PATIENCE)
    version, count = read_exactly(connection, 2)
    methods = read_exactly(connection, count)
    assert version == 5 and methods == (b"\2" if user else b"\0")
    connection.sendall(b"\5" + methods)
    if user:
        assert read_exactly(connection, 2) == bytes([1, len(user[0])])
        assert read_exactly(connection, len(user[0])).decode() == user[0]
        assert read_exactly(connection, read_exactly(connection, 1)[0]).decode() == user[1]
        connection.sendall(b"\1\0")
    assert read_exactly(connection, 4) == b"\5\1\0\3"
    name = read_exactly(connection, read_exactly(connection, 1)[0]).decode()
    port = int.from_bytes(read_exactly(connection, 2), "big")
    connection.sendall(bytes([5, answer]) + b"\0\1\0\0\0\0\0\0")
    return connection, (name, port)


@pytest.mark.parametrize("user", [None, ("ann", "secret")], ids=["open", "with a password"])
def test_socks(bouncer, fake, user):
    """The name goes to the proxy as it is: nothing is looked up here."""
    proxy = fake()
    login = f"{user[0]}:{user[1]}@" if user else ""
    client = bouncer.client("admin@setup")
    client.service("network create -addr irc+insecure://nowhere.invalid:7000 -name net -nick ann "
                   f"-proxy socks5://{login}127.0.0.1:{proxy.port}")
    connection, where = socks(proxy, user)
    assert where == ("nowhere.invalid", 7000)
    up = Fake(connection)
    up.register(None)
    client.expect("net is connected")
    client.send("PRIVMSG bob/net :through it")
    up.expect("PRIVMSG bob :through it")


def test_socks_that_refuses(bouncer, fake):
    proxy = fake()
    client = bouncer.client("admin@setup")
    client.service(f"network create -addr irc+insecure://nowhere.invalid:7000 -name net -nick ann "
                   f"-proxy socks5://127.0.0.1:{proxy.port}")
    socks(proxy, answer=5)
    await_true(lambda: any("the proxy cannot reach" in line for line in client.service("network status")), 10)


def test_source_address(bouncer, fake):
    server = fake()
    client = bouncer.client("admin@setup")
    client.service(f"network create -addr {server.address()} -name net -nick ann -bind 127.0.0.2")
    up = server.accept()
    assert up.socket.getpeername()[0] == "127.0.0.2"
    client.service("network update net -bind 203.0.113.9")
    await_true(lambda: any("assign requested address" in line for line in client.service("network status")), 10,
               lambda: client.service("network status"))


def test_each_user_has_an_address_of_his_own(serve, fake):
    server, other = fake(), fake()
    bouncer = Bouncer(serve, {"irc.addresses": "2001:db8::/64 127.64.0.0/10"})
    client = bouncer.client("admin@setup")
    client.send("PRIVMSG BouncerServ :user create -username eve -password secretsecret -admin true")
    client.expect("eve")
    said = []
    for login, password in (("admin@setup", ADMIN_PASSWORD), ("eve", "secretsecret")):
        for to, name in ((server, "a"), (other, "b")):
            with contextlib.closing(bouncer.client(login, password=password)) as client:
                client.service(f"network create -addr {to.address()} -name {name} -nick ann")
            said.append(to.accept().socket.getpeername()[0])
    assert said[0] == said[1] != said[2] == said[3]
    assert all(ipaddress.ip_address(address) in ipaddress.ip_network("127.64.0.0/10") for address in said)


def test_sasl_external(bouncer, fake):
    up = network(bouncer, fake(), options="-sasl-mechanism EXTERNAL")
    up.expect("CAP LS")
    up.send(":fake CAP * LS :sasl=EXTERNAL")
    up.send(f":fake CAP * ACK :{up.expect('CAP REQ').params[1]}")
    up.expect("AUTHENTICATE EXTERNAL")
    up.send("AUTHENTICATE +")
    up.expect("AUTHENTICATE \\+")
    up.send(":fake 903 ann :done")
    up.expect("CAP END")


def test_certificate_of_ours(bouncer, crew, tmp_path):
    """What certfp generate made is shown to the server, and is the one that it says."""
    if not os.path.exists("/usr/sbin/inspircd"):
        pytest.skip("inspircd is not installed")
    pair = certificate(tmp_path, "insp")
    port, tls_port = start_inspircd(crew, tmp_path, pair)
    client = bouncer.client("admin@setup")
    client.service(f"network create -addr ircs://127.0.0.1:{tls_port} -name net -nick ann -enabled false "
                   f"-certfp {fingerprint(pair[0])}")
    client = bouncer.client("admin/net@one")
    said = client.service("certfp generate -key-type ecdsa -network net")
    await_true(lambda: any("fingerprint" in line.lower() or re.search("[0-9a-f]{64}", line)
                           for line in said + client.service("certfp fingerprint -network net")), 20)
    wanted = {m for line in client.service("certfp fingerprint -network net")
              for m in re.findall(r"\b[0-9a-f]{40,128}\b", line.replace(":", ""))}
    client.service("network update net -enabled true -sasl-mechanism ''")
    client.expect("is connected")
    client.send("WHOIS ann")
    line = client.expect(" 276 ")
    assert line.params[-1].rsplit(" ", 1)[1] in wanted


# -- gaps ------------------------------------------------------------------------------------------

CAPS = "batch server-time message-tags draft/chathistory draft/event-playback"
ISUPPORT = "CASEMAPPING=ascii CHANTYPES=# PREFIX=(ov)@+ CHATHISTORY=3 MSGREFTYPES=msgid,timestamp"


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))


def page(up, ref, lines, target="#ring"):
    up.send(f":fake BATCH +{ref} chathistory {target}",
            *(f"@batch={ref};time={stamp(at)};msgid={name} :bob!b@h PRIVMSG {target} :{text}" for at, name, text in lines),
            f":fake BATCH -{ref}")


def test_a_gap_is_filled(bouncer, fake):
    server = fake()
    up = network(bouncer, server)
    up.register(CAPS)
    client = bouncer.client("admin/net@one", caps="server-time message-tags")
    client.send("JOIN #ring")
    up.joins("#ring", "bob")
    client.expect("366")
    now = int(time.time()) - 60
    for i in range(3):
        say(up, f"m{i}", tags=f"@time={stamp(now + i)};msgid=id{i} ")
    client.expect(":m2$")
    plain = bouncer.client("admin/net@plain")
    plain.expect(":m2$")
    up.close()
    up = server.accept()
    up.register(CAPS, isupport=ISUPPORT)
    up.expect("CHATHISTORY TARGETS")
    up.joins("#ring", "bob")
    asked = up.expect("CHATHISTORY AFTER #ring timestamp=")
    # From a little before the last line that we have, at most as many as the server gives.
    assert asked.params[2] <= f"timestamp={stamp(now + 2)}" and asked.params[3] == "3"
    # What is said meanwhile waits; the server's history has it too.
    say(up, "m7", tags=f"@time={stamp(now + 7)};msgid=id7 ")
    page(up, "a", [(now + 1, "id1", "m1"), (now + 2, "id2", "m2"), (now + 3, "id3", "m3")])
    asked = up.expect("CHATHISTORY AFTER #ring timestamp=")
    assert asked.params[2] == f"timestamp={stamp(now + 3)}"
    page(up, "b", [(now + 4, "id4", "m4"), (now + 4, "id5", "m5"), (now + 6, "id6", "m6")])
    up.expect("CHATHISTORY AFTER #ring timestamp=")
    page(up, "c", [(now + 7, "id7", "m7")])
    say(up, "m8", tags=f"@time={stamp(now + 8)};msgid=id8 ")
    for reader in (client, plain):
        reader.expect(":m8$")
        said = [m[1] for m in (re.search(r"PRIVMSG #ring :(m\d)$", line) for line in reader.said) if m]
        assert said == [f"m{i}" for i in range(9)]
    line = next(line for line in client.said if line.endswith(":m3"))
    assert Line(line).tags["msgid"] == "id3" and Line(line).tags["time"] == stamp(now + 3)
    late = bouncer.client("admin/net@late", caps="batch server-time message-tags draft/chathistory")
    late.send("CHATHISTORY LATEST #ring * 20")
    late.expect("BATCH \\+")
    assert [Line(text).params[1] for text in late.until("BATCH -")] == [f"m{i}" for i in range(9)]


def test_a_conversation_that_went_on(bouncer, fake):
    server = fake()
    up = network(bouncer, server)
    up.register(CAPS)
    client = bouncer.client("admin/net@one")
    up.send(":carol!c@h PRIVMSG ann :before")
    client.expect("before")
    up.close()
    up = server.accept()
    up.register(CAPS, isupport=ISUPPORT)
    up.expect("CHATHISTORY TARGETS")
    at = int(time.time())
    up.send(":fake BATCH +t draft/chathistory-targets", f"@batch=t :fake CHATHISTORY TARGETS carol {stamp(at)}",
            f"@batch=t :fake CHATHISTORY TARGETS dave {stamp(at)}", ":fake BATCH -t")
    for _ in range(2):
        who = up.expect("CHATHISTORY AFTER").params[1]
        up.send(f":fake BATCH +{who} chathistory {who}",
                f"@batch={who};time={stamp(at)};msgid={who} :{who}!x@h PRIVMSG ann :from {who}", f":fake BATCH -{who}")
    client.expect("from carol|from dave")
    client.expect("from carol|from dave")


def test_a_server_that_never_tells_its_history(serve, fake):
    """What was said meanwhile comes all the same, after a while."""
    bouncer = Bouncer(serve, {"irc.answer_timeout": "500ms"})
    server = fake()
    client, up = on_channel(bouncer, server, caps=CAPS)
    say(up, "m0")
    client.expect("m0")
    up.close()
    up = server.accept()
    up.register(CAPS, isupport=ISUPPORT)
    up.joins("#ring", "bob")
    up.expect("CHATHISTORY AFTER #ring")
    say(up, "m1")
    client.expect(":m1$")
    up.send(":fake BATCH +late chathistory #ring", "@batch=late :bob!b@h PRIVMSG #ring :m0", ":fake BATCH -late")
    say(up, "m2")
    client.expect(":m2$")


def test_a_server_that_refuses_its_history(bouncer, fake):
    server = fake()
    client, up = on_channel(bouncer, server, caps=CAPS)
    say(up, "m0")
    client.expect("m0")
    up.close()
    up = server.accept()
    up.register(CAPS, isupport=ISUPPORT)
    up.joins("#ring", "bob")
    up.expect("CHATHISTORY AFTER #ring")
    say(up, "m1")
    up.send(":fake FAIL CHATHISTORY INVALID_TARGET AFTER #ring :No history here")
    client.expect(":m1$")


def test_a_socket_of_this_machine(bouncer, tmp_path):
    """Lines both ways, again after it was lost; an administrator's only."""
    server = FakeUnixServer(tmp_path / "ircd")
    try:
        client, up = on_channel(bouncer, server)
        say(up, "by a socket")
        client.expect("by a socket")
        client.send("PRIVMSG #ring :and back")
        up.expect("PRIVMSG #ring :and back")
        up.close()
        up = server.accept()
        up.register(None)
        up.joins("#ring")
        # A password is made elsewhere, and its answer waits for it.
        client.send("PRIVMSG BouncerServ :user create -username eve -password 'a long enough one'")
        client.expect("eve was created")
        eve = bouncer.client("eve", password="a long enough one", nick="eve")
        eve.service(f"network create -name net -addr {server.address()}")
        await_true(lambda: any("for administrators" in line for line in eve.service("network status")), 10)
        for path in ("relative", "/" + "x" * 107):
            assert any("no address" in line for line in eve.service(f"network create -name bad -addr irc+unix://{path}"))
        # What is said of a network by bouncer-networks leaves its address as it is.
        other = bouncer.client("admin", caps="batch soju.im/bouncer-networks")
        other.send("BOUNCER LISTNETWORKS")
        netid = other.expect("BOUNCER NETWORK").params[1]
        other.send(f"BOUNCER CHANGENETWORK {netid} realname=Ann\\sB")
        other.expect("BOUNCER CHANGENETWORK")
        up = server.accept()
        up.register(None)
        assert up.user.params[-1] == "Ann B"
    finally:
        server.close()
