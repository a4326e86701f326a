"""A reader of server-sent events (WHATWG HTML 9.2) that keeps the state: snapshot and merge patches."""
import json
import socket
import time

from stage import PATIENCE, basic


def merge(target, patch):
    """RFC 7396."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            target[key] = merge(target[key] if isinstance(target.get(key), dict) else {}, value)
        else:
            target[key] = value
    return target


class EventStream:
    def __init__(self, port, path="/api/v1/events", auth=None, last=None, receive=None, headers=None):
        self.socket = socket.socket()
        if receive:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", port))
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n"
        for name, value in (headers or {}).items():
            head += f"{name}: {value}\r\n"
        if auth:
            head += f"Authorization: {basic(*auth)}\r\n"
        if last:
            head += f"Last-Event-ID: {last}\r\n"
        self.socket.sendall((head + "\r\n").encode())
        self.buffer = b""
        self.state, self.snapshots, self.deltas, self.log, self.last = None, 0, 0, [], None
        self.status = int(self._until(b"\r\n\r\n").split(b" ")[1])

    def _until(self, end):
        while end not in self.buffer:
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError
            self.buffer += piece
        part, self.buffer = self.buffer.split(end, 1)
        return part

    def next(self):
        """One event: its name and data; comments and retry lines are none."""
        while True:
            fields = {}
            for line in self._until(b"\n\n").decode().split("\n"):
                name, _, value = line.partition(": ")
                if name:
                    fields[name] = value
            if "event" not in fields:
                continue
            data = json.loads(fields["data"])
            self.last = fields["id"]
            if fields["event"] == "snapshot":
                self.state, self.snapshots = data, self.snapshots + 1
            elif fields["event"] == "delta":
                merge(self.state, data)
                self.deltas += 1
            elif fields["event"] == "log":
                self.log += data["lines"]
            return fields["event"], data

    def until(self, condition, seconds=PATIENCE):
        """Reads on until condition(self) is true."""
        seconds = max(seconds, PATIENCE)
        end = time.monotonic() + seconds
        while not (self.state is not None and condition(self)):
            assert time.monotonic() < end, f"not within {seconds} s: {self.state}"
            self.next()
        return self

    def ends(self, seconds):
        """Whether it ends by itself within so many seconds, whatever comes before."""
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.socket.settimeout(max(end - time.monotonic(), 0.01))
                self.next()
        except (EOFError, ConnectionResetError):
            return True
        except TimeoutError:
            pass
        return False

    def close(self):
        self.socket.close()
