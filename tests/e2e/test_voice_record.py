"""Rooms that are recorded: a file for each speaker, whole, in step, and everybody sees it."""
import collections
import contextlib
import datetime
import json
import re
import signal
import subprocess
import time

import pytest

from envelope import envelope, likeness
from fault_harness import SANITIZED
from mumble_peer import random_opus
from stage import CLIENTS, await_true, need
from voice_stage import fresh, ringmain_voice

pytestmark = pytest.mark.real_time("what is said and heard is played in real time")

VOICECAT = CLIENTS / "voice" / "voicecat"
Answer = collections.namedtuple("Answer", "status_code tree")
RECORDING = "/api/v1/voice/channels/0/recording"


@pytest.fixture(scope="module")
def speech(shared_room):
    path = shared_room / "speech.wav"
    need("espeak-ng")
    subprocess.run(["espeak-ng", "-w", path, "Round the ring main goes the news, and who listens hears it."],
                   check=True, timeout=60)
    return path


@pytest.fixture
def voice(serve, folder):
    voice = ringmain_voice(serve, {"voice.record_directory": str(folder), "workers": "2"})
    yield voice
    voice.dismiss()


def order(voice, method, path=RECORDING):
    done = subprocess.run(["curl", "-s", "-X", method, "-u", f"admin:{voice.server.admin_password}", "-w", "\n%{http_code}",
                           voice.server.url + path], capture_output=True, timeout=60, check=True)
    body, code = done.stdout.rsplit(b"\n", 1)
    return Answer(int(code), json.loads(body) if body else None)


def talk(crew, voice, name, path, *options):
    return crew.start([VOICECAT, "--user", name, "--in", path, *options, f"127.0.0.1:{voice.port}"])


def decoded(path):
    wav = path.with_suffix(".wav")
    info = subprocess.run(["opusinfo", path], capture_output=True, timeout=60)
    assert info.returncode == 0 and b"WARNING" not in info.stdout + info.stderr, info.stdout + info.stderr
    subprocess.run(["opusdec", "--quiet", path, wav], check=True, timeout=60, capture_output=True)
    return wav


def came(voice, name):
    """When, in seconds."""
    stamp = re.search(rf"^(\S+) .*user came name={name}\b", voice.log(), re.M).group(1)
    return datetime.datetime.fromisoformat(stamp).timestamp()


def track(folder, name):
    return next(folder.glob(f"*/{name}-*.opus"))


def test_each_speaker_has_a_file_and_all_are_in_step(crew, voice, folder, speech):
    assert order(voice, "POST").status_code == 201
    assert order(voice, "POST").status_code == 409
    first = talk(crew, voice, "first", speech, "--udp")
    first.wait(30)
    # Both at once, one over each way, some time after the first has spoken.
    second, third = talk(crew, voice, "second", speech, "--tcp"), talk(crew, voice, "third", speech, "--udp")
    second.wait(30)
    third.wait(30)
    time.sleep(0.2)  # the last datagrams
    assert order(voice, "DELETE").status_code == 204
    assert order(voice, "DELETE").status_code == 404
    await_true(lambda: voice.metric("recordings") == 0, 10)
    await_true(lambda: len(list(folder.glob("*/*.opus"))) == 3, 10)
    # The last pages are written a moment later.
    await_true(lambda: subprocess.run(["opusinfo", track(folder, "third")], capture_output=True).returncode == 0, 10)
    waves = {name: decoded(track(folder, name)) for name in ("first", "second", "third")}
    for wave in waves.values():
        assert likeness(speech, wave) > 0.9

    def begins(path):
        loud = envelope(path)
        return next(i for i, x in enumerate(loud) if x > max(loud) / 5) / 100
    length = len(envelope(speech)) / 100
    assert begins(waves["second"]) > begins(waves["first"]) + length
    # In the files they are as far apart as they came.
    apart = came(voice, "second") - came(voice, "third")
    assert abs(begins(waves["second"]) - begins(waves["third"]) - apart) < 0.6


def test_who_is_there_and_who_comes_sees_it(voice, folder):
    there = voice.join("there")
    assert order(voice, "POST").status_code == 201
    voice.settle(there)
    assert any(m.message == "This room is being recorded." for n, m in there.messages if n == "text_message")
    late = voice.join("late")
    voice.settle(there, late)
    for peer in (there, late):
        signs = [m for n, m in peer.messages if n == "user_state" and m.name == "Recording"]
        assert signs and signs[0].recording and signs[0].channel_id == 0
    there.speak(random_opus())
    assert order(voice, "DELETE").status_code == 204
    voice.settle(there, late)
    for peer in (there, late):
        assert any(n == "user_remove" and m.session == signs[0].session for n, m in peer.messages)


def test_who_comes_in_from_another_room_is_told(voice, folder):
    boss, guest = voice.boss(), voice.join("guest")
    assert order(voice, "POST").status_code == 201
    late = voice.join("later")
    assert late.got("text_message").message == "This room is being recorded."
    room = boss.make_channel(fresh("room"))
    guest.until(lambda: room in guest.channels)
    guest.move(room)
    had = len(guest.messages)
    guest.move(0)
    assert guest.got("text_message", since=had).message == "This room is being recorded."
    assert order(voice, "DELETE").status_code == 204


def test_a_recording_from_a_clients_menu(voice, folder):
    boss, guest = voice.boss(), voice.join()
    item = boss.got("context_action_modify")
    assert item.context == 2 and item.operation == 0
    assert not any(n == "context_action_modify" for n, m in guest.messages)
    guest.send("context_action", channel_id=0, action=item.action)
    guest.got("permission_denied")
    for there in (1, 0):
        boss.send("context_action", channel_id=0, action=item.action)
        boss.sync()
        assert voice.metric("recordings") == there


@pytest.mark.skipif(SANITIZED, reason="a sanitizer does not bear clone(CLONE_FILES)")
def test_a_recording_goes_on_over_an_upgrade(crew, voice, folder, speech):
    """In other files: the first are whole, and who is there sees no break."""
    hearer = voice.join()
    assert order(voice, "POST").status_code == 201
    sign = hearer.got("user_state", lambda m: m.name == "Recording").session
    talker = talk(crew, voice, "talker", speech, "--loop", "--udp")
    await_true(lambda: voice.metric("record_bytes") > 4000, 20)
    before = voice.log().count("info core ready")
    voice.server.process.popen.send_signal(signal.SIGUSR2)
    await_true(lambda: voice.log().count("info core ready") > before, 30, voice.log)
    await_true(lambda: voice.metric("record_bytes") > 4000, 20)
    hearer.sync()
    assert sign in hearer.users
    assert order(voice, "DELETE").status_code == 204
    hearer.until(lambda: sign not in hearer.users)
    talker.kill()
    tracks = sorted(folder.glob("*/talker-*.opus"))
    assert len(tracks) == 2
    for path in tracks:
        await_true(lambda p=path: subprocess.run(["opusinfo", p], capture_output=True).returncode == 0, 10)
        decoded(path)


def test_a_server_that_stops_leaves_whole_files(crew, voice, folder, speech):
    assert order(voice, "POST").status_code == 201
    talker = talk(crew, voice, "talker", speech, "--loop")
    await_true(lambda: voice.metric("record_bytes") > 8000, 20)
    voice.server.stop()
    talker.kill()
    decoded(track(folder, "talker"))


def test_without_a_directory_nothing_is_recorded(serve):
    voice = ringmain_voice(serve)
    answer = order(voice, "POST")
    assert answer.status_code == 409 and answer.tree["error"]["code"] == "no_directory"
    assert order(voice, "POST", "/api/v1/voice/channels/77/recording").status_code == 404


def test_a_full_disk_ends_the_recording_and_nothing_else(crew, serve, tmp_path, speech):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk],
                      capture_output=True).returncode:
        pytest.skip("no tmpfs can be mounted here")
    with contextlib.ExitStack() as stack:
        stack.callback(subprocess.run, ["umount", "-l", disk])
        voice = ringmain_voice(serve, {"voice.record_directory": str(disk)})
        stack.callback(voice.dismiss)
        hearer = voice.join("hearer", udp=False)
        assert order(voice, "POST").status_code == 201
        talk(crew, voice, "talker", speech, "--loop", "--bitrate", "128000")
        await_true(lambda: voice.metric("record_failures") == 1, 30, voice.log)
        assert voice.metric("recordings") == 0
        voice.settle(hearer)
        assert any("could not be written" in m.message for n, m in hearer.messages if n == "text_message")
        before = len(hearer.heard)
        await_true(lambda: voice.settle(hearer) or len(hearer.heard) > before + 20, 10)


def test_who_has_the_number_of_another_before_him_has_a_file_of_his_own(serve, folder):
    voice = ringmain_voice(serve, {"voice.record_directory": str(folder), "voice.users": "1"})
    assert order(voice, "POST").status_code == 201
    first = voice.join("first", udp=False)
    first.speak(b"\xf8" + random_opus())
    await_true(lambda: list(folder.glob("*/first-*.opus")), 20, voice.log)
    number = first.session
    for _ in range(20):
        voice.dismiss()
        await_true(lambda: voice.metric("users") == 0, 20, voice.log)
        heir = voice.join("heir", udp=False)
        if heir.session == number:
            break
    assert heir.session == number
    heir.speak(b"\xf8" + random_opus())
    await_true(lambda: list(folder.glob("*/heir-*.opus")), 20, voice.log)
    voice.dismiss()
