"""Bursts that no client reads as fast as they come: each line once and in order, or its loss is said."""
import re
import select
import socket
import threading
import time

from stage import await_true
from test_irc import Bouncer, on_channel

LINES = 20000


def read_all(clients, last, seconds=240):
    """What each was sent, until all have had the last line; some read slowly and little at a time, and one not at all
    before the first has all of it."""
    data = {client.socket.fileno(): bytearray() for client in clients}
    sockets = {client.socket.fileno(): client.socket for client in clients}
    slow = {client.socket.fileno() for client in clients[::2]}
    held = {clients[-1].socket.fileno()}
    end = time.monotonic() + seconds
    waiting = set(data)
    while waiting:
        assert time.monotonic() < end, {fd: bytes(data[fd][-200:]) for fd in waiting}
        if len(waiting) < len(data):
            held = set()
        ready = select.select(list(waiting - slow - held) or list(waiting - held), [], [], 0.05)[0] \
            or select.select(list(waiting - held), [], [], 1)[0]
        for fd in ready:
            data[fd] += sockets[fd].recv(4096 if fd in slow else 262144)
            if last in data[fd][-2000:]:
                waiting.discard(fd)
    return [data[client.socket.fileno()].decode() for client in clients]


def test_each_client_gets_each_line_once(serve, fake):
    """Several clients of one name, more names than are remembered, and rings of a hundred lines."""
    bouncer = Bouncer(serve, {"irc.ring": "16k", "irc.devices": "2", "irc.clients": "20"})
    first, up = on_channel(bouncer, fake(), login="admin/net@first")
    clients = [bouncer.client(f"admin/net{name}") for name in ["", "", "@a", "@a", "@b", "@c", "@d", "@e"]]
    for client in clients:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        client.sync()
    lines = []
    for i in range(LINES):
        lines.append(f":bob!b@h PRIVMSG #ring :{i:06} {'x' * 60}")
        if i % 500 == 7:
            lines += [f":guest{i}!g@h JOIN #ring", f":guest{i}!g@h NICK visitor{i}", f":visitor{i}!g@h QUIT :bye"]
    lines.append(":bob!b@h PRIVMSG #ring :the last")
    sender = threading.Thread(target=lambda: up.send(*lines))
    sender.start()
    for text in read_all([first, *clients], b"PRIVMSG #ring :the last\r\n"):
        assert [int(n) for n in re.findall(r"PRIVMSG #ring :(\d{6}) x{60}\r\n", text)] == list(range(LINES))
        assert "are lost" not in text
        for verb in ("JOIN", "NICK", "QUIT"):
            assert len(re.findall(rf"^:(?:guest|visitor)\d+!g@h {verb} ", text, re.M)) == (LINES + 492) // 500
    sender.join()
    metrics = bouncer.server.get("/metrics").text
    assert int(re.search(r"irc_laps_total (\d+)", metrics)[1]) > 0


def test_what_is_lost_is_said(serve, fake):
    """Lines that are nobody's history live in one ring alone: who is slower than that is told how many went."""
    bouncer = Bouncer(serve, {"irc.ring": "16k"})
    client, up = on_channel(bouncer, fake(), login="admin/net@fast")
    dead = bouncer.client("admin/net@dead")
    dead.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    dead.sync()
    for i in range(0, LINES, 50):
        up.send(*(f":fake.server NOTICE ann :{k:06} {'x' * 300}" for k in range(i, i + 50)))
        client.expect(f"{i + 49:06} x")
    up.send(":bob!b@h PRIVMSG #ring :the last")
    client.expect("the last")
    assert len([line for line in client.said if re.search(r"NOTICE ann :\d{6}", line)]) == LINES
    dead.expect("the last")
    got = [int(m[1]) for m in (re.search(r"NOTICE ann :(\d{6})", line) for line in dead.said) if m]
    lost = [int(m[1]) for m in (re.search(r"NOTICE ann :(\d+) lines of net are lost", line) for line in dead.said) if m]
    assert got == sorted(set(got)) and lost and len(got) + sum(lost) == LINES


def test_an_old_backlog_is_not_repeated_unsaid(serve, fake):
    bouncer = Bouncer(serve, {"irc.backlog": "100"})
    client, up = on_channel(bouncer, fake(), login="admin/net@one")
    other = bouncer.client("admin/net@two")
    other.sync()
    other.close()
    await_true(lambda: "irc_clients 1\n" in bouncer.server.get("/metrics").text, 10)
    up.send(*(f":bob!b@h PRIVMSG #ring :m{i}" for i in range(300)))
    client.expect(":m299$")
    other = bouncer.client("admin/net@two")
    assert int(other.expect("older lines of #ring are not repeated").params[-1].split()[0]) == 200
    assert [m[1] for m in (re.search(r":m(\d+)$", line) for line in other.until(":m299$")) if m] \
        == [str(i) for i in range(200, 299)]
