"""kill -9 at random moments: no line that was on disk is lost, and none is told twice."""
import os
import re

import pytest

from fault_harness import SANITIZED
from irc import Client, FakeServer, await_kept, stored
from stage import await_true, drawn
from test_irc import Bouncer, kill_server, network

ROUNDS = int(os.environ.get("RINGMAIN_ROUNDS", "8"))


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's build has no keeper")
def test_kills(serve):
    chance = drawn()
    fake = FakeServer()
    bouncer = Bouncer(serve)
    up = network(bouncer, fake)
    up.register(None)
    client = bouncer.client("admin/net@one")
    client.send("JOIN #ring")
    up.joins("#ring", "bob")
    client.expect("366")
    await_kept(bouncer.server)
    number, safe, excused, got = 0, set(), set(), []
    for turn in range(ROUNDS):
        begin = number
        for _ in range(chance.randrange(20, 200)):
            up.send(f":bob!b@h PRIVMSG #ring :n{number}")
            number += 1
            if chance.random() < 0.05:
                client.read()
            if chance.random() < 0.01:
                client.close()
                collect(client, got)
                # What its machine had and it did not read is its own loss.
                excused |= set(range(max(got, default=-1) + 1, number))
                client = bouncer.client("admin/net@one")
        # Every other time all is on disk first, without anybody who asks for it; else what just is.
        if turn % 2:
            await_true(lambda: set(range(begin, number)) <= kept(bouncer), 60, lambda: (begin, number, kept(bouncer)))
        safe |= kept(bouncer)
        kill_server(bouncer)
        client.gone()
        collect(client, got)
        up = fake.accept()
        up.register(None)
        up.joins("#ring", "bob")
        client = again(bouncer)
    up.send(":bob!b@h PRIVMSG #ring :end")
    client.expect(":end")
    collect(client, got)
    assert len(got) == len(set(got)), sorted(n for n in set(got) if got.count(n) > 1)
    assert len(safe - excused) >= 100
    missing = sorted(safe - excused - set(got))
    assert not missing, missing
    fake.close()


def kept(bouncer):
    """The numbers of the lines that are on disk."""
    found = (re.search(r"PRIVMSG #ring :n(\d+)$", line) for (line,) in stored(bouncer.server, "SELECT line FROM irc_lines"))
    return {int(m[1]) for m in found if m}


def again(bouncer):
    """The door may be a moment away."""
    clients = []

    def knock():
        try:
            clients.append(Client(bouncer.irc, "admin/net@one"))
        except OSError:
            return False
        return True
    await_true(knock, 60)
    return clients[0]


def collect(client, got):
    while not client.closed and client.socket.fileno() >= 0:
        before = len(client.said)
        client.read()
        if len(client.said) == before:
            break
    got += [int(m[1]) for m in (re.search(r"PRIVMSG #ring :n(\d+)$", line) for line in client.said) if m]
    client.said, client.at = [], 0
