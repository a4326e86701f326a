"""Films of one's own while nobody publishes (sfu.idle_clip): what a decoder of others makes of them."""
import array
import asyncio
import json
import re
import signal
import subprocess

import pytest

from stage import ADMIN_PASSWORD, await_true, free_ports

aiortc = pytest.importorskip("aiortc")

from test_sfu_peers import negotiate  # noqa: E402
from test_sfu_rtp import MEDIA  # noqa: E402
from test_sfuload import TOKEN  # noqa: E402

CLIP = (192, 108)
LIVE = (320, 240)
ENCODERS = {"VP8": ["-c:v", "libvpx", "-deadline", "realtime", "-b:v", "600k", "-g", "10", "clip.ivf"],
            "H264": ["-c:v", "libx264", "-profile:v", "baseline", "-pix_fmt", "yuv420p", "-g", "10", "-b:v", "600k",
                     "clip.h264"]}


def make(directory, codec, seconds=1, source="testsrc2=size=192x108:rate=10"):
    options = ENCODERS[codec]
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-t", str(seconds), *options],
                   cwd=directory, check=True, timeout=240)
    return directory / options[-1]


def switches(server):
    return int(re.search(r"^ringmain_sfu_switches(?:_total)? (\d+)$", server.get("/metrics").text, re.M)[1])


class Viewer:
    """What is decoded: sizes, and pictures that differ from the one before."""

    def __init__(self, codec):
        self.pc, self.sizes, self.moved, self.last = aiortc.RTCPeerConnection(), [], 0, None
        transceiver = self.pc.addTransceiver("video", direction="recvonly")
        transceiver.setCodecPreferences([c for c in aiortc.RTCRtpSender.getCapabilities("video").codecs
                                         if c.mimeType in (f"video/{codec}", "video/rtx")])
        self.pc.on("track", lambda track: asyncio.ensure_future(self.take(track)))

    async def take(self, track):
        while True:
            try:
                frame = await track.recv()
            except aiortc.mediastreams.MediaStreamError:
                return
            picture = bytes(frame.planes[0])
            self.moved += picture != self.last
            self.last = picture
            self.sizes.append((frame.width, frame.height))

    async def see(self, size, count, within=120):
        """So many more of this size, one after the other."""
        begin = len(self.sizes)
        for _ in range(within * 20):
            if len(self.sizes) - begin >= count and set(self.sizes[-count:]) == {size}:
                return
            await asyncio.sleep(0.05)
        raise AssertionError((size, count, self.sizes[begin:][-100:]))


@pytest.mark.parametrize("codec", ENCODERS)
def test_who_waits_sees_the_film_again_and_again(serve, tmp_path, codec):
    # The film of the other codec is there too, and is not what this viewer gets.
    files = [make(tmp_path, "VP8"), make(tmp_path, "H264")]
    server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": TOKEN, "workers": "2", "sfu.connect_timeout": "10m",
                    "sfu.idle_clip": ",".join(map(str, files)), "sfu.idle_rate": "10"})
    await_true(lambda: server.log().count("sfu idle clip file=") == 2, 60, server.log)

    async def run():
        viewer = Viewer(codec)
        await negotiate(server, viewer.pc, "/whep/void")
        await viewer.see(CLIP, 25)  # more than twice round
        await viewer.pc.close()
        return viewer

    viewer = asyncio.run(run())
    assert set(viewer.sizes) == {CLIP} and viewer.moved > len(viewer.sizes) * 3 / 4


def test_another_film_is_shown_after_a_reload(serve, tmp_path):
    film = make(tmp_path, "VP8")
    server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": TOKEN, "workers": "2",
                    "sfu.connect_timeout": "10m", "sfu.idle_clip": str(film)})

    def reload(times):
        server.process.popen.send_signal(signal.SIGHUP)
        await_true(lambda: server.log().count(f"sfu idle clip file={film}") == times, 10, server.log)

    async def run():
        viewer = Viewer("VP8")
        await negotiate(server, viewer.pc, "/whep/void")
        await viewer.see(CLIP, 5)
        before = switches(server)
        reload(2)
        await viewer.see(CLIP, 10)
        assert switches(server) == before  # the same film: nobody notices
        make(tmp_path, "VP8", source="testsrc2=size=160x96:rate=10")
        reload(3)
        await viewer.see((160, 96), 15)
        assert server.get("/readyz").status == 200
        await viewer.pc.close()

    asyncio.run(run())


def test_a_room_has_a_film_of_its_own(serve, tmp_path):
    """By its name or by a pattern; a viewer who goes to another room sees that one's, and a reload gives it another."""
    def film(name, size):
        (tmp_path / name).mkdir()
        return make(tmp_path / name, "VP8", source=f"testsrc2=size={size[0]}x{size[1]}:rate=10")
    show, event, all_ = film("show", (160, 96)), film("event", (96, 160)), film("all", CLIP)
    server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": TOKEN, "workers": "2", "sfu.connect_timeout": "10m",
                    "sfu.idle_clip": str(all_), "room.show.idle_clip": str(show), "room.event-*.idle_clip": str(event)})

    async def run():
        viewer = Viewer("VP8")
        await negotiate(server, viewer.pc, "/whep/show")
        await viewer.see((160, 96), 5)
        session, = server.get("/api/v1/sfu/sessions", auth=("admin", ADMIN_PASSWORD)).json["sessions"]
        for room, size in (("event-7", (96, 160)), ("other", CLIP), ("show", (160, 96))):
            answer = server.get(f"/api/v1/sfu/sessions/{session['id']}/switch", {"Content-Type": "application/json"}, ("admin", ADMIN_PASSWORD),
                                method="POST", body=json.dumps({"room": room}))
            assert answer.status == 204, answer.body
            await viewer.see(size, 5)
        make(tmp_path / "show", "VP8", source="testsrc2=size=128x96:rate=10")
        server.process.popen.send_signal(signal.SIGHUP)
        await viewer.see((128, 96), 5)
        await viewer.pc.close()

    asyncio.run(run())


def test_a_film_stands_in_for_a_silent_publisher(crew, serve, tmp_path):
    port = free_ports()
    server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "workers": "2", "sfu.idle_clip": str(make(tmp_path, "VP8")),
                    "sfu.connect_timeout": "10m",
                    "rtp.studio.room": "show", "rtp.studio.listen": f"127.0.0.1:{port}", "rtp.studio.video": "VP8/96"})
    options, _ = MEDIA["VP8"]

    def publish():
        return crew.start(["ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=15",
                           "-pix_fmt", "yuv420p", *options, "-payload_type", "96", "-f", "rtp",
                           f"rtp://127.0.0.1:{port}?rtcpport={port}&pkt_size=1200"])

    async def run():
        viewer = Viewer("VP8")
        await negotiate(server, viewer.pc, "/whep/show")
        await viewer.see(CLIP, 10)  # the room has a publisher, which says nothing yet
        first = publish()
        await viewer.see(LIVE, 20)
        first.kill()
        before = switches(server)
        await viewer.see(CLIP, 30)
        # Once (or just before we looked), and nothing of what the dead one last showed in between.
        assert switches(server) - before <= 1
        publish()
        await viewer.see(LIVE, 20)
        await viewer.pc.close()

    asyncio.run(run())


class Tone(aiortc.mediastreams.AudioStreamTrack):
    async def recv(self):
        frame = await super().recv()
        frame.planes[0].update(array.array("h", [9000 if i // 10 % 2 else -9000 for i in range(frame.samples)]).tobytes())
        return frame


class Hearer:
    """How loud each piece is that is decoded."""

    def __init__(self):
        self.pc, self.peaks = aiortc.RTCPeerConnection(), []
        self.pc.addTransceiver("audio", direction="recvonly")
        self.pc.on("track", lambda track: asyncio.ensure_future(self.take(track)))

    async def take(self, track):
        while True:
            try:
                frame = await track.recv()
            except aiortc.mediastreams.MediaStreamError:
                return
            self.peaks.append(max(map(abs, array.array("h", bytes(frame.planes[0])))))

    async def hear(self, loud, count):
        begin = len(self.peaks)
        for _ in range(2400):
            if len(self.peaks) - begin >= count and all((peak > 2000) == loud for peak in self.peaks[-count:]):
                return
            await asyncio.sleep(0.05)
        raise AssertionError((loud, self.peaks[begin:][-100:]))


def test_who_waits_hears_silence_without_a_hole(serve):
    """So a program that records has as much sound as time."""
    server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": TOKEN, "workers": "2", "sfu.connect_timeout": "10m"})

    async def run():
        hearer = Hearer()
        await negotiate(server, hearer.pc, "/whep/show")
        await hearer.hear(False, 30)
        publisher = aiortc.RTCPeerConnection()
        publisher.addTrack(Tone())
        await negotiate(server, publisher, "/whip/show")
        await hearer.hear(True, 30)
        await publisher.close()
        await hearer.hear(False, 30)
        await hearer.pc.close()

    asyncio.run(run())


def test_what_is_no_film_is_said(serve, tmp_path):
    (tmp_path / "page.html").write_text("<p>no film")
    (tmp_path / "half.ivf").write_bytes(make(tmp_path, "VP8").read_bytes()[:300])
    server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "workers": "1",
                    "sfu.connect_timeout": "10m", "sfu.idle_clip": f"{tmp_path}/page.html,{tmp_path}/half.ivf"})
    await_true(lambda: "why=it is neither IVF nor a stream of H.264" in server.log().replace('"', "")
               and "why=there is no picture in it" in server.log().replace('"', ""), 10, server.log)
    # The grey picture is there all the same.

    async def run():
        viewer = Viewer("VP8")
        await negotiate(server, viewer.pc, "/whep/void")
        await viewer.see((320, 180), 5)
        await viewer.pc.close()

    asyncio.run(run())
    # Nor are they when they are read anew.
    said = "idle clip cannot be shown"
    before = server.log().count(said)
    server.process.popen.send_signal(signal.SIGHUP)
    await_true(lambda: server.log().count(said) == before + 2 and server.get("/readyz").status == 200, 20, server.log)
    assert "crash" not in server.log()
