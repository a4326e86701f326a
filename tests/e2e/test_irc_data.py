"""What was said: found by word, taken home, forgotten."""
import contextlib
import re
import sqlite3

import pytest

from irc import PATIENCE, Line, await_kept
from irc_service import ADMIN, Bouncer
from stage import await_true


@pytest.fixture
def bouncer(serve):
    return Bouncer(serve)


@pytest.fixture
def fake(fake):
    return fake()


@pytest.fixture
def talk(bouncer, fake):
    """(client, the server's end), and something was said."""
    client, up = bouncer.on_channel(fake, client_caps="batch soju.im/search draft/chathistory server-time")
    for who, text in (("bob", "The Zürich train is late"), ("carol", "which train?"), ("bob", "train 17, to Bern"),
                      ("carol", "100% \"sure\"?")):
        up.send(f":{who}!u@h PRIVMSG #ring :{text}")
    up.send(":bob!u@h PRIVMSG ann :a private train")
    client.expect("private train")
    client.send("PRIVMSG #ring :my own train")
    up.expect("my own train")
    return client, up


def found(client, words):
    client.send(f"SEARCH {words}")
    client.expect("BATCH \\+.*search")
    return [Line(line).params[1] for line in client.until("BATCH -")]


def test_search(bouncer, talk):
    client, _ = talk
    everything = ["The Zürich train is late", "which train?", "train 17, to Bern", "a private train", "my own train"]
    # Of two buffers in one millisecond either may come first.
    assert sorted(found(client, "text=train")) == sorted(everything)
    assert found(client, "text=TRAI;in=#ring;limit=2") == [everything[2], everything[4]]
    assert found(client, "text=zurich") == everything[:1]
    assert found(client, "text=train;from=carol") == everything[1:2]
    assert found(client, "from=bob;in=#ring") == [everything[0], everything[2]]
    assert found(client, "text=100%\\s\"sure\"") == ['100% "sure"?']
    assert found(client, "text=late\\strain") == everything[:1]
    assert sorted(found(client, "text=rai")) == sorted(everything) and found(client, "text=ürich\\sRAI") == everything[:1]
    assert found(client, "text=17") == everything[2:3] and found(client, "text=%") == ['100% "sure"?']
    assert found(client, "text=tr_in") == [] and found(client, "text=\"*") == [] and found(client, "text=train\\srein") == []
    assert found(client, "text=train;before=2020-01-01T00:00:00.000Z") == []
    client.send("SEARCH after=yesterday")
    client.expect("FAIL SEARCH|NOTICE .*after")
    lines = bouncer.good("search -in #ring -from carol train")
    assert len(lines) == 1 and lines[0].endswith("#ring/net <carol> which train?")
    assert bouncer.good("search nonsense") == ["nothing was found"]
    shown = bouncer.server.get("/api/v1/irc/search?text=train&in=%23ring&limit=1", auth=ADMIN).json["lines"]
    assert [(line["buffer"], line["network"]) for line in shown] == [("#ring", "net")]
    assert shown[0]["line"].endswith("PRIVMSG #ring :my own train")
    assert bouncer.server.get("/api/v1/irc/search?text=x&network=other", auth=ADMIN).status == 400


def test_nobody_finds_what_another_was_told(bouncer, talk):
    bouncer.good("user create -username bob -password 'long enough 1'")
    assert bouncer.server.get("/api/v1/irc/search?text=train", auth=("bob", "long enough 1")).json == {"lines": [], "behind": 0}
    assert bouncer.good("search train", "bob") == ["nothing was found"]
    assert bouncer.server.get("/api/v1/irc/export", auth=("bob", "long enough 1")).json["lines"] == []


def test_export_is_whole_page_by_page(bouncer, talk):
    said, place, pages = [], "", 0
    while place is not None:
        page = bouncer.server.get(f"/api/v1/irc/export?limit=3&from={place}", auth=ADMIN).json
        if not pages:
            assert page["networks"][0]["channels"] == ["#ring"] and page["networks"][0]["nick"] == "ann"
            assert "pass" not in page["networks"][0]
        said += [line["line"] for line in page["lines"] if "PRIVMSG" in line["line"]]
        place, pages = page["next"], pages + 1
    assert pages > 2 and sorted(line.split(":")[-1] for line in said) == sorted(
        ["The Zürich train is late", "which train?", "train 17, to Bern", '100% "sure"?', "a private train",
         "my own train"])
    lines = bouncer.good("data export -limit 2")
    assert len(lines) == 3 and lines[2].startswith("# there is more: data export -from ")
    assert " net #ring :" in lines[0]
    assert "-from" in bouncer.bad("data export -from nonsense")


def test_forgetting(bouncer, talk):
    client, up = talk
    token = re.search("([0-9a-f]{6})$", bouncer.bad("data forget -in #ring"))[1]
    assert bouncer.good(f"data forget -in #ring {token}") == ["forgotten in 1 channels and conversations"]
    await_true(lambda: found(client, "text=train") == ["a private train"], 10, "only what is private is found")
    client.send("CHATHISTORY LATEST #ring * 100")
    client.expect("BATCH \\+.*chathistory")
    assert client.until("BATCH -") == []
    up.send(":bob!u@h PRIVMSG #ring :a new train")
    client.expect("a new train")
    assert found(client, "text=train;in=#ring") == ["a new train"]
    token = re.search("([0-9a-f]{6})$", client.service("data delete")[0])[1]
    assert "This cannot be undone" in client.service("data delete 123456")[0]
    client.send(f"PRIVMSG BouncerServ :data delete {token}")
    client.expect("all that was yours here is deleted")
    client.gone()
    up.expect("^QUIT")
    assert bouncer.server.get("/api/v1/irc/me", auth=ADMIN).status == 404
    assert bouncer.good("network status")[0].startswith("there is no network")


def test_attributes_that_need_no_new_connection(bouncer, talk):
    client, up = talk
    bouncer.good("network update net -highlights 'train bus' -retention-days 30")
    bouncer.good("channel update #ring -retention-days 7")
    up.send("PING still")
    up.expect("PONG :?still")
    assert bouncer.good("network update net -nick ann -enabled yes") == ["network net was changed"]
    up.send("PING again")
    up.expect("PONG :?again")
    assert bouncer.good("network update net -realname Ann") == ["network net was changed, and connects anew"]
    up.expect("^QUIT")
    assert bouncer.good("network update net -enabled no") == ["network net was changed, and is disconnected"]


# -- history that is not there ---------------------------------------------------------------------

ASKS = "batch labeled-response message-tags draft/chathistory soju.im/search"


def test_history_without_a_store_is_what_rings_have(serve, fake):
    bouncer = Bouncer(serve, {"store.enabled": "no", "irc.ring": "16k"})
    client, up = bouncer.on_channel(fake, client_caps=ASKS)
    up.send(*(f":bob!b@h PRIVMSG #ring :{i:04} {'x' * 90}" for i in range(400)))
    client.expect(" :0399 ")
    for question in ("LATEST #ring * 1000", "AFTER #ring timestamp=2020-01-01T00:00:00.000Z 1000"):
        client.send(f"CHATHISTORY {question}")
        client.expect("BATCH \\+")
        said = [int(line.split(" :")[-1][:4]) for line in client.until("BATCH -")]
        assert said == list(range(said[0], 400)) and len(said) > 20
    client.send("@label=x CHATHISTORY BEFORE #ring msgid=nobody 5")
    line = client.expect("FAIL CHATHISTORY ")
    assert line.tags == {"label": "x"} and line.params[1:4] == ["INVALID_MSGREFTYPE", "BEFORE", "#ring"]


def test_history_that_cannot_be_read_is_said_to_be_so(serve, fake):
    bouncer = Bouncer(serve, {"irc.ring": "16k"})
    client, up = bouncer.on_channel(fake, client_caps=ASKS)
    up.send(*(f":bob!b@h PRIVMSG #ring :{i:04} {'x' * 90}" for i in range(400)))
    await_kept(bouncer.server, lines=[f"0399 {'x' * 90}"])
    data = bouncer.server.process.args[bouncer.server.process.args.index("--data") + 1]
    with contextlib.closing(sqlite3.connect(f"{data}/ringmain.db", timeout=PATIENCE)) as store:
        store.execute("ALTER TABLE irc_lines RENAME TO irc_others")
    for question, command in (("CHATHISTORY LATEST #ring * 1000", "CHATHISTORY MESSAGE_ERROR LATEST #ring"),
                              ("CHATHISTORY AFTER #ring timestamp=2020-01-01T00:00:00.000Z 9",
                               "CHATHISTORY MESSAGE_ERROR AFTER #ring"),
                              ("SEARCH text=xxx", "SEARCH INTERNAL_ERROR")):
        client.send(f"@label=x {question}")
        line = client.expect(" FAIL ")
        assert line.tags == {"label": "x"} and " ".join(line.params[:-1]) == command
    assert "cannot be read now" in client.service("search xxx")[0]
