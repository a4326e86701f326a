"""The event streams: a snapshot and what changes, for many, for the slow, and for who comes again."""
import pathlib
import time

import pytest

from encoders import dial, read_until
from event_stream import EventStream
from stage import ADMIN_PASSWORD, SOURCE_PASSWORD, await_true
from test_requests import mp3_frames, raw_source

ADMIN = ("admin", ADMIN_PASSWORD)


def feed(server, mount, sounds):
    """An encoder on this mount, until its close()."""
    return raw_source(server, mount, "audio/mpeg", "ice-name: Test\r\n", mp3_frames(sounds))


@pytest.fixture(scope="module")
def server(shared_serve):
    return shared_serve({"mount./quiet.name": "Quiet", "mount./secret.hidden": "yes",
                         "events.readers": "300"})


def listen(server, mount):
    connection = dial(server)
    connection.sendall(f"GET {mount} HTTP/1.0\r\n\r\n".encode())
    assert read_until(connection, b"\r\n\r\n").startswith(b"HTTP/1.0 200 OK\r\n")
    return connection


def test_a_snapshot_comes_first_and_then_what_changes(server, sounds):
    stream = EventStream(server.port, auth=ADMIN)
    assert stream.status == 200
    assert stream.next()[0] == "snapshot"
    assert stream.state["mounts"]["/quiet"]["state"] == "off"
    source = feed(server, "/quiet", sounds)
    stream.until(lambda s: s.state["mounts"]["/quiet"]["state"] == "live")
    listener = listen(server, "/quiet")
    stream.until(lambda s: s.state["mounts"]["/quiet"]["listeners"] == 1)
    assert stream.snapshots == 1
    # What is patched together is what a new reader gets at once.
    fresh = EventStream(server.port, auth=ADMIN)
    fresh.until(lambda s: True)
    for field in ("name", "state", "codec", "listeners", "source", "limits"):
        assert fresh.state["mounts"]["/quiet"][field] == stream.state["mounts"]["/quiet"][field]
    listener.close()
    source.stop()
    stream.until(lambda s: s.state["mounts"]["/quiet"]["state"] == "off", 20)
    assert any("source gone" in line["text"] for line in stream.log)
    stream.close()
    fresh.close()


def test_a_mount_that_goes_away_is_taken_out(server, sounds):
    stream = EventStream(server.port, auth=ADMIN)
    source = feed(server, "/passing", sounds)
    stream.until(lambda s: "/passing" in s.state["mounts"])
    source.stop()
    stream.until(lambda s: "/passing" not in s.state["mounts"], 20)
    stream.close()


def test_only_who_may_follows_the_server(server):
    assert EventStream(server.port).status == 401
    assert EventStream(server.port, auth=("admin", "wrong")).status == 401
    assert EventStream(server.port, auth=("source", SOURCE_PASSWORD)).status == 401


def test_everybody_follows_what_is_public_and_no_more(server, sounds):
    secret = feed(server, "/secret", sounds)
    source = feed(server, "/open", sounds)
    stream = EventStream(server.port, "/events")
    stream.until(lambda s: s.state["mounts"].get("/open", {}).get("state") == "live", 20)
    assert "/secret" not in stream.state["mounts"]
    assert set(stream.state) == {"station", "mounts"}
    for private in ("source", "bytes_in", "limits", "fallback", "heard_from", "skips"):
        assert private not in stream.state["mounts"]["/open"]
    assert "127.0.0.1" not in str(stream.state)
    stream.close()
    source.stop()
    secret.stop()


def test_listeners_are_not_shown_where_they_should_not_be(serve):
    server = serve({"server.show_listeners": "no", "mount./live.name": "Live"})
    stream = EventStream(server.port, "/events")
    stream.until(lambda s: True)
    assert "listeners" not in str(stream.state)
    assert "listeners" not in server.get("/api/v1/station").text
    stream.close()


def test_who_comes_again_gets_what_was_missed_or_a_snapshot(server):
    first = EventStream(server.port, auth=ADMIN)
    first.until(lambda s: s.deltas >= 1, 15)
    again = EventStream(server.port, auth=ADMIN, last=first.last)
    again.state = first.state
    event = again.next()
    assert event[0] in ("delta", "log", "snapshot")
    # Of another server's life: all over again.
    foreign = EventStream(server.port, auth=ADMIN, last="abc-5")
    assert foreign.next()[0] == "snapshot"
    for stream in (first, again, foreign):
        stream.close()


def test_a_resumed_stream_alone_is_told_all(server):
    """Nobody else reads: the server has forgotten the state, and must not wait for a question."""
    first = EventStream(server.port, auth=ADMIN)
    first.until(lambda s: True)
    first.close()
    # It forgets at one of its next turns: who is quicker is told the changes alone.
    for _ in range(8):
        time.sleep(2)
        again = EventStream(server.port, auth=ADMIN, last=first.last)
        told = again.next()[0]
        again.close()
        if told == "snapshot":
            return
    pytest.fail("the state is never forgotten")


def test_two_hundred_readers_all_see_the_same(server, sounds):
    readers = [EventStream(server.port, "/events" if i % 2 else "/api/v1/events",
                           auth=None if i % 2 else ADMIN) for i in range(200)]
    assert {reader.status for reader in readers} == {200}
    source = feed(server, "/many", sounds)
    for reader in readers:
        reader.until(lambda s: s.state["mounts"].get("/many", {}).get("state") == "live", 20)
    source.stop()
    for reader in readers:
        reader.until(lambda s: s.state["mounts"].get("/many", {}).get("state") != "live", 20)
        assert reader.snapshots == 1
        reader.close()


def test_more_readers_than_allowed_are_told_so(serve):
    server = serve({"events.readers": "3"})
    readers = [EventStream(server.port, "/events") for _ in range(3)]
    refused = server.get("/events")
    assert refused.status == 503 and refused.json["error"]["code"] == "too_many_readers"
    for reader in readers:
        reader.close()
    await_true(lambda: EventStream(server.port, "/events").status == 200, 15)


def test_a_reader_that_does_not_read_costs_nothing_and_skips_to_the_newest(serve, sounds):
    """Many mounts, so that what is sent fills the sockets; then the reader wakes up."""
    server = serve({f"mount./m{i:03}.name": "x" * 60 for i in range(120)})
    slow = EventStream(server.port, auth=ADMIN, receive=4096)
    keen = EventStream(server.port, auth=ADMIN)
    keen.until(lambda s: True)

    def memory():
        return server.get("/api/v1/server", auth=ADMIN).json["memory"]

    # AddressSanitizer keeps what was freed for a while: there the number says nothing.
    pid = server.get("/api/v1/server", auth=ADMIN).json["pid"]
    plain = "libasan" not in pathlib.Path(f"/proc/{pid}/maps").read_text()

    before = memory()
    source = feed(server, "/m000", sounds)
    keen.until(lambda s: s.state["mounts"]["/m000"]["state"] == "live", 20)
    for round in range(24):
        for i in range(120):
            server.get(f"/api/v1/mounts/m{i:03}/hidden", auth=ADMIN, method="PUT",
                       headers={"Content-Type": "application/json"},
                       body='{"hidden": %s}' % ("true" if round % 2 else "false"))
        keen.next()
    assert not plain or memory() - before < 8 << 20
    source.stop()
    slow.until(lambda s: s.state["mounts"]["/m000"]["state"] == "off"
               and s.state["mounts"]["/m119"]["hidden"], 60)
    keen.until(lambda s: s.state["mounts"]["/m000"]["state"] == "off", 20)
    assert keen.snapshots == 1
    assert slow.state["mounts"]["/m001"] == keen.state["mounts"]["/m001"]
    slow.close()
    keen.close()


def test_readers_do_not_hold_up_the_end(serve):
    server = serve()
    readers = [EventStream(server.port, "/events") for _ in range(20)]
    for reader in readers:
        reader.until(lambda s: True)
    server.stop()
    with pytest.raises((EOFError, ConnectionError)):
        while True:
            readers[0].next()
