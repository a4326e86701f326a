"""The bouncer between programs of Debian's: clients that people use, and services that know accounts."""
import contextlib
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import threading

import pytest

from irc import Person, await_port, certificate, fingerprint, start_inspircd
from stage import await_true, free_ports, need
from test_irc import Bouncer, bouncer, live_network, network, say  # noqa: F401 (fixtures)


class Terminal:
    """A program on a terminal; what it shows is kept, and it can be typed to."""

    def __init__(self, args, room, **environment):
        near, far = pty.openpty()
        self.near, self.shown = near, b""
        self.process = subprocess.Popen(
            [str(a) for a in args], stdin=far, stdout=far, stderr=far, start_new_session=True, cwd=room,
            env={"PATH": os.environ["PATH"], "HOME": str(room), "TERM": "xterm", "LANG": "C.UTF-8", "LINES": "24",
                 "COLUMNS": "200", **environment})
        os.close(far)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        with contextlib.suppress(OSError):
            while select.select([self.near], [], [])[0]:
                self.shown += os.read(self.near, 65536)

    def type(self, line):
        os.write(self.near, line.encode() + b"\r")

    def end(self):
        self.process.kill()
        self.process.wait()
        self.reader.join(10)
        os.close(self.near)


@pytest.fixture
def terminal(tmp_path):
    opened = []

    def start(args, **environment):
        room = tmp_path / f"home{len(opened)}"
        room.mkdir()
        opened.append(Terminal(args, room, **environment))
        return opened[-1]
    yield start
    for one in opened:
        one.end()


def channel(bouncer, fake):
    """(the server's end of a network, in #ring, with one line that nobody has been told; a login)."""
    up = network(bouncer, fake)
    up.register(None)
    client = bouncer.client("admin/net@setup")
    client.send("JOIN #ring")
    up.joins("#ring", "bob")
    client.expect("366")
    secret = re.search(r"\b[0-9a-f]{24}\b", client.service("password create -label program")[0])[0]
    client.close()
    say(up, "said before anybody came")
    return up, f"admin/net@program:{secret}"


def logged(folder, pattern, program):
    def look():
        return any(re.search(pattern, file.read_text(errors="replace")) for file in pathlib.Path(folder).rglob("*") if file.is_file())
    await_true(look, 30, lambda: f"{pattern} in a log of {program.process.args}: {program.shown[-2000:]}")


def test_weechat(bouncer, fake, crew, tmp_path):
    need("weechat-headless")
    up, login = channel(bouncer, fake())
    home = tmp_path / "weechat"
    orders = ["/set logger.file.flush_delay 0", f"/server add b 127.0.0.1/{bouncer.irc} -nossl -password={login} -nicks=ann -username=ann",
              "/set irc.server.b.command /msg #ring hello from weechat", "/connect b"]
    crew.start(["weechat-headless", "-d", home, *(word for order in orders for word in ("-r", order))],
                         "weechat", env={**os.environ, "LANG": "C.UTF-8"})
    up.expect("^PRIVMSG #ring :hello from weechat")
    say(up, "and hello to you")
    for text in ("said before anybody came", "and hello to you"):
        def look(text=text):
            return any(text in file.read_text(errors="replace") for file in home.rglob("*.weechatlog"))
        await_true(look, 30, lambda: [(f, f.read_text()) for f in home.rglob("*.weechatlog")])


def test_irssi(bouncer, fake, terminal, tmp_path):
    need("irssi")
    up, login = channel(bouncer, fake())
    logs = tmp_path / "logs"
    home = tmp_path / "irssi"
    home.mkdir()
    (home / "config").write_text(f"""settings = {{ core = {{ real_name = "Ann"; user_name = "ann"; nick = "ann"; }};
"fe-common/core" = {{ autolog = "yes"; autolog_path = "{logs}/$0.log"; autolog_level = "all"; }}; }};
""")
    program = terminal(["irssi", f"--home={home}", "--connect=127.0.0.1", f"--port={bouncer.irc}", f"--password={login}", "--nick=ann"])
    logged(logs, "said before anybody came", program)
    program.type("/msg #ring hello from irssi")
    up.expect("^PRIVMSG #ring :hello from irssi")
    say(up, "and hello to you")
    logged(logs, "and hello to you", program)


def test_catgirl(serve, fake, terminal, tmp_path):
    need("catgirl")
    pair = certificate(tmp_path, "station")
    bouncer = Bouncer(serve, {"tls.certificate": pair[0], "tls.key": pair[1]})
    up, login = channel(bouncer, fake())
    (tmp_path / "data/catgirl").mkdir(parents=True)
    program = terminal(["catgirl", "-l", "-h", "127.0.0.1", "-p", bouncer.irc, "-t", pair[0], "-n", "ann", "-u", "ann", "-w", login],
                       XDG_DATA_HOME=str(tmp_path / "data"))
    logged(tmp_path / "data", "said before anybody came", program)
    program.type("/window #ring")
    program.type("hello from catgirl")
    up.expect("^PRIVMSG #ring :hello from catgirl")
    say(up, "and hello to you")
    logged(tmp_path / "data", "and hello to you", program)


# -- accounts ----------------------------------------------------------------------------------------

ATHEME = """
loadmodule "modules/protocol/inspircd";
loadmodule "modules/backend/opensex";
loadmodule "modules/crypto/pbkdf2v2";
loadmodule "modules/nickserv/main";
loadmodule "modules/nickserv/register";
loadmodule "modules/nickserv/identify";
loadmodule "modules/nickserv/cert";
loadmodule "modules/saslserv/main";
loadmodule "modules/saslserv/plain";
loadmodule "modules/saslserv/external";
serverinfo {{ name = "services.test"; desc = "services"; numeric = "00A"; recontime = 1; netname = "Insp";
 adminname = "a"; adminemail = "a@test"; registeremail = "a@test"; maxlogins = 50; maxusers = 0; maxnicks = 5; maxchans = 5;
 mta = "/bin/true"; auth = none; casemapping = ascii; uflags = {{ hidemail; }}; cflags = {{ }}; exempts {{ }}; }};
uplink "insp.test" {{ host = "127.0.0.1"; port = {port}; send_password = "link"; receive_password = "link"; }};
nickserv {{ nick = "NickServ"; user = "NickServ"; host = "services.test"; real = "accounts"; aliases {{ }}; access {{ }}; }};
saslserv {{ nick = "SaslServ"; user = "SaslServ"; host = "services.test"; real = "sasl"; }};
general {{ commit_interval = 5; flood_msgs = 0; ratelimit_uses = 1000; ratelimit_period = 1; }};
"""


def start_atheme(crew, room, port):
    """Services at the door that a server has for them. As root they do not start."""
    conf = room / "atheme.conf"
    conf.write_text(ATHEME.format(port=port))
    user = []
    if os.geteuid() == 0:
        user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        for path in (room, conf):
            shutil.chown(path, "nobody")
        for parent in room.parents:
            if not parent.stat().st_mode & 1:
                parent.chmod(parent.stat().st_mode | 0o011)
    crew.start([*user, "atheme-services", "-n", "-c", conf, "-D", room, "-p", room / "pid", "-l", room / "log"], "atheme")


@pytest.fixture
def services(crew, tmp_path):
    """(plain port, TLS port, pair) of inspircd with atheme, where ann has the account "ann"."""
    need("atheme-services", "inspircd")
    pair = certificate(tmp_path, "insp")
    link = free_ports()
    port, secure = start_inspircd(crew, tmp_path, pair, more=f"""
<module name="spanningtree"><module name="services_account"><module name="cap"><module name="sasl"><module name="sslinfo">
<bind address="127.0.0.1" port="{link}" type="servers">
<sasl target="services.test"><uline server="services.test" silent="yes">
<link name="services.test" ipaddr="127.0.0.1" port="{link}" allowmask="127.0.0.1" sendpass="link" recvpass="link">
""")
    await_port(link)
    room = tmp_path / "services"
    room.mkdir()
    start_atheme(crew, room, link)
    ann = Person(port, "ann")

    def registered():
        ann.send("PRIVMSG NickServ :REGISTER secret ann@test.example")
        ann.sync()
        return any("registered" in line for line in ann.said)
    await_true(registered, 30, lambda: ann.said[-10:])
    ann.send("QUIT")
    ann.gone()
    return port, secure, pair


def account(bouncer):
    client = bouncer.client("admin/net@who")
    client.send("WHOIS ann ann")
    lines = client.until(" 318 ")
    client.close()
    return next((line.split()[4] for line in lines if " 330 " in line), "")


def test_an_account_of_services_by_password(bouncer, services):
    live_network(bouncer, f"irc+insecure://127.0.0.1:{services[0]}", "-sasl-mechanism PLAIN -sasl-username ann -sasl-password secret")
    assert account(bouncer) == "ann"


def test_a_wrong_password_is_said(bouncer, services):
    client = bouncer.client("admin@setup")
    client.service(f"network create -addr irc+insecure://127.0.0.1:{services[0]} -name net -nick ann "
                   "-sasl-mechanism PLAIN -sasl-username ann -sasl-password wrong")
    await_true(lambda: any("SASL" in line or "authentication" in line for line in client.service("network status")), 20,
               lambda: client.said[-5:])


def test_an_account_of_services_by_certificate(bouncer, services):
    live_network(bouncer, f"ircs://127.0.0.1:{services[1]}", f"-certfp {fingerprint(services[2][0])} -sasl-mechanism PLAIN "
                 "-sasl-username ann -sasl-password secret")
    assert account(bouncer) == "ann"
    client = bouncer.client("admin/net@setup")
    client.send("PRIVMSG BouncerServ :certfp generate -key-type ecdsa")
    sha256 = re.search("[0-9a-f]{64}", client.expect("SHA256: ").text)[0]
    # Services do not know it yet: who logs in by it now is refused, and one that only shows it is not.
    client.expect("net is connected")
    assert account(bouncer) == "ann"
    client.send("PRIVMSG BouncerServ :sasl set-external")
    client.expect("net is gone: the login was refused: SASL authentication failed. Trying again")
    client.send("PRIVMSG BouncerServ :sasl set-plain ann secret")
    client.expect("net is connected")
    client.send(f"PRIVMSG NickServ :CERT ADD {sha256}")
    client.expect("NickServ.*Added fingerprint")
    client.send("PRIVMSG BouncerServ :sasl set-external")
    client.expect("net is connected")
    assert account(bouncer) == "ann"
    assert client.service("sasl status") == ["net: EXTERNAL"]
