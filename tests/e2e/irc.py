"""IRC for the tests: a client and a server that are told line by line what to say, and Debian's servers.

Nothing here waits for a fixed time: what is expected is awaited, and what is not expected can be shown
by asking for something that comes behind it (PING).
"""
import base64
import contextlib
import hashlib
import hmac
import os
import pathlib
import re
import socket
import sqlite3
import ssl
import subprocess
import time

import pytest

from stage import ADMIN_PASSWORD, await_true, free_ports

# Before anybody is blamed: a busy machine may leave a process out for seconds at a time.
PATIENCE = 60
# Nor does the bouncer give anybody up where that is not what is tested; and it comes again at once.
PATIENT = {"irc.answer_timeout": "10m", "irc.login_timeout": "10m", "irc.auth_timeout": "10m", "irc.ping_interval": "1h",
           "irc.reconnect_first": "50ms", "irc.reconnect_most": "200ms"}


class Line:
    """A line taken apart: tags, source, verb, params."""

    def __init__(self, text):
        self.text = text
        rest, self.tags, self.source = text, {}, ""
        if rest.startswith("@"):
            tags, rest = rest[1:].split(" ", 1)
            for tag in tags.split(";"):
                key, _, value = tag.partition("=")
                self.tags[key] = value
        if rest.startswith(":"):
            self.source, rest = rest[1:].split(" ", 1)
        head, colon, last = rest.partition(" :")
        self.verb, *self.params = head.split()
        if colon:
            self.params.append(last)

    def __repr__(self):
        return self.text


class Wire:
    """One end of a connection, in lines."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(0.05)
        self.buffer, self.said, self.at, self.closed = b"", [], 0, False

    def send(self, *lines):
        self.send_bytes(b"".join(line.encode() + b"\r\n" for line in lines))

    def send_bytes(self, data):
        # Who floods is made to wait.
        self.socket.settimeout(PATIENCE)
        self.socket.sendall(data)
        self.socket.settimeout(0.05)

    def read(self):
        """What has come, without waiting long."""
        try:
            piece = self.socket.recv(65536)
            self.closed |= not piece
            self.buffer += piece
        except (socket.timeout, ssl.SSLWantReadError):
            pass
        except OSError:
            self.closed = True
        *lines, self.buffer = self.buffer.split(b"\n")
        self.said += [line.rstrip(b"\r").decode(errors="replace") for line in lines]

    def expect(self, pattern, seconds=PATIENCE):
        """The next line that the pattern is found in, as a Line; lines before it are passed over."""
        end = time.monotonic() + seconds
        while True:
            while self.at < len(self.said):
                self.at += 1
                if re.search(pattern, self.said[self.at - 1]):
                    return Line(self.said[self.at - 1])
            if time.monotonic() > end or self.closed:
                pytest.fail(f"no {pattern!r} within {seconds} s"
                            f"{' (closed)' if self.closed else ''}, only:\n" + "\n".join(line[:300] for line in self.said[-40:]))
            self.read()

    def until(self, pattern, seconds=PATIENCE):
        """All lines from here to the one with the pattern, without that one."""
        begin = self.at
        self.expect(pattern, seconds)
        return self.said[begin:self.at - 1]

    def gone(self, seconds=PATIENCE):
        def look():
            self.read()
            return self.closed
        await_true(look, seconds, lambda: "closed, after:\n" + "\n".join(self.said[-20:]))

    def close(self):
        self.socket.close()


class Client(Wire):
    """A client of the bouncer, registered when this returns (unless login is None)."""

    def __init__(self, port, login="admin", password=ADMIN_PASSWORD, caps="", nick="ann", context=None):
        connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        if context:
            connection = context.wrap_socket(connection, server_hostname="localhost")
        super().__init__(connection)
        self.tokens = 0
        if login is None:
            return
        if caps:
            self.send("CAP LS 302")
        self.send(f"PASS :{password}", f"NICK {nick}", f"USER {login} 0 * :Ann")
        if caps:
            self.send(f"CAP REQ :{caps}")
            self.expect("CAP .* ACK")
            self.send("CAP END")
        self.expect(" (422|376) ")

    def sync(self, seconds=PATIENCE):
        """All lines until now: what the bouncer has said when it answers a PING."""
        self.tokens += 1
        self.send(f"PING sync{self.tokens}")
        return self.until(f"PONG .*sync{self.tokens}", seconds)

    def service(self, text, seconds=PATIENCE):
        """What BouncerServ answers; what it says of itself is a NOTICE."""
        self.send(f"PRIVMSG BouncerServ :{text}")
        lines = [Line(line) for line in self.sync(seconds) if "BouncerServ!" in line]
        return [line.params[-1] for line in lines if line.verb == "PRIVMSG"]


class Fake(Wire):
    """A connection of the bouncer to a server that the test plays."""

    def register(self, caps=None, nick="ann", isupport="CASEMAPPING=ascii CHANTYPES=# PREFIX=(ov)@+",
                 welcome=True):
        """Lets it in: with these capabilities (None: it knows none)."""
        self.expect("^CAP LS 302")
        self.user = self.expect("^USER ")
        self.nick = nick
        if caps is None:
            self.send(":fake 421 * CAP :Unknown command")
        else:
            self.send(f":fake CAP * LS :{caps}")
            if caps:
                request = self.expect("^CAP (REQ|END)")
                while request.params[0] == "REQ":
                    self.send(f":fake CAP * ACK :{request.params[1]}")
                    request = self.expect("^CAP (REQ|END)")
            else:
                self.expect("^CAP END")
        if welcome:
            self.welcome(isupport)

    def welcome(self, isupport="CASEMAPPING=ascii CHANTYPES=# PREFIX=(ov)@+"):
        self.send(f":fake 001 {self.nick} :Welcome", f":fake 005 {self.nick} {isupport} :are supported",
                  f":fake 422 {self.nick} :No motd")

    def joins(self, channel, names=""):
        self.expect(f"JOIN {channel}")
        self.joined(channel, names)

    def sync(self):
        """What was sent until now, the bouncer has heard; what it had to say to that, is in .said."""
        self.send("PING done")
        self.expect("^PONG :done$")

    def joined(self, channel, names=""):
        self.send(f":{self.nick}!u@h JOIN {channel}",
                  f":fake 353 {self.nick} = {channel} :{self.nick} {names}",
                  f":fake 366 {self.nick} {channel} :End")


class FakeServer:
    """Where the bouncer connects to; the test plays the server."""

    def __init__(self, context=None):
        self.port = free_ports()
        self.context = context
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(100)
        self.connections = []

    def accept(self, seconds=PATIENCE):
        self.listener.settimeout(seconds)
        try:
            connection, _ = self.listener.accept()
        except socket.timeout:
            pytest.fail(f"nobody connected within {seconds} s")
        connection.settimeout(PATIENCE)
        if self.context:
            connection = self.context.wrap_socket(connection, server_side=True)
        self.connections.append(connection)
        return Fake(connection)

    def address(self):
        return f"irc{'s' if self.context else '+insecure'}://127.0.0.1:{self.port}"

    def close(self):
        for connection in [self.listener, *self.connections]:
            with contextlib.suppress(OSError):
                connection.close()


class FakeUnixServer(FakeServer):
    """The same at a socket of this machine."""

    def __init__(self, path):
        self.path, self.context, self.connections = path, None, []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(100)

    def address(self):
        return f"irc+unix://{self.path}"


def stored(server, query, *values):
    """Rows of a server's database, as any other process may read it meanwhile."""
    data = server.process.args[server.process.args.index("--data") + 1]
    with contextlib.closing(sqlite3.connect(f"file:{data}/ringmain.db?mode=ro", uri=True, timeout=PATIENCE)) as store:
        return store.execute(query, values).fetchall()


def await_kept(server, channel="#ring", device="one", lines=()):
    """Until it is on disk that the user is in this channel, with this client, and each of these texts was said."""
    def look():
        said = [line for (line,) in stored(server, "SELECT line FROM irc_lines")]
        return (stored(server, "SELECT 1 FROM irc_networks JOIN irc_buffers ON irc_networks.id = network "
                       "WHERE irc_buffers.name = ? AND irc_buffers.settings LIKE '%\"joined\":true%'", channel)
                and stored(server, "SELECT 1 FROM irc_devices WHERE name = ?", device)
                and all(any(line.endswith(f":{text}") for line in said) for text in lines))
    await_true(look, PATIENCE, lambda: stored(server, "SELECT name, settings FROM irc_buffers"))


# -- Debian's servers ------------------------------------------------------------------------------

def start_ngircd(crew, room):
    port = free_ports()
    conf = pathlib.Path(room) / "ngircd.conf"
    conf.write_text(f"""[Global]
Name = ng.test
Info = test
Listen = 127.0.0.1
Ports = {port}
ServerUID = nobody
ServerGID = nogroup
[Limits]
MaxConnectionsIP = 0
MaxNickLength = 20
[Options]
DNS = no
Ident = no
PAM = no
ChrootDir =
""")
    crew.start(["/usr/sbin/ngircd", "-n", "-f", conf], "ngircd")
    return await_port(port)


def start_inspircd(crew, room, pair=None, more=""):
    port, secure = free_ports(), free_ports()
    room = pathlib.Path(room)
    conf = room / "inspircd.conf"
    modules = ["cap", "ircv3", "ircv3_batch", "ircv3_capnotify", "ircv3_chghost", "ircv3_echomessage",
               "ircv3_invitenotify", "ircv3_labeledresponse", "ircv3_msgid", "ircv3_servertime",
               "ircv3_ctctags", "ircv3_accounttag", "sslinfo", "monitor", "namesx", "uhnames", "setname", "botmode"]
    conf.write_text(f"""
<server name="insp.test" description="test" network="Insp" id="42A">
<admin name="a" nick="a" email="a@test">
<bind address="127.0.0.1" port="{port}" type="clients">
{f'<bind address="127.0.0.1" port="{secure}" type="clients" sslprofile="tls">' if pair else ''}
<power diepass="x" restartpass="x">
<connect name="all" allow="*" maxchans="1000" timeout="60" pingfreq="120" hardsendq="1048576" softsendq="8192"
 recvq="8192" localmax="1000" globalmax="1000" useident="no" resolvehostnames="no" commandrate="1000000"
 threshold="100000" fakelag="no">
<performance softlimit="10000" somaxconn="128">
<options prefixquit="" defaultmodes="nt">
<security hidewhois="" runasuser="" runasgroup="">
<pid file="{room}/insp.pid">
<path configdir="{room}" datadir="{room}" logdir="{room}" runtimedir="{room}" moduledir="/usr/lib/inspircd/modules">
{f'''<module name="ssl_gnutls">
<sslprofile name="tls" provider="gnutls" hash="sha256" certfile="{pair[0]}" keyfile="{pair[1]}">''' if pair else ''}
""" + "\n".join(f'<module name="{m}">' for m in modules) + """
<class name="c" commands="*"><type name="t" classes="c"><files motd="/dev/null">
""" + more)
    crew.start(["/usr/sbin/inspircd", "--nofork", "--runasroot", "--nopid", "--config", conf], "inspircd")
    await_port(port)
    return (port, secure)


def await_port(port):
    def look():
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
            return True
    await_true(look, PATIENCE, f"a server at {port}")
    return port


class Person(Wire):
    """Somebody else on a network."""

    def __init__(self, port, nick="bob"):
        super().__init__(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
        self.nick, self.tokens = nick, 0
        self.send(f"NICK {nick}", f"USER {nick} 0 * :{nick}")
        while True:
            line = self.expect(" (422|376) |^PING")
            if line.verb != "PING":
                break
            self.send(f"PONG :{line.params[0]}")

    def say(self, target, *texts):
        self.send(*(f"PRIVMSG {target} :{text}" for text in texts))

    def sync(self):
        self.tokens += 1
        self.send(f"PING sync{self.tokens}")
        self.expect(f"PONG .*sync{self.tokens}")


# -- SASL, the server's side -----------------------------------------------------------------------

class Scram:
    """SCRAM-SHA-256 as a server has it (RFC 5802, RFC 7677)."""

    def __init__(self, password, salt=b"salt of the sea", iterations=4096):
        self.salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
        self.salt, self.iterations = salt, iterations

    def first(self, client_first):
        self.bare = client_first.split(",", 2)[2]
        self.nonce = self.bare.split("r=")[1] + base64.b64encode(os.urandom(12)).decode()
        self.server_first = f"r={self.nonce},s={base64.b64encode(self.salt).decode()},i={self.iterations}"
        return self.server_first

    def last(self, client_final):
        """The server's last word, or None: the proof is wrong."""
        without, proof = client_final.rsplit(",p=", 1)
        message = ",".join([self.bare, self.server_first, without]).encode()
        client_key = self.mac(self.salted, b"Client Key")
        stored = hashlib.sha256(client_key).digest()
        signature = self.mac(stored, message)
        wanted = bytes(a ^ b for a, b in zip(client_key, signature))
        if base64.b64decode(proof) != wanted or f"r={self.nonce}" not in without:
            return None
        return "v=" + base64.b64encode(self.mac(self.mac(self.salted, b"Server Key"), message)).decode()

    @staticmethod
    def mac(key, data):
        return hmac.new(key, data, hashlib.sha256).digest()


def certificate(room, name, hosts="DNS:localhost,IP:127.0.0.1"):
    """(certificate, key) of a new self-signed one."""
    crt, key = pathlib.Path(room) / f"{name}.pem", pathlib.Path(room) / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-out", crt, "-days", "30", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName={hosts}"], check=True, capture_output=True)
    return crt, key


def fingerprint(crt):
    der = ssl.PEM_cert_to_DER_cert(pathlib.Path(crt).read_text())
    return hashlib.sha256(der).hexdigest()
