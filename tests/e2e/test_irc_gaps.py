"""Many gaps at a time, and servers that are slow to tell what was said in them."""
import time

import pytest

from test_irc import Bouncer, network, on_channel, say
from test_irc_upstream import CAPS, ISUPPORT, page, stamp


def come_back(bouncer, server, channels):
    """(client, the server's end after it was away), the user in these channels, where something was said before."""
    up = network(bouncer, server)
    up.register(CAPS)
    client = bouncer.client("admin/net@one")
    for name in channels:
        client.send(f"JOIN {name}")
        up.joins(name)
        say(up, "before", target=name)
        client.expect(f"{name} :before")
    up.close()
    up = server.accept()
    up.register(CAPS, isupport=ISUPPORT)
    up.expect("CHATHISTORY TARGETS")
    asked = set()
    while len(asked) < len(channels):
        asked |= set(up.expect("^JOIN ").params[0].split(","))
    for name in channels:
        up.joined(name)
    return client, up


def test_a_question_that_waits_to_go_out_is_not_late(serve, fake):
    """Of many channels most are asked for later than a server has to answer."""
    channels = [f"#c{i}" for i in range(10)]
    bouncer = Bouncer(serve, {"irc.answer_timeout": "8s", "irc.burst": "1", "irc.interval": "1s"})
    client, up = come_back(bouncer, fake(), channels)
    now = int(time.time())
    for at in range(len(channels)):
        name = up.expect("CHATHISTORY AFTER").params[1]
        page(up, f"b{at}", [(now, f"id{at}", f"meanwhile {at}")], target=name)
        client.expect(f":meanwhile {at}$")


def test_what_a_user_says_does_not_wait_for_all_questions(serve, fake):
    channels = [f"#c{i}" for i in range(12)]
    bouncer = Bouncer(serve, {"irc.burst": "1", "irc.interval": "50ms"})
    client, up = come_back(bouncer, fake(), channels)
    up.expect("CHATHISTORY AFTER")
    client.send("PRIVMSG #c0 :at once")
    lines = up.until("PRIVMSG #c0 :at once")
    assert sum("CHATHISTORY" in line or "MODE" in line for line in lines) < 6, lines


def test_history_that_comes_too_late_changes_nothing(serve, fake):
    """Who came and went in it is nobody's coming and going of now; what was said meanwhile does not come again."""
    bouncer = Bouncer(serve, {"irc.answer_timeout": "300ms"})
    client, up = come_back(bouncer, fake(), ["#ring"])
    up.send(":fake 353 ann = #ring :ann @bob eve", ":fake 366 ann #ring :End")
    up.expect("CHATHISTORY AFTER #ring")
    say(up, "now", tags="@msgid=now ")
    # It is told when the server had its time.
    client.expect(":now$")
    at = stamp(int(time.time()))
    for _ in range(2):
        up.send(":fake BATCH +late chathistory #ring", f"@batch=late;time={at} :eve!e@h PART #ring",
                f"@batch=late;time={at} :bob!b@h KICK #ring ann :out", f"@batch=late;time={at};msgid=now :bob!b@h PRIVMSG #ring :now",
                f"@batch=late;time={at};msgid=x :bob!b@h PRIVMSG #elsewhere :x", ":fake BATCH -late")
        up.sync()
    client.send("NAMES #ring")
    assert sorted(client.expect(" 353 ").params[3].split()) == ["@bob", "ann", "eve"]
    assert not [line for line in client.sync() if " PART " in line or " KICK " in line]
    assert sum(line.endswith("PRIVMSG #ring :now") for line in client.said) == 1


@pytest.mark.parametrize("caps", ["", " echo-message labeled-response"], ids=["told by us", "echoed"])
def test_own_words_do_not_come_again_with_the_gap(bouncer, fake, caps):
    server = fake()
    client, up = on_channel(bouncer, server, caps=CAPS + caps, client_caps="echo-message")
    say(up, "before")
    client.expect(":before$")
    up.close()
    up = server.accept()
    up.register(CAPS + caps, isupport=ISUPPORT)
    up.joins("#ring", "bob")
    up.expect("CHATHISTORY AFTER #ring")
    client.send("PRIVMSG #ring :mine")
    line = up.expect("PRIVMSG #ring :mine")
    at = stamp(int(time.time()))
    if caps:
        up.send(f"@label={line.tags['label']};time={at};msgid=mine :ann!u@h PRIVMSG #ring :mine")
    client.expect("PRIVMSG #ring :mine")
    up.send(":fake BATCH +b chathistory #ring", f"@batch=b;time={at};msgid=mine :ann!u@h PRIVMSG #ring :mine",
            f"@batch=b;time={at};msgid=last :bob!b@h PRIVMSG #ring :last", ":fake BATCH -b")
    client.expect(":last$")
    assert sum(line.endswith("PRIVMSG #ring :mine") for line in client.said) == 1


@pytest.fixture
def bouncer(serve):
    return Bouncer(serve)
