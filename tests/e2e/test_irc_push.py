"""Rules of what one is called for, and WebPush: a receiver of the test's own reads what it is sent."""
import base64
import datetime
import json
import os
import threading
import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from irc_service import ADMIN, Bouncer
from outside import Outside, certificate
from stage import await_true


def encode(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Receiver:
    """A browser, and the service that it is reached by."""

    def __init__(self, directory):
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.point = self.private.public_key().public_bytes(serialization.Encoding.X962,
                                                            serialization.PublicFormat.UncompressedPoint)
        self.secret = os.urandom(16)
        self.status, self.read, self.lock = 201, [], threading.Lock()
        context, self.ca = certificate(directory)
        self.outside = Outside(self.answer, tls=context)

    def answer(self, request):
        with self.lock:
            self.read.append(self.open(request))
        request.answer(self.status)

    def keys(self):
        return f"p256dh={encode(self.point)};auth={encode(self.secret)}"

    def open(self, request):
        """RFC 8291 and RFC 8292, as a browser and its service do."""
        assert request.method == "POST" and request.headers["content-encoding"] == "aes128gcm"
        assert int(request.headers["ttl"]) > 0
        token, key = [part.split("=", 1)[1] for part in request.headers["authorization"].removeprefix("vapid ").split(", ")]
        head, claims, signature = token.split(".")
        signer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decode(key))
        raw = decode(signature)
        signer.verify(utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")),
                      f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
        said = json.loads(decode(claims))
        assert said["aud"] == self.outside.url("") and time.time() < said["exp"] < time.time() + 86400
        body = request.body
        salt, length = body[:16], body[20]
        point, sealed = body[21:21 + length], body[21 + length:]
        shared = self.private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))

        def derive(salt, secret, info, size):
            return HKDF(hashes.SHA256(), size, salt, info).derive(secret)
        secret = derive(self.secret, shared, b"WebPush: info\0" + self.point + point, 32)
        text = AESGCM(derive(salt, secret, b"Content-Encoding: aes128gcm\0", 16)).decrypt(
            derive(salt, secret, b"Content-Encoding: nonce\0", 12), sealed, None)
        assert text[-1:] == b"\2"
        self.key = key
        return text[:-1].decode()


@pytest.fixture
def receiver(tmp_path):
    made = Receiver(tmp_path)
    with made.outside:
        yield made


@pytest.fixture
def bouncer(serve, receiver):
    return Bouncer(serve, {"outgoing.internal": "127.0.0.0/8", "outgoing.ca_file": str(receiver.ca),
                           "irc.push_delay": "0"})


@pytest.fixture
def fake(fake):
    return fake()


def subscribed(bouncer, fake, receiver):
    client, up = bouncer.on_channel(fake, client_caps="soju.im/webpush draft/read-marker standard-replies")
    client.send(f"WEBPUSH REGISTER {receiver.outside.url('/box')} {receiver.keys()}")
    client.expect("WEBPUSH REGISTER https")
    assert "NOTE WEBPUSH REGISTERED" in receiver.read[0]
    return client, up


def say(up, text, who="bob", target="#ring"):
    up.send(f":{who}!b@h PRIVMSG {target} :{text}")


def test_what_one_was_not_there_for(bouncer, fake, receiver):
    client, up = subscribed(bouncer, fake, receiver)
    assert any(f"VAPID={receiver.key}" in line for line in client.said)
    say(up, "nothing of yours")
    say(up, "hello Ann!")
    await_true(lambda: len(receiver.read) == 2, 10, lambda: receiver.read)
    say(up, "privately", "carol", "ann")
    await_true(lambda: len(receiver.read) == 3, 10, lambda: receiver.read)
    # Also who is told of all networks knows where it was said.
    assert all(f";ringmain/network=net;ringmain/buffer={name} :" in text for name, text in zip(("#ring", "carol"), receiver.read[1:]))
    assert receiver.read[1].startswith("@time=2") and receiver.read[1].endswith(":bob!b@h PRIVMSG #ring :hello Ann!")
    assert receiver.read[2].endswith(":carol!b@h PRIVMSG ann :privately")
    client.send("MARKREAD #ring timestamp=2099-01-01T00:00:00.000Z")
    await_true(lambda: len(receiver.read) == 4, 10, lambda: receiver.read)
    assert receiver.read[3].startswith("@ringmain/network=net;ringmain/buffer=#ring :")
    assert " MARKREAD #ring timestamp=2" in receiver.read[3]
    # The service says that the browser is gone.
    receiver.status = 410
    say(up, "Ann?")
    await_true(lambda: bouncer.good("push status") == ["there is none"], 10, "it is dropped")
    assert len(receiver.read) == 5


def test_one_is_called_for_an_invitation(bouncer, fake, receiver):
    """To a channel that nobody here has heard of, too; not in one's quiet hours, and not where one has muted it."""
    client, up = subscribed(bouncer, fake, receiver)
    up.send(":bob!b@h INVITE ann #new", ":bob!b@h INVITE carol #new")
    await_true(lambda: len(receiver.read) == 2, 10, lambda: receiver.read)
    assert receiver.read[1].startswith("@time=2") and receiver.read[1].endswith(
        ";ringmain/network=net;ringmain/buffer=#new :bob!b@h INVITE ann #new")
    bouncer.good("data mark -in #ring -muted true")
    bouncer.good("notify add -nick eve -quiet 00:00-24:00")
    up.send(":bob!b@h INVITE ann #ring", ":eve!e@h INVITE ann #new", ":dan!d@h INVITE ann #new")
    await_true(lambda: len(receiver.read) == 3, 10, lambda: receiver.read)
    assert ":dan!d@h INVITE" in receiver.read[2]


def test_what_cannot_be_taken(bouncer, fake, receiver):
    client, up = bouncer.on_channel(fake, client_caps="soju.im/webpush standard-replies")
    url = receiver.outside.url("/box")
    for words in (f"REGISTER {url.replace('https', 'http')} {receiver.keys()}", f"REGISTER {url} p256dh=x;auth=y",
                  f"REGISTER {url}", "NONSENSE"):
        client.send(f"WEBPUSH {words}")
        client.expect("FAIL WEBPUSH INVALID_PARAMS")
    receiver.status = 403
    client.send(f"WEBPUSH REGISTER {url} {receiver.keys()}")
    client.expect("FAIL WEBPUSH INTERNAL_ERROR")
    client.send(f"WEBPUSH UNREGISTER {url}")
    client.expect("WEBPUSH UNREGISTER https")
    assert bouncer.good("push status") == ["there is none"]


def test_who_does_not_register_again_is_told_no_more(serve, fake, receiver):
    """A service that takes whatever comes never says that nobody is there."""
    bouncer = Bouncer(serve, {"outgoing.internal": "127.0.0.0/8", "outgoing.ca_file": str(receiver.ca), "irc.push_delay": "0",
                              "irc.push_keep": "1ms"})
    client, up = subscribed(bouncer, fake, receiver)
    assert bouncer.good("push status") != ["there is none"]
    say(up, "Ann?")
    await_true(lambda: bouncer.good("push status") == ["there is none"], 10, "it is dropped")
    assert len(receiver.read) == 1


def test_it_is_not_sent_inside(serve, fake, receiver):
    """Who gives the address may not make us call our own machines."""
    bouncer = Bouncer(serve, {"outgoing.ca_file": str(receiver.ca)})
    client, up = bouncer.on_channel(fake, client_caps="soju.im/webpush standard-replies")
    client.send(f"WEBPUSH REGISTER {receiver.outside.url('/box')} {receiver.keys()}")
    client.expect("FAIL WEBPUSH INTERNAL_ERROR")
    assert not receiver.read


def test_subscriptions_outlive_a_restart(serve, fake, receiver, tmp_path):
    settings = {"outgoing.internal": "127.0.0.0/8", "outgoing.ca_file": str(receiver.ca), "irc.push_delay": "0",
                "store.file": str(tmp_path / "kept.db")}
    bouncer = Bouncer(serve, settings)
    subscribed(bouncer, fake, receiver)
    bouncer.good("notify add vacation")
    bouncer.server.stop()
    again = Bouncer(serve, settings)
    up = fake.accept()
    up.register(None)
    up.joins("#ring", "bob")
    up.send("PING there")
    up.expect("PONG")
    say(up, "my vacation, ann")
    await_true(lambda: len(receiver.read) == 2, 10, lambda: receiver.read)
    assert again.good("notify list") == ['1: "vacation"']
    seen = again.server.get("/api/v1/irc/me", auth=ADMIN).json
    assert [rule["word"] for rule in seen["rules"]] == ["vacation"]
    push, = seen["pushes"]
    assert receiver.outside.url("/box").startswith(push["service"].rstrip("…")) and push["network"] == "net", push
    again.good(f"push delete {push['id']}")
    assert again.server.get("/api/v1/irc/me", auth=ADMIN).json["pushes"] == []


def test_rules(bouncer, fake, receiver):
    client, up = subscribed(bouncer, fake, receiver)
    assert "For what" in bouncer.bad("notify add -channel #ring").capitalize()
    assert "no network" in bouncer.bad("notify add -network other word")
    for rule in ("deploy*", "-channel #other lunch", "-nick boss", "-mute true -nick spammer"):
        bouncer.good(f"notify add {rule}")
    assert bouncer.good("notify list") == ['1: "deploy*"', '2: "lunch" in #other', "3: anything by boss",
                                           "4: not anything by spammer"]
    for who, text in (("bob", "deploying now"), ("bob", "lunch"), ("boss", "good morning"), ("spammer", "ann deploy"),
                      ("bob", "redeploy")):
        say(up, text, who)
    up.send("PING 1")
    up.expect("PONG")
    bouncer.good("channel update #ring -notify message")
    say(up, "anything")
    await_true(lambda: len(receiver.read) == 4, 10, lambda: receiver.read)
    assert sorted(text.split(" :")[-1] for text in receiver.read[1:]) == ["anything", "deploying now", "good morning"]
    bouncer.good("notify delete 1")
    assert bouncer.good("notify list")[0] == '1: "lunch" in #other'
    bouncer.bad("notify delete 9")
    bouncer.good("channel update #ring -notify none")
    say(up, "ann, are you there?")
    say(up, "private", target="ann")
    await_true(lambda: len(receiver.read) == 5, 10, lambda: receiver.read)
    assert receiver.read[4].endswith(":private")


def test_quiet_hours(bouncer, fake, receiver):
    """In these hours it is a mention like any other, and calls nobody: of a channel, of a person, of all."""
    client, up = subscribed(bouncer, fake, receiver)
    now = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=5, minutes=30)))
    hour = datetime.timedelta(hours=1)

    def hours(begin, end):
        return f"{(now + begin):%H:%M}-{(now + end):%H:%M} -zone +05:30"
    for bad in ("-quiet 22:00", "-quiet 22:00-07:00 -zone CET", "-zone +02:00 word", "-quiet 22:00-07:00 -mute true"):
        bouncer.bad(f"notify add {bad}")
    bouncer.good(f"notify add -quiet {hours(-2 * hour, 2 * hour)} -channel #ring")
    bouncer.good(f"notify add -quiet {hours(2 * hour, 4 * hour)}")
    listed = bouncer.good("notify list")
    assert listed[0].startswith("1: quiet ") and listed[0].endswith(" +05:30 for anything in #ring"), listed
    assert listed[1].endswith(" +05:30 for anything")
    say(up, "ann, at night")
    say(up, "by day", target="ann")
    await_true(lambda: len(receiver.read) == 2, 10, lambda: receiver.read)
    bouncer.good(f"notify add -quiet {hours(-2 * hour, 2 * hour)} -nick bob")
    bouncer.good("notify delete 1")
    say(up, "bob at night", target="ann")
    say(up, "ann, carol at night", "carol")
    await_true(lambda: len(receiver.read) == 3, 10, lambda: receiver.read)
    assert [text.split(" :")[-1] for text in receiver.read[1:]] == ["by day", "ann, carol at night"]
    # They are mentions all the same.
    bouncer.good("channel update #ring -detached true")
    say(up, "ann, bob again")
    client.expect("highlight in #ring: <bob> ann, bob again")


def test_the_receiver_sees_a_forged_signature(tmp_path):
    """That the judge judges: a signature of another key is refused."""
    key, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(InvalidSignature):
        other.public_key().verify(key.sign(b"x", ec.ECDSA(hashes.SHA256())), b"x", ec.ECDSA(hashes.SHA256()))


def test_limits(serve, fake, receiver):
    """So many browsers, so many lines that wait, so many calls at a time, each for so long: what is more is counted."""
    free = threading.Event()
    receiver.outside.answer = lambda request: (free.wait(60), request.answer(201))
    free.set()
    bouncer = Bouncer(serve, {"outgoing.internal": "127.0.0.0/8", "outgoing.ca_file": str(receiver.ca), "workers": "1",
                              "irc.push_places": "1", "irc.push_sending": "1", "irc.push_waiting": "2", "irc.push_delay": "1s",
                              "irc.push_timeout": "500ms"})

    def lost():
        text = bouncer.server.get("/metrics", auth=ADMIN).body.decode()
        return sum(int(float(line.split()[-1])) for line in text.splitlines() if line.startswith("ringmain_irc_pushes_lost_total"))
    client, up = bouncer.on_channel(fake, client_caps="soju.im/webpush standard-replies")
    url = receiver.outside.url("/box")

    # Its first message is answered in half a second, if the machine has time for it.
    def registered():
        client.send(f"WEBPUSH REGISTER {url} {receiver.keys()}")
        return client.expect("WEBPUSH REGISTER https|FAIL WEBPUSH INTERNAL_ERROR").verb == "WEBPUSH"
    await_true(registered, 10, lambda: client.said[-5:])
    client.send(f"WEBPUSH REGISTER {url}2 {receiver.keys()}")
    client.expect("FAIL WEBPUSH MAX_REGISTRATIONS REGISTER :There are 1, and no more may be")
    before = lost()
    free.clear()
    up.send(*(f":bob!b@h PRIVMSG #ring :ann {i}" for i in range(3)))
    # The third finds two that wait; of these one finds the other under way, and that is not answered.
    await_true(lambda: lost() == before + 3, 10, lost)
    free.set()
