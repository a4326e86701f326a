"""Who knocks at the front door with bad manners harms nobody, and no password opens more than its own
mount."""

from fault_harness import ADMIN, Server, read_all


# --- requests ------------------------------------------------------------------------------------


def test_requests_by_the_thousand_in_one_piece_do_not_end_the_server():
    request = b"GET /l.m3u HTTP/1.1\r\n\r\n"
    with Server({"mount./l.name": "Live", "workers": 1}) as server:
        with server.connect() as s:
            # A large body makes room for all of them at once.
            s.sendall(b"POST /admin/stats HTTP/1.1\r\nContent-Length: 65536\r\n" +
                      ADMIN.encode() + b"\r\n" + b"a" * 65536)
            assert b" 200 " in s.recv(65536)
            count = 72000 // len(request)
            s.sendall(request * (count - 1) + request.replace(b"\r\n\r\n",
                                                              b"\r\nConnection: close\r\n\r\n"))
            assert read_all(s).count(b"#EXTM3U") == count
        assert server.alive()
