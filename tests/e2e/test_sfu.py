"""WHIP in, WHEP out, with a browser at either end."""
import json

import pytest

from browser import Pages
from stage import await_true, free_ports

TOKEN = "who may publish"


@pytest.fixture(scope="module")
def server(shared_serve):
    return shared_serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": TOKEN,
                         "workers": "2"})


@pytest.fixture
def pages(crew, server):
    with Pages(crew, f"http://127.0.0.1:{server.port}") as pages:
        yield pages


def publish(page, room, **options):
    options["headers"] = {"Authorization": f"Bearer {TOKEN}"}
    return page.run(f"return await publish('/whip/{room}', {json.dumps(options)})")


def frames(page):
    return page.stats().get("framesDecoded", 0)


@pytest.mark.parametrize("codec", ["VP8", "H264", "VP9", "AV1"])
def test_a_browser_publishes_and_another_sees_it(pages, server, codec):
    sender, viewer = pages.open(), pages.open()

    publish(sender, f"see-{codec}", codec=codec)
    viewer.run(f"return await watch('/whep/see-{codec}')")
    await_true(lambda: frames(viewer) > 60, 30, lambda: (viewer.stats(), server.log()[-3000:]))
    assert viewer.stats()["codec"].lower() == f"video/{codec.lower()}"
    assert viewer.stats(media="audio")["packetsReceived"] > 10
    assert sender.run(f"return await leave({{Authorization: 'Bearer {TOKEN}'}})") == 200
    assert viewer.run("return await leave()") == 200


def freezes(page):
    return page.stats().get("freezeCount", 0)


def test_a_viewer_who_comes_late_sees_at_once(pages):
    sender, early, late = pages.open(), pages.open(), pages.open()

    publish(sender, "late")
    early.run("return await watch('/whep/late')")
    await_true(lambda: frames(early) > 90, 30)
    late.run("return await watch('/whep/late')")
    await_true(lambda: frames(late) > 0, 5, late.stats)
    await_true(lambda: frames(late) > 30, 10, late.stats)


def test_a_viewer_waits_for_the_publisher_and_for_the_next_one(pages):
    viewer, first, second = pages.open(), pages.open(), pages.open()

    viewer.run("return await watch('/whep/wait')")
    publish(first, "wait")
    await_true(lambda: frames(viewer) > 30, 30, viewer.stats)
    first.run(f"return await leave({{Authorization: 'Bearer {TOKEN}'}})")
    # Meanwhile there is a picture all the same, and it moves.
    await_true(lambda: viewer.stats()["frameWidth"] == 320, 10, viewer.stats)
    seen = frames(viewer)
    await_true(lambda: frames(viewer) > seen + 5, 10, viewer.stats)
    publish(second, "wait", codec="H264")
    await_true(lambda: viewer.stats()["codec"] == "video/H264"
               and viewer.stats()["frameWidth"] == 640, 30, viewer.stats)
    seen = frames(viewer)
    await_true(lambda: frames(viewer) > seen + 30, 30, viewer.stats)


def test_a_viewer_goes_from_room_to_room(pages):
    """Every second another of three rooms, with three codecs: no new negotiation."""
    for i, codec in enumerate(["VP8", "H264", "VP9"]):
        publish(pages.open(), f"hop{i}", codec=codec, width=320, height=180)
    viewer = pages.open()
    viewer.run("return await watch('/whap?room=hop0&subuuid=hopper')")
    await_true(lambda: frames(viewer) > 10, 30, viewer.stats)
    for i in range(1, 7):
        seen = viewer.stats()
        viewer.run(f"return (await fetch(SERVER + '/switchRoom?room=hop{i % 3}&subuuid=hopper',"
                   " {method: 'POST'})).status")
        codec = ["VP8", "H264", "VP9"][i % 3]
        await_true(lambda: viewer.stats().get("codec") == f"video/{codec}", 10, viewer.stats)
        await_true(lambda: frames(viewer) > seen["framesDecoded"] + 15, 10, viewer.stats)
    assert viewer.stats()["packetsLost"] == 0


def test_ten_rooms_in_turn_and_no_decoder_complains(pages):
    """Every two seconds the next, with three codecs: all that is decoded begins with a key picture and goes on
    from there, so the browser never asks for another one. Short form: ten switches."""
    sender, viewer = pages.open(), pages.open()
    for i in range(10):
        publish(sender, f"ring{i}", codec=["VP8", "VP9", "H264"][i % 3], width=160, height=120, audio=False)
    viewer.run("return await watch('/whap?room=ring0&subuuid=ring', {audio: false})")
    await_true(lambda: frames(viewer) > 10, 30, viewer.stats)
    begin = viewer.stats()
    for i in range(1, 11):
        seen = viewer.stats()
        viewer.run(f"return (await fetch(SERVER + '/switchRoom?room=ring{i % 10}&subuuid=ring',"
                   " {method: 'POST'})).status")
        viewer.run("await new Promise((done) => setTimeout(done, 2000))")
        await_true(lambda: viewer.stats()["keyFramesDecoded"] > seen["keyFramesDecoded"]
                   and frames(viewer) > seen["framesDecoded"] + 15, 10, viewer.stats)
    end = viewer.stats()
    assert end["pliCount"] == begin["pliCount"] and end.get("firCount", 0) == begin.get("firCount", 0), (begin, end)
    assert end["packetsLost"] == 0
    assert end["framesReceived"] - end["framesDecoded"] - end["framesDropped"] <= 5, end
