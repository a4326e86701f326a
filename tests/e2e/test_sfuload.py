"""Viewers by the hundred with the load generator's own DTLS and SRTP: every packet whole and in its place."""
import json
import os
import pathlib
import re

import pytest

from stage import PROGRAM, await_true, free_ports

LOAD = pathlib.Path(os.environ.get("RINGMAIN_CLIENTS", PROGRAM.parent / "clients")) / "sfu" / "ringmain-sfuload"
TOKEN = "who may publish"
# Nobody is let go because the machine is busy.
PATIENT = {"sfu.connect_timeout": "10m", "sfu.history": "32M", "sfu.gop_limit": "60s"}


@pytest.fixture(scope="module")
def server(shared_serve):
    return shared_serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": TOKEN,
                         "workers": "2", "sfu.idle": "no", **PATIENT})


def explained(report):
    """Whether nothing was lost, but by the load itself, which had no time to take it."""
    return report["lost"] == 0 or report["overrun"] > 0


class Load:
    def __init__(self, crew, server, room):
        self.crew, self.base, self.room = crew, f"http://127.0.0.1:{server.port}", room

    def publish(self, *options):
        process = self.crew.start([str(LOAD), "publish", "--url", f"{self.base}/whip/{self.room}",
                                   "--token", TOKEN, "--seconds", "3600", *options])
        await_true(lambda: "connected" in process.said(), 60, process.said)
        return process

    def start_watch(self, viewers, seconds, *options):
        return self.crew.start([str(LOAD), "watch", "--url", f"{self.base}/whep/{self.room}",
                                "--viewers", str(viewers), "--seconds", str(seconds), *options])

    def watch(self, viewers, seconds, *options, least=0, good=True):
        """The report; when it is over, all viewers have joined and so many packets have come."""
        process = self.start_watch(viewers, seconds, *(["--least", str(least)] if least else []), *options)
        status = process.wait(seconds + 240)
        report = json.loads(process.said().splitlines()[-1])
        assert report["event"] == "report"
        assert (status == 0) == good, report
        return report


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_each_packet_arrives_as_it_was_made(crew, server, codec):
    load = Load(crew, server, f"whole-{codec}")

    load.publish("--codec", codec)
    report = load.watch(60, 1, "--codec", codec, least=60 * 4 * 270)
    assert report["watching"] == report["joined"] == 60
    assert report["packets"] == report["opened"] >= 60 * 4 * 270
    assert not any(report[k] for k in ("bad", "torn", "astray", "moves")) and explained(report), report
    assert report["torn_starts"] == 0 or report["overrun"] > 0
    assert report["whole_ms"]["n"] == 60


@pytest.mark.parametrize("rtx", ["0", "1"])
def test_what_was_lost_is_repaired(crew, server, rtx):
    load = Load(crew, server, f"lossy-{rtx}")

    load.publish()
    report = load.watch(30, 1, "--loss", "0.03", "--burst", "3", "--rtx", rtx, "--drain", "2", least=30 * 5 * 270)
    assert report["dropped"] > 500
    assert report["repaired"] > 500 and explained(report), report


def test_who_looks_away_harms_nobody(crew, server):
    load = Load(crew, server, "slow")

    load.publish()
    report = load.watch(60, 3, "--slow", "0.5")
    assert report["slow_packets"] > 1000
    assert report["astray"] == report["torn"] == 0 and explained(report), report


def metric(server, name):
    return int(re.search(rf"^ringmain_sfu_{name} (\d+)$", server.get("/metrics").text, re.M)[1])


def viewers(server):
    return metric(server, "viewers")


def test_each_datagram_of_who_joins_finds_its_worker(crew, server):
    """Also the first ones, which follow at once on what tells the workers of the viewer."""
    load = Load(crew, server, "join")
    load.publish()
    refused, passed = metric(server, "refused_total"), metric(server, "passed_total")
    process = load.start_watch(200, 3600, "--rate", "400")
    await_true(lambda: '"event":"joined"' in process.said(), 60, process.said)
    assert metric(server, "passed_total") > passed and metric(server, "refused_total") == refused


def test_viewers_come_and_go_for_ever(crew, server):
    """Half of them without a word: nothing of those is kept for long."""
    load = Load(crew, server, "churn")

    load.publish()
    report = load.watch(40, 6, "--stay", "1")
    assert report["left"] > 50 and report["refused"] == report["broken"] == 0
    assert report["torn"] == report["astray"] == 0 and explained(report), report
    await_true(lambda: viewers(server) == 0, 120)


def test_a_room_where_nobody_publishes_is_joined(crew, server):
    process = Load(crew, server, "nobody").start_watch(5, 3600)

    def joined():
        told = [json.loads(line) for line in process.said().splitlines() if '"progress"' in line]
        return told and told[-1]["joined"] == 5 and told[-1]
    assert await_true(joined, 60, process.said)["packets"] == 0
    process.popen.terminate()
    process.wait(60)
    report = json.loads(process.said().splitlines()[-1])
    assert report["joined"] == 5 and report["watching"] == report["packets"] == 0
