"""How clients come in: by socket, by proxy, by certificate, by SCRAM, and with a name of many parts."""
import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct

import pytest

from irc import Client, FakeServer, Wire, certificate
from stage import ADMIN_PASSWORD, free_ports
from test_irc import Bouncer, network, on_channel, say


@pytest.fixture
def fake():
    servers = []

    def make(context=None):
        servers.append(FakeServer(context))
        return servers[-1]
    yield make
    for server in servers:
        server.close()


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
