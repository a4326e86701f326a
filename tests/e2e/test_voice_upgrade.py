"""What voice rooms keep: over an upgrade all of it, and of the store nothing is ever written over that
could not be read."""
import pathlib
import signal
import sqlite3
import subprocess
import time

import pytest

from fault_harness import SANITIZED, SERVER
from handover_harness import Kept
from mumble_peer import Gone, Peer, certificate, message
from stage import Server, await_true, free_ports
from voice_stage import SUPER, Voice, ringmain_voice

HERE = pathlib.Path(__file__).resolve().parent
needs_keeper = pytest.mark.skipif(SANITIZED, reason="a sanitizer does not bear clone(CLONE_FILES)")


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


def test_texts_with_a_zero_byte_outlast_a_restart(crew, tmp_path):
    port = free_ports()
    settings = {"voice.listen": f"127.0.0.1:{port}", "voice.superuser_password": SUPER}
    data = ["--data", str(tmp_path / "kept")]
    server = Server(crew, tmp_path, settings, data)
    voice = Voice("ringmain", port, server, server.log)
    boss = voice.boss()
    hall = boss.make_channel("hall", description="zero \0 byte")
    voice.settle(boss)
    voice.dismiss()
    server.stop()
    server = Server(crew, tmp_path, settings, data)
    voice = Voice("ringmain", port, server, server.log)
    boss = voice.boss()
    assert boss.channel("hall") == hall and boss.channels[hall].description == "zero \0 byte"
    voice.dismiss()
    server.stop()


# -- upgrades --------------------------------------------------------------------------------------

def upgrade(server):
    before = server.log().count("info core ready")
    server.process.popen.send_signal(signal.SIGUSR2)
    await_true(lambda: server.log().count("info core ready") > before, 30,
               lambda: server.log()[-3000:])


@needs_keeper
def test_rooms_are_open_after_an_upgrade(serve):
    voice = ringmain_voice(serve, {"workers": "2"})
    upgrade(voice.server)
    b, c = voice.join(), voice.join()
    b.speak(b"hello")
    c.hear(lambda v: v.payload == b"hello")
    voice.dismiss()


@needs_keeper
def test_a_text_with_a_zero_byte_harms_no_upgrade(serve):
    voice = ringmain_voice(serve, {"workers": "2"})
    boss, b, c = voice.boss(), voice.join(), voice.join()
    boss.make_channel("den", description="zero \0 byte", temporary=True)
    voice.settle(boss, b, c)
    upgrade(voice.server)
    b.speak(b"still here")
    c.hear(lambda v: v.payload == b"still here")
    voice.dismiss()


@needs_keeper
def test_nobody_in_the_rooms_notices_an_upgrade(serve, tmp_path):
    """TLS, keys, numbers, rooms, targets and all else go on; datagrams and texts of the very moment arrive."""
    voice = ringmain_voice(serve, {"workers": "2", "voice.timeout": "5m"})
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


class House:
    """A kept server with rooms, and two who talk there."""

    def __init__(self, **settings):
        self.port = free_ports()
        # They speak by datagrams alone, which do not count, for as long as a busy machine takes for all steps.
        self.server = Kept({"voice.listen": f"127.0.0.1:{self.port}", "voice.timeout": "10m", "voice.login_time": "2m",
                            "workers": 2, **settings})
        self.pair, self.words = [], 0

    def __enter__(self):
        self.server.__enter__()
        self.join()
        return self

    def __exit__(self, *what):
        self.server.__exit__(*what)

    def join(self):
        for peer in self.pair:
            peer.close()
        self.pair = [Peer(self.port, "one").join(), Peer(self.port, "two").join()]

    def talk(self):
        """False: they are both gone, and come again."""
        self.words += 1
        word = b"word %d" % self.words
        try:
            self.pair[0].speak(word)
            self.pair[1].hear(lambda v: v.payload == word)
            self.pair[1].speak(word)
            self.pair[0].hear(lambda v: v.payload == word)
            return True
        except Gone:
            self.join()
            return False


@needs_keeper
def test_a_next_server_that_dies_at_any_step_ends_no_conversation_of_the_old_one(tmp_path):
    fault = tmp_path / "fault.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", fault, HERE / "handover_fault.c", "-ldl"],
                   check=True)
    with House() as house:
        step, kept = 1, 0
        while True:
            mark = tmp_path / f"mark{step}"
            house.server.wrap(LD_PRELOAD=fault, FAULT_STEP=step, FAULT_MARK=mark)
            answer = house.server.ctl("upgrade")
            if not mark.exists():
                assert answer.returncode == 0
                break
            # If it died when all was its own, they come again; else they have not noticed.
            assert house.talk() or answer.returncode == 0
            kept += answer.returncode != 0
            step += 1
            assert step < 60
        assert house.talk() or house.talk()  # that one may still have died
        assert kept > 3
        house.server.restore()
        house.server.upgrade()
        assert house.talk()


@needs_keeper
def test_after_a_crash_the_rooms_are_open_at_once():
    with House() as house:
        for _ in range(2):
            house.server.kill()
            with pytest.raises(Gone):
                house.pair[0].until(lambda: False)
            house.join()
            assert house.talk()


@needs_keeper
def test_a_server_of_other_tables_leaves_those_who_talk_with_the_old_one():
    with House() as house:
        with open(SERVER, "rb") as f:
            program = f.read()
        assert b"voice.left\0" in program
        house.server.replace(program.replace(b"voice.left\0", b"voice.gone\0"))
        old = house.server.pid()
        answer = house.server.ctl("upgrade")
        assert answer.stdout == "ok the old server drains\n", answer
        for _ in range(3):
            assert house.talk()
        for peer in house.pair:
            peer.close()
        await_true(lambda: old not in house.server.tree(), 30)
        await_true(lambda: house.server.log().count("info voice ready") == 2, 10, house.server.log)
        house.join()
        assert house.talk()
