"""What voice rooms do that others do not, and what they do with those who mean no good."""
import os
import random
import select
import socket
import struct
import time

import pytest

from mumble_peer import (Gone, certificate, message, mute_time, nonce_add, random_opus, voice_packet)
from stage import PATIENCE, Server, await_true, free_ports
from voice_stage import SUPER, Voice, fresh, ringmain_voice


@pytest.fixture(scope="module")
def house(shared_serve):
    return ringmain_voice(shared_serve, {"workers": "2"})


@pytest.fixture
def voice(house):
    yield house
    house.dismiss()


# -- what others lose ------------------------------------------------------------------------------

@pytest.mark.parametrize("version", [(1, 3, 4), (1, 5, 0)], ids=["legacy", "protobuf"])
def test_a_talker_whose_nat_gives_him_another_port_is_heard_within_a_second(voice, version):
    a, b = voice.join(version=version), voice.join()
    others = [voice.join(udp=False) for _ in range(5)]
    a.speak(b"before")
    b.hear(lambda v: v.payload == b"before")
    took, had = [], voice.metric("rebinds")
    # A busy machine takes its time now and then, and not each time.
    while len(took) < 2 or min(took) >= 1 and len(took) < 6:
        a.open_udp()
        began = time.monotonic()
        word = b"after %d" % len(took)
        while not any(v.payload == word for v in b.heard):
            a.speak(word)
            b.poll(0.02)
            assert time.monotonic() - began < PATIENCE
        took.append(time.monotonic() - began)
        b.speak(b"and hears " + word)
        a.hear(lambda v: v.payload == b"and hears " + word and v.over == "udp")
    assert min(took) < 1, took
    assert voice.metric("rebinds") - had >= len(took)
    assert others


def test_who_cannot_be_reached_over_udp_hears_through_the_tunnel(voice):
    listener, talker = voice.join(), voice.join()
    # His pings reach us, our datagrams do not reach him: he says that he got none.
    for round in range(3):
        listener.ping_udp()
        listener.flush()
        listener.send("ping", timestamp=round, good=1)
        listener.got("ping", lambda m: m.timestamp == round)
    listener.heard.clear()
    talker.speak(b"can you hear me")
    assert listener.hear(lambda v: v.payload == b"can you hear me").over == "tunnel"
    listener.send("ping", timestamp=99, good=7)
    listener.got("ping", lambda m: m.timestamp == 99)
    talker.speak(b"and now")
    assert listener.hear(lambda v: v.payload == b"and now").over == "udp"


def test_nobody_is_sent_datagrams_before_one_of_his_came(voice):
    a, b = voice.join(), voice.join(udp=False)
    a.speak(b"hello")
    assert b.hear().over == "tunnel"


# -- forged, replayed, broken ----------------------------------------------------------------------

def test_what_was_there_already_is_not_said_twice(voice):
    a, b = voice.join(), voice.join()
    plain = voice_packet(False, 0, 4, b"once")
    datagram = a.seal(plain)
    for _ in range(5):
        a.send_datagram(datagram)
    b.hear()
    a.speak(b"the end")
    b.hear(lambda v: v.payload == b"the end")
    assert [v.payload for v in b.heard] == [b"once", b"the end"]
    assert voice.metric("replayed") >= 4


def test_reordered_datagrams_are_taken_once_each(voice):
    a, b = voice.join(), voice.join()
    words = [b"word %d" % i for i in range(20)]
    datagrams = [a.seal(voice_packet(False, 0, 2 * i, w)) for i, w in enumerate(words)]
    random.Random(5).shuffle(datagrams)
    for datagram in datagrams:
        a.send_datagram(datagram)
    b.until(lambda: len(b.heard) == 20)
    assert sorted(v.payload for v in b.heard) == sorted(words)
    a.send("ping", timestamp=1)
    counts = a.got("ping", lambda m: m.timestamp == 1)
    assert counts.late > 0 and counts.lost == 0


def test_wrong_tags_and_broken_datagrams_do_nothing(voice):
    a, b = voice.join(), voice.join()
    good = a.seal(voice_packet(False, 0, 2, b"good"))
    for i in range(len(good) * 8):
        if i < 8:
            continue  # that says which one it is
        bad = bytearray(good)
        bad[i // 8] ^= 1 << i % 8
        a.send_datagram(bytes(bad))
        if i % 100 == 0:
            a.flush()  # what a socket holds is bounded
    for n in range(len(good)):
        a.send_datagram(good[:n])
    a.send_datagram(os.urandom(1400))
    a.send_datagram(os.urandom(9000))
    for body in (b"", b"\xff", b"\x80", voice_packet(False, 0, 2, b"x" * 30)[:-5], b"\x20",
                 bytes([4 << 5]) + b"\x02" + b"\x7f"):
        a.send_datagram(a.seal(body))
    a.send_datagram(good)
    b.hear(lambda v: v.payload == b"good")
    a.speak(b"last")
    b.hear(lambda v: v.payload == b"last")
    assert [v.payload for v in b.heard] == [b"good", b"last"]


def test_voice_of_somebody_else_is_not_taken(voice):
    """Another user's key, and nobody's, from the talker's own address."""
    a, b, c = voice.join(), voice.join(), voice.join()
    forged = c.ocb.seal(nonce_add(a.client_nonce, a.sealed + 1), voice_packet(False, 0, 2, b"fake"))
    a.send_datagram(forged)
    a.speak(b"true")
    assert b.hear().payload == b"true"


def test_a_user_is_not_moved_by_other_addresses(voice):
    """His datagram, copied and sent from elsewhere before he does, does not lead his voice there."""
    a, b = voice.join(), voice.join()
    thief = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    thief.bind(("127.0.0.77", 0))
    thief.setblocking(False)
    thief.sendto(a.seal(voice_packet(False, 0, 2, b"stolen")), a.address)
    b.speak(b"for a")
    a.hear(lambda v: v.payload == b"for a")
    mute_time([b], 0.2)
    assert b.heard == []
    with pytest.raises(BlockingIOError):
        thief.recv(2048)
    thief.close()


def test_voice_before_one_is_a_member_is_dropped(voice):
    b = voice.join()
    a = voice.peer(fresh("early"))
    had = voice.metric("silenced")
    a.send_raw(1, voice_packet(False, 0, 2, b"too early"))
    a.send_datagram(os.urandom(50))
    await_true(lambda: voice.metric("silenced") > had, 5)
    a.join()
    a.speak(b"now")
    assert b.hear().payload == b"now"


# -- cost and limits -------------------------------------------------------------------------------

def test_junk_disturbs_nobody(voice):
    a, b = voice.join(), voice.join()
    crowd = [voice.join(udp=False) for _ in range(20)]
    junk = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    junk.bind(("127.0.0.1", 0))
    pieces = [os.urandom(random.randrange(1, 200)) for _ in range(100)]
    sent = [b"%d" % i for i in range(400)]
    for word in sent:
        for _ in range(50):
            junk.sendto(random.choice(pieces), a.address)
        a.speak(word)
        # As many as a socket holds for sure, however long the server is not run.
        b.until(lambda: b.heard and b.heard[-1].payload == word)
    assert [v.payload for v in b.heard] == sent
    assert crowd and voice.metric("tries") > 0
    junk.close()


def test_lists_are_answered_sparingly(voice):
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asker.bind(("127.0.5.1", 0))
    asker.setblocking(False)
    before, began = voice.metrics("list_pings", "list_pings_unanswered"), time.monotonic()

    def counted():
        return [now - then for now, then in zip(voice.metrics("list_pings", "list_pings_unanswered"), before)]
    for i in range(300):
        asker.sendto(struct.pack(">IQ", 0, i), ("127.0.0.1", voice.port))
        if i % 100 == 99:
            await_true(lambda: sum(counted()) == i + 1, 5, counted)
    answered, unanswered = counted()
    took = time.monotonic() - began
    # What is counted is on its way. A few at once, and of one address some more in each second.
    for _ in range(answered):
        assert select.select([asker], [], [], PATIENCE)[0] and len(asker.recv(100)) == 24
    assert not select.select([asker], [], [], 0)[0]
    assert 1 <= answered <= 40 + 40 * took and unanswered == 300 - answered
    # Others are still told.
    other = voice.peer(source="127.0.9.1")
    other.udp.send(struct.pack(">IQ", 0, 1))
    other.until(lambda: other.strange)
    asker.close()


def test_no_datagram_of_a_stranger_is_answered(voice):
    a = voice.peer()
    for data in (b"\x01", b"\x01\x08\x05", b"\x00" * 11, b"\x00" * 13, os.urandom(200)):
        a.udp.send(data)
    a.udp.send(struct.pack(">IQ", 0, 3))
    a.until(lambda: a.strange)
    mute_time([a], 0.2)
    assert [len(d) for d in a.strange] == [24]


def test_a_handshake_that_stalls_stops_nobody(voice):
    stalled = [socket.create_connection(("127.0.0.1", voice.port)) for _ in range(30)]
    for s in stalled[:15]:
        s.sendall(b"\x16\x03\x01\x02")
    stalled[20].sendall(b"GET / HTTP/1.0\r\n\r\n")
    a = voice.join()
    b = voice.join()
    a.speak(b"fine")
    b.hear()
    # They have not been waited out: they are there still.
    assert not select.select(stalled[:15], [], [], 0)[0]
    for s in stalled:
        s.close()


def test_who_asks_too_much_is_sent_away(serve):
    voice = ringmain_voice(serve, {"voice.message_rate": "2"})
    a, b = voice.join(), voice.join()
    with pytest.raises(Gone):
        for i in range(2000):
            b.send("permission_query", channel_id=0)
        b.until(lambda: False)
    assert voice.metric("floods") == 1
    a.speak(b"still here", target=31)
    a.hear()
    voice.dismiss()


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"\x0a\xff", b"\x1a\x02\xc3\x28"],
                         ids=["junk", "cut", "not-utf8"])
def test_messages_that_are_none_end_the_connection_alone(voice, body):
    a, b = voice.join(), voice.join()
    a.send_raw(9, body * 2)
    with pytest.raises(Gone):
        a.until(lambda: False)
    b.until(lambda: a.session not in b.users)
    b.send_raw(999, b"of a later version")
    b.sync()


def test_frames_are_bounded(voice):
    a = voice.peer()
    a.send_raw_head = struct.pack(">HI", 0, 1 << 30)
    a.tls.send(a.send_raw_head)
    with pytest.raises(Gone):
        a.until(lambda: False)
    b = voice.join()
    b.tls.send(struct.pack(">HI", 11, 1 << 30))
    with pytest.raises(Gone):
        b.until(lambda: False)


def test_limits(serve):
    voice = ringmain_voice(serve, {"voice.users": "3", "voice.users_per_channel": "2",
                                   "voice.bandwidth": "16000", "voice.channels": "3",
                                   "voice.channel_depth": "2", "voice.password": "sesame",
                                   "voice.listeners_per_user": "1", "voice.recording": "no",
                                   "voice.login_time": "2m",
                                   "voice.list_pings_rate": "5", "voice.bans": "1"})
    a = voice.peer()
    a.login("wrong")
    assert a.got("reject").type == 4
    boss, a, b = voice.boss(), voice.join(password="sesame"), voice.join(password="sesame")
    full = voice.peer()
    full.login("sesame")
    assert full.got("reject").type == 6
    room = boss.make_channel("room")
    boss.send("channel_state", parent=room, name="deeper")
    assert boss.got("permission_denied").type == 10
    other = boss.make_channel("other")
    boss.send("channel_state", parent=0, name="one more")
    boss.got("permission_denied", lambda m: m.type == 11)
    a.send("user_state", session=a.session, listening_channel_add=[room, other])
    assert a.got("permission_denied").type == 13
    began = time.monotonic()
    for _ in range(100):
        a.speak(bytes(100))
    b.until(lambda: len(b.heard) + voice.metric("over_bandwidth") == 100)
    # 2000 bytes a second, and what may come at once.
    assert 5 <= len(b.heard) < 60 + 20 * (time.monotonic() - began)
    a.send("user_state", recording=True)
    with pytest.raises(Gone):
        a.until(lambda: False)
    # A list that is too long changes nothing, and one ban more does not send its user away without one.
    entries = [message("ban_entry", address=bytes(10) + b"\xff\xff" + bytes([10, 0, 0, n]), mask=128)
               for n in range(2)]
    boss.send("ban_list", query=False, bans=entries[:1])
    boss.send("ban_list", query=False, bans=entries)
    assert "nothing is changed" in boss.got("permission_denied", lambda m: m.type == 0).reason
    boss.send("ban_list", query=True)
    assert len(boss.got("ban_list").bans) == 1
    boss.send("user_remove", session=b.session, reason="out", ban=True)
    assert "More bans" in boss.got("permission_denied", lambda m: "More" in m.reason).reason
    asked = voice.server.get(f"/api/v1/voice/users/{b.session}/ban", body=b"{}", method="POST",
                             auth=("admin", voice.server.admin_password),
                             headers={"Content-Type": "application/json"})
    assert asked.status == 507 and "voice.bans" in asked.text
    b.sync()
    asker = voice.peer(source="127.0.9.9")
    for i in range(200):
        asker.udp.send(struct.pack(">IQ", 0, i))
    asker.until(lambda: asker.strange)
    await_true(lambda: voice.metric("list_pings_unanswered") >= 150, 20)
    voice.dismiss()


@pytest.mark.real_time("who says it has four seconds")
def test_who_does_not_say_who_he_is_in_time_is_sent_away(serve):
    voice = ringmain_voice(serve, {"voice.login_time": "4s", "voice.timeout": "1h"})
    a, b = voice.join(), voice.peer()
    with pytest.raises(Gone):
        b.until(lambda: False)
    a.sync()
    voice.dismiss()


def test_who_lets_texts_pile_up_is_sent_away(serve):
    voice = ringmain_voice(serve, {"voice.backlog": "256k", "voice.message_rate": "1000",
                                   "voice.message_length": "131072"})
    reader, writer = voice.join(), voice.join()
    deaf = voice.peer(udp=False)
    deaf.login()
    deaf.tls.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    writer.until(lambda: len(writer.users) == 3)
    gone, sent = (lambda: voice.metric("slow") == 1), 0
    for _ in range(100):  # the kernel takes some megabytes first
        writer.send("text_message", channel_id=[0], message="x" * 100000)
        sent += 1
        reader.until(lambda: sum(n == "text_message" for n, _ in reader.messages) == sent)
        if gone():
            break
    writer.until(lambda: len(writer.users) == 2)
    assert gone()
    voice.dismiss()


def test_what_users_are_advised(serve):
    voice = ringmain_voice(serve, {"voice.suggest_version": "1.4", "voice.suggest_push_to_talk": "yes"})
    advice = voice.join().got("suggest_config")
    assert (advice.version_v1, advice.version_v2) == (0x10400, 0x1000400000000)
    assert advice.push_to_talk and not advice.HasField("positional")
    deaf = voice.peer()
    deaf.send("version", version_v1=0x10203, release="1.2.3")
    deaf.send("authenticate", username="old", opus=False)
    assert "Opus" in deaf.got("text_message").message
    voice.dismiss()


def test_guesses_at_a_password_are_counted(serve):
    """The superuser's is the administrator's here: guesses over either door count for both."""
    voice = ringmain_voice(serve, {"voice.superuser_password": None, "auth.attempts": "3",
                                   "auth.lockout": "60s"})
    for word in ("one", "two", "three"):
        guesser = voice.peer("SuperUser")
        guesser.login(word)
        assert guesser.got("reject").type == 3
    guesser = voice.peer("SuperUser")
    guesser.login(voice.server.admin_password)
    assert "Too many wrong passwords" in guesser.got("reject").reason
    assert voice.server.admin("stats").status == 429
    voice.join("Superficial")  # others come in
    voice.dismiss()


def test_the_servers_bans_hold_in_the_rooms(serve):
    voice = ringmain_voice(serve)
    early, a = voice.peer(source="127.0.0.77"), voice.join(source="127.0.0.78")
    call = {"auth": ("admin", voice.server.admin_password), "method": "POST",
            "headers": {"Content-Type": "application/json"}}
    for last in (77, 78):
        assert voice.server.get("/api/v1/bans", body=b'{"network": "127.0.0.%d"}' % last, **call).status < 300
    with pytest.raises(Gone):  # is sent away
        a.until(lambda: False)
    try:  # had knocked before the ban
        early.login()
        assert "banned" in early.got("reject").reason
    except Gone:
        pass
    voice.dismiss()


def test_what_is_banned_of_one(voice, tmp_path):
    """1.6 says whether it is the address or the certificate."""
    boss = voice.boss()
    certs = [certificate(tmp_path, f"guest{i}") for i in range(2)]
    a = voice.join(source="127.0.0.81", cert=certs[0])
    boss.send("user_remove", session=a.session, ban=True, ban_certificate=True, ban_ip=False)
    with pytest.raises(Gone):
        a.until(lambda: False)
    elsewhere = voice.peer(source="127.0.0.82", cert=certs[0])
    elsewhere.login()
    assert "banned" in elsewhere.got("reject").reason
    b = voice.join(source="127.0.0.81", cert=certs[1])
    boss.send("user_remove", session=b.session, ban=True, ban_certificate=False, ban_ip=True)
    with pytest.raises(Gone):
        b.until(lambda: False)
    voice.join(source="127.0.0.83", cert=certs[1])
    with pytest.raises((Gone, AssertionError, OSError)):
        voice.join(source="127.0.0.81")
    boss.send("ban_list", query=False)
    voice.settle(boss)


# -- what lasts ------------------------------------------------------------------------------------

def test_channels_rules_people_and_bans_outlast_a_restart(crew, tmp_path):
    port = free_ports()
    settings = {"voice.listen": f"127.0.0.1:{port}", "voice.superuser_password": SUPER}
    data = ["--data", str(tmp_path / "kept")]
    cert = certificate(tmp_path, "resident")
    server = Server(crew, tmp_path, settings, data)
    voice = Voice("ringmain", port, server, server.log)
    boss = voice.boss()
    hall = boss.make_channel("hall", description="long " * 50, position=7, max_users=9)
    inner = boss.make_channel("inner", parent=hall)
    doomed = boss.make_channel("doomed")
    boss.send("channel_state", channel_id=hall, links_add=[inner])
    boss.send("acl", channel_id=inner, inherit_acls=False, acls=[
        message("chan_acl", group="all", deny=4, apply_here=True, apply_subs=False)],
        groups=[message("chan_group", name="crew", inherited=False, inherit=False, inheritable=True,
                        add=[5, 6])])
    boss.send("channel_remove", channel_id=doomed)
    boss.make_channel("fleeting", temporary=True)
    a = voice.join("Resident", cert=cert)
    a.send("user_state", session=a.session, user_id=0)
    a.until(lambda: a.users[a.session].user_id > 0)
    number = a.users[a.session].user_id
    a.send("user_state", comment="I live here. " * 20)
    a.move(hall)
    boss.send("ban_list", query=False, bans=[message(
        "ban_entry", address=bytes(10) + b"\xff\xff\x7f\x00\x00\x63", mask=128, reason="pest")])
    voice.settle(boss, a)
    server.stop()

    server = Server(crew, tmp_path, settings, data)
    voice = Voice("ringmain", port, server, server.log)
    boss = voice.boss()
    assert sorted(c.name for c in boss.channels.values()) == ["hall", "inner", "ringmain"]
    kept = boss.channels[hall]
    assert (kept.position, kept.max_users, len(kept.description_hash)) == (7, 9, 20)
    assert inner in kept.links and boss.channels[inner].parent == hall
    boss.send("acl", channel_id=inner, query=True)
    rules = boss.got("acl")
    assert not rules.inherit_acls and rules.acls[-1].deny == 4
    assert [list(g.add) for g in rules.groups if g.name == "crew"] == [[5, 6]]
    a = voice.join("whoever", cert=cert)
    me = a.users[a.session]
    assert (me.name, me.user_id, me.channel_id) == ("Resident", number, hall)
    assert len(me.comment_hash) == 20
    pest = voice.peer(source="127.0.0.99")
    pest.login()
    assert "banned" in pest.got("reject").reason
    voice.dismiss()
    server.stop()


def test_a_big_channel_is_sent_to_by_all_workers(serve):
    """With slices, each hearer gets each packet once, whoever sends it."""
    voice = ringmain_voice(serve, {"voice.slice": "16", "workers": "2"})
    sources = [f"127.0.{i}.1" for i in range(1, 9)]
    talker = voice.join(source=sources[0])
    hearers = [voice.join(source=sources[i % 8], version=(1, 5, 0) if i % 2 else (1, 3, 4),
                          udp=i % 5 != 0) for i in range(140)]
    words = [random_opus(30) for _ in range(5)]
    for word in words:
        talker.speak(word)
        time.sleep(0.05)
    for peer in hearers:
        peer.until(lambda: len(peer.heard) >= 5)
        assert [v.payload for v in peer.heard] == words
    voice.dismiss()


def test_what_makes_no_sense_from_another_port_moves_nothing(voice):
    """A tag has 24 bits: one that fits by chance must not spend the numbers of the one it fits."""
    a, b = voice.join(), voice.join()
    a.speak(b"before")
    b.hear(lambda v: v.payload == b"before")
    strangers, sealed = voice.metric("strangers"), a.sealed
    a.sealed += 40
    datagram = a.seal(b"\xe0 what is this")
    a.sealed = sealed
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.sendto(datagram, a.address)
        await_true(lambda: voice.metric("strangers") > strangers, 20, voice.log)
    a.speak(b"after")
    b.hear(lambda v: v.payload == b"after")


def test_who_is_cut_off_in_the_middle_of_what_he_says_harms_nobody(voice):
    """What waits for him is sent while his words are still being read: that it cannot be ends him."""
    witness = voice.join(udp=False)
    ping = struct.pack(">HI", 3, 0)
    word = voice_packet(False, 0, 2, b"x")
    words = (ping * 300 + (struct.pack(">HI", 1, len(word)) + word) * 33) * 64
    for _ in range(40):
        caller = voice.join(udp=False)
        caller.tls.setblocking(True)
        caller.tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        caller.tls.sendall(words)
        caller.tls.close()  # with a reset
        witness.send("ping", timestamp=1)
    witness.send("ping", timestamp=99)
    witness.got("ping", lambda m: m.timestamp == 99)
