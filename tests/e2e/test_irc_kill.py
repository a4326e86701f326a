"""kill -9 at random moments: no line that is older than a second is lost, and none is told twice."""
import os
import random
import re
import time

import pytest

from irc import Client, FakeServer
from stage import await_true
from test_irc import Bouncer, kill_server, network

ROUNDS = int(os.environ.get("RINGMAIN_ROUNDS", "8"))


def test_kills(serve):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    fake = FakeServer()
    bouncer = Bouncer(serve)
    up = network(bouncer, fake)
    up.register(None)
    client = bouncer.client("admin/net@one")
    client.send("JOIN #ring")
    up.joins("#ring", "bob")
    client.expect("366")
    time.sleep(1.2)  # what was ordered a second ago is safe
    number, said, got = 0, {}, []
    for _ in range(ROUNDS):
        for _ in range(chance.randrange(20, 200)):
            up.send(f":bob!b@h PRIVMSG #ring :n{number}")
            said[number] = time.monotonic()
            number += 1
            if chance.random() < 0.05:
                client.read()
            if chance.random() < 0.02:
                client.close()
                collect(client, got)
                client = bouncer.client("admin/net@one")
        killed = time.monotonic()
        kill_server(bouncer)
        client.gone(20)
        collect(client, got)
        up = fake.accept(30)
        up.register(None)
        up.joins("#ring", "bob")
        client = again(bouncer)
        # What was said within the last second before the end may be lost; it is not said again.
        for n in [n for n, at in said.items() if at > killed - 1.2]:
            del said[n]
    up.send(":bob!b@h PRIVMSG #ring :end")
    client.expect(":end", 20)
    collect(client, got)
    assert len(got) == len(set(got)), sorted(n for n in set(got) if got.count(n) > 1)
    missing = sorted(set(said) - set(got))
    assert not missing, missing
    fake.close()


def again(bouncer):
    """The door may be a moment away."""
    clients = []

    def knock():
        try:
            clients.append(Client(bouncer.irc, "admin/net@one"))
        except OSError:
            return False
        return True
    await_true(knock, 20)
    return clients[0]


def collect(client, got):
    while not client.closed and client.socket.fileno() >= 0:
        before = len(client.said)
        client.read()
        if len(client.said) == before:
            break
    got += [int(m[1]) for m in (re.search(r"PRIVMSG #ring :n(\d+)$", line) for line in client.said) if m]
    client.said, client.at = [], 0
