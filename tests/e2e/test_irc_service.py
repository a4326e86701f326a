"""BouncerServ: every command, by a client, over the admin API and by ringmainctl."""
import re
import subprocess

import pytest

from irc_service import ADMIN, Bouncer
from stage import ADMIN_PASSWORD, CLIENTS, await_true, free_ports

@pytest.fixture
def bouncer(serve):
    return Bouncer(serve)


@pytest.fixture
def fake(fake):
    return fake()


def test_users_are_made_changed_and_deleted(bouncer, fake):
    assert "-username" in bouncer.bad("user create -password abcdefghijk")
    assert "10" in bouncer.bad("user create -username bob -password short")
    assert bouncer.good("user create -username bob -password 'long enough 1' -nick bobby -realname \"Bob B\"") == [
        "bob was created"]
    assert "already" in bouncer.bad("user create -username bob -password 'long enough 1'")
    assert bouncer.good("user status")[1:] == ["bob"]
    assert "nick bobby" in bouncer.good("user run bob user status")[0]
    client = bouncer.client("bob", password="long enough 1", nick="x")
    assert "administrators" in client.service("user create -username eve -password 'long enough 1'")[0]
    assert "administrators" in client.service("user run admin user status")[0]
    assert "administrators" in client.service("user update -admin true")[0]
    assert "administrators" in client.service("server notice hello")[0]
    assert client.service("user update -nick robert") == ["bob was changed"]
    bouncer.good("user update bob -password 'another one 2' -admin yes")
    bouncer.client("bob", password="another one 2").close()
    assert "bob (admin)" in bouncer.good("user status")
    bouncer.good("user update bob -admin no -enabled no")
    assert bouncer.good("user status bob") == ["bob (disabled)"]
    assert "no user" in bouncer.bad("user status nobody")
    token = re.search(r"user delete bob ([0-9a-f]{6})$", bouncer.bad("user delete bob"))[1]
    bouncer.bad("user delete bob 000")
    assert bouncer.good(f"user delete bob {token}") == ["bob was deleted, with all that was his"]
    client.gone()
    assert bouncer.good("user status") == ["admin (admin): nick (unset), 0 networks, 0 clients"]
    assert bouncer.server.get("/api/v1/irc/users/bob", auth=ADMIN).status == 404
    assert "cannot be deleted" in bouncer.bad("user delete admin")
    assert [bouncer.bad(f"user delete {who}") for who in ("nobody", f"bob {token}")] == ["there is no user nobody", "there is no user bob"]
    assert "-password is missing" in bouncer.bad("user create -username ann")
    assert "password_hash" in bouncer.bad("user create -username eve -password-hash nonsense")


def test_a_user_without_a_password_has_app_passwords(bouncer):
    bouncer.good("user create -username bot -disable-password true -max-networks 0")
    assert "no more may be" in bouncer.client("bot", password=re.search(
        "is ([0-9a-f]{24})", bouncer.good("password create robot", "bot")[0])[1]).service(
            "network create -addr irc+insecure://127.0.0.1:1")[0]
    assert "robot (password) last used" in bouncer.good("password list", "bot")[0]
    assert bouncer.good("password revoke robot", "bot") == ["robot is void"]
    assert bouncer.good("password list", "bot") == ["there is none"]


def test_a_certificate_of_ones_own(bouncer, fake):
    bouncer.good(f"network create -addr {fake.address()} -name net -nick ann")
    fake.accept().register(None)
    assert "certfp generate" in bouncer.bad("sasl set-external")
    assert "certfp generate" in bouncer.bad("certfp fingerprint")
    assert "-key-type" in bouncer.bad("certfp generate -key-type dsa")
    assert "-bits" in bouncer.bad("certfp generate -bits 1024")
    for kind in ("ed25519", "ecdsa"):
        lines = bouncer.good(f"certfp generate -key-type {kind}")
        assert "once it is called over TLS" in lines[0]
        assert [len(re.sub(".*: ", "", line)) for line in lines[-3:]] == [40, 64, 128]
        assert bouncer.good("certfp fingerprint") == lines[-3:]
    assert bouncer.good("sasl status") == ["net: no SASL is set"]
    bouncer.good("sasl set-external")
    assert bouncer.good("sasl status") == ["net: EXTERNAL"]
    bouncer.good("sasl reset")
    assert bouncer.good("sasl status") == ["net: no SASL is set"]
    bouncer.good("sasl set-scram ann secret")
    assert bouncer.good("sasl status") == ["net: SCRAM-SHA-256 as ann"]


def test_devices_by_certificate(bouncer):
    finger = ":".join(["AB"] * 64)
    assert "128" in bouncer.bad("device-certificate create -label x -fingerprint abcd")
    bouncer.good(f"device-certificate create -label phone -fingerprint {finger}")
    assert "certificate of that label already" in bouncer.bad(f"device create -label phone -fingerprint {finger}")
    assert bouncer.good("device status") == ["phone (certificate) never used"]
    assert "none" in bouncer.bad("password revoke phone")
    bouncer.good("device delete phone")
    assert bouncer.good("device status") == ["there is none"]


def test_everybody_hears_a_notice(bouncer):
    bouncer.good("user create -username bob -password 'long enough 1'")
    bob, ann = bouncer.client("bob", password="long enough 1"), bouncer.client()
    bouncer.good("server notice The server moves at ten")
    for client in (ann, bob):
        client.expect("NOTICE .*:The server moves at ten")
    ann.send("PRIVMSG $* :and at eleven")
    bob.expect("NOTICE .*:and at eleven")
    bob.send("PRIVMSG $* :fooled")
    bob.sync()
    assert not any("fooled" in line for line in ann.sync())


def test_lines_go_to_the_log_when_wanted(bouncer, fake):
    assert bouncer.good("server debug true")
    bouncer.good(f"network create -addr {fake.address()} -name net -nick ann")
    up = fake.accept()
    up.register(None)
    up.send(":fake NOTICE ann :look at me")
    await_true(lambda: "look at me" in bouncer.server.log(), 10, "the line in the log")
    assert bouncer.good("server debug false")
    assert bouncer.bad("server debug maybe")


def test_channels_are_set(bouncer, fake):
    bouncer.good(f"network create -addr {fake.address()} -name net -nick ann")
    up = fake.accept()
    up.register(None)
    bouncer.good("channel create #quiet -detached true -relay-detached message -reattach-on none -detach-on highlight "
                 "-detach-after 2h")
    up.joins("#quiet", "bob")
    await_true(lambda: "[joined, detached]" in bouncer.good("channel status")[0], 10, "it is joined")
    assert "-relay-detached is default" in bouncer.bad("channel update #quiet -relay-detached loud")
    assert "-detach-after" in bouncer.bad("channel update #quiet -detach-after 10x")
    assert "-nonsense" in bouncer.bad("channel update #quiet -nonsense 1")
    assert bouncer.good("channel update #quiet/net -detached false")
    bouncer.good("channel delete #quiet")
    up.expect("^PART #quiet")


def test_what_is_not_connected_is_said_with_its_reason(serve):
    bouncer = Bouncer(serve, {"irc.reconnect_first": "1h", "irc.reconnect_most": "1h"})
    assert "no network yet" in bouncer.client().expect("NOTICE .*BouncerServ network create").text
    bouncer.good(f"network create -addr irc+insecure://127.0.0.1:{free_ports()} -name dead")
    bouncer.good("network create -addr irc+insecure://127.0.0.1:1 -name asleep -enabled false")

    def status():
        return bouncer.good("network status")
    await_true(lambda: any("Connection refused. Trying again in " in line for line in status()), 20, status)
    assert "  It is turned off (network update asleep -enabled true)" in status()
    network = next(one for one in bouncer.server.get("/api/v1/irc/me", auth=ADMIN).json["networks"] if one["name"] == "dead")
    assert network["state"] == "waits" and network["next_try"] > network["since"]
    client = bouncer.client("admin/dead@one")
    client.expect("NOTICE ann :dead is not connected: 127.0.0.1: Connection refused. Trying again in ")
    client.send("JOIN #ring")
    client.expect("NOTICE ann :#ring is joined when dead is connected")
    stranger = bouncer.client(None)
    stranger.send(f"PASS :{ADMIN_PASSWORD}", "NICK ann", "USER admin/nix 0 * :Ann")
    stranger.expect("464 .* nix; there are: dead, asleep")


def test_help_says_what_a_network_can_be_told(bouncer):
    said = bouncer.good("help network create")
    assert said[0].startswith("network create -addr") and any(line.startswith("  -proxy: A SOCKS5 proxy") for line in said)
    assert not any("-proxy" in line for line in bouncer.good("help"))
    assert all(line.startswith("password") for line in bouncer.good("help password"))
    assert "unknown" in bouncer.bad("help nonsense")
    assert bouncer.good("Help NETWORK Create") == said and bouncer.good("Network STATUS") == bouncer.good("network status")


def test_where_a_password_was_used_outlasts_a_restart(serve, tmp_path):
    settings = {"store.file": str(tmp_path / "kept.db")}
    bouncer = Bouncer(serve, settings)
    secret = re.search("is ([0-9a-f]{24})", bouncer.good("password create phone")[0])[1]
    bouncer.client("admin@phone", password=secret).close()
    listed = bouncer.good("password list")
    assert listed[0].endswith("from 127.0.0.1")
    bouncer.server.stop()
    assert Bouncer(serve, settings).good("password list") == listed


def ringmainctl(server, *words, **more):
    data = server.process.args[server.process.args.index("--data") + 1]
    return subprocess.run([CLIENTS / "ringmainctl", "--data", data, "irc", *words], capture_output=True, text=True,
                          timeout=120, **more)


def known(bouncer):
    return sorted(user["name"] for user in bouncer.server.get("/api/v1/irc/users", auth=ADMIN).json["users"])


def test_an_order_for_a_name_that_nobody_has_is_refused(bouncer):
    """It would be a user whom networks see, and who can never come in."""
    bouncer.good("user create -username bob -password 'long enough 1'")
    for name in ("bbo", "-", "-x"):
        told = ringmainctl(bouncer.server, name, "network", "create", "-addr", "irc+insecure://127.0.0.1:1")
        assert told.returncode and told.stdout.startswith("error no account here has this name") or name == "-", told
        assert bouncer.server.get(f"/api/v1/irc/users/{name}/command", auth=ADMIN, method="POST", body='{"command": "help"}',
                                  headers={"Content-Type": "application/json"}).status == 404
    assert ringmainctl(bouncer.server, "-", "extra").returncode == 2
    assert ringmainctl(bouncer.server, "bob", "help").stdout.startswith("ok help [command]")
    assert known(bouncer) == ["admin", "bob"]


def test_who_has_no_account_and_asks_only_leaves_nothing(serve):
    """Where others may say who somebody is, orders for a name without an account are taken."""
    bouncer = Bouncer(serve, {"irc.auth_url": "http://127.0.0.1:1/"})
    for asked in ("help", "network status", "search nothing"):
        assert "no account here has this name" in ringmainctl(bouncer.server, "ann", *asked.split()).stdout
    assert ringmainctl(bouncer.server, "-x", "user", "update", "-nick", "x").returncode == 1
    assert known(bouncer) == []
    bouncer.good("user update -nick annie", "ann")
    assert known(bouncer) == ["ann"]


def test_names_that_no_channel_can_have(bouncer, fake):
    """Before the server has said its kinds, any that are known will do; then its own count."""
    bouncer.good("network create -addr irc+insecure://127.0.0.1:1 -name off -enabled false")
    for name, why in (("foo", "begin with one of #&+!"), ("#a,b", "comma"), ('"#has space"', "blank"), ("#x\a", "BEL"), ("#", "alone"),
                      (f"#{'x' * 200}", "200 bytes"), ("#x -bogus yes", "-bogus is not known")):
        assert why in bouncer.bad(f"channel create {name} -network off"), name
    assert bouncer.good("channel status") == []
    bouncer.good("channel create +old -network off")
    client, up = bouncer.on_channel(fake)
    assert "begin with #" in bouncer.bad("channel create +old/net")
    bouncer.good("channel create #new/net")
    up.expect("JOIN #new")


@pytest.mark.parametrize("order, why", [
    ("network create -name x", "-addr is missing"), ("network create -addr ://", "-addr :// is no address"),
    ("network create -addr irc.example.org -name a/b", "a/b cannot be its name"),
    ("network create -addr irc.example.org -name off", "there is a network off already"),
    ("network update off -proxy http://x", "-proxy is no proxy: socks5://"), ("network update off -bind foo", "-bind is no address"),
    ("channel update #ring/off -detached maybe", "-detached is true or false"), ("password create -label", "-label is no label"),
    ("password create -label -x", "-x is no label"), ("search -foo x", "-foo is not known here"),
    ("search -in #nope", "no channel or conversation #nope"), ("server bogus", "unknown command server bogus: there are server status, "),
    ("server", "server what? There are server status, "), ("bogus", "unknown command bogus: try help")],
    ids=lambda text: re.sub("[^a-z]+", "-", text))
def test_what_is_wrong_is_said(bouncer, order, why):
    bouncer.good("network create -addr irc+insecure://127.0.0.1:1 -name off -enabled false")
    bouncer.good("channel create #ring/off")
    assert why in bouncer.bad(order)
    assert bouncer.good("search -- -foo x") == ["nothing was found"]
    assert bouncer.server.get("/api/v1/irc/search?text=-foo", auth=ADMIN).json["lines"] == []


def test_help_shows_what_one_may(bouncer):
    bouncer.good("user create -username bob -password 'long enough 1'")
    bob = bouncer.client("bob", password="long enough 1", nick="bob", caps="soju.im/bouncer-networks")
    said = bob.service("help")
    assert any("user update" in line for line in said) and not any(re.search("user create|server ", line) for line in said)
    assert any("server debug" in line for line in bouncer.good("help"))
    bob.send("BOUNCER FOO")
    bob.expect("FAIL BOUNCER UNKNOWN_COMMAND .*LISTNETWORKS")


def test_orders_while_there_is_no_irc(serve):
    """Nothing was loaded: what would be kept then would lie over what the store has."""
    server = serve({})
    told = ringmainctl(server, "admin", "network", "create", "-addr", "irc.example.org")
    assert (told.returncode, told.stdout) == (1, "error irc.listen is not set: there is no IRC here, and nothing can be ordered\n")
    assert server.get("/api/v1/irc/command", auth=ADMIN, method="POST", body='{"command": "help"}',
                      headers={"Content-Type": "application/json"}).status == 409


def test_words_that_are_no_line_are_refused(bouncer, fake):
    """Over the API a word may hold anything; to a server it would be an order more."""
    client, up = bouncer.on_channel(fake)
    for text in ('channel create "#x\nQUIT"', 'user update -realname "x\r\nOPER a b"', 'channel update #ring -key "a\nQUIT"'):
        assert "line break" in bouncer.bad(text)
    assert "not connected" in bouncer.bad(f"network quote net 'TOPIC #ring :{'x' * 900}'")
    client.send(f"TOPIC #ring :{'x' * 900}", f"AWAY :{'y' * 900}")
    client.expect(" 417 ")
    assert up.expect("^AWAY :").params[0] == "y" * 400
    assert not any("TOPIC" in line for line in up.said)


def test_there_are_only_so_many_passwords(serve):
    bouncer = Bouncer(serve, {"irc.passwords": "2"})
    bouncer.good("password create one")
    bouncer.good("password create two")
    assert "password of that label already" in bouncer.bad("password create two")
    assert "as many" in bouncer.bad("password create three")
    bouncer.good("password delete one")
    bouncer.good("password create three")
    assert "label" in bouncer.bad(f"password create {'x' * 101}")


def test_the_message_of_the_day(serve, tmp_path):
    """Who is on no network is told it, and who asks; a reload reads it again, and one that cannot be used is none."""
    path = tmp_path / "motd"
    path.write_text("Welcome \u2764\r\n\n" + "\u00e4" * 450)
    bouncer = Bouncer(serve, {"irc.motd": path})
    bouncer.good("network create -addr irc+insecure://127.0.0.1:1 -name net -enabled false -nick ann")

    def told(lines):
        return [line.split(" ", 3)[1::2] for line in lines if re.match(":ringmain (375|372|376|422) ", line)]

    whole = [["375", ":- ringmain Message of the day -"], ["372", ":- Welcome \u2764"], ["372", ":- "],
             ["372", ":- " + "\u00e4" * 200], ["372", ":- " + "\u00e4" * 200], ["372", ":- " + "\u00e4" * 50],
             ["376", ":End of /MOTD command"]]
    client = bouncer.client()
    assert told(client.said) == whole
    assert told(bouncer.client("admin/net").said) == [["422", ":No message of the day"]]
    for text, good in ((b"Another\n" * 200, True), (b"\n" * 201, False), (b"x" * 8193, False), (b"\xff", False),
                       (b"a\0b", False), (b"", False), (None, False)):
        path.unlink() if text is None else path.write_bytes(text)
        assert bouncer.server.get("/api/v1/reload", auth=ADMIN, method="POST").status == 200
        client.send("MOTD")
        assert [number for number, _ in told(client.sync())] == (["375", *["372"] * 200, "376"] if good else ["422"])
        assert ("irc.motd" in bouncer.server.log()) == (text != b"Another\n" * 200)


def test_the_bouncer_answers_for_itself(bouncer):
    """What clients ask a server when they come, and people then, is answered where there is no server."""
    bouncer.good("network create -addr irc+insecure://127.0.0.1:1 -name net -enabled false")
    bouncer.good("user create -username bob -password 'long enough 1'")
    bob = bouncer.client("bob", password="long enough 1", nick="bob")
    for caps in ("soju.im/bouncer-networks labeled-response batch", "labeled-response batch"):
        client = bouncer.client(caps=caps)
        client.sync()
        for asked, numbers, says in (
                ("INFO", "371 371 374", "ringmain-"), ("MOTD", "422", "No message"), ("VERSION", "351 005", "ringmain-"),
                ("LIST", "321 323", "networks"), ("LUSERS", "251 255 265 266", "1 networks"), ("TIME", "391", "20.*T.*Z"),
                ("WHO ann", "352 315", r"352 ann \* admin ringmain ringmain ann H\* :0 "), ("WHO bob", "315", "315 ann bob "),
                ("WHO", "315", r"\* :End"), ("WHOIS ann", "311 312 313 318", r"311 ann ann admin ringmain \* :"),
                ("WHOIS bob", "401 318", "401 ann bob "), ("WHOIS ann bouncerserv", "311 312 318", "BouncerServ"),
                ("WHO BouncerServ", "352 315", "BouncerServ H :0"), ("USERHOST bob ann", "302", ":ann\\*=\\+admin@ringmain$"),
                ("ISON :bob BouncerServ ann", "303", ":BouncerServ ann$"), ("MODE ann", "221", "ann \\+"),
                ("NAMES #a", "366", "#a")):
            client.send(asked)
            said = [line for line in client.sync() if "BATCH" not in line]
            assert " ".join(line.split()[1] for line in said) == numbers, (asked, said)
            assert re.search(says, " ".join(said)), (asked, said)
        client.send("MODE ann +i", "@label=l WHO ann")
        assert [re.sub("(=L|[+-]L)[0-9]+", r"\1", line).split(" ", 2)[:2] for line in client.sync()] == [
            ["@label=l", ":ringmain"], ["@batch=L", ":ringmain"], ["@batch=L", ":ringmain"], [":ringmain", "BATCH"]]
        client.send("KILL bob")
        client.expect(" 421 .*(BouncerServ|network)")
        client.close()
    bob.close()


def test_who_the_service_is_on_a_network(bouncer, fake):
    client, up = bouncer.on_channel(fake)
    client.send("WHOIS BouncerServ")
    client.expect(" 311 .*BouncerServ")
    client.send("WHOIS bob")
    assert up.expect("^WHO").text == "WHOIS bob"
