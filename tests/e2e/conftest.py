"""Fixtures of the end-to-end tests: see stage.py and sounds.py.

    /usr/bin/python3 -m pytest tests/e2e          (RINGMAIN=path/of/ringmain, else build/ringmain)
"""
import os
import pathlib
import tempfile

import pytest

from irc import FakeServer
from left_out import pytest_configure, pytest_runtest_protocol  # noqa: F401
from sounds import make_sounds
from stage import Crew, Server


# The longest first, so that none of them begins when all others end; those take half a minute to three.
LONG = ["packaging", "relay", "tls", "directory", "players", "net_ingest", "handover_intro", "intro",
        "capture_manager", "sfu_loss", "sfu", "sfuload", "bridges", "handover", "handover_relay",
        "voice_attacks", "api", "handover_streams", "handover_faults", "dump", "sources", "events",
        "faults", "voicecat", "proof_run", "voice_swarm", "voice_mumble", "security"]
# Their tests need nothing of one another: each goes to whoever has nothing to do. Others stay together, as
# they share a server.
APART = ["fallback", "oracle"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    def place(item):
        name = item.path.stem.removeprefix("test_")
        return len(LONG) + 1 if name in APART else LONG.index(name) if name in LONG else len(LONG)

    items.sort(key=place)
    for item in items if config.pluginmanager.hasplugin("xdist") else []:
        if place(item) <= len(LONG):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def sounds():
    """The test programme in every format."""
    return make_sounds()


@pytest.fixture
def crew(tmp_path):
    """Starts processes; all of them are gone after the test."""
    with Crew(tmp_path) as crew:
        yield crew


@pytest.fixture
def folder(tmp_path):
    """Where recordings go."""
    path = tmp_path / "[recordings]*"  # which is no pattern
    path.mkdir()
    return path


@pytest.fixture
def slots(monkeypatch):
    """A directory of slots, in memory where there is such."""
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="fc-e2e-", dir=shared) as directory:
        monkeypatch.setenv("FC_DIR", directory)
        yield pathlib.Path(directory)


@pytest.fixture(scope="module")
def shared_room(tmp_path_factory):
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def shared_crew(shared_room):
    """The same for a server that all tests of a file use."""
    with Crew(shared_room) as crew:
        yield crew


def _serve(crew, room):
    servers = []

    def start(settings=None):
        servers.append(Server(crew, room, settings))
        return servers[-1]
    yield start
    for server in servers:
        if server.process.running():
            server.stop()
        elif not server.stopped:
            pytest.fail(f"the server ended by itself: {server.log()[-4000:]}")


@pytest.fixture
def serve(tmp_path):
    """serve({setting: value}) starts a server, which must end cleanly after the test."""
    with Crew(tmp_path) as crew:
        yield from _serve(crew, tmp_path)


@pytest.fixture(scope="module")
def shared_serve(shared_room):
    with Crew(shared_room) as crew:
        yield from _serve(crew, shared_room)


@pytest.fixture
def fake():
    """fake() is an IRC server of scripts (irc.py), over TLS with a context; all end with the test."""
    servers = []

    def make(context=None):
        servers.append(FakeServer(context))
        return servers[-1]
    yield make
    for server in servers:
        server.close()
