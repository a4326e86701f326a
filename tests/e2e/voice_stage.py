"""Voice servers for tests: ringmain, and Debian's mumble-server in the same situation, so that what
ringmain answers is held against what clients know."""
import itertools
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

import pytest

from mumble_peer import Peer, settle
from stage import await_true, free_ports

SUPER = "all that one may"
NUMBERS = itertools.count(1)


def fresh(word):
    """A name that nobody in this run has had."""
    return f"{word}{next(NUMBERS)}"


class Voice:
    """A running server: its port, and peers that are gone with it."""

    def __init__(self, kind, port, server, log):
        self.kind, self.port, self.server, self.log = kind, port, server, log
        self.peers = []

    def peer(self, name=None, **options):
        peer = Peer(self.port, fresh("user") if name is None else name, **options)
        self.peers.append(peer)
        return peer

    def join(self, name=None, password=None, tokens=(), **options):
        return self.peer(name, **options).join(password, tokens)

    def boss(self):
        """SuperUser."""
        return self.join("SuperUser", SUPER)

    def settle(self, *peers):
        settle(*peers)

    def dismiss(self):
        for peer in self.peers:
            peer.close()
        self.peers.clear()

    def metrics(self, *names):
        """Of one moment."""
        text = self.server.get("/metrics", auth=("admin", self.server.admin_password)).text
        return [int(re.search(rf"^ringmain_voice_{name}(?:_total)? (\d+)$", text, re.M)[1])
                for name in names]

    def metric(self, name):
        return self.metrics(name)[0]


def ringmain_voice(serve, settings=None):
    port = free_ports()
    server = serve({"voice.listen": f"127.0.0.1:{port}", "voice.superuser_password": SUPER,
                    "voice.message_rate": "1000", "voice.timeout": "10m", "voice.login_time": "2m",
                    **(settings or {})})
    return Voice("ringmain", port, server, server.log)


def mumble_server(crew, extra=""):
    program = shutil.which("murmurd") or "/usr/sbin/murmurd"
    if not pathlib.Path(program).exists():
        pytest.skip("mumble-server is not installed")
    port = free_ports()
    # It gives up being root, and must still be able to write.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="murmur-"))
    folder.chmod(0o777)
    ini = folder / "murmur.ini"
    ini.write_text(f"database={folder}/murmur.sqlite\nport={port}\nhost=127.0.0.1\nice=\n"
                   f"pidfile=\nlogfile=\nbonjour=False\nusers=300\nautobanAttempts=0\n"
                   f"bandwidth=2000000\nmessageburst=1000\nmessagelimit=1000\ntimeout=600\n{extra}")
    done = subprocess.run([program, "-ini", ini, "-supw", SUPER], capture_output=True, timeout=60)
    if b"SuperUser" not in done.stdout + done.stderr and done.returncode:
        pytest.skip(f"mumble-server does not run: {(done.stdout + done.stderr)[-300:]}")
    process = crew.start([program, "-fg", "-ini", ini], "murmurd")

    def is_up():
        assert process.running(), process.said()
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        except OSError:
            return False
    await_true(is_up, 30, process.said)
    return Voice("murmurd", port, None, process.said)
