"""One server on a data directory, at every moment; and what is one for all generations of it."""

import json
import os
import subprocess
import threading
import time
import urllib.request

import pytest

from fault_harness import PATIENCE, SANITIZED, SERVER, Encoder, Listener, await_, free_port, runs_of
from handover_harness import Kept

kept = pytest.mark.skipif(SANITIZED, reason="a sanitizer does not bear clone(CLONE_FILES)")


def second(server, seconds=PATIENCE, **environment):
    """What another server on the same directory says, and what it ends with."""
    return subprocess.run([SERVER, "--data", server.data, "--set", f"http.listen=127.0.0.1:{free_port()}"],
                          capture_output=True, text=True, timeout=seconds, check=False,
                          env={**os.environ, **environment})


def assert_refused(server):
    done = second(server)
    assert done.returncode == 1, done
    assert f"another ringmain serves from the data directory {server.data} already" in done.stderr
    assert done.stderr.count("another ringmain") == 1


@kept
def test_a_second_server_is_refused_through_upgrades_and_crashes():
    with Kept() as server:
        assert_refused(server)
        for step in (server.upgrade, server.kill, server.upgrade, server.kill):
            step()
            assert_refused(server)


@kept
def test_it_is_refused_in_the_very_moment_of_a_change_too():
    """One after another tries, while the server is upgraded and killed: none ever gets in."""
    with Kept() as server, Encoder(server) as encoder:
        listener = Listener(server)
        # Who has not been answered yet when the server is killed is not gone on with.
        listener.await_bytes(5000)
        over, answers = threading.Event(), []

        def try_always():
            while not over.is_set():
                answers.append(second(server))

        tries = threading.Thread(target=try_always)
        tries.start()
        i = 0
        while i < 6 or len(answers) <= 3 and i < 100:
            server.upgrade() if i % 2 else server.kill()
            server.await_state("/live", "live")
            time.sleep(0.2)
            i += 1
        over.set()
        tries.join()
        assert len(answers) > 3 and all(a.returncode == 1 and "another ringmain" in a.stderr for a in answers)
        listener.await_bytes(20000)
        assert len(runs_of(listener.frames())) == 1
        assert encoder.stop()["connects"] == 1


@kept
def test_the_directory_is_free_when_the_server_has_ended():
    with Kept() as server:
        data = server.data
        server.stop()
        with Kept(data=data) as other:
            assert_refused(other)


@kept
def test_who_takes_the_doors_alone_gets_the_directory_when_the_old_one_ends():
    with Kept() as server, Encoder(server, "/live") as encoder:
        listener = Listener(server)
        listener.await_bytes(5000)
        with open(SERVER, "rb") as f:
            server.replace(f.read().replace(b"radio.listeners\0", b"radio.audience_\0"))
        assert server.ctl("upgrade").stdout == "ok the old server drains\n"
        server.await_log(" core ready ", 2)
        assert_refused(server)
        listener.socket.close()
        encoder.kill()
        server.await_log("the data directory is this server's alone now")
        assert_refused(server)


@kept
def test_ringmainctl_gets_its_socket_when_the_disk_allows(tmp_path):
    """A directory that may not be written: the server serves all the same, and looks again."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)],
                      stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("needs to mount a small disk")
    try:
        (disk / "data").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with Kept(data=str(disk / "data")) as server:
            server.await_log("no socket for ringmainctl")
            assert_refused(server)
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
            await_("ringmainctl is heard", lambda: os.path.exists(server.data + "/control"))
            server.upgrade()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


@kept
def test_one_server_writes_the_registry(tmp_path, monkeypatch):
    """The old one still answers somebody when slots come: it leaves the registry to the new one."""
    frames, port = tmp_path / "frames", free_port()
    monkeypatch.setenv("FC_DIR", str(frames))
    (tmp_path / "large").write_bytes(bytes(20 << 20))
    registry = frames / "registry.json"
    with Kept({"framecache.listen": f"127.0.0.1:{port}", "framecache.dir": frames,
               "files.directory": tmp_path, "files.timeout": "10m"}) as server:
        await_("there is a registry", registry.exists)
        with server.connect(rcvbuf=4096) as slow:
            slow.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            assert slow.recv(4096)
            old = server.pid()
            server.upgrade()
            assert server.pid() != old
            last = 0
            for number in range(3):
                body = json.dumps({"slot_id": f"slot{number}", "width": 64, "height": 32, "fps_num": 50,
                                   "fps_den": 1, "source_type": "sdi"}).encode()
                request = urllib.request.Request(f"http://127.0.0.1:{port}/slots", body, method="POST")
                assert urllib.request.urlopen(request, timeout=PATIENCE).status == 201
                # As long as the old one needs to see it.
                end = time.monotonic() + 1.5
                while time.monotonic() < end:
                    now = json.loads(registry.read_text())["revision"]
                    assert now >= last, "written by a server that was before"
                    last = now
                    time.sleep(0.01)
            assert old in server.tree(), "the old server did not live long enough for this"
