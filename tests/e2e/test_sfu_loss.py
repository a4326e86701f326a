"""What a bad path does to publishers and viewers: an impairing relay lies between browser and server."""
import contextlib
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
    server = serve({"sfu.udp": f"127.0.0.1:{port}", "sfu.publish_token": TOKEN, "workers": "2", "sfu.connect_timeout": "10m"})

    with Pages(crew, f"http://127.0.0.1:{server.port}") as pages:
        yield server, pages, ("127.0.0.1", port)


def publish(page, room, through=None, **options):
    options["headers"] = {"Authorization": f"Bearer {TOKEN}"}
    page.run(f"via = {through.port if through else 0}")
    return page.run(f"return await publish('/whip/{room}', {json.dumps(options)})")


def watch(page, room, through=None, **options):
    page.run(f"via = {through.port if through else 0}")
    return page.run(f"return await watch('/whep/{room}', {json.dumps(options)})")


def await_window(page, is_good, frames=150):
    """Until one stretch of so many pictures is good: is_good(what its counters grew by). Others may be those in which
    the machine had no time for us."""
    begin, told = page.stats(), []

    def look():
        nonlocal begin
        now = page.stats()
        if now.get("framesDecoded", 0) < begin.get("framesDecoded", 0) + frames:
            return False
        told.append({key: now[key] - begin.get(key, 0) for key in now if isinstance(now[key], (int, float))})
        begin = now
        return is_good(told[-1])
    await_true(look, 150, lambda: told)


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
        await_window(viewer, lambda grew: grew["packetsLost"] < 0.3 * grew["nackCount"] + 20
                     and grew["totalFreezesDuration"] < 0.25 * grew["totalInterFrameDelay"])


def test_resending_spares_pictures(stage):
    """Near and far, with and without NACK and RTX, each pair with the same weather."""
    server, pages, udp = stage
    sender = pages.open()
    weather = {"near": dict(loss=0.1, delay=0.0025),
               "far": dict(loss=0.07, burst=0.03, delay=0.1, reorder=0.02)}
    viewers = {}

    publish(sender, "weather", codec="VP8", audio=False)
    with contextlib.ExitStack() as stack:
        for name, how in weather.items():
            for resend in (True, False):
                relay = stack.enter_context(Impairment(udp, seed=11, **how))
                page = viewers[name, resend] = pages.open()
                watch(page, "weather", relay, resend=resend, audio=False)

        def seen():
            return {key: page.stats() for key, page in viewers.items()}

        def told(all_of_them):
            return {key: {k: s.get(k) for k in ("framesDecoded", "pliCount", "nackCount", "freezeCount",
                                                "retransmittedPacketsReceived")}
                    for key, s in all_of_them.items()}

        def spared(with_it, without):
            """The others stand still until the next key picture."""
            return without.get("pliCount", 0) > 2 * max(1, with_it.get("pliCount", 0)) and \
                with_it.get("framesDecoded", 0) > max(100, 2 * without.get("framesDecoded", 0)) and \
                with_it.get("retransmittedPacketsReceived", 0) > 10

        def all_are_spared():
            last = seen()
            return all(spared(last[name, True], last[name, False]) for name in weather)
        await_true(all_are_spared, 150, lambda: told(seen()))
        last = seen()
        for name in weather:
            without = last[name, False]
            assert without["nackCount"] == 0 and without.get("retransmittedPacketsReceived", 0) == 0, told(last)


def test_what_publishers_lose_is_asked_for_again(stage):
    server, pages, udp = stage
    sender, viewer = pages.open(), pages.open()

    with Impairment(udp, seed=5, loss=0.04, delay=0.01) as relay:
        publish(sender, "lossy", relay)
        watch(viewer, "lossy")
        await_true(lambda: viewer.stats().get("framesDecoded", 0) > 200, 40, viewer.stats)
        assert relay.lost > 20
        await_true(lambda: sender.stats("outbound-rtp").get("nackCount", 0) > 5, 60)
        lost = relay.lost
        await_window(viewer, lambda grew: grew["packetsLost"] < 20 < relay.lost - lost)


LAYERS = [{"rid": "h", "maxBitrate": 1200000},
          {"rid": "m", "scaleResolutionDownBy": 2, "maxBitrate": 400000},
          {"rid": "l", "scaleResolutionDownBy": 4, "maxBitrate": 120000}]


def sessions(server):
    return server.get("/api/v1/sfu/sessions", auth=("admin", server.admin_password)).json["sessions"]


def test_a_thin_path_gets_a_thin_layer(stage):
    server, pages, udp = stage
    sender, wide, thin = pages.open(), pages.open(), pages.open()

    publish(sender, "layers", width=1280, height=720, codec="VP8", layers=LAYERS)

    # The best layer that the publisher's machine finds time for.
    def best():
        answer = server.get("/api/v1/sfu/rooms", auth=("admin", server.admin_password)).json
        tracks = answer["rooms"][0]["tracks"]
        return {"h": 1280, "m": 640, "l": 320}[
            max((t for t in tracks if t["kind"] == "video"), key=lambda t: t["bitrate"])["layer"]]

    watch(wide, "layers")
    await_true(lambda: wide.stats().get("frameWidth", 0) == 1280, 90, wide.stats)
    with Impairment(udp, rate=300000 / 8) as relay:
        answer = watch(thin, "layers", relay)["answer"]
        # Feedback on each packet: only of this is the bandwidth estimated here.
        assert "transport-cc" in answer and "goog-remb" not in answer
        await_true(lambda: thin.stats().get("frameWidth", 1280) <= 640
                   and thin.stats().get("framesDecoded", 0) > 100, 90, thin.stats)
        mine = thin.run("return resource").rsplit("/", 1)[1]

        def bandwidth():
            seen = next(s for s in sessions(server) if s["id"] == mine)
            return next(m for m in seen["media"] if m["kind"] == "video").get("bandwidth", 0)
        await_true(lambda: 0 < bandwidth() < 400000, 30, bandwidth)
        relay.rate = None
        await_true(lambda: bandwidth() > 400000 or thin.stats()["frameWidth"] >= best(), 120, bandwidth)
    # The other one still has it.
    await_true(lambda: wide.stats()["frameWidth"] >= best(), 120, wide.stats)


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
