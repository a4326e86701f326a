"""How clients come in: by socket, by proxy, by certificate, by SCRAM, and with a name of many parts."""
import base64
import hashlib
import hmac
import os
import re
import socket
import ssl
import struct

import pytest

from irc import PATIENCE, FakeServer, Wire, certificate
from irc_service import Bouncer as Ordered
from stage import ADMIN_PASSWORD, await_true, free_ports
from test_irc import Bouncer, on_channel, say


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


# -- SCRAM -----------------------------------------------------------------------------------------

def scram(client, user, password):
    """The client's side; the server's last word, or the number that refused it."""
    nonce = os.urandom(9).hex()
    bare = f"n={user},r={nonce}"
    client.send("AUTHENTICATE SCRAM-SHA-256")
    client.expect("AUTHENTICATE \\+")
    client.send("AUTHENTICATE " + b64("n,," + bare))
    line = client.expect("^AUTHENTICATE| 904 ")
    if line.verb == "904":
        return line
    first = base64.b64decode(line.params[0]).decode()
    fields = dict(part.split("=", 1) for part in first.split(","))
    assert fields["r"].startswith(nonce)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    without = f"c=biws,r={fields['r']}"
    message = f"{bare},{first},{without}".encode()

    def mac(key, data):
        return hmac.new(key, data, hashlib.sha256).digest()
    key = mac(salted, b"Client Key")
    signature = mac(hashlib.sha256(key).digest(), message)
    proof = bytes(a ^ b for a, b in zip(key, signature))
    client.send("AUTHENTICATE " + b64(f"{without},p={b64(proof)}"))
    line = client.expect("^AUTHENTICATE| 904 ")
    if line.verb == "904":
        return line
    assert base64.b64decode(line.params[0]).decode() == "v=" + b64(mac(mac(salted, b"Server Key"), message))
    client.send("AUTHENTICATE +")
    return client.expect(" 90[34] ")


def test_scram(serve):
    bouncer = Bouncer(serve, {"irc.scram": "yes", "auth.attempts": "100"})
    made = bouncer.server.get("/api/v1/users", auth=("admin", ADMIN_PASSWORD), method="POST",
                              headers={"Content-Type": "application/json"},
                              body='{"name": "eve", "password": "a long enough one", "rank": "dj"}')
    assert made.status == 201, made.text
    client = bouncer.client(None)
    client.send("CAP LS 302", "NICK eve", "USER eve 0 * :Eve", "CAP REQ :sasl")
    assert "sasl=PLAIN,SCRAM-SHA-256" in client.expect("CAP \\* LS ").text
    client.expect("ACK")
    # Nothing is known of a password that was never said; and an unknown name looks the same.
    assert scram(client, "eve", "a long enough one").verb == "904"
    assert scram(client, "nobody", "a long enough one").verb == "904"
    bouncer.client("eve", password="a long enough one", nick="eve").close()
    assert scram(client, "eve", "a wrong one").verb == "904"
    assert scram(client, "eve/*@phone", "a long enough one").verb == "903"
    client.send("CAP END")
    client.expect(" 001 ")
    # Another password since: the old one does not open by this door either.
    made = bouncer.server.get("/api/v1/users/eve", auth=("admin", ADMIN_PASSWORD), method="PUT",
                              headers={"Content-Type": "application/json"}, body='{"password": "yet another long one"}')
    assert made.status in (200, 204), made.text
    other = bouncer.client(None)
    other.send("CAP REQ :sasl")
    for password in ("a long enough one", "yet another long one"):
        assert scram(other, "eve", password).verb == "904"
    bouncer.client("eve", password="yet another long one", nick="eve").close()
    assert scram(other, "eve", "yet another long one").verb == "903"


def test_more_users_than_may_be(serve):
    bouncer = Bouncer(serve, {"auth.users": "1"})
    for name, status in (("eve", 201), ("bob", 507)):
        made = bouncer.server.get("/api/v1/users", auth=("admin", ADMIN_PASSWORD), method="POST",
                                  headers={"Content-Type": "application/json"},
                                  body=f'{{"name": "{name}", "password": "a long enough one", "rank": "dj"}}')
        assert made.status == status, made.text


def test_scram_is_not_offered_unasked(serve):
    bouncer = Bouncer(serve)
    client = bouncer.client(None)
    client.send("CAP LS 302", "CAP REQ :sasl", "AUTHENTICATE SCRAM-SHA-256")
    assert client.expect(" 908 ").params[1] == "PLAIN"


# -- certificates ----------------------------------------------------------------------------------

def tls_client(bouncer, trust, pair=None):
    context = ssl.create_default_context(cafile=trust)
    if pair:
        context.load_cert_chain(*pair)
    return bouncer.client(None, context=context)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_certificate(serve, tmp_path, newest):
    pair = certificate(tmp_path, "station")
    mine, others = certificate(tmp_path, "mine"), certificate(tmp_path, "others")
    bouncer = Bouncer(serve, {"tls.certificate": pair[0], "tls.key": pair[1]})
    der = ssl.PEM_cert_to_DER_cert(mine[0].read_text())
    client = bouncer.client("admin")
    said = client.service(f"device-certificate create -label laptop -fingerprint {hashlib.sha512(der).hexdigest()}")
    assert "may log in" in said[0]

    def log_in(shown, name):
        other = tls_client(bouncer, pair[0], shown)
        other.send("CAP LS 302", "NICK ann", "USER admin 0 * :Ann", "CAP REQ :sasl")
        offer = other.expect("CAP \\* LS .*sasl")
        assert ("EXTERNAL" in offer.text) == (shown is not None)
        other.expect("ACK")
        other.send("AUTHENTICATE EXTERNAL")
        if not shown:
            return other, other.expect(" 90[48] ").verb
        other.expect("AUTHENTICATE \\+")
        other.send("AUTHENTICATE " + (b64(name) if name else "+"))
        return other, other.expect(" 90[34] ").verb

    for name in ("", "admin/*@laptop"):
        other, number = log_in(mine, name)
        assert number == "903"
        other.send("CAP END")
        other.expect(" 001 ")
    assert log_in(others, "admin")[1] == "904"
    assert log_in(mine, "somebody")[1] == "904"
    assert log_in(None, "admin")[1] in ("904", "908")
    assert "laptop" in "\n".join(client.service("device-certificate status"))
    client.service(f"device-certificate delete {hashlib.sha512(der).hexdigest()[:16]}")
    client.service("device-certificate delete laptop")
    assert log_in(mine, "admin")[1] == "904"


def test_the_certificate_of_who_asks_is_taken(serve, tmp_path):
    """Without -fingerprint; who has shown none is told so."""
    pair, mine = certificate(tmp_path, "station"), certificate(tmp_path, "mine")
    bouncer = Bouncer(serve, {"tls.certificate": pair[0], "tls.key": pair[1]})

    def log_in(shown, *how):
        client = tls_client(bouncer, pair[0], shown)
        client.send("CAP LS 302", "NICK ann", *how, "USER admin 0 * :Ann")
        return client

    for shown, says in ((None, "has shown no certificate"), (mine, "laptop may log in")):
        client = log_in(shown, f"PASS :{ADMIN_PASSWORD}", "CAP END")
        client.expect(" 422 ")
        assert says in client.service("device-certificate create -label laptop")[0]
    client = log_in(mine, "CAP REQ :sasl", "AUTHENTICATE EXTERNAL")
    client.expect("AUTHENTICATE \\+")
    client.send("AUTHENTICATE +")
    client.expect(" 903 ")


def test_a_fingerprint_is_no_password(serve, tmp_path):
    """Anybody who was shown a certificate knows its fingerprint. Nor after EXTERNAL said no name."""
    pair, others = certificate(tmp_path, "station"), certificate(tmp_path, "others")
    bouncer = Bouncer(serve, {"tls.certificate": pair[0], "tls.key": pair[1]})
    digits = "0123456789abcdef" * 8
    said = bouncer.client("admin").service(f"device-certificate create -label laptop -fingerprint {digits}")
    assert "may log in" in said[0]
    client = tls_client(bouncer, pair[0], others)
    client.send("CAP LS 302", "CAP REQ :sasl", "AUTHENTICATE EXTERNAL")
    client.expect("AUTHENTICATE \\+")
    client.send("AUTHENTICATE +")
    client.expect(" 904 ")
    client.send(f"PASS :{digits}", "NICK ann", "USER admin 0 * :Ann", "CAP END")
    client.expect(" 464 ")
    client.gone()


CLIENT_CERT = "soju.im/client-cert"


def test_clients_have_their_certificates_known(serve, tmp_path):
    """The example of the extension, and what it says of names and faults."""
    pair, mine = certificate(tmp_path, "station"), certificate(tmp_path, "mine")
    bouncer = Bouncer(serve, {"tls.certificate": pair[0], "tls.key": pair[1]})
    digits = hashlib.sha512(ssl.PEM_cert_to_DER_cert(mine[0].read_text())).hexdigest().upper()

    def log_in(shown, external, caps=f"batch sasl {CLIENT_CERT}"):
        client = tls_client(bouncer, pair[0], shown)
        client.send("CAP LS 302", "NICK ann", "USER admin 0 * :Ann", f"CAP REQ :{caps}")
        client.expect(f"CAP \\* LS .*{CLIENT_CERT}")
        client.expect("ACK")
        client.send("CLIENTCERT LIST")
        client.expect(" 451 ")
        client.send("AUTHENTICATE " + ("EXTERNAL" if external else "PLAIN"))
        client.expect("AUTHENTICATE \\+")
        client.send("AUTHENTICATE " + ("+" if external else b64(f"\0admin\0{ADMIN_PASSWORD}")))
        client.number = client.expect(" 90[34] ").verb
        return client

    def listed(client):
        client.send("CLIENTCERT LIST")
        batch = client.expect(f"BATCH \\+\\S+ {CLIENT_CERT}$").params[0][1:]
        rows = []
        while (line := client.expect("CLIENTCERT LIST|BATCH -")).verb != "BATCH":
            assert line.tags["batch"] == batch
            rows.append(line.params[1:])
        return rows

    def answer(client, line):
        client.send(line)
        return client.expect("CLIENTCERT").text.split(" ", 1)[1]

    assert log_in(mine, external=True).number == "904"
    client = log_in(mine, external=False)
    # Before CAP END too, as in the example.
    assert listed(client) == []
    assert answer(client, "CLIENTCERT CREATE :senpai on linux; 100%\U0001f60a") == "CLIENTCERT CREATE"
    # The name stays.
    assert answer(client, "CLIENTCERT CREATE :another") == "CLIENTCERT CREATE"
    assert listed(client) == [[digits, "name=senpai\\son\\slinux\\:\\s100%\U0001f60a"]]
    client.send("CAP END")
    client.expect(" 001 ")
    again = log_in(mine, external=True)
    assert again.number == "903"
    again.send("CAP END")
    again.expect(" 001 ")
    (row,) = listed(again)
    assert row[0] == digits and row[3] == "ip=127.0.0.1" and re.fullmatch(r"time=\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z", row[2])
    # It is one of BouncerServ's, and stays through a restart.
    assert again.service("device-certificate status")[0].startswith("senpai on linux; 100%\U0001f60a (certificate) last used")
    server = bouncer.server
    server.stop()
    server.process, server.stopped = server.crew.start(server.process.args, "ringmain"), False
    server.await_log(" info irc ready", 20)
    client = log_in(mine, external=True)
    assert client.number == "903" and listed(client)[0][0] == digits
    for line, said in ((f"CLIENTCERT DELETE {'0' * 128}", "FAIL CLIENTCERT INTERNAL_ERROR DELETE"),
                       ("CLIENTCERT DELETE nonsense", "FAIL CLIENTCERT INTERNAL_ERROR DELETE"),
                       ("CLIENTCERT SETNAME x", "FAIL CLIENTCERT UNKNOWN_COMMAND SETNAME :Unknown subcommand"),
                       ("CLIENTCERT", "FAIL CLIENTCERT UNKNOWN_COMMAND *"),
                       (f"CLIENTCERT DELETE {digits.lower()}", f"CLIENTCERT DELETE {digits.lower()}"),
                       ("CLIENTCERT DELETE", "FAIL CLIENTCERT INTERNAL_ERROR DELETE")):
        assert answer(client, line).startswith(said)
    # Any name becomes one: too long, cut within a character, none, and one that is taken.
    client.send("CAP END")
    client.expect(" 001 ")
    client.service("password create -label certificate")
    for wanted, made in (("x" * 100, "x" * 64), ("x" * 62 + "\U0001f60a", "x" * 62), ("", "certificate\\s2")):
        assert answer(client, f"CLIENTCERT CREATE :{wanted}") == "CLIENTCERT CREATE"
        assert listed(client)[0][1] == f"name={made}"
        assert answer(client, "CLIENTCERT DELETE") == "CLIENTCERT DELETE"
    assert log_in(mine, external=True).number == "904"
    bare = log_in(None, external=False)
    assert answer(bare, "CLIENTCERT CREATE x").startswith("FAIL CLIENTCERT NOCERT CREATE")
    # Without the capability there is no such command; without batches, lines alone.
    assert "421" in answer(log_in(mine, external=False, caps="sasl"), "CLIENTCERT LIST")
    plain = log_in(mine, external=False, caps=f"sasl {CLIENT_CERT}")
    assert answer(plain, "CLIENTCERT CREATE x") == "CLIENTCERT CREATE"
    assert answer(plain, "CLIENTCERT LIST").startswith(f"CLIENTCERT LIST {digits}")
    assert not any("BATCH" in line for line in plain.said)


# -- doors -----------------------------------------------------------------------------------------

def register(wire, login="admin"):
    wire.send(f"PASS :{ADMIN_PASSWORD}", "NICK ann", f"USER {login} 0 * :Ann")
    wire.expect(" 422 ")


def test_unix_socket(serve, tmp_path):
    path = tmp_path / "irc"
    serve({"irc.listen": f"unix:{path}", "radio.shoutcast_port": "no"})
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(path))
    register(Wire(connection))


def proxy_v2(source):
    address = socket.inet_aton(source) + socket.inet_aton("127.0.0.1") + struct.pack(">HH", 4711, 6667)
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", len(address)) + address


@pytest.mark.parametrize("header", [b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 6667\r\n", proxy_v2("203.0.113.7")],
                         ids=["1", "2"])
def test_proxy_protocol(serve, header):
    """Who came through the proxy counts, for the log and for what he may do without TLS."""
    bouncer = Bouncer(serve, {"http.trusted_proxies": "127.0.0.1", "http.proxy_protocol": "yes", "irc.plain": "yes"})
    client = bouncer.client(None)
    client.send_bytes(header)
    register(client)
    assert "203.0.113.7" in bouncer.server.log()
    stranger = bouncer.client(None)
    stranger.send("NICK ann")
    stranger.gone()


def test_plain_text_from_afar_is_refused(serve):
    bouncer = Bouncer(serve, {"http.trusted_proxies": "127.0.0.1", "http.proxy_protocol": "yes"})
    client = bouncer.client(None)
    client.send_bytes(b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 6667\r\n")
    client.send(f"PASS :{ADMIN_PASSWORD}", "NICK ann", "USER admin 0 * :Ann")
    client.expect("ERROR .*TLS")
    client.gone()


@pytest.mark.parametrize("login", ["admin/net@phone", "admin@phone/net"])
def test_user_network_client(serve, fake, login):
    bouncer = Bouncer(serve)
    client, up = on_channel(bouncer, fake(), login=login)
    client.close()
    say(up, "for the phone")
    up.send("PING done")
    up.expect("PONG :done")
    # The same three parts in the other order are the same client: it has its place already.
    for name in ("admin@phone/net", "admin/net@phone"):
        again = bouncer.client(name)
        got = [line for line in again.sync() if "for the phone" in line]
        assert len(got) == (name == "admin@phone/net")
        again.close()
    client = bouncer.client(None)
    client.send(f"PASS :admin/net@pass:{ADMIN_PASSWORD}", "NICK ann", "USER whoever 0 * :Ann")
    client.expect("JOIN #ring")
    client = bouncer.client(None)
    client.send(f"PASS :{ADMIN_PASSWORD}", "NICK ann", "USER admin/nowhere 0 * :Ann")
    client.expect("no network of this name")
    client.gone()


# -- as somebody else, to somewhere else -----------------------------------------------------------

def plain_as(client, whom, user, password):
    client.send("CAP LS 302", "CAP REQ :sasl", "NICK x", "USER x 0 * :x", "AUTHENTICATE PLAIN")
    client.expect("^AUTHENTICATE \\+")
    client.send("AUTHENTICATE " + base64.b64encode(f"{whom}\0{user}\0{password}".encode()).decode())


def test_an_administrator_as_another(serve):
    """RFC 4616: the identity to act as; nobody else may, and nobody who is not there can be."""
    bouncer = Ordered(serve)
    for name in ("ann", "bob"):
        bouncer.good(f"user create -username {name} -password 'long enough 1' -max-networks 5")
    for whom, user, password in (("bob", "ann", "long enough 1"), ("admin", "ann", "long enough 1"), ("nobody", "admin", ADMIN_PASSWORD),
                                 ("bob", "admin", "wrong one here")):
        client = bouncer.client(None)
        plain_as(client, whom, user, password)
        client.expect(" 904 ")
        client.send("CAP END")
        client.gone()
    client = bouncer.client(None)
    plain_as(client, "bob@here", "admin", ADMIN_PASSWORD)
    assert client.expect(" 900 ").params[2] == "bob"
    client.send("CAP END")
    client.expect(" 422 ")
    assert client.service("user status")[0].startswith("bob:")
    same = bouncer.client(None)
    plain_as(same, "ann", "ann", "long enough 1")
    assert same.expect(" 900 ").params[2] == "ann"


def test_a_network_by_the_name_of_its_host(serve, tmp_path):
    """It is tried by TLS and kept once it lets us in; what does not is gone again."""
    crt, key = certificate(tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    bouncer = Ordered(serve, {"outgoing.ca_file": str(crt)})
    server = FakeServer(context)
    try:
        client = bouncer.client(f"admin/127.0.0.1:{server.port}@one")
        up = server.accept()
        up.register(None, nick="x")
        client.expect("is connected")
        assert bouncer.good("network status")[0].startswith(f"127.0.0.1:{server.port} (ircs://127.0.0.1:{server.port}) [up]")
        server.close()
        client.expect("is gone.*Trying again")
        lost = bouncer.client(f"admin/127.0.0.2:{free_ports()}@one")
        assert "Not trying again" in lost.expect("is gone").params[1]
        lost.gone()
        await_true(lambda: len([line for line in bouncer.good("network status") if "127.0.0.2" in line]) == 0, 10)
        typo = bouncer.client(None)
        typo.send(f"PASS :{ADMIN_PASSWORD}", "NICK x", "USER admin/lib_era 0 * :x")
        typo.expect(" 464 .*no network")
    finally:
        server.close()


def test_tls_without_a_certificate_is_refused_at_once(serve):
    """The login time is ten minutes here: who waits for an answer to its hello is not to wait for that."""
    bouncer = Ordered(serve)
    with socket.create_connection(("127.0.0.1", bouncer.port), timeout=PATIENCE) as connection:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with pytest.raises(ssl.SSLError, match="(?i)handshake.failure"):
            context.wrap_socket(connection)
    await_true(lambda: "TLS, but there is no certificate (tls.certificate)" in bouncer.server.log(), 20, bouncer.server.log)
