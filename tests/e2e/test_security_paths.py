"""No path leads out of what a server means to show: docs/security.md."""
import pytest

from stage import exchange, has_head


@pytest.fixture(scope="module")
def server(shared_serve):
    return shared_serve()


UP = ["/../etc/passwd", "/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd",
      "/%2e%2e%2fetc/passwd", "/..\\..\\etc\\passwd", "/..%5c..%5cetc%5cpasswd",
      "/player/../../etc/passwd", "/player/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/ui/../../etc/passwd",
      "/.well-known/acme-challenge/../../../etc/passwd",
      "/.well-known/acme-challenge/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/%252e%252e/etc/passwd",
      "/....//....//etc/passwd", "/%c0%ae%c0%ae/etc/passwd", "//etc/passwd", "/etc/passwd",
      "/file:///etc/passwd", "/ui/%00/etc/passwd", "/.git/config", "/ringmain.yaml", "/ringmain.db",
      "/bans.json", "/data/bans.json"]


@pytest.mark.parametrize("path", UP)
def test_no_path_leads_out(server, path):
    for method in ("GET", "HEAD", "POST", "PUT", "SOURCE", "DELETE", "OPTIONS"):
        got = exchange(server.port, f"{method} {path} HTTP/1.0\r\nContent-Length: 0\r\n\r\n".encode(),
                       has_head)
        status = int(got.split(b" ")[1])
        assert b"root:" not in got
        assert status in (400, 401, 403, 404, 405, 501) or method == "OPTIONS" and status == 204 or \
            path.startswith("/player/") and status == 200, (method, status)

