"""What a bad path does to publishers and viewers: an impairing relay lies between browser and server."""
import json

import pytest

from browser import Pages
from impair import Impairment
from stage import await_true, free_ports

TOKEN = "who may publish"


@pytest.fixture
def stage(serve, crew):
    """serve, pages and a server on a UDP port that is known."""
    port = free_ports()
    server = serve({"sfu.udp": f"127.0.0.1:{port}", "sfu.publish_token": TOKEN, "workers": "2"})

    with Pages(crew, f"http://127.0.0.1:{server.port}") as pages:
        yield server, pages, ("127.0.0.1", port)


def publish(page, room, through=None, **options):
    options["headers"] = {"Authorization": f"Bearer {TOKEN}"}
    page.run(f"via = {through.port if through else 0}")
    return page.run(f"return await publish('/whip/{room}', {json.dumps(options)})")


def watch(page, room, through=None):
    page.run(f"via = {through.port if through else 0}")
    return page.run(f"return await watch('/whep/{room}')")


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_what_viewers_lose_is_sent_again(stage, codec):
    server, pages, udp = stage
    sender, viewer = pages.open(), pages.open()

    publish(sender, "lossy", codec=codec)
    with Impairment(udp, seed=3, loss=0.04, burst=0.02, delay=0.01, jitter=0.005) as relay:
        watch(viewer, "lossy", relay)
        await_true(lambda: viewer.stats().get("framesDecoded", 0) > 200, 40, viewer.stats)
        seen = viewer.stats()
        assert relay.lost > 20
        assert seen.get("retransmittedPacketsReceived", 0) > 5, seen
        # Far less is missing in the end than the path has lost.
        assert seen["packetsLost"] < 0.3 * seen["nackCount"] + 20, seen
        assert seen["totalFreezesDuration"] < 0.25 * seen["totalInterFrameDelay"], seen


def test_what_publishers_lose_is_asked_for_again(stage):
    server, pages, udp = stage
    sender, viewer = pages.open(), pages.open()

    with Impairment(udp, seed=5, loss=0.04, delay=0.01) as relay:
        publish(sender, "lossy", relay)
        watch(viewer, "lossy")
        await_true(lambda: viewer.stats().get("framesDecoded", 0) > 200, 40, viewer.stats)
        seen = viewer.stats()
        assert relay.lost > 20
        assert sender.stats("outbound-rtp").get("nackCount", 0) > 5
        assert seen["packetsLost"] < 20, seen


def test_a_thin_path_gets_a_thin_layer(stage):
    server, pages, udp = stage
    sender, wide, thin = pages.open(), pages.open(), pages.open()

    publish(sender, "layers", width=1280, height=720, codec="VP8", layers=[
        {"rid": "h", "maxBitrate": 1200000}, {"rid": "m", "scaleResolutionDownBy": 2,
                                              "maxBitrate": 400000},
        {"rid": "l", "scaleResolutionDownBy": 4, "maxBitrate": 120000}])
    watch(wide, "layers")
    await_true(lambda: wide.stats().get("frameWidth", 0) == 1280, 40, wide.stats)
    with Impairment(udp, rate=300000 / 8) as relay:
        watch(thin, "layers", relay)
        await_true(lambda: thin.stats().get("frameWidth", 1280) <= 640
                   and thin.stats().get("framesDecoded", 0) > 100, 40, thin.stats)
    # The other one still has the best layer that the publisher's machine finds time for.
    def best():
        answer = server.get("/api/v1/sfu/rooms", auth=("admin", server.admin_password)).json
        tracks = answer["rooms"][0]["tracks"]
        return {"h": 1280, "m": 640, "l": 320}[
            max((t for t in tracks if t["kind"] == "video"), key=lambda t: t["bitrate"])["layer"]]
    await_true(lambda: wide.stats()["frameWidth"] >= best(), 30, wide.stats)


def test_a_viewer_that_stands_still_is_counted(stage):
    server, pages, udp = stage
    sender, viewer = pages.open(), pages.open()

    def media():
        sessions = server.get("/api/v1/sfu/sessions", auth=("admin", server.admin_password)).json["sessions"]
        return next(m for s in sessions if s["role"] == "viewer" for m in s["media"] if m["kind"] == "video")

    publish(sender, "frozen", audio=False)
    with Impairment(udp, seed=2) as relay:
        watch(viewer, "frozen", relay)
        await_true(lambda: viewer.stats().get("framesDecoded", 0) > 60, 40, viewer.stats)
        before = media()
        relay.loss = 0.7
        await_true(lambda: media()["freezes"] > before["freezes"], 30, media)
        relay.loss = 0
        await_true(lambda: media()["frozen_ms"] > before["frozen_ms"], 30, media)
        seen = viewer.stats()["framesDecoded"]
        await_true(lambda: viewer.stats()["framesDecoded"] > seen + 30, 30, viewer.stats)
    room = server.get("/api/v1/sfu/rooms", auth=("admin", server.admin_password)).json["rooms"][0]
    assert room["freezes"] >= 1
