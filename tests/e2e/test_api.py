"""/api/v1: the document is held against the server and the server against the document; and what
each operation does."""
import csv
import io
import json
import re
import tempfile
import urllib.parse

import jsonschema
import pytest

from countries import country_file
from encoders import dial, read_until
from stage import ADMIN_PASSWORD, ROOT, SOURCE_PASSWORD, Server, await_true, free_ports
from test_requests import mp3_frames, raw_source
from voice_stage import ringmain_voice

DOCUMENT = json.loads((ROOT / "docs" / "openapi.json").read_text())
ADMIN = ("admin", ADMIN_PASSWORD)


def feed(server, mount, sounds):
    """An encoder on this mount, until its close()."""
    return raw_source(server, mount, "audio/mpeg", "ice-name: Test\r\n", mp3_frames(sounds))
METHODS = {"get", "put", "post", "delete"}


def documented():
    """Each operation of the document: method, path, what is said of it."""
    return [(method.upper(), path, said) for path, item in DOCUMENT["paths"].items()
            for method, said in item.items() if method in METHODS]


def schema_of(said, status):
    """The schema of the answer with this status; None when it has no body."""
    answer = said["responses"].get(str(status), said["responses"]["default"])
    content = answer.get("content", {})
    return content.get("application/json", {}).get("schema")


def validate(value, schema):
    jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


class Api:
    """Calls operations and holds each answer against the document."""

    elsewhere = set()  # called on servers of single tests

    def __init__(self, server):
        self.server = server
        self.called = set()

    def operation(self, method, path):
        """The row of the document that a path belongs to; a mount may have slashes."""
        best = None
        for name, pattern, said in documented():
            form = re.escape(pattern).replace(r"\{mount\}", "(.+)").replace(r"\{network\}", "(.+)").replace(r"\{file\}", "(.+)")
            form = re.sub(r"\\\{\w+\\\}", "([^/]+)", form)
            if name == method and re.fullmatch(form, path):
                if best is None or len(pattern) > len(best[0]):
                    best = (pattern, said)
        assert best, f"not documented: {method} {path}"
        return best

    def __call__(self, method, path, body=None, auth=ADMIN, headers=None):
        pattern, said = self.operation(method, "/api/v1" + path.split("?")[0])
        self.called.add((method, pattern))
        headers = dict(headers or {})
        if body is not None:
            headers["Content-Type"] = "application/json"
        answer = self.server.get("/api/v1" + urllib.parse.quote(path, "/?=&,:-"), headers=headers,
                                 auth=auth, method=method,
                                 body=None if body is None else json.dumps(body))
        schema = schema_of(said, answer.status)
        if answer.status in (204, 304):
            assert answer.body == b""
        else:
            validate(answer.json, schema)
        if answer.status >= 400:
            assert str(answer.status) not in said["responses"]
        assert answer.headers["Cache-Control"] == "no-store"
        return answer


@pytest.fixture(scope="module")
def server(shared_serve):
    return shared_serve({"http.trusted_proxies": "127.0.0.1", "mount./live.fallback": "/other",
                         "server.name": "Harbour"})


@pytest.fixture(scope="module")
def api(server):
    return Api(server)


@pytest.fixture
def on_air(server, sounds):
    """/live and /talk/late are fed."""
    sources = [feed(server, "/live", sounds), feed(server, "/talk/late", sounds)]
    server.await_mount("/live")
    server.await_mount("/talk/late")
    yield server
    for source in sources:
        source.stop()
    await_true(lambda: not server.mounts(), 20)


def listen(server, mount, agent="VLC/3.0.20", address=None):
    connection = dial(server)
    forwarded = f"X-Forwarded-For: {address}\r\n" if address else ""
    connection.sendall(f"GET {mount} HTTP/1.0\r\nUser-Agent: {agent}\r\n{forwarded}\r\n".encode())
    assert read_until(connection, b"\r\n\r\n").startswith(b"HTTP/1.0 200 OK\r\n")
    return connection


def ended(connection):
    while connection.recv(65536):
        pass
    return True


# -- the document and the server ------------------------------------------------------------------

def test_the_document_and_the_server_name_the_same_operations(server):
    served = {(o["method"], o["path"]): o
              for o in server.get("/api/v1/operations").json["operations"]}
    said = {(method, path): s for method, path, s in documented()}
    assert set(served) == set(said)
    schemas = DOCUMENT["components"]["schemas"]
    for key, row in served.items():
        body = said[key].get("requestBody")
        good = next(v for k, v in said[key]["responses"].items() if k != "default")
        name = next(iter(good["content"].values()))["schema"]["$ref"].rsplit("/", 1)[1] \
            if "content" in good else None
        assert row["response"] == name and (name is None or name in schemas), key
        assert bool(row["request"]) == bool(body), key
        if body:
            assert body["content"]["application/json"]["schema"]["$ref"].endswith(
                "/" + row["request"]), key
        assert row["rank"] == said[key]["x-rank"], key
        assert row["summary"] == said[key]["summary"], key


def test_each_operation_is_refused_without_a_login_as_its_rank_says(server):
    for method, path, said in documented():
        if path in ("/api/v1/login", "/api/v1/logout", "/api/v1/me"):
            continue
        real = path.replace("{mount}", "live").replace("{network}", "10.0.0.0/8")
        real = re.sub(r"\{\w+\}", "1", real)
        body = "{}" if "requestBody" in said else None
        answer = server.get(real, method=method, body=body,
                            headers={"Content-Type": "application/json"})
        if (method, path) == ("POST", "/api/v1/setup"):
            assert answer.status == 409, "there is an administrator"
        elif said["x-rank"] == "none":
            assert answer.status == 200, path
        else:
            assert answer.status == 401 and answer.json["error"]["code"] == "no_login", path
            validate(answer.json, {"$ref": "#/components/schemas/Error"})


def test_a_server_with_an_administrator_needs_no_setup(api):
    assert api("GET", "/setup", auth=None).json == {"needed": False}
    refused = api("POST", "/setup", {"token": "x", "user": "eve", "password": "long enough"},
                  auth=None)
    assert refused.status == 409 and refused.json["error"]["code"] == "not_needed"


def test_paths_and_methods_that_are_not_there_are_said_as_json(server):
    lost = server.get("/api/v1/nothing", auth=ADMIN)
    assert lost.status == 404 and lost.json["error"]["code"] == "no_such_operation"
    wrong = server.get("/api/v1/server", auth=ADMIN, method="DELETE")
    assert wrong.status == 405 and wrong.headers["Allow"] == "GET, HEAD"
    assert wrong.json["error"]["code"] == "bad_method"
    assert server.get("/api/v1/server", auth=ADMIN, method="HEAD").body == b""


def test_the_document_is_served(server):
    assert server.get("/openapi.json").json == DOCUMENT


# -- reading --------------------------------------------------------------------------------------

def test_what_is_read_has_the_documents_form(on_air, api):
    listener = listen(on_air, "/live", address="192.0.2.10")
    await_true(lambda: on_air.mount("/live")["listeners"] == 1, 10)
    server = api("GET", "/server").json
    assert (server["name"], server["listeners"], server["sources"]) == ("Harbour", 1, 2)
    assert server["memory"] > 1e6 and server["workers"] >= 1 and server["connections"] >= 3
    mounts = {m["mount"]: m for m in api("GET", "/mounts").json["mounts"]}
    assert mounts["/live"]["source"]["address"] == "127.0.0.1"
    assert mounts["/live"]["fallback"] == "/other" and not mounts["/live"]["hidden"]
    assert api("GET", "/mounts/talk/late").json["mount"] == "/talk/late"
    assert api("GET", "/mounts/none").status == 404
    assert {m["mount"] for m in api("GET", "/station", auth=None).json["mounts"]} \
        == {"/live", "/talk/late"}
    health = api("GET", "/health").json
    assert health["ready"] and {c["name"] for c in health["checks"]} >= {"log", "sources", "workers"}
    metrics = {m["name"]: m["value"] for m in api("GET", "/metrics").json["metrics"]}
    assert metrics["radio_sources"] == 2
    assert api("GET", "/bans").json["bans"] == []
    assert not api("GET", "/certificate").json["tls"]
    api("GET", "/operations", auth=None)
    assert api("GET", "/audience").json == {
        "total": 1, "agents": [{"name": "VLC", "count": 1}], "countries": None}
    me = api("GET", "/me").json
    assert me["user"] == "admin" and me["rank"] == "admin"
    listener.close()


def test_listeners_are_counted_by_country(serve, sounds, tmp_path):
    country_file(tmp_path / "countries.mmdb", {"198.51.100.0/24": "DE", "203.0.113.0/24": "JP"})
    server = serve({"geoip.file": str(tmp_path / "countries.mmdb"),
                    "http.trusted_proxies": "127.0.0.1"})
    server.await_log("geoip file opened")
    source = feed(server, "/live", sounds)
    server.await_mount("/live")
    crowd = [listen(server, "/live", address=a)
             for a in ("198.51.100.1", "198.51.100.2", "203.0.113.1", "192.0.2.1")]
    api = Api(server)
    await_true(lambda: api("GET", "/audience").json["total"] == 4, 10)
    assert api("GET", "/audience").json["countries"] == [
        {"code": "DE", "count": 2}, {"code": "??", "count": 1}, {"code": "JP", "count": 1}]
    for connection in crowd:
        connection.close()
    source.stop()


def test_a_country_file_that_is_none_is_said(serve, tmp_path):
    (tmp_path / "none.mmdb").write_text("no database")
    server = serve({"geoip.file": str(tmp_path / "none.mmdb")})
    server.await_log("geoip file not read")
    assert Api(server)("GET", "/audience").json["countries"] is None


def test_the_trend_of_a_mount_is_kept(on_air, api):
    def values():
        found = api("GET", "/trends?span=hour&series=listeners,mount:/live").json["series"]
        return found.get("mount:/live", []) and found
    found = await_true(values, 15)
    assert set(found) == {"listeners", "mount:/live"}
    assert len(found["mount:/live"]) == len(found["listeners"])
    assert api("GET", "/trends?span=week").status == 400
    api("GET", "/trends?span=day")


def test_the_log_is_read_on_from_where_one_was(api):
    first = api("GET", "/log?limit=5").json
    assert 0 < len(first["lines"]) <= 5
    assert first["lines"][-1]["number"] == first["next"] - 1
    api("POST", "/reload")
    later = api("GET", f"/log?from={first['next']}").json
    assert [line["number"] for line in later["lines"]] == list(range(first["next"], later["next"]))
    assert any("core reloaded" in line["text"] for line in later["lines"])
    assert all(" warning " in line["text"] or " error " in line["text"]
               for line in api("GET", "/log?level=warning").json["lines"])
    assert api("GET", "/log?level=loud").status == 400


def test_who_has_an_answer_is_not_sent_it_again(api):
    first = api("GET", "/settings")
    same = api("GET", "/settings", headers={"If-None-Match": first.headers["ETag"]})
    assert same.status == 304
    assert api("GET", "/settings", headers={"If-None-Match": 'W/"0"'}).status == 200


def test_settings_say_who_said_them_and_keep_secrets(api):
    answer = api("GET", "/settings")
    assert ADMIN_PASSWORD not in answer.text and SOURCE_PASSWORD not in answer.text
    rooms = {room["name"]: room for room in answer.json["rooms"]}
    edge = {s["name"]: s for s in rooms["edge"]["settings"]}
    assert edge["server.name"]["value"] == "Harbour" and edge["server.name"]["from"] == "option"
    assert edge["admin.password"]["value"] == "***"
    assert edge["http.header_timeout"]["from"] == "default"
    entries = {e["name"]: {s["name"]: s for s in e["settings"]}
               for e in rooms["radio"]["section"]["entries"]}
    assert entries["/live"]["fallback"]["value"] == "/other"


def test_a_text_is_checked_and_all_its_faults_named(api):
    good = api("POST", "/settings/check", {"text": "http:\n  listen: \"127.0.0.1:8000\"\n"}).json
    assert good == {"good": True, "faults": []}
    bad = api("POST", "/settings/check",
              {"text": "http:\n  listen: lala\nmount:\n  /x: {burst: lots}\n"}).json
    assert not bad["good"] and len(bad["faults"]) == 2 and bad["faults"][0].startswith("text:2:")
    assert api("POST", "/settings/check", {}).status == 400


def test_a_reload_says_what_is_wrong_with_the_file(crew, tmp_path):
    file = tmp_path / "ringmain.conf"
    file.write_text("server:\n  name: Before\n")
    server = Server(crew, tmp_path, options=["--config", file])
    api = Api(server)
    file.write_text("server:\n  name: After\n")
    assert api("POST", "/reload").json == {"good": True, "faults": []}
    assert api("GET", "/server").json["name"] == "After"
    file.write_text("server:\n  nickname: Oh\n")
    answer = api("POST", "/reload").json
    assert not answer["good"] and "nickname" in answer["faults"][0]
    assert api("GET", "/server").json["name"] == "After"
    server.stop()


# -- doing ----------------------------------------------------------------------------------------

def test_listeners_are_listed_by_pages_found_and_ordered(on_air, api):
    crowd = [listen(on_air, "/live", f"Player{i}/1", f"192.0.2.{i + 1}") for i in range(12)]
    await_true(lambda: api("GET", "/mounts/live/listeners").json["total"] == 12, 10)
    first = api("GET", "/mounts/live/listeners?order=address&limit=5").json
    second = api("GET", "/mounts/live/listeners?order=address&limit=5&offset=5").json
    third = api("GET", "/mounts/live/listeners?order=address&limit=5&offset=10").json
    addresses = [one["address"] for page in (first, second, third) for one in page["listeners"]]
    assert addresses == [f"192.0.2.{i + 1}" for i in range(12)]
    last = api("GET", "/mounts/live/listeners?order=-address&limit=1").json["listeners"][0]
    assert last["address"] == "192.0.2.12" and last["agent"] == "Player11/1"
    found = api("GET", "/listeners?find=player7").json
    assert found["total"] == 1 and found["listeners"][0]["mount"] == "/live"
    assert api("GET", "/listeners?find=192.0.2.3").json["total"] == 1
    for connection in crowd:
        connection.close()


def test_a_listener_and_then_all_are_sent_away(on_air, api):
    one, two, three = (listen(on_air, "/live", address=f"192.0.2.{i}") for i in (21, 22, 23))
    listed = await_true(lambda: (lambda l: len(l) == 3 and l)(
        api("GET", "/mounts/live/listeners?order=address").json["listeners"]), 10)
    assert api("DELETE", f"/mounts/live/listeners/{listed[0]['id']}").json == {"count": 1}
    assert ended(one)
    assert api("DELETE", f"/mounts/live/listeners/{listed[0]['id']}").status == 404
    assert api("DELETE", "/mounts/live/listeners/x").status == 404
    assert api("DELETE", "/mounts/live/listeners").json == {"count": 2}
    assert ended(two) and ended(three)


def test_listeners_are_moved(on_air, api):
    one, two = listen(on_air, "/live", address="192.0.2.31"), listen(on_air, "/live")
    listed = await_true(lambda: (lambda l: len(l) == 2 and l)(
        api("GET", "/mounts/live/listeners?find=192.0.2.31").json["listeners"]
        + api("GET", "/mounts/live/listeners?find=127.0.0.1").json["listeners"]), 10)
    body = {"to": "/talk/late", "listener": listed[0]["id"]}
    assert api("POST", "/mounts/live/move", body).json == {"count": 1}
    assert api("GET", "/mounts/talk/late/listeners").json["listeners"][0]["address"] == "192.0.2.31"
    assert api("POST", "/mounts/live/move", {"to": "/talk/late"}).json == {"count": 1}
    assert api("GET", "/mounts/live/listeners").json["total"] == 0
    for wrong in ({}, {"to": "/live"}, {"to": "/none"}, {"to": 7}):
        assert api("POST", "/mounts/live/move", wrong).status == 409
    assert api("POST", "/mounts/live/move", {"to": "/talk/late", "listener": "x"}).status == 400
    one.close()
    two.close()


def test_a_title_is_set_as_it_is_written(on_air, api):
    title = "Ärger & <b>Mut</b> - \u202eevil\u0007"
    assert api("PUT", "/mounts/live/title", {"title": title}).status == 204
    heard = await_true(lambda: api("GET", "/mounts/live").json["title"], 5)
    assert heard.startswith("Ärger & <b>Mut</b> - ") and "\u0007" not in heard
    assert api("PUT", "/mounts/live/title", {}).status == 400
    assert api("PUT", "/mounts/none/title", {"title": "x"}).status == 404


def test_a_title_without_a_source_is_refused(server, api):
    assert api("PUT", "/mounts/live/title", {"title": "x"}).status == 409


def test_a_source_is_sent_away(server, api, sounds):
    source = feed(server, "/gone", sounds)
    server.await_mount("/gone")
    assert api("DELETE", "/mounts/gone/source").status == 204
    await_true(lambda: not server.mount("/gone"), 15)
    source.stop()
    assert api("DELETE", "/mounts/live/source").status == 409


def test_fallback_and_visibility_hold_until_the_reload(on_air, api):
    assert api("PUT", "/mounts/live/fallback", {"fallback": "/talk/late"}).status == 204
    assert api("GET", "/mounts/live").json["fallback"] == "/talk/late"
    assert api("PUT", "/mounts/talk/late/fallback", {"fallback": "/live"}).status == 409
    assert api("PUT", "/mounts/live/fallback", {"fallback": "live"}).status == 400
    assert api("PUT", "/mounts/live/hidden", {"hidden": True}).status == 204
    assert "/live" not in on_air.mounts()
    assert "/live" not in {m["mount"] for m in on_air.get("/api/v1/station").json["mounts"]}
    assert api("PUT", "/mounts/live/hidden", {"hidden": "yes"}).status == 400
    api("POST", "/reload")
    assert api("GET", "/mounts/live").json["fallback"] == "/other"
    assert "/live" in on_air.mounts()


def test_a_ban_holds_at_once_and_sends_away_who_is_there(on_air, api):
    guest, other = listen(on_air, "/live", address="198.51.100.7"), listen(on_air, "/live")
    await_true(lambda: api("GET", "/mounts/live/listeners").json["total"] == 2, 10)
    made = api("POST", "/bans", {"network": "198.51.100.0/24", "reason": "noise <b>", "seconds": 60})
    assert made.status == 201 and made.json["reason"] == "noise <b>" and made.json["by"] == "admin"
    assert ended(guest)
    await_true(lambda: api("GET", "/mounts/live/listeners").json["total"] == 1, 10)
    refused = on_air.get("/", headers={"X-Forwarded-For": "198.51.100.9"})
    assert refused.status == 403
    assert api("DELETE", "/bans/198.51.100.0/24").status == 204
    assert on_air.get("/", headers={"X-Forwarded-For": "198.51.100.9"}).status == 200
    assert api("DELETE", "/bans/198.51.100.0/24").status == 404
    for wrong in ({}, {"network": "lala"}, {"network": "10.0.0.1/8"},
                  {"network": "10.0.0.0/8", "seconds": -1}):
        assert api("POST", "/bans", wrong).status == 400
    assert api("POST", "/bans", {"network": "127.0.0.0/8"}).status == 409
    other.close()


def test_bans_are_kept_over_a_restart_and_end_by_themselves(crew, tmp_path):
    def start():
        server = Server(crew, tmp_path, {"http.trusted_proxies": "127.0.0.1"},
                        ["--data", tmp_path / "data"])
        return server, Api(server)

    server, api = start()
    api("POST", "/bans", {"network": "203.0.113.5"})
    api("POST", "/bans", {"network": "203.0.113.6", "seconds": 2})
    guest = {"X-Forwarded-For": "203.0.113.5"}, {"X-Forwarded-For": "203.0.113.6"}
    assert server.get("/", headers=guest[0]).status == 403
    server.stop()
    server, api = start()
    assert server.get("/", headers=guest[0]).status == 403
    await_true(lambda: server.get("/", headers=guest[1]).status == 200, 10)
    await_true(lambda: [b["network"] for b in api("GET", "/bans").json["bans"]] == ["203.0.113.5"], 5)
    server.stop()
    (tmp_path / "data" / "bans.json").write_text("[{\"network\": \"203.0.113.5\"}, 7")
    server, api = start()
    assert "edge bans not all read" in server.log()
    assert (tmp_path / "data" / "bans.json.bad").exists()
    assert api("GET", "/bans").json["bans"] == []
    server.stop()


def test_relays_pushes_listings_and_webhooks_are_seen_and_ordered(serve, crew):
    server = serve({"relay./pulled.url": "http://127.0.0.1:9/none",
                    "push.there.url": "http://127.0.0.1:9/none", "push.there.mount": "/live",
                    "hook.test.url": "http://127.0.0.1:9/hook"})
    api = Api(server)
    relay = api("GET", "/relays").json["relays"][0]
    assert relay["mount"] == "/pulled" and relay["origin"] == "file" and relay["started"]
    assert api("POST", "/relays/pulled/order", {"order": "stop"}).status == 204
    await_true(lambda: api("GET", "/relays").json["relays"][0]["state"] == "off", 10)
    assert api("POST", "/relays/pulled/order", {"order": "dance"}).status == 400
    assert api("POST", "/relays/none/order", {"order": "stop"}).status == 404
    assert api("DELETE", "/relays/pulled").status == 409
    made = {"mount": "/new/one", "url": "http://198.51.100.1:9/x", "on_demand": True}
    assert api("POST", "/relays", made).status == 201
    assert api("POST", "/relays", made).status == 409
    assert api("POST", "/relays", {"mount": "/bad", "url": "file:///etc/passwd"}).status == 400
    assert {r["mount"] for r in api("GET", "/relays").json["relays"]} == {"/pulled", "/new/one"}
    assert api("DELETE", "/relays/new/one").status == 204
    assert api("DELETE", "/relays/new/one").status == 404
    assert api("GET", "/pushes").json["pushes"][0]["name"] == "there"
    assert api("POST", "/pushes/there/order", {"order": "stop"}).status == 204
    assert api("POST", "/pushes/none/order", {"order": "stop"}).status == 404
    assert api("GET", "/directory").json["listings"] == []
    assert api("POST", "/hooks/test/test").status == 204
    await_true(lambda: api("GET", "/hooks").json["hooks"][0]["error"], 20)
    assert api("POST", "/hooks/none/test").status == 404
    assert api("POST", "/hooks", {"name": "made", "url": "http://192.0.2.1/"}).status == 201
    assert api("PUT", "/hooks/made", {"enabled": False}).json["state"] == "off"
    assert api("DELETE", "/hooks/made").status == 204
    await_true(lambda: "warning" in {c["state"] for c in api("GET", "/health").json["checks"]
                                     if c["name"] == "webhooks"}, 10)
    Api.elsewhere |= api.called


def test_slots_of_the_frame_cache(serve, monkeypatch):
    with tempfile.TemporaryDirectory(prefix="fc-e2e-") as directory:
        monkeypatch.setenv("FC_DIR", directory)
        api = Api(serve({"framecache.listen": "127.0.0.1:0"}))
        shape = {"width": 64, "height": 32, "fps_num": 50, "fps_den": 1, "audio_channels": 2}
        assert api("POST", "/slots", {"slot_id": "a.b", **shape}).status == 400
        assert api("POST", "/slots", {"slot_id": "a", **shape}).status == 201
        assert api("GET", "/slots").json["slots"][0]["state"] == "init"
        assert api("GET", "/slots/a").status == 200
        assert api("DELETE", "/slots/a").status == 204
        assert api("DELETE", "/slots/a").status == 404
        Api.elsewhere |= api.called


def test_rooms_of_live_video(serve, tmp_path):
    server = serve({"sfu.udp": "127.0.0.1:0", "sfu.publish_token": "token", "sfu.record_directory": str(tmp_path), "rtp.wall.room": "wall",
                    "rtp.wall.send": "127.0.0.1:9", "rtp.wall.video": "VP8/96", "rtp.wall.start": "order",
                    "sfu.connect_timeout": "10m"})
    api = Api(server)

    def offer(path, name):
        body = (ROOT / "tests" / "golden" / "sdp" / name).read_bytes()
        answer = server.get(path, method="POST", body=body, headers={
            "Content-Type": "application/sdp", "Authorization": "Bearer token"})
        assert answer.status == 201
        return answer.headers["Location"].rsplit("/", 1)[1]
    publisher = offer("/whip/a", "chromium-layers.sdp")
    viewer = offer("/whep/a", "chromium-watch.sdp")
    room = api("GET", "/sfu/rooms").json["rooms"][0]
    assert room["room"] == "a" and room["publisher"] == publisher and room["viewers"] == 1
    assert [t["layer"] for t in room["tracks"]] == ["", "h", "m", "l"]
    assert {s["id"] for s in api("GET", "/sfu/sessions").json["sessions"]} == {publisher, viewer}
    assert api("GET", f"/sfu/sessions/{publisher}").json["role"] == "publisher"
    assert api("POST", f"/sfu/sessions/{viewer}/layer", {"layer": "m"}).status == 204
    refused = api("POST", f"/sfu/sessions/{viewer}/layer", {"layer": "zz"})
    assert refused.status == 422 and "no layer of that rid is published" in refused.body.decode()
    assert api("POST", f"/sfu/sessions/{viewer}/layer", {"layer": ""}).status == 204
    assert api("POST", f"/sfu/sessions/{publisher}/layer", {"layer": "m"}).status == 404
    assert api("POST", f"/sfu/sessions/{viewer}/switch", {"room": "b"}).status == 204
    await_true(lambda: api("GET", f"/sfu/sessions/{viewer}").json["room"] == "b", 10)
    assert api("POST", f"/sfu/sessions/{viewer}/switch", {"room": ""}).status == 400
    refused = api("POST", "/sfu/rooms/a/recording", {"foo": 1})
    assert refused.status == 400 and "foo" in refused.body.decode()
    assert api("POST", "/sfu/rooms/a/recording", {}).json["state"] == "recording"
    assert api("POST", "/sfu/rooms/a/recording").status == 409
    assert [one["room"] for one in api("GET", "/sfu/recordings").json["recordings"]] == ["a"]
    assert api("DELETE", "/sfu/rooms/a/recording").status == 204
    await_true(lambda: api("GET", "/sfu/recordings").json["recordings"] == [], 10)
    assert api("DELETE", "/sfu/rooms/a/recording").status == 404
    for session in (viewer, publisher):
        assert api("DELETE", f"/sfu/sessions/{session}").status == 204
    await_true(lambda: api("GET", "/sfu/rooms").json["rooms"] == [], 10)
    assert api("DELETE", f"/sfu/sessions/{viewer}").status == 404
    assert api("POST", "/sfu/rtp/wall/start").status == 204
    assert api("GET", "/sfu/rtp").json["ways"][0]["state"] == "running"
    assert api("GET", "/sfu/rtp/nobody/sdp").status == 404
    described = server.get("/api/v1/sfu/rtp/wall/sdp", auth=ADMIN)
    assert described.headers["Content-Type"] == "application/sdp" and "m=video 9 RTP/AVPF 96" in described.text
    assert api("POST", "/sfu/rtp/wall/stop").status == 204
    Api.elsewhere |= api.called


def test_bodies_that_are_no_json_object_are_refused(server):
    def send(body, kind="application/json"):
        return server.get("/api/v1/bans", auth=ADMIN, method="POST", body=body,
                          headers={"Content-Type": kind})
    for body in ("", "{", "[]", "7", "null", '{"network": 1, "network": 2}', "{" * 5000):
        assert send(body).status == 400, body[:20]
    assert send("network=10.0.0.0/8", "application/x-www-form-urlencoded").status == 415
    assert send("{}", "text/plain").status == 415
    assert send(json.dumps({"network": "x" * 70000})).status == 413


TAKES = sorted((method, path, said["requestBody"]["content"]["application/json"]["schema"]["$ref"]
                .rsplit("/", 1)[1]) for method, path, said in documented() if "requestBody" in said)


@pytest.mark.parametrize("method,path,schema", TAKES, ids=[f"{m} {p}" for m, p, _ in TAKES])
def test_a_member_that_is_not_known_is_refused_by_name(server, method, path, schema):
    """One that is misspelt must not pass for one that was left out."""
    real = re.sub(r"\{\w+\}", "1", path.replace("{mount}", "live"))

    def send(body):
        return server.get(real, auth=ADMIN, method=method, body=json.dumps(body),
                          headers={"Content-Type": "application/json"})
    rules = DOCUMENT["components"]["schemas"][schema]
    assert rules["additionalProperties"] is False
    # Flat, all of them: no member of a member goes unseen.
    assert not any("properties" in one or "properties" in one.get("items", {})
                   for one in rules["properties"].values())
    first = next(iter(rules["properties"]))
    for odd in ("odd one", first + "s", first.upper(), "", "<b>\u00e9"):
        refused = send({odd: 1})
        assert (refused.status, refused.json["error"]["code"]) == (400, "bad_body"), odd
        assert f'"{odd}"' in refused.json["error"]["message"]
        validate(refused.json, {"$ref": "#/components/schemas/Error"})
    known = send({first: []})
    assert "is not known" not in known.text


def test_a_session_needs_the_word_against_other_sites(server):
    login = server.get("/api/v1/login", method="POST", headers={"Content-Type": "application/json"},
                       body=json.dumps({"user": "admin", "password": ADMIN_PASSWORD}))
    cookie = "; ".join(c.split(";")[0] for c in login.headers.get_all("Set-Cookie"))
    headers = {"Cookie": cookie, "Content-Type": "application/json"}
    body = json.dumps({"network": "192.0.2.99", "seconds": 1})
    assert server.get("/api/v1/bans", headers=headers).status == 200
    assert server.get("/api/v1/bans", method="POST", headers=headers, body=body).status == 403
    headers["X-CSRF-Token"] = login.json["csrf"]
    assert server.get("/api/v1/bans", method="POST", headers=headers, body=body).status == 201


# -- people and history ----------------------------------------------------------------------------

def test_users_are_made_changed_and_removed(server, api):
    made = api("POST", "/users", {"name": "anna", "password": "a long word", "rank": "dj",
                                  "mounts": "/live"})
    anna = ("anna", "a long word")
    assert made.status == 201 and "password" not in made.text and "argon" not in made.text
    assert api("GET", "/me", auth=anna).json == {"user": "anna", "rank": "dj", "mounts": "/live"}
    assert api("GET", "/users", auth=anna).status == 403
    assert api("POST", "/users", {"name": "anna", "password": "a long word", "rank": "dj"}
               ).json["error"]["code"] == "name_taken"
    for name in ("", "a:b", "../x", "admin", "source", "a" * 64, "<b>"):
        refused = api("POST", "/users", {"name": name, "password": "a long word", "rank": "dj"})
        assert refused.status in (400, 409), name
    for fault in ({"password": "short"}, {"rank": "none"}, {"rank": "god"}, {"mounts": "live"},
                  {"rank": 1}, {"mounts": ["/live"]}, {"disabled": "yes"}, {"role": "dj"}):
        assert api("PUT", "/users/anna", fault).status == 400, fault
    assert api("PUT", "/users/anna", {"rank": "operator", "mounts": ""}).json["rank"] == "operator"
    assert api("GET", "/bans", auth=anna).status == 200
    assert api("PUT", "/users/anna", {"password": "another word"}).status == 200
    assert api("GET", "/me", auth=anna).status == 401
    anna = ("anna", "another word")
    assert api("PUT", "/users/anna", {"disabled": True}).json["disabled"]
    assert api("GET", "/me", auth=anna).status == 401
    assert [u["name"] for u in api("GET", "/users").json["users"]] == ["anna"]
    assert api("PUT", "/users/nobody", {"rank": "dj"}).status == 404
    assert api("DELETE", "/users/anna").status == 204
    assert api("DELETE", "/users/anna").status == 404
    assert api("GET", "/users").json == {"users": []}


def test_a_token_may_do_no_more_than_who_made_it(server, api):
    def bearer(made):
        return {"Authorization": f"Bearer {made.json['token']}"}
    api("POST", "/users", {"name": "ben", "password": "a long word", "rank": "operator"})
    ben = ("ben", "a long word")
    assert api("POST", "/tokens", {"name": "x", "rank": "admin"}, auth=ben).status == 403
    made = api("POST", "/tokens", {"name": "titles", "rank": "dj", "mounts": "/live"}, auth=ben)
    assert made.status == 201 and made.json["token"].startswith(made.json["prefix"])
    me = api("GET", "/me", auth=None, headers=bearer(made)).json
    assert me == {"user": "ben", "rank": "dj", "mounts": "/live"}
    # A token makes no token: it would outlive the first one.
    assert api("POST", "/tokens", {"name": "y"}, auth=None, headers=bearer(made)).status == 403
    wide = api("POST", "/tokens", {"name": "z", "mounts": "*"}, auth=ben)
    assert (wide.json["rank"], wide.json["owner"]) == ("operator", "ben")
    own = api("POST", "/tokens", {"name": "mine", "expires": None})
    assert api("GET", "/me", auth=None, headers=bearer(own)).json["rank"] == "admin"
    assert api("POST", "/tokens", {"name": "late", "expires": 1}).status == 400
    # What is not understood is refused: else it would be a token for all, and for ever.
    for fault in ({"role": "dj"}, {"rank": 1}, {"mounts": ["/live"]}, {"expires": "2030-01-01"}):
        refused = api("POST", "/tokens", {"name": "odd", **fault})
        assert (refused.status, refused.json["error"]["code"]) == (400, "bad_body"), fault
    assert "token" not in api("GET", "/tokens").json["tokens"][0]
    assert {t["name"] for t in api("GET", "/tokens", auth=ben).json["tokens"]} == {"titles", "z"}
    assert api("DELETE", f"/tokens/{own.json['id']}", auth=ben).status == 404
    assert api("DELETE", f"/tokens/{own.json['id']}").status == 204
    assert api("GET", "/me", auth=None, headers=bearer(own)).status == 401
    assert api("DELETE", "/users/ben").status == 204
    assert api("GET", "/me", auth=None, headers=bearer(made)).status == 401
    assert api("GET", "/tokens").json == {"tokens": []}


def test_a_browser_is_logged_out_from_afar(server, api):
    body = json.dumps({"user": "admin", "password": ADMIN_PASSWORD})
    login = server.get("/api/v1/login", method="POST", body=body)
    cookies = "; ".join(v.split(";")[0] for v in login.headers.get_all("Set-Cookie"))
    assert api("GET", "/me", auth=None, headers={"Cookie": cookies}).status == 200
    newest = max(api("GET", "/sessions").json["sessions"], key=lambda one: one["created"])
    assert newest["user"] == "admin" and newest["address"] == "127.0.0.1"
    for one in api("GET", "/sessions").json["sessions"]:
        assert api("DELETE", f"/sessions/{one['id']}").status == 204
    assert api("DELETE", f"/sessions/{newest['id']}").status == 404
    assert api("GET", "/me", auth=None, headers={"Cookie": cookies}).status == 401


def test_what_was_heard_is_kept_and_exported(on_air, api):
    title = '=HYPERLINK("http://evil.example","x"), <b>'
    listener = listen(on_air, "/live", agent="@SUM(1)", address="192.0.2.77")
    assert api("PUT", "/mounts/live/title", {"title": title}).status == 204
    await_true(lambda: on_air.mount("/live")["listeners"] == 1, 10)
    listener.close()

    def row(what, query=""):
        rows = api("GET", f"/history/{what}?mount=/live{query}").json[what]
        return rows[0] if rows else None
    await_true(lambda: (row("songs") or {}).get("title") == title, 10)
    # Left when the next send fails.
    gone = await_true(lambda: row("listeners", "&limit=1"), 20)
    await_true(lambda: row("listeners")["agent"] == "@SUM(1)", 20)
    assert row("listeners")["address"] == "192.0.2.77" and gone["ended"] >= gone["began"]
    assert row("sources")["address"] == "127.0.0.1" and row("sources")["ended"] is None
    # A minute that has just begun has nothing in it yet.
    await_true(lambda: (row("minutes") or {}).get("bytes_in"), 10)
    assert await_true(lambda: api("GET", "/history/minutes").json["minutes"], 10)[0]["mount"] == ""
    assert any(one["action"] == "PUT /api/v1/mounts/live/title" and one["target"] == "/live" and
               one["who"] == "admin" for one in api("GET", "/audit").json["audit"])
    # A spreadsheet must not take it for a formula.
    said = on_air.get("/api/v1/history/songs?format=csv", auth=ADMIN)
    assert said.headers["Content-Type"].startswith("text/csv")
    assert said.headers["Content-Disposition"] == 'attachment; filename="songs.csv"'
    rows = list(csv.DictReader(io.StringIO(said.body.decode(), newline="")))
    assert rows[0]["title"] == "'" + title and rows[0]["began"].endswith("Z")
    said = on_air.get("/api/v1/history/listeners?format=csv", auth=ADMIN)
    assert "'@SUM(1)" in said.body.decode()
    as_file = api("GET", "/history/songs?format=json")
    assert as_file.headers["Content-Disposition"] == 'attachment; filename="songs.json"'
    for fault in ("songs?format=xml", "minutes?step=61", "minutes?step=0",
                  "songs?mount=/" + "a" * 300):
        assert api("GET", "/history/" + fault).status == 400, fault
    newest = api("GET", "/history/songs?limit=1").json["songs"][0]["id"]
    assert all(s["id"] < newest for s in
               api("GET", f"/history/songs?before={newest}").json["songs"])


def test_health_is_asked_without_a_login(server):
    assert (server.get("/healthz").status, server.get("/healthz").text) == (200, "alive\n")
    assert (server.get("/readyz").status, server.get("/readyz").text) == (200, "ready\n")


def test_pages_load_nothing_but_our_own_files(server):
    for path in ("/", "/admin", "/admin/login", "/player/live", "/player/talk/late", "/embed/live"):
        answer = server.get(path)
        rules = dict(rule.strip().split(" ", 1)
                     for rule in answer.headers["Content-Security-Policy"].split(";"))
        assert answer.status == 200 and "text/html" in answer.headers["Content-Type"]
        assert rules["default-src"] == "'none'" and rules["script-src"] == "'self'"
        assert rules["style-src"] == "'self'" and rules["base-uri"] == "'none'"
        framed = path.startswith("/embed")
        assert rules["frame-ancestors"] == ("*" if framed else "'none'")
        assert answer.headers["X-Frame-Options"] == (None if framed else "DENY")
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|style=", answer.text), path


def test_a_certificate_is_asked_for_where_there_is_an_authority(api):
    found = api("GET", "/certificate").json
    assert not found["tls"] and not found["self_signed"] and found["acme"]["phase"] == "off"
    refused = api("POST", "/certificate/renew")
    assert refused.status == 409 and refused.json["error"]["code"] == "no_acme"


def test_a_picture_of_no_slot(api):
    assert api("GET", "/slots/none/thumbnail").status == 404
    assert api("GET", "/slots/-/thumbnail").status == 404


def test_voice_rooms_are_recorded(serve, tmp_path):
    (tmp_path / "recordings").mkdir()
    api = Api(ringmain_voice(serve, {"voice.record_directory": str(tmp_path / "recordings")}).server)
    begun = api("POST", "/voice/channels/0/recording")
    assert begun.status in (200, 201), begun.body
    assert len(api("GET", "/voice/recordings").json["recordings"]) == 1
    assert api("POST", "/voice/channels/0/recording").status == 409
    assert api("POST", "/voice/channels/77/recording").status == 404
    assert api("DELETE", "/voice/channels/0/recording").status in (200, 204)
    assert api("DELETE", "/voice/channels/0/recording").status == 404
    assert api("GET", "/voice/recordings").json["recordings"] == []
    Api.elsewhere |= api.called


def test_recordings_of_all_families_are_listed_fetched_and_deleted(serve, tmp_path):
    """And nothing else is that lies in their directories, or beside them."""
    sfu, spoken, dumps = (tmp_path / name for name in ("sf[u]", "voice", "dumps"))
    for folder in (sfu, spoken, dumps):
        folder.mkdir()
    server = ringmain_voice(serve, {"sfu.udp": "127.0.0.1:0", "sfu.record_directory": sfu, "voice.record_directory": spoken,
                                    "mount./live.dump": f"{dumps}/{{mount}}-%Y%m%d.{{ext}}", "mount./more.dump": f"{dumps}/{{mount}}-%Y%m%d.{{ext}}",
                                    "mount./live2.dump": f"{dumps}/li{{mount}}-%Y%m%d.{{ext}}",
                                    "mount./talk.dump": f"{spoken}/{{mount}}-%Y%m%d-%H%M%S/{{mount}}.opus"}).server
    api = Api(server)
    assert api("GET", "/recordings").json == {"more": 0, "recordings": []}
    assert api("POST", "/voice/channels/0/recording").status == 201
    folder, = spoken.iterdir()
    film = bytes(range(256)) * 300
    kept = {sfu / "a%2Db-20260102-030405.mkv": film, sfu / "a%2Db-20260102-030405-2.mkv": b"", folder / "Anna-7.opus": b"sound",
            dumps / "live-20260102.mp3": b"dump"}
    others = [sfu / "notes.txt", sfu / "best.mkv", sfu / ".hidden-20260102-030405.mkv", tmp_path / "out-20260102-030405.mkv",
              spoken / "Anna-7.opus", dumps / "live.mp3", folder / "Anna-7.txt"]
    for path in (*kept, *others):
        path.write_bytes(kept.get(path, b"secret"))
    (sfu / "link-20260102-030405.mkv").symlink_to("notes.txt")
    (sfu / "dir-20260102-030405.mkv").mkdir()
    away = tmp_path / "Away-20260102-030405"
    away.mkdir()
    (away / "Anna-7.opus").write_bytes(b"secret")
    others.append(away / "Anna-7.opus")
    (spoken / away.name).symlink_to(away)
    found = {one["name"]: one for one in api("GET", "/recordings").json["recordings"]}
    talk = f"voice/{folder.name}/Anna-7.opus"
    dumped = talk.replace("voice", "radio")  # a dump might be called so
    assert {(name, one["of"], one["bytes"], one["open"]) for name, one in found.items()} == {
        ("sfu/a%2Db-20260102-030405.mkv", "a-b", len(film), False), ("sfu/a%2Db-20260102-030405-2.mkv", "a-b", 0, False),
        (talk, folder.name.split("-")[0], 5, True), (dumped, "", 5, True), ("radio/live-20260102.mp3", "", 4, False)}
    assert {one["name"] for one in api("GET", "/recordings?family=sfu&of=a-b").json["recordings"]} == {name for name in found if "a%2D" in name}
    assert api("GET", "/recordings?of=b").json["recordings"] == []

    def fetch(name, headers=None, auth=ADMIN, **options):
        return server.get("/api/v1/recordings/" + urllib.parse.quote(name), headers, auth, **options)
    whole = fetch("sfu/a%2Db-20260102-030405.mkv")
    assert whole.body == film and whole.headers["Content-Type"] == "video/x-matroska" and whole.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in whole.headers
    part = fetch("sfu/a%2Db-20260102-030405.mkv", {"Range": "bytes=1000-1999"})
    assert part.status == 206 and part.body == film[1000:2000] and part.headers["Content-Range"] == f"bytes 1000-1999/{len(film)}"
    assert fetch("sfu/a%2Db-20260102-030405.mkv", method="HEAD").headers["Content-Length"] == str(len(film))
    assert fetch(talk).body == b"sound" and fetch("radio/live-20260102.mp3").body == b"dump"
    assert fetch("radio/live-20260102.mp3", auth=None).status == 401 and fetch("radio/live-20260102.mp3", auth=None, method="DELETE").status == 401
    ways = ["sfu/notes.txt", "sfu/best.mkv", "sfu/.hidden-20260102-030405.mkv", "sfu/link-20260102-030405.mkv", "sfu/dir-20260102-030405.mkv",
            "sfu/../out-20260102-030405.mkv", "sfu/x/../../out-20260102-030405.mkv", "sfu//../out-20260102-030405.mkv", "voice/Anna-7.opus",
            f"voice/{away.name}/Anna-7.opus", f"voice/{folder.name}/Anna-7.txt", f"voice/{folder.name}/../../sf[u]/a%2Db-20260102-030405.mkv", "radio/live.mp3", "radio/../dumps/live.mp3",
            f"sfu/{sfu}/a%2Db-20260102-030405.mkv", "sfu/", "sfu", "nobody/x", "sfu/" + "x" * 300, "sfu/*-20260102-030405.mkv"]
    for way in ways:
        for form in (urllib.parse.quote(way), urllib.parse.quote(way, safe="").replace(".", "%2E")):
            for method in ("GET", "DELETE"):
                assert server.get("/api/v1/recordings/" + form, auth=ADMIN, method=method).status in (400, 404, 405), (method, way)
    assert all(path.read_bytes() == b"secret" for path in others)
    for name in (talk, dumped):
        assert api("DELETE", "/recordings/" + name).json["error"]["code"] == "is_open"
    assert [one["open"] for one in api("GET", "/recordings?family=radio").json["recordings"] if one["name"] == dumped] == [True]
    assert len(api("GET", "/recordings?family=radio").json["recordings"]) == 2
    assert api("DELETE", "/voice/channels/0/recording").status == 204
    (folder / "Anna-7.txt").unlink()
    for name in found.keys() - {dumped}:
        assert server.get("/api/v1/recordings/" + urllib.parse.quote(name), auth=ADMIN, method="DELETE").status == 204, name
    api.called |= {("GET", "/api/v1/recordings/{file}")}
    assert not any(path.exists() for path in kept) and not folder.exists()
    assert api("DELETE", "/recordings/radio/live-20260102.mp3").status == 404
    assert api("GET", "/recordings").json["recordings"] == []
    Api.elsewhere |= api.called


def test_voice_rooms_are_seen_and_ordered(serve):
    voice = ringmain_voice(serve)
    api = Api(voice.server)
    a, b = voice.join("Anna"), voice.join("Ben")
    room = api("POST", "/voice/channels", {"name": "Studio", "description": "quiet"})
    assert room.status == 201
    number = room.json["id"]
    assert api("POST", "/voice/channels", {"name": "Studio"}).status == 409
    assert api("POST", "/voice/channels", {"name": "x", "parent": 99}).status == 404
    a.until(lambda: number in a.channels)
    users = {u["name"]: u for u in api("GET", "/voice/users").json["users"]}
    assert users["Anna"]["id"] == a.session and users["Anna"]["udp"]
    moved = api("PUT", f"/voice/users/{a.session}", {"channel": number, "mute": True})
    assert moved.json["channel"] == number and moved.json["mute"]
    b.until(lambda: b.users[a.session].channel_id == number and b.users[a.session].mute)
    assert api("PUT", "/voice/users/999", {"mute": True}).status == 404
    assert api("PUT", f"/voice/users/{a.session}", {"mute": "yes"}).status == 400
    channels = {c["name"]: c for c in api("GET", "/voice/channels").json["channels"]}
    assert channels["Studio"]["users"] == 1 and channels["Studio"]["description"] == "quiet"
    assert api("DELETE", f"/voice/channels/{number}").status == 204
    b.until(lambda: b.users[a.session].channel_id == 0 and number not in b.channels)
    assert api("DELETE", "/voice/channels/0").status == 409
    assert api("DELETE", f"/voice/users/{a.session}?reason=enough").status == 204
    assert a.got("user_remove", lambda m: m.session == a.session).reason == "enough"
    c = voice.join("Carl", source="127.0.0.9")
    assert api("POST", f"/voice/users/{c.session}/ban", {"reason": "pest", "seconds": 60}).status \
        == 204
    bans = api("GET", "/voice/bans").json["bans"]
    assert [(x["name"], x["network"], x["seconds"]) for x in bans] == [("Carl", "127.0.0.9/32", 60)]
    d = voice.peer("Carl", source="127.0.0.9")
    d.login()
    d.got("reject")
    assert api("DELETE", "/voice/bans/127.0.0.9").status == 204
    assert api("DELETE", "/voice/bans/127.0.0.9").status == 404
    voice.join("Carl", source="127.0.0.9")
    assert api("GET", "/voice/registrations").json["registrations"] == []
    assert api("DELETE", "/voice/registrations/5").status == 404
    Api.elsewhere |= api.called
    voice.dismiss()


def test_irc_users_and_their_orders(serve):
    server = serve({"irc.listen": f"127.0.0.1:{free_ports()}"})
    api = Api(server)
    assert api("POST", "/irc/command", {"command": "user update -nick ann"}).json["good"]
    assert not api("POST", "/irc/users/admin/command", {"command": "nonsense"}).json["good"]
    assert api("GET", "/irc/me").json["nick"] == "ann"
    assert api("GET", "/irc/users/admin").json["networks"] == []
    assert api("GET", "/irc/users/nobody").status == 404
    assert [u["name"] for u in api("GET", "/irc/users").json["users"]] == ["admin"]
    for empty in ("/irc/search?text=", "/irc/search?q=x"):
        refused = api("GET", empty)
        assert refused.status == 400 and "expected text" in refused.body.decode()
    assert api("GET", "/irc/search?text=nothing").json == {"lines": [], "behind": 0}
    assert api("GET", "/irc/export").json["next"] is None
    Api.elsewhere |= api.called


def test_each_operation_was_called(api):
    """Last: whatever is new in the document is tried somewhere above."""
    elsewhere = {("POST", "/api/v1/login"), ("POST", "/api/v1/logout"), ("GET", "/api/v1/events")}
    missing = {(m, p) for m, p, _ in documented()} - api.called - Api.elsewhere - elsewhere
    assert not missing
