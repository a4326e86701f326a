#!/usr/bin/python3
"""Radio: ringmain against icecast2 and against the raw limit of paced send() calls, in one run.

    bench/radio.py [capacity] [tls] [storm] [memory] [curve] [workers] [latency] [upgrade]
                                                                                    (default: all)

Each prints JSON lines on stdout and a table on stderr. One encoder feeds N listeners; server, encoder
and swarm share the machine, so capacity is measured where there is idle time left, and extrapolated
from the CPU time that the server's processes took: seconds of audio delivered / CPU seconds, which is
listeners per core. Every line has the share of the audio that was delivered in the window and the
machine's idle and stolen share: where share is below 0.97 or nothing is idle, the machine was too
busy, a server that came too late sent larger pieces for less CPU, and the line says starved.

Order alternates from round to round; figures are medians. Subject A is ringmain by default; any
subject can be compared with any: --subjects icecast,icecast shows what the noise is.
"""
import argparse
import contextlib
import os
import pathlib
import pwd
import signal
import subprocess
import time
import urllib.request

from common import (FED, IDLE, ROOT, Client, Server, Window, answers, emit, median, ratio,
                    resident, rounds, serving, shown, table)

PASSWORD = "bench-source"


# -- the servers -----------------------------------------------------------------------------------

class Radio(Server):
    ports = 1

    def is_ready(self):
        return answers(f"{self.url}/status-json.xsl")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.args.port}"

    def listen_url(self, secure):
        """Where listeners come to, and on how many ports from there on."""
        return (f"https://127.0.0.1:{self.args.port}" if secure else self.url), self.ports

    @property
    def source_url(self):
        return f"http://source:{PASSWORD}@127.0.0.1:{self.args.port}/live"


def make_certificate(folder):
    """A certificate and its key in one file: ECDSA, as authorities give them out."""
    file = os.path.join(folder, "both.pem")
    key = os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", key, "-out", file, "-days", "2", "-subj", "/CN=localhost"],
                   check=True, capture_output=True)
    with open(file, "a") as out, open(key) as it:
        out.write(it.read())
    os.chmod(file, 0o644)
    return file


class Ringmain(Radio):
    def __init__(self, args, settings=()):
        super().__init__(args, " ".join(["ringmain", *settings]))
        self.start_ringmain((f"http.listen=127.0.0.1:{args.port}", f"radio.source_password={PASSWORD}",
                             f"tls.certificate={make_certificate(self.folder)}",
                             "admin.password=bench-admin", *args.set, *settings), self.is_ready())


class Icecast(Radio):
    # Its accept queue holds five: several ports let a crowd in before the measurement begins.
    ports = 16

    def __init__(self, args, settings=()):
        del settings
        super().__init__(args, "icecast")
        sockets = "".join(f"<listen-socket><port>{args.port + i}</port>"
                          "<bind-address>127.0.0.1</bind-address></listen-socket>"
                          for i in range(self.ports))
        # Over TLS on ports of their own, above the others.
        sockets += "".join(f"<listen-socket><port>{args.port + self.ports + i}</port>"
                           "<bind-address>127.0.0.1</bind-address><ssl>1</ssl></listen-socket>"
                           for i in range(self.ports))
        certificate = make_certificate(self.folder)
        config = os.path.join(self.folder, "icecast.xml")
        with open(config, "w") as out:
            out.write(f"""<icecast><limits><clients>100000</clients><sources>100</sources>
<queue-size>524288</queue-size><client-timeout>30</client-timeout><header-timeout>15</header-timeout>
<source-timeout>10</source-timeout><burst-size>{args.burst}</burst-size></limits>
<authentication><source-password>{PASSWORD}</source-password><relay-password>x</relay-password>
<admin-user>admin</admin-user><admin-password>x</admin-password></authentication>
<hostname>localhost</hostname>{sockets}<fileserve>0</fileserve>
<paths><basedir>/usr/share/icecast2</basedir><logdir>{self.folder}</logdir>
<ssl-certificate>{certificate}</ssl-certificate>
<webroot>/usr/share/icecast2/web</webroot><adminroot>/usr/share/icecast2/admin</adminroot></paths>
<logging><accesslog>-</accesslog><errorlog>-</errorlog><loglevel>1</loglevel></logging>
<security><chroot>0</chroot></security></icecast>""")
        os.chmod(config, 0o644)
        command = ["icecast2", "-c", config]
        if os.geteuid() == 0:  # it refuses to run as root
            user = pwd.getpwnam("icecast2")
            command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
                       "--clear-groups", *command]
        self.start(command, self.is_ready())

    def listen_url(self, secure):
        port = self.args.port + (self.ports if secure else 0)
        return f"http{'s' if secure else ''}://127.0.0.1:{port}", self.ports


SUBJECTS = {"ringmain": Ringmain, "icecast": Icecast}


# -- one measurement -------------------------------------------------------------------------------

@contextlib.contextmanager
def on_air(args, server, *options):
    encoder = Client(args, "ringmain-encoder", "--url", server.source_url, "--bitrate",
                     args.bitrate, "--seconds", 3600, *options)
    try:
        encoder.wait("connected", 15)
        time.sleep(args.lead)  # so that there is a burst to give
        yield encoder
    finally:
        encoder.stop()


@contextlib.contextmanager
def crowd(args, url, listeners, *options):
    swarm = Client(args, "ringmain-swarm", "--url", url, "--listeners", listeners, "--seconds",
                   3600, "--join-seconds", args.join_seconds, "--bitrate", args.bitrate, *options)
    try:
        yield swarm
    finally:
        swarm.stop()


def steady(args, server, listeners, speed=1, swarm_options=(), secure=False):
    """A crowd that came in gently, over a window: what it cost and what it got."""
    with on_air(args, server, "--speed", speed):
        rss_before = resident(server.pid)
        url, ports = server.listen_url(secure)
        with crowd(args, f"{url}/live", listeners, "--rate", args.join_rate, "--ports", ports,
                   *swarm_options) as swarm:
            joined = swarm.wait("joined", args.join_seconds + 30)
            time.sleep(args.settle)
            begin = swarm.last("progress")
            with Window(server.pid) as window:
                time.sleep(args.seconds)
            end = swarm.last("progress")
        report = swarm.wait("report", 60)
    there = (begin["served"] - begin["ended"] + end["served"] - end["ended"]) / 2
    rate = (end["bytes"] - begin["bytes"]) / (end["t"] - begin["t"])
    audio_s = rate * window.seconds / (args.bitrate * 125)
    share = rate / (there * args.bitrate * 125 * speed) if there else 0
    return {
        "subject": server.label, "wanted": listeners, "listeners": there,
        "joined_s": joined["took_s"],
        **window.fields(),
        "listeners_per_core": round(audio_s / window.cpu) if window.cpu else None,
        "cpu_us_per_listener_s": round(window.cpu * 1e6 / audio_s, 2) if audio_s else None,
        "mbit_s": round(rate * 8 / 1e6, 1), "share": round(share, 3),
        "starved": share < FED or window.idle < IDLE,
        "rss_before": rss_before, "rss": window.rss,
        "bytes_per_listener": round((window.rss - rss_before) / there) if there else None,
        "disconnected": report["disconnected"], "unserved": listeners - report["served"],
        "gap_max_ms": report["gap_max_ms"], "swarm_cpu_s": report["cpu_s"],
        **{k: report[k] for k in ("latency_ms", "last_listener_ms") if k in report},
    }


def pacer(args, turn_ms):
    """The same crowd on nothing but sends."""
    with contextlib.ExitStack() as stack:
        paced = Client(args, "ringmain-pacer", "--url", f"http://127.0.0.1:{args.port}/",
                       "--listeners", args.listeners, "--turn", turn_ms, "--bitrate", args.bitrate,
                       "--seconds", args.seconds, "--accept-seconds", args.join_seconds)
        stack.callback(paced.stop)
        paced.wait("listening", 10)
        stack.enter_context(crowd(args, f"http://127.0.0.1:{args.port}/", args.listeners,
                                  "--rate", args.join_rate))
        paced.wait("running", args.join_seconds + 10)
        with Window(paced.process.pid) as window:
            time.sleep(max(args.seconds - 0.5, 0.1))
        done = paced.wait("done", args.seconds + 60)
    starved = done["share"] < FED or window.idle < IDLE or done["late_max_ms"] > turn_ms
    return {"subject": f"pacer {turn_ms}ms", **done, "starved": starved, **window.of_machine()}


def starved(runs):
    return f"{sum(r['starved'] for r in runs)} of {len(runs)}"


def subjects(args):
    """(name, class): the second of two alike gets another name."""
    a, b = args.subjects
    return [(a, SUBJECTS[a]), (b if b != a else f"{b} again", SUBJECTS[b])]


def variants(args, cls, turns):
    return [[f"{args.turn_setting}={t}ms"] for t in turns] if cls is Ringmain else [[]]


# -- the benchmarks --------------------------------------------------------------------------------

def bench_capacity(args):
    def one(cls, settings):
        with cls(args, settings) as server:
            return emit("capacity", **steady(args, server, args.listeners))

    jobs = []
    for name, cls in subjects(args):
        for settings in variants(args, cls, args.turns):
            jobs.append((" ".join([name, *settings]),
                         lambda cls=cls, settings=settings: one(cls, settings)))
    for turn in args.turns:
        jobs.append((f"pacer {turn}ms", lambda turn=turn: emit("capacity", **pacer(args, turn))))
    results = rounds(args, jobs)
    per_core = {name: median(r["listeners_per_core"] for r in runs)
                for name, runs in results.items()}
    peer = per_core.get(subjects(args)[1][0])
    rows = []
    for name, runs in results.items():
        turn = name.rsplit("=", 1)[-1] if "=" in name else None
        limit = per_core.get(f"pacer {turn}")
        rows.append([name, shown(per_core[name]),
                     shown(median(r["cpu_us_per_listener_s"] for r in runs), 1),
                     shown(ratio(per_core[name], peer), 2), shown(ratio(per_core[name], limit), 2),
                     starved(runs), shown(median(r["machine_idle"] for r in runs) * 100),
                     shown(median(r["machine_softirq_s"] for r in runs), 1),
                     shown(max(r["gap_max_ms"]["max"] for r in runs) if "gap_max_ms" in runs[0]
                           else None)])
        emit("capacity-median", subject=name, listeners_per_core=per_core[name],
             over_peer=ratio(per_core[name], peer), over_pacer=ratio(per_core[name], limit))
    table(f"capacity: {args.listeners} listeners at {args.bitrate} kbit/s, {args.seconds} s, "
          f"{args.rounds} rounds",
          ["subject", "listeners/core", "us/listener/s", "/ peer", "/ pacer", "starved",
           "idle %", "softirq s", "max gap ms"], rows)


def bench_tls(args):
    """What TLS costs, and what it costs the peer. Bytes are those on the wire: records add 1 or 2 %."""
    def one(name, cls, secure, options):
        with cls(args) as server:
            return emit("tls", **{**steady(args, server, args.listeners, secure=secure,
                                           swarm_options=options), "subject": name})

    (name, cls), (peer, other) = subjects(args)
    jobs = [(f"{name} plain", cls, False, ()), (f"{name} TLS 1.3", cls, True, ()),
            (f"{name} TLS 1.2", cls, True, ("--tls-1.2",)), (f"{peer} TLS", other, True, ())]
    results = rounds(args, [(job[0], lambda job=job: one(*job)) for job in jobs])
    per_core = {n: median(r["listeners_per_core"] for r in runs) for n, runs in results.items()}
    rows = []
    for n, runs in results.items():
        rows.append([n, shown(per_core[n]), shown(median(r["cpu_us_per_listener_s"] for r in runs), 1),
                     shown(ratio(per_core[n], per_core[f"{name} plain"]), 2),
                     shown(ratio(per_core[n], per_core[f"{peer} TLS"]), 2), starved(runs),
                     shown(median(r["bytes_per_listener"] for r in runs))])
        emit("tls-median", subject=n, listeners_per_core=per_core[n],
             over_plain=ratio(per_core[n], per_core[f"{name} plain"]),
             over_peer=ratio(per_core[n], per_core[f"{peer} TLS"]))
    table(f"TLS: {args.listeners} listeners at {args.bitrate} kbit/s, {args.seconds} s, {args.rounds} rounds",
          ["subject", "listeners/core", "us/listener/s", "/ plain", "/ peer", "starved", "bytes each"], rows)


def bench_storm(args):
    def one(cls):
        with cls(args) as server, on_air(args, server):
            with crowd(args, f"{server.url}/live", args.listeners, "--rate", args.storm_rate,
                       "--join-seconds", args.storm_seconds) as swarm:
                with Window(server.pid) as window:
                    joined = swarm.wait("joined", args.storm_seconds + 30)
                    time.sleep(args.seconds)
            report = swarm.wait("report", 60)
            return emit("storm", subject=server.label, wanted=args.listeners,
                        served=report["served"], served_in_time=joined["served"],
                        share=round(report["served"] / args.listeners, 4),
                        took_s=joined["took_s"], disconnected=report["disconnected"],
                        refused=report["refused"], failed=report["failed"],
                        unanswered=report["unanswered"], first_byte_ms=report["first_byte_ms"],
                        gap_max_ms=report["gap_max_ms"], **window.fields())

    results = rounds(args, [(name, lambda cls=cls: one(cls)) for name, cls in subjects(args)])
    table(f"storm: {args.listeners} listeners at {args.storm_rate}/s, {args.rounds} rounds",
          ["subject", "served %", "first byte p50 ms", "p99 ms", "gap p50 ms", "p99 ms", "max ms",
           "dropped", "idle %"],
          [[name, shown(median(r["share"] for r in runs) * 100, 1)]
           + [shown(median(r["first_byte_ms"][k] for r in runs)) for k in ("p50", "p99")]
           + [shown(median(r["gap_max_ms"][k] for r in runs)) for k in ("p50", "p99", "max")]
           + [shown(median(r["disconnected"] for r in runs)),
              shown(median(r["machine_idle"] for r in runs) * 100)]
           for name, runs in results.items()])


def bench_memory(args):
    def one(cls):
        with cls(args) as server:
            time.sleep(2)
            idle = resident(server.pid)
            result = steady(args, server, args.memory_listeners)
            return emit("memory", idle_rss=idle, **result)

    results = rounds(args, [(name, lambda cls=cls: one(cls)) for name, cls in subjects(args)])
    table(f"memory: {args.memory_listeners} listeners, {args.rounds} rounds",
          ["subject", "listeners", "idle KiB", "with source KiB", "loaded KiB", "bytes/listener"],
          [[name, *(shown(median(r[k] for r in runs) / unit) for k, unit in
                    (("listeners", 1), ("idle_rss", 1024), ("rss_before", 1024), ("rss", 1024),
                     ("bytes_per_listener", 1)))] for name, runs in results.items()])


def bench_curve(args):
    def one(cls, size):
        with cls(args) as server:
            return emit("curve", **steady(args, server, size))

    results = rounds(args, [((name, size), lambda cls=cls, size=size: one(cls, size))
                            for name, cls in subjects(args) for size in args.sizes])
    table(f"curve: {args.rounds} rounds",
          ["subject", "wanted", "there", "CPU %", "listeners/core", "RSS KiB", "gap p50 ms",
           "p99 ms", "max ms", "starved", "idle %"],
          [[name, size, shown(median(r["listeners"] for r in runs)),
            shown(median(r["cpu_percent"] for r in runs), 1),
            shown(median(r["listeners_per_core"] for r in runs)),
            shown(median(r["rss"] for r in runs) / 1024)]
           + [shown(median(r["gap_max_ms"][k] for r in runs)) for k in ("p50", "p99", "max")]
           + [starved(runs), shown(median(r["machine_idle"] for r in runs) * 100)]
           for (name, size), runs in results.items()])


def bench_workers(args):
    """More than a core can send: the encoder runs faster than time."""
    speed = args.overload

    def one(cls, settings):
        with cls(args, settings) as server:
            result = steady(args, server, args.listeners, speed)
            wanted = args.listeners * args.bitrate * speed / 1000
            return emit("workers", speed=speed, wanted_mbit_s=wanted,
                        share_of_all=round(result["mbit_s"] / wanted, 3), **result)

    jobs = []
    for name, cls in subjects(args):
        for settings in [["workers=1"], ["workers=2"]] if cls is Ringmain else [[]]:
            jobs.append((" ".join([name, *settings]),
                         lambda cls=cls, settings=settings: one(cls, settings)))
    results = rounds(args, jobs)
    table(f"workers: {args.listeners} listeners of {args.bitrate * speed:g} kbit/s, "
          f"{args.rounds} rounds",
          ["subject", "Mbit/s", "share", "CPU %", "still there", "gap p99 ms", "idle %"],
          [[name, shown(median(r["mbit_s"] for r in runs)),
            shown(median(r["share_of_all"] for r in runs), 3),
            shown(median(r["cpu_percent"] for r in runs)),
            shown(median(r["listeners"] for r in runs)),
            shown(median(r["gap_max_ms"]["p99"] for r in runs)),
            shown(median(r["machine_idle"] for r in runs) * 100)]
           for name, runs in results.items()])


def bench_latency(args):
    def one(cls, settings):
        with cls(args, settings) as server:
            return emit("latency", **steady(args, server, args.latency_listeners,
                                            swarm_options=("--check",)))

    results = rounds(args, [(name, lambda cls=cls: one(cls, args.low_latency
                                                       if cls is Ringmain else []))
                            for name, cls in subjects(args)])
    table(f"latency: encoder's write to {args.latency_listeners} listeners, {args.rounds} rounds",
          ["subject", "any p50 ms", "p99", "max", "last of all p50 ms", "p99", "max", "CPU %"],
          [[name] + [shown(median(r[what][k] for r in runs), 1)
                     for what in ("latency_ms", "last_listener_ms") for k in ("p50", "p99", "max")]
           + [shown(median(r["cpu_percent"] for r in runs), 1)]
           for name, runs in results.items()])


# -- a change of servers --------------------------------------------------------------------------

def change(args, server, how):
    """One upgrade or one kill -9. Returns when the next server serves."""
    before = serving(server.pid)
    if how == "upgrade":
        subprocess.run([str(args.build / "clients" / "ringmainctl"), "--data",
                        str(server.folder / "data"), "upgrade"], check=True,
                       stdout=subprocess.DEVNULL, timeout=30)
    else:
        os.kill(before, signal.SIGKILL)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(LookupError, OSError):
            if serving(server.pid) != before:
                urllib.request.urlopen(f"{server.url}/status-json.xsl", timeout=5).read()
                return
        time.sleep(0.01)
    raise RuntimeError("no other server serves")


def changed(args, how):
    """The longest wait of each listener, with so many changes and with none."""
    joining = args.change_listeners / args.join_rate + args.settle
    with Ringmain(args) as server, on_air(args, server):
        with crowd(args, f"{server.url}/live", args.change_listeners, "--rate", args.join_rate,
                   "--settle", joining) as swarm:
            swarm.wait("joined", args.join_seconds + 30)
            time.sleep(joining)
            for _ in range(args.changes):
                if how != "none":
                    change(args, server, how)
                time.sleep(1.5)
        report = swarm.wait("report", 60)
    return {"how": how, "changes": args.changes, "listeners": report["served"],
            "disconnected": report["disconnected"], "gap_ms_p50": report["gap_max_ms"]["p50"],
            "gap_ms_p99": report["gap_max_ms"]["p99"], "gap_ms_max": report["gap_max_ms"]["max"]}


def bench_upgrade(args):
    rows, quiet = [], None
    for how in ("none", "upgrade", "kill"):
        runs = []
        for _ in range(args.rounds):
            runs.append(changed(args, how))
            time.sleep(args.pause)
        result = {key: median([r[key] for r in runs]) if key.startswith("gap") else runs[0][key]
                  for key in runs[0]}
        quiet = quiet or result
        result["pause_ms"] = round(result["gap_ms_max"] - quiet["gap_ms_max"], 1)
        result["disconnected"] = sum(r["disconnected"] for r in runs)
        emit("upgrade", **result)
        rows.append([how, result["listeners"], result["disconnected"], shown(result["gap_ms_p50"]),
                     shown(result["gap_ms_max"]), shown(result["pause_ms"])])
    table("Longest wait of a listener, while servers change",
          ["change", "listeners", "cut", "median ms", "worst ms", "more than without"], rows)


BENCHES = {"capacity": bench_capacity, "tls": bench_tls, "storm": bench_storm, "memory": bench_memory,
           "curve": bench_curve, "workers": bench_workers, "latency": bench_latency,
           "upgrade": bench_upgrade}


def numbers(text):
    return [int(word) for word in text.split(",")]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("benches", nargs="*", metavar="BENCH", help=" ".join(BENCHES))
    add("--build", type=pathlib.Path, default=ROOT / "build")
    add("--ringmain", type=pathlib.Path, help="the server (BUILD/ringmain)")
    add("--set", action="append", default=[], metavar="K=V", help="more settings of ringmain")
    add("--subjects", type=lambda t: t.split(","), default=["ringmain", "icecast"])
    add("--port", type=int, default=18800)
    add("--bitrate", type=int, default=128)
    add("--listeners", type=int, default=6000)
    add("--seconds", type=float, default=15, help="length of the window")
    add("--rounds", type=int, default=3)
    add("--turns", type=numbers, default=[50, 100, 250, 500], help="ms")
    add("--turn-setting", default="radio.turn")
    add("--low-latency", action="append", metavar="K=V",
        help="settings of ringmain for latency (radio.turn=10ms)")
    add("--burst", type=int, default=65536, help="icecast's burst-size, as ringmain's")
    add("--lead", type=float, default=5, help="seconds of audio before the listeners come")
    add("--settle", type=float, default=4, help="seconds between the last join and the window")
    add("--pause", type=float, default=1, help="seconds between runs")
    add("--join-rate", type=float, default=400, help="listeners a second where joins do not count")
    add("--join-seconds", type=float, default=90)
    add("--storm-rate", type=float, default=2000)
    add("--storm-seconds", type=float, default=40)
    add("--memory-listeners", type=int, default=10000)
    add("--latency-listeners", type=int, default=1000)
    add("--change-listeners", type=int, default=5000)
    add("--changes", type=int, default=5, help="upgrades or kills in one run")
    add("--sizes", type=numbers, default=[1000, 5000, 10000, 18000])
    add("--overload", type=float, default=4, help="speed of the encoder for workers")
    args = parser.parse_args()
    args.low_latency = args.low_latency or ["radio.turn=10ms"]
    for name in args.benches:
        if name not in BENCHES:
            parser.error(f"no benchmark {name}: {' '.join(BENCHES)}")
    if len(args.subjects) != 2 or any(s not in SUBJECTS for s in args.subjects):
        parser.error(f"--subjects takes two of {' '.join(SUBJECTS)}")
    return args


def main():
    args = arguments()
    for name in args.benches or BENCHES:
        BENCHES[name](args)


if __name__ == "__main__":
    main()
