"""Messages of several lines (draft/multiline): whole both ways, in rings, history and search; the examples of the
specification."""
import re
import socket

import pytest

from irc import Line
from test_irc import Bouncer, network, on_channel, say

MULTI = "batch message-tags draft/multiline"
SERVER = "batch message-tags server-time account-tag draft/multiline=max-bytes=40000,max-lines=10"
LABELS = SERVER + " labeled-response echo-message"
EXAMPLE = ("@msgid=xxx;account=account :n!u@h BATCH +123 draft/multiline #ring", "@batch=123 :n!u@h PRIVMSG #ring hello",
           "@batch=123 :n!u@h PRIVMSG #ring :how is ",
           "@batch=123;draft/multiline-concat :n!u@h PRIVMSG #ring :everyone?", ":fake BATCH -123")


@pytest.fixture
def bouncer(serve):
    return Bouncer(serve)


def batch(client, parent=None):
    """The next batch of several lines: (its beginning, [(text, whether it goes on the line before)])."""
    begin = client.expect("BATCH \\+\\S+ draft/multiline")
    assert begin.tags.get("batch") == parent
    lines = [Line(text) for text in client.until(f"BATCH -{begin.params[0][1:]}$")]
    assert {line.tags.pop("batch") for line in lines} == {begin.params[0][1:]}
    assert all(set(line.tags) <= {"draft/multiline-concat"} and line.params[0] == begin.params[2] and
               line.source == begin.source for line in lines)
    return begin, [(line.params[1], "draft/multiline-concat" in line.tags) for line in lines]


def test_from_a_server(bouncer, fake):
    """The example: whole to who knows it, apart to others, with its name at the first; whole again in the history, for
    clients that come back, in the search, after a restart of its ring."""
    client, up = on_channel(bouncer, fake(), caps=SERVER, client_caps=MULTI + " account-tag server-time")
    plain = bouncer.client("admin/net@plain", caps="message-tags account-tag")
    simple = bouncer.client("admin/net@simple")
    gone = bouncer.client("admin/net@gone", caps=MULTI)
    for one in (plain, simple, gone):
        one.sync()
    gone.close()
    up.send(*EXAMPLE)
    begin, lines = batch(client)
    assert lines == [("hello", False), ("how is ", False), ("everyone?", True)]
    assert begin.source == "n!u@h" and begin.tags["msgid"] == "xxx" and begin.tags["account"] == "account"
    apart = [plain.expect("n!u@h PRIVMSG") for _ in range(3)]
    assert [line.params[1] for line in apart] == ["hello", "how is ", "everyone?"]
    assert [line.tags for line in apart] == [{"msgid": "xxx", "account": "account"}] + [{"account": "account"}] * 2
    assert [simple.expect("n!u@h PRIVMSG").params[1] for _ in range(3)] == ["hello", "how is ", "everyone?"]
    # What was said between others is in between, and blank lines are for who knows batches.
    up.send(":n!u@h BATCH +a draft/multiline #ring", "@batch=a :n!u@h PRIVMSG #ring :first", ":bob!b@h PRIVMSG #ring :between",
            "@batch=a :n!u@h PRIVMSG #ring :", "@batch=a :n!u@h PRIVMSG #ring :third", ":fake BATCH -a")
    client.expect("between")
    assert batch(client)[1] == [("first", False), ("", False), ("third", False)]
    assert [plain.expect("PRIVMSG").params[1] for _ in range(3)] == ["between", "first", "third"]
    # Who comes back is told the same, and history counts a message as one.
    back = bouncer.client("admin/net@gone", caps=MULTI)
    history = back.expect("BATCH \\+\\S+ chathistory").params[0][1:]
    assert batch(back, history)[1] == [("hello", False), ("how is ", False), ("everyone?", True)]
    asks = bouncer.client("admin/net@asks", caps=MULTI + " draft/chathistory soju.im/search")
    asks.sync()
    asks.send("CHATHISTORY BEFORE #ring msgid=nothing 1", "CHATHISTORY LATEST #ring * 3")
    history = asks.expect("BATCH \\+\\S+ chathistory").params[0][1:]
    begin, lines = batch(asks, history)
    assert lines == [("hello", False), ("how is ", False), ("everyone?", True)] and begin.tags["msgid"] == "xxx"
    assert asks.expect("PRIVMSG").params[1] == "between"
    assert batch(asks, history)[1][2] == ("third", False)
    asks.expect(f"BATCH -{history}")
    asks.send("CHATHISTORY AFTER #ring msgid=xxx 10")
    asks.expect("BATCH \\+\\S+ chathistory")
    assert asks.expect("PRIVMSG").params[1] == "between"
    asks.send("SEARCH text=everyone")
    history = asks.expect("BATCH \\+\\S+ soju.im/search").params[0][1:]
    assert batch(asks, history)[1][0] == ("hello", False)
    plain.send("CHATHISTORY LATEST #ring * 1")
    assert [plain.expect("PRIVMSG").params[1] for _ in range(2)] == ["first", "third"]
    said = client.service("search everyone")
    assert len(said) == 1 and said[0].endswith("<n> hello how is  everyone?"), said


def test_to_a_server(bouncer, fake):
    """The example goes out as it came, once, with its label; the echo answers it, whole, to all clients."""
    client, up = on_channel(bouncer, fake(), caps=LABELS, client_caps=MULTI + " labeled-response echo-message")
    other = bouncer.client("admin/net@other", caps=MULTI)
    other.sync()
    client.send("@label=l1;+draft/reply=abc BATCH +123 draft/multiline #ring", "@batch=123 PRIVMSG #ring hello",
                "@batch=123 privmsg #ring :how is ", "@batch=123;draft/multiline-concat PRIVMSG #ring :everyone?", "BATCH -123")
    begin = up.expect("BATCH \\+")
    assert begin.params[1:] == ["draft/multiline", "#ring"] and begin.tags["+draft/reply"] == "abc"
    ref = begin.params[0][1:]
    lines = [up.expect(f"batch={ref}") for _ in range(3)]
    assert [line.params for line in lines] == [["#ring", "hello"], ["#ring", "how is "], ["#ring", "everyone?"]]
    assert ["draft/multiline-concat" in line.tags for line in lines] == [False, False, True]
    assert all(set(line.tags) <= {"batch", "draft/multiline-concat"} for line in lines)
    up.expect(f"^BATCH -{ref}$")
    assert len([text for text in up.said if "hello" in text]) == 1
    up.send(f"@label={begin.tags['label']};msgid=id1 :ann!u@h BATCH +9 draft/multiline #ring",
            *(f"@batch=9 :ann!u@h PRIVMSG #ring :{text}" for text in ("hello", "how is everyone?")), ":fake BATCH -9")
    begin, lines = batch(client)
    assert begin.tags["label"] == "l1" and begin.tags["msgid"] == "id1" and [text for text, _ in lines] == ["hello", "how is everyone?"]
    begin, lines = batch(other)
    assert "label" not in begin.tags and len(lines) == 2
    client.sync()
    assert len([text for text in client.said if "label=l1" in text]) == 1


def test_a_server_that_does_not_say_it_again(bouncer, fake):
    """Without echo-message the other clients hear it from us: as one message."""
    client, up = on_channel(bouncer, fake(), caps=SERVER, client_caps=MULTI)
    other = bouncer.client("admin/net@other", caps=MULTI)
    plain = bouncer.client("admin/net@plain")
    for one in (other, plain):
        one.sync()
    client.send("BATCH +1 draft/multiline #ring", "@batch=1 PRIVMSG #ring :one", "@batch=1 PRIVMSG #ring :two", "BATCH -1")
    up.expect("^BATCH \\+\\S+ draft/multiline #ring$")
    assert [text for text, _ in batch(other)[1]] == ["one", "two"]
    assert [plain.expect("PRIVMSG").params[1] for _ in range(2)] == ["one", "two"]


def test_what_a_server_does_not_take_goes_line_by_line(bouncer, fake):
    """More than its limits, or a queue with no room for all of it."""
    client, up = on_channel(bouncer, fake(), caps="batch message-tags draft/multiline=max-bytes=20,max-lines=2", client_caps=MULTI)
    for ref, texts in (("a", ("1", "2", "3")), ("b", ("x" * 11, "y" * 11))):
        client.send(f"BATCH +{ref} draft/multiline #ring", *(f"@batch={ref} PRIVMSG #ring :{text}" for text in texts), f"BATCH -{ref}")
        assert [up.expect("PRIVMSG").params[1] for _ in texts] == list(texts)
    client.send("BATCH +c draft/multiline #ring", "@batch=c PRIVMSG #ring :p", "@batch=c PRIVMSG #ring :q", "BATCH -c")
    up.expect("BATCH \\+")
    assert len([text for text in up.said if "BATCH +" in text]) == 1


@pytest.mark.parametrize("lines, fault", [
    (["@batch=x PRIVMSG #foo :hello", "@batch=x PRIVMSG #bar hello"], ["MULTILINE_INVALID_TARGET", "#foo", "#bar"]),
    ([f"@batch=x PRIVMSG #foo :{i}" for i in range(30)], ["MULTILINE_MAX_LINES", "24"]),
    ([f"@batch=x PRIVMSG #foo :{'y' * 500}" for i in range(10)], ["MULTILINE_MAX_BYTES", "4096"]),
    (["@batch=x PRIVMSG #foo :a", "@batch=x;draft/multiline-concat PRIVMSG #foo :"], ["MULTILINE_INVALID"]),
    (["@batch=x PRIVMSG #foo :a", "@batch=x NOTICE #foo :b"], ["MULTILINE_INVALID"]),
    (["@batch=x PRIVMSG #foo :", "@batch=x PRIVMSG #foo :"], ["MULTILINE_INVALID"])],
    ids=["target", "lines", "bytes", "glued blank", "verbs", "blank"])
def test_what_a_client_may_not(bouncer, fake, lines, fault):
    """It is said once, and nothing of it goes out, not what comes behind the fault either."""
    client, up = on_channel(bouncer, fake(), caps=LABELS, client_caps=MULTI + " labeled-response")
    client.send("@label=q BATCH +x draft/multiline #foo", *lines, "BATCH -x")
    failed = client.expect("FAIL BATCH")
    assert failed.params[1:-1] == fault and failed.tags["label"] == "q"
    client.sync()
    assert len([text for text in client.said if " FAIL " in text]) == 1
    client.send("PRIVMSG #ring :behind it")
    up.expect("behind it")
    assert not [text for text in up.said if "#foo" in text]


def test_a_batch_without_end(bouncer, fake):
    """What came of it is not lost with its connection; one that is longer than what is kept comes in parts."""
    server = fake()
    client, up = on_channel(bouncer, server, caps=SERVER, client_caps=MULTI)
    texts = [f"{i:02}{'w' * 398}" for i in range(30)]
    up.send(":n!u@h BATCH +l draft/multiline #ring", *(f"@batch=l :n!u@h PRIVMSG #ring :{text}" for text in texts), ":fake BATCH -l")
    got = batch(client)[1] + batch(client)[1]
    assert [text for text, _ in got] == texts
    up.send(":n!u@h BATCH +o draft/multiline #ring", "@batch=o :n!u@h PRIVMSG #ring :begun", "@batch=o :n!u@h PRIVMSG #ring :and cut off")
    up.socket.shutdown(socket.SHUT_WR)
    assert [text for text, _ in batch(client)[1]] == ["begun", "and cut off"]


def test_in_a_gap(bouncer, fake):
    """A server's own history has them in batches within its batch; held lines are whole too."""
    caps = SERVER + " draft/chathistory draft/event-playback"
    server = fake()
    client, up = on_channel(bouncer, server, caps=caps, client_caps=MULTI)
    say(up, "before")
    client.expect("before")
    up.close()
    up = server.accept()
    up.register(caps, isupport="CASEMAPPING=ascii CHANTYPES=# PREFIX=(ov)@+ CHATHISTORY=50")
    up.joins("#ring", "bob")
    up.expect("CHATHISTORY AFTER #ring")
    up.send("@msgid=late :n!u@h BATCH +h draft/multiline #ring", "@batch=h :n!u@h PRIVMSG #ring :held",
            "@batch=h :n!u@h PRIVMSG #ring :too", ":fake BATCH -h", ":fake BATCH +c chathistory #ring",
            "@batch=c;msgid=m1;time=2037-01-01T00:00:00.000Z :n!u@h BATCH +m draft/multiline #ring", "@batch=m :n!u@h PRIVMSG #ring :missed",
            "@batch=m :n!u@h PRIVMSG #ring :both", ":fake BATCH -m", ":fake BATCH -c")
    assert [text for text, _ in batch(client)[1]] == ["missed", "both"]
    assert [text for text, _ in batch(client)[1]] == ["held", "too"]


def test_a_plain_client_of_all_networks(bouncer, fake):
    server = fake()
    up = network(bouncer, server)
    up.register(SERVER)
    client = bouncer.client("admin", caps=MULTI)
    client.send("JOIN #ring/net")
    up.joins("#ring", "bob")
    client.expect("366")
    up.send(*(line.replace("account=account", "account=a") for line in EXAMPLE))
    begin, lines = batch(client)
    assert begin.params[2] == "#ring/net" and begin.source == "n/net!u@h" and len(lines) == 3
    client.send("BATCH +1 draft/multiline #ring/net", "@batch=1 PRIVMSG #ring/net :one", "@batch=1 PRIVMSG #ring/net :two", "BATCH -1")
    up.expect("^BATCH \\+\\S+ draft/multiline #ring$")
    assert re.search("PRIVMSG #ring :one$", up.expect("PRIVMSG").text)


@pytest.mark.parametrize("caps", ["draft/chathistory batch", "draft/chathistory " + MULTI], ids=["apart", "whole"])
def test_many_short_lines_in_a_history(serve, fake, caps):
    """Each line of a message has a beginning of its own: fewer messages fit, and nobody is dropped for asking."""
    bouncer = Bouncer(serve, {"irc.client_buffer": "64k"})
    client, up = on_channel(bouncer, fake(), caps=SERVER)
    source = f"bob!{'b' * 20}@{'h' * 60}"
    for i in range(60):
        up.send(f":{source} BATCH +{i} draft/multiline #ring", *[f"@batch={i} :{source} PRIVMSG #ring :{i}"] * 24,
                f":fake BATCH -{i}")
    client.expect("PRIVMSG #ring :59$")
    asks = bouncer.client("admin/net@asks", caps=caps)
    asks.sync()
    asks.send("CHATHISTORY LATEST #ring * 60")
    history = asks.expect("BATCH \\+\\S+ chathistory").params[0][1:]
    told = [Line(text) for text in asks.until(f"BATCH -{history}$")]
    assert [line.params[1] for line in told if line.verb == "PRIVMSG"][-24:] == ["59"] * 24
    assert 24 <= sum(line.verb == "PRIVMSG" for line in told) < 24 * 60


def test_a_message_of_very_many_lines(bouncer, fake):
    """A server need not keep to what it says: what is more than a hundred lines is another message."""
    client, up = on_channel(bouncer, fake(), caps=SERVER, client_caps=MULTI)
    up.send(":n!u@h BATCH +a draft/multiline #ring", *[f"@batch=a :n!u@h PRIVMSG #ring :{i}" for i in range(250)],
            ":fake BATCH -a")
    parts = [batch(client)[1] for _ in range(3)]
    assert [len(part) for part in parts] == [100, 100, 50]
    assert [text for part in parts for text, _ in part] == [str(i) for i in range(250)]
