"""What an encoder sends is a stream and never a page of the server's: docs/security.md."""
import contextlib
import socket

import pytest

from stage import SOURCE_PASSWORD, basic, exchange

PAGE = (b"<!DOCTYPE html><title>an encoder's page</title><p>hello</p>"
        b"<script>document.title = 'owned'</script>" + b"<p>more</p>" * 2000)
SANDBOX = b"Content-Security-Policy: sandbox; default-src 'none'"
NOSNIFF = b"X-Content-Type-Options: nosniff"


@pytest.fixture(scope="module")
def server(shared_serve):
    return shared_serve()


@contextlib.contextmanager
def encoder(server, mount, kind):
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(f"PUT {mount} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nAuthorization: "
                     f"{basic('source', SOURCE_PASSWORD)}\r\nContent-Length: 9999999\r\n\r\n".encode())
        line.sendall(PAGE)
        server.await_mount(mount)
        yield


def head(server, mount):
    got = exchange(server.port, f"GET {mount} HTTP/1.0\r\n\r\n".encode(), lambda g: b"<p>more" in g)
    return got.split(b"\r\n\r\n")[0].split(b"\r\n")


@pytest.mark.parametrize("kind", [
    "text/html", "TEXT/HTML", "application/xhtml+xml", "image/svg+xml", "text/xml", "text/plain", "x",
    "audio/x-raw, text/html", "application/octet-stream", "text/javascript"],
    ids=lambda kind: kind.replace("/", " "))
def test_what_is_no_sound_runs_nothing(server, kind):
    with encoder(server, "/evil", kind):
        lines = head(server, "/evil")
    assert SANDBOX in lines and NOSNIFF in lines, lines


def test_a_page_in_pieces_is_none(server):
    with encoder(server, "/evil", "multipart/x-mixed-replace; boundary=b"):
        assert b"Content-Type: application/octet-stream" in head(server, "/evil")


def test_sound_and_pictures_are_as_they_were(server):
    with encoder(server, "/sound", "audio/x-raw"), encoder(server, "/picture", "Video/x-raw; rate=1"):
        for mount in ("/sound", "/picture"):
            assert not [x for x in head(server, mount) if b"Security" in x or b"nosniff" in x]
