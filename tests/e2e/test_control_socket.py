"""The socket of ringmainctl: who says nothing on it keeps nobody else from being heard."""
import contextlib
import os
import socket
import subprocess

import pytest

from fault_harness import PATIENCE, Server
from handover_harness import CTL

PLACES = 32  # src/control.c
SETTINGS = {"workers": 1, "log.level": "info"}


def knock(server, words=b""):
    """A connection to the socket, whose path may be too long for an address."""
    directory = os.open(server.data, os.O_PATH | os.O_DIRECTORY)
    peer = socket.socket(socket.AF_UNIX)
    try:
        peer.settimeout(PATIENCE)
        peer.connect(f"/proc/self/fd/{directory}/control")
    finally:
        os.close(directory)
    peer.sendall(words)
    return peer


def told(peer):
    """All that comes until the end."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := peer.recv(4096):
            said += piece
    return said.decode()


def ctl(server, *words):
    return subprocess.run([CTL, "--data", server.data, *words], capture_output=True, text=True,
                          timeout=PATIENCE, check=False)


@pytest.mark.parametrize("words", [b"", b"reloa"], ids=["nothing", "half-a-line"])
def test_idle_connections_do_not_keep_ringmainctl_out(words):
    with Server(SETTINGS) as server, contextlib.ExitStack() as stack:
        idle = [stack.enter_context(knock(server, words)) for _ in range(PLACES)]
        answer = ctl(server, "reload")
        assert (answer.returncode, answer.stdout) == (0, "ok\n"), answer
        # The one that had said nothing for longest, and it is told why; the next one has its place.
        assert told(idle[0]) == "error another came, and no order was given here in time\n"
        idle[1].sendall(b"\n" if words else b"nonsense\n")
        assert told(idle[1]) == "error unknown word\n"
        # Over and over.
        for _ in range(3):
            stack.enter_context(knock(server, words))
            assert ctl(server, "reload").returncode == 0


def test_idle_connections_are_closed_after_a_time():
    with Server({**SETTINGS, "control.idle": "1s"}) as server, knock(server) as silent, \
            knock(server, b"rel") as half:
        for peer in (silent, half):
            assert told(peer) == "error no order was given here within control.idle\n"
        assert ctl(server, "reload").returncode == 0


def test_ringmainctl_tells_a_refusal_that_comes_before_its_order(tmp_path):
    """The server closes at once, and writing to it may be an error: the answer is read all the same."""
    directory = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(f"/proc/self/fd/{directory}/control")
        os.close(directory)
        door.listen()
        for _ in range(10):
            with subprocess.Popen([CTL, "--data", tmp_path, "reload"], stdout=subprocess.PIPE) as told_to:
                peer = door.accept()[0]
                peer.sendall(b"error not now\n")
                peer.close()
                assert told_to.communicate(timeout=PATIENCE)[0] == b"error not now\n"
                assert told_to.returncode == 1
