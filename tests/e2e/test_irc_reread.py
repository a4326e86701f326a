"""What is remembered from one connection to the next, and what is not."""
import pytest

from irc import stored
from stage import await_true
from test_irc import Bouncer, on_channel


@pytest.fixture
def bouncer(serve):
    return Bouncer(serve)


def test_a_key_that_others_set_is_kept(bouncer, fake):
    """Else a restart would stand before a door that is locked now."""
    client, up = on_channel(bouncer, fake())

    def kept():
        return str(stored(bouncer.server, "SELECT settings FROM irc_buffers WHERE name = '#ring'"))
    up.send(":bob!b@h MODE #ring +k sesame")
    await_true(lambda: '"key":"sesame"' in kept(), 60, kept)
    up.send(":bob!b@h MODE #ring -k *")
    await_true(lambda: "sesame" not in kept(), 60, kept)
