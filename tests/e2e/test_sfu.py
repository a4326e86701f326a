"""WHIP in, WHEP out, with a browser at either end."""
import json

import pytest

from browser import Pages
from stage import await_true, free_ports

TOKEN = "who may publish"


@pytest.fixture(scope="module")
def server(shared_serve):
    return shared_serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": TOKEN,
                         "workers": "2", "sfu.connect_timeout": "10m", "sfu.history": "32M"})


@pytest.fixture
def pages(crew, server):
    with Pages(crew, f"http://127.0.0.1:{server.port}") as pages:
        yield pages


def publish(page, room, **options):
    options["headers"] = {"Authorization": f"Bearer {TOKEN}"}
    return page.run(f"return await publish('/whip/{room}', {json.dumps(options)})")


def frames(page):
    return page.stats().get("framesDecoded", 0)


def gaps(server, page):
    """How many packets it did not get, and how many of what it asked for were not to be had: of what a machine without
    time has lost, it is sent again what it asks for; of a gap in the numbers there is nothing to be sent."""
    where = f"/api/v1/sfu/sessions/{page.run('return resource').rsplit('/', 1)[1]}"
    video = next(m for m in server.get(where, auth=("admin", server.admin_password)).json["media"] if m["kind"] == "video")
    return page.stats()["packetsLost"], video["not_kept"]


def await_no_gap(server, page, turn):
    """Three times at most: what is lost at a switch is not to be had behind it. Gaps that we made are in each turn."""
    for _ in range(3):
        begin = gaps(server, page)
        turn()
        end = gaps(server, page)
        if end[0] <= begin[0] or end[1] == begin[1]:
            return
    pytest.fail(f"lost, not kept: {begin}, {end}")


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


def test_a_viewer_goes_from_room_to_room(pages, server):
    """Every second another of three rooms, with three codecs: no new negotiation."""
    for i, codec in enumerate(["VP8", "H264", "VP9"]):
        publish(pages.open(), f"hop{i}", codec=codec, width=320, height=180)
    viewer = pages.open()
    viewer.run("return await watch('/whap?room=hop0&subuuid=hopper')")
    await_true(lambda: frames(viewer) > 10, 30, viewer.stats)

    def turn():
        for i in range(1, 7):
            seen = viewer.stats()
            viewer.run(f"return (await fetch(SERVER + '/switchRoom?room=hop{i % 3}&subuuid=hopper',"
                       " {method: 'POST'})).status")
            codec = ["VP8", "H264", "VP9"][i % 3]
            await_true(lambda: viewer.stats().get("codec") == f"video/{codec}", 10, viewer.stats)
            await_true(lambda: frames(viewer) > seen["framesDecoded"] + 15, 10, viewer.stats)
    await_no_gap(server, viewer, turn)


def test_ten_rooms_in_turn_and_no_decoder_complains(pages, server):
    """Every two seconds the next, with three codecs: all that is decoded begins with a key picture and goes on
    from there, so the browser asks for no other one. Short form: ten switches."""
    sender, viewer = pages.open(), pages.open()
    for i in range(10):
        publish(sender, f"ring{i}", codec=["VP8", "VP9", "H264"][i % 3], width=160, height=120, audio=False)
    viewer.run("return await watch('/whap?room=ring0&subuuid=ring', {audio: false})")
    await_true(lambda: frames(viewer) > 10, 30, viewer.stats)
    # (A browser that the machine leaves no time may ask for one, and not show what it got.)
    tries = []

    def is_content():
        tries.append((gaps(server, viewer), *ten_turns(viewer), gaps(server, viewer)))
        (lost, asked), begin, end, (lost_then, asked_then) = tries[-1]
        more = {key: end[key] - begin.get(key, 0) for key in end if isinstance(end[key], (int, float))}
        return (more["pliCount"] < 3 and not more.get("firCount")
                and more["framesReceived"] - more["framesDecoded"] - more["framesDropped"] <= 5
                and (lost_then <= lost or asked_then == asked))
    assert any(is_content() for _ in range(3)), tries


def ten_turns(viewer):
    begin = viewer.stats()
    for i in range(1, 11):
        seen = viewer.stats()
        viewer.run(f"return (await fetch(SERVER + '/switchRoom?room=ring{i % 10}&subuuid=ring',"
                   " {method: 'POST'})).status")
        viewer.run("await new Promise((done) => setTimeout(done, 2000))")
        await_true(lambda: viewer.stats()["keyFramesDecoded"] > seen["keyFramesDecoded"]
                   and frames(viewer) > seen["framesDecoded"] + 15, 10, viewer.stats)
    return begin, viewer.stats()
