"""voicecat beside Debian's mumble-server: what one says the other hears, by every way."""
import json
import re
import subprocess
import time

import pytest

from envelope import likeness, likeness_by_pieces
from mumble_server import MumbleServer
from stage import CLIENTS, await_true, free_ports, run as run_program

pytestmark = pytest.mark.real_time("what is said and heard is played in real time")

VOICECAT = CLIENTS / "voice" / "voicecat"


@pytest.fixture(scope="module")
def server(shared_crew):
    return MumbleServer(shared_crew)


@pytest.fixture(scope="module")
def speech(shared_room):
    path = shared_room / "speech.wav"
    subprocess.run(["espeak-ng", "-w", path, "Round the ring main goes the news, and who listens hears it."],
                   check=True, timeout=60)
    return path


@pytest.fixture(scope="module")
def noise(shared_room, speech):
    path = shared_room / "noise.wav"
    subprocess.run(["sox", "-R", "-n", "-r", "22050", path, "synth", "3", "pinknoise"], check=True,
                   timeout=60)
    return path


def listener(crew, server, out, *options, user="hearer"):
    """One who listens, once it is in."""
    process = crew.start([VOICECAT, "--user", user, "--out", out, "--events", *options,
                          f"127.0.0.1:{server.port}"])
    await_true(lambda: '"joined"' in process.said(), 15, process.said)
    return process


def talk(server, *options, user="talker", seconds=30):
    return run_program([VOICECAT, "--user", user, *options, f"127.0.0.1:{server.port}"],
                       seconds=seconds)


def events(process):
    return [json.loads(line) for line in process.said().splitlines() if line.startswith("{")]


def came_late(process):
    """How many packets of what it heard came too late, or had to be made up."""
    return sum(int(n) for n in re.findall(r" (?:late|made_up)=(\d+)", process.said()))


def stop(process):
    """Ends it as a person would, so that its files are whole."""
    process.popen.send_signal(2)
    process.wait(10)


@pytest.mark.parametrize("said_by, heard_by", [
    (["--udp"], ["--udp"]), (["--tcp"], ["--tcp"]), (["--udp"], ["--tcp"]), (["--tcp"], []),
    (["--udp", "--old", "--frame", "60"], ["--old"]), (["--udp", "--frame", "10"], []),
], ids=["udp", "tunnel", "udp-to-tunnel", "tunnel-to-any", "old-60ms", "10ms"])
def test_speech_is_heard_as_it_was_said(crew, server, speech, tmp_path, said_by, heard_by):
    hearer = listener(crew, server, tmp_path / "heard.wav", *heard_by)
    said = talk(server, "--in", speech, *said_by)
    assert said.returncode == 0, said.stderr
    time.sleep(0.3)  # what lies in the jitter buffer
    stop(hearer)
    heard = tmp_path / "heard.wav"
    # What came late makes pauses between words; the hearer has counted it.
    assert likeness(speech, heard) > 0.9 or \
        came_late(hearer) > 10 and likeness_by_pieces(speech, heard) > 0.8
    way = "tunnel" if "--tcp" in said_by else "udp"
    assert int(said.stderr.decode().split(f"said udp=")[1].split()[0]) > 0 or way == "tunnel"
    assert "dropped=0" in said.stderr.decode()


def test_the_measure_tells_speech_from_noise(speech, noise):
    assert likeness(noise, speech) < 0.5 and likeness_by_pieces(noise, speech) < 0.75


def test_each_speaker_has_a_file_and_ogg_opus_is_read_and_written(crew, server, speech, noise, tmp_path):
    (tmp_path / "each").mkdir()
    opus = tmp_path / "speech.opus"
    subprocess.run(["opusenc", "--quiet", speech, opus], check=True, timeout=60)
    hearer = listener(crew, server, tmp_path / "all.opus", "--out-dir", tmp_path / "each")
    first = crew.start([VOICECAT, "--user", "first", "--udp", "--in", opus,
                        f"127.0.0.1:{server.port}"])
    second = crew.start([VOICECAT, "--user", "second", "--udp", "--in", noise,
                         f"127.0.0.1:{server.port}"])
    first.wait(30)
    second.wait(30)
    time.sleep(0.3)
    stop(hearer)
    files = {path.name.split("-")[0]: path for path in (tmp_path / "each").iterdir()}
    assert likeness(speech, files["second"]) < 0.5
    assert likeness(speech, files["first"]) > 0.9
    assert subprocess.run(["opusinfo", tmp_path / "all.opus"], capture_output=True, timeout=60).returncode == 0


def test_a_program_hears_and_speaks_by_lines(crew, server, speech, tmp_path):
    bot = crew.start([VOICECAT, "--user", "bot", "--events", "--commands", "--in", speech,
                      f"127.0.0.1:{server.port}"], stdin=subprocess.PIPE)
    await_true(lambda: '"joined"' in bot.said(), 15, bot.said)
    said = talk(server, "--text", "good <b>evening</b>", "--seconds", "1", user="guest")
    assert said.returncode == 0, said.stderr
    await_true(lambda: any(e["event"] == "text" and e["text"] == "good <b>evening</b>" and
                           e["name"] == "guest" for e in events(bot)), 10, bot.said)
    hearer = listener(crew, server, tmp_path / "heard.wav")
    bot.popen.stdin.write(b"text hello\nbogus\n")
    bot.popen.stdin.write(f"say {speech}\n".encode())
    bot.popen.stdin.flush()
    await_true(lambda: any(e["event"] == "text" and e["name"] == "bot" for e in events(hearer)), 10)
    await_true(lambda: any(e["event"] == "speaks" and e["name"] == "bot" for e in events(hearer)), 10)
    assert any(e["event"] == "fault" for e in events(bot))
    bot.popen.stdin.write(b"quit\n")
    bot.popen.stdin.flush()
    bot.wait(10)
    await_true(lambda: any(e["event"] == "left" for e in events(hearer)), 10)


@pytest.mark.parametrize("options, said", [
    (["--channel", "Nowhere"], "there is no channel Nowhere"),
    (["--in", "/no/such.wav"], "/no/such.wav: "),
    (["--out", "/tmp/file.xyz"], "a name ends with .wav"),
    (["--out-dir", "/no/such"], "/no/such: No such file"),
    (["--from", "nowhere"], "Cannot assign requested address"),
    (["--fingerprint", "00"], "not the one that was named"),
    (["--certificate", "/no/such.pem"], "/no/such.pem: "),
    (["--frame", "30"], "--frame: 10, 20, 40 or 60"),
    (["--in", "-", "--commands"], "standard input is either"),
    (["--push-to-talk"], "goes with --sound"),
], ids=["channel", "input", "output", "directory", "from", "fingerprint", "certificate", "frame",
        "stdin", "push"])
def test_what_cannot_be_done_is_said(server, options, said):
    done = talk(server, *options)
    assert done.returncode != 0
    assert said in done.stderr.decode()


def test_who_is_refused_is_told_why(server):
    done = talk(server, user="two words/and a slash")
    assert done.returncode == 1 and b"refused: Invalid username" in done.stderr
    done = run_program([VOICECAT, "127.0.0.1:1"])
    assert done.returncode == 1 and b"127.0.0.1 port 1: Connection refused" in done.stderr


@pytest.mark.parametrize("name", ["an\u200bna", "\u202eevil", "anna\ufeff", "so\u00adft", "\u2066x", "<b>anna"],
                         ids=["zero-width", "reversed", "mark", "hyphen", "isolate", "markup"])
def test_nobody_looks_like_another(serve, name):
    """Here, not at mumble-server, which has letters of its own."""
    port = free_ports()
    serve({"voice.listen": f"127.0.0.1:{port}"}).await_log("voice ready")
    done = run_program([VOICECAT, "--user", name, f"127.0.0.1:{port}"])
    assert done.returncode == 1 and b"refused: Invalid username" in done.stderr, done.stderr
