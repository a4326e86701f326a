"""What is kept: it is there again after a restart and after a crash; and a disk that fails costs history
and never a stream."""

import fcntl
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

from fault_harness import ADMIN, Encoder, Listener, Server, await_, basic, runs_of


def api(server, method, path, body=None, login=ADMIN):
    """The status and the tree of an answer."""
    text = json.dumps(body) if body is not None else ""
    head = f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n" if text else ""
    reply = server.ask(f"{method} /api/v1{path} HTTP/1.0\r\n{login}{head}\r\n{text}")
    return reply.status, reply.json() if reply.body else None


def songs(server):
    status, tree = api(server, "GET", "/history/songs?limit=1000")
    return [song["title"] for song in tree["songs"]] if status == 200 else []


def put_title(server, title):
    return api(server, "PUT", "/mounts/live/title", {"title": title})


def health(server):
    checks = api(server, "GET", "/health")[1]["checks"]
    return next(c for c in checks if c["name"] == "history")


def hears_everything(listener):
    """And more comes: the encoder's frames, none missing, torn or twice."""
    listener.await_bytes(8000)
    assert len(runs_of(listener.frames())) == 1
    assert not listener.ended


@pytest.fixture(name="disk")
def _disk(tmp_path):
    """A disk of 1 MB of its own."""
    where = tmp_path / "disk"
    where.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(where)],
                      stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("needs to mount a small disk")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", str(where)], check=False)


def remount(disk, how):
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)



# --- it is there again ----------------------------------------------------------------------------


def test_a_restart_keeps_people_and_history(tmp_path):
    data = str(tmp_path / "data")
    with Server(data=data) as server, Encoder(server):
        assert api(server, "POST", "/users", {"name": "anna", "password": "a long word",
                                              "rank": "operator"})[0] == 201
        made = api(server, "POST", "/tokens", {"name": "bot", "rank": "dj", "mounts": "/live"})[1]
        body = json.dumps({"user": "anna", "password": "a long word"})
        login = server.ask("POST /api/v1/login HTTP/1.0\r\nContent-Type: application/json\r\n"
                           f"Content-Length: {len(body)}\r\n\r\n{body}")
        cookie = [line.split(": ", 1)[1].split(";")[0] for line in
                  login.raw.decode().split("\r\n") if "ringmain_session=" in line][0]
        with Listener(server) as listener:
            listener.await_bytes(8000)
        assert put_title(server, "Kept")[0] == 204
        await_("the song is kept", lambda: "Kept" in songs(server))
        await_("the listener is kept",
               lambda: api(server, "GET", "/history/listeners")[1]["listeners"])
    with Server(data=data) as server:
        token = f"Authorization: Bearer {made['token']}\r\n"
        who = [api(server, "GET", "/me", login=login)[1]["user"] for login in
               (basic("anna", "a long word"), token, f"Cookie: {cookie}\r\n")]
        assert who == ["anna", "admin", "anna"]
        assert songs(server)[0] == "Kept"
        song = api(server, "GET", "/history/songs")[1]["songs"][0]
        source = api(server, "GET", "/history/sources")[1]["sources"][0]
        assert song["ended"] >= song["began"] and source["ended"] >= source["began"]
        assert api(server, "GET", "/history/listeners")[1]["listeners"][0]["mount"] == "/live"
        assert api(server, "GET", "/history/minutes?mount=/live")[1]["minutes"]
        done = [one["action"] for one in api(server, "GET", "/audit")[1]["audit"]]
        assert {"login", "POST /api/v1/users", "POST /api/v1/tokens"} <= set(done)
        assert not any("a long word" in line or made["token"] in line
                       for line in (server.log(), open(data + "/ringmain.db", errors="replace").read()))
        seen = api(server, "GET", "/users")[1]["users"][0]["seen"]
        assert seen and time.time() - seen < 300
        assert api(server, "DELETE", "/users/anna")[0] == 204
    with Server(data=data) as server:
        assert api(server, "GET", "/users")[1]["users"] == []
        assert api(server, "GET", "/me", login=f"Cookie: {cookie}\r\n")[0] == 401


def is_free(directory):
    """Nobody serves from it any more: of a server that is killed, the keeper ends first."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(fd)


def test_a_crash_loses_at_most_a_second(tmp_path):
    """A busy machine may leave out who writes for longer than that, and not each time."""
    for i in range(5):
        must, kept = titles_of_a_crash(str(tmp_path / f"data{i}"))
        if must and must <= kept:
            return
    assert must and must <= kept


def titles_of_a_crash(data):
    """(those said more than a second before it, those kept)"""
    server = Server(data=data).start()
    said = []
    try:
        with Encoder(server):
            end = time.monotonic() + 2
            while time.monotonic() < end:
                title = f"song {len(said)}"
                assert put_title(server, title)[0] == 204
                said.append((time.monotonic(), title))
            server.process.send_signal(signal.SIGKILL)
            killed = time.monotonic()
            server.process.wait()
    finally:
        server.process.kill()
        shutil.rmtree(server.own, ignore_errors=True)
    await_("all of its processes are gone", lambda: is_free(data))
    must = {title for at, title in said if at < killed - 1}
    with Server(data=data) as server:
        connection = sqlite3.connect(data + "/ringmain.db")
        kept = {row[0] for row in connection.execute("SELECT title FROM songs")}
        # None is missing between those that are there.
        assert kept == {title for _, title in said[:len(kept)]}
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        open_rows = connection.execute("SELECT count(*) FROM songs WHERE ended IS NULL").fetchone()
        assert open_rows == (0,)
        connection.close()
    return must, kept


# --- disks that fail ------------------------------------------------------------------------------


def test_a_read_only_database_costs_history_until_it_may_be_written(disk):
    file = {"store.file": str(disk / "ringmain.db")}
    with Server(file) as server:
        assert api(server, "POST", "/users", {"name": "anna", "password": "a long word",
                                              "rank": "operator"})[0] == 201
    remount(disk, "ro")
    with Server(file) as server, Encoder(server, title_every=0.2), Listener(server) as listener:
        server.await_log('store not keeping history why=read-only')
        hears_everything(listener)
        assert health(server)["state"] == "bad"
        status, tree = api(server, "POST", "/users", {"name": "ben", "password": "a long word",
                                                      "rank": "dj"})
        assert status == 503 and tree["error"]["code"] == "not_kept"
        remount(disk, "rw")
        server.await_log("store keeping history")
        await_("users are known", lambda: api(server, "GET", "/me",
                                              login=basic("anna", "a long word"))[0] == 200)
        # What came meanwhile waited.
        await_("songs are kept", lambda: songs(server))
        hears_everything(listener)
        assert server.log().count("store not keeping history") == 1


def test_a_full_disk_costs_history_until_there_is_room(disk):
    file = {"store.file": str(disk / "ringmain.db")}
    filler = disk / "filler"
    with Server(file) as server, Encoder(server), Listener(server) as listener:
        assert put_title(server, "before")[0] == 204
        await_("the song is kept", lambda: "before" in songs(server))
        fd = os.open(filler, os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(fd, b"x" * 512)
        except OSError:
            os.close(fd)
        count = 0
        while "why=full" not in server.log():
            assert put_title(server, f"{count} " + "x" * 200)[0] == 204
            count += 1
            assert count < 5000
        hears_everything(listener)
        assert health(server)["state"] == "bad"
        status, tree = api(server, "POST", "/users", {"name": "ben", "password": "a long word",
                                                      "rank": "dj"})
        assert status == 503 and tree["error"]["message"].endswith("the disk is full")
        assert api(server, "GET", "/me", login=basic("ben", "a long word"))[0] == 401
        os.unlink(filler)
        server.await_log("store keeping history", 2)
        await_("songs are kept", lambda: any(t.startswith(f"{count - 1} ") for t in songs(server)))
        hears_everything(listener)
        assert server.log().count("store not keeping history") == 1


def spoil(path):
    """All but its first page, where SQLite would see at once that it is no database."""
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        f.seek(100)
        f.write(b"\xa5" * (size - 100))


def test_a_corrupt_database_is_moved_aside_while_all_hear_on(tmp_path):
    data = str(tmp_path / "data")
    path = data + "/ringmain.db"
    with Server(data=data) as server:
        assert put_title(server, "x")[0] in (204, 404)
    with Server(data=data) as server, Encoder(server, title_every=0.1), Listener(server) as listener:
        await_("songs are kept", lambda: songs(server))
        with sqlite3.connect(path) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        other.close()
        spoil(path)
        server.await_log("corrupt database moved aside")
        hears_everything(listener)
        await_("history is kept anew", lambda: songs(server))
        assert health(server)["state"] == "warning"
    aside = [name for name in os.listdir(data) if ".corrupt-" in name]
    assert aside
    spoil(path)
    with Server(data=data) as server, Encoder(server, title_every=0.1), Listener(server) as listener:
        server.await_log("corrupt database moved aside")
        hears_everything(listener)
        await_("history is kept anew", lambda: songs(server))
    # The second one has not taken the first one's place.
    assert set(aside) < {name for name in os.listdir(data) if ".corrupt-" in name}


def test_no_directory_costs_history_until_there_is_one(tmp_path):
    where = tmp_path / "not" / "there"
    with Server({"store.file": str(where / "ringmain.db")}) as server, \
            Encoder(server, title_every=0.2), Listener(server) as listener:
        server.await_log("store not keeping history why=missing")
        hears_everything(listener)
        assert api(server, "GET", "/history/songs")[0] == 503
        where.mkdir(parents=True)
        server.await_log("store keeping history")
        await_("songs are kept", lambda: songs(server))
        hears_everything(listener)
        assert server.log().count("store not keeping history") == 1


@pytest.mark.parametrize("change,word", [("PRAGMA user_version = 1000", "newer"),
                                         ("PRAGMA application_id = 7", "foreign")])
def test_a_file_that_is_not_for_this_version_is_left_alone(tmp_path, change, word):
    data = str(tmp_path / "data")
    path = data + "/ringmain.db"
    with Server(data=data) as server:
        api(server, "GET", "/history/songs")
    connection = sqlite3.connect(path)
    connection.execute(change)
    connection.commit()
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    with open(path, "rb") as f:
        before = f.read()
    with Server(data=data) as server, Encoder(server, title_every=0.2), Listener(server) as listener:
        server.await_log(f"store not keeping history why={word}")
        hears_everything(listener)
        assert api(server, "GET", "/history/songs")[0] == 503
    with open(path, "rb") as f:
        assert f.read() == before


def test_nothing_is_kept_where_that_is_not_wanted(tmp_path):
    data = tmp_path / "data"
    with Server({"store.enabled": "no"}, data=str(data)) as server, \
            Encoder(server, title_every=0.2), Listener(server) as listener:
        hears_everything(listener)
        assert api(server, "GET", "/history/songs")[0] == 503
        assert api(server, "POST", "/users", {"name": "ben", "password": "a long word",
                                              "rank": "dj"})[0] == 503
    assert not (data / "ringmain.db").exists()
