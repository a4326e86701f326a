"""Fixtures of the end-to-end tests: see stage.py and sounds.py.

    /usr/bin/python3 -m pytest tests/e2e          (RINGMAIN=path/of/ringmain, else build/ringmain)
"""
import pytest

from sounds import make_sounds
from stage import Crew, Server


@pytest.fixture(scope="session")
def sounds():
    """The test programme in every format."""
    return make_sounds()


@pytest.fixture
def crew(tmp_path):
    """Starts processes; all of them are gone after the test."""
    with Crew(tmp_path) as crew:
        yield crew


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
