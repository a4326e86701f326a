"""Voice rooms under load: what ringmain-voiceswarm checks, bit for bit. Two workers throughout."""
import pytest

from mumble_server import MumbleServer
from stage import need, run as run_program
from voice_rooms import SWARM, rooms_of, swarm

pytestmark = pytest.mark.real_time("datagrams wait for nobody, and those that come late are none")


@pytest.fixture(scope="module")
def rooms(shared_serve):
    return rooms_of(shared_serve)


def test_every_payload_reaches_its_room_alone(rooms):
    report = swarm(rooms.port, "talk", "--clients", 24, "--rooms", 3, "--talkers", 2, "--mixed",
                   "--tunnel", 6, "--processes", 2)
    assert report["heard"] == report["said"] * 7
    assert report["sent_udp"] and report["heard_tunnel"] and report["heard_udp"]


def test_large_and_small_payloads_stay_whole(rooms):
    report = swarm(rooms.port, "talk", "--clients", 6, "--talkers", 3, "--size", 48, "--vary", 850,
                   "--mixed")
    assert report["heard"] == report["said"] * 5


def test_a_crowd_that_both_workers_send_to(serve):
    rooms = rooms_of(serve, {"voice.slice": "16"})
    report = swarm(rooms.port, "talk", "--clients", 140, "--talkers", 3, "--tunnel", 10)
    assert report["heard"] == report["said"] * 139


@pytest.mark.parametrize("gather", ["0", "4ms"])
def test_where_many_hear_several_packets_leave_together(serve, gather):
    rooms = rooms_of(serve, {"voice.gather": gather})
    report = swarm(rooms.port, "talk", "--clients", 60, "--talkers", 8, "--tunnel", 3, "--mixed", "--vary", 0,
                   "--sources", 1)
    assert report["heard"] == report["said"] * 59
    if gather != "0":  # else it is chance
        assert rooms.counted("trips") < 0.85 * report["heard_udp"]


def test_through_the_tunnel(rooms):
    report = swarm(rooms.port, "tcp", "--clients", 12, "--rooms", 2, "--mixed")
    assert report["heard_tunnel"] == report["heard"] == report["said"] * 5
    assert report["heard_udp"] == 0


def test_the_deaf_hear_nothing_and_the_mute_are_not_heard(rooms):
    before = rooms.counted("silenced")
    report = swarm(rooms.port, "hush", "--clients", 12, "--rooms", 2, "--talkers", 2, seconds=3)
    assert report["said"] * 5 > report["heard"] > 0
    assert rooms.counted("silenced") > before


def test_other_ports_are_found_at_once(rooms):
    slowest = []
    # A busy machine takes its time now and then, and not each time.
    while not slowest or min(slowest) >= 1000 and len(slowest) < 4:
        before = rooms.counted("rebinds")
        # All from one address: which of them it is has to be found out.
        report = swarm(rooms.port, "rebind", "--clients", 16, "--talkers", 4, "--rebind", 0.15, "--sources", 1,
                       "--mixed", seconds=5)
        assert report["rebinds"] >= 5 and report["healed"] == report["rebinds"]
        assert rooms.counted("rebinds") - before >= report["rebinds"]
        slowest.append(report["heal_ms"]["max"])
    assert min(slowest) < 1000, slowest


def test_debians_server_is_heard_as_well(shared_crew):
    need("murmurd")
    server = MumbleServer(shared_crew)
    report = swarm(server.port, "talk", "--clients", 10, "--talkers", 3, "--tunnel", 3)
    assert report["heard"] == report["said"] * 9


def test_the_swarm_says_so_when_something_is_wrong(rooms):
    """That it can fail: a wrong password lets nobody in, and an address without a server."""
    assert run_program([SWARM, "talk", "--clients", 2, "--seconds", "0.2", "--join-seconds", "2",
                        "127.0.0.1:1"], seconds=30).returncode == 1
    assert run_program([SWARM, "talk", "--rooms", "2", "127.0.0.1:1"]).returncode == 2
    denied = run_program([SWARM, "talk", "--rooms", 2, "--clients", 4, "--superuser", "wrong",
                          f"127.0.0.1:{rooms.port}"])
    assert denied.returncode == 1 and b"refused" in denied.stderr
