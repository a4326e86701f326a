"""A room is sent as plain RTP: programs that know no WebRTC decode it, and what they get is one stream whatever
happens in the room."""
import contextlib
import json
import re
import shutil
import socket
import struct
import subprocess
import time

import pytest

from browser import Pages
from stage import ADMIN_PASSWORD, PROGRAM, await_true, free_ports
from test_sfu_rtp import MEDIA
from test_sfuload import PATIENT, TOKEN, Load, explained

AUTH = ("admin", ADMIN_PASSWORD)
SO_MEMINFO = 55


def four_ports():
    """The first of four that are free together."""
    first, then = free_ports(), free_ports()
    while then != first + 2:
        first, then = then, free_ports()
    return first


def api(server, path, method="GET"):
    return server.get(f"/api/v1/sfu/{path}", auth=AUTH, method=method)


def way(server, name="wall"):
    return {one["name"]: one for one in api(server, "rtp").json["ways"]}[name]


def metric(server, name):
    return int(re.search(rf"^ringmain_sfu_{name} (\d+)$", server.get("/metrics").text, re.M)[1])


@pytest.fixture
def wall(serve):
    def start(settings=(), **out):
        out = {"room": "show", "video": "VP8/98", **out}
        return serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": TOKEN, "workers": "2", **PATIENT,
                      **{f"rtp.wall.{name}": value for name, value in out.items()}, **dict(settings)})
    return start


class Receiver:
    """A port where RTP comes, and the next for RTCP."""

    def __init__(self, port):
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for i, s in enumerate(self.sockets):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            s.bind(("127.0.0.1", port + i))
        self.packets, self.reports, self.sender, self.bye = [], [], None, False

    def close(self):
        for s in self.sockets:
            s.close()

    def overrun(self):
        """Datagrams that came, and for which there was no room, because we were not there to read."""
        return struct.unpack("9I", self.sockets[0].getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))[8]

    def take(self, seconds=0.2):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.sockets[0].settimeout(0.02)
            try:
                data, self.sender = self.sockets[0].recvfrom(2048)
                self.packets.append(struct.unpack("!BBHII", data[:12]) + (data[12:],))
            except TimeoutError:
                pass
            self.sockets[1].settimeout(0)
            try:
                data, _ = self.sockets[1].recvfrom(2048)
                assert 200 <= data[1] <= 201
                self.reports.append(data)
                self.bye |= bool(re.search(rb"\x81\xcb\x00\x01", data))
            except BlockingIOError:
                pass
        return self.packets

    def say(self, packet_type, count, body):
        """RTCP feedback, to where the media come from."""
        ssrc = self.packets[-1][4]
        data = struct.pack("!BBHII", 0x80 | count, packet_type, 2 + len(body) // 4, 7, ssrc) + body
        self.sockets[1].sendto(data, self.sender)


@pytest.fixture
def receiver():
    one = Receiver(four_ports())
    yield one
    one.close()


@contextlib.contextmanager
def chromium(crew, server, _):
    with Pages(crew, f"http://127.0.0.1:{server.port}") as pages:
        options = {"codec": "VP8", "width": 320, "height": 240, "headers": {"Authorization": f"Bearer {TOKEN}"}}
        pages.open().run(f"return await publish('/whip/show', {json.dumps(options)})")
        yield


@contextlib.contextmanager
def ffmpeg_by_rtp(crew, _, come):
    to = f"rtp://127.0.0.1:{come}?rtcpport={come}&pkt_size=1200"
    crew.start(["ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=15",
                "-re", "-f", "lavfi", "-i", "sine=frequency=440", "-pix_fmt", "yuv420p",
                "-map", "0:v", *MEDIA["H264"][0], "-payload_type", "96", "-f", "rtp", to,
                "-map", "1:a", "-c:a", "libopus", "-payload_type", "111", "-f", "rtp", to])
    yield


@pytest.mark.parametrize("codec,publisher", [("VP8", chromium), ("H264", ffmpeg_by_rtp)],
                         ids=["chromium", "ffmpeg"])
def test_ffmpeg_and_gstreamer_decode_what_is_published_by(crew, wall, tmp_path, codec, publisher):
    ports, come = [four_ports(), four_ports()], free_ports()
    more = {"rtp.other.room": "show", "rtp.other.send": f"127.0.0.1:{ports[1]}", "rtp.other.video": f"{codec}/96",
            # Each start of this one makes a browser send a key picture: GStreamer does not ask us for one.
            "rtp.poke.room": "show", "rtp.poke.send": "127.0.0.1:9", "rtp.poke.video": f"{codec}/96",
            "rtp.poke.start": "order", "sfu.gop_limit": "0",
            # A receiver that comes early would take its size from the idle picture.
            "sfu.idle": "no"}
    if publisher is ffmpeg_by_rtp:
        more |= {"rtp.in.room": "show", "rtp.in.listen": f"127.0.0.1:{come}", "rtp.in.video": "H264/96",
                 "rtp.in.audio": "opus/111"}
    server = wall(more, video=f"{codec}/100", audio="opus/101", send=f"127.0.0.1:{ports[0]}")
    with publisher(crew, server, come):
        decoded(crew, server, tmp_path, codec)


def poke(server):
    for order in ("start", "stop"):
        assert api(server, f"rtp/poke/{order}", "POST").status == 204
        time.sleep(0.3)
    return True


def decoded(crew, server, tmp_path, codec):
    """Forty pictures and as much sound, by each."""
    address = f"http://admin:{ADMIN_PASSWORD}@127.0.0.1:{server.port}/api/v1/sfu/rtp/wall/sdp"
    ffmpeg = crew.start(["ffmpeg", "-v", "error", "-protocol_whitelist", "http,tcp,udp,rtp", "-i", address,
                         "-map", "0:v", "-frames:v", "40", "-f", "framecrc", str(tmp_path / "video"),
                         "-map", "0:a", "-frames:a", "40", "-f", "framecrc", str(tmp_path / "audio")])
    if shutil.which("gst-launch-1.0"):
        file = tmp_path / "other.sdp"
        file.write_bytes(api(server, "rtp/other/sdp").body)
        depay, decode = {"VP8": ("rtpvp8depay", "vp8dec"), "H264": ("rtph264depay", "avdec_h264")}[codec]
        gst = crew.start(["gst-launch-1.0", "-q", "filesrc", f"location={file}", "!", "sdpdemux", "!", depay, "!",
                          decode, "!", "fakesink", "num-buffers=40"])
        await_true(lambda: poke(server) and not gst.running(), 90, gst.said)
        assert gst.wait(1) == 0, gst.said()
    await_true(lambda: poke(server) and not ffmpeg.running(), 90, ffmpeg.said)
    assert ffmpeg.wait(1) == 0, ffmpeg.said()
    pictures = [line for line in (tmp_path / "video").read_text().splitlines() if not line.startswith("#")]
    assert len(pictures) == 40 and "320x240" in (tmp_path / "video").read_text()
    assert len([x for x in (tmp_path / "audio").read_text().splitlines() if not x.startswith("#")]) == 40


def test_hevc_goes_through(crew, wall, tmp_path):
    """Which no browser here has: from ffmpeg to ffmpeg."""
    port, come = four_ports(), free_ports()
    server = wall({"rtp.in.room": "show", "rtp.in.listen": f"127.0.0.1:{come}", "rtp.in.video": "H265/96"},
                  video="H265/97", send=f"127.0.0.1:{port}")
    crew.start(["ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=15", "-pix_fmt", "yuv420p",
                "-c:v", "libx265", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "15", "-x265-params",
                "log-level=none", "-bsf:v", "dump_extra", "-payload_type", "96", "-f", "rtp",
                f"rtp://127.0.0.1:{come}?rtcpport={come}&pkt_size=1200"])
    address = f"http://admin:{ADMIN_PASSWORD}@127.0.0.1:{server.port}/api/v1/sfu/rtp/wall/sdp"
    ffmpeg = crew.start(["ffmpeg", "-v", "quiet", "-protocol_whitelist", "http,tcp,udp,rtp", "-i", address,
                         "-frames:v", "40", "-f", "framecrc", str(tmp_path / "video")])
    await_true(lambda: not ffmpeg.running(), 60, server.log)
    said = (tmp_path / "video").read_text()
    pictures = [line for line in said.splitlines() if not line.startswith("#")]
    assert len(pictures) == 40 and "320x240" in said and len({line.split(",")[-1] for line in pictures}) > 10
    [track] = api(server, "rooms").json["rooms"][0]["tracks"]
    assert track["codec"] == "H265" and track["keys"] > 1


def test_two_servers_in_a_row(crew, wall, serve):
    port = free_ports()
    second = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "workers": "2", "sfu.idle": "no",
                    "rtp.in.room": "far", "rtp.in.listen": f"127.0.0.1:{port}", "rtp.in.video": "VP8/98",
                    "rtp.in.feedback": "yes", **PATIENT, "sfu.gop_limit": "0"})
    first = wall(send=f"127.0.0.1:{port}", bundle="yes", settings={"sfu.idle": "no"})
    Load(crew, first, "show").publish()
    report = Load(crew, second, "far").watch(20, 2, least=20 * 500)
    assert report["joined"] == 20 and report["packets"] >= 20 * 500
    assert not any(report[k] for k in ("bad", "torn", "astray")) and explained(report), report
    # The second's wish for a key picture is heard by the first, and its reports are of the stream.
    assert metric(first, "plis_in_total") > 0
    session = api(first, f"sessions/{way(first)['session']}").json
    assert session["agent"] == "plain RTP" and session["unsent"] == 0 and session["media"][0]["packets"] > 500
    await_true(lambda: api(first, f"sessions/{session['id']}").json["media"][0]["rtt_us"] > 0, 20)


def test_it_is_one_stream_whoever_publishes(crew, wall, receiver):
    server = wall(send=f"127.0.0.1:{receiver.sockets[0].getsockname()[1]}")
    seen = 0
    for _ in range(2):
        # The grey picture at first, a publisher, and again.
        await_true(lambda: len(receiver.take()) > seen + 3, 20, server.log)
        publisher = Load(crew, server, "show").publish()
        seen = len(receiver.packets)
        await_true(lambda: len(receiver.take()) > seen + 300, 20, server.log)
        publisher.popen.terminate()
        await_true(lambda: len(api(server, "rooms").json["rooms"][0]["tracks"]) == 0, 20)
        receiver.take(0.5)
        seen = len(receiver.packets)
    assert {p[4] for p in receiver.packets} == {receiver.packets[0][4]}
    assert {p[1] & 127 for p in receiver.packets} == {98}
    missing = 0
    for before, after in zip(receiver.packets, receiver.packets[1:]):
        assert 0 < (after[2] - before[2]) & 0xffff < 0x8000
        missing += ((after[2] - before[2]) & 0xffff) - 1
        assert (after[3] - before[3]) & 0xffffffff < 90000 * 300
    assert missing <= receiver.overrun()
    assert receiver.reports and receiver.reports[0][4:8] == struct.pack("!I", receiver.packets[0][4])
    assert api(server, "rtp/wall/stop", "POST").status == 204
    await_true(lambda: receiver.take() and receiver.bye, 10)


def test_what_a_receiver_asks_for_it_gets(crew, wall, receiver):
    server = wall(send=f"127.0.0.1:{receiver.sockets[0].getsockname()[1]}", settings={"sfu.idle": "no"})
    Load(crew, server, "show").publish()
    await_true(lambda: len(receiver.take()) > 300, 20, server.log)
    lost = receiver.packets[-50]
    receiver.say(205, 1, struct.pack("!HH", lost[2], 0))
    await_true(lambda: sum(p[2] == lost[2] for p in receiver.take()) == 2, 10, server.log)
    again = [p for p in receiver.packets if p[2] == lost[2]]
    assert again[0][3:] == again[1][3:] and again[0][1] == again[1][1]
    asked = metric(server, "keys_asked_total")
    receiver.say(206, 1, b"")
    await_true(lambda: metric(server, "keys_asked_total") > asked, 10, server.log)
    # The room is the settings' to say: another one might be fed by what is sent.
    switch = server.get(f"/api/v1/sfu/sessions/{way(server)['session']}/switch", auth=AUTH, method="POST",
                        body='{"room": "other"}', headers={"Content-Type": "application/json"})
    assert switch.status == 404
    # From elsewhere nothing is taken, and what is no RTCP changes nothing.
    refused = metric(server, "refused_total")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))
        stranger.sendto(struct.pack("!BBHIIHH", 0x81, 205, 3, 7, lost[4], lost[2], 0), receiver.sender)
    receiver.sockets[0].sendto(b"\x80\x62" + bytes(40), receiver.sender)
    await_true(lambda: metric(server, "refused_total") >= refused + 2, 10)
    assert sum(p[2] == lost[2] for p in receiver.take()) == 2


@contextlib.contextmanager
def in_group(group, port):
    """A member of it on this machine, and somebody who sends to it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as member, socket.socket(
            socket.AF_INET, socket.SOCK_DGRAM) as sender:
        try:
            member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            member.bind((group, port))
            member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                              socket.inet_aton(group) + socket.inet_aton("127.0.0.1"))
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            sender.sendto(b"x", (group, port))
            member.settimeout(2)
            member.recv(1)
        except OSError:
            pytest.skip("the loopback carries no groups here")
        yield member, sender


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"], ids=["v4", "v6"])
def test_what_others_of_this_machine_joined_is_not_heard(serve, host):
    """What is sent to a group comes back to who hears any address, if anybody here has joined it."""
    group, port = f"239.255.{free_ports() % 250}.9", free_ports()
    server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "rtp.in.room": "show", "rtp.in.listen": f"{host}:{port}",
                    "rtp.in.video": "VP8/98"})
    await_true(lambda: way(server, "in")["state"] == "running", 10, server.log)
    where = f"sessions/{way(server, 'in')['session']}"
    with in_group(group, port) as (member, sender):
        for _ in range(5):
            sender.sendto(b"\x80\x62" + bytes(40), (group, port))
            assert len(member.recv(100)) == 42
        sender.sendto(b"\x80\x62" + bytes(50), ("127.0.0.1", port))
        await_true(lambda: api(server, where).json["bytes_in"] > 0, 10)
    assert api(server, where).json["bytes_in"] == 52


def test_a_group_hears_it_when_it_is_ordered(crew, wall):
    group, port = f"239.255.{free_ports() % 250}.7", four_ports()
    with in_group(group, port):
        pass
    server = wall({"sfu.idle": "no", "rtp.back.room": "far", "rtp.back.listen": f"{group}:{port}",
                   "rtp.back.from": "127.0.0.1:1", "rtp.back.video": "VP8/98"},
                  send=f"{group}:{port}", bundle="yes", start="order", ttl="0", **{"from": "127.0.0.1:0"})
    Load(crew, server, "show").publish()
    await_true(lambda: way(server, "back")["state"] == "running", 10, server.log)
    assert way(server)["state"] == "stopped" and way(server)["session"] is None
    assert f"c=IN IP4 {group}/0\r\n" in api(server, "rtp/wall/sdp").body.decode()
    assert api(server, "rtp/wall/start", "POST").status == 204
    report = Load(crew, server, "far").watch(3, 1, least=900)
    assert report["packets"] >= 900 and explained(report), report
    assert api(server, "rtp/wall/stop", "POST").status == 204
    await_true(lambda: way(server)["state"] == "stopped" and way(server)["session"] is None, 10)
    assert api(server, "rtp/nobody/stop", "POST").status == 404
    assert api(server, "rtp/back/sdp").status == 409


@pytest.mark.parametrize("settings,said", [
    ({"a.listen": "127.0.0.1:7000", "b.send": "127.0.0.1:7000"}, "send: expected an end from which it does not come back"),
    ({"a.listen": "0.0.0.0:7002", "b.send": "127.0.0.1:7000", "b.audio": "opus/97"}, "does not come back"),
    ({"a.listen": "127.0.0.1:7000", "a.room": "y", "b.send": "127.0.0.1:7000", "c.send": "127.0.0.1:7001",
      "c.room": "y", "d.listen": "127.0.0.1:7001"}, "does not come back"),
    ({"b.send": "127.0.0.1:7000", "b.listen": "127.0.0.1:7001"}, "expected one address and port"),
    ({"b.send": "0.0.0.0:7000"}, "expected an address, and a port"),
    ({"b.send": "127.0.0.1:7000", "b.from": "[::1]:0"}, "from: expected an address of send's kind"),
    ({"b.send": "127.0.0.1:7000", "b.bundle": "yes", "b.audio": "opus/96"}, "audio: expected another payload type"),
    ({"a.listen": "127.0.0.1:7000", "a.audio": "opus/97", "b.listen": "127.0.0.1:7001", "b.audio": "opus/96"},
     "audio: expected another payload type"),
    ({"b.send": "127.0.0.1:7000", "b.video": "VP8/72"}, "video: expected VP8"),
], ids=["itself", "any", "ring", "both", "nowhere", "kinds", "bundled", "mixed", "like RTCP"])
def test_what_comes_back_is_refused(settings, said):
    names = {key.split(".")[0] for key in settings}
    full = {**{f"{n}.room": "x" for n in names}, **{f"{n}.video": "VP8/96" for n in names}, **settings}
    words = [w for name, value in full.items() for w in ("--set", f"rtp.{name}={value}")]
    done = subprocess.run([PROGRAM, "--check", *words], capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and said in done.stderr, done.stderr
    # The same without what is wrong.
    good = [w for name, value in full.items() if not name.startswith("b.")
            for w in ("--set", f"rtp.{name}={value}")]
    assert subprocess.run([PROGRAM, "--check", *good], capture_output=True, timeout=120).returncode == 0
