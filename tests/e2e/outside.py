"""The servers that ours calls: upstreams of relays, receivers of webhooks, auth servers, directories;
in Python where they must misbehave, and Debian's icecast2 where they must not.

    with Outside(answer) as outside:      answer(request) for each request, on a thread of its own
        outside.url("/live")              requests so far: outside.requests
"""
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse

import pytest

from fault_harness import ADMIN_PASSWORD, PATIENCE, SOURCE_PASSWORD, Reply, await_, basic, free_port, read_all
from stage import reset


class Request:
    def __init__(self, connection, head, body):
        self.connection = connection
        self.raw = head
        lines = head.decode("latin1").split("\r\n")
        self.method, self.target = lines[0].split(" ")[:2]
        self.path, _, self.query = self.target.partition("?")
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        self.body = body
        self.at = time.monotonic()

    @property
    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.decode().rstrip("\r\n"), keep_blank_values=True))

    def send(self, data):
        self.connection.sendall(data if isinstance(data, bytes) else data.encode("latin1"))

    def answer(self, status=200, headers="", body=b""):
        body = body if isinstance(body, bytes) else body.encode()
        self.send(f"HTTP/1.1 {status} Said\r\n{headers}Content-Length: {len(body)}\r\n"
                  "Connection: close\r\n\r\n".encode() + body)

    def reset(self):
        """Ends the connection as a machine does that has just come up again."""
        reset(self.connection)


class Outside:
    def __init__(self, answer, port=None, tls=None):
        self.answer = answer
        self.requests = []
        self.over = threading.Event()
        self.tls = tls
        self.port = port or free_port()
        self.connections = []
        self.start()

    def start(self):
        self.over.clear()
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
        self.thread = threading.Thread(target=self._accept, args=(self.listener,), daemon=True)
        self.thread.start()

    def stop(self):
        """Nobody is there any more."""
        self.over.set()
        # Also when its thread is in accept() just now.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)
        for connection in self.connections:
            connection.close()
        self.connections.clear()

    def url(self, path="/"):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}{path}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.over.is_set():
            self.stop()

    def _accept(self, listener):
        while not self.over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            got = b""
            while b"\r\n\r\n" not in got:
                piece = connection.recv(65536)
                if not piece:
                    return
                got += piece
            head, _, body = got.partition(b"\r\n\r\n")
            request = Request(connection, head, body)
            length = int(request.headers.get("content-length", 0))
            while len(request.body) < length:
                request.body += connection.recv(65536)
            self.requests.append(request)
            self.answer(request)
        except OSError:
            pass
        finally:
            connection.close()

    def of(self, **fields):
        """The requests so far whose form has these fields."""
        return [r for r in list(self.requests) if fields.items() <= r.form.items()]


def certificate(directory):
    """(context of a server for 127.0.0.1, path of what it is verified with)"""
    key, pem = os.path.join(directory, "key.pem"), os.path.join(directory, "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", pem, "-days",
                    "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    return context, pem


class IceServer:
    """icecast2 with further elements in its file; its calls are those of fault_harness.Server."""

    def __init__(self, xml="", mounts="", authentication="", hostname="localhost"):
        if not shutil.which("icecast2"):
            pytest.skip("icecast2 is not installed")
        self.own = tempfile.mkdtemp(prefix="ringmain-e2e-ice-")
        os.chmod(self.own, 0o777)
        self.port = free_port()
        self.config = os.path.join(self.own, "icecast.xml")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(f"""<icecast>
  <location>Earth</location><admin>mail@example.org</admin><hostname>{hostname}</hostname>
  <limits><clients>500</clients><sources>50</sources><burst-size>65536</burst-size></limits>
  <authentication><source-password>{SOURCE_PASSWORD}</source-password>
    <relay-password>relay words</relay-password><admin-user>admin</admin-user>
    <admin-password>{ADMIN_PASSWORD}</admin-password>{authentication}</authentication>
  <listen-socket><port>{self.port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
  {xml}{mounts}
  <fileserve>0</fileserve>
  <paths><basedir>/usr/share/icecast2</basedir><logdir>{self.own}</logdir>
    <webroot>/usr/share/icecast2/web</webroot>
    <adminroot>/usr/share/icecast2/admin</adminroot></paths>
  <logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog><loglevel>4</loglevel>
  </logging>
  <security><chroot>0</chroot></security>
</icecast>
""")
        os.chmod(self.config, 0o644)
        self.process = None

    def __enter__(self):
        return self.start()

    def start(self):
        args = ["setpriv", "--pdeathsig=KILL", "icecast2", "-c", self.config]
        if os.getuid() == 0:  # it refuses to run as root
            user = pwd.getpwnam("icecast2")
            args = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
                    "--clear-groups", *args]
        starts = 0

        def up():
            nonlocal starts
            if not self.process or self.process.poll() is not None:
                # Asked before it has its numbers, it may crash (a segmentation fault in strcmp).
                assert not starts or self.process.returncode == -signal.SIGSEGV and starts < 5, self.log()
                self.process = subprocess.Popen(args, stdout=subprocess.DEVNULL,
                                                stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
                starts += 1
            return b'"admin":' in self.get("/status-json.xsl").raw
        self.process = None
        await_("icecast answers", up)
        return self

    def stop(self):
        self.process.kill()
        self.process.wait()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.own, ignore_errors=True)

    def connect(self, source=None, rcvbuf=None):
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def log(self):
        with open(os.path.join(self.own, "error.log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def get(self, path, headers=""):
        try:
            with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as s:
                s.sendall(f"GET {path} HTTP/1.0\r\n{headers}\r\n".encode())
                return Reply(read_all(s))
        except OSError:
            return Reply(b"")

    def admin(self, path):
        return self.get(f"/admin/{path}", basic("admin", ADMIN_PASSWORD))

    def mounts(self):
        """What status-json.xsl says of each, by name."""
        source = self.get("/status-json.xsl").json()["icestats"].get("source", [])
        sources = source if isinstance(source, list) else [source]
        return {"/" + s["listenurl"].split("/", 3)[3]: s for s in sources}

    def state(self, mount):
        return "live" if mount in self.mounts() else None

    def await_state(self, mount, *_states, seconds=None):
        return await_(f"{mount} is on icecast", lambda: self.state(mount), seconds)
