"""What strangers, and viewers and publishers who mean harm, send to the SFU: nothing of it ends the process, nothing
of it is kept, and others do not notice."""
import contextlib
import hmac
import http.client
import json
import os
import pathlib
import re
import socket
import struct
import threading

import pytest

from fault_harness import serving
from outside import Outside
from stage import await_true, basic, free_ports
from test_sfu_http import GOLDEN, PUBLISH, SDP, WATCH, ask, publish

PUBLISHER = {"Authorization": "Bearer publisher"}
LAYERS = (GOLDEN / "chromium-layers.sdp").read_bytes()


@pytest.fixture(scope="module")
def server(shared_serve):
    tcp = free_ports()
    udp = free_ports()
    server = shared_serve({"sfu.udp": f"127.0.0.1:{udp}", "sfu.tcp": f"127.0.0.1:{tcp}",
                           "sfu.publish_token": "publisher", "workers": "2", "sfu.connect_timeout": "10m"})
    server.tcp, server.udp = ("127.0.0.1", tcp), udp
    return server


def rooms(server):
    answer = ask(server, "GET", "/api/v1/sfu/rooms", headers={"Authorization": basic("admin", server.admin_password)})
    assert answer.status == 200
    return {room["room"]: room for room in json.loads(answer.body)["rooms"]}


def descriptors(server):
    return len(list(pathlib.Path(f"/proc/{serving(server.process.popen.pid)}/fd").iterdir()))


@pytest.mark.parametrize("room", ["%ff", "a%c3", "%ed%a0%80", "%f5%80%80%80", "%c0%af"],
                         ids=["byte", "cut", "surrogate", "beyond", "overlong"])
def test_a_room_is_named_in_utf_8(server, room):
    assert ask(server, "POST", f"/whep/{room}", WATCH, SDP).status == 400
    assert ask(server, "POST", f"/whep?room={room}", WATCH, SDP).status == 400
    rooms(server)


def stun(username, length=None):
    """A check that nobody's password has signed."""
    value = username + bytes(-len(username) % 4)
    body = struct.pack(">HH", 6, len(username)) + value + struct.pack(">HH", 8, 20) + bytes(20)
    return struct.pack(">HHI12s", 1, len(body) if length is None else length, 0x2112A442, os.urandom(12)) + body


def framed(packet):
    return struct.pack(">H", len(packet)) + packet


@pytest.mark.parametrize("worker", [b"A", b"B"])
def test_strangers_over_tcp_are_bounded_on_each_worker(server, worker):
    """A check says by its name whose it is, and need not be good to be brought there."""
    check = framed(stun(worker + b"nobody:x"))
    with contextlib.ExitStack() as stack:
        before = descriptors(server)
        strangers = []
        for _ in range(1300):
            strangers.append(stack.enter_context(socket.create_connection(server.tcp, 60)))
            strangers[-1].sendall(check)
        # Sooner than sfu.connect_timeout, ten minutes here.
        with contextlib.suppress(ConnectionResetError):
            assert strangers[0].recv(100) == b""
        await_true(lambda: descriptors(server) - before < 1150, 60, lambda: descriptors(server) - before)


def media(offer, kind):
    """The session's part of an offer, and the medium of that kind."""
    head, *parts = re.split(rb"(?=^m=)", offer, flags=re.M)
    return head, next(part for part in parts if part.startswith(b"m=" + kind))


def many(offer, kind, count, edit=lambda part: part):
    head, part = media(offer, kind)
    mids = b" ".join(b"%d" % i for i in range(count))
    return re.sub(rb"a=group:BUNDLE.*\r\n", b"a=group:BUNDLE " + mids + b"\r\n", head) + b"".join(
        edit(re.sub(rb"a=mid:.*\r\n", b"a=mid:%d\r\n" % i, part)) for i in range(count))


def rids(count, direction=b"send"):
    lines = b"".join(b"a=rid:r%d %s\r\n" % (i, direction) for i in range(count))

    def edit(part):
        part = re.sub(rb"a=(rid|simulcast):.*\r\n", b"", part)
        return part + lines + b"a=simulcast:send " + b";".join(b"r%d" % i for i in range(count)) + b"\r\n"
    return edit


def short(part):
    return re.sub(rb"a=(rtpmap|fmtp|rtcp-fb|extmap|ssrc|ssrc-group|candidate):.*\r\n", b"", part)


OFFERS = {
    "2000 media": (400, b"v=0\r\n" + b"m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 1900),
    "21 media": (400, many(PUBLISH, b"audio", 21, short)),
    "5 sounds": (422, many(PUBLISH, b"audio", 5)),
    "4 sounds": (201, many(PUBLISH, b"audio", 4)),
    "16 layers": (422, many(LAYERS, b"video", 2, rids(8))),
    "12 layers": (201, many(LAYERS, b"video", 2, rids(6))),
    "9 rids": (400, many(LAYERS, b"video", 1, rids(9))),
    "layers to be received": (201, many(LAYERS, b"video", 1, rids(2, b"recv"))),
    "the same rid": (400, LAYERS.replace(b"a=rid:l ", b"a=rid:h ")),
    "a rid without a name": (201, LAYERS.replace(b"a=rid:l ", b"a=rid:  ")),
    "rid of 17": (400, LAYERS.replace(b"a=rid:l ", b"a=rid:" + b"l" * 17 + b" ")),
    "the same mid": (400, PUBLISH.replace(b"a=mid:1", b"a=mid:0")),
    "mid of 33": (400, PUBLISH.replace(b"a=mid:1", b"a=mid:" + b"1" * 33)),
    "1000 candidates": (201, PUBLISH + b"a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n" * 1000),
    "long fmtp": (201, PUBLISH + b"a=fmtp:96 " + b"x" * 50000 + b"\r\n"),
    "long name": (400, PUBLISH + b"a=rtpmap:96 " + b"x" * 50000 + b"/90000\r\n"),
    "clock 0": (400, PUBLISH + b"a=rtpmap:96 VP8/0\r\n"),
    "clocks of their own": (422, re.sub(rb"/90000", b"/4294967295", PUBLISH)),
    "clock of 2 to the 32": (400, PUBLISH + b"a=rtpmap:96 VP8/4294967296\r\n"),
    "extmap 0": (400, PUBLISH + b"a=extmap:0 urn:x\r\n"),
    "extmap 15": (201, PUBLISH + b"a=extmap:15 urn:x\r\n"),
    "extmap 255": (201, PUBLISH + b"a=extmap:255 urn:x\r\n"),
    "extmap 70000": (400, PUBLISH + b"a=extmap:70000 urn:x\r\n"),
    "40 extmaps": (400, PUBLISH + b"".join(b"a=extmap:%d urn:x\r\n" % i for i in range(20, 60))),
    "1000 bundled": (201, PUBLISH.replace(b"a=group:BUNDLE ", b"a=group:BUNDLE " + b"x " * 20000)),
    "md5": (422, re.sub(rb"a=fingerprint:.*\r\n", b"a=fingerprint:md5 " + b":".join([b"AB"] * 16) + b"\r\n", PUBLISH)),
    "half a fingerprint": (422, re.sub(rb"(a=fingerprint:sha-256 .{20}).*\r\n", rb"\1\r\n", PUBLISH)),
    "ufrag of 257": (400, re.sub(rb"a=ice-ufrag:.*\r\n", b"a=ice-ufrag:" + b"a" * 257 + b"\r\n", PUBLISH)),
    "a zero": (400, PUBLISH.replace(b"a=mid:1", b"a=mid:1\0")),
}


@pytest.mark.parametrize("name", OFFERS)
def test_offers_that_go_too_far(server, name):
    status, offer = OFFERS[name]
    answer = publish(server, "far", offer)
    assert answer.status == status, answer.body
    if status == 201:
        assert ask(server, "DELETE", answer.headers["Location"], headers=PUBLISHER).status == 200
    else:
        assert len(json.loads(answer.body)["detail"]) > 10
    await_true(lambda: "far" not in rooms(server), 10)


def test_sessions_of_one_address_are_bounded(serve):
    """Also those that only ask and never come."""
    server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": "publisher",
                    "sfu.connect_timeout": "10m", "sfu.max_per_address": "3", "sfu.takeover": "yes", "http.trusted_proxies": "127.0.0.2"})
    answers = [publish(server, "a")] + [ask(server, "POST", f"/whep/{i}", WATCH, SDP) for i in range(4)]
    assert [a.status for a in answers] == [201, 201, 201, 503, 503]
    assert "this address" in answers[3].body and answers[3].headers["Retry-After"]

    # Who comes again takes no other's place but its own.
    assert [publish(server, "a").status for _ in range(3)] == [201] * 3
    # An address is what a trusted proxy says, not what anybody says.
    def through(proxy, client):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60, source_address=(proxy, 0))
        connection.request("POST", "/whep/proxied", WATCH, {**SDP, "X-Forwarded-For": client})
        with contextlib.closing(connection):
            return connection.getresponse().status
    assert [through("127.0.0.2", "2001:db8::%d" % i) for i in range(4)] == [201, 201, 201, 503]
    assert through("127.0.0.2", "2001:db8:0:1::") == through("127.0.0.2", "192.0.2.1") == 201
    assert through("127.0.0.1", "192.0.2.2") == 503
    assert ask(server, "DELETE", answers[1].headers["Location"]).status == 200
    await_true(lambda: ask(server, "POST", "/whep/again", WATCH, SDP).status == 201, 10)


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 200\r\nContent-Length: 9999\r\n\r\nx", b"\0\1\2garbage\r\n\r\n",
                                  b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + b"x" * 900000,
                                  b"HTTP/1.1 302 Found\r\nLocation: /yes\r\nContent-Length: 0\r\n\r\n"],
                         ids=["nothing", "half", "garbage", "much", "elsewhere"])
def test_a_hook_that_answers_nonsense_lets_nobody_in(serve, says):
    with Outside(lambda request: request.send(says) or request.connection.close()) as hook:
        server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.auth_url": hook.url("/ask")})
        assert ask(server, "POST", "/whep/a", WATCH, SDP).status == 503
        assert rooms(server) == {}


def test_who_does_not_wait_for_a_slow_hook_leaves_nothing(serve):
    """The clients have gone when the answer comes; and a long token is shown whole."""
    go = threading.Event()

    def answer(request):
        go.wait(240)
        request.answer(200)
    token = "t" * 5000
    with Outside(answer) as hook:
        server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.auth_url": hook.url("/ask"), "workers": "2",
                        "sfu.connect_timeout": "1s"})
        head = f"POST /whep/slow HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n" \
               f"Content-Type: application/sdp\r\nContent-Length: {len(WATCH)}\r\n\r\n"
        for _ in range(6):
            with socket.create_connection(("127.0.0.1", server.port), 60) as s:
                asked = len(hook.requests)
                s.sendall(head.encode() + WATCH)
                await_true(lambda: len(hook.requests) > asked, 10)
        assert json.loads(hook.requests[0].body)["token"] == token
        go.set()
        # Who waits is let in, behind those who do not.
        assert ask(server, "POST", "/whep/after", WATCH, SDP).status == 201
        # A session of who has gone is nobody's: it ends when nobody comes.
        await_true(lambda: "slow" not in rooms(server), 40)


def test_checks_of_every_length_are_survived(server):
    """Right, too short, too long, cut, and lying about it."""
    whole = stun(b"Anobody:x")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", server.udp))
        for end in range(len(whole)):
            s.send(whole[:end])
        for length in (0, 1, 3, 4, 0x7fff, 0xffff):
            s.send(stun(b"Anobody:x", length))
        for name in (b"", b":", b"A", b"A" * 513 + b":", b"A" * 600):
            s.send(stun(name))
        s.send(b"\x00\x01" + bytes(1500))
        for first in range(256):
            s.send(bytes([first]))
        # A datagram may find no room where all of these came at once.
        answers = []

        def answered():
            s.send(whole)
            s.settimeout(1)
            with contextlib.suppress(TimeoutError):
                while not answers or answers[-1][8:20] != whole[8:20]:
                    answers.append(s.recv(2000))
                    assert len(answers[-1]) <= 100
                return answers[-1]
        answer = await_true(answered, 60)
        assert answer[:2] == b"\x01\x11" and len(answer) <= len(whole)


def check(answer):
    """One that the password of an answer has signed; who answered knows no other name of ours than that of the offer."""
    ours, password = (re.search(f"a=ice-{name}:(.*)\r\n", answer.body)[1].encode() for name in ("ufrag", "pwd"))
    theirs = re.search(rb"a=ice-ufrag:(.*)\r\n", WATCH)[1]
    name = ours + b":" + theirs
    body = struct.pack(">HH", 6, len(name)) + name + bytes(-len(name) % 4) + struct.pack(">HHI", 0x24, 4, 1) \
        + struct.pack(">HHQ", 0x802a, 8, 1) + struct.pack(">HH", 0x25, 0)
    head = struct.pack(">HHI12s", 1, len(body) + 24, 0x2112A442, os.urandom(12))
    return head + body + struct.pack(">HH", 8, 20) + hmac.digest(password, head + body, "sha1")


BROKEN_OFF = bytes.fromhex("15fefd000000000000000000020228")  # a fatal alert, which ends a handshake


def test_who_comes_again_from_the_same_port_is_somebody_new(serve):
    """Those before left without a word; whichever workers have them, what is sent is for the new one."""
    udp = free_ports()
    server = serve({"sfu.udp": f"127.0.0.1:{udp}", "workers": "4", "sfu.connect_timeout": "10m"})
    admin = {"Authorization": basic("admin", server.admin_password)}

    def name(answer):
        return answer.headers["Location"].rsplit("/")[-1]

    def found(answer):
        return json.loads(ask(server, "GET", f"/api/v1/sfu/sessions/{name(answer)}", headers=admin).body)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", udp))
        s.settimeout(60)

        def come(answer):
            s.send(check(answer))
            assert s.recv(2000)[:2] == b"\x01\x01"

        def end(answer):
            s.send(BROKEN_OFF)
            await_true(lambda: re.search(f'id={name(answer)} why="the handshake failed"', server.log()), 10)
        workers = {}
        while len(workers) < 4 or min(map(len, workers.values())) < 4:
            answer = ask(server, "POST", "/whep/again", WATCH, SDP)
            workers.setdefault(found(answer)["worker"], []).append(answer)
            assert sum(map(len, workers.values())) < 400, workers
        for worker, (first, *others) in workers.items():
            new = workers[(worker + 1) % 4].pop()
            for answer in (first, *others, new):
                come(answer)
            end(new)
            # Who is still there after all is heard again.
            assert found(first)["state"] == "handshake"
            come(first)
            end(first)
            workers[worker] = others
