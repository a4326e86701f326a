"""The great run: a crowd and encoders of every kind, while everything that may happen to a server does.

    PROOF=20,2000 /usr/bin/python3 -m pytest -s tests/e2e/test_proof_run.py

Each round is an upgrade, a reload, a renewed certificate and a kill -9; in some of them the disk of the
data directory is read-only, in others it is full. Nobody is disconnected, no byte is wrong, and no encoder
comes twice. The first number is how many rounds, the second how many listeners.

ffmpeg, ezstream (libshout) and curl send numbered frames from a file, so that the swarm's oracle judges what
they sent; ices2 and liquidsoap send Ogg, whose pages are numbered by themselves."""

import json
import os
import pathlib
import random
import signal
import socket
import ssl
import subprocess
import tempfile
import time

import pytest

import ogg_pages
from encoders import ezstream_send, ices_send, liquidsoap_send
from fault_harness import (KBPS, SANITIZED, SOURCE_PASSWORD, Encoder, Listener, _filler,
                           assert_whole, await_, swarm_joined, swarm_report, swarm_start)
from handover_harness import Kept
from stage import need
from test_tls import certificate, swarm_tls

ROUNDS, CROWD = (int(n) for n in os.environ.get("PROOF", "8,600").split(","))

pytestmark = [pytest.mark.skipif(SANITIZED, reason="a sanitizer does not bear clone(CLONE_FILES)"),
              pytest.mark.timeout(120 + ROUNDS * 60)]

NUMBERED = ["/ffmpeg", "/ezstream", "/curl", "/live"]
OGG = ["/ices", "/liquidsoap"]


class Radio:
    """What the helpers of foreign encoders ask of a server."""

    def __init__(self, server):
        self.port, self.source_password = server.port, SOURCE_PASSWORD


def tape_frame(number, kbps=128, stream=5):
    """As oracle_frame_make() of clients/oracle.c does it, sent at 0."""
    def digits(value, count):
        return bytes(value >> 7 * (count - 1 - i) & 127 for i in range(count))

    def before(n):
        return n * 1440 * kbps // 441

    length = before(number % 441 + 1) - before(number % 441)
    padded = length > 144000 * kbps // 44100
    head = bytes((0xff, 0xfb, KBPS.index(kbps) << 4 | padded << 1, 4)) + bytes(32) + b"RMO1"
    head += digits(stream, 5) + digits(number, 10) + digits(0, 10)
    return head + _filler(length - len(head), stream, number, 0)


class Tape:
    """Numbered frames in a file, in place of the programme of sounds.py."""

    def __init__(self, path, seconds):
        path.write_bytes(b"".join(map(tape_frame, range(seconds * 39))))
        self.path = path

    def file(self, _):
        return self.path


@pytest.fixture(name="room")
def _room():
    """Outside of pytest's directory, which every other pytest closes to nobody when it starts."""
    with tempfile.TemporaryDirectory(prefix="ringmain-proof-") as room:
        yield pathlib.Path(room)


@pytest.fixture(name="disk")
def _disk(tmp_path):
    """A small disk of its own for the data directory."""
    where = tmp_path / "disk"
    where.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(where)],
                      stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("needs to mount a small disk")
    try:
        yield where
    finally:
        for _ in range(2):
            subprocess.run(["umount", "-l", str(where)], stderr=subprocess.DEVNULL, check=False)


def read_only(disk):
    """For whoever opens anything from now on: a file that is open for writing keeps its disk from
    becoming read-only as a whole."""
    subprocess.run(["mount", "--bind", str(disk), str(disk)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(disk)], check=True)


def writable(disk):
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk):
    filler = disk / "filler"
    with open(filler, "wb", buffering=0) as f:
        for size in (65536, 512):
            try:
                while True:
                    f.write(b"x" * size)
            except OSError:
                pass
    return filler


def encoders_start(crew, server, sounds, tape, room):
    """Five kinds. The programs that are no encoder of ours, by their mounts."""
    radio = Radio(server)
    url = f"http://127.0.0.1:{server.port}"
    started = {"/liquidsoap": liquidsoap_send(crew, radio, sounds, room,
                                              [("%vorbis", "/liquidsoap", None)]),
               "/ices": ices_send(crew, radio, sounds, room, "/ices"),
               "/ezstream": ezstream_send(crew, radio, tape, room, "mp3", "/ezstream")}
    started["/ffmpeg"] = crew.start(
        ["ffmpeg", "-nostdin", "-v", "warning", "-re", "-i", tape.path, "-c", "copy", "-write_xing", "0",
         "-id3v2_version", "0", "-content_type", "audio/mpeg", "-f", "mp3",
         f"icecast://source:{SOURCE_PASSWORD}@127.0.0.1:{server.port}/ffmpeg"], "ffmpeg")
    with open(tape.path, "rb") as data:
        started["/curl"] = crew.start(
            ["curl", "-sS", "-f", "-u", f"source:{SOURCE_PASSWORD}", "--limit-rate", "16000", "-H",
             "Content-Type: audio/mpeg", "-H", "Expect: 100-continue", "-T", "-", url + "/curl"], stdin=data)
    for mount, encoder in started.items():
        await_(f"{mount} is live", lambda m=mount, e=encoder: server.state(m) == "live" or not e.running(), 60)
        assert encoder.running(), (mount, encoder.said())
    return started


def served_certificate(server):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", server.port), 60) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as s:
            return s.getpeercert(True)


def certificate_renew(server, room, number):
    """Written in place, and taken with the next reload, or by the server's own look at the files."""
    fresh, before = certificate(room, f"fresh{number}"), served_certificate(server)
    for new, old in zip(fresh, (room / "station.pem", room / "station.key")):
        os.replace(new, old)
    server.process.send_signal(signal.SIGHUP)
    await_("the new certificate is served", lambda: served_certificate(server) != before)


def upgrade(server):
    """By signal: a disk that cannot be written has no socket for ringmainctl."""
    server.process.send_signal(signal.SIGUSR2)
    server.upgrades += 1
    server.await_log("core took over", server.upgrades, 60)
    server.await_log(" core ready ", 1 + server.crashes + server.upgrades, 60)


def reload(server, number):
    """A setting really changes; and one file that is no good changes nothing."""
    def write(text):
        with open(server.config_path, "w", encoding="utf-8") as f:
            f.write(text)

    reloads, refused = server.log().count("core reloaded"), server.log().count("not reloaded")
    write("station:\n  nonsense: [\n")
    server.process.send_signal(signal.SIGHUP)
    server.await_log("not reloaded", refused + 1)
    write(f"mount:\n  /live:\n    genre: genre {number}\n")
    server.process.send_signal(signal.SIGHUP)
    server.await_log("core reloaded", reloads + 1)


def pause():
    time.sleep(random.uniform(0.05, 0.5))


def a_round(server, number, disk, room):
    """What happens to the disk comes before the rest, and is undone behind it."""
    trouble = (None, "read-only", "full")[number % 3]
    if trouble == "read-only":
        read_only(disk)
    filler = fill(disk) if trouble == "full" else None
    server.title("/live", f"Round {number}")
    steps = [lambda: upgrade(server), lambda: reload(server, number), server.kill,
             lambda: certificate_renew(server, room, number)]
    random.shuffle(steps)
    for step in steps:
        step()
        pause()
    if trouble == "read-only":
        writable(disk)
    if filler:
        filler.unlink()


def assert_pages_follow(listener):
    """Ogg's own numbers: each page is the next, but for the one jump behind the headers."""
    body, jumps, last, count = listener.body, 0, None, 0
    for page in ogg_pages.pages(body[:body.rindex(b"OggS")]):
        count += 1
        if page.begins:
            last = None
        elif last is not None and page.number != last + 1:
            assert last < 3, (last, page.number)
            jumps += 1
        last = page.number
    assert jumps <= 1 and count > 5


def test_nobody_is_disconnected_and_no_byte_is_wrong(crew, sounds, room, disk):
    need("ffmpeg", "ezstream", "ices2", "liquidsoap", "curl")
    certificate(room, "station")
    tape = Tape(room / "tape.mp3", 120 + ROUNDS * 30)
    settings = {"tls.certificate": room / "station.pem", "tls.key": room / "station.key",
                "radio.ring": "4m", "radio.icy_interval": 4000, "auth.attempts": 100000}
    with Kept(settings, config="mount:\n  /live:\n    genre: none\n", data=str(disk / "data")) as server:
        ours = Encoder(server, "/live", title_every=1, seconds=1200)
        foreign = encoders_start(crew, server, sounds, tape, room)
        plain, newest, older = CROWD * 8 // 10, CROWD // 10, CROWD // 10
        common = {"paths": ",".join(NUMBERED), "icy": 0.5, "check": True, "seconds": 1800}
        swarms = [swarm_start(server, listeners=plain, **common),
                  swarm_tls(server, listeners=newest, **common),
                  swarm_tls(server, listeners=older, tls_1_2=True, **common)]
        oggs = [Listener(server, mount) for mount in OGG * 3]
        everybody = plain + newest + older + len(oggs)
        await_("all listen", lambda: server.listeners() == everybody, 90)
        for swarm in swarms:
            swarm_joined(swarm)
        began = time.monotonic()
        for number in range(ROUNDS):
            a_round(server, number, disk, room)
            assert server.listeners() == everybody, f"somebody is gone after round {number}"
            print(f"round {number}: {server.listeners()} listeners, {time.monotonic() - began:.0f} s")
        assert all(e.running() for e in foreign.values()), {m: e.said()[-500:] for m, e in foreign.items()}
        reports = []
        for listener in oggs:
            got = len(listener.received())
            await_("it hears on", lambda l=listener, n=got: len(l.received()) > n + 8000)
            assert not listener.ended
            assert_pages_follow(listener)
        for swarm in swarms:
            swarm.send_signal(signal.SIGTERM)
        for swarm in swarms:
            reports.append(swarm_report(swarm))
        log = server.log()
        for mount in [*NUMBERED, *OGG]:
            assert log.count(f"source live mount={mount} ") == 1, mount
        assert "source gone" not in log and "source lost" not in log and "not restored" not in log
        for report in reports:
            print(json.dumps({key: report[key] for key in ("listeners", "disconnected", "gap_max_ms", "check")}))
            assert_whole(report)
        done = ours.stop()
        assert done["connects"] == 1 and done["drops"] == 0 and done["lost"] == 0, done
        assert server.metric("core_crashes_total") == server.metric("core_upgrades_total") == ROUNDS
        # The disk was bad indeed; now it is well again, and so are the history and ringmainctl's socket.
        for why in ("read-only", "full") if ROUNDS > 2 else ():
            assert f"not keeping history why={why}" in log, why
        server.await_log("store keeping history")
        await_("ringmainctl is heard", lambda: server.ctl("reload").returncode == 0)
        server.upgrade()
