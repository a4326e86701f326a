"""What is remembered from one connection to the next, and what is not."""
import pytest

from fault_harness import SANITIZED
from irc import stored
from stage import await_true
from test_irc import Bouncer, on_channel, say
from test_irc_upgrade import make, upgrade


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
    assert client.service("network update net -realname Two") == ["network net was changed, and connects anew"]
    assert [line for line in client.said if line.startswith("@label=old ")]
    up = server.accept()
    up.register(caps)
    other.send("@label=new WHOIS eve")
    assert up.expect("^@label=\\S+ WHOIS eve").tags["label"] == old
    up.send(f"@label={old} :fake 401 ann eve :No such nick")
    other.expect("^@label=new :fake 401 ann eve ")
    assert not any("eve" in line for line in client.sync())


def test_a_command_that_the_server_does_not_know_is_answered_at_once(bouncer, fake):
    client, up = on_channel(bouncer, fake(), client_caps="batch labeled-response")
    client.send("@label=one LIST", "@label=two WHOWAS bob")
    up.expect("^WHOWAS bob")
    up.send(":fake 421 ann WHOWAS :Unknown command", ":fake 421 ann LIST :Unknown command")
    assert [client.expect(" 421 ").tags["label"] for _ in range(2)] == ["two", "one"]


def test_away_is_answered_though_no_server_is_told_again(bouncer, fake):
    client, up = on_channel(bouncer, fake(), options="-auto-away false")
    client.send("AWAY :for lunch")
    up.expect("^AWAY :for lunch")
    up.send(":fake 306 ann :You have been marked as being away")
    client.expect("^:fake 306 ")
    client.send("AWAY :for lunch")
    client.expect(" 306 ann ")
    client.send("AWAY")
    up.expect("^AWAY$")
    up.send(":fake 305 ann :Back")
    client.expect("^:fake 305 ")
    client.send("AWAY")
    client.expect(" 305 ann ")
    up.sync()
    assert sum(line.startswith("AWAY") for line in up.said) == 2


def test_a_promise_of_tls_is_not_for_another_server(bouncer, fake):
    """IRCv3 sts is of one host: -addr leads to another one."""
    client = bouncer.client("admin@one")
    first, second = fake(), fake()
    client.service(f"network create -addr {first.address()} -name net -nick ann -enabled false")
    client.service("network update net -sts-port 1 -sts-until 9007199254740991")
    client.service(f"network update net -addr {second.address()} -enabled true")
    up = second.accept()
    up.register()
    client.expect("net is connected")


@pytest.mark.skipif(SANITIZED, reason="a sanitizer does not bear clone(CLONE_FILES)")
def test_channels_that_were_about_to_be_joined_are_after_an_upgrade(serve, fake, tmp_path):
    """They are joined a while behind -connect-command; the next server knows of no while."""
    bouncer = make(serve, tmp_path)
    server = fake()
    client, up = on_channel(bouncer, server, options='-connect-command "PRIVMSG NickServ :identify"')
    up.close()
    up = server.accept()
    up.register()
    up.expect("^PRIVMSG NickServ")
    assert not any(line.startswith("JOIN") for line in up.said)
    upgrade(bouncer)
    up.expect("^JOIN #ring")
    assert len(server.connections) == 2
    up.joined("#ring")
    say(up, "here again")
    bouncer.client("admin/net@one").expect("here again")
