"""What voice rooms keep: over an upgrade all of it, and of the store nothing is ever written over that
could not be read."""
import signal
import sqlite3

from mumble_peer import message
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
