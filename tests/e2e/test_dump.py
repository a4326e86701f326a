"""What an encoder sends is kept in files that play: nothing missing between them, whatever the disk does."""

import os
import subprocess

import pytest

from fault_harness import (SOURCE_PASSWORD, Encoder, Listener, Server, await_, frames_of, runs_of,
                           switches_of)


def dumped(directory):
    """The bytes of all files, in the order of their names."""
    return [(directory / name).read_bytes() for name in sorted(os.listdir(directory))]


def numbers(data):
    return [frame.number for frame in frames_of(data)]


def test_every_frame_is_in_the_files_and_each_begins_with_one(tmp_path):
    with Server({"mount./live.dump": tmp_path / "{mount}-%Y%m%d-%H%M%S.{ext}",
                 "mount./live.dump_rotate": "2s", "radio.linger": "0"}) as server:
        with Encoder(server):
            await_("there are three files", lambda: len(os.listdir(tmp_path)) >= 4, 20)
        server.await_log("dump closed", 4)
    assert all(name.startswith("live-20") and name.endswith(".mp3")
               for name in os.listdir(tmp_path))
    files = dumped(tmp_path)
    heard = [number for data in files for number in numbers(data)]
    assert heard == list(range(heard[0], heard[0] + len(heard))) and heard[0] == 0
    assert len(heard) > 4 * 38


def test_it_goes_on_in_the_same_file_when_the_encoder_comes_back(tmp_path):
    with Server({"mount./live.dump": tmp_path / "%s.{ext}", "radio.linger": "2m"}) as server:
        with Encoder(server, stream_id=1):
            server.await_log("dump opened")
            await_("it is written", lambda: any(map(len, dumped(tmp_path))))
        with Encoder(server, stream_id=2), Listener(server) as listener:
            listener.await_stream(2)
        assert len(os.listdir(tmp_path)) == 1
    frames = frames_of(dumped(tmp_path)[0])
    assert switches_of(frames) == [1, 2]


def test_each_file_of_a_chain_has_its_headers(tmp_path):
    with Server({"mount./live.dump": tmp_path / "%s.{ext}",
                 "mount./live.dump_rotate": "2s"}) as server:
        encoder = subprocess.Popen(
            ["ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "sine=440:duration=30", "-c:a",
             "libvorbis", "-content_type", "application/ogg", "-f", "ogg",
             f"icecast://source:{SOURCE_PASSWORD}@127.0.0.1:{server.port}/live"])
        try:
            await_("there are three files", lambda: len(os.listdir(tmp_path)) >= 4, 30)
        finally:
            encoder.terminate()
            encoder.wait()
    for name in sorted(os.listdir(tmp_path)):
        assert name.endswith(".ogg")
        done = subprocess.run(["ffmpeg", "-v", "error", "-xerror", "-i", tmp_path / name, "-f",
                               "null", "-"], capture_output=True, text=True, check=False)
        assert done.returncode == 0 and not done.stderr, (name, done.stderr)


def test_a_directory_that_is_not_there_is_named_once_and_harms_nobody(tmp_path):
    place = tmp_path / "later"
    with Server({"mount./live.dump": place / "%s.{ext}"}) as server, Encoder(server), \
         Listener(server) as listener:
        server.await_log("dump cannot be written mount=/live file=.*later.* why=\"no such file")
        listener.await_bytes(100000)
        place.mkdir()
        await_("it begins", lambda: os.listdir(place), 20)
        assert server.log().count("dump cannot be written") == 1


def test_a_full_disk_costs_the_dump_and_no_listener(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk],
                      check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        with Server({"mount./live.dump": disk / "%s.{ext}"}) as server, Encoder(server), \
             Listener(server) as listener:
            server.await_log("dump cannot be written", seconds=20)
            listener.await_bytes(100000)
            assert len(runs_of(listener.frames())) == 1
            for name in os.listdir(disk):
                os.unlink(disk / name)
            await_("it begins again", lambda: os.listdir(disk), 20)
    finally:
        subprocess.run(["umount", disk], check=False)


def test_old_files_of_this_name_go_and_no_others(tmp_path):
    for name in ("live-1.mp3", "live-2.mp3", "other-1.mp3", "live-3.ogg"):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (1, 1))
    (tmp_path / "live-2.mp3").touch()
    os.symlink(tmp_path / "other-1.mp3", tmp_path / "live-9.mp3")
    with Server({"mount./live.dump": tmp_path / "{mount}-%s.{ext}",
                 "mount./live.dump_keep": "1h"}) as server, Encoder(server):
        server.await_log("dump opened")
        await_("the old one is gone", lambda: not (tmp_path / "live-1.mp3").exists())
    assert {"live-2.mp3", "other-1.mp3", "live-3.ogg", "live-9.mp3"} <= set(os.listdir(tmp_path))


def test_a_mount_is_no_way_out_of_the_directory(tmp_path):
    place = tmp_path / "in"
    place.mkdir()
    with Server({"mount.default.dump": place / "{mount}.{ext}"}) as server:
        for mount in ("/a/b", "/..c", "/.hidden/x"):
            with Encoder(server, mount):
                await_("it is written", lambda: server.log().count("dump opened") == len(os.listdir(place))
                       and len(os.listdir(place)) > 0)
    assert all(name[0] != "." and "/" not in name for name in os.listdir(place))
    assert os.listdir(tmp_path) == ["in"]
