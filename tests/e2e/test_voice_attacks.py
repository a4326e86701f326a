"""What datagrams and TLS peers that mean no good do to voice rooms: they are counted and dropped, and
nobody else notices. Two workers throughout."""
import concurrent.futures
import contextlib
import json
import socket
import ssl
import struct
import subprocess
import time

import pytest

from stage import PATIENCE, await_true
from voice_rooms import SWARM, rooms_of, swarm

pytestmark = pytest.mark.real_time("datagrams wait for nobody, and those that come late are none")

VERSION, TUNNEL, AUTHENTICATE = 0, 1, 2
REJECT, SERVER_SYNC, TEXT = 4, 5, 11


@pytest.fixture(scope="module")
def rooms(shared_serve):
    return rooms_of(shared_serve)


# -- bad datagrams -----------------------------------------------------------------------------------

def test_junk_hurts_nobody_and_is_not_answered(rooms):
    strangers = rooms.counted("strangers", "junk", "forged", "stale")
    report = swarm(rooms.port, "junk", "--clients", 20, "--talkers", 2, "--junk", 10000, "--forge", 200,
                   "--list-pings", 0, seconds=3)
    assert report["junk"] > 10000 and report["junk_answers"] == 0
    assert report["heard"] == report["said"] * 19
    # The server may not keep up with all of it; what it reads it counts.
    assert rooms.counted("strangers", "junk", "forged", "stale") - strangers > report["junk"] / 2


@pytest.mark.parametrize("kind, counters", [
    ("tag", ["forged"]), ("body", ["forged"]), ("replay", ["replayed"]), ("moved", ["strangers"]),
    ("stale", ["stale", "replayed"]),
    ("short", ["forged", "junk"]), ("long", ["forged", "junk"]), ("xex", ["forged"]), ("plain", ["junk"]),
])
def test_forgeries_are_counted_and_dropped(rooms, kind, counters):
    before = rooms.counted(*counters)
    report = swarm(rooms.port, "junk", "--clients", 4, "--talkers", 2, "--forge", 40, "--forge-kinds", kind,
                   "--junk", 0, "--list-pings", 0, seconds=3 if kind == "stale" else 1.2)
    made = report[f"forged_{kind}"]
    assert made >= 20 and report["heard"] == report["said"] * 3
    found = rooms.counted(*counters) - before
    if kind == "stale":  # what is kept for it was good the first time
        assert found > made / 4
    else:
        assert found == made


def test_lists_of_servers_are_rationed(rooms):
    told = rooms.counted("list_pings")
    report = swarm(rooms.port, "junk", "--clients", 2, "--talkers", 1, "--junk", 0, "--forge", 0,
                   "--list-pings", 1000, seconds=3)
    # Twice the bytes of what is answered, which is the protocol's; far fewer of what is asked.
    assert 10 <= report["list_told"] < report["list_asked"] / 8
    assert report["list_told_bytes"] < report["list_asked_bytes"] / 4
    # What was on its way when it ended it does not know.
    assert report["list_told"] <= rooms.counted("list_pings") - told < report["list_asked"] / 8


def test_a_spoofed_join_gets_no_voice(rooms):
    """What the seed of all this let anybody do: a datagram that says who it is, and voice comes."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as victim:
        victim.bind(("127.0.0.1", 0))
        victim.setblocking(False)
        sessions = range(1, 200)
        process = subprocess.Popen([SWARM, "talk", "--clients", "4", "--seconds", "2", "--sources", "0",
                                    f"127.0.0.1:{rooms.port}"], stdout=subprocess.PIPE)
        while b"talking" not in process.stdout.readline():
            assert process.poll() is None
        for session in sessions:
            for head in (b"\x20", b"\x80" + bytes([session & 127]), b"\x01\x08" + bytes([session & 127]),
                         struct.pack(">qI", -2, session)):
                victim.sendto(head + b"\0" * 20, ("127.0.0.1", rooms.port))
        report = json.loads(process.stdout.read().splitlines()[-1])
        assert process.wait(60) == 0, report
        with pytest.raises(BlockingIOError):
            victim.recv(2048)


# -- bad connections -----------------------------------------------------------------------------------

def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def text_field(number, text):
    text = text.encode() if isinstance(text, str) else text
    return varint(number << 3 | 2) + varint(len(text)) + text


def frame(kind, body=b""):
    return struct.pack(">HI", kind, len(body)) + body


class Peer:
    """A TLS connection that says what it wants."""

    def __init__(self, port):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.tls = context.wrap_socket(socket.create_connection(("127.0.0.1", port), PATIENCE))
        self.got = b""

    def login(self, name):
        self.say(frame(VERSION, varint(1 << 3) + varint(1 << 16 | 4 << 8)) +
                 frame(AUTHENTICATE, text_field(1, name) + b"\x28\x01"))
        self.await_frame(SERVER_SYNC)

    def say(self, data):
        self.tls.sendall(data)

    def next_frame(self):
        """Its type and body; None when the server has closed."""
        while len(self.got) < 6 or len(self.got) < 6 + struct.unpack(">I", self.got[2:6])[0]:
            try:
                piece = self.tls.recv(65536)
            except (ConnectionError, ssl.SSLError):
                return None
            if not piece:
                return None
            self.got += piece
        kind, length = struct.unpack(">HI", self.got[:6])
        body, self.got = self.got[6:6 + length], self.got[6 + length:]
        return kind, body

    def await_frame(self, wanted):
        while True:
            found = self.next_frame()
            assert found, f"closed before a frame of type {wanted}"
            assert found[0] != REJECT, found
            if found[0] == wanted:
                return found[1]

    def is_closed(self):
        while self.next_frame():
            pass
        return True

    def close(self):
        with contextlib.suppress(OSError):
            self.tls.close()


@pytest.fixture
def peers(rooms):
    there = []

    def come():
        there.append(Peer(rooms.port))
        return there[-1]
    yield come
    for peer in there:
        peer.close()


def meanwhile(rooms):
    """Somebody else's talk at the same time, in the background: its report is the result."""
    pool = concurrent.futures.ThreadPoolExecutor(1)
    return pool.submit(swarm, rooms.port, "talk", "--clients", 6, "--talkers", 2)


def test_peers_that_stall_in_their_handshake_hold_nobody_up(rooms):
    with contextlib.ExitStack() as stack:
        stalled = []
        for i in range(60):
            s = stack.enter_context(socket.create_connection(("127.0.0.1", rooms.port)))
            # Nothing, the head of a record, or half a ClientHello.
            s.sendall([b"", b"\x16\x03\x01\x02\x00", b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c\x03\x03"][i % 3])
            stalled.append(s)
        swarm(rooms.port, "talk", "--clients", 6, "--talkers", 2)
        for s in stalled:  # and they do not stay for ever
            s.settimeout(PATIENCE)
            with contextlib.suppress(ConnectionError):
                assert s.recv(100) == b"" or s.recv(1) == b""


def test_what_is_no_tls_is_closed(rooms):
    with socket.create_connection(("127.0.0.1", rooms.port)) as s:
        s.settimeout(PATIENCE)
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while s.recv(4096):
                pass


def test_voice_before_membership_is_not_heard(rooms, peers):
    other = meanwhile(rooms)
    peer = peers()
    before = rooms.counted("silenced")
    packet = b"\x80\x01\x05hello"
    for _ in range(50):
        peer.say(frame(TUNNEL, packet))
    await_true(lambda: rooms.counted("silenced") - before >= 50, 20)
    assert other.result()["torn"] == 0  # what they hear is the swarm's alone


def test_who_asks_without_end_is_sent_away(rooms, peers):
    other = meanwhile(rooms)
    before = rooms.counted("floods")
    peer = peers()
    peer.login(f"flood{time.monotonic_ns()}")
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        for _ in range(5000):
            peer.say(frame(TEXT, b"\x18\x00" + text_field(5, "again")))
    assert peer.is_closed()
    assert rooms.counted("floods") == before + 1
    other.result()


def test_a_flood_of_voice_is_cut_to_what_one_may_send(rooms, peers):
    other = meanwhile(rooms)
    before = rooms.counted("over_bandwidth")
    peer = peers()
    peer.login(f"loud{time.monotonic_ns()}")
    loopback = b"\x9f\x01\x43\x20" + b"x" * 800
    for _ in range(500):
        peer.say(frame(TUNNEL, loopback))
    await_true(lambda: rooms.counted("over_bandwidth") - before > 300, 20)
    other.result()


@pytest.mark.parametrize("head", [
    struct.pack(">HI", AUTHENTICATE, 0xffffffff), struct.pack(">HI", VERSION, 1 << 20),
    struct.pack(">HI", 0xffff, 1 << 24), struct.pack(">HI", TUNNEL, 100000)],
    ids=["4-gigabytes", "a-megabyte", "unknown-type", "tunnel"])
@pytest.mark.parametrize("inside", [False, True], ids=["stranger", "member"])
def test_huge_frames_are_refused_unread(rooms, peers, head, inside):
    peer = peers()
    if inside:
        peer.login(f"huge{time.monotonic_ns()}")
    before = rooms.counted("bad_messages")
    peer.say(head + b"\0" * 512)
    assert peer.is_closed()
    assert rooms.counted("bad_messages") > before


def test_what_cannot_be_read_ends_nobody_else(rooms, peers):
    other = meanwhile(rooms)
    before = rooms.counted("bad_messages")
    for kind in range(27):
        peer = peers()
        if kind % 2:
            peer.login(f"odd{kind}-{time.monotonic_ns()}")
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            peer.say(frame(kind, b"\xff" * 11) + frame(kind, b"\x0a\x7f") + frame(kind, b""))
    await_true(lambda: rooms.counted("bad_messages") - before >= 27, 20)
    other.result()
