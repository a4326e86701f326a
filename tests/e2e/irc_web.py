"""A client of the bouncer that comes over WebSocket, frame by frame (RFC 6455)."""
import base64
import os
import socket
import struct

import pytest

from irc import PATIENCE, Client, Wire
from stage import ADMIN_PASSWORD

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class WebWire(Wire):
    """A line is a message; what came beside lines is in frames, as (opcode, payload)."""

    def __init__(self, connection, path="/irc/ws", protocols="text.ircv3.net", host="127.0.0.1", origin=None):
        super().__init__(connection)
        self.raw, self.frames = b"", []
        wanted = [f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade",
                  f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}", "Sec-WebSocket-Version: 13"]
        wanted += [f"Sec-WebSocket-Protocol: {protocols}"] if protocols else []
        wanted += [f"Origin: {origin}"] if origin else []
        connection.settimeout(PATIENCE)
        connection.sendall("\r\n".join(wanted + ["", ""]).encode())
        while b"\r\n\r\n" not in self.raw:
            piece = connection.recv(65536)
            if not piece:
                break
            self.raw += piece
        head, _, self.raw = self.raw.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
        connection.settimeout(0.05)
        self.opcode = BINARY if self.headers.get("sec-websocket-protocol", "").startswith("binary") else TEXT

    def frame(self, opcode, payload, final=True):
        """As a client must: masked."""
        key = os.urandom(4)
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack(">H", len(payload))
        masked = bytes(b ^ key[i % 4] for i, b in enumerate(payload))
        return bytes([(0x80 if final else 0) | opcode]) + size + key + masked

    def send(self, *lines):
        self.send_bytes(b"".join(self.frame(self.opcode, line.encode()) for line in lines))

    def read(self):
        try:
            piece = self.socket.recv(65536)
            self.closed |= not piece
            self.raw += piece
        except socket.timeout:
            pass
        except OSError:
            self.closed = True
        while len(self.raw) >= 2:
            size, at = self.raw[1] & 127, 2
            assert not self.raw[1] & 0x80, "a server does not mask"
            if size == 126:
                size, at = int.from_bytes(self.raw[2:4], "big"), 4
                assert size >= 126 or len(self.raw) < 4
            elif size == 127:
                pytest.fail("longer than any line")
            if len(self.raw) < at + size:
                break
            opcode, payload = self.raw[0] & 15, self.raw[at:at + size]
            self.raw = self.raw[at + size:]
            self.frames.append((opcode, payload))
            if opcode in (TEXT, BINARY):
                assert opcode == self.opcode and b"\n" not in payload and b"\r" not in payload
                self.said.append(payload.decode(errors="strict" if opcode == TEXT else "replace"))
            elif opcode == CLOSE:
                self.closed = True


class WebClient(WebWire):
    """One that has logged in by SASL when this returns."""
    sync, service = Client.sync, Client.service

    def __init__(self, port, login="admin", password=ADMIN_PASSWORD, caps="", **options):
        super().__init__(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE), **options)
        self.tokens = 0
        assert self.status == 101, self.status
        self.send("CAP LS 302", "NICK ann", "USER ann 0 * :Ann", f"CAP REQ :sasl {caps}", "AUTHENTICATE PLAIN")
        self.expect("^AUTHENTICATE \\+")
        self.send("AUTHENTICATE " + base64.b64encode(f"\0{login}\0{password}".encode()).decode())
        self.expect(" 903 ")
        self.send("CAP END")
        self.expect(" (422|376) ")
