#!/usr/bin/python3
"""SFU: ringmain against a bare loop of the same crypto and sends, and against Debian's Janus, in one run.

    bench/sfu.py [path] [workers] [join] [memory]                       (default: all)

One publisher of numbered packets, viewers with DTLS and SRTP of their own (ringmain-sfuload). Everything
shares the machine, so what is compared is CPU time of the server's processes: packets that viewers got per
second of it. Order alternates from round to round, figures are medians. Each line has the machine's idle
share; where delivered is below 0.97 the machine was too busy, and the line says starved. Where it may, it runs at
nice -15, and so does its session where that counts (autogroup): begin it by setsid.

Janus (package janus, streaming plugin, fed by plain RTP) does not offer 127.0.0.1, so its part runs in a
network namespace of its own with a bridge that leads nowhere; ringmain and the bare loop run there too.
That needs root and unshare; without, or with --no-janus, Janus is left out and the line says so.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

from common import FED, Client, Server, Window, answers, emit, median, ratio, resident, rounds, shown, table

TOKEN = "bench"
HOME = "10.77.0.1"  # of the namespace's bridge
AWAY = "10.78.0.0"  # of the viewers there


class Load(Client):
    def __init__(self, args, *options, **popen):
        super().__init__(args, "sfu/ringmain-sfuload", *options, **popen)


class Ringmain(Server):
    def __init__(self, args, workers=1, settings=()):
        super().__init__(args, "ringmain")
        self.url = f"http://127.0.0.1:{args.port}"
        self.start_ringmain((f"http.listen=127.0.0.1:{args.port}", f"sfu.udp=127.0.0.1:{args.port + 1}",
                             f"sfu.publish_token={TOKEN}", f"workers={workers}", "log.level=warning", "sfu.idle=no",
                             "admin.password=bench-admin", "radio.source_password=x", *args.set, *settings),
                            answers(f"{self.url}/readyz"))

    def publisher(self, *options):
        return Load(self.args, "publish", "--url", f"{self.url}/whip/a", "--token", TOKEN,
                    *stream(self.args), *options)

    def viewers(self, count, *options):
        return Load(self.args, "watch", "--url", f"{self.url}/whep/a", "--viewers", count,
                    "--seconds", 600, "--check", 100, *options)


class Janus(Server):
    def __init__(self, args):
        super().__init__(args, "janus")
        self.url = f"http://127.0.0.1:{args.port + 3}/janus"
        self.rtp = args.port + 4
        config = self.folder
        (config / "janus.jcfg").write_text(
            f'general: {{ plugins_folder = "/usr/lib/x86_64-linux-gnu/janus/plugins"\n'
            f'transports_folder = "/usr/lib/x86_64-linux-gnu/janus/transports"\n'
            f'debug_level = 5 configs_folder = "{config}" }}\n'
            f'nat: {{ ice_lite = true ice_enforce_list = "{HOME}" }}\n'
            'plugins: { disable = "libjanus_audiobridge.so,libjanus_duktape.so,libjanus_echotest.so,'
            'libjanus_lua.so,libjanus_nosip.so,libjanus_recordplay.so,libjanus_sip.so,libjanus_textroom.so,'
            'libjanus_videocall.so,libjanus_videoroom.so,libjanus_voicemail.so" }\n'
            'transports: { disable = "libjanus_websockets.so,libjanus_mqtt.so,libjanus_nanomsg.so,'
            'libjanus_pfunix.so,libjanus_rabbitmq.so" }\n')
        (config / "janus.transport.http.jcfg").write_text(
            f'general: {{ http = true port = {args.port + 3} ip = "127.0.0.1" base_path = "/janus" }}\n'
            'admin: { admin_http = false }\n')
        (config / "janus.plugin.streaming.jcfg").write_text(
            f'a: {{ type = "rtp" id = 1 audio = false video = true videoport = {self.rtp} '
            'videoiface = "127.0.0.1" videopt = 96 videocodec = "vp8" videobufferkf = true }\n')
        self.start(["janus", "-F", config, "-o"], answers(f"{self.url}/info"))

    def publisher(self, *options):
        return Load(self.args, "publish", "--rtp", f"127.0.0.1:{self.rtp}", *stream(self.args), *options)

    def ask(self, path, **body):
        body = {**body, "transaction": "x"}
        request = urllib.request.Request(f"{self.url}{path}", json.dumps(body).encode())
        answer = json.load(urllib.request.urlopen(request, timeout=20))
        if answer["janus"] == "error":
            raise RuntimeError(f"janus: {answer}")
        return answer

    def event(self, session):
        """The next event of the plugin."""
        while True:
            with urllib.request.urlopen(f"{self.url}/{session}?maxev=1", timeout=40) as reply:
                event = json.load(reply)
            event = event[0] if isinstance(event, list) else event
            if event["janus"] == "event":
                return event

    def join(self, number, print_, pwd, own):
        """One viewer: session, handle, watch, answer. The line that ringmain-sfuload reads."""
        session = self.ask("", janus="create")["data"]["id"]
        path = f"/{session}/{self.ask(f'/{session}', janus='attach', plugin='janus.plugin.streaming')['data']['id']}"
        self.ask(path, janus="message", body={"request": "watch", "id": 1})
        offer = self.event(session)["jsep"]["sdp"]

        def field(name):
            return re.search(rf"a={name}:(\S+)", offer)[1]
        host, port = re.search(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host", offer, re.I).groups()
        answer = (f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {field('mid')}\r\n"
                  f"m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 127.0.0.1\r\na=mid:{field('mid')}\r\n"
                  f"a=recvonly\r\na=rtcp-mux\r\na=ice-ufrag:view{number}\r\na=ice-pwd:{pwd}\r\n"
                  f"a=fingerprint:sha-256 {print_}\r\na=setup:active\r\na=rtpmap:96 VP8/90000\r\n"
                  "a=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n"
                  f"a=candidate:1 1 udp 2015363327 10.78.{number >> 8}.{number & 255} {own} typ host\r\n"
                  "a=end-of-candidates\r\n")
        self.ask(path, janus="message", body={"request": "start"}, jsep={"type": "answer", "sdp": answer})
        self.ask(path, janus="trickle", candidate={"completed": True})
        self.sessions.append(session)
        return f"{number} {host} {port} {field('ice-ufrag')} {field('ice-pwd')}\n"

    def keep(self):
        """Sessions that nobody asks after end in a minute."""
        while self.process.poll() is None:
            time.sleep(15)
            for session in self.sessions:
                try:
                    self.ask(f"/{session}", janus="keepalive")
                except (OSError, RuntimeError):
                    return

    def viewers(self, count):
        # It is told where to go.
        load = Load(self.args, "watch", "--lines", "--viewers", count, "--seconds", 600, "--check", 100,
                    "--base", AWAY, stdin=subprocess.PIPE)
        ready = load.wait("ready", 10)
        self.sessions = []
        for number in range(count):
            load.process.stdin.write(self.join(number, ready["fingerprint"], ready["pwd"], ready["port"]))
            load.process.stdin.flush()
        threading.Thread(target=self.keep, daemon=True).start()
        return load


def stream(args):
    return ("--packets", args.packets, "--key-packets", args.packets, "--fps", args.fps, "--gop", 60,
            "--size", args.size, "--seconds", 600)


def steady(args, server, count, *options):
    """A crowd that is there, over a window: packets that it got for the server's CPU time."""
    publisher = server.publisher()
    load = None
    try:
        if isinstance(server, Ringmain):
            publisher.wait("connected", 15)
        load = server.viewers(count, *options)
        load.wait("joined", 60)
        time.sleep(args.settle)
        begin = load.last("progress")
        with Window(server.pid) as window:
            time.sleep(args.seconds)
        end = load.last("progress")
    finally:
        publisher.stop()
        if load:
            load.stop()
    report = load.wait("report", 20)
    rate = (end["packets"] - begin["packets"]) / (end["t"] - begin["t"])
    share = rate / (count * args.packets * args.fps)
    return {"subject": server.label, "viewers": count, **window.fields(), "packets_s": round(rate),
            "delivered": round(share, 3), "starved": share < FED,
            "packets_per_core_s": round(rate * window.seconds / window.cpu) if window.cpu else None,
            "lost": report["lost"], "bad": report["bad"], "torn": report["torn"],
            "latency_ms": report["latency_ms"]}


def bare(args, count):
    out = subprocess.run([str(args.build / "bench/bench_sfu"), "--viewers", str(count), "--packets",
                          str(args.packets), "--size", str(args.size), "--fps", str(args.fps), "--seconds",
                          str(args.seconds)], check=True, capture_output=True, text=True).stdout
    return {"subject": "bare loop", **json.loads(out)}


def bench_path(args):
    def served(make, count):
        def one():
            with make() as server:
                return emit("path", **steady(args, server, count))
        return one

    jobs = [("ringmain", served(lambda: Ringmain(args), args.viewers)),
            ("bare loop", lambda: emit("path", **bare(args, args.viewers)))]
    if args.janus:
        jobs += [("ringmain, few", served(lambda: Ringmain(args), args.few)),
                 ("janus, few", served(lambda: Janus(args), args.few))]
    else:
        emit("path", subject="janus", left_out=args.why)
    results = rounds(args, jobs)
    cost = {name: median(r["packets_per_core_s"] for r in runs) for name, runs in results.items()}
    emit("path-median", **{k.replace(", ", "_").replace(" ", "_"): v for k, v in cost.items()},
         over_bare=ratio(cost["ringmain"], cost["bare loop"]),
         over_janus=ratio(cost.get("ringmain, few"), cost.get("janus, few")))
    table(f"path: {args.viewers} viewers (few: {args.few}), {args.packets} packets of {args.size} bytes a frame, "
          f"{args.fps} fps", ["subject", "packets/core s", "/ bare", "/ janus", "idle %"],
          [[name, shown(cost[name]), shown(ratio(cost[name], cost["bare loop"]), 2),
            shown(ratio(cost[name], cost.get("janus, few")), 2),
            shown(100 * statistics.median(r.get("machine_idle", 0) for r in runs))]
           for name, runs in results.items()])


def counted(server):
    """Packets that came from publishers, that went to viewers, and that were too many for a worker."""
    text = urllib.request.urlopen(f"{server.url}/metrics", timeout=30).read().decode()
    return [int(re.search(rf"^ringmain_sfu_{name}_total (\d+)$", text, re.M)[1])
            for name in ("packets_in", "packets_out", "lapped")]


def flooded(args, server):
    """What the server can send when more is wanted than it can. The viewers join while little is published; then
    they are stopped (SIGSTOP), so that they cost nothing: what comes for them is dropped where it would have been
    queued, by whoever sends it. Then a publisher floods the room."""
    calm = server.publisher("--fps", 5)
    calm.wait("connected", 15)
    load = server.viewers(args.flooded, "--rate", 300)
    load.wait("joined", 60)
    calm.stop()
    load.process.send_signal(signal.SIGSTOP)
    try:
        flood = server.publisher("--fps", args.flood_fps)
        flood.wait("connected", 15)
        time.sleep(args.settle)
        begin = *counted(server), time.monotonic()
        with Window(server.pid) as window:
            time.sleep(args.seconds)
        end = *counted(server), time.monotonic()
        flood.stop()
    finally:
        load.process.kill()
    came, rate, lapped = ((b - a) / (end[-1] - begin[-1]) for a, b in zip(begin, end[:3]))
    wanted = args.flooded * came
    return {**window.fields(), "packets_in_s": round(came), "packets_s": round(rate), "wanted": round(wanted), "lapped_s": round(lapped), "saturated": rate < 0.9 * wanted,
            "cores": round(window.cpu / window.seconds, 2),
            "packets_per_core_s": round(rate * window.seconds / window.cpu)}


def bench_workers(args):
    """One worker and two, each with all that it can carry, on a machine of two cores that the load leaves to
    the server."""
    def one(workers):
        def job():
            with Ringmain(args, workers, ("sfu.ports=each",)) as server:
                return emit("workers", workers=workers, **flooded(args, server))
        return job

    results = rounds(args, [("1", one(1)), ("2", one(2))])
    rate = {name: median(r["packets_s"] for r in runs) for name, runs in results.items()}
    cost = {name: median(r["packets_per_core_s"] for r in runs) for name, runs in results.items()}
    emit("workers-median", one=rate["1"], two=rate["2"], ratio=ratio(rate["2"], rate["1"]),
         per_core=ratio(cost["2"], cost["1"]))
    table("workers", ["workers", "packets/s", "of one", "cores used", "packets/core s"],
          [[n, shown(rate[n]), shown(ratio(rate[n], rate["1"]), 2),
            shown(median(r["cores"] for r in results[n]), 2), shown(cost[n])] for n in rate])


def bench_join(args):
    rows = []
    with Ringmain(args, 2) as server:
        publisher = server.publisher()
        publisher.wait("connected", 15)
        time.sleep(3)
        load = server.viewers(args.joiners, "--rate", args.rate, "--check", 1000)
        with Window(server.pid) as window:
            joined = load.wait("joined", 90)
        load.stop()
        publisher.stop()
        report = load.wait("report", 20)
        times = {k: report[k] for k in ("post_ms", "up_ms", "key_ms", "whole_ms")}
        rows = [[k, shown(v["p50"], 1), shown(v["p99"], 1)] for k, v in times.items()]
        emit("join", viewers=args.joiners, rate=args.rate, took_s=joined["took_s"], refused=report["refused"],
             broken=report["broken"], **window.fields(), **times)
    table(f"join: {args.joiners} viewers, {args.rate} a second", ["from the wish to …", "p50 ms", "p99 ms"], rows)


def bench_memory(args):
    """Resident memory of the server for each viewer, six seconds after all have joined: handshakes are
    forgotten by then."""
    with Ringmain(args, 2) as server:
        publisher = server.publisher("--fps", 5)
        publisher.wait("connected", 15)
        warm = server.viewers(50, "--first", 100000)
        warm.wait("joined", 30)
        warm.stop()
        time.sleep(1)
        before = resident(server.pid)
        load = server.viewers(args.joiners, "--rate", min(args.rate, 300))
        load.wait("joined", 90)
        time.sleep(8)
        after = resident(server.pid)
        load.stop()
        publisher.stop()
    each = (after - before) / args.joiners
    emit("memory", viewers=args.joiners, before=before, after=after, bytes_per_viewer=round(each))
    table("memory", ["viewers", "before MiB", "after MiB", "bytes a viewer"],
          [[args.joiners, shown(before / 2**20, 1), shown(after / 2**20, 1), shown(each)]])


BENCHES = {"path": bench_path, "workers": bench_workers, "join": bench_join, "memory": bench_memory}


def in_namespace(args):
    """Goes on in a network namespace with a bridge that leads nowhere; why not, or None."""
    if os.environ.get("BENCH_SFU_INSIDE"):
        return None
    if not shutil.which("janus"):
        return "janus is not installed"
    if os.geteuid() != 0 or not shutil.which("ip"):
        return "a network namespace needs root and ip(8)"
    script = (f"ip link set lo up && ip link add lan0 type bridge && ip addr add {HOME}/24 dev lan0 && "
              'ip link set lan0 up && ip route add local 10.78.0.0/16 dev lan0 && exec "$@"')
    if subprocess.run(["unshare", "-n", "sh", "-c", script, "sh", "true"], capture_output=True).returncode:
        return "there is no network namespace with a bridge here"
    os.environ["BENCH_SFU_INSIDE"] = "1"
    sys.stdout.flush()
    os.execvp("unshare", ["unshare", "-n", "sh", "-c", script, "sh", sys.executable, *sys.argv])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benches", nargs="*", choices=[*BENCHES, []], default=[])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build-release"))
    parser.add_argument("--port", type=int, default=18400)
    parser.add_argument("--viewers", type=int, default=400)
    parser.add_argument("--few", type=int, default=100, help="viewers beside Janus")
    parser.add_argument("--joiners", type=int, default=2000)
    parser.add_argument("--flooded", type=int, default=2000, help="viewers of a flood")
    parser.add_argument("--flood-fps", type=int, default=600)
    parser.add_argument("--rate", type=int, default=400, help="that join in a second")
    parser.add_argument("--packets", type=int, default=9)
    parser.add_argument("--size", type=int, default=1100)
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--settle", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pause", type=float, default=0, help="seconds between runs")
    parser.add_argument("--set", action="append", default=[], help="a setting of ringmain")
    parser.add_argument("--no-janus", action="store_true")
    args = parser.parse_args()
    args.build = args.build.resolve()
    wanted = args.benches or list(BENCHES)
    args.why = "--no-janus" if args.no_janus else in_namespace(args) if "path" in wanted else "not asked"
    args.janus = args.why is None
    with contextlib.suppress(OSError):
        os.nice(-15)
        pathlib.Path("/proc/self/autogroup").write_text("-15")
    for name in wanted:
        BENCHES[name](args)


if __name__ == "__main__":
    main()
