"""net_ingest, with ffmpeg as the encoder at the other end and as the judge: every picture in the slot is the
one that ffmpeg decodes of the same stream."""

import http.server
import json
import os
import re
import signal
import threading
import time

import pytest

from impair import Impairment
from slot_reader import (DISCONTINUITY, NET_INGEST, REPEATED, Slot, ffmpeg, flashes_and_beeps, frame_hashes, last_line,
                         make_clip, make_flashes, publish, terminate)
from stage import CLIENTS, await_true, free_ports, http_get, run

pytestmark = pytest.mark.real_time("encoders and slots wait for nobody")
UYVY = ("-pix_fmt", "uyvy422")


@pytest.fixture
def secret(tmp_path):
    (tmp_path / "key").write_text("a-good-key\n")
    (tmp_path / "passphrase").write_text("0123456789 and more\n")
    return tmp_path


@pytest.fixture
def clip(tmp_path):
    return make_clip(tmp_path / "clip.flv")


def ingest(crew, *args, api="none"):
    return crew.start([NET_INGEST, "--api", api, *args], "net_ingest")


def await_said(process, pattern, seconds=20):
    return await_true(lambda: re.search(pattern, process.said()), seconds, process.said)


def await_open(port):
    """Until somebody listens there; asked of the kernel, so that nobody is disturbed."""
    # Not who had the port before: TCP says LISTEN, UDP that it is bound.
    listens = re.compile(rf"^ *\d+: 0100007F:{port:04X} 00000000:0000 0[A7] ", re.M)
    await_true(lambda: any(listens.search(open(f"/proc/net/{name}", encoding="ascii").read()) for name in ("tcp", "udp")), 20)


def rtmp(crew, secret, *args, **options):
    port = free_ports()
    process = ingest(crew, "--listen", "--key-file", secret / "key", "--depth", 400, *args, "s",
                     f"rtmp://127.0.0.1:{port}/live", **options)
    await_open(port)
    return process, f"rtmp://127.0.0.1:{port}"


def test_rtmp_every_picture_is_what_ffmpeg_decodes_and_others_are_refused(crew, slots, secret, clip):
    process, url = rtmp(crew, secret, "--once")
    for wrong, why in (("/live/a-bad-key", "wrong stream key"), ("/live/a-good-keys", "wrong stream key"),
                       ("/live/a-good-kex", "wrong stream key"),
                       ("/elsewhere/a-good-key", "no such application")):
        refused = publish(crew, clip, url + wrong, "-f", "flv")
        assert refused.wait(20) != 0
        assert why in refused.said(), "the encoder is told"
        await_said(process, rf"port \d+ was refused: .*{why}")
    assert not list(slots.glob("s")), "nothing is promised to who has no key"
    good = publish(crew, clip, url + "/live/a-good-key", "-f", "flv")
    await_said(process, "h264 320x180 and aac into uyvy422 320x180 at 30000/1001, 2 channels")
    second = publish(crew, clip, url + "/live/a-good-key", "-f", "flv")
    assert second.wait(20) != 0 and "somebody else publishes" in second.said()
    assert good.wait(30) == 0, good.said()
    assert process.wait(20) == 0, process.said()
    slot, expected = Slot(slots / "s"), frame_hashes(clip, *UYVY)
    assert slot.hashes() == expected and len(set(expected)) > 80
    assert (slot.fps_num, slot.fps_den, slot.rate, slot.channels, slot.dropped) == (30000, 1001, 48000, 2, 0)
    assert "a-good-key" not in process.said()


def test_srt_passphrase_and_stream_id_are_asked_for(crew, slots, secret, tmp_path):
    clip, port = make_clip(tmp_path / "clip.ts", fps=25), free_ports()
    process = ingest(crew, "--once", "--listen", "--key-file", secret / "key", "--passphrase-file",
                     secret / "passphrase", "--depth", 200, "s", f"srt://127.0.0.1:{port}")
    await_open(port)
    url, good = f"srt://127.0.0.1:{port}?streamid=", "&passphrase=0123456789 and more"
    for wrong in (f"{url}a-bad-key{good}", f"{url}a-good-key&passphrase=another passphrase", f"{url}a-good-key",
                  f"{url}#!::r=a-good-key,m=request{good}"):
        assert publish(crew, clip, wrong, "-f", "mpegts").wait(20) != 0
    await_said(process, "wrong stream id")
    assert not list(slots.glob("s"))
    assert publish(crew, clip, f"{url}#!::m=publish,r=a-good-key{good}", "-f", "mpegts").wait(30) == 0
    assert process.wait(30) == 0, process.said()
    # ffmpeg hangs up without waiting for what is still on its way.
    slot, expected = Slot(slots / "s"), frame_hashes(clip, *UYVY)
    assert 60 < slot.cursor <= len(expected) == 75
    assert slot.hashes() == expected[:slot.cursor]


def test_srt_over_a_path_that_loses_and_mixes_up(crew, slots, secret, tmp_path):
    clip, port = make_clip(tmp_path / "clip.ts", fps=25, seconds=4), free_ports()
    process = ingest(crew, "--once", "--listen", "--passphrase-file", secret / "passphrase", "--latency", 1500,
                     "--depth", 200, "s", f"srt://127.0.0.1:{port}")
    await_open(port)
    with Impairment(to=("127.0.0.1", port), seed=5, loss=0.05, delay=0.02, jitter=0.02, repeat=0.02, everything=True) as path:
        url = f"srt://127.0.0.1:{path.port}?passphrase=0123456789 and more&latency=1500000"
        assert publish(crew, clip, url, "-f", "mpegts").wait(40) == 0
        assert process.wait(40) == 0, process.said()
        assert path.lost > 5, "the path was a bad one"
    slot, expected = Slot(slots / "s"), frame_hashes(clip, *UYVY)
    # ffmpeg hangs up without waiting for what is still on its way.
    assert 20 < slot.cursor <= len(expected) == 100
    assert slot.hashes() == expected[:slot.cursor]


@pytest.mark.parametrize("kind", ["rtmp", "srt"])
def test_a_server_is_asked_for_its_stream(crew, slots, secret, tmp_path, kind):
    port = free_ports()
    if kind == "rtmp":
        clip, how, url = make_clip(tmp_path / "c.flv"), ("-f", "flv", "-listen", 1), f"rtmp://127.0.0.1:{port}/live"
        server = publish(crew, clip, url + "/a-good-key", *how)
    else:
        clip, url = make_clip(tmp_path / "c.ts"), f"srt://127.0.0.1:{port}"
        server = publish(crew, clip, url + "?mode=listener&passphrase=0123456789 and more", "-f", "mpegts")
    await_open(port)
    secrets = ("--key-file", secret / "key") if kind == "rtmp" else ("--passphrase-file", secret / "passphrase")
    process = ingest(crew, "--once", "--depth", 400, *secrets, "s", url)
    assert process.wait(40) == 0, process.said() + server.said()
    slot, expected = Slot(slots / "s"), frame_hashes(clip, *UYVY)
    assert slot.cursor > 60 and slot.hashes() == expected[:slot.cursor]


FORMATS = {"uyvy422": ("yuv422p", ["-pix_fmt", "uyvy422", "-c:v", "rawvideo"]),
           "nv12": ("yuv420p", ["-pix_fmt", "nv12", "-c:v", "rawvideo"]),
           "p010": ("yuv420p10le", ["-pix_fmt", "p010le", "-c:v", "rawvideo"]),
           "v210": ("yuv422p10le", ["-c:v", "v210"]),
           "rgba": ("rgba", ["-pix_fmt", "rgba", "-c:v", "rawvideo"])}


@pytest.mark.parametrize("name", FORMATS)
def test_files_in_every_format(crew, slots, tmp_path, name):
    pixels, raw = FORMATS[name]
    codec = ("-c:v", "png") if name == "rgba" else ("-c:v", "ffv1")
    clip = make_clip(tmp_path / "clip.mkv", *codec, seconds=1, size="322x180", pixels=pixels)
    process = ingest(crew, "--format", name, "--pace", "no", "--depth", 60, "s", clip)
    assert process.wait(30) == 0, process.said()
    assert Slot(slots / "s").hashes() == frame_hashes(clip, *raw)


def test_pictures_of_the_slots_own_kind_are_decoded_into_it(crew, slots, tmp_path):
    clip = make_clip(tmp_path / "clip.mov", "-c:v", "dpx", seconds=1, pixels="rgba")
    process = ingest(crew, "--format", "rgba", "--pace", "no", "--depth", 60, "s", clip)
    assert process.wait(30) == 0, process.said()
    said = json.loads(last_line(process))
    assert said["direct"] == said["frames"] == 29 or said["direct"] == said["frames"] == 30, said
    assert Slot(slots / "s").hashes() == frame_hashes(clip, "-pix_fmt", "rgba", "-c:v", "rawvideo")


def test_a_hole_in_the_stream_is_filled_and_said(crew, slots, tmp_path):
    clip = tmp_path / "hole.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=128x64:rate=25,select='not(between(n,20,24))'", "-fps_mode", "vfr",
           "-t", 2, "-c:v", "ffv1", "-pix_fmt", "yuv422p", clip)
    process = ingest(crew, "--pace", "no", "--fps", 25, "--depth", 60, "s", clip)
    assert process.wait(30) == 0, process.said()
    slot = Slot(slots / "s")
    hashes = slot.hashes()
    assert slot.cursor == 50 and slot.dropped == 5
    assert [k for k in range(50) if slot.flags(k) & REPEATED] == [20, 21, 22, 23, 24]
    assert set(hashes[19:25]) == {hashes[19]} and len(set(hashes)) == 45


@pytest.mark.parametrize("kind", ["rtmp", "file"])
def test_flash_and_beep_are_in_the_same_frame(crew, slots, secret, tmp_path, kind):
    clip = make_flashes(tmp_path / "flashes.flv")
    if kind == "rtmp":
        process, url = rtmp(crew, secret, "--once")
        assert publish(crew, clip, url + "/live/a-good-key", "-f", "flv").wait(30) == 0
    else:
        process = ingest(crew, "--depth", 400, "s", clip)
    assert process.wait(30) == 0, process.said()
    slot = Slot(slots / "s")
    luma = [sum(slot.pixels(k)[1:2000:2]) / 1000 for k in range(slot.cursor)]
    samples = [sample >> 16 for k in range(slot.cursor) for sample in slot.sound(k)]
    flashes, beeps = flashes_and_beeps(luma, samples, 25, 48000)
    assert len(flashes) == len(beeps) == 4
    for flash, beep in zip(flashes, beeps):
        assert abs(flash - beep) <= 1 / 25
    assert all(len(slot.sound(k)) == 1920 for k in range(slot.cursor))


@pytest.fixture
def web(tmp_path):
    """A server of tmp_path's files, and what it was asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=tmp_path)

        def log_message(self, *args):
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def playlist(path, segment):
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{segment}\n#EXT-X-ENDLIST\n", encoding="ascii")
    return path


def test_a_play_list_of_the_network_leads_into_nothing_of_ours(crew, slots, tmp_path, web):
    clip, (origin, asked) = make_clip(tmp_path / "clip.ts", seconds=1), web
    good = ingest(crew, "--once", "--pace", "no", "s", f"{origin}/{playlist(tmp_path / 'good.m3u8', 'clip.ts').name}")
    assert good.wait(30) == 0 and json.loads(last_line(good))["frames"] > 20, good.said()
    for i, segment in enumerate((f"file:{clip}", clip, f"cache:{origin}/clip.ts", f"async:{origin}/clip.ts",
                                 f"concat:{origin}/clip.ts", f"unix:{clip}", "pipe:0", f"subfile,,start,0,end,0,,:{clip}",
                                 f"data:video/mp2t,{origin}")):
        name = playlist(tmp_path / f"{i}.m3u8", segment).name
        asked.clear()
        bad = ingest(crew, "--once", "--pace", "no", "bad", f"{origin}/{name}")
        assert bad.wait(30) == 1, (segment, bad.said())
        assert not [path for path in asked if "clip" in path and segment != clip], (segment, asked)
    assert not list(slots.glob("bad"))


def test_a_play_list_of_ours_leads_to_files_only(crew, slots, tmp_path, web):
    clip, (origin, asked) = make_clip(tmp_path / "clip.ts", seconds=1), web
    good = ingest(crew, "--pace", "no", "s", playlist(tmp_path / "good.m3u8", clip))
    assert good.wait(30) == 0 and json.loads(last_line(good))["frames"] > 20, good.said()
    bad = ingest(crew, "--pace", "no", "bad", playlist(tmp_path / "bad.m3u8", f"{origin}/clip.ts"))
    assert bad.wait(30) == 1 and not asked, (bad.said(), asked)
    assert not list(slots.glob("bad"))


def test_a_picture_that_is_huge_is_left_out(crew, slots, tmp_path):
    clip = tmp_path / "clip.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25", "-t", 2, "-c:v", "png", "-pix_fmt", "rgb24", clip)
    data, frames, at = bytearray(clip.read_bytes()), 0, 0
    while (at := data.find(b"IHDR" + bytes((0, 0, 0, 64)) * 2, at + 1)) != -1:
        frames += 1
        if 20 < frames < 30:
            data[at + 4:at + 12] = (16000).to_bytes(4, "big") * 2
    assert frames == 50
    clip.write_bytes(data)
    process = ingest(crew, "--pace", "no", "--depth", 60, "s", clip)
    assert process.wait(30) == 0, process.said()
    said = json.loads(last_line(process))
    assert (said["frames"], said["repeated"]) == (50, 9), process.said()
    assert "pictures of more than 67108864 points are not decoded" in process.said()


def test_a_source_of_huge_pictures_is_refused(crew, slots, tmp_path):
    clip = tmp_path / "clip.avi"
    ffmpeg("-f", "lavfi", "-i", "color=size=64x64:rate=25", "-t", 1, "-c:v", "rawvideo", "-pix_fmt", "gray", clip)
    data = clip.read_bytes()
    header = data.index(b"strf") + 8  # BITMAPINFOHEADER: its size, width, height
    clip.write_bytes(data[:header + 4] + (16000).to_bytes(4, "little") * 2 + data[header + 12:])
    process = ingest(crew, "--once", "s", clip)
    assert process.wait(30) == 1
    assert "its pictures are 16000x16000; those of more than 67108864 points are not decoded" in process.said()


def reader(crew, slots, frames):
    """One that must not notice more than it has to: it waits for a writer that died."""
    await_true(lambda: (slots / "s").exists() and Slot(slots / "s").cursor > 2, 20)
    return crew.start([CLIENTS / "framecat", "--frames", frames, "--wait", 30, "s"], "framecat")


def test_killed_and_started_again_readers_go_on(crew, slots, tmp_path):
    clip = make_clip(tmp_path / "clip.mkv", "-c:v", "ffv1", seconds=2)
    first = ingest(crew, "--loop", "--depth", 400, "s", clip)
    cat = reader(crew, slots, 150)
    before = Slot(slots / "s")
    await_true(lambda: Slot(slots / "s").cursor > 40, 20)
    first.popen.send_signal(signal.SIGKILL)
    first.wait(10)
    where = Slot(slots / "s").cursor
    second = ingest(crew, "--loop", "--depth", 400, "s", clip)
    assert cat.wait(60) == 0, cat.said()
    assert terminate(second) == 0, second.said()
    slot = Slot(slots / "s")
    assert slot.generation == before.generation and slot.writers == 2
    assert slot.flags(where) & DISCONTINUITY and not slot.flags(where + 1)
    assert slot.hashes(where + 20)[where:] == frame_hashes(clip, *UYVY)[:20]
    assert slot.pts(where) > slot.pts(where - 1), "time goes on"


def test_a_publisher_who_comes_back_goes_on_in_the_slot(serve, crew, slots, secret, clip):
    server = serve({"framecache.listen": "127.0.0.1:0"})
    port = int(server.await_log(r"info framecache ready port=(\d+)").group(1))
    process, url = rtmp(crew, secret, api=f"http://127.0.0.1:{port}")

    def state():
        return http_get(port, "/slots/s").json["state"]

    first = publish(crew, clip, url + "/live/a-good-key", "-f", "flv")
    await_said(process, "into uyvy422")
    await_true(lambda: Slot(slots / "s").cursor > 10, 20)
    first.kill()
    await_said(process, "it has gone")
    assert state() in ("live", "nosignal", "no-signal", "no signal")
    await_true(lambda: state() != "live", 10)
    assert Slot(slots / "s").state == 2, "no signal, and not dead"
    gone = Slot(slots / "s").cursor
    assert publish(crew, clip, url + "/live/a-good-key", "-f", "flv").wait(30) == 0
    await_true(lambda: Slot(slots / "s").cursor >= gone + 85, 20)
    assert terminate(process) == 0, process.said()
    slot = Slot(slots / "s")
    assert slot.writers == 1 and slot.flags(gone) & DISCONTINUITY
    assert slot.hashes()[gone:] == frame_hashes(clip, *UYVY)
    # The slot's clock has gone on while nobody was there.
    assert slot.pts(gone) - slot.pts(gone - 1) > 300_000


def test_another_shape_is_another_slot_of_the_same_name(crew, slots, secret, clip, tmp_path):
    process, url = rtmp(crew, secret)
    assert publish(crew, clip, url + "/live/a-good-key", "-f", "flv").wait(30) == 0
    old = Slot(slots / "s")
    with open(slots / "s", "rb") as readers_own:
        other = make_clip(tmp_path / "other.flv", size="160x90", fps=25, seconds=1)
        assert publish(crew, other, url + "/live/a-good-key", "-f", "flv").wait(30) == 0
        await_true(lambda: Slot(slots / "s").generation > old.generation and Slot(slots / "s").cursor >= 25, 20)
        assert int.from_bytes(readers_own.read(64)[60:64], "little") == 4, "superseded"
    new = Slot(slots / "s")
    assert (new.width, new.height, new.fps_num, new.fps_den) == (160, 90, 25, 1)
    assert new.pts(0) == 0, "a new slot has a clock of its own"
    assert new.hashes() == frame_hashes(other, *UYVY)
    assert terminate(process) == 0


def test_a_publisher_whom_no_slot_fits_ends_his_own_stream_only(crew, slots, secret, tmp_path):
    process, url = rtmp(crew, secret)
    tiny = make_clip(tmp_path / "tiny.flv", size="8x8", fps=25, seconds=1)
    publish(crew, tiny, url + "/live/a-good-key", "-f", "flv").wait(30)
    await_said(process, "no slot can be made in .*: none has this shape")
    good = make_clip(tmp_path / "good.flv", size="160x90", fps=25, seconds=1)
    assert publish(crew, good, url + "/live/a-good-key", "-f", "flv").wait(30) == 0, process.said()
    await_true(lambda: (slots / "s").exists() and Slot(slots / "s").cursor >= 25, 20, process.said)
    assert terminate(process) == 0


class Refuses(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("status", [400, 401])
def test_a_refused_shape_is_the_publishers_and_a_refused_token_is_ours(crew, slots, secret, clip, status):
    with http.server.HTTPServer(("127.0.0.1", 0), Refuses) as service:
        service.status = status
        threading.Thread(target=service.serve_forever, daemon=True).start()
        process, url = rtmp(crew, secret, api=f"http://127.0.0.1:{service.server_address[1]}")
        for _ in range(2 if status == 400 else 1):
            publish(crew, clip, url + "/live/a-good-key", "-f", "flv").wait(30)
        await_true(lambda: process.said().count(f"makes no slot ({status})") == (2 if status == 400 else 1), 20,
                   process.said)
        if status == 401:
            assert process.wait(20) == 1
        else:
            assert terminate(process) == 0
        service.shutdown()


def test_a_slot_of_somebody_else_is_left_alone(crew, slots, clip):
    writer = crew.start([CLIENTS / "frametest", "--size", "128x64", "s"], "frametest")
    await_true(lambda: (slots / "s").exists() and Slot(slots / "s").cursor > 5, 20)
    process = ingest(crew, "--once", "s", clip)
    assert process.wait(30) == 1
    assert "somebody else writes to this slot" in process.said()
    assert writer.running() and Slot(slots / "s").width == 128


def test_nothing_is_promised_without_a_service(crew, slots, clip):
    port = free_ports()
    process = ingest(crew, "--once", "s", clip, api=f"http://127.0.0.1:{port}")
    assert process.wait(30) == 1
    assert f"the service at http://127.0.0.1:{port} does not answer" in process.said()
    assert not list(slots.iterdir())


def test_what_the_service_refuses_is_said(serve, crew, slots, clip):
    server = serve({"framecache.listen": "127.0.0.1:0", "framecache.budget": "1M"})
    port = int(server.await_log(r"info framecache ready port=(\d+)").group(1))
    process = ingest(crew, "--once", "s", clip, api=f"http://127.0.0.1:{port}")
    assert process.wait(30) == 1
    assert re.search(r"makes no slot \(507\): s takes \d+ bytes", process.said()), process.said()


def test_it_has_no_rights_left_when_it_reads(crew, slots, secret):
    process, _ = rtmp(crew, secret)
    status = {}
    def confined():
        with open(f"/proc/{process.popen.pid}/status", encoding="ascii") as file:
            status.update(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        return status["Seccomp"] == "2"
    await_true(confined, 10, lambda: status)
    assert status["NoNewPrivs"] == "1"
    for which in ("CapEff", "CapPrm", "CapInh"):
        assert int(status[which], 16) == 0
    assert terminate(process) == 0


def test_rubbish_and_silence_at_the_door(crew, slots, secret, clip):
    import socket
    process, url = rtmp(crew, secret, "--once")
    port = int(url.rsplit(":", 1)[1])
    quiet = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
    with socket.create_connection(("127.0.0.1", port)) as rude:
        rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert rude.recv(10) == b""
    await_said(process, "speaks no RTMP")
    # Who says nothing is sent away, and keeps nobody from publishing meanwhile.
    assert publish(crew, clip, url + "/live/a-good-key", "-f", "flv").wait(30) == 0
    assert process.wait(20) == 0
    assert Slot(slots / "s").hashes() == frame_hashes(clip, *UYVY)
    for each in quiet:
        each.close()


def test_a_source_that_falls_silent_has_gone(crew, slots, secret, clip):
    process, url = rtmp(crew, secret, "--timeout", 1)
    first = publish(crew, clip, url + "/live/a-good-key", "-f", "flv")
    await_said(process, "into uyvy422")
    os.killpg(first.popen.pid, signal.SIGSTOP)
    begun = time.monotonic()
    await_said(process, "it has gone")
    assert time.monotonic() - begun < 8
    assert publish(crew, clip, url + "/live/a-good-key", "-f", "flv").wait(30) == 0
    os.killpg(first.popen.pid, signal.SIGCONT)
    assert terminate(process) == 0


FAULTS = {
    "no-arguments": ([], "usage: net_ingest"),
    "slot": (["../x", "clip"], "../x is no slot"),
    "format": (["--format", "yuy2", "s", "clip"], "yuy2 is none of uyvy422"),
    "size": (["--size", "320", "s", "clip"], "--size: expected two numbers with x between them, found 320"),
    "fps": (["--fps", "0", "s", "clip"], "--fps: 0 is no number from 1"),
    "channels": (["--channels", "65", "s", "clip"], "65 is no number from 0 to 64"),
    "pace": (["--pace", "maybe", "s", "clip"], "--pace: expected yes or no, found maybe"),
    "key-file": (["--key-file", "/nonexistent", "s", "clip"], "/nonexistent: No such file"),
    "key-file-empty": (["--key-file", "/dev/null", "s", "clip"], "/dev/null: there is no line in it"),
    "listen-file": (["--listen", "s", "clip"], "only rtmp:// and srt:// addresses can be listened at"),
    "listen-open": (["--listen", "s", "rtmp://127.0.0.1:1/live"], "anybody could publish here: give --key-file"),
    "listen-no-app": (["--listen", "--no-key", "s", "rtmp://127.0.0.1:1"], "expected rtmp://HOST:PORT/APP"),
    "listen-key-in-url": (["--listen", "--no-key", "s", "rtmp://127.0.0.1:1/live/key"], "the stream key is in --key-file"),
    "listen-srt-port": (["--listen", "--no-key", "s", "srt://127.0.0.1"], "an SRT address to listen at needs a port"),
    "listen-query": (["--listen", "--no-key", "s", "srt://127.0.0.1:9?latency=1"], "has no \"?\""),
    "loop": (["--loop", "s", "srt://127.0.0.1:9"], "only a file can begin again"),
    **{f"address-{url.split(':')[0]}{url[-1:]}": (["s", url], f"is not read: expected a file, pipe:0, or an address of rtmp")
       for url in ("unix:/run/x", "pipe:3", "cache:http://127.0.0.1/", "concat:a|b", "data:,x", "async:clip.ts",
                   "subfile,,start,0,end,9,,:clip", "sftp://127.0.0.1/x")},
    "unknown": (["--colour", "s", "clip"], "unrecognized option '--colour'"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_of_use_is_named(slots, name):
    args, said = FAULTS[name]
    done = run([NET_INGEST, *args])
    assert done.returncode == 2 and said in done.stderr.decode(), done.stderr


def test_faults_at_run_time_are_named(slots, tmp_path, secret):
    (tmp_path / "rubbish").write_bytes(b"\0" * 100000)
    ffmpeg("-f", "lavfi", "-i", "sine", "-t", 1, tmp_path / "sound.wav")
    (tmp_path / "short").write_text("too short\n")
    for args, code, said in ((["s", tmp_path / "none.mov"], 1, "none.mov: No such file"),
                             (["s", tmp_path / "rubbish"], 1, "rubbish: Invalid data"),
                             (["s", tmp_path / "sound.wav"], 1, "there is no video in it"),
                             (["--passphrase-file", tmp_path / "short", "s", "srt://127.0.0.1:9"], 2,
                              "SRT wants 10 to 79 characters, these are 9"),
                             (["--passphrase-file", secret / "passphrase", "s", "clip.mov"], 2, "only SRT has one"),
                             (["--listen", "--no-key", "s", "rtmp://192.0.2.1:1/live"], 1,
                              "cannot listen at 192.0.2.1 port 1")):
        done = run([NET_INGEST, "--api", "none", *args])
        assert done.returncode == code and said in done.stderr.decode(), (args, done.stderr)
