"""Who is one too many is told 503 and when to come again; who may not come in stays out; and whoever
asks through a proxy is who the proxy says, if the proxy is one of ours."""

import select
import socket
import struct
import time

import pytest

from fault_harness import (ADMIN, SOURCE, SOURCE_PASSWORD, Encoder, Listener, Server, await_,
                           read_all, run, runs_of, swarm)


def assert_full(reply):
    assert reply.status == 503, reply.raw[:300]
    assert int(reply.headers["retry-after"]) > 0
    assert reply.headers["connection"].lower() == "close"


def answer(server, path="/live", source=None, headers=""):
    """The status for one more listener, who leaves at once."""
    with server.connect(source) as s:
        s.sendall(f"GET {path} HTTP/1.0\r\n{headers}\r\n".encode())
        first = s.recv(4096)
    return int(first.split(b" ")[1])


def fill(server, count, path="/live", source=None, headers=""):
    listeners = []
    for i in range(count):
        listeners.append(Listener(server, path, source=source(i) if source else None,
                                  headers=headers))
        assert listeners[-1].reply().status == 200
    return listeners


def close(listeners):
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize("base", ["other.example.org", "https://other.example.org/", "ftp://a"])
def test_a_redirect_must_be_a_url_that_mounts_can_be_added_to(base):
    found = run("--check", "--set", f"radio.redirect={base}")
    assert found.returncode == 1 and "expected a URL such as" in found.stderr


# --- listeners -----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 4])
def test_max_listeners_of_the_server_is_exact(workers):
    with Server({"radio.max_listeners": 10, "workers": workers}) as server, \
         Encoder(server, "/a"), Encoder(server, "/b"):
        listeners = fill(server, 6, "/a") + fill(server, 4, "/b")
        assert_full(server.get("/a"))
        assert_full(server.get("/b"))
        # HEAD and probes are no listeners, and are answered.
        assert server.get("/a", method="HEAD").status == 200
        assert server.get("/a", "Range: bytes=0-1\r\n").status == 206
        assert server.metric("radio_listeners_full_total") == 2
        assert server.listeners() == 10
        listeners.pop().close()
        await_("a place is free", lambda: server.listeners() == 9)
        with Listener(server, "/b") as again:
            assert again.reply().status == 200
        close(listeners)


def test_max_listeners_holds_in_a_storm():
    with Server({"mount./live.max_listeners": 100, "workers": 4}) as server, Encoder(server):
        report = swarm(server, listeners=400, rate=4000, seconds=1, check=True)
        assert report["served"] == 100 and report["statuses"] == {"503": 300}, report
        assert server.stats("/live")["listener_peak"] == 100


def test_max_listeners_of_a_mount_is_its_own():
    with Server({"mount./a.max_listeners": 3}) as server, Encoder(server, "/a"), \
         Encoder(server, "/b"):
        listeners = fill(server, 3, "/a") + fill(server, 5, "/b")
        reply = server.get("/a")
        assert_full(reply)
        assert b"mount is full" in reply.body
        assert server.stats("/a")["max_listeners"] == 3
        close(listeners)


def test_max_listeners_per_address():
    with Server({"radio.max_listeners_per_address": 3,
                 "mount./small.max_listeners_per_address": 1}) as server, \
         Encoder(server), Encoder(server, "/small"):
        listeners = fill(server, 6, source=lambda i: f"127.0.0.{2 + i % 2}")
        assert_full(server.get("/live", source="127.0.0.2"))
        assert answer(server, source="127.0.0.4") == 200
        # Of the server: all mounts count together.
        assert_full(server.get("/small", source="127.0.0.3"))
        # Of the mount: less there.
        listeners += fill(server, 1, "/small", source=lambda i: "127.0.0.5")
        assert_full(server.get("/small", source="127.0.0.5"))
        assert answer(server, source="127.0.0.5") == 200
        close(listeners)
        await_("all have left", lambda: server.listeners() == 0)
        assert answer(server, source="127.0.0.2") == 200


def test_max_bandwidth_of_the_server_and_of_a_mount():
    # 128 kbit/s is 16000 bytes a second; what is measured is nearly that.
    with Server({"radio.max_bandwidth": "90000", "mount./small.max_bandwidth": "40000"}) as server, \
         Encoder(server), Encoder(server, "/small"):
        # What one costs is what was measured last, of an encoder that may have been slow, or in haste.
        rates = []

        def measured(mount):
            rates.append(rate(server, mount) / 8)
            return rates[-1]

        def fill_up(mount):
            listeners = []
            while not listeners or listeners[-1].reply().status == 200:
                assert measured(mount) and len(listeners) < 100
                listeners.append(Listener(server, mount))
            assert_full(listeners[-1].reply())
            measured(mount)
            return listeners
        for mount in ("/live", "/small"):
            await_("the bitrate is measured", lambda m=mount: rate(server, m) > 64000)
        listeners = fill_up("/small")
        small = server.listeners()
        assert 40000 / max(rates) - 1 <= small <= 40000 / min(rates), rates
        listeners += fill_up("/live")
        assert 90000 / max(rates) - 1 <= server.listeners() <= 90000 / min(rates), rates
        assert server.listeners() > small
        close(listeners)
        await_("all have left", lambda: server.listeners() == 0)
        assert answer(server) == 200


def rate(server, mount):
    """Bits a second that come in, as the server has measured them."""
    return server.get(f"/api/v1/mounts{mount}", ADMIN).json()["rate_in"]


def test_max_duration_ends_a_listener_at_a_frame():
    with Server({"radio.max_duration": "1s", "mount./long.max_duration": "0"}) as server, \
         Encoder(server), Encoder(server, "/long"), Listener(server, "/long") as long:
        began = time.monotonic()
        short = Listener(server)
        short.await_end()
        assert time.monotonic() - began > 0.9
        assert len(runs_of(short.frames())) == 1
        server.await_log("listener gone mount=/live .*why=duration")
        assert not long.ended
        short.close()


# --- sources and connections ---------------------------------------------------------------------


def test_max_sources():
    with Server({"radio.max_sources": 2}) as server, Encoder(server, "/a"), \
         Encoder(server, "/b") as b:
        with Encoder(server, "/c", ready=False) as c:
            c.await_event("refused")
        server.await_log("source refused mount=/c why=\"too many sources connected\"")
        b.kill()
        server.await_log("source gone mount=/b")
        with Encoder(server, "/c"):
            assert server.stats()["sources"] == 2


def test_connections_beyond_the_limit_are_told_to_come_again():
    with Server({"http.connections": 20}) as server, Encoder(server):
        listeners = fill(server, 15)
        await_("only those are there", lambda: server.stats()["clients"] <= 17)
        # Sixteen or seventeen places are taken.
        idle, answered = [server.connect() for _ in range(10)], {}

        def refused():
            for s in select.select(idle, [], [], 0)[0]:
                answered[s] = answered.get(s, b"") + s.recv(1000)
            return [text for text in answered.values() if text.endswith(b"\n")]
        await_("those without a place are told so", lambda: len(refused()) >= 6)
        assert all(early.startswith(b"HTTP/1.0 503 ") and b"\r\nRetry-After: " in early
                   for early in refused())
        assert len(refused()) <= 8
        for s in idle:
            s.close()
        await_("there is room", lambda: server.get("/status-json.xsl").status == 200)
        assert not any(listener.ended for listener in listeners)
        assert server.metric("edge_connections_refused_total") >= 6
        close(listeners)


# --- networks ------------------------------------------------------------------------------------


def test_http_allow_and_deny():
    with Server({"http.allow": "127.0.0.0/29, ::1", "http.deny": "127.0.0.3"}) as server, \
         Encoder(server):
        assert answer(server) == 200
        assert answer(server, source="127.0.0.2") == 200
        # Denied within the allowed; and not allowed.
        for source in ("127.0.0.3", "127.0.0.9", "127.1.0.1"):
            with server.connect(source) as s:
                assert read_all(s) == b""
        assert server.metric("edge_connections_denied_total") == 3


def test_mount_allow_and_deny():
    with Server({"mount./a.allow": "127.0.0.4/30", "mount./b.deny": "127.0.0.4/30"}) as server, \
         Encoder(server, "/a"), Encoder(server, "/b"):
        assert answer(server, "/a", "127.0.0.5") == 200
        assert answer(server, "/a", "127.0.0.8") == 403
        assert answer(server, "/b", "127.0.0.5") == 403
        assert answer(server, "/b", "127.0.0.8") == 200
        # Encoders are no listeners: they came in from 127.0.0.1.


def test_an_ipv6_listener_on_one_socket_for_both():
    with Server({"mount./live.deny": "::1"}, port=None) as probe:
        port = probe.port
    with Server({"http.listen": f"[::]:{port}", "mount./live.deny": "::1"}, port=port) as server, \
         Encoder(server):
        assert answer(server) == 200
        server.address = "::1"
        with socket.create_connection(("::1", port)) as s:
            s.sendall(b"GET /live HTTP/1.0\r\n\r\n")
            assert b" 403 " in s.recv(1000)
        server.address = "127.0.0.1"


# --- proxies -------------------------------------------------------------------------------------


def addresses(server, mount="/live"):
    return sorted(c["IP"] for c in server.clients(mount))


def test_x_forwarded_for_of_a_trusted_proxy_is_believed():
    with Server({"http.trusted_proxies": "127.0.0.8/30"}) as server, Encoder(server):
        def through(text, proxy="127.0.0.9"):
            listener = Listener(server, source=proxy, headers=f"X-Forwarded-For: {text}\r\n")
            assert listener.reply().status == 200
            shown = addresses(server)
            listener.close()
            await_("it has left", lambda: server.listeners() == 0)
            return shown

        assert through("203.0.113.7") == ["203.0.113.7"]
        assert through("2001:db8::7") == ["2001:db8::7"]
        # Appended by proxies on the way: the last one that is not ours is who asked.
        assert through("6.6.6.6, 203.0.113.7") == ["203.0.113.7"]
        assert through("203.0.113.7, 127.0.0.10") == ["203.0.113.7"]
        assert through("6.6.6.6\r\nX-Forwarded-For: 203.0.113.7") == ["203.0.113.7"]
        # Nonsense is nobody.
        assert through("unknown") == ["127.0.0.9"]
        # From anybody else it is a lie.
        assert through("203.0.113.7", "127.0.0.2") == ["127.0.0.2"]


def test_limits_and_networks_hold_for_who_is_behind_the_proxy():
    with Server({"http.trusted_proxies": "127.0.0.9", "radio.max_listeners_per_address": 1,
                 "mount./live.deny": "203.0.113.0/24"}) as server, Encoder(server):
        assert answer(server, source="127.0.0.9",
                      headers="X-Forwarded-For: 203.0.113.7\r\n") == 403
        a = fill(server, 1, source=lambda i: "127.0.0.9", headers="X-Forwarded-For: 198.51.100.1\r\n")
        b = fill(server, 1, source=lambda i: "127.0.0.9", headers="X-Forwarded-For: 198.51.100.2\r\n")
        assert answer(server, source="127.0.0.9",
                      headers="X-Forwarded-For: 198.51.100.2\r\n") == 503
        # An untrusted one cannot make itself many, nor slip out of a list.
        c = fill(server, 1, source=lambda i: "127.0.0.2", headers="X-Forwarded-For: 198.51.100.3\r\n")
        assert answer(server, source="127.0.0.2",
                      headers="X-Forwarded-For: 198.51.100.4\r\n") == 503
        close(a + b + c)


def proxy_v2(source, destination="127.0.0.1", family=0x11, command=0x21):
    if family == 0x11:
        body = socket.inet_aton(source) + socket.inet_aton(destination)
    else:
        body = socket.inet_pton(socket.AF_INET6, source) + \
            socket.inet_pton(socket.AF_INET6, destination)
    body += struct.pack(">HH", 4711, 8000)
    body += b"\x04\x00\x03abc"  # a NOOP: TLVs are passed over
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([command, family]) + struct.pack(">H", len(body)) + body


PROXY = {"http.trusted_proxies": "127.0.0.9", "http.proxy_protocol": "yes"}


@pytest.mark.parametrize("header,shown", [
    (b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 8000\r\n", "203.0.113.7"),
    (b"PROXY TCP6 2001:db8::7 ::1 4711 8000\r\n", "2001:db8::7"),
    (b"PROXY UNKNOWN\r\n", "127.0.0.9"),
    (proxy_v2("203.0.113.7"), "203.0.113.7"),
    (proxy_v2("2001:db8::7", "::1", 0x21), "2001:db8::7"),
    (proxy_v2("203.0.113.7", command=0x20), "127.0.0.9"),  # LOCAL: the proxy itself asks
])
@pytest.mark.parametrize("pieces", [1, 7, 0])
def test_a_proxy_header_of_a_trusted_proxy_is_believed(header, shown, pieces):
    with Server(PROXY) as server, Encoder(server), server.connect("127.0.0.9") as s:
        whole = header + b"GET /live HTTP/1.0\r\n\r\n"
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        step = len(whole) if pieces == 0 else max(1, len(header) // pieces)
        for i in range(0, len(whole), step):
            s.sendall(whole[i:i + step])
            time.sleep(0.002)
        assert s.recv(4096).startswith(b"HTTP/1.0 200 OK")
        assert addresses(server) == [shown]


@pytest.mark.parametrize("first", [
    b"GET /live HTTP/1.0\r\n\r\n",
    b"PROXY TCP4 203.0.113.7\r\nGET /live HTTP/1.0\r\n\r\n",
    b"PROXY TCP4 203.0.113.999 127.0.0.1 1 2\r\nGET /live HTTP/1.0\r\n\r\n",
    b"PROXY TCP4 " + b"1" * 200 + b"\r\nGET /live HTTP/1.0\r\n\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x31\x11\x00\x0c" + bytes(12) + b"GET /live HTTP/1.0\r\n\r\n",
])
def test_a_trusted_proxy_that_breaks_its_word_is_dropped(first):
    with Server(PROXY) as server, Encoder(server), server.connect("127.0.0.9") as s:
        s.sendall(first)
        assert read_all(s) == b""
        server.await_log("proxy header missing peer=127.0.0.9")
        assert server.listeners() == 0


@pytest.mark.parametrize("header", [b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 8000\r\n",
                                    proxy_v2("203.0.113.7")])
@pytest.mark.parametrize("settings", [PROXY, {}])
def test_a_proxy_header_of_anybody_else_is_no_request(header, settings):
    with Server(settings) as server, Encoder(server):
        assert server.ask(header + b"GET /live HTTP/1.0\r\n\r\n", source="127.0.0.2").status \
            in (0, 400)
        # And without one he is served, under his own address.
        with Listener(server, source="127.0.0.2") as listener:
            assert listener.reply().status == 200
            assert addresses(server) == ["127.0.0.2"]


def test_a_shoutcast_encoder_behind_a_proxy_is_known_by_its_address():
    with Server(PROXY) as server, server.connect("127.0.0.9", port=server.port + 1) as s:
        s.sendall(b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 8001\r\n"
                  + f"{SOURCE_PASSWORD}\r\n".encode())
        assert s.recv(100).startswith(b"OK2\r\n")
        with Encoder(server, "/other", burst_seconds=5), Listener(server, "/other") as other:
            other.await_bytes(30000)
            s.sendall(b"content-type:audio/mpeg\r\n\r\n" + other.body)
            server.await_log("source live mount=/stream address=203.0.113.7")


def test_the_source_and_the_admin_see_the_real_address_too():
    with Server({"http.trusted_proxies": "127.0.0.9"}) as server, \
         server.connect("127.0.0.9") as s:
        s.sendall(f"SOURCE /live HTTP/1.0\r\n{SOURCE}X-Forwarded-For: 203.0.113.7\r\n"
                  "Content-Type: audio/mpeg\r\n\r\n".encode())
        assert b"200" in s.recv(100)
        server.get("/admin/killsource?mount=/live", ADMIN + "X-Forwarded-For: 203.0.113.8\r\n",
                   source="127.0.0.9")
        server.await_log("order path=/admin/killsource .*address=203.0.113.8")
        bad = server.get("/x", "Authorization: Basic eDp5\r\nX-Forwarded-For: 203.0.113.9\r\n",
                         source="127.0.0.9", method="SOURCE")
        assert bad.status == 401
        server.await_log("source login failed address=203.0.113.9")
