"""The frame cache's service: its API, what it promises of memory, and that slots outlive it."""

import base64
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time

import jsonschema
import pytest

from handover_harness import Kept
from stage import ADMIN_PASSWORD, PATIENCE, PROGRAM, Server, await_true

CLIENTS = pathlib.Path(os.environ.get("RINGMAIN_CLIENTS",
                                      pathlib.Path(__file__).resolve().parents[2] / "build" / "clients"))
OPENAPI = json.loads((pathlib.Path(__file__).resolve().parents[2] / "docs" / "openapi.json").read_text())
ADMIN = ("admin", ADMIN_PASSWORD)
SMALL = {"width": 64, "height": 32, "fps_num": 50, "fps_den": 1, "source_type": "sdi"}


class Cache:
    def __init__(self, server):
        self.server = server
        self.port = int(server.await_log(r"info framecache ready port=(\d+)").group(1))

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        body = json.dumps(body) if isinstance(body, (dict, list)) else body
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        if not data or reply.headers.get_content_type() != "application/json":
            return reply.status, data.decode() or None
        return reply.status, json.loads(data)

    def get(self, path):
        status, tree = self.ask("GET", path)
        assert status == 200, tree
        return tree

    def make(self, slot_id, **shape):
        status, tree = self.ask("POST", "/slots", {"slot_id": slot_id, **SMALL, **shape})
        assert status == 201, tree
        return tree

    def names(self):
        return [slot["slot_id"] for slot in self.get("/slots")]

    def await_slot(self, slot_id, seconds=PATIENCE, **wanted):
        end = time.monotonic() + seconds
        while True:
            status, slot = self.ask("GET", f"/slots/{slot_id}")
            if status == 200 and all(slot[name] == value for name, value in wanted.items()):
                return slot
            assert time.monotonic() < end, slot
            time.sleep(0.02)

    def await_gone(self, slot_id, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while self.ask("GET", f"/slots/{slot_id}")[0] != 404:
            assert time.monotonic() < end
            time.sleep(0.02)


@pytest.fixture
def cache(slots, serve):
    def start(**settings):
        return Cache(serve({"framecache.listen": "127.0.0.1:0", "framecache.dir": slots,
                            **{"framecache." + name: value for name, value in settings.items()}}))
    return start


@pytest.fixture
def frametest():
    running = []

    def start(*options):
        running.append(subprocess.Popen([CLIENTS / "frametest", *map(str, options)],
                                        stdout=subprocess.PIPE, text=True))
        return running[-1]
    yield start
    for process in running:
        process.kill()
        process.wait()


def said(process):
    return json.loads(process.communicate(timeout=PATIENCE)[0])


# --- the calls of the document -------------------------------------------------------------------


def test_a_slot_is_made_listed_and_removed(cache, slots):
    cache = cache()
    assert cache.get("/health")["status"] == "ok"
    assert cache.get("/slots") == []
    made = cache.make("studio1", fps_num=60000, fps_den=1001)
    assert made["slot_id"] == "studio1"
    assert made["shm_path"] == str(slots / "studio1")
    assert made["sem_name"] == "/framecache-studio1-write"
    assert (slots / "studio1").stat().st_size == made["bytes"]
    assert (slots / "studio1").stat().st_blocks * 512 >= made["bytes"], "allocated, not only promised"
    [listed] = cache.get("/slots")
    for name, value in {"slot_id": "studio1", "width": 64, "height": 32, "fps_num": 60000, "fps_den": 1001,
                        "source_type": "sdi", "write_cursor": 0, "dropped_frames": 0, "current_fps": 0,
                        "state": "init", "ring_depth": 120, "pixel_format": "uyvy422"}.items():
        assert listed[name] == value
    assert cache.get("/slots/studio1")["slot_id"] == "studio1"
    assert cache.ask("DELETE", "/slots/studio1") == (204, None)
    assert cache.ask("DELETE", "/slots/studio1")[0] == 404
    assert cache.ask("GET", "/slots/studio1")[0] == 404
    assert not (slots / "studio1").exists()


def test_a_writer_is_seen_and_its_slot_is_not_taken_away(cache, frametest):
    cache = cache()
    cache.make("live", audio_channels=2, audio_rate=48000, pixel_format="v210")
    writer = frametest("--open", "live")
    slot = cache.await_slot("live", state="live")
    assert slot["pixel_format"] == "v210" and slot["planes"] == [{"offset": 0, "row_bytes": 256}]
    end = time.monotonic() + PATIENCE
    while not 45 < cache.get("/slots/live")["current_fps"] < 55:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert cache.ask("DELETE", "/slots/live")[0] == 409
    assert cache.ask("POST", "/slots", {"slot_id": "live", **SMALL})[0] == 409
    assert cache.ask("POST", "/slots", {"slot_id": "live", "replace": True, **SMALL})[0] == 409
    writer.send_signal(signal.SIGSTOP)
    assert cache.await_slot("live", state="stalled")["heartbeat_age_ms"] >= 500
    writer.send_signal(signal.SIGCONT)
    cache.await_slot("live", state="live")
    assert cache.ask("DELETE", "/slots/live?force=1")[0] == 204
    assert said(writer)["ended"] == "closed", "the writer is told"


@pytest.mark.real_time("a slot without a writer is there for a second and a half")
def test_a_dead_writers_slot_goes_when_its_grace_is_over(cache, frametest, slots):
    cache = cache(grace="1500ms")
    cache.make("kept", fps_num=25)
    cache.make("gone")
    writer, other = frametest("--open", "kept"), frametest("--open", "gone")
    cache.await_slot("kept", state="live")
    cache.await_slot("gone", state="live")
    reader = frametest("--check", "gone")
    other.kill()
    cache.await_slot("gone", state="dead")
    cache.await_gone("gone")
    assert said(reader)["ended"] == "closed", "its readers are told"
    assert cache.names() == ["kept"]
    assert (slots / "kept").exists() and writer.poll() is None


def test_slots_that_others_make_are_found(cache, frametest, slots):
    cache = cache()
    (slots / "rubbish").write_bytes(b"x" * 5000)
    (slots / "hollow").write_bytes(b"")
    os.truncate(slots / "hollow", 1 << 20)
    os.mkfifo(slots / "pipe")
    frametest("--size", "64x32", "own")
    cache.await_slot("own", state="live", source_type="frametest")
    assert cache.names() == ["own"]
    assert (slots / "rubbish").exists()


def test_a_slot_that_is_cut_off_harms_nobody(cache, slots):
    cache = cache()
    for length in (0, 4096):
        cache.make("cut")
        os.truncate(slots / "cut", length)
        # Each request looks at all slots.
        assert [cache.ask("GET", "/slots")[0] for _ in range(3)] == [200] * 3
        assert cache.server.get("/api/v1/slots/cut/thumbnail", auth=ADMIN).status == 404
        assert cache.ask("DELETE", "/slots/cut?force=1")[0] == 204
    cache.make("cut")
    assert "after a crash" not in cache.server.log()


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("body,fault", [
    ("", "bad_json"), ("[]", "bad_json"), ("{", "bad_json"), ('{"slot_id": "a\\u0000b"}', "bad_json"), ('{"slot_id": "a"}', "bad_slot"),
    *[(json.dumps({"slot_id": name, **SMALL}), "bad_slot")
      for name in ("", ".", "..", "../x", "a/b", "registry.json", "a" * 65, "a" * 300, "-a", "a b", "é")],
    *[(json.dumps({"slot_id": "a", **SMALL, **wrong}), "bad_slot") for wrong in (
        {"width": 65536, "height": 32768}, {"width": 65536, "height": 32784}, {"width": 63}, {"width": -2},
        {"width": 2 ** 32 + 64}, {"width": "64"}, {"height": 0}, {"fps_den": 0}, {"fps_num": 0},
        {"fps_num": 1e9}, {"pixel_format": "yuyv"}, {"pixel_format": 9}, {"source_type": "a\"b"},
        {"source_type": "s" * 32}, {"ring_depth": 1}, {"slot_id": 7}, {"audio_channels": 65})],
])
def test_a_slot_that_makes_no_sense_is_refused(one_cache, body, fault):
    cache, directory = one_cache
    before = sorted(os.listdir(directory))
    status, tree = cache.ask("POST", "/slots", body)
    assert status == 400 and tree["error"]["code"] == fault, tree
    assert sorted(os.listdir(directory)) == before


@pytest.mark.parametrize("more,said", [
    ({"heights": 32}, "heights: there is no such member; there are slot_id, width, height"),
    ({"pixel_fromat": "v210"}, "pixel_fromat: there is no such member"),
    ({"pixel_format": "yuyv"}, 'pixel_format: "yuyv" is none of uyvy422, v210, nv12, p010, rgba'),
    ({"height": 8}, "height: expected a whole number from 16 to 16384"),
    ({"replace": "no"}, "replace: expected true or false")], ids=lambda it: next(iter(it)) if isinstance(it, dict) else None)
def test_the_member_that_is_wrong_is_named(one_cache, more, said):
    cache, directory = one_cache
    status, tree = cache.ask("POST", "/slots", {"slot_id": "a", **SMALL, **more})
    assert status == 400 and tree["error"]["message"].startswith(said), tree
    assert not os.path.exists(f"{directory}/a")


@pytest.fixture(scope="module")
def one_cache(shared_serve):
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="fc-e2e-", dir=shared) as directory:
        yield Cache(shared_serve({"framecache.listen": "127.0.0.1:0", "framecache.dir": directory})), directory


def test_what_does_not_fit_is_507_and_takes_nothing(cache, slots):
    cache = cache(budget="3M")
    assert cache.get("/health")["budget"] == 3 << 20
    first = cache.make("first", width=256, height=256, ring_depth=12)
    assert first["bytes"] < 3 << 20
    status, tree = cache.ask("POST", "/slots", {"slot_id": "second", **SMALL, "width": 256, "height": 256,
                                                "ring_depth": 12})
    assert status == 507 and tree["error"]["code"] == "no_room"
    assert cache.get("/health")["bytes"] == first["bytes"]
    cache.make("small")
    assert sorted(os.listdir(slots)) == [".readers", "first", "registry.json", "small"]
    assert cache.ask("DELETE", "/slots/first")[0] == 204
    cache.make("second", width=256, height=256, ring_depth=12)


def test_the_budget_is_that_of_the_environment_where_none_is_set(slots, serve, monkeypatch):
    monkeypatch.setenv("FC_SHM_SIZE", "2000000")
    cache = Cache(serve({"framecache.listen": "127.0.0.1:0"}))
    assert cache.get("/health")["budget"] == 2000000
    cache.make("there")
    assert (slots / "there").exists(), "FC_DIR too"


@pytest.mark.parametrize("size", ["60gb", "-1", "1e9", "0x100", "99999999999999999999"])
def test_a_budget_of_the_environment_that_is_no_number_is_refused(monkeypatch, size):
    monkeypatch.setenv("FC_SHM_SIZE", size)
    done = subprocess.run([PROGRAM, "--check", "--set", "framecache.listen=127.0.0.1:0"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 1 and f'FC_SHM_SIZE is no number of bytes: "{size}"' in done.stdout + done.stderr, done
    assert subprocess.run([PROGRAM, "--check"], capture_output=True, timeout=60).returncode == 0, "nobody asks for it"


def test_a_page_of_another_site_may_nothing(one_cache):
    cache, _ = one_cache
    for headers in ({"Host": "evil.example"}, {"Host": "evil.example:7435"}, {"Origin": "http://evil.example"},
                    {"Sec-Fetch-Site": "cross-site"}):
        assert cache.ask("POST", "/slots", {"slot_id": "evil", **SMALL}, headers)[0] in (401, 403), headers
        assert cache.ask("DELETE", "/slots/evil", None, headers)[0] in (401, 403), headers
    assert cache.ask("GET", "/slots", None, {"Host": "evil.example"})[0] == 401
    assert cache.ask("GET", "/slots", None, {"Host": f"localhost:{cache.port}"})[0] == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_whom_a_proxy_on_this_machine_passes_on_may_nothing(one_cache, header):
    cache, _ = one_cache
    headers = {header: "203.0.113.9"}
    assert cache.ask("POST", "/slots", {"slot_id": "evil", **SMALL}, headers)[0] == 401
    assert cache.ask("DELETE", "/slots/evil", None, headers)[0] == 401
    assert cache.ask("GET", "/slots", None, headers)[0] == 401


def test_each_port_has_its_own_paths(one_cache):
    cache, _ = one_cache
    for path in ("/", "/live", "/status-json.xsl", "/admin/stats", "/api/v1/mounts", "/slot", "/healthy"):
        assert cache.ask("GET", path)[0] == 404, path
    assert cache.ask("PUT", "/live", "x" * 100)[0] in (404, 405)
    assert cache.ask("PATCH", "/slots")[0] == 405
    for path in ("/slots", "/slots/x", "/health"):
        assert cache.server.get(path).status == 404, path


def test_it_is_off_unless_it_is_asked_for(slots, serve):
    server = serve()
    assert "framecache" not in server.log()
    assert os.listdir(slots) == []


# --- the registry, and the end of the server -----------------------------------------------------


def test_the_registry_is_always_whole(cache, slots):
    cache = cache()
    over, faults, revisions = threading.Event(), [], [[] for _ in range(4)]

    def read(number):
        while not over.is_set():
            try:
                tree = json.loads((slots / "registry.json").read_bytes())
                revisions[number].append(tree["revision"])
            except (ValueError, KeyError, OSError) as fault:
                faults.append(fault)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for i in range(1000):
        cache.make(f"churn{i % 3}")
        assert cache.ask("DELETE", f"/slots/churn{i % 3}")[0] == 204
        if i >= 40 and all(len(set(seen)) > 3 for seen in revisions):
            break
    over.set()
    for thread in threads:
        thread.join()
    assert not faults
    for seen in revisions:
        assert seen == sorted(seen) and len(set(seen)) > 3
    cache.make("last")
    assert [slot["slot_id"] for slot in json.loads((slots / "registry.json").read_bytes())["slots"]] == ["last"]


@pytest.mark.real_time("a ring holds two seconds")
def test_slots_outlive_the_server(crew, slots, tmp_path, frametest):
    """kill -9 of the server while a writer writes and a reader reads: neither notices, and the next server
    finds the slot."""
    settings = {"framecache.listen": "127.0.0.1:0", "framecache.dir": slots}
    server = Server(crew, tmp_path, settings)
    cache = Cache(server)
    cache.make("live", fps_num=100)
    cache.make("idle")
    writer = frametest("--open", "live")
    cache.await_slot("live", state="live")
    reader = frametest("--check", "live")
    server.process.popen.send_signal(signal.SIGKILL)
    server.process.wait(20)
    (slots / "registry.json").write_text("rubbish")
    again = Server(crew, tmp_path, settings)
    cache = Cache(again)
    assert cache.names() == ["idle", "live"]
    assert cache.await_slot("live", state="live")["writers"] == 1
    assert len(json.loads((slots / "registry.json").read_bytes())["slots"]) == 2
    writer.send_signal(signal.SIGTERM)
    assert said(writer)["ended"] == "ok"
    told = said(reader)
    assert told["lost"] == told["wrong"] == told["flagged"] == 0 and told["ended"] == "closed"
    again.stop()
    assert (slots / "live").exists(), "nor does an orderly end take anything away"


def test_a_reload_moves_the_door_and_keeps_the_slots(crew, slots, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(f"framecache: {{ listen: '127.0.0.1:0', dir: {slots}, budget: 1M }}\n")
    server = Server(crew, tmp_path, {}, ("--config", config))
    cache = Cache(server)
    cache.make("kept")
    config.write_text(f"framecache: {{ listen: '127.0.0.2:0', dir: {slots}, budget: 2M }}\n")
    server.process.popen.send_signal(signal.SIGHUP)
    server.await_log(r"info core reloaded")
    port = int(re.findall(r"info framecache ready port=(\d+)", server.log())[-1])
    connection = http.client.HTTPConnection("127.0.0.2", port, timeout=PATIENCE)
    connection.request("GET", "/health")
    tree = json.loads(connection.getresponse().read())
    assert tree["budget"] == 2 << 20 and tree["slots"] == 1
    with pytest.raises(OSError):
        cache.get("/health")
    server.stop()


@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_the_door_and_who_waits_at_it_pass_to_the_next_server(slots, how):
    """A connection between two requests is served on by the next server, with the paths of its port."""
    with Kept({"framecache.listen": "127.0.0.1:0", "framecache.dir": slots}) as server:
        port = int(re.search(r"info framecache ready port=(\d+)", server.log()).group(1))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("POST", "/slots", json.dumps({"slot_id": "kept", **SMALL}))
        assert connection.getresponse().read() and (slots / "kept").exists()
        if how == "upgrade":
            server.upgrade()
        else:
            connection.close()  # of which nothing is promised after a crash
            server.kill()
        connection.request("GET", "/slots")
        answer = connection.getresponse()
        assert answer.status == 200 and json.loads(answer.read())[0]["slot_id"] == "kept"
        connection.request("GET", "/live")
        assert connection.getresponse().status == 404
        connection.close()


# --- who may, and from where ---------------------------------------------------------------------


TOKEN = "a-word-for-bridges-far-away"


@pytest.fixture(scope="module")
def guarded(shared_serve):
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="fc-e2e-", dir=shared) as directory:
        yield Cache(shared_serve({"framecache.listen": f"127.0.0.1:0, unix:{directory}/door",
                                  "framecache.token": TOKEN, "framecache.dir": directory})), directory


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
def test_who_comes_through_a_proxy_on_this_machine_is_not_from_here(guarded, header):
    cache, _ = guarded
    assert cache.ask("GET", "/slots", None, {header: "for=192.0.2.7"})[0] == 401
    assert cache.ask("POST", "/slots", {"slot_id": "far", **SMALL}, {header: "1.1 far"})[0] == 401
    assert "far" not in cache.names()


@pytest.mark.parametrize("said,status", [
    (f"Bearer {TOKEN}", 200), (f"bearer {TOKEN} ", 200), (f"Bearer {TOKEN}x", 401), (f"Bearer {TOKEN[:-1]}", 401),
    ("Bearer ", 401), ("Bearer", 401), (f"Basic {TOKEN}", 401)],
    ids=["right", "small", "longer", "shorter", "empty", "none", "basic"])
def test_from_elsewhere_a_token_is_needed(guarded, said, status):
    cache, _ = guarded
    assert cache.ask("GET", "/slots", None, {"Via": "1.1 proxy", "Authorization": said})[0] == status


@pytest.mark.parametrize("settings,said", [
    (["framecache.listen=127.0.0.1:7435", "framecache.listen=unix:/run/x"],
     "framecache.listen: is set twice: a list is one --set, with commas in it"),
    (["framecache.listen=127.0.0.1:7435, unix:/run/x, 127.0.0.1:7435"], "is there twice")], ids=["option", "member"])
def test_a_door_that_is_said_twice_is_refused(settings, said):
    done = subprocess.run([PROGRAM, "--check", *(word for setting in settings for word in ("--set", setting))],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and said in done.stdout + done.stderr, done


def test_a_registry_that_cannot_be_written_is_said_once(cache, slots):
    (slots / ".registry.json.next").mkdir()
    cache = cache()
    for _ in range(20):
        assert cache.get("/slots") == []
    said = [line for line in cache.server.log().splitlines() if "registry not written" in line]
    assert len(said) == 1 and f"directory={slots}" in said[0], said
    status, health = cache.ask("GET", "/health")
    assert status == 503 and health["status"] == "failing" and health["why"] == f"{slots}/registry.json: Is a directory"
    (slots / ".registry.json.next").rmdir()
    cache.server.await_log("registry written again")
    assert json.loads((slots / "registry.json").read_text())["slots"] == []
    assert cache.get("/health")["status"] == "ok"


def test_health_says_when_the_directory_is_gone(cache, slots, frametest):
    cache = cache()
    frametest("--size", "64x64", "a")
    cache.await_slot("a", state="live")
    # A writer that is left out for half a second is stalled meanwhile.
    await_true(lambda: (lambda it: (it["slots"], it["live"], it["stalled_or_dead"]))(cache.get("/health")) == (1, 1, 0), 10)
    slots.rename(slots.with_suffix(".moved"))
    try:
        status, health = cache.ask("GET", "/health")
        assert status == 503 and health["why"] == f"{slots}: No such file or directory", health
    finally:
        slots.with_suffix(".moved").rename(slots)
    assert cache.get("/health")["status"] == "ok"


def test_a_short_token_is_refused(crew, tmp_path):
    process = crew.start([PROGRAM, "--data", tmp_path, "--set", "framecache.token=short"], "ringmain")
    assert process.wait(20) != 0
    assert "at least 16 characters" in process.said()


def ask_local(path, method, target, body=None, headers=None):
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(PATIENCE)
    connection.sock.connect(str(path))
    connection.request(method, target, json.dumps(body) if body else None, headers or {})
    reply = connection.getresponse()
    data = reply.read()
    connection.close()
    return reply.status, json.loads(data) if data[:1] in (b"{", b"[") else None


def test_the_unix_socket_is_a_door(guarded):
    cache, directory = guarded
    door = pathlib.Path(directory) / "door"
    assert door.stat().st_mode & 0o777 == 0o660
    status, made = ask_local(door, "POST", "/slots", {"slot_id": "local", **SMALL})
    assert status == 201 and (pathlib.Path(directory) / "local").stat().st_uid == os.getuid()
    assert ask_local(door, "GET", "/slots/local")[1]["bytes"] == made["bytes"]
    assert ask_local(door, "GET", "/live")[0] == 404
    assert ask_local(door, "GET", "/slots", headers={"Via": "1.1 proxy"})[0] == 401
    assert ask_local(door, "GET", "/slots", headers={"Sec-Fetch-Site": "cross-site"})[0] == 401
    for name in ("x", "studio.example", "framecache:7435"):  # as curl --unix-socket says what its address does
        assert ask_local(door, "GET", "/slots/local", headers={"Host": name})[0] == 200, name
    assert ask_local(door, "DELETE", "/slots/local")[0] == 204


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_slot_is_its_makers(guarded):
    cache, directory = guarded
    os.chmod(directory, 0o755)
    door = pathlib.Path(directory) / "door"
    os.chmod(door, 0o666)
    script = ("import socket,json;s=socket.socket(socket.AF_UNIX);s.connect({!r});b=json.dumps({!r}).encode();"
              "s.sendall(b'POST /slots HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n"
              "Content-Length: %d\\r\\n\\r\\n'%len(b)+b);print(s.recv(99))"
              ).format(str(door), {"slot_id": "theirs", **SMALL})
    said = subprocess.run(["/usr/bin/python3", "-c", script], user=65534, group=65534, text=True,
                          capture_output=True, timeout=PATIENCE)
    assert "201" in said.stdout, said
    there = (pathlib.Path(directory) / "theirs").stat()
    assert (there.st_uid, there.st_gid) == (65534, 65534)


def test_the_unix_socket_passes_to_the_next_server_and_a_stale_one_is_replaced(slots):
    door = slots / "door"
    old = socket.socket(socket.AF_UNIX)
    old.bind(str(door))
    old.close()
    with Kept({"framecache.listen": f"unix:{door}", "framecache.dir": slots}) as server:
        assert ask_local(door, "POST", "/slots", {"slot_id": "kept", **SMALL})[0] == 201
        inode = door.stat().st_ino
        server.upgrade()
        assert ask_local(door, "GET", "/slots/kept")[0] == 200
        server.kill()
        assert ask_local(door, "GET", "/slots/kept")[0] == 200
        assert door.stat().st_ino == inode


def test_what_is_no_socket_is_not_replaced(slots, crew, tmp_path):
    (slots / "door").write_text("mine")
    process = crew.start([PROGRAM, "--data", tmp_path, "--set", "http.listen=127.0.0.1:0", "--set",
                          f"framecache.listen=unix:{slots}/door"], "ringmain")
    assert process.wait(20) != 0
    assert (slots / "door").read_text() == "mine"


# --- readers, and the API for operators ----------------------------------------------------------


@pytest.mark.real_time("a ring holds two seconds")
def test_readers_are_shown_with_their_lag(cache, frametest):
    cache = cache()
    writer = frametest("--size", "64x32", "--fps", "100", "live")
    quick, slow = frametest("--check", "live"), frametest("--check", "live")

    def readers(good):
        end = time.monotonic() + PATIENCE
        while True:
            status, slot = cache.ask("GET", "/slots/live")
            if status == 200:
                seen = {reader["pid"]: reader for reader in slot["readers"]}
                if good(seen):
                    return seen
            assert time.monotonic() < end, slot
            time.sleep(0.05)

    seen = readers(lambda seen: set(seen) == {quick.pid, slow.pid})
    assert seen[quick.pid]["name"] == "frametest"
    slow.send_signal(signal.SIGSTOP)
    seen = readers(lambda seen: seen[slow.pid]["lag"] > 500)
    assert seen[quick.pid]["lag"] < 400 and seen[quick.pid]["lost"] == 0, "told once a second"
    assert seen[slow.pid]["silent_ms"] > 3000, "and it is not forgotten"
    slow.send_signal(signal.SIGCONT)
    assert readers(lambda seen: seen[slow.pid]["lost"] > 0)[slow.pid]["lag"] < 400
    slow.kill()
    slow.wait()
    quick.send_signal(signal.SIGTERM)
    quick.wait()
    readers(lambda seen: not seen)
    assert writer.poll() is None


def test_reports_that_make_no_sense_are_nothing(cache, slots, frametest):
    cache = cache()
    cache.make("live")
    out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for report in (b"", b"x", b"\xff" * 128, b"x" * 5000, (0x46435244).to_bytes(4, "little") + b"\xff" * 124):
        out.sendto(report, str(slots / ".readers"))
    assert cache.get("/slots/live")["readers"] == []


def test_operators_see_and_make_slots_in_the_api(serve, slots):
    server = serve({"framecache.listen": "127.0.0.1:0", "framecache.dir": slots})
    auth = ("admin", server.admin_password)
    api = "/api/v1/slots"

    def ask(method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        login = base64.b64encode(":".join(auth).encode()).decode()
        connection.request(method, path, json.dumps(body) if body else None, {"Authorization": f"Basic {login}",
                            "Content-Type": "application/json"})
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        return reply.status, json.loads(data) if data else None

    assert server.get(api).status == 401
    assert ask("GET", api) == (200, {"on": True, "slots": []})
    status, made = ask("POST", api, {"slot_id": "studio", **SMALL})
    assert status == 201 and made["slot_id"] == "studio" and made["readers"] == []
    status, slots_seen = ask("GET", api)
    schema = {"$ref": "#/components/schemas/Slots", "components": OPENAPI["components"]}
    jsonschema.validate(slots_seen, schema)
    assert ask("GET", api + "/studio")[0] == 200
    assert ask("POST", api, {"slot_id": "studio", **SMALL})[0] == 409
    assert ask("DELETE", api + "/studio") == (204, None)
    assert ask("GET", api + "/studio")[0] == 404


def test_without_a_door_the_api_has_no_slots(serve):
    server = serve()
    reply = server.get("/api/v1/slots", auth=("admin", server.admin_password))
    assert reply.json == {"on": False, "slots": []}
    assert server.get("/api/v1/slots/x", auth=("admin", server.admin_password)).status == 503


# --- what must not grow, and what must not be followed -------------------------------------------


def test_nothing_is_left_of_slots_that_come_and_go(cache, frametest):
    """Over many orders the server holds no more descriptors and maps no more slots than before."""
    cache = cache()
    server = cache.server

    def held():
        pids = [int(pid) for pid in os.listdir("/proc") if pid.isdigit()]
        ours = [server.process.popen.pid]
        for pid in sorted(pids):
            try:
                if int(re.search(r"PPid:\t(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) in ours:
                    ours.append(pid)
            except OSError:
                pass
        return (sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in ours),
                sum(pathlib.Path(f"/proc/{pid}/maps").read_text().count("/churn") for pid in ours))

    for i in range(20):
        cache.make("churn")
        assert cache.ask("DELETE", "/slots/churn")[0] == 204
    descriptors, maps = held()
    for i in range(1000 * int(os.environ.get("RINGMAIN_ROUNDS", "1"))):
        cache.make(f"churn{i % 5}", replace=True)
        if i % 2:
            assert cache.ask("DELETE", f"/slots/churn{i % 5}")[0] == 204
    for name in cache.names():
        cache.ask("DELETE", f"/slots/{name}")
    end = time.monotonic() + PATIENCE
    while True:
        now = held()
        if now[1] <= maps and now[0] <= descriptors + 4:
            break
        assert time.monotonic() < end, (descriptors, maps, now)
        time.sleep(0.1)


def test_a_name_that_becomes_a_link_is_never_followed(cache, slots):
    """The name is a slot and a link to something else by turns, as fast as it goes: what the link leads to is
    neither shown nor touched nor removed."""
    cache = cache()
    secret = cache.make("outside")
    elsewhere = slots / "elsewhere"
    elsewhere.mkdir()
    (slots / "outside").rename(elsewhere / "outside")
    before = (elsewhere / "outside").read_bytes()[:4096]
    over = threading.Event()
    cache.make("swap")
    (slots / "swap").rename(slots / ".slot")

    def swap():
        while not over.is_set():
            for target in (slots / ".slot", None):
                if target:
                    os.link(target, slots / ".next")
                else:
                    os.symlink(elsewhere / "outside", slots / ".next")
                os.rename(slots / ".next", slots / "swap")
    thread = threading.Thread(target=swap)
    thread.start()
    answers = set()
    for _ in range(300):
        status, slot = cache.ask("GET", "/slots/swap")
        answers.add(status)
        assert status == 404 or slot["generation"] != secret["generation"]
    removed = cache.ask("DELETE", "/slots/swap?force=1")[0]
    over.set()
    thread.join()
    assert 200 in answers and removed in (204, 404, 500)
    assert (elsewhere / "outside").read_bytes()[:4096] == before
