"""Who knocks at the front door with bad manners harms nobody, and no password opens more than its own
mount."""

import re
import signal

import pytest

from fault_harness import (ADMIN, Encoder, Listener, SOURCE, SOURCE_PASSWORD, Server, await_,
                           basic, free_port, read_all)


# --- requests ------------------------------------------------------------------------------------


def test_requests_by_the_thousand_in_one_piece_do_not_end_the_server():
    request = b"GET /l.m3u HTTP/1.1\r\n\r\n"
    with Server({"mount./l.name": "Live", "workers": 1}) as server:
        with server.connect() as s:
            # A large body makes room for all of them at once.
            s.sendall(b"POST /admin/stats HTTP/1.1\r\nContent-Length: 65536\r\n" +
                      ADMIN.encode() + b"\r\n" + b"a" * 65536)
            assert b" 200 " in one_answer(s)
            count = 72000 // len(request)
            s.sendall(request * (count - 1) + request.replace(b"\r\n\r\n",
                                                              b"\r\nConnection: close\r\n\r\n"))
            assert read_all(s).count(b"#EXTM3U") == count
        assert server.alive()


def one_answer(s):
    """The whole of it, of which the kernel may give a part at a time."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += s.recv(65536)
    head, _, body = got.partition(b"\r\n\r\n")
    left = int(re.search(rb"(?i)content-length: (\d+)", head).group(1)) - len(body)
    while left:
        left -= len(s.recv(left))
    return head


def test_a_connection_may_bring_one_large_body_after_another():
    body = b"a" * 30000
    with Server() as server, server.connect() as s:
        for _ in range(5):
            s.sendall(b"POST /admin/stats HTTP/1.1\r\nContent-Length: 30000\r\n" +
                      ADMIN.encode() + b"\r\n" + body)
            assert one_answer(s).startswith(b"HTTP/1.1 200 ")


# --- passwords ----# --- passwords -----------------------------------------------------------------------------------


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
        server.await_log(r'admin login failed address=127\.0\.0\.1 path=/admin\.cgi')
        # Its own does, with and without the mount's name.
        assert server.get("/admin/metadata?mode=updinfo&song=x", basic("source", "other")).status == 200
        assert server.get("/admin.cgi?mode=updinfo&song=y&pass=other").status == 200


def test_the_demo_plays_where_encoders_must_name_themselves():
    with Server({"radio.source_user": "dj", "radio.demo": "yes"}) as server:
        server.await_state("/demo", "live")


@pytest.mark.parametrize("address", ["127.0.0.3", "::1"])
def test_the_demo_finds_the_door_wherever_it_is(address):
    port = free_port()
    server = Server({"http.listen": f"[{address}]:{port}" if ":" in address else f"{address}:{port}",
                     "radio.demo": "yes"}, port=port)
    server.address = address
    with server:
        server.await_log("source live mount=/demo")


def test_a_demo_without_a_password_that_can_be_sent_says_so():
    hashed = "$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b0dWRWJTmaaJObG"
    with Server({"mount./demo.password": hashed, "radio.demo": "yes"}) as server:
        server.await_log("no demo: its password is known only as a hash")
        assert server.alive()


def test_a_refused_reload_names_the_fault_in_the_log():
    with Server(config="radio:\n  turn: 250ms\n") as server:
        with open(server.config_path, "w", encoding="utf-8") as file:
            file.write("radio:\n  turn: soon\n")
        server.process.send_signal(signal.SIGHUP)
        server.await_log(r"settings refused fault=.*ringmain.conf:2:9: ")
        server.await_log("not reloaded")


def test_a_reload_invents_no_other_passwords_where_none_can_be_kept():
    with Server(passwords=False, data="/proc/ringmain") as server:
        password = await_("it says the password it invented",
                          lambda: re.search(r"Admin: +user admin, password (\S+)", server.out())).group(1)
        for i in range(1, 3):
            server.process.send_signal(signal.SIGHUP)
            server.await_log("core reloaded", i)
            assert server.get("/admin/stats", basic("admin", password)).status == 200


# --- limits --------------------------------------------------------------------------------------


def test_bandwidth_is_limited_from_the_first_second_on_and_on_a_fallback():
    """Two listeners at 128 kbit/s fit into 40 KiB a second."""
    with Server({"radio.max_bandwidth": "40k", "mount./live.fallback": "/b"}) as server, \
         Encoder(server, "/b"):
        for mount in ("/b", "/live"):
            listeners = []
            for status in (200, 200, 503, 503):
                listeners.append(Listener(server, mount))
                assert listeners[-1].reply().status == status
            for listener in listeners:
                listener.close()
            await_("all have gone", lambda: server.listeners() == 0)


# --- addresses -----------------------------------------------------------------------------------


def test_a_denied_client_is_denied_behind_a_trusted_proxy_too():
    settings = {"http.trusted_proxies": "127.0.0.2", "http.deny": "192.0.2.0/24"}
    with Server(settings) as server:
        def status(client, proxy):
            return server.get("/status-json.xsl", f"X-Forwarded-For: {client}\r\n", proxy).status

        assert status("192.0.2.7", "127.0.0.2") == 403
        assert status("198.51.100.7, 192.0.2.7", "127.0.0.2") == 403
        assert status("192.0.2.7, 198.51.100.7", "127.0.0.2") == 200
        # Who is no proxy says what he likes.
        assert status("192.0.2.7", "127.0.0.3") == 200
    with Server({**settings, "http.proxy_protocol": "yes"}) as server:
        for client, heard in (("192.0.2.7", False), ("198.51.100.7", True)):
            raw = server.ask(f"PROXY TCP4 {client} 127.0.0.1 1 2\r\n"
                             "GET /status-json.xsl HTTP/1.0\r\n\r\n", "127.0.0.2").raw
            assert raw.startswith(b"HTTP/1.0 200") if heard else not raw


# --- reloads -------------------------------------------------------------------------------------


def test_a_refused_reload_leaves_the_doors_and_the_log_where_they_were(tmp_path):
    """One fault among several changes: none of them comes into force."""
    server = Server({"radio.shoutcast_port": "no"}, config="")
    at = server.args.index(f"http.listen=127.0.0.1:{server.port}")
    del server.args[at - 1:at + 1]
    new = f"127.0.0.1:{free_port()}"

    def configure(listen, log):
        with open(server.config_path, "w", encoding="utf-8") as f:
            f.write(f"http: {{ listen: {listen} }}\nlog: {{ file: '{log}' }}\n")

    configure(f"'127.0.0.1:{server.port}'", "")
    with server:
        for i, (listen, log) in enumerate([(f"'{new}'", "/proc/no/log"),
                                           (f"['{new}', '192.0.2.1:1']", tmp_path / "log")]):
            configure(listen, log)
            server.process.send_signal(signal.SIGHUP)
            server.await_log("not reloaded", i + 1)
            assert server.listens()
            with pytest.raises(ConnectionRefusedError):
                server.connect(port=int(new.rpartition(":")[2]))
