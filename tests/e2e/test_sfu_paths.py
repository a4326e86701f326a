"""Ways from a peer to the server: TCP where no UDP gets through, IPv6."""
import pathlib
import socket
import struct

import pytest

from browser import Pages
from stage import await_true, free_ports
from test_sfu import TOKEN, frames, gaps, publish

NO_UDP = "via = 9"  # nobody answers to the datagrams that go there


@pytest.fixture(scope="module")
def server(shared_serve):
    tcp = free_ports()
    server = shared_serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.tcp": f"127.0.0.1:{tcp}",
                           "sfu.publish_token": TOKEN, "workers": "2", "sfu.connect_timeout": "10m", "sfu.history": "32M", "sfu.idle": "no"})
    server.tcp = ("127.0.0.1", tcp)
    return server


def candidates(page):
    """Of the pair that is in use: ours and theirs, as far as the browser says."""
    report = page.run("const all = [...(await pc.getStats()).values()];"
                      "const used = all.find((s) => s.type === 'candidate-pair' && s.nominated);"
                      "return used && all.filter((s) => s.id === used.remoteCandidateId)[0]")
    return report or {}


@pytest.mark.parametrize("who", ["viewer", "publisher"])
def test_a_browser_without_udp_uses_tcp(crew, server, who):
    with Pages(crew, f"http://127.0.0.1:{server.port}") as pages:
        sender, viewer = pages.open(), pages.open()
        other, without = (sender, viewer) if who == "viewer" else (viewer, sender)
        without.run(NO_UDP)
        publish(sender, f"tcp-{who}")
        viewer.run(f"return await watch('/whep/tcp-{who}')")
        await_true(lambda: frames(viewer) > 60, 40, lambda: (viewer.stats(), server.log()[-3000:]))
        assert gaps(server, viewer)[0] == 0 or gaps(server, viewer)[1] == 0
        assert candidates(without)["protocol"] == "tcp" and candidates(other)["protocol"] == "udp"
        assert viewer.run("return await leave()") == 200


@pytest.mark.parametrize("words", [b"GET / HTTP/1.1\r\n\r\n", struct.pack(">H", 3) + b"\x80\x60\x00",
                                   struct.pack(">H", 3) + b"\x16\xfe\xfd"],
                         ids=["too long", "media", "dtls"])
def test_a_stranger_over_tcp_is_shown_the_door(server, words):
    with socket.create_connection(server.tcp, 60) as s:
        for i in range(len(words)):
            try:
                s.send(words[i:i + 1])
            except OSError:
                break
        try:
            assert s.recv(100) == b""
        except ConnectionResetError:
            pass


def test_of_too_many_strangers_the_oldest_goes(server):
    with socket.create_connection(server.tcp, 60) as first:
        others = [socket.create_connection(server.tcp, 60) for _ in range(1024)]
        assert first.recv(1) == b""
        for other in others:
            other.close()


def test_over_ipv6(crew, shared_serve):
    # Chromium speaks IPv6, over the loopback too, only where an interface has a global address.
    interfaces = pathlib.Path("/proc/net/if_inet6")
    if not interfaces.exists() or not any(line.split()[3] == "00" for line in
                                          interfaces.read_text().splitlines()):
        pytest.skip("no IPv6 here")
    server = shared_serve({"sfu.udp": f"[::1]:{free_ports()}", "sfu.publish_token": TOKEN, "workers": "2", "sfu.connect_timeout": "10m", "sfu.history": "32M"})
    with Pages(crew, f"http://127.0.0.1:{server.port}") as pages:
        sender, viewer = pages.open(), pages.open()
        publish(sender, "six")
        viewer.run("return await watch('/whep/six')")
        await_true(lambda: frames(viewer) > 30, 40, lambda: (viewer.stats(), server.log()[-3000:]))
        assert candidates(viewer)["address"] == "::1"
