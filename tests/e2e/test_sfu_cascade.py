"""One server publishes, many carry it on: what a viewer of an edge gets is what was published, packet by
packet; the origin sends one copy to each edge; when it dies the next one takes its place."""
import json
import re

import pytest

from stage import ADMIN_PASSWORD, await_true, free_ports
from test_sfu_http import SDP, ask
from test_sfu_http import WATCH as WATCH_SDP
from test_sfuload import PATIENT, TOKEN, Load, explained

WATCH = "who may watch"


def metric(server, name):
    return int(re.search(rf"^ringmain_sfu_{name} (\d+)$", server.get("/metrics").text, re.M)[1])


def call(server, method, path):
    return server.get(f"/api/v1/sfu/{path}", auth=("admin", ADMIN_PASSWORD), method=method)


def rooms(server):
    return {room["room"]: room for room in call(server, "GET", "rooms").json["rooms"]}


def overrun(server):
    """Datagrams that came to a server, and for which there was no room, because it was not there to read."""
    port = next(arg.split(":")[-1] for arg in server.process.args if arg.startswith("sfu.udp="))
    lines = [line.split() for line in open("/proc/net/udp", encoding="ascii").readlines()[1:]]
    return sum(int(line[-1]) for line in lines if line[1].endswith(f":{int(port):04X}"))


@pytest.fixture
def station(serve):
    def start(origins=(), **settings):
        more = {"sfu.origins": ",".join(f"http://127.0.0.1:{o.port}" for o in origins),
                "sfu.origin_token": WATCH} if origins else {}
        return serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": TOKEN, "workers": "2",
                      "sfu.idle": "no", "sfu.origin_linger": "1s", **PATIENT, **more, **settings})
    return start


def test_three_edges_carry_a_room_on(crew, station):
    origin = station(**{"sfu.watch_token": WATCH})
    edges = [station([origin]) for _ in range(3)]
    Load(crew, origin, "show").publish()
    watchers = [Load(crew, edge, "show").start_watch(20, 2, "--loss", "0.02", "--rtx", "1", "--drain", "2",
                                                     "--least", "20000") for edge in edges]
    await_true(lambda: metric(origin, "viewers") == 3, 60, origin.log)
    assert [rooms(edge)["show"]["origin"] for edge in edges] == \
        [f"http://127.0.0.1:{origin.port}/whep/show"] * 3
    assert rooms(origin)["show"]["origin"] is None
    for watcher in watchers:
        assert watcher.wait(240) == 0, watcher.said()
        report = json.loads(watcher.said().splitlines()[-1])
        assert report["joined"] == 20 and report["repaired"] > 100
        assert not any(report[k] for k in ("bad", "torn", "astray")) and explained(report), report
    # What viewers missed the edge had: the origin was asked for nothing.
    assert metric(origin, "resent_total") == 0 or any(map(overrun, edges))
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
    watcher = Load(crew, edge, "show").start_watch(10, 3600)
    await_true(lambda: "show" in rooms(edge) and rooms(edge)["show"]["origin"], 10, edge.log)
    assert str(origins[0].port) in rooms(edge)["show"]["origin"]
    packets = int(metric(edge, "packets_out_total"))
    await_true(lambda: metric(edge, "packets_out_total") > packets + 1000, 10)
    origins[0].process.kill()
    origins[0].stopped = True
    await_true(lambda: str(origins[1].port) in (rooms(edge)["show"]["origin"] or ""), 20, edge.log)
    packets = metric(edge, "packets_out_total")
    await_true(lambda: metric(edge, "packets_out_total") > packets + 1000, 10)
    await_true(lambda: metric(edge, "viewers") == 10, 60)
    watcher.popen.terminate()


def test_a_publisher_who_comes_and_goes_is_followed(crew, station):
    origin = station()
    edge = station([origin])
    watcher = Load(crew, edge, "show").start_watch(5, 3600)
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
    await_true(lambda: rooms(edge)["show"]["origin"] is None and rooms(edge)["show"]["publisher"], 60)
    await_true(lambda: metric(origin, "viewers") == 0, 15)
    watcher.popen.terminate()


def at(station, port, origin, times=1):
    """A server whose address is known before it starts."""
    server = station(**{"http.listen": f"127.0.0.1:{port}",
                        "sfu.origins": ",".join([f"http://127.0.0.1:{origin}"] * times)})
    server.port, server.host, server.url = port, f"127.0.0.1:{port}", f"http://127.0.0.1:{port}"
    return server


def test_no_server_feeds_on_itself(crew, station):
    port = free_ports()
    own = at(station, port, port)
    watcher = Load(crew, own, "show").start_watch(1, 3600)
    await_true(lambda: "508" in own.log(), 10, own.log)
    # The room is there whenever he who waits asks anew.
    room = await_true(lambda: rooms(own).get("show"), 10, own.log)
    assert room["publisher"] is None
    watcher.popen.terminate()


def test_a_chain_of_servers_closes_to_no_ring(crew, station):
    """The first asks the third, which lives on the second, which lives on the first."""
    ports = [free_ports() for _ in range(3)]
    chain = [at(station, ports[i], ports[i - 1]) for i in range(3)]
    publisher = Load(crew, chain[0], "show").publish()
    watchers = [Load(crew, chain[2], "show").start_watch(2, 3600)]
    await_true(lambda: metric(chain[2], "packets_out_total") > 500, 20, chain[2].log)
    await_true(lambda: [metric(server, "viewers") for server in chain] == [1, 1, 2], 60, chain[2].log)
    watchers.append(Load(crew, chain[0], "show").start_watch(1, 3600))
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
        watcher = Load(crew, edge, "show").start_watch(1, 3600)
        await_true(lambda: "nobody publishes there" in edge.log(), 30, edge.log)
        for word in ("cannot be read", "status 500", "status 302"):
            assert word in edge.log()
        await_true(lambda: any(r.method == "DELETE" and r.path == "/whep/show/1" for r in list(outside.requests)), 60)
        watcher.popen.terminate()


def layers_of(server):
    return sorted((t["kind"], t["place"], t["layer"]) for t in rooms(server)["show"]["tracks"])


def test_an_edge_has_each_track_and_layer(crew, station):
    """A browser's camera in two layers, and a second video beside it, through two servers."""
    from browser import Pages
    origin = station()
    middle = station([origin])
    edge = station([middle])
    with Pages(crew, f"http://127.0.0.1:{origin.port}") as pages:
        sender, viewers = pages.open(), [pages.open() for _ in range(2)]
        sender.run("return await publish('/whip/show', " + json.dumps({
            "width": 640, "height": 360, "codec": "VP8", "videos": 2,
            "headers": {"Authorization": f"Bearer {TOKEN}"},
            "layers": [{"rid": "h", "maxBitrate": 500000}, {"rid": "m", "scaleResolutionDownBy": 2, "maxBitrate": 200000}]
        }) + ")")
        for viewer in viewers:
            viewer.run(f"SERVER = 'http://127.0.0.1:{edge.port}'; return await watch('/whep/show', {{videos: 2}})")
        everything = [("audio", 0, ""), ("video", 0, "h"), ("video", 0, "m"), ("video", 1, "")]
        await_true(lambda: "show" in rooms(edge) and layers_of(edge) == everything, 30, edge.log)
        assert layers_of(middle) == layers_of(origin) == everything

        def decoded(viewer, mid):
            return max((s.get("framesDecoded", 0) for s in viewer.run("return await stats()")["list"]
                        if s["type"] == "inbound-rtp" and s.get("mid") == mid), default=0)
        for mid in ("1", "2"):
            await_true(lambda: all(decoded(v, mid) > 30 for v in viewers), 40, lambda: [v.stats() for v in viewers])
        # Each viewer has the layer that it wants, and the wish for its key picture goes up to the browser.
        ids = [s["id"] for s in call(edge, "GET", "sessions").json["sessions"] if s["role"] == "viewer"]
        for wanted, session in zip("hm", ids):
            edge.get(f"/api/v1/sfu/sessions/{session}/layer", auth=("admin", ADMIN_PASSWORD), method="POST",
                     body=json.dumps({"layer": wanted}), headers={"Content-Type": "application/json"})
            await_true(lambda: wanted in [m.get("layer") for m in call(edge, "GET", f"sessions/{session}").json["media"]
                                          if m["state"] == "live"], 20,
                       lambda: (wanted, [rooms(s)["show"]["tracks"] for s in (origin, middle, edge)]))
        # One copy of each went from server to server.
        await_true(lambda: [metric(server, "viewers") for server in (origin, middle, edge)] == [1, 1, 2], 60)
        inner = next(s for s in call(origin, "GET", "sessions").json["sessions"] if s["role"] == "viewer")
        assert sorted(m.get("layer", "") for m in inner["media"] if m["kind"] == "video") == ["", "h", "m"]
        order = origin.get(f"/api/v1/sfu/sessions/{inner['id']}/layer", auth=("admin", ADMIN_PASSWORD), method="POST",
                           body='{"layer": "m"}', headers={"Content-Type": "application/json"})
        assert order.status == 404


def test_two_servers_that_ask_each_other_fall_silent(station):
    """Each is the other's origin, and often, so that they ask without a pause; the only viewer leaves."""
    ports = [free_ports() for _ in range(2)]
    pair = [at(station, ports[i], ports[1 - i], 20) for i in range(2)]
    answer = ask(pair[0], "POST", "/whep/show", WATCH_SDP, SDP)
    await_true(lambda: all(metric(server, "cascades_failed_total") > 3 for server in pair), 10)
    assert ask(pair[0], "DELETE", answer.headers["Location"]).status == 200
    await_true(lambda: not any(metric(server, "cascades") for server in pair), 15)


def test_rooms_that_edges_ask_for_are_bounded(station):
    server = station(**{"sfu.origins": "http://127.0.0.1:9", "sfu.max_rooms": "10"})

    def wanted():
        """What is asked for is wanted for a second."""
        for i in range(30):
            assert ask(server, "POST", f"/whep/r{i}", WATCH_SDP, {**SDP, "X-Ringmain-Edge": f"edge{i}"}).status == 409
        return metric(server, "cascades")
    assert await_true(wanted, 10) <= 10
    assert ask(server, "POST", "/whep/r0", WATCH_SDP, {**SDP, "X-Ringmain-Edge": "e" * 600}).status == 508


def test_an_origin_sends_our_token_nowhere(crew, station):
    from outside import Outside
    said = iter(["{other}/whep/show/1", "{own}.other.example/whep/show/1", "{own}/whep/show/2"])

    def answer(request):
        location = next(said, None)
        if not location:
            request.answer(409)
            return
        location = location.format(own=own.url(""), other=other.url(""))
        request.answer(201, body=b"v=0\r\n", headers=f"Location: {location}\r\n")
    with Outside(answer) as own, Outside(lambda request: request.answer(200)) as other:
        edge = station(**{"sfu.origins": own.url(""), "sfu.origin_token": WATCH})
        watcher = Load(crew, edge, "show").start_watch(1, 3600)
        await_true(lambda: "nobody publishes there" in edge.log(), 30, edge.log)
        await_true(lambda: [r.path for r in list(own.requests) if r.method == "DELETE"] == ["/whep/show/2"], 60,
                   lambda: own.requests)
        assert not other.requests
        watcher.popen.terminate()
