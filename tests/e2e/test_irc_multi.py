"""One connection to all networks, and names while a server is not there: what changes under a client's hands."""
import pytest

from irc import Line
from test_irc import Bouncer, network, say


@pytest.fixture
def bouncer(serve):
    return Bouncer(serve)


def test_networks_change_under_a_client_of_all(bouncer, fake):
    """It is who it is by whatever nick a network knows it; a network that is new, renamed or deleted takes its channels
    along; who set a topic has a network too."""
    server, second = fake(), fake()
    up = network(bouncer, server)
    up.register(None, nick="ann_")
    client = bouncer.client("admin@all")
    client.send("JOIN #ring/net")
    up.expect("JOIN #ring")
    up.send(":ann_!u@h JOIN #ring")
    client.expect(":ann!u@h JOIN #ring/net$")
    # One who comes before the server has said who is there sees the channel all the same, once.
    late = bouncer.client("admin@late")
    late.expect(":ann!u@h JOIN #ring/net$")
    up.send(":fake 332 ann_ #ring :fine", ":fake 333 ann_ #ring eve!e@h 1", ":fake 353 ann_ = #ring :ann_ eve",
            ":fake 366 ann_ #ring :End")
    late.expect(" 366 ann #ring/net ")
    assert [line.split(" ", 1)[1] for line in late.said if " 333 " in line] == ["333 ann #ring/net eve/net!e@h 1"]
    assert not any(" JOIN " in line for line in late.sync())
    # What was said just before the nick changed is read after it.
    up.send(":ann_!u@h PRIVMSG #ring :from elsewhere", ":ann_!u@h NICK ann__", ":eve!e@h NICK eva", ":eva!e@h PRIVMSG #ring :hi")
    assert client.expect("from elsewhere").source == "ann!u@h"
    lines = client.until("PRIVMSG #ring/net :hi")
    assert [line for line in lines if " NICK " in line] == [":eve/net!e@h NICK eva/net"]
    # The network is called otherwise.
    assert client.service("network update net -name home") == ["network home was changed"]
    at = client.said.index(":ann!u@h PART #ring/net :The network was renamed")
    client.at = at + 1
    client.expect(":ann!u@h JOIN #ring/home$")
    client.expect(" 366 ann #ring/home ")
    late.expect("JOIN #ring/home$")
    say(up, "home again", who="eva")
    assert client.expect("home again").params[0] == "#ring/home"
    assert not any("home again" in line and "#ring/net" in line for line in client.said)
    # Another one is made by somebody who knows networks, and goes.
    other = bouncer.client("admin", caps="batch soju.im/bouncer-networks")
    other.send(f"BOUNCER ADDNETWORK name=two;host=127.0.0.1;port={second.port};tls=0")
    number = other.expect("BOUNCER ADDNETWORK").params[1]
    two = second.accept()
    two.register(None)
    two.send(":ann!u@h JOIN #b", ":fake 366 ann #b :End")
    client.expect("JOIN #b/two$")
    # What all of them have, by its time; of fewer those next to the time that is said first.
    talker = bouncer.client("admin@talker", caps="draft/chathistory batch")
    first, last = "timestamp=2020-01-01T00:00:00.000Z", "timestamp=2039-01-01T00:00:00.000Z"
    say(two, "one", who="eve", target="#b")
    client.expect(":one")
    say(two, "two", who="dan", target="ann")
    client.expect(":two")
    for question, heard in ((f"{first} {last} 9", ["#ring/home", "#b/two", "dan/two"]), (f"{first} {last} 1", ["#ring/home"]),
                            (f"{last} {first} 2", ["#b/two", "dan/two"])):
        talker.send(f"CHATHISTORY TARGETS {question}")
        talker.expect("BATCH \\+")
        assert [Line(line).params[1] for line in talker.until("BATCH -")] == heard
    client.send("PRIVMSG /two :x", "MONITOR + eve/two")
    assert client.expect(" 403 ").params[1] == "/two"
    client.expect(" 421 ann MONITOR ")
    other.send(f"BOUNCER DELNETWORK {number}")
    client.expect(":ann!u@h PART #b/two :The network was deleted")


def test_names_while_a_server_is_not_there(bouncer, fake):
    """What is no channel is not joined later either; what its server tells apart is told apart until it is back."""
    server = fake()
    up = network(bouncer, server)
    up.register(None)
    client = bouncer.client("admin/net@one", caps="draft/read-marker")
    client.send("JOIN #a[,#a{")
    for name in ("#a[", "#a{"):
        up.expect("^JOIN ")
        up.joined(name)
        client.expect(f" 366 ann {name.replace('[', '.')} ")
    client.send("MARKREAD #a[ timestamp=2026-01-01T00:00:00.000Z", "MARKREAD #a{ timestamp=2026-01-02T00:00:00.000Z")
    client.expect("MARKREAD #a. timestamp=2026-01-02")
    up.close()
    again = server.accept()
    again.expect("^USER ")
    client.send("JOIN 0", "JOIN eve", "JOIN :#a b", "JOIN #later")
    assert [client.expect(" 403 ").params[1] for _ in range(3)] == ["0", "eve", "*"]
    client.expect("#later is joined when net is connected")
    again.send(":fake 421 * CAP :Unknown command")
    again.nick = "ann"
    again.welcome()
    joins = []
    while len(joins) < 3:
        joins += again.expect("^JOIN ").params[0].split(",")
    assert sorted(joins) == ["#a[", "#a{", "#later"]
    client.send("MARKREAD #a[", "MARKREAD #a{")
    assert [client.expect("MARKREAD #a").params[1][10:20] for _ in range(2)] == ["2026-01-01", "2026-01-02"]


@pytest.mark.parametrize("caps", [None, "batch labeled-response"], ids=["by numbers", "by labels"])
def test_who_says_what_stands_where(bouncer, fake, caps):
    """WHOX: only who asked knows which word is a name. A mask has its network behind it, and its end says it as it was said."""
    up = network(bouncer, fake())
    up.register(caps, nick="ann_", isupport="CASEMAPPING=ascii CHANTYPES=#+ PREFIX=(ov)@+ WHOX")
    client = bouncer.client("admin@all")

    def asked(question):
        line = up.expect(question)
        return f"@label={line.tags['label']} " if caps else ""

    for said, heard, lines in (
            ("#ring/net %tcuhnr,152", "WHO #ring %tcuhnr,152$",
             [("354 ann_ 152 #ring +e h eve :#Eve", "354 ann 152 #ring/net +e h eve/net :#Eve"),
              ("354 ann_ 152 #ring a h ann_ :Ann", "354 ann 152 #ring/net a h ann :Ann"),
              ("315 ann_ #ring :End", "315 ann #ring/net :End")]),
            ("*!*@*.org/net o%na", "WHO \\*!\\*@\\*.org o%na$",
             [("354 ann_ eve +acc", "354 ann eve/net +acc"), ("315 ann_ *!*@*.org :End", "315 ann *!*@*.org/net :End")]),
            ("e*/net!*@* %n", "WHO e\\*!\\*@\\* %n$",
             [("354 ann_ eve", "354 ann eve/net"), ("315 ann_ e*!*@* :End", "315 ann e*/net!*@* :End")])):
        client.send(f"WHO {said}")
        label = asked(heard)
        if caps:
            up.send(f"{label}:fake BATCH +w labeled-response", *(f"@batch=w :fake {line}" for line, _ in lines),
                    ":fake BATCH -w")
        else:
            up.send(*(f":fake {line}" for line, _ in lines))
        for _, told in lines:
            assert client.expect(" (354|315) ").text == f":fake {told}"
