"""One server publishes, many carry it on: what a viewer of an edge gets is what was published, packet by
packet; the origin sends one copy to each edge; when it dies the next one takes its place."""
import json
import re

import pytest

from stage import ADMIN_PASSWORD, await_true, free_ports
from test_sfuload import LOAD, TOKEN, Load

WATCH = "who may watch"


def metric(server, name):
    return int(re.search(rf"^ringmain_sfu_{name} (\d+)$", server.get("/metrics").text, re.M)[1])


def call(server, method, path):
    return server.get(f"/api/v1/sfu/{path}", auth=("admin", ADMIN_PASSWORD), method=method)


def rooms(server):
    return {room["room"]: room for room in call(server, "GET", "rooms").json["rooms"]}


@pytest.fixture
def station(serve):
    def start(origins=(), **settings):
        more = {"sfu.origins": ",".join(f"http://127.0.0.1:{o.port}" for o in origins),
                "sfu.origin_token": WATCH} if origins else {}
        return serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": TOKEN, "workers": "2",
                      "sfu.idle": "no", "sfu.origin_linger": "1s", **more, **settings})
    return start


def test_three_edges_carry_a_room_on(crew, station):
    origin = station(**{"sfu.watch_token": WATCH})
    edges = [station([origin]) for _ in range(3)]
    Load(crew, origin, "show").publish()
    watchers = [Load(crew, edge, "show").start_watch(20, 6, "--loss", "0.02", "--rtx", "1", "--drain", "2")
                for edge in edges]
    await_true(lambda: metric(origin, "viewers") == 3, 10, origin.log)
    assert [rooms(edge)["show"]["origin"] for edge in edges] == \
        [f"http://127.0.0.1:{origin.port}/whep/show"] * 3
    assert rooms(origin)["show"]["origin"] is None
    for watcher in watchers:
        assert watcher.wait(30) == 0, watcher.said()
        report = json.loads(watcher.said().splitlines()[-1])
        assert report["joined"] == 20 and report["repaired"] > 100
        assert not any(report[k] for k in ("bad", "torn", "astray", "lost"))
    # What viewers missed the edge had: the origin was asked for nothing.
    assert metric(origin, "resent_total") == 0
    # Nobody watches any more: nobody is asked any more. (The load's viewers go without a word.)
    for edge in edges:
        for session in call(edge, "GET", "sessions").json["sessions"]:
            if session["role"] == "viewer":
                call(edge, "DELETE", f"sessions/{session['id']}")
    await_true(lambda: metric(origin, "viewers") == 0, 10)
    await_true(lambda: not any(metric(edge, "cascades") for edge in edges), 10)


def test_a_dead_origin_is_followed_by_the_next(crew, station):
    origins = [station(), station()]
    edge = station(origins)
    for origin in origins:
        Load(crew, origin, "show").publish()
    watcher = Load(crew, edge, "show").start_watch(10, 40)
    await_true(lambda: "show" in rooms(edge) and rooms(edge)["show"]["origin"], 10, edge.log)
    assert str(origins[0].port) in rooms(edge)["show"]["origin"]
    packets = int(metric(edge, "packets_out_total"))
    await_true(lambda: metric(edge, "packets_out_total") > packets + 1000, 10)
    origins[0].process.kill()
    origins[0].stopped = True
    await_true(lambda: str(origins[1].port) in (rooms(edge)["show"]["origin"] or ""), 20, edge.log)
    packets = metric(edge, "packets_out_total")
    await_true(lambda: metric(edge, "packets_out_total") > packets + 1000, 10)
    assert metric(edge, "viewers") == 10
    watcher.popen.terminate()


def test_a_publisher_who_comes_and_goes_is_followed(crew, station):
    origin = station()
    edge = station([origin])
    watcher = Load(crew, edge, "show").start_watch(5, 60)
    await_true(lambda: metric(edge, "cascades_failed_total") > 0, 10, edge.log)
    for _ in range(2):
        publisher = Load(crew, origin, "show").publish()
        packets = metric(edge, "packets_out_total")
        await_true(lambda: metric(edge, "packets_out_total") > packets + 500, 15, edge.log)
        publisher.popen.terminate()
        await_true(lambda: not rooms(edge)["show"]["origin"], 15, edge.log)
    # One of our own comes before those of others.
    Load(crew, origin, "show").publish()
    await_true(lambda: rooms(edge)["show"]["origin"], 15)
    Load(crew, edge, "show").publish()
    assert rooms(edge)["show"]["origin"] is None and rooms(edge)["show"]["publisher"]
    await_true(lambda: metric(origin, "viewers") == 0, 15)
    watcher.popen.terminate()


def at(station, port, origin):
    """A server whose address is known before it starts."""
    server = station(**{"http.listen": f"127.0.0.1:{port}", "sfu.origins": f"http://127.0.0.1:{origin}"})
    server.port, server.host, server.url = port, f"127.0.0.1:{port}", f"http://127.0.0.1:{port}"
    return server


def test_no_server_feeds_on_itself(crew, station):
    port = free_ports()
    own = at(station, port, port)
    watcher = Load(crew, own, "show").start_watch(1, 30)
    await_true(lambda: "508" in own.log(), 10, own.log)
    assert rooms(own)["show"]["publisher"] is None
    watcher.popen.terminate()


def test_a_chain_of_servers_closes_to_no_ring(crew, station):
    """The first asks the third, which lives on the second, which lives on the first."""
    ports = [free_ports() for _ in range(3)]
    chain = [at(station, ports[i], ports[i - 1]) for i in range(3)]
    publisher = Load(crew, chain[0], "show").publish()
    watchers = [Load(crew, chain[2], "show").start_watch(2, 60)]
    await_true(lambda: metric(chain[2], "packets_out_total") > 500, 20, chain[2].log)
    assert [metric(server, "viewers") for server in chain] == [1, 1, 2]
    watchers.append(Load(crew, chain[0], "show").start_watch(1, 60))
    await_true(lambda: metric(chain[0], "packets_out_total") > 500, 10)
    publisher.popen.terminate()
    await_true(lambda: not any(room["publisher"] for server in chain for room in rooms(server).values()),
               30, lambda: [rooms(server) for server in chain])
    for watcher in watchers:
        watcher.popen.terminate()


def test_what_an_origin_says_is_judged(crew, station):
    """An origin that is none: whatever it says, the viewers wait and the server goes on."""
    from outside import Outside
    said = iter([(201, b"no description"), (201, b""), (500, b"x"), (302, b""),
                 (201, b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n")])

    def answer(request):
        status, body = next(said, (409, b""))
        request.answer(status, body=body, headers="Content-Type: application/sdp\r\n"
                                                   "Location: /whep/show/1\r\n")
    with Outside(answer) as outside:
        edge = station(**{"sfu.origins": outside.url("")})
        watcher = Load(crew, edge, "show").start_watch(1, 60)
        await_true(lambda: "nobody publishes there" in edge.log(), 30, edge.log)
        for word in ("cannot be read", "status 500", "status 302"):
            assert word in edge.log()
        assert any(r.method == "DELETE" and r.path == "/whep/show/1" for r in outside.requests)
        watcher.popen.terminate()
