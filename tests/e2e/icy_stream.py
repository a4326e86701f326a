"""An ICY player: takes a stream with titles apart, exactly."""
import dataclasses
import re
import socket
import time

from stage import PATIENCE


@dataclasses.dataclass
class Title:
    at: int  # how many bytes of audio were before it
    raw: bytes

    @property
    def fields(self):
        """StreamTitle and StreamUrl; a quote within a text is one that no ; follows."""
        return dict(re.findall(r"(\w+)='(.*?)';", self.raw.rstrip(b"\0").decode(), re.S))

    @property
    def title(self):
        return self.fields.get("StreamTitle")

    @property
    def url(self):
        return self.fields.get("StreamUrl")


class IcyPlayer:
    def __init__(self, port, mount, request_headers=""):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.sendall(f"GET {mount} HTTP/1.0\r\nIcy-MetaData: 1\r\n"
                            f"{request_headers}\r\n".encode())
        got = b""
        while b"\r\n\r\n" not in got:
            piece = self.socket.recv(65536)
            assert piece, got
            got += piece
        self.head, self.buffer = got.split(b"\r\n\r\n", 1)
        self.head = self.head.decode()
        found = re.search(r"^icy-metaint: *(\d+)\r?$", self.head, re.M | re.I)
        self.metaint = int(found.group(1)) if found else None
        self.audio = b""
        self.titles = []
        self._next = self.metaint

    def _take(self):
        while self.buffer:
            room = self._next - len(self.audio)
            if room:
                self.audio += self.buffer[:room]
                self.buffer = self.buffer[room:]
                continue
            length = self.buffer[0] * 16
            if len(self.buffer) < 1 + length:
                return
            if length:
                self.titles.append(Title(len(self.audio), self.buffer[1:1 + length]))
            self.buffer = self.buffer[1 + length:]
            self._next += self.metaint

    def listen_until(self, enough, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while True:
            self._take()
            if enough(self):
                return self
            left = end - time.monotonic()
            assert left > 0, f"{len(self.audio)} bytes of audio, titles {self.titles}"
            self.socket.settimeout(left)
            try:
                piece = self.socket.recv(65536)
            except socket.timeout:
                continue
            assert piece, f"let go after {len(self.audio)} bytes, titles {self.titles}"
            self.buffer += piece

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
