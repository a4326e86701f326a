"""Rooms that are recorded: ffmpeg finds no fault in a file, whatever came of the publisher, the path, the disk or the server."""
import asyncio
import base64
import contextlib
import itertools
import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.parse

import pytest

from fault_harness import serving
from impair import Impairment
from stage import ADMIN_PASSWORD, await_true, exchange, free_ports
from test_sfuload import TOKEN

SO_RCVBUFFORCE = 33  # asm-generic/socket.h
RATE, SECONDS = 15, 4
ENCODERS = {
    "H264": ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "15", "-profile:v", "baseline",
             "-bsf:v", "dump_extra"],
    "VP8": ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-lag-in-frames", "0", "-g", "15"],
    "VP9": ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-lag-in-frames", "0", "-g", "15",
            "-strict", "experimental"],
    "H265": ["-c:v", "libx265", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "15",
             "-x265-params", "log-level=error:repeat-headers=1:bframes=0"],
}
# A flash and a beep at the same moment, each second.
PICTURE = f"color=black:size=160x120:rate={RATE},drawbox=color=white:t=fill:enable='lt(mod(t,1),0.15)'"
SOUND = "aevalsrc='sin(2*PI*880*t)*lt(mod(t,1),0.15)':s=48000"


@pytest.fixture
def studio(serve, folder):
    def start(ways, **settings):
        ports = {name: free_ports() for name in ways}
        rows = {f"rtp.{name}.{key}": value for name, way in ways.items()
                for key, value in {"room": name, "listen": f"127.0.0.1:{ports[name]}", "audio": "opus/111", **way}.items()}
        server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": TOKEN, "workers": "2", "sfu.idle": "no",
                        "sfu.connect_timeout": "10m", "sfu.record_directory": str(folder), "sfu.record_free": "0", **rows,
                        **{f"sfu.{name}": value for name, value in settings.items()}})
        server.ports = ports
        await_true(lambda: api(server, "GET", "/sfu/rtp").count('"running"') == len(ways), 10, server.log)
        return server
    return start


def api(server, method, path, status=200):
    answer = server.get("/api/v1" + path, auth=("admin", ADMIN_PASSWORD), method=method)
    assert answer.status == status, (answer.status, answer.body)
    return answer.body.decode() if answer.body else ""


def recordings(server):
    return {one["room"]: one for one in json.loads(api(server, "GET", "/sfu/recordings"))["recordings"]}


def metric(server, name):
    return int(re.search(rf"^ringmain_sfu_{name}(?:_total)? (\d+)", server.get("/metrics").text, re.M)[1])


def probe(path, cut=False):
    """By kind: codec, size, how many frames come out of a decoder, when the first. cut: its end is missing, and no more is
    said of it than that."""
    def run(*words):
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        said = re.sub(r"^\[matroska,webm @ \w+\] File ended prematurely.*\n", "", done.stderr, flags=re.M) if cut else done.stderr
        assert done.returncode == 0 and not said, done.stderr
        return done.stdout
    said = json.loads(run("ffprobe", "-v", "repeat+error", "-count_frames", "-show_streams", "-show_format", "-of", "json", path))
    assert "matroska" in said["format"]["format_name"]
    run("ffmpeg", "-v", "repeat+warning", "-xerror", "-i", path, "-f", "null", "-")
    return {s["codec_type"]: s for s in said["streams"]} | {"duration": float(said["format"].get("duration", 0))}


def pictures(path):
    """How many lie in a file that is being written."""
    said = subprocess.run(["ffprobe", "-v", "fatal", "-select_streams", "v", "-count_packets", "-show_entries", "stream=nb_read_packets",
                           "-of", "csv=p=0", path], capture_output=True, text=True, timeout=60).stdout.strip(",\n")
    return int(said) if said.isdigit() else 0


def moments(path):
    """When it flashes, and when it beeps."""
    run = lambda *words: subprocess.run(["ffmpeg", "-v", "error", "-i", path, *words, "-"], capture_output=True, timeout=60,
                                        check=True).stdout
    times = [float(t) for t in subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "frame=pts_time",
                                               "-of", "csv=p=0", path], capture_output=True, text=True, timeout=60,
                                              check=True).stdout.replace(",", "").split()]
    light = run("-map", "0:v", "-vsync", "passthrough", "-vf", "scale=1:1,format=gray", "-f", "rawvideo")
    samples = run("-map", "0:a", "-af", "aresample=async=1:first_pts=0", "-ac", "1", "-ar", "8000", "-f", "s16le")
    loud = [abs(x) > 4000 for (x,) in struct.iter_unpack("<h", samples)]
    assert len(light) == len(times)
    flashes = [t for t, was, now in zip(times[1:], light, light[1:]) if was < 100 < now]
    beeps = [i / 8000 for i in range(2400, len(loud)) if loud[i] and not any(loud[i - 2400:i])]
    return flashes, beeps


def leb128(value):
    out = bytearray()
    while value > 0x7f:
        out.append(0x80 | value & 0x7f)
        value >>= 7
    return bytes([*out, value])


def av1_obus(unit):
    """The OBUs of a temporal unit, without sizes and delimiters (AV1 5.3)."""
    at = 0
    while at < len(unit):
        head, size, shift, begin = unit[at], 0, 0, at + 1 + (unit[at] >> 2 & 1)
        while True:
            size |= (unit[begin] & 0x7f) << shift
            shift += 7
            begin += 1
            if not unit[begin - 1] & 0x80:
                break
        if head >> 3 & 15 != 2:
            yield bytes([head & ~2]) + (unit[at + 1:at + 2] if head & 4 else b"") + unit[begin:begin + size]
        at = begin + size


def av1_packets(unit, key, most=1000):
    """AV1 RTP 4.4: one OBU or a part of one in each packet; the small ones together."""
    obus = list(av1_obus(unit))
    small = b"".join(leb128(len(o)) + o for o in obus[:-1])
    out = [b"\x00" + small] if small else []
    rest, parts = obus[-1], range(0, len(obus[-1]), most)
    for i in parts:
        z, y = i > 0, i + most < len(rest)
        out.append(bytes([z << 7 | y << 6 | 1 << 4]) + rest[i:i + most])
    if key:
        out[0] = bytes([out[0][0] | 8]) + out[0][1:]
    return out


def captured(words):
    """(seconds since the first, packet) of one medium, encoded as fast as it goes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        with contextlib.suppress(PermissionError):
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        s.bind(("127.0.0.1", 0))
        s.settimeout(0.5)
        ffmpeg = subprocess.Popen(["ffmpeg", "-v", "error", "-f", "lavfi", *words, "-t", str(SECONDS), "-threads", "1", "-f", "rtp",
                                   f"rtp://127.0.0.1:{s.getsockname()[1]}?pkt_size=1200"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL)
        packets, is_over = [], False
        while not is_over:
            is_over = ffmpeg.poll() is not None  # looked at before: what it sent is here by then
            with contextlib.suppress(TimeoutError):
                while True:
                    packets.append(s.recv(2048))
        assert ffmpeg.returncode == 0
    media = [p for p in packets if p[1] & 0x7f in (96, 111)]
    first, = struct.unpack_from(">I", media[0], 4)
    clock = 90000 if media[0][1] & 0x7f == 96 else 48000
    timed = [(((struct.unpack_from(">I", p, 4)[0] - first) & 0xffffffff) / clock, p) for p in media]
    return [one for one in timed if one[0] < SECONDS]


def captured_av1(path):
    """ffmpeg of Debian 12 sends no AV1: what it encoded is put into packets here."""
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", PICTURE, "-t", str(SECONDS), "-pix_fmt", "yuv420p", "-c:v", "libsvtav1",
                    "-preset", "12", "-g", "15", "-svtav1-params", "pred-struct=1:lookahead=0", path], check=True, timeout=60,
                   stdin=subprocess.DEVNULL, capture_output=True)
    data, at, out, n = path.read_bytes(), 32, [], 0
    while at < len(data):
        size, = struct.unpack_from("<I", data, at)
        packets = av1_packets(data[at + 12:at + 12 + size], n % 15 == 0)
        for i, packet in enumerate(packets):
            last = i == len(packets) - 1
            out.append((n / RATE, struct.pack(">BBHII", 0x80, 96 | last << 7, len(out), n * 90000 // RATE, 77) + packet))
        at, n = at + 12 + size, n + 1
    assert n == SECONDS * RATE
    return out


@pytest.fixture(scope="module")
def films(shared_room):
    films = {codec: captured(["-i", PICTURE, "-pix_fmt", "yuv420p", *words, "-payload_type", "96"]) for codec, words in ENCODERS.items()}
    films["opus"] = captured(["-i", SOUND, "-c:a", "libopus", "-payload_type", "111"])
    films["AV1"] = captured_av1(shared_room / "av1.ivf")
    return films


def again(film, round):
    """The same behind itself, numbers and times going on."""
    clock = 90000 if film[0][1][1] & 0x7f == 96 else 48000
    for at, p in film:
        seq, ts = struct.unpack_from(">HI", p, 2)
        yield at + SECONDS * round, p[:2] + struct.pack(">HI", (seq + len(film) * round) & 0xffff,
                                                        (ts + SECONDS * clock * round) & 0xffffffff) + p[8:]


class Sender(threading.Thread):
    """Films over and over, or so many rounds of them. Sound may leave later than the pictures that belong to it: the reports of both (RFC 3550 6.4.1)
    say how they belong together."""

    def __init__(self, port, *films, late=0.0, rounds=10000):
        super().__init__(daemon=True)
        self.port, self.films, self.late, self.rounds = port, films, late, rounds
        self.stop = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.join()

    def run(self):
        ntp = int((time.time() + 2208988800) * 2 ** 32)
        begin = time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for film in self.films:
                ts, ssrc = struct.unpack_from(">II", film[0][1], 4)
                s.sendto(struct.pack(">BBHIQIII", 0x80, 200, 6, ssrc, ntp, ts, 0, 0), ("127.0.0.1", self.port))
            for round in range(self.rounds):
                queue = [(at + (self.late if p[1] & 0x7f == 111 else 0), p) for film in self.films for at, p in again(film, round)]
                for at, packet in sorted(queue, key=lambda one: one[0]):
                    if self.stop.wait(max(0, begin + at - time.monotonic())):
                        return
                    with contextlib.suppress(ConnectionRefusedError):
                        s.sendto(packet, ("127.0.0.1", self.port))


def test_each_codec_in_a_file_that_others_read(studio, folder, films):
    ways = {codec: {"video": f"{codec}/96"} for codec in [*ENCODERS, "AV1"]} | {"lossy": {"video": "H264/96"}, "apart": {"video": "VP8/96"}}
    server = studio(ways, record="*")
    with contextlib.ExitStack() as ends:
        relay = ends.enter_context(Impairment(("127.0.0.1", server.ports["lossy"]), seed=5, loss=0.04, burst=0.01))
        for codec in [*ENCODERS, "AV1"]:
            ends.enter_context(Sender(server.ports[codec], films[codec], films["opus"]))
        ends.enter_context(Sender(relay.port, films["H264"], films["opus"]))
        ends.enter_context(Sender(server.ports["apart"], films["VP8"], films["opus"], late=0.4))
        await_true(lambda: all(one["frames"] > (200 if room == "apart" else 120) for room, one in recordings(server).items()), 60,
                   lambda: api(server, "GET", "/sfu/recordings"))
        lost = recordings(server)["lossy"]["lost"]
        for room in ways:
            api(server, "DELETE", f"/sfu/rooms/{room}/recording", 204)
    await_true(lambda: metric(server, "recordings") == 0, 10)
    server.await_log("recording ended room=lossy .*why=ordered")
    assert lost > 0
    names = {"H264": "h264", "VP8": "vp8", "VP9": "vp9", "H265": "hevc", "AV1": "av1", "lossy": "h264", "apart": "vp8"}
    for room, name in names.items():
        path, = folder.glob(f"{room}-*.mkv")
        assert path.stat().st_mode & 0o777 == 0o640
        found = probe(path)
        video = found["video"]
        assert (video["codec_name"], video["width"], video["height"]) == (name, 160, 120)
        frames, length = int(video["nb_read_frames"]), found["duration"]
        if room == "lossy":
            assert 15 <= frames < length * RATE
            continue
        assert abs(frames - length * RATE) <= 4, (room, frames, length)
        assert found["audio"]["codec_name"] == "opus"
        assert abs(int(found["audio"]["nb_read_frames"]) - length * 50) < (40 if room == "apart" else 20)
    # What belongs together is, however late it came; but for the tick of a picture, and the end, whose sound had not come.
    flashes, beeps = moments(next(folder.glob("apart-*.mkv")))
    assert len(flashes) >= 2 and len(beeps) >= 2
    for flash in flashes[:-1]:
        assert min(abs(flash - beep) for beep in beeps) < 0.06, (flashes, beeps)


def test_a_publisher_that_comes_back_and_a_server_that_dies(studio, folder, films):
    server = studio({"show": {"video": "VP8/96"}, "other": {"video": "VP8/96"}}, record="other show")
    api(server, "POST", "/sfu/rtp/other/stop", 204)
    server.await_log('recording ended room=other file="" why="nothing came of the publisher"')
    sender = Sender(server.ports["show"], films["VP8"], films["opus"])
    sender.start()
    await_true(lambda: recordings(server).get("show", {}).get("frames", 0) > 50, 20, server.log)
    api(server, "POST", "/sfu/rtp/show/stop", 204)
    await_true(lambda: metric(server, "recordings") == 0 and not recordings(server), 10, server.log)
    server.await_log('recording ended room=show .*why="the publisher left"')
    first, = folder.glob("show-*.mkv")
    whole = probe(first)
    assert int(whole["video"]["nb_read_frames"]) > 10 and whole["duration"] > 0.5
    api(server, "POST", "/sfu/rtp/show/start", 204)
    # Some clusters lie on the disk, one does not. (Those at the beginning may have no pictures.)
    second, = await_true(lambda: set(folder.glob("show-*.mkv")) - {first}, 30, server.log)
    await_true(lambda: pictures(second) >= 15, 30, server.log)
    was = serving(server.process.popen.pid)
    os.kill(was, signal.SIGKILL)
    # The next server goes on with a file of its own.
    await_true(lambda: len(list(folder.glob("show-*.mkv"))) == 3, 20, server.log)
    sender.stop.set()
    # It may have died in the middle of a write, which is then cut anywhere: the file is played up to there.
    found, seen = second.read_bytes(), []
    for size in range(len(found), len(found) * 3 // 4, -len(found) // 9):
        second.write_bytes(found[:size])
        seen.append(int(probe(second, cut=True)["video"]["nb_read_frames"]))
    assert seen[0] >= 15 and seen == sorted(seen, reverse=True)


def test_it_is_ordered_and_ended(studio, folder, films):
    """Before anybody is there, and while somebody is."""
    aiortc = pytest.importorskip("aiortc")
    from aiortc.contrib.media import MediaPlayer
    from test_sfu_peers import negotiate
    server = studio({"show": {"video": "VP8/96"}}, recordings="2", record_size="20000")

    def recorded():
        return set(json.loads(exchange(server.port, b"GET /getRoomList HTTP/1.0\r\n\r\n").split(b"\r\n\r\n", 1)[1])["recorded"])
    assert recordings(server) == {}
    api(server, "DELETE", "/sfu/rooms/show/recording", 404)
    assert json.loads(api(server, "POST", "/sfu/rooms/later/recording", 201))["state"] == "waiting"
    api(server, "POST", "/sfu/rooms/later/recording", 409)
    # As long as nothing comes of the publisher, none of them ends by itself.
    assert json.loads(api(server, "POST", "/sfu/rooms/show/recording", 201))["state"] == "recording"
    api(server, "POST", "/sfu/rooms/third/recording", 409)
    api(server, "POST", "/sfu/rooms/a%20b/recording", 404)
    assert recorded() == {"show"}
    api(server, "DELETE", "/sfu/rooms/show/recording", 204)
    await_true(lambda: "show" not in recordings(server), 10, server.log)

    async def publish():
        pc = aiortc.RTCPeerConnection()
        pc.addTrack(MediaPlayer(SOUND, format="lavfi").audio)
        pc.addTrack(MediaPlayer(PICTURE, format="lavfi").video)
        await negotiate(server, pc, "/whip/later")
        await asyncio.get_running_loop().run_in_executor(None, rest)
        await pc.close()

    def rest():
        with Sender(server.ports["show"], films["VP8"], films["opus"]):
            await_true(lambda: metric(server, "packets_in") > 40, 20, server.log)
            assert json.loads(api(server, "POST", "/sfu/rooms/show/recording", 201))["state"] == "recording"
            await_true(lambda: "later" in recorded() or "recording ended room=later" in server.log(), 10, server.log)
            # It is as large as it may be at last, and nothing is made of it anew.
            await_true(lambda: "show" not in recordings(server), 40, server.log)
            server.await_log("recording ended room=show .*as large as it may be")
            await_true(lambda: recordings(server).get("later", {}).get("frames", 0) > 60 or "later" not in recordings(server), 30, server.log)
    asyncio.run(publish())
    # The order lasts where it was not as large as it may be; what there was of the publisher is whole.
    await_true(lambda: recordings(server).get("later", {}).get("state") in (None, "waiting"), 20, server.log)
    if "later" in recordings(server):
        api(server, "DELETE", "/sfu/rooms/later/recording", 204)
    for room in ("show", "later"):
        files = list(folder.glob(f"{room}-*.mkv"))
        assert 0 < sum(path.stat().st_size for path in files) <= 21000 * len(files)
        # Pictures that come seconds behind the sound are in a second file, with sound.
        found = max(map(probe, files), key=len)
        assert int(found["video"]["nb_read_frames"]) > 0
        assert found["video"]["codec_name"] == "vp8" and found["audio"]["codec_name"] == "opus"
    assert recordings(server) == {}


def test_without_a_directory_nothing_is_recorded(studio):
    server = studio({}, record_directory="")
    api(server, "POST", "/sfu/rooms/show/recording", 409)


def test_pictures_of_vp8_grow_in_one_file(studio, folder, films):
    """As those of a browser that finds its path wider than it thought."""
    large = captured(["-i", PICTURE.replace("160x120", "320x240"), "-pix_fmt", "yuv420p", *ENCODERS["VP8"], "-payload_type", "96"])
    small = films["VP8"]
    seq, ts, ssrc = struct.unpack_from(">HII", small[0][1], 2)
    film = list(small)
    for number, (at, p) in enumerate(large, len(small)):
        head = struct.pack(">HII", (seq + number) & 0xffff, (ts + int((at + SECONDS) * 90000)) & 0xffffffff, ssrc)
        film.append((at + SECONDS, p[:2] + head + p[12:]))
    server = studio({"show": {"video": "VP8/96"}}, record="*")
    with Sender(server.ports["show"], film, rounds=1):  # they do not become smaller again
        await_true(lambda: recordings(server).get("show", {}).get("frames", 0) > (SECONDS + 1) * RATE, 60, server.log)
        api(server, "DELETE", "/sfu/rooms/show/recording", 204)
    await_true(lambda: metric(server, "recordings") == 0, 10)
    path, = folder.glob("*.mkv")
    assert (probe(path)["video"]["width"], probe(path)["video"]["height"]) == (320, 240)
    sizes = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "frame=width", "-of", "csv=p=0", path],
                           capture_output=True, text=True, check=True, timeout=60)
    widths = [int(line.strip(",")) for line in sizes.stdout.split()]
    assert not sizes.stderr and set(widths) == {160, 320} and widths == sorted(widths)


def test_pictures_that_nobody_can_begin_with_are_told_of(studio, folder, films):
    def is_set(packet):
        return packet[12] & 0x1f in (7, 8, 24)  # RFC 6184 5.4: parameter sets, or several units at once

    server = studio({"show": {"video": "H264/96"}}, record="*")
    film = [one for one in films["H264"] if not is_set(one[1])]
    assert film and len(film) < len(films["H264"])
    film = [(at, p[:2] + struct.pack(">H", number) + p[4:]) for number, (at, p) in enumerate(film)]  # and nothing is lost
    with Sender(server.ports["show"], film, films["opus"]):
        server.await_log("a track is not recorded: no picture to begin with .*room=show codec=H264", 60)
        await_true(lambda: recordings(server)["show"]["frames"] > 20, 30, server.log)
    assert server.log().count("a track is not recorded") == 1


def without_sets(film, codec):
    """The film and what its description says instead (RFC 6184 8.1, RFC 7798 7.1), for ffmpeg puts each set into a packet of its own or
    several into one."""
    sets, rest = {}, []
    kind = lambda unit: unit[0] & 0x1f if codec == "H264" else unit[0] >> 1 & 0x3f
    bundle, head, names = (24, 1, {7: "sprop-parameter-sets", 8: "sprop-parameter-sets"}) if codec == "H264" else \
        (48, 2, {32: "sprop-vps", 33: "sprop-sps", 34: "sprop-pps"})
    for at, p in film:
        units, more = [p[12:]], p[12 + head:]
        if kind(p[12:]) == bundle:
            units = []
            while more:
                size, = struct.unpack_from(">H", more)
                units.append(more[2:2 + size])
                more = more[2 + size:]
        for unit in units:
            if kind(unit) in names:
                sets.setdefault(names[kind(unit)], dict())[unit] = None
        kept = [unit for unit in units if kind(unit) not in names]
        rest += [(at, p[:12] + unit) for unit in kept]
    film = [(at, p[:2] + struct.pack(">H", number) + p[4:]) for number, (at, p) in enumerate(rest)]
    said = ";".join(f"{name}={','.join(base64.b64encode(unit).decode() for unit in units)}" for name, units in sets.items())
    return film, said


def test_sets_that_only_the_description_has_are_put_before_each_key_picture(studio, folder, films):
    """Where pictures come without; the recorder and who watches find them there."""
    ways, played = {}, {}
    for codec in ("H264", "H265"):
        played[codec], said = without_sets(films[codec], codec)
        assert len(played[codec]) != len(films[codec]) and "sprop-" in said
        ways[codec] = {"video": f"{codec}/96", "video_parameters": ("packetization-mode=1;" if codec == "H264" else "") + said, "audio": ""}
    server = studio(ways, record="*")
    with contextlib.ExitStack() as ends:
        for codec in ways:
            ends.enter_context(Sender(server.ports[codec], played[codec]))
        await_true(lambda: all(one["frames"] > 20 for one in recordings(server).values()), 60, lambda: api(server, "GET", "/sfu/recordings"))
        assert all(one["lost"] == 0 for one in recordings(server).values())
        for codec in ways:
            api(server, "DELETE", f"/sfu/rooms/{codec}/recording", 204)
    await_true(lambda: metric(server, "recordings") == 0, 10)
    for codec, name in (("H264", "h264"), ("H265", "hevc")):
        path, = folder.glob(f"{codec}-*.mkv")
        video = probe(path)["video"]
        assert (video["codec_name"], video["width"], video["height"]) == (name, 160, 120) and int(video["nb_read_frames"]) > 16


def test_pictures_of_a_phone_that_is_turned(studio, folder):
    """3GPP's header extension: viewers get it, and each file says how its pictures are to be turned."""
    aiortc = pytest.importorskip("aiortc")
    from test_sfu_insiders import Insider
    from test_sfu_peers import negotiate
    server = studio({}, record="*")

    def turnable(sdp):
        return re.sub(r"(m=video .*?\r\n)(a=)", r"\1a=extmap:9 urn:3gpp:video-orientation\r\n\2", sdp, count=1, flags=re.S)

    def turn_of(datagram):
        """One byte of the one-byte form (RFC 8285 4.2), which SRTP leaves as it is."""
        if datagram[0] & 0x10:
            at, end = 16, 16 + 4 * struct.unpack_from(">H", datagram, 14)[0]
            while at < end:
                number, size = datagram[at] >> 4, (datagram[at] & 15) + 1 if datagram[at] else 0
                if number == 9:
                    return datagram[at + 1]
                at += 1 + size
        return None

    async def run():
        pc = aiortc.RTCPeerConnection()
        pc.addTransceiver("video", direction="sendonly")
        await negotiate(server, pc, "/whip/phone", turnable)
        said, dtls = pc.localDescription.sdp, pc.getSenders()[0].transport
        pt, ssrc = int(re.search(r"a=rtpmap:(\d+) VP8/", said)[1]), int(re.search(r"a=ssrc:(\d+) ", said)[1])
        while dtls.state != "connected":
            await asyncio.sleep(0.02)
        await dtls._send_rtp(struct.pack(">BBHIQIII", 0x80, 200, 6, ssrc, int((time.time() + 2208988800) * 2 ** 32), 0, 0, 0))
        numbers = itertools.count(1)

        async def send_until(turn, done):
            while not done():
                n = next(numbers)
                assert n < 3000, server.log()
                await dtls._send_rtp(struct.pack(">BBHIIHHBBH", 0x90, 0x80 | pt, n, n * 4500, ssrc, 0xbede, 1, 9 << 4, turn, 0) + vp8_key(n))
                await asyncio.sleep(0.02)
        async with Insider(server, "/whep/phone", edit=turnable) as viewer:
            for turn, count in ((1, 1), (1 << 3 | 3, 2)):
                await send_until(turn, lambda: len(list(folder.glob("*.mkv"))) == count and turn in map(turn_of, viewer.media().values()))
        await pc.close()
    asyncio.run(run())
    await_true(lambda: metric(server, "recordings") == 0, 20)
    rolls = []
    for path in sorted(folder.glob("*.mkv"), key=lambda path: path.stat().st_mtime):
        found = subprocess.run(["ffprobe", "-v", "error", "-show_streams", "-of", "json", path], capture_output=True, text=True, check=True, timeout=60)
        rolls += [side["rotation"] for side in json.loads(found.stdout)["streams"][0]["side_data_list"]]
    assert rolls == [-90, 90]


def test_a_full_disk_ends_the_recording_alone(studio, tmp_path, films):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        server = studio({"show": {"video": "VP8/96"}}, record="*", record_directory=str(disk))
        with Sender(server.ports["show"], films["VP8"], films["opus"]):
            server.await_log(f"recording failed room=show directory={disk} .*No space left", 40)
            assert metric(server, "record_failures") == 1 and metric(server, "recordings") == 0
            before = metric(server, "packets_in")
            await_true(lambda: metric(server, "packets_in") > before, 10)
            assert "running" in api(server, "GET", "/sfu/rtp")
            path, = disk.glob("*.mkv")
            assert int(probe(path)["video"]["nb_read_frames"]) > 0
            # Where not even a head has room nothing is left behind.
            path.unlink()
            with contextlib.suppress(OSError), open(disk / "full", "wb", buffering=0) as full:
                while full.write(bytes(4096)):
                    pass
            api(server, "POST", "/sfu/rooms/show/recording", 201)
            await_true(lambda: metric(server, "record_failures") == 2, 40, server.log)
            assert list(disk.glob("*.mkv")) == []
        server.stop()
    finally:
        subprocess.run(["umount", "-l", disk], capture_output=True)


def vp8_key(_):
    """The head of a picture (RFC 7741 4.2, RFC 6386 9.1), which nobody decodes."""
    return b"\x10\x30\xb7\x01\x9d\x01\x2a" + struct.pack("<HH", 16, 16) + bytes(20)


def h264_key(n):
    """Parameter sets, each time others, and the head of a picture, at once (RFC 6184 5.7.1)."""
    units = bytes.fromhex("6742c028da01e0089f970110000003001000000301e0f1832a"), b"\x68\xce" + struct.pack(">H", n), b"\x65\x88"
    return b"\x18" + b"".join(struct.pack(">H", len(unit)) + unit for unit in units)


def keys_until(server, log, key=vp8_key):
    """Key pictures until the log says so."""
    count = itertools.count()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", server.ports["show"]))
        s.send(struct.pack(">BBHIQIII", 0x80, 200, 6, 77, int((time.time() + 2208988800) * 2 ** 32), 0, 0, 0))

        def send():
            n = next(count)
            s.send(struct.pack(">BBHII", 0x80, 96 | 0x80, n & 0xffff, n * 4500, 77) + key(n & 0xffff))
            return re.search(log, server.log())
        await_true(send, 30, server.log)


def test_one_layer_is_recorded(studio, folder):
    """Of a simulcast that of sfu.record_layer; where it is not there, the one with the largest pictures. And sound has two
    channels, whatever is said (RFC 7587 7)."""
    pytest.importorskip("aiortc")
    from test_sfu_insiders import Insider
    server = studio({}, record="*", record_layer="l")

    def layered(rids):
        return lambda sdp: (sdp.replace("opus/48000/2", "opus/48000/200") + "a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"
                            + "".join(f"a=rid:{rid} send\r\n" for rid in rids) + f"a=simulcast:send {';'.join(rids)}\r\n")

    async def send(room, rids):
        async with Insider(server, f"/whip/{room}", "sendonly", layered(rids)) as one:
            sound, picture = re.search(r"a=rtpmap:(\d+) opus/.*?a=rtpmap:(\d+) VP8/", one.pc.localDescription.sdp, re.S).groups()
            for n in itertools.count():
                await one.say(struct.pack(">BBHII", 0x80, int(sound), n & 0xffff, n * 960, 78) + b"\xf8\xff\xfe")
                for rid, size in rids.items():
                    await one.say(struct.pack(">BBHIIHHBBH", 0x90, 0x80 | int(picture), n & 0xffff, n * 4500, size, 0xbede, 1,
                                              9 << 4, ord(rid), 0)
                                  + b"\x10\x30\xb7\x01\x9d\x01\x2a" + struct.pack("<HH", size, size) + bytes(20))
                if recordings(server)[room]["frames"] > 10:
                    return
                await asyncio.sleep(0.05)

    async def run():
        await asyncio.wait_for(asyncio.gather(send("wanted", {"h": 64, "m": 32, "l": 16}), send("largest", {"m": 32, "h": 64})), 60)
    asyncio.run(run())
    await_true(lambda: recordings(server) == {} and metric(server, "recordings") == 0, 60, server.log)
    for room, size in {"wanted": 16, "largest": 64}.items():
        path, = folder.glob(f"{room}-*.mkv")
        said = subprocess.run(["ffprobe", "-v", "fatal", "-show_entries", "stream=width,height,channels", "-of", "csv=p=0", path],
                              timeout=60, capture_output=True, text=True, check=True).stdout.split()
        assert set(said) == {"2", f"{size},{size}"}


SILENT = {"show": {"video": "VP8/96", "audio": ""}}


def test_a_publisher_whose_pictures_change_all_the_time_makes_so_many_files(studio, folder):
    """And what is older than sfu.record_keep goes, if it is a recording of this room and a file."""
    names = {"show-20200101-000000.mkv": False, "show-20200101-000000-2.mkv": False, "show-20200101-000000.txt": True,
             "show-best.mkv": True, "other-20200101-000000.mkv": True, "show-x-20200101-000000.mkv": True}
    for name in names:
        (folder / name).touch()
        os.utime(folder / name, (1577836800, 1577836800))
    (folder / "show-20200101-000001.mkv").symlink_to("show-best.mkv")
    before = set(folder.iterdir())
    server = studio({"show": {"video": "H264/96", "audio": ""}}, record="*", record_files="3", record_keep="1h")
    keys_until(server, "recording ended room=show .*as many files as it may have", h264_key)
    assert len(set(folder.iterdir()) - before) == 3
    assert {name: (folder / name).exists() for name in names} == names
    assert (folder / "show-20200101-000001.mkv").is_symlink()


def test_rooms_of_like_names_have_files_of_their_own(studio, folder):
    """So that sfu.record_keep of one takes nothing of another."""
    for name in ("sh_w-20200101-000000.mkv", "sh%2Dw-20200101-000000.mkv"):
        (folder / name).touch()
        os.utime(folder / name, (1577836800, 1577836800))
    server = studio({"show": {"video": "VP8/96", "audio": "", "room": "sh-w"}}, record="*", record_keep="1h")
    keys_until(server, "recording opened room=sh-w file=.*/sh%2Dw-2")
    await_true(lambda: not (folder / "sh%2Dw-20200101-000000.mkv").exists(), 10)
    # What is being written can be seen, not taken away.
    mine, = json.loads(api(server, "GET", "/recordings?of=sh-w"))["recordings"]
    assert mine["open"] and (folder / mine["name"].removeprefix("sfu/")).exists()
    path = "/recordings/" + urllib.parse.quote(mine["name"])
    # It is opened before anything is in it.
    part = await_true(lambda: [got for got in [server.get("/api/v1" + path, {"Range": "bytes=0-3"}, ("admin", ADMIN_PASSWORD))]
                               if got.status == 206], 10)[0]
    assert part.body == b"\x1a\x45\xdf\xa3"
    api(server, "DELETE", path, 409)
    api(server, "DELETE", "/sfu/rooms/sh-w/recording", 204)
    await_true(lambda: not recordings(server), 10)
    api(server, "DELETE", path, 204)
    assert json.loads(api(server, "GET", "/recordings?of=sh-w"))["recordings"] == []
    assert (folder / "sh_w-20200101-000000.mkv").exists()


@pytest.mark.parametrize("room, named", [("." + "-" * 126 + "1", "%2E(%2D)+"), ("." * 60 + "ä" * 34, "(%2E){60}ä{10}")],
                         ids=["long", "letters"])
def test_a_room_of_any_name_has_a_file(studio, folder, room, named):
    server = studio({"show": {"video": "VP8/96", "audio": "", "room": room}}, record="*")
    keys_until(server, "recording opened room=")
    path, = folder.iterdir()
    assert re.fullmatch(named + r"%[0-9A-F]{16}-2\d{7}-\d{6}\.mkv", path.name)


@pytest.mark.parametrize("setting, value, log, files", [
    ("record_length", "1s", "recording ended room=show .*as long as it may be", 1),
    ("record_free", "1000000G", "recording failed room=show .*disk is nearly full", 0)], ids=["length", "free disk"])
def test_a_recording_ends_at_its_bounds(studio, folder, setting, value, log, files):
    server = studio(SILENT, record="*", **{setting: value})
    keys_until(server, log)
    assert len(list(folder.iterdir())) == files
    await_true(lambda: recordings(server) == {}, 10, server.log)


def test_who_is_silent_holds_up_no_more_than_the_feed_keeps(studio):
    """Pictures wait for sound that belongs before them, and for what is lost, but not until they are overwritten."""
    server = studio({"show": {"video": "VP8/96"}}, record="*", history="512k")
    ntp = int((time.time() + 2208988800) * 2 ** 32)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", server.ports["show"]))
        for ssrc in (77, 78):
            s.send(struct.pack(">BBHIQIII", 0x80, 200, 6, ssrc, ntp, 0, 0, 0))
        for n in range(3):
            s.send(struct.pack(">BBHII", 0x80, 111, n, n * 960, 78) + b"\xf8\xff\xfe")
        count = itertools.count()

        def burst():
            for n in (n for n in itertools.islice(count, 20) if n % 97 != 50):
                s.send(struct.pack(">BBHII", 0x80, 96 | 0x80, n & 0xffff, n * 200, 77) + b"\x10\x30\xb7\x01\x9d\x01\x2a"
                       + struct.pack("<HH", 16, 16) + bytes(1100))
            return recordings(server).get("show", {}).get("frames", 0) > 600
        await_true(burst, 30, lambda: api(server, "GET", "/sfu/recordings"))
    told = recordings(server)["show"]
    assert told["lost"] < told["frames"], told
