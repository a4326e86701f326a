"""Upgrades and crashes of a server whose streams are files, Ogg, or come over TLS."""

import ssl

import pytest

import ogg_pages
from encoders import Pacer, ffmpeg_send
from fault_harness import SANITIZED, SOURCE, Encoder, Listener, await_, runs_of
from handover_harness import TIMES, Kept, all_hear, disturb
from test_tls import certificate

pytestmark = pytest.mark.skipif(SANITIZED, reason="a sanitizer does not bear clone(CLONE_FILES)")


def make_file(path, seconds):
    """Numbered frames as a file: what a listener of them hears."""
    with Kept() as server, Encoder(server, burst_seconds=seconds, speed=0, stream_id=9):
        listener = Listener(server)
        listener.await_bytes(seconds * 16000 // 2)
        frames = listener.frames()[:200]
        with open(path, "wb") as f:
            f.write(listener.audio()[:frames[-1].at + frames[-1].len])
    return frames


def assert_round(listener, numbers):
    """It heard these frames in this order, round and round."""
    heard = [numbers.index(f.number) for f in listener.frames()]
    assert all(after == (before + 1) % len(numbers) for before, after in zip(heard, heard[1:])), heard


class SecretEncoder:
    """Sends a body over TLS at the pace of its bit rate, on a thread."""

    def __init__(self, server, mount, data, rate=16000):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(server.connect(), server_hostname="localhost")
        self.socket.sendall(f"PUT {mount} HTTP/1.1\r\nHost: x\r\n{SOURCE}Content-Type: audio/mpeg"
                            "\r\n\r\n".encode())
        self.pacer = Pacer(self.socket, data, rate)
        server.await_state(mount, "live")


@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_an_encoder_over_tls_is_not_interrupted(tmp_path, how):
    pair = certificate(tmp_path, "server")
    path = str(tmp_path / "file.mp3")
    numbers = [f.number for f in make_file(path, 10)]
    with open(path, "rb") as f:
        data = f.read()
    with Kept({"tls.certificate": pair[0], "tls.key": pair[1], "tls.handshake_timeout": "2m"}) as server:
        encoder = SecretEncoder(server, "/live", data, rate=6000)
        listeners = [Listener(server, icy=i % 2 == 1) for i in range(6)]
        all_hear(listeners, 3000)
        disturb(server, how, min(TIMES, 8))
        all_hear(listeners, 6000)
        for listener in listeners:
            assert_round(listener, numbers)
        assert encoder.pacer.failed is None
        encoder.pacer.stop()


@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_ogg_pages_stay_in_step(crew, sounds, how):
    """ffmpeg's own connection, and the headers that each listener was given once."""
    with Kept() as server:
        server.host = f"127.0.0.1:{server.port}"
        server.source_url = lambda mount, scheme, _=None: (
            f"{scheme}://source:hackme@{server.host}{mount}")
        encoders = [ffmpeg_send(crew, server, sounds, form, f"/{form}")
                    for form in ("opus", "vorbis")]
        for form in ("opus", "vorbis"):
            server.await_state(f"/{form}", "live")
        listeners = [Listener(server, f"/{form}") for form in ("opus", "vorbis") * 4]
        for listener in listeners:
            await_("it hears", lambda l=listener: len(l.body) > 10000)
        disturb(server, how, min(TIMES, 12))
        all_hear(listeners, 8000)
        for listener in listeners:
            body = listener.body
            last = None
            pages = list(ogg_pages.pages(body[:body.rindex(b"OggS")]))
            assert pages[0].begins
            for page in pages:
                # The first data page may be any; from there on each is the next.
                assert last is None or last < 3 or page.number == last + 1, (last, page.number)
                last = page.number
            assert not listener.ended
        assert all(e.running() for e in encoders)


@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_fallbacks_go_on_where_they_are(tmp_path, how):
    """A mount that hears another one's encoder, and one that hears a file in a loop."""
    path = str(tmp_path / "file.mp3")
    numbers = [f.number for f in make_file(path, 10)]
    with Kept({"mount./off.fallback": "/live", "mount./file.fallback_file": path,
               "radio.icy_interval": 3000}) as server:
        encoder = Encoder(server, title_every=1)
        off = [Listener(server, "/off", icy=i % 2 == 1) for i in range(6)]
        file = [Listener(server, "/file", icy=i % 2 == 1) for i in range(6)]
        all_hear(off + file, 20000)
        disturb(server, how, min(TIMES, 10))
        all_hear(off + file, 40000)
        for listener in off + file:
            assert not listener.ended
        for listener in off:
            assert len(runs_of(listener.frames())) == 1, runs_of(listener.frames())
        for listener in file:
            assert_round(listener, numbers)
        # The administrator's word is not forgotten either, and fallbacks work afterwards.
        encoder.kill()
        server.await_state("/live", "lingering", "off", "stalled")
