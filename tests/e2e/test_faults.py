"""What goes wrong around the server does not go wrong in it: it serves on, and spins and leaks not."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from fault_harness import (ADMIN, PATIENCE, SANITIZED, SOURCE, Encoder, Listener, Server, assert_whole, await_, basic,
                           read_all, run, runs_of, serving, swarm, swarm_report, swarm_start)


def assert_serves(server, mount="/live"):
    """Pages, and whole frames; those who ask in time, where the time is short."""
    await_("a page is served", lambda: server.get("/status-json.xsl").status == 200)

    def hears():
        with Listener(server, mount) as listener:
            if listener.reply().status != 200:
                return False
            listener.await_bytes(8000)
            assert len(runs_of(listener.frames())) == 1
            return True
    await_("a listener hears", hears)


# --- disks ---------------------------------------------------------------------------------------


def test_a_log_that_cannot_be_written_stops_nothing():
    with Server({"log.file": "/dev/full"}) as server, Encoder(server, title_every=0.2):
        assert_serves(server)
        assert server.metric("core_log_lines_lost_total") > 0


def test_a_log_file_that_cannot_be_opened_is_said():
    done = run("--set", "log.file=/nonexistent/log")
    assert done.returncode == 1
    assert "log.file: No such file or directory" in done.stderr


def fill(path):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        while True:
            os.write(fd, b"x" * 512)
    except OSError:
        os.close(fd)


@pytest.fixture(name="full_disk")
def _full_disk(tmp_path):
    where = tmp_path / "full"
    where.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(where)],
                      stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("needs to mount a small disk")
    try:
        fill(where / "filler")
        yield where
    finally:
        subprocess.run(["umount", "-l", str(where)], check=False)


def test_a_full_disk_stops_nothing(full_disk):
    # The passwords cannot be kept, and the log that stands there grows no more.
    log = full_disk / "log"
    with Server({"log.file": str(log), "admin.password": "headmaster",
                 "radio.source_password": ""}, passwords=False,
                data=str(full_disk / "data")) as server:
        assert server.get("/status-json.xsl").status == 200
        assert "password not kept" in server.log()
        assert server.metric("core_log_lines_lost_total") > 0
        # What was invented holds until the next start, and half of it is not in the file.
        kept = full_disk / "data" / "passwords"
        assert not kept.exists() or kept.read_text() == ""


def test_a_disk_that_fills_up_and_is_emptied_is_logged_on_again(full_disk):
    (full_disk / "filler").unlink()
    log = full_disk / "log"
    with Server({"log.file": str(log)}) as server, Encoder(server, title_every=0.1):
        fill(full_disk / "filler")
        wrong = basic("source", "wrong")
        await_("lines are lost", lambda: server.get("/x", wrong, method="SOURCE").status == 401 and
               server.metric("core_log_lines_lost_total") > 0)
        assert_serves(server)
        (full_disk / "filler").unlink()
        size = log.stat().st_size
        await_("it is logged on", lambda: log.stat().st_size > size)


# --- descriptors and memory ----------------------------------------------------------------------


def limited(**limits):
    words = ["prlimit"] + [f"--{name}={value}" for name, value in limits.items()]
    return tuple(words) + ("--",)


def test_out_of_descriptors_waits_and_goes_on():
    began_all = time.monotonic()
    with Server({"workers": 2, "http.header_timeout": "5m"}, prefix=limited(nofile="90:90")) as server, \
         Encoder(server):
        with Listener(server) as listener:
            listener.await_bytes(4000)
            before = server.descriptors()
            idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(120)]
            await_("descriptors have run out", lambda: server.descriptors() >= 90)
            server.await_log("accept paused")
            # While they are out: the listener hears on, and the server does not spin.
            used, began = server.cpu(), time.monotonic()
            heard = len(listener.received())
            await_("two seconds of audio", lambda: len(listener.received()) > heard + 2 * 15000)
            share = (server.cpu() - used) / (time.monotonic() - began)
            assert share < 0.25, f"{share:.0%} of a processor while out of descriptors"
            for s in idle:
                s.close()
            await_("descriptors are free", lambda: server.descriptors() <= before + 2)
            assert_serves(server)
            assert len(runs_of(listener.frames())) == 1
        # Not a line for every time it looked again.
        assert server.log().count("accept paused") < 40 + (time.monotonic() - began_all) / 2


def test_an_encoder_without_descriptors_is_refused_and_may_come_back():
    with Server({"workers": 1, "http.idle_timeout": "5m"}, prefix=limited(nofile="60:60")) as server:
        idle = []
        while server.descriptors() < 59:
            idle.append(server.connect())
            # It is in when it is answered: one more would wait for the place that is left.
            idle[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle[-1].recv(12) == b"HTTP/1.1 200"
        # One is left for the connection, none for its feed.
        with Encoder(server, ready=False, burst_seconds=1) as encoder:
            await_("it is gone", lambda: encoder.process.poll() is not None or
                   "source gone" in server.log())
        for s in idle:
            s.close()
        with Encoder(server):
            assert_serves(server)


@pytest.mark.skipif(SANITIZED, reason="a sanitizer takes all addresses for itself")
def test_out_of_memory_refuses_what_is_large_and_serves_on():
    with Server({"workers": 2}) as probe:
        with open(f"/proc/{serving(probe.process.pid)}/statm", encoding="ascii") as f:
            room = int(f.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    # 12 MiB more than it takes empty: a few feeds, and not twenty of them.
    with Server({"workers": 2, "radio.ring": "1M", "mount./small.ring": "64k",
                 "mount./small.burst": "8k"},
                prefix=limited(**{"as": room + (12 << 20)})) as server, \
         Encoder(server, "/small"):
        encoders = [Encoder(server, f"/m{i}", ready=False) for i in range(20)]
        server.await_log("source gone mount=/m[0-9]* why=\"out of memory\"")
        conns = [server.connect() for _ in range(1500)]
        for s in conns:
            try:
                s.sendall(b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 4000)
            except OSError:
                pass
        for s in conns:
            s.close()
        for encoder in encoders:
            encoder.kill()
        await_("it has memory again", lambda: server.get("/status-json.xsl").status == 200)
        assert_serves(server, "/small")


# --- slow and broken clients ---------------------------------------------------------------------


@pytest.mark.real_time("who asks has a second for it")
def test_slow_heads_and_bodies_are_dropped_while_others_are_served():
    with Server({"http.header_timeout": "1s"}) as server, Encoder(server):
        heads = [server.connect() for _ in range(200)]
        bodies = [server.connect() for _ in range(50)]
        for s in bodies:
            s.sendall(f"POST /admin/metadata HTTP/1.1\r\nHost: x\r\n{SOURCE}Content-Type: "
                      "application/x-www-form-urlencoded\r\nContent-Length: 5000\r\n\r\n".encode())
        began = time.monotonic()
        gone, served = set(), 0
        while len(gone) < 250 and time.monotonic() - began < PATIENCE:
            for s in heads + bodies:
                if s in gone:
                    continue
                try:
                    s.sendall(b"a")
                except OSError:
                    gone.add(s)
            served += server.get("/status-json.xsl").status == 200
            time.sleep(0.1)
        # Each byte sent bought no time.
        assert len(gone) == 250 and served > 0
        assert_serves(server)
        for s in gone:
            s.close()
        assert server.metric("edge_timeouts_total") >= 250


@pytest.mark.real_time("encoders are given two seconds")
def test_a_server_that_was_left_out_takes_nobody_for_silent():
    """Stopped for longer than anybody may be silent: what they said meanwhile is read before they are judged."""
    with Server({"workers": 1, "radio.source_timeout": "2s", "http.header_timeout": "2s"}) as server, \
         Encoder(server) as encoder, Listener(server) as listener:
        listener.await_bytes(8000)
        for _ in range(2):
            with server.connect() as early:
                early.sendall(b"GET /status-json.xsl HTTP/1.0\r\n")
                pid = serving(server.process.pid)
                os.kill(pid, signal.SIGSTOP)
                early.sendall(b"\r\n")
                time.sleep(3)  # how long it stands still is what is tested
                os.kill(pid, signal.SIGCONT)
                assert read_all(early).startswith(b"HTTP/1.0 200")
            listener.await_bytes(20000)
        assert len(runs_of(listener.frames())) == 1
        assert "source gone" not in server.log()
        assert encoder.stop()["connects"] == 1


def test_an_idle_connection_is_closed():
    with Server({"http.idle_timeout": "500ms"}) as server, server.connect() as s:
        s.sendall(b"GET /status-json.xsl HTTP/1.1\r\nHost: x\r\n\r\n")
        raw = read_all(s)
        assert raw.startswith(b"HTTP/1.1 200")


def test_a_join_storm_is_served():
    with Server({"workers": 2}) as server, Encoder(server):
        report = swarm(server, listeners=2000, rate=2000, seconds=2, check=True, icy=0.2)
        assert_whole(report)
        print("first bytes", report["first_byte_ms"])
        await_("all have left", lambda: server.listeners() == 0)
        assert server.metric("edge_connections_refused_total") == 0


def test_killed_listeners_are_counted_out():
    with Server({"workers": 2}) as server, Encoder(server):
        rest = server.descriptors()
        running = swarm_start(server, listeners=1000, seconds=600, processes=1)
        await_("all listen", lambda: server.listeners() == 1000)
        swarm_kill(running)
        await_("none is left", lambda: server.listeners() == server.listeners("/live") == 0)
        await_("nor a connection", lambda: server.stats()["clients"] <= 2)
        await_("no descriptor of the dead is kept", lambda: server.descriptors() <= rest + 8)
        assert_serves(server)


def test_listeners_that_vanish_are_counted_out_without_a_source_too():
    """No send fails where nothing is sent: the server looks whether they are there."""
    with Server({"radio.linger": "10m"}) as server:
        encoder = Encoder(server)
        listeners = [Listener(server) for _ in range(20)]
        for listener in listeners:
            listener.await_stream(1)
        encoder.kill()
        server.await_state("/live", "lingering")
        for i, listener in enumerate(listeners):
            listener.close(reset=i % 2 == 0)
        await_("none is left", lambda: server.listeners() == 0)


def with_children(process):
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], text=True,
                              capture_output=True, check=False).stdout.split()
    return [*map(int, children), process.pid]


def open_of(process):
    """How many descriptors it and its children have."""
    count = 0
    for pid in with_children(process):
        with contextlib.suppress(OSError):
            count += len(os.listdir(f"/proc/{pid}/fd"))
    return count


def swarm_kill(process):
    """It and its children."""
    for pid in with_children(process):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()


# --- rubbish on the port -------------------------------------------------------------------------

TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + os.urandom(32) + b"\x00\x00\x02\x13\x01\x01\x00"

JUNK = {
    "random": os.urandom(3000),
    "nuls": b"\0" * 5000,
    "tls": TLS_HELLO,
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "huge head": b"GET / HTTP/1.1\r\nX: " + b"a" * 100000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
    "long path": b"GET /" + b"a" * 7000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "long line": b"A" * 20000,
    "no version": b"GET /\r\n\r\n",
    "http 9": b"GET / HTTP/9.9\r\n\r\n",
    "only newlines": b"\r\n" * 5000,
    "half": b"GET / HTT",
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "socks": b"\x05\x01\x00",
    "proxy": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.0\r\n\r\n",
    "proxy 2": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12),
    "bad escape": b"GET /%zz%00 HTTP/1.0\r\n\r\n",
    "dots": b"GET /../../../etc/passwd HTTP/1.0\r\n\r\n",
    "dots 2": b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.0\r\n\r\n",
    "unknown method": b"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n",
    "bad basic": b"SOURCE /live HTTP/1.0\r\nAuthorization: Basic !!!\r\n\r\n",
    "empty": b"",
}


@pytest.mark.parametrize("half_close", [False, True])
@pytest.mark.parametrize("name", JUNK)
def test_junk_is_answered_or_dropped(junk_server, name, half_close):
    with junk_server.connect() as s:
        try:
            s.sendall(JUNK[name])
            if half_close:
                s.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it hung up before it had all
        reply = read_all(s)
    # It was an error, or no HTTP at all; never a page and never a hang.
    assert not reply or reply.startswith((b"HTTP/1.", b"invalid password")), reply[:100]
    if reply.startswith(b"HTTP"):
        assert reply.split(b" ")[1][:1] in (b"4", b"5"), reply[:100]
    assert b"root:" not in reply
    assert_serves(junk_server)


@pytest.fixture(name="junk_server", scope="module")
def _junk_server():
    with Server({"http.header_timeout": "500ms"}) as server, Encoder(server):
        yield server


@pytest.fixture(name="patient_server", scope="module")
def _patient_server():
    """For those whose requests are whole, however late they come."""
    with Server() as server:
        yield server


def test_a_hundred_requests_in_one_go_are_answered_in_order(patient_server):
    paths = ["/status-json.xsl", "/nowhere"] * 50
    raw = "".join(f"GET {p} HTTP/1.1\r\nHost: x\r\n\r\n" for p in paths[:-1]) + \
        f"GET {paths[-1]} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with patient_server.connect() as s:
        s.sendall(raw.encode())
        replies = read_all(s)
    statuses = []
    while replies:
        head, _, rest = replies.partition(b"\r\n\r\n")
        statuses.append(int(head.split(b" ")[1]))
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        assert len(rest) >= length
        replies = rest[length:]
    assert statuses == [200, 404] * 50


def test_a_half_closed_client_gets_its_answer(patient_server):
    assert patient_server.ask("GET /status-json.xsl HTTP/1.1\r\nHost: x\r\n\r\n", half_close=True) \
        .status == 200


@pytest.mark.real_time("who asks has two seconds for it")
def test_junk_connections_leave_nothing_behind():
    with Server({"http.header_timeout": "2s"}) as server, Encoder(server):
        payloads = [p for p in JUNK.values() if len(p) < 8000]

        def once(count):
            for i in range(count):
                try:
                    with server.connect() as s:
                        s.sendall(payloads[i % len(payloads)])
                        if i % 3 == 0:
                            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                         struct.pack("ii", 1, 0))
                        elif i % 3 == 1:
                            s.shutdown(socket.SHUT_WR)
                            s.recv(100)
                except OSError:
                    pass

        def storm(count):
            threads = [threading.Thread(target=once, args=(count // 4,)) for _ in range(4)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            await_("all are gone", lambda: server.stats()["clients"] <= 3)

        storm(1000)
        before, descriptors = server.rss(), server.descriptors()
        storm(5000)
        grown = server.rss() - before
        # A sanitizer keeps freed memory for a while.
        assert grown < (64 << 20 if SANITIZED else 1 << 20), f"{grown} bytes more"
        assert server.descriptors() <= descriptors + 1
        assert_serves(server)


SMUGGLED = {
    "two lengths": "POST /admin/metadata HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                   "Content-Length: 6\r\n\r\nhello",
    "length and chunked": "POST /admin/metadata HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown coding": "POST /admin/metadata HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
    "chunked twice": "POST /admin/metadata HTTP/1.1\r\nHost: x\r\n"
                     "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": "POST /admin/metadata HTTP/1.1\r\nHost: x\r\n"
                        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "signed length": "POST /admin/metadata HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello",
    "minus length": "POST /admin/metadata HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "hex length": "POST /admin/metadata HTTP/1.1\r\nHost: x\r\nContent-Length: 0x5\r\n\r\nhello",
    "list of lengths": "POST /admin/metadata HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 6\r\n\r\nhello",
    "long length": "POST /admin/metadata HTTP/1.1\r\nHost: x\r\n"
                   "Content-Length: 99999999999999999999999\r\n\r\nhello",
    "blank before colon": "GET /status-json.xsl HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\nhello",
    "folded line": "GET /status-json.xsl HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
    "bare CR": "GET /status-json.xsl HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n",
    "NUL in a value": "GET /status-json.xsl HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
    "no colon": "GET /status-json.xsl HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
    "blank in the target": "GET /status json.xsl HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_smuggling_is_refused_and_the_connection_closed(patient_server, name):
    # What follows would be taken for a second request by who reads the first one otherwise.
    raw = SMUGGLED[name] + "GET /status-json.xsl HTTP/1.1\r\nHost: y\r\n\r\n"
    reply = patient_server.ask(raw)
    assert 400 <= reply.status < 600, reply.raw[:200]
    assert reply.raw.count(b"HTTP/1.") == 1, reply.raw
    assert reply.headers["connection"].lower() == "close"


def test_a_get_with_a_body_does_not_begin_a_second_request(patient_server):
    inner = "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
    reply = patient_server.ask("GET /status-json.xsl HTTP/1.1\r\nHost: x\r\n"
                            f"Content-Length: {len(inner)}\r\n\r\n{inner}")
    assert reply.raw.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("chunks", ["zz\r\n", "5\rhello", "5\r\nhello__", "-1\r\n", "fffffffffffffffff\r\n",
                                    "5 5\r\nhello\r\n", "5;" + "x" * 9000])
def test_broken_chunks_end_a_source(patient_server, chunks):
    mount = f"/chunks{abs(hash(chunks))}"
    patient_server.ask(f"PUT {mount} HTTP/1.1\r\nHost: x\r\n{SOURCE}Content-Type: audio/mpeg\r\n"
                    f"Transfer-Encoding: chunked\r\n\r\n{chunks}")
    patient_server.await_log(f"source gone mount={mount} why=\"broken chunks\"")


# --- the end -------------------------------------------------------------------------------------


@pytest.mark.real_time("the end is for those who are in time")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_end_under_load_is_quick_and_clean(number):
    with Server({"workers": 2, "mount./a.fallback": "/b"}) as server, \
         Encoder(server, "/a", title_every=0.1), Encoder(server, "/b", stream_id=2):
        running = swarm_start(server, "/a", listeners=500, icy=0.5, check=True, seconds=600,
                              slow_fraction=0.1)
        await_("all listen", lambda: server.listeners() == 500)
        # Also in the middle of things: half a head, a login under way, a call.
        half = [server.connect() for _ in range(10)]
        for s in half:
            s.sendall(b"GET /sta")
        asking = server.connect()
        asking.sendall(f"GET /admin/listclients?mount=/a HTTP/1.0\r\n{ADMIN}\r\n".encode())
        server.process.send_signal(number)
        assert server.stop() < 30
        await_("the swarm has seen it", lambda: open_of(running) < 120)
        running.terminate()
        report = swarm_report(running)
        # The slow ones have not yet read as far as the end.
        assert report["disconnected"] >= 450 and report["failed"] == 0
        assert report["check"]["torn"] == report["check"]["icy_bad"] == 0
        for s in half + [asking]:
            s.close()


def test_a_second_server_on_the_port_says_so_and_ends():
    with Server() as first:
        second = Server(port=first.port)
        done = subprocess.run([first.process.args[0]] + second.args, capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        assert done.returncode == 1
        assert f"127.0.0.1:{first.port}" in done.stderr and "address already in use" in done.stderr
        assert first.get("/status-json.xsl").status == 200


def test_it_costs_nothing_to_wait():
    with Server({"workers": 2}) as server:
        used, began = server.cpu(), time.monotonic()
        while time.monotonic() - began < 3:
            time.sleep(0.2)
        assert server.cpu() - used < 0.15
        assert server.rss() < (400 << 20 if SANITIZED else 40 << 20)
