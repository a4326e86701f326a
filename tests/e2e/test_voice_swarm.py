"""Voice rooms under load and attack: what ringmain-voiceswarm checks, bit for bit, and what TLS peers
may do that mean no good. Two workers throughout."""
import concurrent.futures
import contextlib
import json
import re
import socket
import ssl
import struct
import subprocess
import time

import pytest

from mumble_server import MumbleServer
from stage import CLIENTS, await_true, free_ports, need, run as run_program

SWARM = CLIENTS / "voice" / "ringmain-voiceswarm"
SUPERUSER = "the key of all rooms"
VERSION, TUNNEL, AUTHENTICATE, PING = 0, 1, 2, 3
REJECT, SERVER_SYNC, USER_STATE, TEXT = 4, 5, 9, 11


class Rooms:
    def __init__(self, server, port):
        self.server, self.port = server, port

    def counted(self, *names):
        """The metrics of these names, summed."""
        said = self.server.get("/metrics").text
        return sum(int(float(n)) for name in names
                   for n in re.findall(rf"^ringmain_voice_{name}(?:_total)? ([0-9.e+]+)$", said, re.M))


def rooms_of(serve, settings=None):
    port = free_ports()
    server = serve({"voice.listen": f"127.0.0.1:{port}", "voice.superuser_password": SUPERUSER,
                    "workers": "2", **(settings or {})})
    return Rooms(server, port)


@pytest.fixture(scope="module")
def rooms(shared_serve):
    return rooms_of(shared_serve)


def swarm(port, mode, *options, good=True, seconds=1.2):
    """Its report."""
    done = run_program([SWARM, mode, "--seconds", seconds, "--superuser", SUPERUSER, "--tick", "2",
                        "--join-seconds", "30", *options, f"127.0.0.1:{port}"], seconds=90)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["event"] == "report"
    assert report["good"] == good and done.returncode == (0 if good else 1), report
    return report


# -- what is said arrives, and nowhere else ----------------------------------------------------------

def test_every_payload_reaches_its_room_alone(rooms):
    report = swarm(rooms.port, "talk", "--clients", 24, "--rooms", 3, "--talkers", 2, "--mixed",
                   "--tunnel", 6, "--processes", 2)
    assert report["heard"] == report["said"] * 7
    assert report["sent_udp"] and report["heard_tunnel"] and report["heard_udp"]


def test_large_and_small_payloads_stay_whole(rooms):
    report = swarm(rooms.port, "talk", "--clients", 6, "--talkers", 3, "--size", 48, "--vary", 850,
                   "--mixed")
    assert report["heard"] == report["said"] * 5


def test_a_crowd_that_both_workers_send_to(serve):
    rooms = rooms_of(serve, {"voice.slice": "16"})
    report = swarm(rooms.port, "talk", "--clients", 140, "--talkers", 3, "--tunnel", 10)
    assert report["heard"] == report["said"] * 139


def test_speech_that_waits_for_another_speakers(serve):
    rooms = rooms_of(serve, {"voice.gather": "10ms"})
    report = swarm(rooms.port, "talk", "--clients", 12, "--talkers", 6, "--size", 80, "--vary", 0)
    assert report["heard"] == report["said"] * 11


def test_through_the_tunnel(rooms):
    report = swarm(rooms.port, "tcp", "--clients", 12, "--rooms", 2, "--mixed")
    assert report["heard_tunnel"] == report["heard"] == report["said"] * 5
    assert report["heard_udp"] == 0


def test_the_deaf_hear_nothing_and_the_mute_are_not_heard(rooms):
    before = rooms.counted("silenced")
    report = swarm(rooms.port, "hush", "--clients", 12, "--rooms", 2, "--talkers", 2, seconds=3)
    assert report["said"] * 5 > report["heard"] > 0
    assert rooms.counted("silenced") > before


def test_other_ports_are_found_at_once(rooms):
    before = rooms.counted("rebinds")
    # All from one address: which of them it is has to be found out.
    report = swarm(rooms.port, "rebind", "--clients", 16, "--talkers", 4, "--rebind", 0.15, "--sources", 1,
                   "--mixed", seconds=5)
    assert report["rebinds"] >= 5 and report["healed"] == report["rebinds"]
    assert report["heal_ms"]["max"] < 1000
    assert rooms.counted("rebinds") - before >= report["rebinds"]


def test_debians_server_is_heard_as_well(shared_crew):
    need("murmurd")
    server = MumbleServer(shared_crew)
    report = swarm(server.port, "talk", "--clients", 10, "--talkers", 3, "--tunnel", 3)
    assert report["heard"] == report["said"] * 9


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
    ("tag", ["forged"]), ("body", ["forged"]), ("replay", ["replayed"]), ("stale", ["stale", "replayed"]),
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
    assert 10 <= report["list_told"] < 100 < 1500 < report["list_asked"]
    assert report["list_told_bytes"] < report["list_asked_bytes"] / 4
    assert rooms.counted("list_pings") - told == report["list_told"]


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
        self.tls = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10))
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

    def is_closed(self, seconds=20):
        self.tls.settimeout(seconds)
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
            s.settimeout(40)
            with contextlib.suppress(ConnectionError):
                assert s.recv(100) == b"" or s.recv(1) == b""


def test_what_is_no_tls_is_closed(rooms):
    with socket.create_connection(("127.0.0.1", rooms.port)) as s:
        s.settimeout(20)
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


def test_the_swarm_says_so_when_something_is_wrong(rooms):
    """That it can fail: a wrong password lets nobody in, and an address without a server."""
    assert run_program([SWARM, "talk", "--clients", 2, "--seconds", "0.2", "--join-seconds", "2",
                        "127.0.0.1:1"], seconds=30).returncode == 1
    assert run_program([SWARM, "talk", "--rooms", "2", "127.0.0.1:1"]).returncode == 2
    denied = run_program([SWARM, "talk", "--rooms", 2, "--clients", 4, "--superuser", "wrong",
                          f"127.0.0.1:{rooms.port}"])
    assert denied.returncode == 1 and b"refused" in denied.stderr
