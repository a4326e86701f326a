"""Publishers and viewers that are no browsers: aiortc, which knows only AES_CM_128_HMAC_SHA1_80, and
GStreamer's webrtcbin."""
import asyncio
import http.client
import json
import pathlib

import pytest

from stage import await_true, free_ports

aiortc = pytest.importorskip("aiortc")
import aioice.ice  # noqa: E402
from aiortc.contrib.media import MediaPlayer  # noqa: E402

TOKEN = "who may publish"
# aiortc passes over the loopback, which is all that some machines have.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


@pytest.fixture(scope="module")
def server(shared_serve):
    return shared_serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": TOKEN,
                         "workers": "2", "sfu.connect_timeout": "10m"})


async def negotiate(server, pc, path, edit=lambda sdp: sdp):
    await pc.setLocalDescription(await pc.createOffer())

    def post():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("POST", path, edit(pc.localDescription.sdp),
                           {"Content-Type": "application/sdp", "Authorization": f"Bearer {TOKEN}"})
        response = connection.getresponse()
        body = response.read().decode()
        assert response.status == 201, body
        return body
    answer = await asyncio.get_running_loop().run_in_executor(None, post)
    await pc.setRemoteDescription(aiortc.RTCSessionDescription(answer, "answer"))


async def watched(server, room, frames, kinds=("audio", "video")):
    """A viewer; how many frames of each kind came, when there were so many pictures."""
    pc = aiortc.RTCPeerConnection()
    counts = dict.fromkeys(kinds, 0)
    done = asyncio.Event()
    sizes = set()

    @pc.on("track")
    def on_track(track):
        async def take():
            try:
                while True:
                    frame = await track.recv()
                    counts[track.kind] += 1
                    if track.kind == "video":
                        sizes.add((frame.width, frame.height))
                    if counts["video"] >= frames and counts.get("audio", 20) >= 20:
                        done.set()
            except aiortc.mediastreams.MediaStreamError:
                pass
        asyncio.ensure_future(take())

    for kind in kinds:
        pc.addTransceiver(kind, direction="recvonly")
    await negotiate(server, pc, f"/whep/{room}")
    try:
        await asyncio.wait_for(done.wait(), 180)
    finally:
        await pc.close()
    return counts, sizes


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_aiortc_publishes_and_watches(server, tmp_path, codec):
    async def run():
        pc = aiortc.RTCPeerConnection()
        player = MediaPlayer("testsrc=size=320x240:rate=15", format="lavfi")
        sound = MediaPlayer("sine=frequency=440", format="lavfi")
        pc.addTrack(sound.audio)
        sender = pc.addTrack(player.video)
        transceiver = next(t for t in pc.getTransceivers() if t.sender is sender)
        transceiver.setCodecPreferences([
            c for c in aiortc.RTCRtpSender.getCapabilities("video").codecs
            if c.mimeType in (f"video/{codec}", "video/rtx")])
        await negotiate(server, pc, f"/whip/aio-{codec}")
        counts, sizes = await watched(server, f"aio-{codec}", 20)
        await pc.close()
        return counts, sizes

    counts, sizes = asyncio.run(run())
    assert counts["video"] >= 20 and counts["audio"] >= 20
    # The idle picture is there until the first one comes.
    assert (320, 240) in sizes and sizes <= {(320, 240), (320, 180)}
    await_true(lambda: server.log().count(f"peer gone role=publisher room=aio-{codec}") == 1, 10)
    assert "why=closed" in server.log()


GST_PEER = pathlib.Path(__file__).with_name("gst_peer.py")


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_gstreamer_publishes_and_watches(crew, serve, codec):
    # A grey picture would come where it has no time to make its own.
    server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": TOKEN, "workers": "2",
                    "sfu.connect_timeout": "10m", "sfu.idle": "no"})
    gi = pytest.importorskip("gi")
    try:
        gi.require_version("GstWebRTC", "1.0")
    except ValueError as missing:
        pytest.skip(str(missing))

    def peer(what):
        path = "whip" if what == "publish" else "whep"
        return crew.start(["/usr/bin/python3", GST_PEER, what, f"{server.url}/{path}/gst-{codec}", TOKEN, codec])

    def counts(process):
        assert process.running(), process.said()
        lines = [line for line in process.said().splitlines() if line.startswith("{")]
        return json.loads(lines[-1]) if lines else {"video": 0, "audio": 0}

    publisher = peer("publish")
    await_true(lambda: f"peer up role=publisher room=gst-{codec}" in server.log(), 30, publisher.said)
    viewer = peer("watch")
    await_true(lambda: counts(viewer)["video"] > 30 and counts(viewer)["audio"] > 50, 40,
               lambda: viewer.said()[-2000:] + server.log()[-2000:])
    # Nor does it hold up anybody else: aiortc sees the same.
    seen, sizes = asyncio.run(watched(server, f"gst-{codec}", 20))
    assert sizes == {(320, 240)} and seen["video"] >= 20
