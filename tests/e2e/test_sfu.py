"""WHIP in, WHEP out, with a browser at either end."""
import pytest

from browser import Pages
from stage import await_true, free_ports

TOKEN = "who may publish"


@pytest.fixture(scope="module")
def server(shared_serve):
    return shared_serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": TOKEN,
                         "workers": "2"})


@pytest.fixture(scope="module")
def pages(shared_crew, server):
    with Pages(shared_crew, f"http://127.0.0.1:{server.port}") as pages:
        yield pages


def publish(page, room, **options):
    options["headers"] = {"Authorization": f"Bearer {TOKEN}"}
    import json
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
    assert sender.run("return await leave()") in (200, 401)
    assert viewer.run("return await leave()") == 200
