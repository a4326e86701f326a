"""Voice rooms as Mumble's clients see them, each test on ringmain and on Debian's mumble-server: what
is asserted is what people's clients know. What only ringmain does is in test_voice_robust.py."""
import struct

import pytest

from mumble_peer import (BAN, KICK, MAKE_CHANNEL, MUTE_DEAFEN, WRITE, Gone, certificate, message,
                         mute_time, random_opus)
from voice_stage import fresh, mumble_server, ringmain_voice

OLD, NEW = (1, 3, 4), (1, 5, 0)
SPEAK, WHISPER, ENTER, TRAVERSE, TEXT, LISTEN = 8, 0x100, 4, 2, 0x200, 0x800


@pytest.fixture(scope="module", params=["ringmain", "murmurd"])
def house(request, shared_serve, shared_crew):
    if request.param == "ringmain":
        return ringmain_voice(shared_serve)
    return mumble_server(shared_crew)


@pytest.fixture
def voice(house):
    yield house
    house.dismiss()


def only_ringmain(voice, why):
    if voice.kind != "ringmain":
        pytest.skip(f"mumble-server 1.3.4: {why}")


# -- coming in -------------------------------------------------------------------------------------

def test_who_comes_in_is_told_who_is_there(voice):
    a = voice.join(fresh("Alice"))
    names = [name for name, _ in a.messages]
    assert names[0] == "version"
    order = [names.index(n) for n in ("crypt_setup", "channel_state", "user_state", "server_sync",
                                      "server_config")]
    assert order == sorted(order)
    crypt = next(m for n, m in a.messages if n == "crypt_setup")
    assert [len(f) for f in (crypt.key, crypt.client_nonce, crypt.server_nonce)] == [16, 16, 16]
    assert a.users[a.session].name == a.name and a.users[a.session].channel_id == 0
    b = voice.join(fresh("Bob"))
    assert b.users[a.session].name == a.name
    a.until(lambda: b.session in a.users)
    b.close()
    a.until(lambda: b.session not in a.users)


def test_pings_tell_what_has_arrived(voice):
    a = voice.join()
    for _ in range(3):
        a.ping_udp()
    a.flush()
    a.send("ping", timestamp=77)
    pong = a.got("ping", lambda m: m.timestamp == 77)
    assert pong.good >= 1 and pong.lost == 0


@pytest.mark.parametrize("name", ["", " blank", "a" * 200], ids=["empty", "blank", "long"])
def test_names_that_nobody_may_have(voice, name):
    if voice.kind == "murmurd" and name:
        pytest.skip("its pattern for names allows these")
    a = voice.peer(name)
    a.login()
    assert a.got("reject").type == 2
    with pytest.raises(Gone):
        a.until(lambda: False)


def test_a_registered_name_is_its_certificates(voice, tmp_path):
    cert = certificate(tmp_path, "owner")
    name = fresh("Owner")
    a = voice.join(name, cert=cert)
    a.send("user_state", session=a.session, user_id=0)
    a.until(lambda: a.users[a.session].user_id > 0)
    number = a.users[a.session].user_id
    a.close()
    other = voice.peer(name)
    other.login()
    assert other.got("reject").type == 3
    again = voice.join(fresh("whatever"), cert=cert)
    assert again.users[again.session].name == name
    assert again.users[again.session].user_id == number


def test_the_superuser_has_a_password(voice):
    a = voice.peer("SuperUser")
    a.login("guessed")
    assert a.got("reject").type == 3
    boss = voice.boss()
    assert boss.users[boss.session].user_id == 0
    sync = boss.got("server_sync")
    assert sync.permissions & (WRITE | KICK | BAN | MAKE_CHANNEL) == WRITE | KICK | BAN | MAKE_CHANNEL


def test_who_comes_again_from_the_same_place_takes_his_own_seat(voice):
    a = voice.join(fresh("Twice"))
    b = voice.join(a.name)
    with pytest.raises(Gone):
        a.until(lambda: False)
    assert b.session != a.session


# -- talking ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("speaker,hearer", [(OLD, OLD), (OLD, NEW), (NEW, OLD), (NEW, NEW)],
                         ids=["old-old", "old-new", "new-old", "new-new"])
@pytest.mark.parametrize("over", ["udp", "tunnel"])
def test_every_packet_arrives_once_and_in_order(voice, speaker, hearer, over):
    if voice.kind == "murmurd" and NEW in (speaker, hearer):
        pytest.skip("mumble-server 1.3.4 knows no other form")
    a = voice.join(version=speaker, udp=over == "udp")
    b, c = voice.join(version=hearer), voice.join(version=hearer, udp=False)
    sent = []
    for i in range(40):
        payload = random_opus(1 + i * 5)
        sent.append((a.speak(payload, last=i == 39), payload, i == 39))
        b.hear(lambda v, payload=payload: v.payload == payload)
        c.poll()
    if voice.kind == "ringmain":
        c.hear(lambda v: v.payload == sent[-1][1])
    mute_time([a, b, c], 0.1)
    for peer, way in ((b, "udp"), (c, "tunnel")):
        if (voice.kind, way) == ("murmurd", "tunnel"):
            continue  # it takes UDP for granted, and c hears by luck
        assert [(v.frame, v.payload, v.last) for v in peer.heard] == sent
        assert {(v.session, v.why) for v in peer.heard} == {(a.session, 0)}
        assert {v.over for v in peer.heard} == {way}
    assert a.heard == []


def test_only_the_channel_hears(voice):
    boss = voice.boss()
    here, there = boss.make_channel(fresh("here")), boss.make_channel(fresh("there"))
    a, b, c = voice.join(), voice.join(), voice.join()
    a.move(here), b.move(here), c.move(there)
    voice.settle(a, b, c)
    a.speak(b"in here")
    b.hear(lambda v: v.payload == b"in here")
    b.move(there)
    voice.settle(a, b, c)
    a.speak(b"alone")
    b.speak(b"over there")
    c.hear(lambda v: v.payload == b"over there")
    mute_time([a, b, c], 0.2)
    assert [v.payload for v in a.heard] == []
    assert [v.payload for v in b.heard] == [b"in here"]
    assert [v.payload for v in c.heard] == [b"over there"]


def test_linked_channels_hear_each_other(voice):
    boss = voice.boss()
    left, right = boss.make_channel(fresh("left")), boss.make_channel(fresh("right"))
    boss.send("channel_state", channel_id=left, links_add=[right])
    boss.got("channel_state", lambda m: right in m.links_add or left in m.links_add or
             right in m.links)
    a, b = voice.join(), voice.join()
    a.move(left), b.move(right)
    voice.settle(a, b)
    a.speak(b"across")
    b.hear(lambda v: v.payload == b"across")
    boss.send("channel_state", channel_id=left, links_remove=[right])
    voice.settle(boss, a, b)
    a.speak(b"no more")
    mute_time([a, b], 0.2)
    assert [v.payload for v in b.heard] == [b"across"]


def test_mute_and_deaf(voice):
    boss = voice.boss()
    a, b = voice.join(), voice.join()
    voice.settle(a, b)

    def both(flags, a_heard, b_heard):
        voice.settle(boss, a, b)
        had = len(a.heard), len(b.heard)
        a.speak(b"from a"), b.speak(b"from b")
        if a_heard:
            a.until(lambda: len(a.heard) > had[0], what=flags)
        if b_heard:
            b.until(lambda: len(b.heard) > had[1], what=flags)
        mute_time([a, b], 0.15)
        assert (len(a.heard) > had[0], len(b.heard) > had[1]) == (a_heard, b_heard), flags
    both("nothing", True, True)
    a.send("user_state", self_mute=True)
    both("self mute", True, False)
    a.send("user_state", self_deaf=True)
    both("self deaf", False, False)
    a.send("user_state", self_mute=False)
    both("not mute is not deaf", True, True)
    boss.send("user_state", session=b.session, mute=True)
    a.until(lambda: a.users[b.session].mute)
    both("muted by the boss", False, True)
    boss.send("user_state", session=b.session, deaf=True)
    both("deafened by the boss", False, False)
    boss.send("user_state", session=b.session, mute=False)
    both("both lifted", True, True)
    a.send("user_state", session=b.session, mute=True)
    denied = a.got("permission_denied")
    assert denied.type == 1 and denied.permission == MUTE_DEAFEN


def test_loopback_comes_back_to_the_speaker_alone(voice):
    a, b = voice.join(), voice.join()
    a.speak(b"myself", target=31)
    a.hear(lambda v: v.payload == b"myself" and v.session == a.session)
    mute_time([a, b], 0.15)
    assert b.heard == []


def test_positions_are_for_the_same_place(voice):
    a, b, c = voice.join(), voice.join(), voice.join()
    for peer, place in ((a, b"map1"), (b, b"map1"), (c, b"map2")):
        peer.send("user_state", plugin_context=place)
    voice.settle(a, b, c)
    a.speak(b"over here", position=(1.0, 2.5, -3.0))
    assert b.hear().position == (1.0, 2.5, -3.0)
    assert c.hear().position == ()


def targets(*all_of_them):
    return [message("target", **t) for t in all_of_them]


def test_whispers_and_shouts(voice):
    boss = voice.boss()
    hall = boss.make_channel(fresh("hall"))
    box = boss.make_channel(fresh("box"), parent=hall)
    a, b, c, d = (voice.join() for _ in range(4))
    b.move(hall), c.move(box)
    voice.settle(a, b, c, d)

    def say(what, heard_by):
        a.speak(what, target=5)
        for peer, why in heard_by.items():
            v = peer.hear(lambda v: v.payload == what)
            assert v.why == why and v.session == a.session
        mute_time([a, b, c, d], 0.15)
        for peer in {b, c, d} - set(heard_by):
            assert what not in [v.payload for v in peer.heard]
    a.send("voice_target", id=5, targets=targets({"session": [b.session]}))
    voice.settle(a)
    say(b"to b", {b: 2})
    a.send("voice_target", id=5, targets=targets({"channel_id": hall}))
    voice.settle(a)
    say(b"to the hall", {b: 1})
    a.send("voice_target", id=5, targets=targets({"channel_id": hall, "children": True}))
    voice.settle(a)
    say(b"and below", {b: 1, c: 1})
    c.move(0)
    voice.settle(a, c)
    say(b"who has left hears no more", {b: 1})


def test_listeners_hear_what_they_are_not_in(voice):
    only_ringmain(voice, "listeners came with 1.4")
    boss = voice.boss()
    stage = boss.make_channel(fresh("stage"))
    a, b, c = voice.join(version=NEW), voice.join(version=NEW), voice.join(version=OLD)
    a.move(stage)
    for peer in (b, c):
        peer.send("user_state", session=peer.session, listening_channel_add=[stage])
    a.got("user_state", lambda m: stage in m.listening_channel_add)
    voice.settle(a, b, c)
    a.speak(b"from the stage")
    assert b.hear(lambda v: v.payload == b"from the stage").why == 3
    assert c.hear(lambda v: v.payload == b"from the stage").why == 0
    b.send("user_state", session=b.session, listening_volume_adjustment=[
        message("volume_adjustment", listening_channel=stage, volume_adjustment=0.5)])
    voice.settle(a, b)
    a.speak(b"half as loud")
    assert b.hear(lambda v: v.payload == b"half as loud").volume == 0.5
    b.send("user_state", session=b.session, listening_channel_remove=[stage])
    voice.settle(a, b)
    a.speak(b"gone")
    c.hear(lambda v: v.payload == b"gone")
    mute_time([a, b], 0.15)
    assert b"gone" not in [v.payload for v in b.heard]


# -- channels --------------------------------------------------------------------------------------

def test_channels_are_made_changed_and_removed(voice):
    boss, a = voice.boss(), voice.join()
    name = fresh("room")
    n = boss.make_channel(name, position=3, description="short")
    a.until(lambda: n in a.channels)
    assert (a.channels[n].name, a.channels[n].parent, a.channels[n].position,
            a.channels[n].description) == (name, 0, 3, "short")
    boss.send("channel_state", channel_id=n, name=name + "x", max_users=1)
    a.until(lambda: a.channels[n].name == name + "x")
    boss.send("channel_state", parent=0, name=name + "x")
    assert boss.got("permission_denied").type == 3
    a.move(n)
    b = voice.join()
    b.send("user_state", session=b.session, channel_id=n)
    assert b.got("permission_denied").type == 9
    below = boss.make_channel(fresh("below"), parent=n)
    other = boss.make_channel(fresh("other"))
    boss.send("channel_state", channel_id=below, parent=other)
    a.until(lambda: below in a.channels and a.channels[below].parent == other)
    boss.send("channel_state", channel_id=other, parent=below)
    voice.settle(boss, a)
    assert a.channels[other].parent == 0
    boss.send("channel_remove", channel_id=n)
    a.until(lambda: n not in a.channels)
    assert a.users[a.session].channel_id == 0
    boss.send("channel_remove", channel_id=other)
    a.until(lambda: below not in a.channels and other not in a.channels)
    a.send("channel_state", parent=0, name="mine")
    assert a.got("permission_denied").permission == MAKE_CHANNEL


def test_temporary_channels_go_with_the_last(voice, tmp_path):
    boss = voice.boss()
    a = voice.join()
    n = boss.make_channel(fresh("party"), temporary=True)
    boss.until(lambda: boss.users[boss.session].channel_id == n)
    a.until(lambda: n in a.channels and a.channels[n].temporary)
    a.move(n)
    boss.move(0)
    voice.settle(boss, a)
    assert n in a.channels
    a.move(0)
    a.until(lambda: n not in a.channels)


def test_long_texts_come_by_their_hash(voice):
    boss, a = voice.boss(), voice.join()
    long = "description " * 40
    n = boss.make_channel(fresh("talk"), description=long)
    a.until(lambda: n in a.channels)
    b = voice.join()
    assert len(b.channels[n].description_hash) == 20 and not b.channels[n].description
    b.send("request_blob", channel_description=[n])
    b.until(lambda: b.channels[n].description == long)
    a.send("user_state", comment="comment " * 40)
    b.until(lambda: len(b.users[a.session].comment_hash) == 20)
    b.send("request_blob", session_comment=[a.session])
    b.until(lambda: b.users[a.session].comment == "comment " * 40)


# -- rules -----------------------------------------------------------------------------------------

def rule(**fields):
    return message("chan_acl", **{"apply_here": True, "apply_subs": True, "inherited": False,
                                  **fields})


def test_rules_and_tokens_decide_who_comes_in(voice):
    boss = voice.boss()
    n = boss.make_channel(fresh("club"))
    boss.send("acl", channel_id=n, inherit_acls=True, acls=[
        rule(group="all", deny=ENTER), rule(group="#friend", grant=ENTER)])
    a, b = voice.join(), voice.join(tokens=["friend"])
    a.send("user_state", session=a.session, channel_id=n)
    denied = a.got("permission_denied")
    assert denied.type == 1 and denied.permission == ENTER and denied.channel_id == n
    b.move(n)
    had = len(a.messages)
    a.send("authenticate", username=a.name, tokens=["friend"], opus=True)
    a.move(n)
    assert had
    boss.send("acl", channel_id=n, query=True)
    told = boss.got("acl", lambda m: m.channel_id == n)
    own = [r for r in told.acls if not r.inherited]
    assert [(r.group, r.deny, r.grant) for r in own][:2] == [("all", ENTER, 0), ("#friend", 0, ENTER)]


def test_who_may_not_speak_is_suppressed(voice):
    boss = voice.boss()
    n = boss.make_channel(fresh("lecture"))
    boss.send("acl", channel_id=n, inherit_acls=True, acls=[rule(group="all", deny=SPEAK)])
    a, b = voice.join(), voice.join()
    a.move(n), b.move(n)
    b.until(lambda: b.users[a.session].suppress)
    a.speak(b"psst")
    mute_time([a, b], 0.15)
    assert b.heard == []
    boss.send("user_state", session=a.session, suppress=False)
    b.until(lambda: not b.users[a.session].suppress)
    a.speak(b"thank you")
    b.hear(lambda v: v.payload == b"thank you")


def test_groups_are_inherited(voice, tmp_path):
    boss = voice.boss()
    a = voice.join(cert=certificate(tmp_path, "member"))
    a.send("user_state", session=a.session, user_id=0)
    a.until(lambda: a.users[a.session].user_id > 0)
    number = a.users[a.session].user_id
    top = boss.make_channel(fresh("top"))
    low = boss.make_channel(fresh("low"), parent=top)
    boss.send("acl", channel_id=top, inherit_acls=True,
              groups=[message("chan_group", name="crew", inherited=False, inherit=True,
                              inheritable=True, add=[number])],
              acls=[rule(group="all", deny=ENTER), rule(group="crew", grant=ENTER | MUTE_DEAFEN)])
    voice.settle(boss, a)

    def may(channel):
        a.send("permission_query", channel_id=channel)
        a.sync()  # murmurd says it again only when it has changed
        return [m for name, m in a.messages if name == "permission_query" and not m.flush
                and m.channel_id == channel][-1].permissions
    assert may(low) & (ENTER | MUTE_DEAFEN) == ENTER | MUTE_DEAFEN
    boss.send("acl", channel_id=low, query=True)
    told = boss.got("acl", lambda m: m.channel_id == low)
    crew = next(g for g in told.groups if g.name == "crew")
    assert crew.inherited and list(crew.inherited_members) == [number]
    boss.send("acl", channel_id=low, inherit_acls=True,
              groups=[message("chan_group", name="crew", inherited=False, inherit=True,
                              inheritable=True, remove=[number])])
    voice.settle(boss, a)
    a.send("user_state", session=a.session, channel_id=low)
    denied = a.got("permission_denied")
    assert (denied.permission, denied.channel_id) == (ENTER, low)
    a.move(top)


# -- people ----------------------------------------------------------------------------------------

def test_texts_reach_whom_they_are_for(voice):
    boss = voice.boss()
    n = boss.make_channel(fresh("chat"))
    m = boss.make_channel(fresh("chat below"), parent=n)
    a, b, c, d = (voice.join() for _ in range(4))
    b.move(n), c.move(m)
    voice.settle(a, b, c, d)

    def got(peer):
        return [t.message for name, t in peer.messages if name == "text_message"]
    a.send("text_message", session=[b.session], message="to b")
    a.send("text_message", channel_id=[n], message="to the channel")
    a.send("text_message", tree_id=[n], message="to the tree")
    voice.settle(a, b, c, d)
    assert got(b) == ["to b", "to the channel", "to the tree"]
    assert got(c) == ["to the tree"]
    assert got(d) == []
    assert b.got("text_message").actor == a.session
    a.send("text_message", channel_id=[n], message="x" * 6000)
    assert a.got("permission_denied").type == 4


def test_kick_and_ban(voice, tmp_path):
    boss, a = voice.boss(), voice.join()
    a.send("user_remove", session=boss.session, reason="no")
    assert a.got("permission_denied").type in (1, 2)
    boss.send("user_remove", session=a.session, reason="bye")
    gone = a.got("user_remove")
    assert (gone.session, gone.actor, gone.reason, gone.ban) == (a.session, boss.session, "bye",
                                                                False)
    with pytest.raises(Gone):
        a.until(lambda: False)
    cert = certificate(tmp_path, "pest")
    pest = voice.join(cert=cert, source="127.0.0.9")
    boss.send("user_remove", session=pest.session, reason="out", ban=True)
    assert pest.got("user_remove").ban
    try:
        again = voice.peer(cert=cert, source="127.0.0.9")
        again.login()
        again.until(lambda: any(name == "reject" for name, _ in again.messages))
    except (Gone, OSError):
        pass
    boss.send("ban_list", query=True)
    bans = boss.got("ban_list").bans
    assert any(bytes(b.address)[12:] == bytes([127, 0, 0, 9]) for b in bans)
    boss.send("ban_list", query=False)
    voice.settle(boss)
    voice.join(cert=cert, source="127.0.0.9")


def test_statistics(voice):
    boss, a, b = voice.boss(), voice.join(), voice.join()
    for _ in range(5):
        a.ping_udp()
    a.flush()
    a.send("ping", timestamp=1, good=3, late=1, lost=2, udp_packets=9, udp_ping_avg=12.5)
    a.got("ping", lambda m: m.timestamp == 1)

    def stats(peer):
        had = len(peer.messages)
        peer.send("user_stats", session=a.session)
        return peer.got("user_stats", since=had)
    own = stats(a)
    assert own.from_client.good >= 5 and own.from_client.lost == 0
    assert (own.from_server.good, own.from_server.late, own.from_server.lost) == (3, 1, 2)
    assert own.udp_packets == 9 and own.udp_ping_avg == 12.5
    assert own.version.release == "peer" and bytes(own.address)[12:] == bytes([127, 0, 0, 1])
    assert stats(boss).address
    assert not stats(b).address and not stats(b).version.release
    if voice.kind == "ringmain":  # came with 1.5
        lately = own.rolling_stats
        assert lately.from_client.good >= 5 and lately.from_server.good == 3
        assert lately.HasField("time_window") and lately.time_window < 60


def test_registered_users_are_listed_and_renamed(voice, tmp_path):
    boss = voice.boss()
    a = voice.join(fresh("Reg"), cert=certificate(tmp_path, "listed"))
    boss.send("user_state", session=a.session, user_id=0)
    a.until(lambda: a.users[a.session].user_id > 0)
    number = a.users[a.session].user_id
    boss.send("user_list")
    listed = {u.user_id: u.name for u in boss.got("user_list").users}
    assert listed[number] == a.name
    boss.send("query_users", ids=[number])
    assert list(boss.got("query_users").names) == [a.name]
    other = fresh("Renamed")
    boss.send("user_list", users=[message("listed_user", user_id=number, name=other)])
    boss.send("query_users", names=[other])
    boss.got("query_users", lambda m: list(m.ids) == [number])
    boss.send("user_list", users=[message("listed_user", user_id=number)])
    voice.settle(boss)
    boss.send("user_list")
    voice.settle(boss)
    lists = [m for name, m in boss.messages if name == "user_list"]
    assert number not in {u.user_id for u in lists[-1].users}
    a.send("user_list")
    a.got("permission_denied")


# -- datagrams -------------------------------------------------------------------------------------

def test_the_list_of_servers_is_answered(voice):
    a = voice.peer()
    a.udp.send(struct.pack(">IQ", 0, 0x1234567812345678))
    answer = a.until(lambda: a.strange and a.strange[0], what="the answer")
    version, stamp, users, most, bandwidth = struct.unpack(">IQIII", answer)
    assert stamp == 0x1234567812345678 and version >> 16 == 1
    assert most >= users and bandwidth > 0


def test_nonces_that_are_lost_are_asked_for(voice):
    a, b = voice.join(), voice.join()
    a.sealed += 700  # as after a pause of a network
    had = len(a.messages)
    a.send("crypt_setup", client_nonce=b"")
    a.messages, had = a.messages[:had], had
    from mumble_peer import nonce_add
    a.send("crypt_setup", client_nonce=nonce_add(a.client_nonce, a.sealed))
    voice.settle(a)
    a.speak(b"found")
    b.hear(lambda v: v.payload == b"found")
    a.send("crypt_setup")
    told = a.got("crypt_setup", lambda m: m.server_nonce and not m.key, since=had)
    assert len(told.server_nonce) == 16
    b.speak(b"still fine")
    a.hear(lambda v: v.payload == b"still fine")
