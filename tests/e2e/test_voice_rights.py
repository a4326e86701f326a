"""Who may what in the rooms when rules, rooms and registrations change under somebody's feet, and what
one user can make the server do for himself."""
import pytest

from mumble_peer import Gone, certificate, message, mute_time
from voice_stage import fresh, ringmain_voice

ENTER, SPEAK, WHISPER, TRAVERSE, LINK, LISTEN = 4, 8, 0x100, 2, 0x80, 0x800


@pytest.fixture(scope="module")
def house(shared_serve):
    return ringmain_voice(shared_serve, {"voice.registrations": "3"})


@pytest.fixture
def voice(house):
    yield house
    house.dismiss()


def rule(group, deny=0, grant=0, subs=False):
    return message("chan_acl", group=group, deny=deny, grant=grant, apply_here=True, apply_subs=subs)


def forbid(boss, channel, what):
    boss.send("acl", channel_id=channel, inherit_acls=True, acls=[rule("all", deny=what)])


def deaf_to(hearer, word, talker, seconds=0.3):
    mute_time([talker, hearer], seconds)
    return not any(v.payload == word for v in hearer.heard)


def test_a_number_that_is_used_again_gives_nobody_an_ear(voice):
    """A room that was linked and went: who has its number next does not hear the others."""
    boss, a = voice.boss(), voice.join()
    hall = boss.make_channel(fresh("hall"))
    a.until(lambda: hall in a.channels)
    a.move(hall)
    fleeting = boss.make_channel(fresh("fleeting"), temporary=True)
    boss.send("channel_state", channel_id=hall, links_add=[fleeting])
    boss.sync()
    a.speak(b"linked")
    boss.hear(lambda v: v.payload == b"linked")
    boss.move(0)
    boss.until(lambda: fleeting not in boss.channels)
    again = boss.make_channel(fresh("again"))
    assert again == fleeting
    b = voice.join()
    b.move(again)
    a.speak(b"for the hall alone")
    assert deaf_to(b, b"for the hall alone", a)


def test_a_right_that_is_taken_away_is_gone_at_once(voice):
    boss, a, b, c = voice.boss(), voice.join(), voice.join(), voice.join()
    room = boss.make_channel(fresh("room"))
    for peer in (b, c):
        peer.until(lambda p=peer: room in p.channels)
    b.move(room)
    a.send_raw(19, message("voice_target", id=2, targets=[message("target", session=[b.session])])
               .SerializeToString())
    c.send("user_state", session=c.session, listening_channel_add=[room])
    voice.settle(a, b, c)
    a.speak(b"psst", target=2)
    b.hear(lambda v: v.payload == b"psst")
    b.speak(b"in here")
    c.hear(lambda v: v.payload == b"in here")
    forbid(boss, room, WHISPER | LISTEN)
    c.until(lambda: any(n == "user_state" and room in m.listening_channel_remove for n, m in c.messages))
    boss.sync()
    a.speak(b"still?", target=2)
    b.speak(b"still here")
    assert deaf_to(b, b"still?", a) and deaf_to(c, b"still here", b, 0.1)


def test_the_lock_at_a_door_is_told(voice):
    boss, a = voice.boss(), voice.join()
    room = boss.make_channel(fresh("room"))
    a.until(lambda: room in a.channels and a.channels[room].can_enter)
    forbid(boss, room, ENTER)
    a.until(lambda: a.channels[room].is_enter_restricted and not a.channels[room].can_enter)
    boss.until(lambda: boss.channels[room].is_enter_restricted)
    assert boss.channels[room].can_enter


def test_a_password_may_be_said_at_the_door_alone(voice):
    boss, a = voice.boss(), voice.join()
    room = boss.make_channel(fresh("room"))
    boss.send("acl", channel_id=room, inherit_acls=True,
              acls=[rule("all", deny=ENTER), rule("#open sesame", grant=ENTER)])
    boss.sync()
    a.until(lambda: room in a.channels)
    a.send("user_state", session=a.session, channel_id=room, temporary_access_tokens=["wrong"])
    a.got("permission_denied")
    a.send("user_state", session=a.session, channel_id=room, temporary_access_tokens=["open sesame"])
    a.until(lambda: a.users[a.session].channel_id == room)
    a.move(0)
    had = len(a.messages)
    a.send("user_state", session=a.session, channel_id=room)
    a.got("permission_denied", since=had)


def test_who_is_registered_anew_inherits_nothing(voice, tmp_path):
    boss = voice.boss()
    room = boss.make_channel(fresh("room"))
    a = voice.join(cert=certificate(tmp_path, "first"))
    a.send("user_state", session=a.session, user_id=0)
    a.until(lambda: a.users[a.session].user_id > 0)
    number = a.users[a.session].user_id
    boss.send("acl", channel_id=room, inherit_acls=True,
              acls=[message("chan_acl", user_id=number, grant=1, apply_here=True, apply_subs=True)],
              groups=[message("chan_group", name="crew", inherited=False, inherit=True,
                              inheritable=True, add=[number, number + 1])])
    boss.send("user_list", users=[message("listed_user", user_id=number)])
    boss.sync()
    boss.send("acl", channel_id=room, query=True)
    rules = boss.got("acl")
    assert not any(r.user_id == number for r in rules.acls if r.HasField("user_id"))
    assert [list(g.add) for g in rules.groups if g.name == "crew"] == [[number + 1]]
    b = voice.join(cert=certificate(tmp_path, "second"))
    b.send("user_state", session=b.session, user_id=0)
    b.until(lambda: b.users[b.session].user_id > 0)
    assert b.users[b.session].user_id == number  # the number is, its rights are not
    b.send("acl", channel_id=room, query=True)
    b.got("permission_denied")
    boss.send("user_list", users=[message("listed_user", user_id=number)])
    boss.sync()


def test_registrations_have_an_end(voice, tmp_path):
    boss = voice.boss()
    for i in range(3):
        a = voice.join(cert=certificate(tmp_path, f"resident{i}"))
        a.send("user_state", session=a.session, user_id=0)
        a.until(lambda: a.users[a.session].user_id > 0)
    late = voice.join(cert=certificate(tmp_path, "late"))
    late.send("user_state", session=late.session, user_id=0)
    assert late.got("permission_denied").type == 8
    boss.send("user_list")
    names = {u.user_id: u.name for u in boss.got("user_list").users}
    first = min(names)
    boss.send("user_list", users=[message("listed_user", user_id=first, name="SuperUser")])
    boss.send("user_list", users=[message("listed_user", user_id=first, name=" blank")])
    boss.sync()
    had = len(boss.messages)
    boss.send("user_list")
    assert {u.user_id: u.name for u in boss.got("user_list", since=had).users} == names
    boss.send("user_list", users=[message("listed_user", user_id=n) for n in names])
    boss.sync()


# -- small questions, large answers ----------------------------------------------------------------

def test_a_long_text_that_is_asked_for_often_comes_once(voice):
    a, b = voice.join(), voice.join()
    b.send("user_state", comment="long " * 400)
    voice.settle(a, b)
    had = len(a.messages)
    a.send("request_blob", session_comment=[b.session] * 4096)
    a.sync()
    assert sum(n == "user_state" and bool(m.comment) for n, m in a.messages[had:]) == 1


def test_one_no_is_the_answer_to_a_text_for_many(voice):
    boss, a = voice.boss(), voice.join()
    rooms = [boss.make_channel(fresh("room")) for _ in range(3)]
    for room in rooms:
        forbid(boss, room, 0x200)
    boss.sync()
    a.send("text_message", channel_id=rooms * 300, tree_id=rooms * 300, message="hear me")
    a.sync()
    assert sum(n == "permission_denied" for n, m in a.messages) == 1


def test_rules_have_an_end(voice):
    boss = voice.boss()
    room = boss.make_channel(fresh("room"))
    for more in ({"acls": [rule("all", deny=ENTER)] * 257},
                 {"groups": [message("chan_group", name=f"group{i}") for i in range(65)]},
                 {"groups": [message("chan_group", name=f"group{i}", add=list(range(1, 4000)))
                             for i in range(5)]}):
        had = len(boss.messages)
        boss.send("acl", channel_id=room, inherit_acls=True, **more)
        assert "Too many" in boss.got("permission_denied", since=had).reason


def test_long_requests_count_as_many(serve):
    voice = ringmain_voice(serve, {"voice.message_rate": "20"})
    a, b = voice.join(), voice.join()
    with pytest.raises(Gone):
        for i in range(20):
            a.send("text_message", channel_id=[0], message="<img src='" + "x" * 120000 + f"{i}'>")
            a.poll()
        a.until(lambda: False)
    b.got("text_message")
    assert voice.metric("floods") == 1
    voice.dismiss()
