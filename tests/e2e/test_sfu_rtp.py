"""Programs that send plain RTP publish to a room: what viewers get is what was sent."""
import asyncio
import os
import signal
import subprocess

import pytest

from stage import ADMIN_PASSWORD, PROGRAM, await_true, free_ports
from test_sfuload import LOAD, PATIENT, TOKEN, Load, explained

MEDIA = {
    "VP8": (["-c:v", "libvpx", "-deadline", "realtime", "-g", "15"], "VP8/96"),
    "H264": (["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "15", "-profile:v", "baseline",
              "-bsf:v", "dump_extra"], "H264/96"),
}


def sessions(server):
    answer = server.get("/api/v1/sfu/sessions", auth=("admin", ADMIN_PASSWORD))
    return {s["room"]: s for s in answer.json["sessions"] if s["role"] == "publisher"}


@pytest.fixture
def studio(serve):
    def start(**settings):
        port = free_ports()
        server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": TOKEN, "workers": "2",
                        "sfu.idle": "no", **PATIENT, "rtp.studio.room": "show", "rtp.studio.listen": f"127.0.0.1:{port}",
                        **{f"rtp.studio.{name}": value for name, value in settings.items()}})
        server.rtp = port
        return server
    return start


def test_each_packet_arrives_as_it_was_sent(crew, studio):
    server = studio(video="VP8/96")
    await_true(lambda: "show" in sessions(server), 10, server.log)
    crew.start([LOAD, "publish", "--rtp", f"127.0.0.1:{server.rtp}", "--seconds", "3600"])
    report = Load(crew, server, "show").watch(20, 2, least=20 * 500)
    assert report["joined"] == 20 and report["packets"] >= 20 * 500
    assert not any(report[k] for k in ("bad", "torn", "astray")) and explained(report), report
    # Nobody else publishes there meanwhile.
    other = crew.start([LOAD, "publish", "--url", f"http://127.0.0.1:{server.port}/whip/show", "--token", TOKEN])
    assert other.wait(60) != 0


@pytest.mark.parametrize("codec", MEDIA)
def test_ffmpeg_publishes(crew, studio, codec):
    pytest.importorskip("aiortc")
    from test_sfu_peers import watched
    options, named = MEDIA[codec]
    server = studio(video=named, audio="opus/111")
    to = f"rtp://127.0.0.1:{server.rtp}?rtcpport={server.rtp}&pkt_size=1200"
    crew.start(["ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=15",
                "-re", "-f", "lavfi", "-i", "sine=frequency=440", "-pix_fmt", "yuv420p",
                "-map", "0:v", *options, "-payload_type", "96", "-f", "rtp", to,
                "-map", "1:a", "-c:a", "libopus", "-payload_type", "111", "-f", "rtp", to])
    counts, sizes = asyncio.run(watched(server, "show", 20))
    assert sizes == {(320, 240)} and counts["video"] >= 20 and counts["audio"] >= 20


def test_one_that_was_sent_away_comes_again(crew, studio, tmp_path):
    server = studio(video="VP8/96")
    await_true(lambda: "show" in sessions(server), 10, server.log)
    first = sessions(server)["show"]["id"]
    assert server.get(f"/api/v1/sfu/sessions/{first}", auth=("admin", ADMIN_PASSWORD), method="DELETE").status == 204
    await_true(lambda: sessions(server).get("show", {"id": first})["id"] != first, 10, server.log)
    # What is no RTP is counted and harms nobody.
    with open(tmp_path / "junk", "wb") as junk:
        junk.write(os.urandom(1000))
    for size in ("0", "1", "11", "12", "300"):
        subprocess.run(f"head -c {size} {tmp_path}/junk >/dev/udp/127.0.0.1/{server.rtp}", shell=True, check=True,
                       executable="/bin/bash")
    crew.start([LOAD, "publish", "--rtp", f"127.0.0.1:{server.rtp}", "--seconds", "3600"])
    report = Load(crew, server, "show").watch(2, 1, least=200)
    assert report["packets"] >= 200 and explained(report), report


def test_a_port_that_is_not_free_is_waited_for(crew, studio):
    import socket
    server = studio(video="VP8/96")
    await_true(lambda: "show" in sessions(server), 10, server.log)
    second = studio(video="VP8/96", listen=f"127.0.0.1:{server.rtp}")
    second.await_log("source of plain RTP waits .*in use")
    server.stop()
    await_true(lambda: "show" in sessions(second), 10, second.log)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, pytest.raises(OSError):
        s.bind(("127.0.0.1", server.rtp))


def test_a_reload_takes_and_leaves_sources(crew, serve, tmp_path):
    ports = [free_ports() for _ in range(2)]
    text = "rtp:\n  {}:\n    room: {}\n    listen: 127.0.0.1:{}\n    video: VP8/96\n"
    file = tmp_path / "ringmain.yaml"
    from stage import Server
    file.write_text(text.format("a", "one", ports[0]))
    server = Server(crew, tmp_path, {"sfu.udp": f"127.0.0.1:{free_ports()}"}, ["--config", file])
    await_true(lambda: set(sessions(server)) == {"one"}, 10, server.log)
    kept = sessions(server)["one"]["id"]
    file.write_text(text.format("a", "one", ports[0]) + text.format("b", "two", ports[1]).replace("rtp:\n", ""))
    server.process.popen.send_signal(signal.SIGHUP)
    await_true(lambda: set(sessions(server)) == {"one", "two"}, 10, server.log)
    assert sessions(server)["one"]["id"] == kept
    file.write_text(text.format("b", "three", ports[1]))
    server.process.popen.send_signal(signal.SIGHUP)
    await_true(lambda: set(sessions(server)) == {"three"}, 10, server.log)
    server.stop()


def test_a_way_whose_codec_is_another_says_so(serve):
    port = free_ports()
    server = serve({"sfu.udp": "127.0.0.1:0", "rtp.in.room": "show", "rtp.in.listen": f"127.0.0.1:{port}",
                    "rtp.in.video": "H264/96", "rtp.in.start": "order", "rtp.out.room": "show",
                    "rtp.out.send": "127.0.0.1:9", "rtp.out.video": "VP8/96"})

    def ways():
        answer = server.get("/api/v1/sfu/rtp", auth=("admin", ADMIN_PASSWORD))
        return {way["name"]: (way["state"], way["why"]) for way in answer.json["ways"]}

    def order(word):
        assert server.get(f"/api/v1/sfu/rtp/in/{word}", auth=("admin", ADMIN_PASSWORD), method="POST").status == 204
    await_true(lambda: ways()["out"] == ("running", ""), 20, ways)
    order("start")
    await_true(lambda: ways()["in"] == ("running", "") and "has a codec that it does not carry" in ways()["out"][1], 20, ways)
    order("stop")
    await_true(lambda: ways()["out"] == ("running", ""), 20, ways)


@pytest.mark.parametrize("settings,said", [
    ({"listen": "127.0.0.1:1"}, "room: expected"),
    ({"room": "x"}, "listen: expected one address"),
    ({"room": "x", "listen": "127.0.0.1:1"}, "rtp \"a\": expected video, audio or both"),
    ({"room": "x", "listen": "127.0.0.1:1", "video": "opus/96"}, "video: expected VP8"),
    ({"room": "x", "listen": "127.0.0.1:1", "video": "VP8/128"}, "a payload type (0 to 127), found"),
    ({"room": "x", "listen": "127.0.0.1:1", "audio": "opus"}, "audio: expected opus"),
    ({"room": "x", "listen": "127.0.0.1:1", "video": "VP8/96", "video_parameters": "a b"}, "video_parameters"),
    ({"room": "x", "listen": "127.0.0.1:1", "video": "H264/96", "video_parameters": "sprop-parameter-sets=Z0IA"}, "video_parameters"),
], ids=lambda value: "-".join(value) if isinstance(value, dict) else "")
def test_what_is_no_source_is_refused(settings, said):
    words = [w for name, value in settings.items() for w in ("--set", f"rtp.a.{name}={value}")]
    done = subprocess.run([PROGRAM, "--check", *words], capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and said in done.stderr, done.stderr
