"""Servers that carry a room on are viewers who end with its publisher, and with no other."""
import pytest

from stage import await_true, free_ports
from test_sfu_http import PUBLISH, SDP, WATCH, ask

PUBLISHER = {**SDP, "Authorization": "Bearer publisher"}


@pytest.fixture
def server(serve):
    return serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": "publisher", "workers": "2", "sfu.connect_timeout": "10m"})


def begin(server, path, body, headers):
    answer = ask(server, "POST", path, body, headers)
    assert answer.status == 201, answer.body
    return answer.headers["Location"]


def is_there(server, location):
    """A session answers to trickled candidates, for which it needs an ETag."""
    fragment = {"Content-Type": "application/trickle-ice-sdpfrag"}
    return ask(server, "PATCH", location, b"a=end-of-candidates\r\n", fragment).status == 428


def test_those_of_a_room_end_with_its_publisher(server):
    shows = {room: begin(server, f"/whip/{room}", PUBLISH, PUBLISHER) for room in "ab"}
    edges = [begin(server, "/whep/a", WATCH, {**SDP, "X-Ringmain-Edge": f"e{i}"}) for i in range(4)]
    others = [begin(server, "/whep/b", WATCH, {**SDP, "X-Ringmain-Edge": "e"}), begin(server, "/whep/a", WATCH, SDP)]
    # One in their midst, the newest and the oldest have left before.
    for gone in (edges.pop(1), edges.pop(), edges.pop(0)):
        assert ask(server, "DELETE", gone).status == 200
        await_true(lambda gone=gone: f"id={gone[-32:]} why=left" in server.log(), 30, server.log)
    edges.append(begin(server, "/whep/a", WATCH, {**SDP, "X-Ringmain-Edge": "late"}))
    assert ask(server, "DELETE", shows["a"], headers=PUBLISHER).status == 200
    for edge in edges:
        await_true(lambda edge=edge: f'id={edge[-32:]} why="the publisher has left"' in server.log(), 30, server.log)
    assert all(is_there(server, other) for other in others) and not any(is_there(server, edge) for edge in edges)


def test_nobody_sends_them_to_another_room(server):
    begin(server, "/whip/a", PUBLISH, PUBLISHER)
    edge = begin(server, "/whep/a", WATCH, {**SDP, "X-Ringmain-Edge": "e", "X-deadsfu-subuuid": "me"})
    assert ask(server, "GET", "/switchRoom?room=b&subuuid=me").status == 404
    viewer = begin(server, "/whep/a", WATCH, {**SDP, "X-deadsfu-subuuid": "me"})
    assert ask(server, "GET", "/switchRoom?room=b&subuuid=me").status == 200
    assert is_there(server, edge) and is_there(server, viewer)
