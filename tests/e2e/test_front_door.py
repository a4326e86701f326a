"""Who knocks at the front door with bad manners harms nobody, and no password opens more than its own
mount."""

from fault_harness import ADMIN, Encoder, SOURCE, SOURCE_PASSWORD, Server, basic, read_all


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


# --- passwords -----------------------------------------------------------------------------------


def test_the_common_source_password_sets_no_title_on_a_mount_with_its_own():
    with Server({"radio.shoutcast_mount": "/own", "mount./own.password": "other"}) as server, \
         Encoder(server, "/own", password="other"):
        for query, login in [("song=x", SOURCE), ("mount=/own&song=x", SOURCE),
                             ("mount=&song=x", SOURCE), ("mount=/live&mount=/own&song=x", SOURCE)]:
            reply = server.get(f"/admin/metadata?mode=updinfo&{query}", login)
            assert reply.status in (400, 401), (query, reply.raw)
        for query in ("", "&mount=/own"):
            reply = server.get(f"/admin.cgi?mode=updinfo&pass={SOURCE_PASSWORD}&song=x{query}")
            assert reply.status == 401, reply.raw
        assert not server.stats("/own").get("title")
        # Its own does, with and without the mount's name.
        assert server.get("/admin/metadata?mode=updinfo&song=x", basic("source", "other")).status == 200
        assert server.get("/admin.cgi?mode=updinfo&song=y&pass=other").status == 200
