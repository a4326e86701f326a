"""The bouncer through upgrades: networks do not notice, and no line is lost, doubled or numbered twice."""
import contextlib
import random
import re
import sqlite3
import ssl
import subprocess
import time

import pytest

from fault_harness import SANITIZED
from irc import Client, FakeServer, certificate, fingerprint
from stage import CLIENTS, await_true
from test_irc import Bouncer, network, on_channel, say, secure
from test_irc_kill import again

pytestmark = pytest.mark.skipif(SANITIZED, reason="a sanitizer does not bear clone(CLONE_FILES)")


@pytest.fixture
def fake():
    servers = []

    def make(context=None):
        servers.append(FakeServer(context))
        return servers[-1]
    yield make
    for server in servers:
        server.close()


def is_kept(bouncer):
    with contextlib.closing(sqlite3.connect(f"file:{bouncer.data}/ringmain.db?mode=ro", uri=True)) as store:
        return store.execute("SELECT count(*) FROM irc_networks").fetchone()[0] > 0


def upgrade(bouncer):
    # The old server waits for its disk, but not for ever.
    await_true(lambda: is_kept(bouncer), 20)
    log = bouncer.server.log()
    took, ready = log.count("core took over"), log.count(" info core ready")
    answer = subprocess.run([CLIENTS / "ringmainctl", "--data", bouncer.data, "upgrade"], capture_output=True, text=True,
                            timeout=60, check=False)
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
    bouncer = make(serve, tmp_path)
    server = fake(context)
    client, up = on_channel(bouncer, server, options=options)
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
        client.send(f"PRIVMSG #ring :still here {turn}")
        up.expect(f"PRIVMSG #ring :still here {turn}")
    assert not up.closed and not [line for line in up.said if line.startswith("QUIT")]
    assert len(server.connections) == 1


def test_no_line_is_lost_or_doubled(serve, fake, tmp_path):
    """Lines come all the time, in bytes of any number; and numbers go on where they were."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
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
        client.gone(20)
        got += lines_of(client)
        up.send_bytes(data[cut:])
        client = again(bouncer)
    say(up, "end")
    client.expect(":end$", 20)
    got += lines_of(client)
    assert got == list(range(number)), [n for n in range(number) if got.count(n) != 1][:20]
    late = bouncer.client("admin/net@late", caps="batch server-time message-tags draft/chathistory")
    late.send("CHATHISTORY LATEST #ring * 1000")
    late.expect(":end$", 20)
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
    time.sleep(1.2)  # what was ordered a second ago is safe
    upgrade(bouncer)
    up.gone()
    up = server.accept(20)
    up.register(None)
    client = Client(bouncer.irc, "admin/net")
    client.sync()
