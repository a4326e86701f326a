"""BouncerServ: every command, by a client, over the admin API and by ringmainctl."""
import re

import pytest

from irc import FakeServer
from irc_service import ADMIN, Bouncer
from stage import await_true

@pytest.fixture
def bouncer(serve):
    return Bouncer(serve)


@pytest.fixture
def fake():
    server = FakeServer()
    yield server
    server.close()


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
        assert [len(re.sub(".*: ", "", line)) for line in lines[-3:]] == [40, 64, 128]
        assert bouncer.good("certfp fingerprint") == lines[-3:]
    assert bouncer.good("sasl status") == ["net: EXTERNAL"]
    bouncer.good("sasl reset")
    assert bouncer.good("sasl status") == ["net: no SASL is set"]
    bouncer.good("sasl set-scram ann secret")
    assert bouncer.good("sasl status") == ["net: SCRAM-SHA-256 as ann"]


def test_devices_by_certificate(bouncer):
    finger = ":".join(["AB"] * 64)
    assert "128" in bouncer.bad("device-certificate create -label x -fingerprint abcd")
    bouncer.good(f"device-certificate create -label phone -fingerprint {finger}")
    assert "one of that label" in bouncer.bad(f"device create -label phone -fingerprint {finger}")
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
