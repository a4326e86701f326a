"""Users, networks and channels of soju and ZNC, taken over into a running server."""
import base64
import hashlib
import os
import pathlib
import sqlite3
import subprocess

import pytest

from irc import Line, certificate
from irc_service import Bouncer
from stage import CLIENTS

CONTROL = CLIENTS / "ringmainctl"

# Of "ann's own password".
BCRYPT = "$2b$04$ZIrEodpNPUAMMS8zwXk5WeA46cMP3vCBvg0vRDDtavKSrwYhyH2TO"

SOJU = """
CREATE TABLE User (id INTEGER PRIMARY KEY, username TEXT, password TEXT, admin INTEGER, realname TEXT, nick TEXT,
    enabled INTEGER, max_networks INTEGER);
CREATE TABLE Network (id INTEGER PRIMARY KEY, name TEXT, user INTEGER, addr TEXT, nick TEXT, username TEXT,
    realname TEXT, certfp TEXT, pass TEXT, connect_commands TEXT, sasl_mechanism TEXT, sasl_plain_username TEXT,
    sasl_plain_password TEXT, sasl_external_cert BLOB, sasl_external_key BLOB, auto_away INTEGER, enabled INTEGER);
CREATE TABLE Channel (id INTEGER PRIMARY KEY, network INTEGER, name TEXT, key TEXT, detached INTEGER,
    relay_detached INTEGER, reattach_on INTEGER, detach_after INTEGER, detach_on INTEGER);
CREATE TABLE DeviceCertificate (id INTEGER PRIMARY KEY, user INTEGER, label TEXT, fingerprint TEXT);
CREATE TABLE MessageTarget (id INTEGER PRIMARY KEY, network INTEGER, target TEXT, pinned INTEGER, muted INTEGER,
    blocked INTEGER);
CREATE TABLE Message (id INTEGER PRIMARY KEY, target INTEGER, raw TEXT, time TEXT, sender TEXT, text TEXT);
CREATE TABLE ReadReceipt (id INTEGER PRIMARY KEY, network INTEGER, target TEXT, timestamp TEXT);
CREATE TABLE DeliveryReceipt (id INTEGER PRIMARY KEY, network INTEGER, target TEXT, client TEXT, internal_msgid TEXT);
CREATE TABLE WebPushSubscription (id INTEGER PRIMARY KEY);
INSERT INTO User VALUES (1, 'ann', :ann, 0, 'Ann of the "Ring"', 'annie', 1, 5), (2, 'bob', NULL, 1, NULL, NULL, 0, -1),
    (3, 'bad name', NULL, 0, NULL, NULL, 1, -1);
INSERT INTO Network VALUES
    (1, 'libera', 1, 'ircs://127.0.0.1:1', 'ann_', NULL, NULL, NULL, 'pw', 'PRIVMSG a :b c' || char(13, 10) || 'MODE ann_ +i',
     'PLAIN', 'ann', 'p"ass\\', NULL, NULL, 1, 0),
    (2, NULL, 1, 'irc+insecure://127.0.0.2:6669', NULL, NULL, NULL, NULL, NULL, NULL, 'EXTERNAL', NULL, NULL, :cert, :key, 0, 0);
INSERT INTO Channel VALUES (1, 1, '#ring', 'key', 1, 2, 3, 3600, 1), (2, 2, '#main', NULL, 0, 0, 0, 0, 0);
INSERT INTO DeviceCertificate VALUES (1, 1, 'phone', :finger);
INSERT INTO MessageTarget VALUES (1, 1, '#ring', 0, 0, 0), (2, 1, 'carol', 1, 0, 0);
INSERT INTO ReadReceipt VALUES (1, 1, '#ring', '2024-01-01T10:00:02.000Z');
INSERT INTO WebPushSubscription VALUES (1);
"""

ZNC = """// WARNING: made by znc
Version = 1.8.2
<Listener l>
	Port = 6697
	SSL = true
</Listener>
LoadModule = webadmin
LoadModule = fail2ban
<User ann>
	Admin      = true
	AltNick    = ann_
	Nick       = ann
	Ident      = annie
	RealName   = Ann of the Ring
	QuitMsg    = bye
	FloodRate  = 1.50
	LoadModule = chansaver
	LoadModule = perform
	<Network libera>
		FloodBurst = 7
		IRCConnectEnabled = false
		Server = irc.libera.chat +6697
		Server = irc.example.org 6667 let me in
		TrustedServerFingerprint = %(finger)s
		LoadModule = sasl
		<Chan #ring>
			Detached = true
			Key = sesame
		</Chan>
		<Chan ##main>
		</Chan>
	</Network>
	<Pass password>
		Hash = 0123
		Method = sha256
		Salt = x
	</Pass>
</User>
<User bob>
	Nick = bob
	<Pass p>
		Method = plain
		Hash = long enough 1
	</Pass>
</User>
"""


@pytest.fixture
def bouncer(serve):
    return Bouncer(serve)


def taken(bouncer, file):
    """(orders, notes, what the server said to them); each was good."""
    made = subprocess.run([CONTROL, "import", file], capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made
    data = bouncer.server.process.args[bouncer.server.process.args.index("--data") + 1]
    given = subprocess.run([CONTROL, "--data", data, "irc", "-"], input=made.stdout, capture_output=True, text=True,
                           timeout=120)
    return made.stdout, made.stderr, given


def pem_der(path):
    return base64.b64decode("".join(line for line in pathlib.Path(path).read_text().splitlines() if "-----" not in line))


def soju_id(target, row):
    """As soju writes it: BARE of version 0, network 1 (zigzag), target, kind 3, row; base64url."""
    return base64.urlsafe_b64encode(bytes([0, 2, len(target)]) + target.encode() + bytes([3, row])).decode().rstrip("=")


def soju_database(file, pair):
    """A database as soju 0.9 has it: ann has said and heard something, her phone has been told two lines of it."""
    said = [(1, 1, ":bob!b@h PRIVMSG #ring :first"), (2, 1, ":ann_!a@h PRIVMSG #ring :second, of mine"),
            (3, 1, "@msgid=three;account=bob :bob!b@h PRIVMSG #ring :third \"quoted\" \\\\ one"),
            (4, 1, ":bob!b@h TAGMSG #ring"), (5, 1, ":carol!c@h JOIN #ring"),
            (6, 2, ":carol!c@h PRIVMSG ann_ :psst"), (7, 2, ":ann_!a@h PRIVMSG carol :what?")]
    with sqlite3.connect(file) as db:
        cert, key = (f"x'{pem_der(path).hex()}'" for path in pair)
        db.executescript(SOJU.replace(":ann", f"'{BCRYPT}'").replace(":finger", "'" + "ab" * 64 + "'").replace(
            ":cert", cert).replace(":key", key))
        for number, target, raw in said:
            db.execute("INSERT INTO Message VALUES (?, ?, ?, ?, 'x', 'x')",
                       (number, target, raw, f"2024-01-01T10:00:{number:02}.000Z"))
        db.executemany("INSERT INTO DeliveryReceipt VALUES (?, 1, '#ring', ?, ?)",
                       [(1, "phone", soju_id("#ring", 2)), (2, "desk", "bm9uc2Vuc2U")])


def test_soju(bouncer, tmp_path):
    file = tmp_path / "main.db"
    pair = certificate(tmp_path, "ann")
    soju_database(file, pair)
    orders, notes, given = taken(bouncer, file)
    assert given.returncode == 0, given.stdout
    assert "bad name cannot be a name" in notes and "1 reactions" in notes and "WebPushSubscription: 1" in notes
    assert "bob: has no password" in notes and 'client "desk"' in notes and "Message" not in notes
    client = bouncer.client("ann", password="ann's own password", nick="x")
    status = client.service("network status")
    assert status[0].startswith("libera (ircs://127.0.0.1:1) [off] nick ann_")
    assert any(line.startswith("127.0.0.2 (irc+insecure://127.0.0.2:6669) [off] nick annie") for line in status)
    assert client.service("sasl status -network libera") == ["libera: PLAIN as ann"]
    assert client.service("sasl status -network 127.0.0.2") == ["127.0.0.2: EXTERNAL"]
    sha = hashlib.sha256(pem_der(pair[0])).hexdigest()
    assert f"SHA256: {sha}" in client.service("certfp fingerprint -network 127.0.0.2")
    assert "#ring/libera [wanted, detached] 0 members, 4 lines" in client.service("channel status")
    assert client.service("device status") == ["phone (certificate) never used"]
    assert bouncer.good("user status")[1:] == ["ann", "bob (disabled)"]
    client.close()
    again = taken(bouncer, file)[2]
    assert again.returncode == 1 and "already" in again.stdout and "older than what is there" in again.stdout


def test_what_was_said_at_soju_is_told_on(bouncer, tmp_path):
    file = tmp_path / "main.db"
    soju_database(file, certificate(tmp_path, "ann"))
    assert taken(bouncer, file)[2].returncode == 0
    bouncer.good("channel update #ring/libera -detached false", "ann")
    login = {"password": "ann's own password", "caps": "server-time echo-message message-tags batch draft/read-marker"}
    phone = bouncer.client("ann/libera@phone", **login)
    told = phone.expect("PRIVMSG #ring")
    assert told.params[1] == 'third "quoted" \\\\ one' and told.tags["time"] == "2024-01-01T10:00:03.000Z"
    assert told.tags["msgid"] == "three"
    assert not any("PRIVMSG" in line for line in phone.sync())
    phone.send("MARKREAD #ring")
    assert phone.expect("MARKREAD").params[1] == "timestamp=2024-01-01T10:00:02.000Z"
    desk = bouncer.client("ann/libera@desk", **login)
    assert not any("PRIVMSG" in line for line in desk.sync())
    desk = bouncer.client("ann/libera@other", **login)
    lines = [Line(line) for line in desk.sync() if "PRIVMSG" in line]
    assert [line.params[1] for line in lines if line.params[0] == "#ring"][:2] == ["first", "second, of mine"]
    assert [(line.params[0], line.params[1]) for line in lines if "#" not in line.params[0]] == [
        ("ann_", "psst"), ("carol", "what?")]
    assert any("psst" in line for line in bouncer.good("search psst", "ann"))


def test_lines_are_taken_in_order_and_while_nobody_is_there(bouncer):
    bouncer.good("network create -addr irc+insecure://127.0.0.1:1 -name net -enabled false")
    line = '"@time=2024-01-01T10:00:0%d.000Z :bob!b@h PRIVMSG #ring :%s"'
    assert bouncer.good(f"data import -in #ring {line % (1, 'one')} {line % (2, 'two')}")[0].startswith("2 lines")
    assert "older" in bouncer.bad(f"data import -in #ring {line % (1, 'late')}")
    assert "@time" in bouncer.bad('data import -in #ring ":bob!b@h PRIVMSG #ring :when"')
    assert "@time" in bouncer.bad('data import -in #ring "@time=2999-01-01T10:00:00.000Z :bob!b@h PRIVMSG #ring :when"')
    assert "-in" in bouncer.bad(f"data import {line % (3, 'where')}")
    client = bouncer.client("admin/net@one")
    assert "has clients" in bouncer.bad(f"data import -in #ring {line % (3, 'now')}")
    assert "is here" in bouncer.bad("data place -in #ring -client one -unread 1")
    assert bouncer.good("data place -in #ring -client two -unread 1") == ["two has 1 lines of #ring to be told"]
    assert "base64" in bouncer.bad("certfp import -key nonsense")
    assert "belongs" in bouncer.bad("certfp import -certificate AAAA")
    client.close()


def test_files_of_soju(bouncer, tmp_path):
    file = tmp_path / "main.db"
    with sqlite3.connect(file) as db:
        db.executescript(SOJU.replace(":ann", f"'{BCRYPT}'").replace(":finger", "'" + "ab" * 64 + "'").replace(
            ":cert", "NULL").replace(":key", "NULL"))
    day = tmp_path / "logs/ann/libera/#ring"
    day.mkdir(parents=True)
    (day / "2024-01-02.log").write_text("[10:00:00] <ann_> and mine\n")
    (day / "2024-01-01.log").write_text("[10:00:00] <bob> first\n[10:00:01] * bob waves\n[09:00:01] <bob> an hour again\n[10:00:02] *** Joins: x (y@z)\n"
                                          "[10:00:03] *** Parts: x (y@2001:db8::1) (so (long))\n[10:00:04] *** Quits: x (y@z) ()\n[10:00:05] *** bob was kicked by ann (out)\n"
                                          "[10:00:06] *** bob is now known as bobby\n[10:00:07] *** ann changes topic to 'it's new'\n[10:00:08] *** ann sets mode: +o bobby\n"
                                          "[10:00:09] *** Odd things\n[10:00:09] *** Joins: \nrubbish\n")
    made = subprocess.run([CONTROL, "import", file, tmp_path / "logs"], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "TZ": "UTC-2"})
    assert '"@time=2024-01-01T08:00:00.000Z :bob PRIVMSG #ring :first"' in made.stdout
    assert "\x01ACTION waves\x01" in made.stdout
    assert '"@time=2024-01-01T08:00:01.000Z :bob PRIVMSG #ring :an hour again"' in made.stdout
    assert made.stdout.index(":first") < made.stdout.index(":and mine")
    for line in ("02.000Z :x!y@z JOIN #ring", "03.000Z :x!y@2001:db8::1 PART #ring :so (long)", "04.000Z :x!y@z QUIT :", "05.000Z :ann KICK #ring bob :out",
                 "06.000Z :bob NICK :bobby", "07.000Z :ann TOPIC #ring :it's new", "08.000Z :ann MODE #ring +o bobby"):
        assert f'"@time=2024-01-01T08:00:{line}"' in made.stdout
    assert "libera: logs: 2 lines of what happened are in no form" in made.stderr and "1 lines are in no form" in made.stderr
    assert "127.0.0.2: no lines are in" in made.stderr


def test_soju_that_is_none(tmp_path):
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE x (y)")
    made = subprocess.run([CONTROL, "import", file], capture_output=True, text=True, timeout=120)
    assert made.returncode == 1 and "no database of soju" in made.stderr and not made.stdout


def test_znc(bouncer, tmp_path):
    file = tmp_path / "znc.conf"
    file.write_text(ZNC % {"finger": ":".join(["ab"] * 32)})
    orders, notes, given = taken(bouncer, file)
    assert given.returncode == 0, given.stdout
    for what in ("znc.conf:3: <Listener>", "LoadModule = fail2ban", "perform: its commands are not found",
                 "LoadModule = sasl", "QuitMsg", "a password by sha256"):
        assert what in notes, notes
    assert "chansaver" not in notes and "webadmin" not in notes and "AltNick" not in notes
    status = bouncer.good("network status", "ann")[0]
    assert status.startswith("libera (ircs://irc.libera.chat:6697 irc+insecure://irc.example.org:6667) [off] nick ann")
    assert sorted(bouncer.good("channel status", "ann")) == ["##main/libera [wanted] 0 members, 0 lines",
                                                             "#ring/libera [wanted, detached] 0 members, 0 lines"]
    assert "-burst \"7\" -interval-ms \"1500\"" in orders and "-pass \"let me in\"" in orders
    bouncer.client("bob", password="long enough 1").close()


def encoded(text):
    return "".join(c if c.isascii() and c.isalnum() else f"%{ord(c):02x};" for c in text)


def test_what_modules_of_znc_know(bouncer, tmp_path):
    """Files as ZNC 1.8 leaves them."""
    pair = certificate(tmp_path, "ann")
    (tmp_path / "configs").mkdir()
    file = tmp_path / "configs/znc.conf"
    file.write_text(f"""LoadModule = log
<User ann>
	Nick = ann
	LoadModule = simple_away -timer 5 gone for now
	LoadModule = perform
	<Network one>
		IRCConnectEnabled = true
		LoadModule = sasl
		LoadModule = nickserv
		LoadModule = keepnick
		LoadModule = stickychan
		LoadModule = savebuff
		Server = 127.0.0.1 1
		<Chan #ring>
			Buffer = 500
		</Chan>
	</Network>
	<Network two>
		IRCConnectEnabled = false
		LoadModule = cert
		LoadModule = sasl
		Server = 127.0.0.1 1
	</Network>
</User>
""")
    network = tmp_path / "users/ann/networks"
    files = {
        "../moddata/perform/.registry": {"Perform": "PRIVMSG X :hello you\nPRIVMSG Y :I am %nick%\n"},
        "one/moddata/sasl/.registry": {"username": "ann ", "password": "p%a b", "mechanisms": "PLAIN"},
        "one/moddata/nickserv/.registry": {"Password": "sesame"},
        "one/moddata/stickychan/.registry": {"#stuck": "key"},
        "two/moddata/sasl/.registry": {"mechanisms": "EXTERNAL PLAIN"},
    }
    for name, values in files.items():
        path = network / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{encoded(key)} {encoded(value)}\n" for key, value in values.items()))
    (network / "two/moddata/cert").mkdir(parents=True)
    (network / "two/moddata/cert/user.pem").write_bytes(pathlib.Path(pair[1]).read_bytes() + pathlib.Path(pair[0]).read_bytes())
    log = tmp_path / "moddata/log/ann/one/#ring"
    log.mkdir(parents=True)
    (log / "2024-01-01.log").write_text("[10:00:00] <bob> long ago\n[10:00:01] *** Joins: eve (e@host)\n")
    orders, notes, given = taken(bouncer, file)
    assert given.returncode == 0, given.stdout
    for what in ("simple_away", "savebuff", "holds what only ZNC fills in", "#ring: Buffer = 500"):
        assert what in notes, notes
    for what in ("keepnick", "LoadModule", "not found"):
        assert what not in notes, notes
    assert '-connect-command "PRIVMSG X :hello you"' in orders
    assert '-connect-command "PRIVMSG NickServ :IDENTIFY sesame"' in orders
    assert '-sasl-username "ann " -sasl-password "p%a b"' in orders
    assert [line.split("]")[0] for line in bouncer.good("network status", "ann") if line[0] != " "][1] == (
        "two (irc+insecure://127.0.0.1:1) [off")
    assert "[off]" not in bouncer.good("network status", "ann")[0]
    assert bouncer.good("sasl status -network two", "ann") == ["two: EXTERNAL"]
    assert hashlib.sha512(pem_der(pair[0])).hexdigest() in " ".join(bouncer.good("certfp fingerprint -network two", "ann"))
    status = bouncer.good("channel status", "ann")
    assert any(line.startswith("#stuck/one [wanted") for line in status)
    assert any("long ago" in line for line in bouncer.good("search long", "ann"))
    with sqlite3.connect(f"file:{next(pathlib.Path(bouncer.server.process.args[bouncer.server.process.args.index('--data') + 1]).glob('*.db'))}?mode=ro", uri=True) as db:
        assert db.execute("SELECT line FROM irc_lines WHERE line LIKE '%JOIN%'").fetchall() == [(":eve!e@host JOIN #ring",)]


def enciphered(text, password):
    """As savebuff writes it: Blowfish, CFB of 64 bits, by the MD5 of the password."""
    return subprocess.run(["openssl", "enc", "-bf-cfb", "-provider", "legacy", "-provider", "default", "-K", hashlib.md5(password.encode()).hexdigest(),
                           "-iv", "0" * 16], input=text.encode(), capture_output=True, check=True).stdout


def test_buffers_of_znc(tmp_path):
    (tmp_path / "configs").mkdir()
    file = tmp_path / "configs/znc.conf"
    networks = {"open": ("", "::__:NOPASS:__::"), "told": ("in the file", "in the file"), "asked": ("--ask-pass", "my own"), "other": ("", "changed since")}
    file.write_text("<User ann>\n\tNick = ann\n" + "".join(
        f"\t<Network {name}>\n\t\tLoadModule = savebuff {given}\n\t\tServer = 127.0.0.1 1\n\t</Network>\n" for name, (given, _) in networks.items()) + "</User>\n")
    for name, (_, password) in networks.items():
        folder = tmp_path / "users/ann/networks" / name / "moddata/savebuff"
        folder.mkdir(parents=True)
        (folder / "a1").write_bytes(enciphered(
            "::__:CHANBUFF:__::#ring\n@1700000000,123456 :bob!b@h PRIVMSG #ring {text}\nhello from " + name + "\n@1700000001,5000 :bob!b@h PRIVMSG #ring :\x01ACTION {text}\x01\n"
            "waves\n@9223372036854775,0 :bob!b@h PRIVMSG #ring {text}\nto come\n@1699999999,0 :curly\\{!b@h NOTICE #ring :{text}\n{text} stays\n@1700000003,0 :*buffextras!b@znc.in PRIVMSG #ring {text}\nx joined\n", password))
        if name == "open":
            old = "::__:SAVEBUFF:__::@1300000000 :bob!b@h PRIVMSG #Old :{text}\nof old\n@1400000000,7000 :eve!e@h NOTICE #Old {text}\nof 1.4\n:bob!b@h PRIVMSG #Old :without time\n"
            # The name is that of the user and the channel; what has another is not known.
            (folder / hashlib.md5(b"ann#old").hexdigest()).write_bytes(enciphered(old, password))
            (folder / "c3").write_bytes(enciphered(old, password))
        (folder / "b2").write_bytes(enciphered("::__:QUERYBUFF:__::bob\n@1700000000,0 :bob!b@h PRIVMSG {target} {text}\npsst\n", password))
    made = subprocess.run([CONTROL, "import", file], capture_output=True, text=True, timeout=120)
    for name in ("open", "told"):
        assert f'"@time=2023-11-14T22:13:20.123Z :bob!b@h PRIVMSG #ring :hello from {name}"' in made.stdout
    assert '"@time=2023-11-14T22:13:21.005Z :bob!b@h PRIVMSG #ring :\x01ACTION waves\x01" "@time=2023-11-14T22:13:21.005Z :curly{!b@h NOTICE #ring :{text} stays"' in made.stdout
    assert '"@time=2023-11-14T22:13:20.000Z :bob!b@h PRIVMSG ann :psst"' in made.stdout and 'data import -in "bob"' in made.stdout
    assert "open: savebuff: 2 lines of #ring are of no person" in made.stderr and "open: savebuff: 1 buffers are of a ZNC before 1.6" in made.stderr
    assert made.stdout.count("of old") == 1 and "without time" not in made.stdout and "open: savebuff: 1 lines of #Old are of no person" in made.stderr
    assert 'data import -in "#Old"' in made.stdout
    assert '"@time=2011-03-13T07:06:40.000Z :bob!b@h PRIVMSG #Old :of old" "@time=2014-05-13T16:53:20.007Z :eve!e@h NOTICE #Old :of 1.4"' in made.stdout
    assert "to come" not in made.stdout
    for name in ("asked", "other"):
        assert f"hello from {name}" not in made.stdout
        assert f"{name}: savebuff: 2 buffers are enciphered with another password: say it in ZNC_SAVEBUFF_PASS" in made.stderr
    made = subprocess.run([CONTROL, "import", file], capture_output=True, text=True, timeout=120, env={**os.environ, "ZNC_SAVEBUFF_PASS": "my own"})
    assert "hello from asked" in made.stdout and "hello from open" in made.stdout and "other: savebuff: 2 buffers" in made.stderr


def test_orders_one_by_one(bouncer):
    data = bouncer.server.process.args[bouncer.server.process.args.index("--data") + 1]
    given = subprocess.run([CONTROL, "--data", data, "irc", "-"], capture_output=True, text=True, timeout=120,
                           input="# a comment\n\nadmin nonsense\nadmin user update -nick ann\n")
    assert given.returncode == 1 and "3: admin nonsense: error unknown command" in given.stdout
    assert "4: admin user update -nick ann: ok admin was changed" in given.stdout
    for line in ("admin", "admin  ", '"x'):
        given = subprocess.run([CONTROL, "--data", data, "irc", "-"], capture_output=True, text=True, timeout=120, input=line)
        assert given.returncode == 1 and ": error an order is wanted" in given.stdout, given


def test_half_a_file_of_znc_makes_nothing(tmp_path):
    file = tmp_path / "znc.conf"
    file.write_text("Version = 1.8.2\n<User ann>\n Nick = ann\n <Network libera>\n  Server = irc.libera.chat +6697\n")
    made = subprocess.run([CONTROL, "import", file], capture_output=True, text=True, timeout=120)
    assert made.returncode == 1 and "a section has no end" in made.stderr and not made.stdout
