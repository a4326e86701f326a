"""Users, networks and channels of soju and ZNC, taken over into a running server."""
import sqlite3
import subprocess

import pytest

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
    sasl_plain_password TEXT, auto_away INTEGER, enabled INTEGER);
CREATE TABLE Channel (id INTEGER PRIMARY KEY, network INTEGER, name TEXT, key TEXT, detached INTEGER,
    relay_detached INTEGER, reattach_on INTEGER, detach_after INTEGER, detach_on INTEGER);
CREATE TABLE DeviceCertificate (id INTEGER PRIMARY KEY, user INTEGER, label TEXT, fingerprint TEXT);
CREATE TABLE Message (id INTEGER PRIMARY KEY, raw TEXT);
INSERT INTO User VALUES (1, 'ann', :ann, 0, 'Ann of the "Ring"', 'annie', 1, 5), (2, 'bob', NULL, 1, NULL, NULL, 0, -1),
    (3, 'bad name', NULL, 0, NULL, NULL, 1, -1);
INSERT INTO Network VALUES
    (1, 'libera', 1, 'ircs://127.0.0.1:1', 'ann_', NULL, NULL, NULL, 'pw', 'PRIVMSG a :b c' || char(13, 10) || 'MODE ann_ +i',
     'PLAIN', 'ann', 's"ecret\\', 1, 0),
    (2, NULL, 1, 'irc+insecure://127.0.0.2:6669', NULL, NULL, NULL, NULL, NULL, NULL, 'EXTERNAL', NULL, NULL, 0, 0);
INSERT INTO Channel VALUES (1, 1, '#ring', 'key', 1, 2, 3, 3600, 1), (2, 2, '#main', NULL, 0, 0, 0, 0, 0);
INSERT INTO DeviceCertificate VALUES (1, 1, 'phone', :finger);
INSERT INTO Message VALUES (1, 'x'), (2, 'y');
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
    made = subprocess.run([CONTROL, "import", file], capture_output=True, text=True, timeout=20)
    assert made.returncode == 0, made
    data = bouncer.server.process.args[bouncer.server.process.args.index("--data") + 1]
    given = subprocess.run([CONTROL, "--data", data, "irc", "-"], input=made.stdout, capture_output=True, text=True,
                           timeout=60)
    return made.stdout, made.stderr, given


def test_soju(bouncer, tmp_path):
    file = tmp_path / "main.db"
    with sqlite3.connect(file) as db:
        db.executescript(SOJU.replace(":ann", f"'{BCRYPT}'").replace(":finger", "'" + "ab" * 64 + "'"))
    orders, notes, given = taken(bouncer, file)
    assert given.returncode == 0, given.stdout
    assert "bad name cannot be a name" in notes and "Message: 2 lines" in notes and "EXTERNAL" in notes
    assert "bob: has no password" in notes
    client = bouncer.client("ann", password="ann's own password", nick="x")
    status = client.service("network status")
    assert status[0].startswith("libera (ircs://127.0.0.1:1) [off] nick ann_")
    assert status[1].startswith("127.0.0.2 (irc+insecure://127.0.0.2:6669) [off] nick annie")
    assert client.service("sasl status -network libera") == ["libera: PLAIN as ann"]
    assert "#ring/libera [wanted, detached] 0 members, 0 lines" in client.service("channel status")
    assert client.service("device status") == ["phone (certificate) never used"]
    assert bouncer.good("user status")[1:] == ["ann", "bob (disabled)"]
    again = taken(bouncer, file)[2]
    assert again.returncode == 1 and "already" in again.stdout


def test_soju_that_is_none(tmp_path):
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE x (y)")
    made = subprocess.run([CONTROL, "import", file], capture_output=True, text=True, timeout=20)
    assert made.returncode == 1 and "no database of soju" in made.stderr and not made.stdout


def test_znc(bouncer, tmp_path):
    file = tmp_path / "znc.conf"
    file.write_text(ZNC % {"finger": ":".join(["ab"] * 32)})
    orders, notes, given = taken(bouncer, file)
    assert given.returncode == 0, given.stdout
    for what in ("znc.conf:3: <Listener>", "LoadModule = fail2ban", "LoadModule = perform", "LoadModule = sasl",
                 "QuitMsg", "a password by sha256"):
        assert what in notes, notes
    assert "chansaver" not in notes and "webadmin" not in notes and "AltNick" not in notes
    status = bouncer.good("network status", "ann")[0]
    assert status.startswith("libera (ircs://irc.libera.chat:6697 irc+insecure://irc.example.org:6667) [off] nick ann")
    assert sorted(bouncer.good("channel status", "ann")) == ["##main/libera [wanted] 0 members, 0 lines",
                                                             "#ring/libera [wanted, detached] 0 members, 0 lines"]
    assert "-burst \"7\" -interval-ms \"1500\"" in orders and "-pass \"let me in\"" in orders
    bouncer.client("bob", password="long enough 1").close()


def test_orders_one_by_one(bouncer):
    data = bouncer.server.process.args[bouncer.server.process.args.index("--data") + 1]
    given = subprocess.run([CONTROL, "--data", data, "irc", "-"], capture_output=True, text=True, timeout=20,
                           input="# a comment\n\nadmin nonsense\nadmin user update -nick ann\n")
    assert given.returncode == 1 and "unknown command" in given.stdout and "admin was changed" in given.stdout
