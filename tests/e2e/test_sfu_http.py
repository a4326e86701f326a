"""WHIP (RFC 9725) and WHEP by the letter: what is answered to which request, without any media."""
import http.client
import json
import re
import signal
import threading
import time

import pytest

from stage import ADMIN_PASSWORD, PROGRAM, ROOT, await_true, free_ports, http_get

GOLDEN = ROOT / "tests" / "golden" / "sdp"
PUBLISH = (GOLDEN / "chromium-publish.sdp").read_bytes()
WATCH = (GOLDEN / "chromium-watch.sdp").read_bytes()
TOKEN = {"Authorization": "Bearer publisher"}
SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}


@pytest.fixture(scope="module")
def server(shared_serve):
    return shared_serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": "publisher",
                         "sfu.max_rooms": "40", "workers": "2", "sfu.connect_timeout": "10m"})


class Answer:
    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        self.body = response.read().decode()


def ask(server, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, body, headers or {})
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


def publish(server, room, body=PUBLISH, headers=None):
    return ask(server, "POST", f"/whip/{room}", body, {**SDP, **TOKEN, **(headers or {})})


def watch(server, room, body=WATCH, headers=None):
    return ask(server, "POST", f"/whep/{room}", body, {**SDP, **(headers or {})})


def test_an_offer_is_answered_and_the_session_ended(server):
    answer = publish(server, "letter")
    where = answer.headers["Location"]

    assert answer.status == 201
    assert answer.headers["Content-Type"] == "application/sdp"
    assert re.fullmatch(r"/whip/letter/[0-9a-f]{32}", where)
    assert re.fullmatch(r'"[0-9a-f]+"', answer.headers["ETag"])
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Location" in answer.headers["Access-Control-Expose-Headers"]
    for line in ("a=ice-lite", "a=setup:passive", "a=rtcp-mux", "a=rtcp-mux-only", "a=group:BUNDLE 0 1", "a=recvonly",
                 "a=end-of-candidates"):
        assert f"{line}\r\n" in answer.body
    assert f" 127.0.0.1 {re.search('127.0.0.1 ([0-9]+) typ host', answer.body)[1]} typ host" \
        in answer.body
    assert ask(server, "DELETE", where).status == 401
    assert ask(server, "DELETE", where, headers=TOKEN).status == 200
    assert ask(server, "DELETE", where, headers=TOKEN).status == 404


def test_who_may_publish(server):
    assert ask(server, "POST", "/whip/who", PUBLISH, SDP).status == 401
    refused = publish(server, "who", headers={"Authorization": "Bearer publishes"})
    assert refused.status == 401 and refused.headers["WWW-Authenticate"].startswith("Bearer")
    by_query = ask(server, "POST", "/whip?room=who&access_token=publisher", PUBLISH, SDP)
    assert by_query.status == 201 and by_query.headers["Location"].startswith("/whip/who/")
    busy = publish(server, "who")
    assert busy.status == 409 and busy.headers["Retry-After"]
    assert ask(server, "DELETE", by_query.headers["Location"], headers=TOKEN).status == 200
    await_true(lambda: publish(server, "who").status == 201, 60)


@pytest.mark.parametrize("status, body, headers", [
    (415, PUBLISH, {"Content-Type": "text/plain"}),
    (201, PUBLISH, {"Content-Type": "Application/SDP; charset=utf-8"}),
    (400, b"hello", {}),
    (400, b"", {}),
    (400, PUBLISH.replace(b"a=fingerprint", b"a=footprint"), {}),
    (422, PUBLISH.replace(b"a=sendonly", b"a=inactive"), {}),
    (422, WATCH, {}),
    (422, (GOLDEN / "chromium-data.sdp").read_bytes(), {}),
    (422, PUBLISH.replace(b"a=rtcp-mux\r\n", b""), {}),
    (422, re.sub(rb"VP8|VP9|H264|AV1|H265", b"VP0", PUBLISH), {}),
    (400, PUBLISH.replace(b"a=mid:1\r\n", b"a=mid:\r\n"), {}),
    (413, PUBLISH + b"a=x\r\n" * 20000, {}),
], ids=["other type", "parameters", "no sdp", "empty", "no fingerprint", "inactive", "a viewer's",
        "data channel", "no rtcp-mux", "codec", "bad mid", "too long"])
def test_offers_and_what_is_wrong_with_them(server, status, body, headers):
    answer = publish(server, "faults", body, headers)

    assert answer.status == status, answer.body
    if status == 201:
        ask(server, "DELETE", answer.headers["Location"], headers=TOKEN)
    elif status != 413:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert len(json.loads(answer.body)["detail"]) > 10
    # And nothing of it is left.
    await_true(lambda: "faults" not in rooms(server), 5)


def test_patches(server):
    answer = publish(server, "patch")
    where, etag = answer.headers["Location"], answer.headers["ETag"]
    trickle = b"a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 X 0\r\na=mid:0\r\n" \
              b"a=candidate:1 1 udp 1 192.0.2.9 9 typ host\r\n"

    def patch(body=trickle, headers=None, where=where):
        return ask(server, "PATCH", where, body, {**FRAGMENT, **TOKEN, **(headers or {})})

    assert patch().status == 428
    assert patch(headers={"If-Match": '"other"'}).status == 412
    good = patch(headers={"If-Match": etag})
    assert good.status == 204 and not good.body and not good.headers["ETag"]
    assert patch(b"a=candidate:nonsense\r\n", {"If-Match": etag}).status == 400
    assert patch(headers={"If-Match": etag, "Content-Type": "text/plain"}).status == 415
    assert patch(headers={"If-Match": etag, "Content-Type": "application/sdp"}).status == 422
    assert patch(where="/whip/patch/" + 32 * "0", headers={"If-Match": etag}).status == 404
    restart = patch(headers={"If-Match": "*"})
    assert restart.status == 200 and restart.headers["ETag"] not in (None, etag)
    assert restart.headers["Content-Type"] == "application/trickle-ice-sdpfrag"
    ufrag = re.search("a=ice-ufrag:(.*)\r\n", restart.body)[1]
    assert ufrag not in answer.body and "a=candidate:" in restart.body
    assert patch(headers={"If-Match": etag}).status == 412
    # As the examples of RFC 9725 have it.
    assert patch(headers={"If-Match": '"*"'}).status == 200
    assert patch(b"a=mid:0\r\n", {"If-Match": "*"}).status == 400
    assert ask(server, "DELETE", where, headers=TOKEN).status == 200


def test_what_viewers_say_of_themselves(server):
    def patch(body, where, kind="application/json"):
        return ask(server, "PATCH", where, body, {"Content-Type": kind, **TOKEN}).status

    def seen():
        answer = server.get(f"/api/v1/sfu/sessions/{watcher.rsplit('/', 1)[1]}", auth=("admin", ADMIN_PASSWORD))
        return answer.json.get("seen")
    publisher = publish(server, "seen")
    answer = ask(server, "POST", "/whep/seen", WATCH, SDP)
    watcher = answer.headers["Location"]
    assert answer.headers["X-Ringmain-Stats"] == "30000" and publisher.headers["X-Ringmain-Stats"] is None
    assert seen() is None
    for wrong in (b"", b"[]", b"{", b'{"frames": "1"}', b'{"frames": 1, "frames": 2}', b'{"lost": 1e300}'):
        assert patch(wrong, watcher) == 400
    assert patch(b'{"x":"' + 3000 * b"x" + b'"}', watcher) == 413
    assert patch(b"{}", publisher.headers["Location"]) == 415
    assert patch(b"{}", "/whep/seen/" + 32 * "0") == 404
    assert seen() is None

    def too_soon():
        return patch(b'{"frames": 70, "jitter_us": 2.5, "other": "kept by nobody"}', watcher) == 204 \
            and patch(b'{"frames": 71}', watcher) == 429
    await_true(too_soon, 60, "two in half a second")
    assert (seen()["frames"], seen()["jitter_us"], seen()["freezes"]) == (70, 2, 0) and "other" not in seen()
    for where in (watcher, publisher.headers["Location"]):
        assert ask(server, "DELETE", where, headers=TOKEN).status == 200


@pytest.mark.parametrize("path", ["/whip/x", "/whep/x", "/whip", "/whap"])
def test_what_is_asked_before(server, path):
    options = ask(server, "OPTIONS", path, headers={"Origin": "https://elsewhere.example"})

    assert options.status == 204
    assert options.headers["Accept-Post"] == "application/sdp"
    assert "PATCH" in options.headers["Access-Control-Allow-Methods"]
    assert "If-Match" in options.headers["Access-Control-Allow-Headers"]
    assert options.headers["Link"] is None
    assert ask(server, "GET", path).status == 204
    assert ask(server, "HEAD", path).status == 204
    put = ask(server, "PUT", path, b"x")
    assert put.status == 405 and "PATCH" in put.headers["Allow"]


def test_a_viewer_may_wait_in_a_room_of_its_own(server):
    answer = watch(server, "empty")

    assert answer.status == 201 and "a=sendonly\r\n" in answer.body
    assert "empty" not in rooms(server, live=True) and "empty" in rooms(server)
    assert ask(server, "DELETE", answer.headers["Location"]).status == 200
    await_true(lambda: "empty" not in rooms(server), 5)


def test_a_viewer_without_the_codec_is_told(server):
    only = re.sub(rb"VP8|VP9|AV1", b"VP0", WATCH)
    where = publish(server, "codec").headers["Location"]

    assert watch(server, "codec", only).status == 422
    ask(server, "DELETE", where, headers=TOKEN)


def api(server, method, path, body=None):
    from stage import basic
    answer = ask(server, method, "/api/v1" + path, json.dumps(body) if body is not None else None,
                 {"Authorization": basic("admin", server.admin_password),
                  "Content-Type": "application/json"})
    return answer.status, json.loads(answer.body) if answer.body else None


def rooms(server, live=False):
    return {r["room"] for r in api(server, "GET", "/sfu/rooms")[1]["rooms"]
            if r["publisher"] or not live}


def test_rooms_are_bounded_and_none_leaks(server):
    answers = [watch(server, f"many{i}") for i in range(60)]
    good = [a for a in answers if a.status == 201]

    assert 30 <= len(good) <= 40
    assert all(a.status == 503 and a.headers["Retry-After"] for a in answers if a not in good)
    for answer in good:
        assert ask(server, "DELETE", answer.headers["Location"]).status == 200
    await_true(lambda: not any(r.startswith("many") for r in rooms(server)), 10)


def test_a_way_of_plain_rtp_is_no_viewer(serve):
    server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.max_viewers": "1", "rtp.wall.room": "wall",
                    "rtp.wall.send": f"127.0.0.1:{free_ports()}", "rtp.wall.video": "VP8/96", "sfu.connect_timeout": "10m"})
    await_true(lambda: "wall" in rooms(server), 10)
    first = watch(server, "wall")

    assert first.status == 201 and watch(server, "wall").status == 503
    assert api(server, "GET", "/sfu/rooms")[1]["rooms"][0]["viewers"] == 1
    assert ask(server, "DELETE", first.headers["Location"]).status == 200
    await_true(lambda: watch(server, "wall").status == 201, 10)


def test_sessions_that_never_come_are_reaped(serve):
    server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": "publisher",
                    "sfu.connect_timeout": "300ms"})
    answer = publish(server, "reaped")

    assert answer.status == 201
    await_true(lambda: "reaped" not in rooms(server), 15)
    assert publish(server, "reaped").status == 201


@pytest.mark.parametrize("room", ["a%20b", "%22", "x" * 200, "a%00b"],
                         ids=["blank", "quote", "long", "zero"])
def test_bad_names(server, room):
    assert publish(server, room).status == 400


@pytest.mark.parametrize("begin, kind, body", [(publish, "whip", PUBLISH), (watch, "whep", WATCH)], ids=["WHIP", "WHEP"])
def test_a_session_is_no_endpoint(server, begin, kind, body):
    """RFC 9725 4.2; an offer there would make a room of the session's name."""
    where = begin(server, "nested").headers["Location"]
    headers = {**TOKEN, **SDP}

    for method in ("GET", "HEAD", "POST", "PUT"):
        answer = ask(server, method, where, body if method[0] == "P" else None, headers)
        assert answer.status == 405 and set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "PATCH", "DELETE"}, method
        assert method == "HEAD" or json.loads(answer.body)["detail"] == "this is a session: it takes PATCH and DELETE", method
    assert ask(server, "DELETE", where, headers=TOKEN).status == 200
    # What only looks like one is a room.
    for method in ("GET", "HEAD"):
        looked = ask(server, method, f"/{kind}/nested/{32 * '0'}")
        assert looked.status == 204 and looked.headers["Accept-Post"] == "application/sdp"


def test_the_list_of_rooms_is_waited_for(server):
    # The rooms of the tests before have gone, but for one that stays: their end is a change too.
    await_true(lambda: rooms(server) <= {"who"}, 10, lambda: rooms(server))
    now = json.loads(ask(server, "GET", "/getRoomList?serial=0").body)
    got = []
    thread = threading.Thread(target=lambda: got.append(
        json.loads(ask(server, "GET", f"/getRoomList?serial={now['serial']}").body)))

    thread.start()
    time.sleep(0.1)
    assert not got, "it is not waited for"
    answer = publish(server, "listed")
    thread.join(60)
    assert got[0]["serial"] != now["serial"]
    await_true(lambda: "listed" in json.loads(ask(server, "GET", "/getRoomList").body)["rooms"], 5)
    ask(server, "DELETE", answer.headers["Location"], headers=TOKEN)


def test_who_watches_the_list_is_not_woken_by_each_viewer(server):
    """Thousands wait for it: that one of them leaves or goes to another room changes no list."""
    publishers = [publish(server, room).headers["Location"] for room in ("here", "there")]
    serial = lambda: json.loads(ask(server, "GET", "/getRoomList").body)["serial"]
    left = 0

    def goes_unnoticed():  # but for what was before, and is still on its way
        nonlocal left
        viewer = watch(server, "here", headers={"X-deadsfu-subuuid": "walker"}).headers["Location"]
        before = serial()
        assert ask(server, "POST", "/switchRoom?room=there&subuuid=walker").status == 200
        assert ask(server, "DELETE", viewer).status == 200
        left += 1
        await_true(lambda: server.log().count("peer gone role=viewer room=there ") == left, 20, server.log)
        return serial() == before
    await_true(goes_unnoticed, 20)
    for one in publishers:
        assert ask(server, "DELETE", one, headers=TOKEN).status == 200


def test_orders_over_the_api(server):
    where = watch(server, "orders").headers["Location"]
    session = where.rsplit("/", 1)[1]

    status, found = api(server, "GET", f"/sfu/sessions/{session}")
    assert status == 200 and found["role"] == "viewer" and found["room"] == "orders"
    assert [m["kind"] for m in found["media"]] == ["audio", "video"]
    assert api(server, "POST", f"/sfu/sessions/{session}/switch", {"room": "other"})[0] == 204
    await_true(lambda: api(server, "GET", f"/sfu/sessions/{session}")[1]["room"] == "other", 5)
    await_true(lambda: "orders" not in rooms(server), 5)
    assert api(server, "POST", f"/sfu/sessions/{session}/layer", {"layer": ""})[0] == 204
    assert api(server, "DELETE", f"/sfu/sessions/{session}")[0] == 204
    await_true(lambda: api(server, "GET", f"/sfu/sessions/{session}")[0] == 404, 5)
    await_true(lambda: api(server, "GET", "/sfu/sessions?room=other")[1]["sessions"] == [], 5)


def test_after_an_upgrade_the_next_server_has_the_port(serve):
    port = free_ports()
    server = serve({"sfu.udp": f"127.0.0.1:{port}", "sfu.publish_token": "publisher"})

    def offer():
        answer = watch(server, "upgraded")
        return answer.status == 201 and f" 127.0.0.1 {port} typ host" in answer.body
    assert offer()
    server.process.popen.send_signal(signal.SIGUSR2)
    server.await_log("took over", 20)
    await_true(lambda: server.log().count("info sfu ready") == 2, 20, lambda: server.log()[-3000:])
    await_true(offer, 10)


def sealed_fast(port):
    return int(re.search(r"^ringmain_sfu_sealed_fast (\d)$", http_get(port, "/metrics").text, re.M)[1])


def test_what_seals_does_not_hang_on_what_is_logged(server, crew, tmp_path):
    port, udp = free_ports(), free_ports()
    crew.start([PROGRAM, "--data", tmp_path, *(
        word for setting in (f"http.listen=127.0.0.1:{port}", f"sfu.udp=127.0.0.1:{udp}", "log.level=error",
                             "admin.password=x", "radio.source_password=x") for word in ("--set", setting))])

    def ready():
        try:
            return http_get(port, "/readyz").status == 200
        except OSError:
            return False
    await_true(ready, 20)
    assert sealed_fast(port) == sealed_fast(server.port)
    assert sealed_fast(server.port) == (" sealing by=libipsec-mb" in server.log())
