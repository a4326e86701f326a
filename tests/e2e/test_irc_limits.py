"""What a user sets is kept whole, or refused and said, at the very limit."""
import json
import socket
import sqlite3
import time

import pytest

from fault_harness import basic
from irc_service import ADMIN, Bouncer
from stage import PATIENCE, await_true
from test_irc import say
from test_irc_upstream import CAPS, ISUPPORT, page

MOST = 9999  # store/store_irc.h


@pytest.fixture
def bouncer(serve, tmp_path):
    made = Bouncer(serve, {"store.file": str(tmp_path / "kept.db")})
    made.file = tmp_path / "kept.db"
    return made


@pytest.fixture
def fake(fake):
    return fake()


def stored(bouncer, table, where):
    """The settings that are in the database."""
    with sqlite3.connect(f"file:{bouncer.file}?mode=ro", uri=True) as db:
        found = db.execute(f"SELECT settings FROM {table} WHERE name = ?", (where,)).fetchone()
    return found and json.loads(found[0])


def test_a_networks_settings(bouncer):
    bouncer.good("network create -addr irc+insecure://127.0.0.1:1 -name big -enabled false")
    texts = {name: letter * 1000 for name, letter in
             (("realname", "r"), ("pass", "p"), ("sasl-username", "u"), ("sasl-password", "s"), ("highlights", "h"),
              ("username", "n"))}
    for name, text in texts.items():
        bouncer.good(f"network update big -{name} {text}")
    bouncer.good(f"network update big -certfp '{'a' * 128} {'b' * 128}'")
    command = "c" * 3000
    bouncer.good(f"network update big -connect-command {command}")
    # 9,257 bytes until now, names and signs; filled up to the last byte, and one more.
    await_true(lambda: (stored(bouncer, "irc_networks", "big") or {}).get("connect_command") == command, 10)
    left = MOST - len(json.dumps(stored(bouncer, "irc_networks", "big"), separators=(",", ":"))) - len(',"proxy":""')
    proxy = f"socks5://{'u' * 250}:{'p' * 250}@"
    assert 0 < left - len(proxy) < 200
    assert "too long" in bouncer.bad(f"network update big -proxy {proxy.ljust(left + 1, 'h')}")
    bouncer.good(f"network update big -proxy {proxy.ljust(left, 'h')}")
    await_true(lambda: stored(bouncer, "irc_networks", "big").get("proxy") == proxy.ljust(left, "h"), 10)
    kept = stored(bouncer, "irc_networks", "big")
    assert {name.replace("-", "_"): kept[name.replace("-", "_")] for name in texts} == {
        name.replace("-", "_"): text for name, text in texts.items()}


def test_pins_are_fingerprints(bouncer):
    """One that can be none would keep the network away for ever."""
    bouncer.good("network create -addr ircs://127.0.0.1:1 -name pins -enabled false")
    sha256, sha512 = "0a" * 32, "0B" * 64
    for pin in ("aaaa", sha256[1:], sha256 + "0", "g" * 64, f"{sha256} nonsense", f"sha256={sha256}"):
        assert "no fingerprint" in bouncer.bad(f"network update pins -certfp '{pin}'")
    for pin in (sha256, sha512, ":".join(["0A"] * 32), f"{sha256} {sha512}", ""):
        bouncer.good(f"network update pins -certfp '{pin}'")


def test_a_users_rules(bouncer):
    """Twenty rules of four long words are more than is kept: the one that does not fit is refused, and the others stay."""
    network, quotes, count, good = "n" * 60, '\\"' * 79, 0, True
    bouncer.good(f"network create -addr irc+insecure://127.0.0.1:1 -name {network} -enabled false")
    while good and count < 20:
        good, said = bouncer.order(f'notify add -network {network} -channel "{quotes}" -nick "{quotes}" "{quotes}"')
        count += good
    assert 10 < count < 20 and "too long together" in said[0], (count, said)
    await_true(lambda: len((stored(bouncer, "irc_users", "admin") or {}).get("rules", [])) == count, 10)
    assert len(bouncer.good("notify list")) == count


def test_what_is_said_of_oneself(bouncer):
    client = bouncer.client(caps="batch soju.im/bouncer-networks")
    client.send(f"SETNAME :{'n' * 1001}")
    client.expect("FAIL SETNAME INVALID_REALNAME")
    client.send_bytes(b"SETNAME :\xff\xfe\r\n")
    client.expect("FAIL SETNAME INVALID_REALNAME")
    client.send(f"SETNAME :{'n' * 1000}", f"AWAY :{'a' * 1001}")
    client.expect("FAIL AWAY INVALID_PARAMS")
    client.send(f"AWAY :{'a' * 1000}")
    client.expect(" 306 ")
    await_true(lambda: (stored(bouncer, "irc_users", "admin") or {}).get("away") == "a" * 1000, 10)
    assert stored(bouncer, "irc_users", "admin")["realname"] == "n" * 1000


def test_a_channels_key(bouncer, fake):
    client, up = bouncer.on_channel(fake)
    client.send(f"JOIN #door {'k' * 201}")
    client.expect(" 525 .*#door")
    client.send(f"JOIN #door {'k' * 200}")
    assert up.expect("^JOIN #door").params[1] == "k" * 200
    await_true(lambda: (stored(bouncer, "irc_buffers", "#door") or {}).get("key") == "k" * 200, 10)
    up.joined("#door")
    client.expect("366 .*#door")
    up.close()
    up = fake.accept()
    up.register()
    assert up.expect("^JOIN #door").params == ["#door", "k" * 200]


# -- settings: each is small here, and met --------------------------------------------------------------------------


def test_what_a_client_may_ask_for(serve, fake):
    bouncer = Bouncer(serve, {"irc.server_questions": "2", "irc.monitors": "2", "irc.metadata_keys": "2", "irc.rules": "2",
                              "irc.multiline_lines": "3", "irc.multiline_bytes": "600", "irc.answer_lines": "10"})
    client, up = bouncer.on_channel(fake, client_caps="batch message-tags draft/metadata-2 draft/multiline standard-replies")
    offer = " ".join(client.said)
    assert "draft/multiline=max-bytes=600,max-lines=3" in offer and "before-connect,max-subs=2," in offer

    client.send("WHOIS bob", "WHOIS carol", "WHOIS dave", "PRIVMSG #ring :not a question")
    client.expect("FAIL \\* RATE_LIMITED :WHOIS was not sent: too much waits for an answer already")
    up.expect("PRIVMSG #ring :not a question")
    assert [line for line in up.said if "WHOIS" in line] == ["WHOIS bob", "WHOIS carol"]
    up.send(":fake 318 ann bob :End")
    client.expect(" 318 ")
    client.send("WHOIS dave")
    up.expect("WHOIS dave")

    client.send("MONITOR + bob,carol,dave")
    assert client.expect(" 734 ").params[1:3] == ["2", "dave"]
    client.send("METADATA * SUB one two three")
    assert client.expect("FAIL METADATA TOO_MANY_SUBS").params[2] == "three"
    for lines, code, most in ((["x"] * 4, "LINES", "3"), (["x" * 300] * 2, "BYTES", "600")):
        client.send("BATCH +m draft/multiline #ring", *(f"@batch=m PRIVMSG #ring :{line}" for line in lines), "BATCH -m")
        assert client.expect(f"FAIL BATCH MULTILINE_MAX_{code}").params[2] == most

    for word in ("one", "two"):
        bouncer.good(f"notify add {word}")
    assert bouncer.bad("notify add three") == "there are 2 rules, and no more may be (irc.rules)"
    said = bouncer.good("help")
    assert len(said) == 11 and said[-1].endswith(" more lines (irc.answer_lines)") and int(said[-1].split()[1]) > 10


def test_gaps(serve, fake):
    """One at a time, and not more than so many lines: who is there is told that there is more."""
    bouncer = Bouncer(serve, {"irc.gaps": "1", "irc.gap_lines": "5"})
    client, up = bouncer.on_channel(fake)
    client.send("JOIN #other")
    up.joins("#other")
    for name in ("#ring", "#other"):
        up.send(f":bob!b@h PRIVMSG {name} :before")
        client.expect("before")
    up.close()
    up = fake.accept()
    up.register(CAPS, isupport=ISUPPORT)
    up.expect("CHATHISTORY TARGETS .* 1$")
    up.expect("^JOIN")
    up.joined("#ring")
    up.joined("#other")
    client.expect("NOTICE ann :Not all that was said on net meanwhile is filled in.*irc.gaps")
    now = int(time.time())
    for ref, count in (("a", 3), ("b", 2)):
        assert up.expect("CHATHISTORY AFTER").params[1:4:2] == ["#ring", str(count)]
        page(up, ref, [(now, f"{ref}{i}", f"filled {ref}{i}") for i in range(count)])
    say(up, "live")
    client.expect("live")
    up.send("PING 1")
    up.expect("PONG")
    assert not any("CHATHISTORY" in line for line in up.said[up.said.index("CAP END"):] if "#other" in line)
    assert len([line for line in up.said if "CHATHISTORY AFTER" in line]) == 2
    assert len([line for line in client.said if "Not all that was said" in line]) == 1
    assert metric(bouncer, "irc_gaps_left_total") == 2


def metric(bouncer, name):
    text = bouncer.server.get("/metrics", auth=ADMIN).body.decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"ringmain_{name}"))


def test_uploads(serve):
    bouncer = Bouncer(serve, {"workers": "1", "irc.upload_max": "1M", "irc.uploads": "1", "irc.upload_stall": "1s"})

    def begin():
        client = socket.create_connection(("127.0.0.1", bouncer.server.port), PATIENCE)
        client.sendall(("POST /irc/uploads HTTP/1.1\r\nHost: x\r\n" + basic(*ADMIN) + "Expect: 100-continue\r\n"
                        "Content-Length: 100\r\n\r\n").encode())
        return client, client.recv(1000).split(b"\r\n")[0].split(b" ")[1]
    said, clients = b"", []
    while said != b"503":
        first, said = begin()
        assert said == b"100" and len(clients) < 20
        second, said = begin()
        clients += [first, second]
        if said == b"100":  # who was left out for a second finds the first given up; so must the second be
            assert not first.recv(1000) and not second.recv(1000)
    # Of the first nothing comes: it is given up, and another may.
    assert not first.recv(1000)
    third, said = begin()
    assert said == b"100"
    for client in (*clients, third):
        client.close()
