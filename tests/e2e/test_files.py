"""A station's own files on the same port: whole, in parts, over TLS, and nothing outside of their directory."""

import contextlib
import hashlib
import os
import ssl
import subprocess
import urllib.request

import pytest

from fault_harness import SANITIZED, Encoder, Listener, Reply, Server, await_, read_all

LARGE = 100 << 20


@contextlib.contextmanager
def serving(directory, **settings):
    with Server({"files.directory": directory, "radio.linger": "0",
                 **{name.replace("__", "."): value for name, value in settings.items()}}) as server:
        yield server


@pytest.fixture(name="station")
def _station(tmp_path):
    """A directory with files in it, and things beside it that are nobody's business."""
    root = tmp_path / "station"
    (root / "show").mkdir(parents=True)
    (tmp_path / "secret.txt").write_bytes(b"secret")
    (root / "hello.txt").write_bytes(b"0123456789")
    (root / "empty.mp3").write_bytes(b"")
    (root / "show" / "index.html").write_bytes(b"<p>the show")
    (root / "show" / "one.mp3").write_bytes(b"ID3")
    (root / ".hidden").write_bytes(b"secret")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_bytes(b"secret")
    (root / "inside").symlink_to("hello.txt")
    (root / "outside").symlink_to("../secret.txt")
    (root / "absolute").symlink_to(tmp_path / "secret.txt")
    (root / "above").symlink_to("..")
    (root / "round").symlink_to("round")
    os.mkfifo(root / "pipe")
    return root


def test_a_file_is_served_with_its_type_and_its_validators(station):
    with serving(station) as server:
        reply = server.get("/hello.txt?a=1")
        assert (reply.status, reply.body) == (200, b"0123456789")
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"
        assert reply.headers["content-length"] == "10"
        assert reply.headers["accept-ranges"] == "bytes"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert server.get("/show/one.mp3").headers["content-type"] == "audio/mpeg"
        assert server.get("/show/").body == b"<p>the show"
        assert server.get("/inside").body == b"0123456789"
        empty = server.get("/empty.mp3")
        assert (empty.status, empty.headers["content-length"]) == (200, "0")
        for known in (f"If-None-Match: {reply.headers['etag']}\r\n",
                      f"If-None-Match: \"x\", W/{reply.headers['etag']}\r\n",
                      "If-None-Match: *\r\n",
                      f"If-Modified-Since: {reply.headers['last-modified']}\r\n"):
            again = server.get("/hello.txt", known)
            assert (again.status, again.body) == (304, b""), known
            assert again.headers["etag"] == reply.headers["etag"]
        # The tag goes before the date: RFC 9110 section 13.1.3.
        assert server.get("/hello.txt", "If-None-Match: \"x\"\r\nIf-Modified-Since: "
                          f"{reply.headers['last-modified']}\r\n").status == 200
        (station / "hello.txt").write_bytes(b"another")
        changed = server.get("/hello.txt", f"If-None-Match: {reply.headers['etag']}\r\n")
        assert (changed.status, changed.body) == (200, b"another")


def test_head_tells_what_get_would(station):
    with serving(station) as server:
        reply = server.get("/hello.txt", method="HEAD")
        assert (reply.status, reply.headers["content-length"], reply.body) == (200, "10", b"")
        assert server.get("/hello.txt", "Range: bytes=0-1\r\n", method="HEAD").status == 200
        assert server.get("/none", method="HEAD").status == 404
        assert server.get("/hello.txt", method="POST").status == 405


@pytest.mark.parametrize("wanted, status, body, where", [
    ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
    ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
    ("bytes=-3", 206, b"789", "bytes 7-9/10"),
    ("bytes=-30", 206, b"0123456789", "bytes 0-9/10"),
    ("bytes=9-99", 206, b"9", "bytes 9-9/10"),
    ("bytes=10-", 416, None, "bytes */10"),
    ("bytes=-0", 416, None, "bytes */10"),
    ("bytes=9223372036854775807-", 416, None, "bytes */10"),
    ("bytes=3-1", 200, b"0123456789", None),
    ("bytes=0-1,3-4", 200, b"0123456789", None),
    ("apples=0-1", 200, b"0123456789", None),
])
def test_a_part_of_it(station, wanted, status, body, where):
    with serving(station) as server:
        reply = server.get("/hello.txt", f"Range: {wanted}\r\n")
        assert (reply.status, reply.headers.get("content-range")) == (status, where)
        if body is not None:
            assert reply.body == body and reply.headers["content-length"] == str(len(body))


def test_a_part_of_another_version_is_the_whole(station):
    with serving(station) as server:
        head = server.get("/hello.txt", method="HEAD").headers
        part = "Range: bytes=0-3\r\nIf-Range: "
        assert server.get("/hello.txt", f"{part}{head['etag']}\r\n").status == 206
        assert server.get("/hello.txt", f"{part}{head['last-modified']}\r\n").status == 206
        assert server.get("/hello.txt", f"{part}\"old\"\r\n").status == 200
        # Weak tags do not do: RFC 9110 section 13.1.5.
        assert server.get("/hello.txt", f"{part}W/{head['etag']}\r\n").status == 200
        assert server.get("/empty.mp3", "Range: bytes=0-\r\n").status == 416


@pytest.mark.parametrize("path", [
    "/../secret.txt", "/%2e%2e/secret.txt", "/show/../../secret.txt", "/show/%2e%2e/%2E%2E/secret.txt",
    "/..%2fsecret.txt", "/show/..%5c..%5csecret.txt", "/..\\secret.txt", "//../secret.txt",
    "/outside", "/absolute", "/above/secret.txt", "/above/station/hello.txt", "/round", "/.hidden",
    "/.git/config", "/%2egit/config", "//.hidden", "/show/./../.hidden", "/hello.txt%00.mp3",
    "/secret.txt%00", "/hello.txt/", "/hello.txt/x", "/show", "/pipe", "/" + "a" * 300,
    "/" + "a/" * 400, "/...", "/proc/self/environ", "//etc/passwd",
])
def test_there_is_no_way_out(station, path):
    with serving(station) as server:
        raw = server.ask(f"GET {path} HTTP/1.0\r\n\r\n".encode("latin1"))
        assert raw.status in (400, 404), raw.raw[:200]
        assert b"secret" not in raw.body and b"root:" not in raw.body
        assert server.get("//hello.txt").body == b"0123456789"


def test_without_a_directory_there_are_no_files(station):
    with Server({}) as server:
        assert server.get("/hello.txt").status == 404
        # The pages of rooms are found without their slash too.
        for page in ("/watch", "/send"):
            answer = server.get(page)
            assert answer.status == 302 and answer.headers["location"] == f"{page}/"
            assert server.get(f"{page}/").status == 200
    with serving(station / "not-there") as server:
        assert server.get("/hello.txt").status == 404


def test_pages_and_mounts_on_the_air_go_before_files(station):
    (station / "live").write_bytes(b"a file")
    (station / "index.html").write_bytes(b"a file")
    (station / "metrics").write_bytes(b"a file")
    (station / "watch").write_bytes(b"a file")
    with serving(station) as server:
        assert server.get("/watch").body == b"a file"
        assert server.get("/").body != b"a file"
        assert server.get("/metrics").body != b"a file"
        assert server.get("/live").body == b"a file"
        with Encoder(server), Listener(server) as listener:
            listener.await_bytes(20000)
            assert listener.frames()
        assert await_("the file again", lambda: server.get("/live").body == b"a file")


def test_several_on_one_connection(station):
    with serving(station) as server, server.connect() as s:
        one = b"GET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n"
        last = b"GET /hello.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        s.sendall(one + one.replace(b"\r\n\r\n", b"\r\nRange: bytes=2-3\r\n\r\n") + last)
        got = read_all(s)
        assert got.count(b"\r\n\r\n0123456789") == 2 and got.count(b"HTTP/1.1 ") == 3
        assert b"206 Partial" in got and b"\r\n\r\n23HTTP/1.1" in got


@pytest.fixture(name="large", scope="module")
def _large(tmp_path_factory):
    root = tmp_path_factory.mktemp("large")
    digest = hashlib.sha256()
    with open(root / "large.bin", "wb") as f:
        for i in range(LARGE >> 20):
            block = hashlib.shake_128(str(i).encode()).digest(1 << 20)
            digest.update(block)
            f.write(block)
    return root, digest.hexdigest()


def test_a_large_file_arrives_byte_for_byte(large):
    with serving(large[0]) as server:
        before = server.rss()
        with server.connect() as s:
            s.sendall(b"GET /large.bin HTTP/1.0\r\n\r\n")
            assert hashlib.sha256(Reply(read_all(s)).body).hexdigest() == large[1]
        assert SANITIZED or server.rss() < before + (16 << 20)
        assert server.metric("edge_download_bytes_total") == LARGE
        assert server.metric("edge_downloads_running") == 0
        assert server.metric("edge_downloads_cut_total") == 0


def test_a_large_file_arrives_over_tls(large, tmp_path):
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
                    certificate, "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    context = ssl.create_default_context(cafile=certificate)
    with serving(large[0], tls__certificate=certificate, tls__key=key) as server:
        url = f"https://127.0.0.1:{server.port}/large.bin"
        with urllib.request.urlopen(url, context=context, timeout=60) as got:
            assert hashlib.sha256(got.read()).hexdigest() == large[1]


def test_who_reads_slowly_costs_one_buffer_and_is_let_go(large):
    with serving(large[0], files__timeout="1s", files__downloads=20) as server:
        before = server.rss()
        slow = [server.connect(rcvbuf=4096) for _ in range(20)]
        for s in slow:
            s.sendall(b"GET /large.bin HTTP/1.0\r\n\r\n")
        await_("all are under way", lambda: server.metric("edge_downloads_total") == 20)
        # One too many, as long as those are there: they are let go after a second.
        refused = server.get("/large.bin")
        if refused.status == 503:
            assert "retry-after" in refused.headers
            assert server.metric("edge_downloads_refused_total") == 1
        assert SANITIZED or server.rss() < before + 20 * (256 << 10) + (8 << 20)
        await_("they are let go", lambda: server.metric("edge_downloads_running") == 0)
        assert server.metric("edge_downloads_cut_total") >= 20
        for s in slow:
            s.close()


def test_a_trickle_does_not_hold_a_place(large):
    """Some bytes every now and then are not enough: 64 KiB are due in files.timeout."""
    with serving(large[0], files__timeout="2s") as server, server.connect(rcvbuf=2048) as s:
        s.sendall(b"GET /large.bin HTTP/1.0\r\n\r\n")
        await_("it is under way", lambda: server.metric("edge_downloads_total") == 1)

        def gone():
            with contextlib.suppress(OSError):
                s.recv(100)
            return server.metric("edge_downloads_running") == 0

        await_("it is let go", gone)
        assert server.metric("edge_downloads_cut_total") == 1


def test_a_file_that_becomes_shorter_ends_early_and_is_said(tmp_path):
    (tmp_path / "log.bin").write_bytes(b"x" * (32 << 20))
    with serving(tmp_path) as server, server.connect(rcvbuf=4096) as s:
        s.sendall(b"GET /log.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        first = s.recv(1000)
        assert b"Content-Length: 33554432" in first
        os.truncate(tmp_path / "log.bin", 1000)
        rest = read_all(s)
        assert len(rest) < 32 << 20 and not rest.strip(b"x")
        server.await_log("file ended early path=log.bin")
        assert server.get("/log.bin").headers["content-length"] == "1000"


def test_many_leave_in_the_middle_and_nothing_stays(large):
    with serving(large[0]) as server:
        server.get("/large.bin", method="HEAD")
        before = server.descriptors()
        for _ in range(100):
            with server.connect() as s:
                s.sendall(b"GET /large.bin HTTP/1.0\r\n\r\n")
                s.recv(1000)
        await_("all are gone", lambda: server.metric("edge_downloads_running") == 0)
        await_("their files are closed", lambda: server.descriptors() <= before + 1)


def test_the_server_stops_while_files_are_sent(large):
    with serving(large[0]) as server:
        clients = [server.connect(rcvbuf=4096) for _ in range(8)]
        for s in clients:
            s.sendall(b"GET /large.bin HTTP/1.0\r\n\r\n")
            assert s.recv(100)
        assert server.stop() < 25
        for s in clients:
            s.close()
