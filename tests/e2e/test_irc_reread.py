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


def test_answers_of_a_new_connection_are_not_for_questions_of_the_last(bouncer, fake):
    """Both count their labels from one."""
    caps = "batch labeled-response"
    server = fake()
    client, up = on_channel(bouncer, server, caps=caps, login="admin/net@one", client_caps=caps)
    other = bouncer.client("admin/net@two", caps=caps)
    other.sync()
    # The first label of a connection is that of a question which is never answered.
    client.service("network update net -realname One")
    up = server.accept()
    up.register(caps)
    client.send("@label=old WHOIS bob")
    old = up.expect("^@label=\\S+ WHOIS bob").tags["label"]
    assert client.service("network update net -realname Two") == ["network net was changed"]
    assert [line for line in client.said if line.startswith("@label=old ")]
    up = server.accept()
    up.register(caps)
    other.send("@label=new WHOIS eve")
    assert up.expect("^@label=\\S+ WHOIS eve").tags["label"] == old
    up.send(f"@label={old} :fake 401 ann eve :No such nick")
    other.expect("^@label=new :fake 401 ann eve ")
    assert not any("eve" in line for line in client.sync())
