"""What WHEP has besides offers (WHEP Core Extensions): server-sent events, and a layer that the viewer chooses."""
import http.client
import json
import re
import socket
import struct
import threading
import time

import pytest

from stage import ROOT, await_true, free_ports
from test_sfu_http import SDP, WATCH, ask

LAYERS = (ROOT / "tests" / "golden" / "sdp" / "chromium-layers.sdp").read_bytes()
PUBLISHER = {"Authorization": "Bearer publisher"}
VIEWER = {"Authorization": "Bearer viewer"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(shared_serve):
    rtp = free_ports()
    server = shared_serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": "publisher", "workers": "2",
                           "sfu.watch_token": "viewer", "sfu.idle_after": "300ms", "rtp.studio.room": "spoken",
                           "rtp.studio.listen": f"127.0.0.1:{rtp}", "rtp.studio.audio": "opus/111",
                           "sfu.connect_timeout": "10m"})
    server.rtp = rtp
    return server


def publish(server, room):
    return ask(server, "POST", f"/whip/{room}", LAYERS, {**SDP, **PUBLISHER})


def watch(server, room):
    answer = ask(server, "POST", f"/whep/{room}", WATCH, {**SDP, **VIEWER})
    assert answer.status == 201, answer.body
    return answer


def post(server, path, body=None, headers=None):
    return ask(server, "POST", path, None if body is None else json.dumps(body), {**JSON, **VIEWER, **(headers or {})})


def open_stream(server, session, events=None):
    answer = post(server, f"{session}/sse", events)
    assert answer.status == 201, answer.body
    where = answer.headers["Location"]
    assert re.fullmatch(re.escape(session) + "/sse/[0-9a-f]{32}", where)
    return where


class Reader:
    """The events of a stream, as they come; over when it has ended."""

    def __init__(self, server, where):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=240)
        self.connection.request("GET", where)
        self.response = self.connection.getresponse()
        self.status, self.headers = self.response.status, self.response.headers
        self.events, self.over = [], False
        if self.status == 200:
            threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        name = None
        for line in self.response:
            field, _, value = line.decode().rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                self.events.append((name, json.loads(value)))
        self.over = True

    def until(self, *wanted):
        await_true(lambda: all(one in self.events for one in wanted), 15, lambda: self.events)

    def names(self):
        return [name for name, _ in self.events]


def test_a_viewer_is_told_of_them(server):
    answer = watch(server, "told")
    where, links = answer.headers["Location"], answer.headers.get_all("Link")

    assert links == [
        f'<{where}/sse>; rel="urn:ietf:params:whep:ext:core:server-sent-events"; '
        'events="active,inactive,layers,viewercount"',
        f'<{where}/layer>; rel="urn:ietf:params:whep:ext:core:layer"']
    assert publish(server, "told").headers["Link"] is None
    for path in (f"{where}/sse", f"{where}/layer", f"{where}/sse/{32 * '0'}"):
        options = ask(server, "OPTIONS", path)
        assert options.status == 204 and options.headers["Access-Control-Allow-Origin"] == "*"
        wrong = ask(server, "PUT", path, b"{}", VIEWER)
        assert wrong.status == 405 and ("DELETE" in wrong.headers["Allow"]) == path.endswith("0")
    # What is called alike and is none of a session is a room.
    assert ask(server, "POST", "/whep/a/b/layer", WATCH, {**SDP, **VIEWER}).status == 201


@pytest.mark.parametrize("status, body", [
    (200, {"mediaId": "1", "rid": "m"}),
    (200, {"encodingId": "l", "unknown": 1}),
    (200, {"mediaId": "1"}),
    (200, {}),
    (400, []),
    (400, {"rid": 7}),
    (422, {"mediaId": "0", "rid": "m"}),
    (422, {"mediaId": "2", "rid": "m"}),
    (422, {"mediaId": "99999999999999999999", "rid": "m"}),
    (422, {"mediaId": 1, "rid": "m"}),
    (422, {"rid": "x"}),
    (422, {"rid": "m" * 40}),
    (422, {"maxWidth": 640}),
], ids=["by name", "older name", "automatic", "automatic of the first", "a list", "a number", "sound", "no medium",
        "far", "number of medium", "unknown", "long", "by width"])
def test_a_layer_is_chosen(server, status, body):
    publish(server, "chosen")
    answer = post(server, f"{watch(server, 'chosen').headers['Location']}/layer", body)

    assert answer.status == status, answer.body
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert status == 200 or json.loads(answer.body)["detail"]


def test_no_refused_layer_is_a_refused_offer(server):
    refused = lambda: int(re.search(r"^ringmain_sfu_refused_offers_total (\d+)", server.get("/metrics").text, re.M)[1])
    where = watch(server, "counted").headers["Location"]
    before = refused()

    assert post(server, f"{where}/layer", {"rid": "nobody's"}).status == 422
    assert Reader(server, f"{where}/sse/{32 * '0'}").status == 404
    assert ask(server, "DELETE", f"/whep/counted/{32 * '0'}", headers=VIEWER).status == 404
    assert refused() == before
    assert ask(server, "POST", "/whep/counted", WATCH, SDP).status == 401
    assert ask(server, "POST", "/whep/counted", b"v=1", {**SDP, **VIEWER}).status == 400
    assert refused() == before + 2


def test_who_may(server):
    where = watch(server, "mine").headers["Location"]
    other = f"/whep/mine/{32 * '0'}"

    for path in ("layer", "sse"):
        assert ask(server, "POST", f"{where}/{path}", "{}", JSON).status == 401
        assert post(server, f"{other}/{path}", {} if path == "layer" else None).status == 404
        assert post(server, f"{where}/{path}", {}, {"Content-Type": "text/plain"}).status == 415
    for wrong in ({}, [], ["weather"], [7], "active"):
        assert post(server, f"{where}/sse", wrong).status == 400
    stream = open_stream(server, where)
    assert ask(server, "DELETE", stream).status == 401
    for nobodys in (stream[:-1] + ("0" if stream[-1] != "0" else "1"), stream.replace(where, other)):
        assert Reader(server, nobodys).status == 404
    # A publisher is no viewer.
    publisher = publish(server, "mine").headers["Location"].replace("/whip/", "/whep/")
    assert post(server, f"{publisher}/sse").status == 404


def test_what_a_viewer_hears(server):
    where = watch(server, "heard").headers["Location"]
    reader = Reader(server, open_stream(server, where))

    assert reader.headers["Content-Type"].startswith("text/event-stream")
    assert reader.headers["Access-Control-Allow-Origin"] == "*"
    reader.until(("viewercount", {"viewercount": 1}))
    publish(server, "heard")
    layers = [{"rid": rid, "bitrate": 0} for rid in "hml"]
    reader.until(("layers", {"1": layers}))
    picky = Reader(server, open_stream(server, watch(server, "heard").headers["Location"], ["viewercount", "scte35"]))
    reader.until(("viewercount", {"viewercount": 2}))
    picky.until(("viewercount", {"viewercount": 2}))
    assert set(picky.names()) == {"viewercount"}
    # Nobody was ever on the air.
    assert not {"active", "inactive"} & set(reader.names())


def test_a_session_has_one_stream_and_that_one_reader(server):
    where = watch(server, "ended").headers["Location"]
    streams = [open_stream(server, where)]
    readers = [Reader(server, streams[0])]
    first = ("viewercount", {"viewercount": 1})

    readers[0].until(first)
    readers.append(Reader(server, streams[0]))
    readers[1].until(first)
    streams.append(open_stream(server, where))
    readers.append(Reader(server, streams[1]))
    readers[2].until(first)
    await_true(lambda: readers[0].over and readers[1].over, 15)
    assert Reader(server, streams[0]).status == 404
    assert ask(server, "DELETE", streams[1], headers=VIEWER).status == 200
    await_true(lambda: readers[2].over, 15)
    assert Reader(server, streams[1]).status == 404
    assert ask(server, "DELETE", streams[1], headers=VIEWER).status == 404
    # And none is left of one that has gone.
    last = open_stream(server, where)
    readers.append(Reader(server, last))
    readers[3].until(first)
    assert ask(server, "DELETE", where, headers=VIEWER).status == 200
    await_true(lambda: readers[3].over, 15)
    assert Reader(server, last).status == 404


def test_on_the_air_and_not(server):
    reader = Reader(server, open_stream(server, watch(server, "spoken").headers["Location"]))
    reader.until(("viewercount", {"viewercount": 1}))

    def speak(until):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            end = time.monotonic() + 60
            while not until() and time.monotonic() < end:
                speak.count += 1
                out.sendto(struct.pack("!BBHII", 0x80, 111, speak.count, 960 * speak.count, 7) + b"\xf8\xff\xfe",
                           ("127.0.0.1", server.rtp))
                time.sleep(0.02)
    speak.count = 0
    speak(lambda: reader.names().count("active") >= 1)
    reader.until(("active", {}), ("inactive", {}))
    speak(lambda: reader.names().count("active") >= 2)
    assert [name for name in reader.names() if name in ("active", "inactive")][:3] == ["active", "inactive", "active"]
