"""Who reads too slowly hears what is said now, and not what was said a while ago."""
import base64
import os
import select
import socket
import struct
import time

import pytest

from mumble_peer import TYPES, Peer, message, parse_voice
from stage import PATIENCE, await_true
from voice_stage import ringmain_voice

PACKET = 400
WORD = struct.Struct(">I")


class Page:
    """What a page does: Mumble's frames in a websocket of the HTTP port. Reads when it is told to."""

    def __init__(self, port):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET /voice/ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
                            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1)
        assert head.startswith(b"HTTP/1.1 101"), head
        self.wire = self.frames = b""
        self.seen, self.heard = set(), []

    def send(self, name, **fields):
        body = message(name, **fields).SerializeToString()
        data = struct.pack(">HI", TYPES[name], len(body)) + body
        mask = os.urandom(4)
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        self.socket.sendall(b"\x82" + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def read(self, seconds):
        """What is there within that time."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return False
        data = self.socket.recv(65536)
        assert data, "closed"
        self.wire += data
        while len(self.wire) >= 2:
            size, at = self.wire[1] & 127, 2
            if size == 126:
                size, at = struct.unpack(">H", self.wire[2:4].ljust(2, b"\0"))[0], 4
            elif size == 127:
                size, at = struct.unpack(">Q", self.wire[2:10].ljust(8, b"\0"))[0], 10
            if len(self.wire) < at + size:
                break
            self.frames += self.wire[at:at + size]
            self.wire = self.wire[at + size:]
        while len(self.frames) >= 6:
            kind, size = struct.unpack(">HI", self.frames[:6])
            if len(self.frames) < 6 + size:
                break
            self.seen.add(kind)
            if kind == 1:
                self.heard.append(WORD.unpack(parse_voice(True, self.frames[6:6 + size], "").payload[:4])[0])
            self.frames = self.frames[6 + size:]
        return True

    def join(self):
        self.send("version", version_v1=0x10500, version_v2=0x1000500000000, release="page")
        self.send("authenticate", username="page", opus=True)
        while TYPES["server_config"] not in self.seen:
            assert self.read(PATIENCE)
        return self


class SlowPeer(Peer):
    """Mumble in its tunnel, with as little room."""

    def __init__(self, port):
        super().__init__(port, "slow", udp=False)
        self.tls.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def read(self, seconds):
        had = len(self.heard)
        self.poll(seconds)
        return len(self.heard) > had

    def words(self):
        return [WORD.unpack(v.payload[:4])[0] for v in self.heard]


@pytest.mark.parametrize("kind", ["page", "tunnel"])
def test_a_slow_reader_hears_what_is_said_now(serve, kind):
    voice = ringmain_voice(serve, {"voice.bandwidth": "10000000"})
    # The rooms open when what was kept of them has been read.
    await_true(lambda: voice.server.get("/voice/ws").status != 503, 20, voice.log)
    slow = Page(voice.server.port).join() if kind == "page" else SlowPeer(voice.port).join()
    words = (lambda: slow.heard) if kind == "page" else slow.words
    talker, other = voice.join(), voice.join()
    said = 0

    def speak():
        nonlocal said
        said += 1
        talker.speak(WORD.pack(said) + bytes(PACKET - 4))
    speak()
    await_true(lambda: (slow.read(0.1), words())[1], 20)
    # He does not read; the talker talks on until packets are dropped, and a while longer.
    end = time.monotonic() + 200
    dropped = None
    while dropped is None or said < dropped + 400:
        speak()
        time.sleep(0.002)
        if said % 50 == 0:
            other.until(lambda: other.heard and WORD.unpack(other.heard[-1].payload[:4])[0] == said)
            if dropped is None and voice.metric("tunnel_late"):
                dropped = said
        assert time.monotonic() < end
    other.until(lambda: other.heard and WORD.unpack(other.heard[-1].payload[:4])[0] == said)
    assert len(other.heard) == said  # nobody else has noticed
    lost = voice.metric("tunnel_late")
    assert lost >= 300
    # He reads again: a little that was on its way, then nothing old.
    while slow.read(0.3):
        pass
    stale = len(words())
    assert stale <= said - lost
    assert stale * PACKET < 300_000  # buffers of the two kernels; none of ours
    await_true(lambda: speak() or slow.read(0.05) and words()[-1] == said, 20)
    assert words() == sorted(set(words()))
    voice.dismiss()
