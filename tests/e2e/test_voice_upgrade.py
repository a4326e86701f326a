"""What voice rooms keep: over an upgrade all of it, and of the store nothing is ever written over that
could not be read."""
import signal
import sqlite3
import time

from mumble_peer import certificate, message
from stage import Server, await_true, free_ports
from voice_stage import SUPER, Voice, ringmain_voice


# -- a store that cannot be read -------------------------------------------------------------------

def test_what_cannot_be_read_is_not_written_over(crew, tmp_path):
    port = free_ports()
    settings = {"voice.listen": f"127.0.0.1:{port}", "voice.superuser_password": SUPER}
    data = ["--data", str(tmp_path / "kept")]
    server = Server(crew, tmp_path, settings, data)
    voice = Voice("ringmain", port, server, server.log)
    boss = voice.boss()
    hall = boss.make_channel("hall", description="of the old ones")
    boss.send("ban_list", query=False, bans=[message(
        "ban_entry", address=bytes(10) + b"\xff\xff\x7f\x00\x00\x63", mask=128, reason="pest")])
    voice.settle(boss)
    voice.dismiss()
    server.stop()

    other = sqlite3.connect(tmp_path / "kept" / "ringmain.db", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    server = Server(crew, tmp_path, settings, data)
    voice = Voice("ringmain", port, server, server.log)
    server.await_log("rooms stay closed", 30)
    call = {"auth": ("admin", server.admin_password)}
    made = server.get("/api/v1/voice/channels", method="POST", body=b'{"name": "usurper"}',
                      headers={"Content-Type": "application/json"}, **call)
    assert made.status == 503, made.text
    assert server.get("/voice/ws", headers={"Upgrade": "websocket"}).status == 503
    other.execute("COMMIT")
    other.close()
    boss = voice.boss()  # waits at the door until it is read
    assert boss.channel("hall") == hall and boss.channel("usurper") is None
    pest = voice.peer(source="127.0.0.99")
    pest.login()
    assert "banned" in pest.got("reject").reason
    voice.dismiss()
    server.stop()


# -- upgrades --------------------------------------------------------------------------------------

def upgrade(server):
    before = server.log().count("info core ready")
    server.process.popen.send_signal(signal.SIGUSR2)
    await_true(lambda: server.log().count("info core ready") > before, 30,
               lambda: server.log()[-3000:])


def test_rooms_are_open_after_an_upgrade(serve):
    voice = ringmain_voice(serve, {"workers": "2"})
    upgrade(voice.server)
    b, c = voice.join(), voice.join()
    b.speak(b"hello")
    c.hear(lambda v: v.payload == b"hello")
    voice.dismiss()


def test_nobody_in_the_rooms_notices_an_upgrade(serve, tmp_path):
    """TLS, keys, numbers, rooms, targets and all else go on; datagrams and texts of the very moment arrive."""
    voice = ringmain_voice(serve, {"workers": "2", "voice.timeout": "20s"})
    hash_of = certificate(tmp_path, "resident")
    boss = voice.boss()
    a, b = voice.join(version=(1, 5, 0), cert=hash_of), voice.join(version=(1, 3, 4))
    tunnel, muted = voice.join(udp=False), voice.join()
    everybody = [boss, a, b, tunnel, muted]
    a.send("user_state", session=a.session, user_id=0)
    a.until(lambda: a.users[a.session].user_id > 0)
    fleeting = boss.make_channel("fleeting", temporary=True)
    for peer in (a, b, tunnel, muted):
        peer.until(lambda p=peer: fleeting in p.channels)
        peer.move(fleeting)
    boss.send("user_state", session=muted.session, mute=True)
    whisper = message("voice_target", id=3, targets=[message("target", session=[b.session])])
    a.send_raw(19, whisper.SerializeToString())
    b.send("user_state", comment="nobody knows me " * 20)
    voice.settle(*everybody)

    # Both speak and write all the time.
    words, texts = [], []
    for round in range(60):
        if round == 20:
            before = voice.server.log().count("info core ready")
            voice.server.process.popen.send_signal(signal.SIGUSR2)
        word = b"word %03d" % round
        a.speak(word)
        tunnel.speak(b"tunnelled " + word)
        words.append(word)
        texts.append(f"text {round}")
        a.send("text_message", channel_id=[fleeting], message=texts[-1])
        muted.speak(b"hush")
        time.sleep(0.02)
        for peer in everybody:
            peer.poll()
    await_true(lambda: voice.server.log().count("info core ready") > before, 30, voice.server.log)
    b.hear(lambda v: v.payload == words[-1], 20)
    b.hear(lambda v: v.payload == b"tunnelled " + words[-1], 20)
    assert [v.payload for v in b.heard if v.session == a.session] == words
    assert [v.payload for v in b.heard if v.session == tunnel.session] == [b"tunnelled " + w for w in words]
    assert all(v.over == "udp" for v in b.heard)
    b.got("text_message", lambda m: m.message == texts[-1])
    assert [m.message for n, m in b.messages if n == "text_message"] == texts
    assert not any(v.session == muted.session for v in b.heard)

    # And what they had set up holds.
    a.speak(b"for you", target=3)
    b.hear(lambda v: v.payload == b"for you")
    assert not any(v.payload == b"for you" for v in boss.heard)
    b.speak(b"and back")
    a.hear(lambda v: v.payload == b"and back")
    late = voice.join()
    assert late.users[a.session].user_id == a.users[a.session].user_id
    assert late.users[muted.session].mute and late.users[a.session].channel_id == fleeting
    late.send("request_blob", session_comment=[b.session])
    assert late.got("user_state", lambda m: m.comment).comment.startswith("nobody knows me")
    assert late.session not in [p.session for p in everybody]
    assert f"info voice went on users={len(everybody)} lost=0" in voice.server.log()
    for peer in everybody:  # the room goes with the last of them
        peer.close()
    late.until(lambda: fleeting not in late.channels)
    voice.dismiss()
    upgrade(voice.server)
    voice.join()
    voice.dismiss()
