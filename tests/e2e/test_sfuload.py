"""Viewers by the hundred with the load generator's own DTLS and SRTP: every packet whole and in its place."""
import json
import os
import pathlib
import re

import pytest

from stage import PROGRAM, await_true, free_ports

LOAD = pathlib.Path(os.environ.get("RINGMAIN_CLIENTS", PROGRAM.parent / "clients")) / "sfu" / "ringmain-sfuload"
TOKEN = "who may publish"


@pytest.fixture(scope="module")
def server(shared_serve):
    return shared_serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": TOKEN,
                         "workers": "2", "sfu.idle": "no"})


class Load:
    def __init__(self, crew, server, room):
        self.crew, self.base, self.room = crew, f"http://127.0.0.1:{server.port}", room

    def publish(self, *options):
        process = self.crew.start([str(LOAD), "publish", "--url", f"{self.base}/whip/{self.room}",
                                   "--token", TOKEN, "--seconds", "60", *options])
        await_true(lambda: "connected" in process.said(), 10, process.said)
        return process

    def start_watch(self, viewers, seconds, *options):
        return self.crew.start([str(LOAD), "watch", "--url", f"{self.base}/whep/{self.room}",
                                "--viewers", str(viewers), "--seconds", str(seconds), *options])

    def watch(self, viewers, seconds, *options, good=True):
        """The report."""
        process = self.start_watch(viewers, seconds, *options)
        status = process.wait(seconds + 20)
        report = json.loads(process.said().splitlines()[-1])
        assert report["event"] == "report"
        assert (status == 0) == good, report
        return report


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_each_packet_arrives_as_it_was_made(crew, server, codec):
    load = Load(crew, server, f"whole-{codec}")

    load.publish("--codec", codec)
    report = load.watch(60, 5, "--codec", codec)
    assert report["watching"] == report["joined"] == 60
    assert report["packets"] == report["opened"] > 60 * 4 * 270
    assert not any(report[k] for k in ("bad", "torn", "astray", "moves", "lost", "torn_starts"))
    assert report["whole_ms"]["n"] == 60


@pytest.mark.parametrize("rtx", ["0", "1"])
def test_what_was_lost_is_repaired(crew, server, rtx):
    load = Load(crew, server, f"lossy-{rtx}")

    load.publish()
    report = load.watch(30, 6, "--loss", "0.03", "--burst", "3", "--rtx", rtx, "--drain", "2")
    assert report["dropped"] > 500
    assert report["repaired"] > 500 and report["lost"] == 0


def test_who_looks_away_harms_nobody(crew, server):
    load = Load(crew, server, "slow")

    load.publish()
    report = load.watch(60, 6, "--slow", "0.5")
    assert report["slow_packets"] > 1000
    assert report["lost"] == report["astray"] == report["torn"] == 0


def metric(server, name):
    return int(re.search(rf"^ringmain_sfu_{name} (\d+)$", server.get("/metrics").text, re.M)[1])


def viewers(server):
    return metric(server, "viewers")


def test_each_datagram_of_who_joins_finds_its_worker(crew, server):
    """Also the first ones, which follow at once on what tells the workers of the viewer."""
    load = Load(crew, server, "join")
    load.publish()
    refused, passed = metric(server, "refused_total"), metric(server, "passed_total")
    process = load.start_watch(200, 60, "--rate", "400")
    await_true(lambda: '"event":"joined"' in process.said(), 30, process.said)
    assert metric(server, "passed_total") > passed and metric(server, "refused_total") == refused


def test_viewers_come_and_go_for_ever(crew, server):
    """Half of them without a word: nothing of those is kept for long."""
    load = Load(crew, server, "churn")

    load.publish()
    report = load.watch(40, 6, "--stay", "1")
    assert report["left"] > 100 and report["refused"] == report["broken"] == 0
    assert report["torn"] == report["astray"] == report["lost"] == 0
    await_true(lambda: viewers(server) == 0, 50)


def test_a_room_where_nobody_publishes_is_joined(crew, server):
    report = Load(crew, server, "nobody").watch(5, 2)

    assert report["joined"] == 5 and report["watching"] == report["packets"] == 0
