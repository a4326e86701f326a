"""The bouncer through upgrades: networks do not notice, and no line is lost, doubled or numbered twice."""
import contextlib
import re
import sqlite3
import ssl
import subprocess
import threading

import pytest

from fault_harness import SANITIZED
from irc import Client, certificate, fingerprint
from stage import CLIENTS, await_true, drawn, free_ports
from test_irc import Bouncer, network, on_channel, say, secure
from test_irc_identd import ask
from test_irc_kill import again

pytestmark = pytest.mark.skipif(SANITIZED, reason="a sanitizer does not bear clone(CLONE_FILES)")


def is_kept(bouncer):
    with contextlib.closing(sqlite3.connect(f"file:{bouncer.data}/ringmain.db?mode=ro", uri=True)) as store:
        return store.execute("SELECT count(*) FROM irc_networks").fetchone()[0] > 0


def upgrade(bouncer):
    # The old server waits for its disk, but not for ever.
    await_true(lambda: is_kept(bouncer), 60)
    log = bouncer.server.log()
    took, ready = log.count("core took over"), log.count(" info core ready")
    answer = subprocess.run([CLIENTS / "ringmainctl", "--data", bouncer.data, "upgrade"], capture_output=True, text=True,
                            timeout=120, check=False)
    assert answer.returncode == 0, (answer.stdout, answer.stderr, bouncer.server.log()[-2000:])
    await_true(lambda: bouncer.server.log().count("core took over") > took
               and bouncer.server.log().count(" info core ready") > ready, 30, bouncer.server.log)


def make(serve, tmp_path, settings=None):
    bouncer = Bouncer(serve, settings)
    bouncer.data = next(tmp_path.glob("data-*"))
    return bouncer


@pytest.mark.parametrize("tls", [None, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["plain", "1.2", "1.3"])
def test_a_network_does_not_notice(serve, fake, tmp_path, tls):
    context, options = None, ""
    if tls:
        pair = certificate(tmp_path, "upstream")
        context, options = secure(pair), f"-certfp {fingerprint(pair[0])}"
        context.maximum_version = tls
    port = free_ports()
    bouncer = make(serve, tmp_path, {"irc.identd": f"127.0.0.1:{port}"})
    server = fake(context)
    client, up = on_channel(bouncer, server, options=options)
    ends = f"{up.socket.getpeername()[1]} , {server.port}"
    known = ask(port, f"{ends}\r\n")
    assert known.startswith(f"{ends} : USERID : UNIX : ")
    up.send(":bob!b@h TOPIC #ring :what it is about", ":carol!c@h JOIN #ring", ":fake MODE #ring +o carol")
    client.expect("carol.* JOIN|MODE #ring")
    for turn in range(3):
        say(up, f"before {turn}")
        client.expect(f"before {turn}")
        up.send_bytes(f":bob!b@h PRIVMSG #ring :the first half {turn}".encode())
        upgrade(bouncer)
        client.gone()
        up.send_bytes(b", and the second\r\n")
        say(up, f"after {turn}")
        client = again(bouncer)
        client.expect(f"after {turn}")
        assert [line for line in client.said if f"the first half {turn}, and the second" in line]
        assert not [line for line in client.said if f"before {turn}" in line]
        names = next(line for line in client.said if " 353 " in line)
        assert sorted(names.split(" :")[1].split()) == ["@carol", "ann", "bob"]
        assert [line for line in client.said if " 332 " in line and "what it is about" in line]
        assert ask(port, f"{ends}\r\n") == known
        client.send(f"PRIVMSG #ring :still here {turn}")
        up.expect(f"PRIVMSG #ring :still here {turn}")
    assert not up.closed and not [line for line in up.said if line.startswith("QUIT")]
    assert len(server.connections) == 1


def test_no_line_is_lost_or_doubled(serve, fake, tmp_path):
    """Lines come all the time, in bytes of any number; and numbers go on where they were."""
    chance = drawn()
    bouncer = make(serve, tmp_path)
    client, up = on_channel(bouncer, fake(), login="admin/net@one")
    number, got = 0, []
    for _ in range(4):
        data = b"".join(b":bob!b@h PRIVMSG #ring :n%d %s\r\n" % (number + i, b"x" * chance.randrange(200))
                        for i in range(2000))
        number += 2000
        cut = chance.randrange(len(data))
        up.send_bytes(data[:cut])
        if chance.random() < 0.5:
            client.expect(":n")
        upgrade(bouncer)
        client.gone()
        got += lines_of(client)
        up.send_bytes(data[cut:])
        client = again(bouncer)
    say(up, "end")
    client.expect(":end$")
    got += lines_of(client)
    assert got == list(range(number)), [n for n in range(number) if got.count(n) != 1][:20]
    late = bouncer.client("admin/net@late", caps="batch server-time message-tags draft/chathistory")
    late.send("CHATHISTORY LATEST #ring * 1000")
    late.expect(":end$")
    numbers = [int(m[1]) for m in (re.search(r"msgid=rm-[0-9a-f]+-([0-9a-f]+)-", line) and
                                   re.search(r":n(\d+) ", line) for line in late.said) if m]
    assert numbers == list(range(number - 999, number))


def lines_of(client):
    return [int(m[1]) for m in (re.search(r"PRIVMSG #ring :n(\d+) ", line) for line in client.said) if m]


def test_one_that_is_not_up_yet_is_made_anew(serve, fake, tmp_path):
    bouncer = make(serve, tmp_path)
    server = fake()
    up = network(bouncer, server)
    up.expect("USER")
    upgrade(bouncer)
    up.gone()
    up = server.accept()
    up.register(None)
    client = Client(bouncer.irc, "admin/net")
    client.sync()


def test_what_was_answered_is_known(serve, fake, tmp_path):
    """Orders are given all the time: what the old server has said yes to is there with the new one, and so is who spoke."""
    bouncer = make(serve, tmp_path, {"irc.networks": "10000"})
    client, up = on_channel(bouncer, fake())
    yes, over = [], threading.Event()

    def order():
        number = 0
        while not over.is_set():
            one = bouncer.client("admin@orders")
            while not over.is_set() and not one.closed:
                number += 1
                with contextlib.suppress(OSError):
                    one.send(f"PRIVMSG BouncerServ :network create -addr irc+insecure://127.0.0.1:1 -name n{number} -enabled no",
                             f"PING {number}")
                while not one.closed and not any(f":{number}" in line for line in one.said if "PONG" in line):
                    one.read()
                if any(f"n{number} was created" in line for line in one.said):
                    yes.append(f"n{number}")
                one.said.clear()
                one.at = 0
            one.close()
    thread = threading.Thread(target=order)
    thread.start()
    try:
        for turn in range(3):
            had = len(yes)
            await_true(lambda had=had: len(yes) > had + 20, 20)
            up.send_bytes(b"".join(b":p%d_%d!b@h PRIVMSG ann :hello\r\n" % (turn, i) for i in range(300)))
            upgrade(bouncer)
    finally:
        over.set()
        thread.join(30)
    client = again(bouncer)
    up.send("PING heard")
    up.expect("PONG .*heard", 20)
    known = {line.split()[0] for line in client.service("network status", 20)}
    assert not [name for name in yes if name not in known], (len(yes), len(known))

    def spoken():
        with contextlib.closing(sqlite3.connect(f"file:{bouncer.data}/ringmain.db?mode=ro", uri=True)) as store:
            return [row[0] for row in store.execute("SELECT name FROM irc_buffers WHERE name LIKE 'p%'")]
    await_true(lambda: len(spoken()) == 900 == len(set(spoken())), 20, lambda: len(spoken()))
