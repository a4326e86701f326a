#!/usr/bin/python3
"""Voice: ringmain against Debian's mumble-server and against a bare loop of sendmmsg() with the same
encryption, in one run.

    bench/voice.py [fanout] [tunnel] [workers] [slices] [junk] [rebind]                       (default: all)

Each prints JSON lines on stdout and a table on stderr. Server and ringmain-voiceswarm share the
machine, so what is measured is the processor time that the server's threads took, by the scheduler's
own account: nanoseconds for each datagram that a hearer got. Every line has the share of what was
said that was heard, and the machine's idle and stolen share: below 0.97 the machine was too busy, and
the line says starved. Other work on the machine makes each datagram dearer for all subjects alike
(cold caches); order alternates from round to round and figures are medians.
"""
import argparse
import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import sys
import time
import types
import urllib.request

from common import (FED, ROOT, Client, Server, Window, emit, machine_use, median, says, shown, table, thread_times)

PERIOD_NS = 4000000
SUPERUSER = "bench-superuser"


class Ringmain(Server):
    def __init__(self, args, *settings):
        super().__init__(args, " ".join(["ringmain", *settings]))
        self.start_ringmain((f"http.listen=127.0.0.1:{args.port + 1}", f"voice.listen=127.0.0.1:{args.port}",
                             f"voice.superuser_password={SUPERUSER}", "voice.users=2000",
                             "admin.password=bench", "workers=1", *args.set, *settings),
                            says(self, r" info core ready port=\d+"))

    def metrics(self):
        said = urllib.request.urlopen(f"http://127.0.0.1:{self.args.port + 1}/metrics", timeout=30).read().decode()
        return {name: float(value) for name, value in
                re.findall(r"^ringmain_voice_(\w+?)(?:_total)? ([0-9.e+]+)$", said, re.M)}


class Murmur(Server):
    def __init__(self, args, *settings):
        del settings
        super().__init__(args, "mumble-server")
        if os.geteuid() == 0:  # it gives up root by itself
            entry = pwd.getpwnam("mumble-server")
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        lines = {"database": f"{self.folder}/db.sqlite", "port": args.port, "host": "127.0.0.1",
                 "logfile": "", "pidfile": f"{self.folder}/pid", "bandwidth": 558000, "users": 2000,
                 "autobanAttempts": 0}
        ini = pathlib.Path(self.folder, "murmur.ini")
        ini.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        self.start([shutil.which("murmurd") or "/usr/sbin/murmurd", "-ini", ini, "-fg"],
                   says(self, "Not registering server"))


SUBJECTS = {"ringmain": Ringmain, "mumble-server": Murmur}


def swarm(args, server, mode, *options):
    return Client(args, "voice/ringmain-voiceswarm", mode, "--processes", 2, "--tick", 4, "--seconds",
                  3600, "--size", args.size, "--vary", 0, *options, f"127.0.0.1:{args.port}")


def steady(args, server, *options, clients=None, talkers=None, mode="talk"):
    """A crowd that talks, over a window: what a datagram cost and how many came."""
    clients, talkers = clients or args.clients, args.talkers if talkers is None else talkers
    crowd = swarm(args, server, mode, "--clients", clients, "--talkers", talkers, *options)
    try:
        crowd.wait("talking", 180)
        time.sleep(args.settle)
        begin = crowd.last("progress")
        with Window(server.pid) as window:
            time.sleep(args.seconds)
        end = crowd.last("progress")
    finally:
        crowd.stop()
    report = crowd.last("report") or {}
    heard = (end["heard"] - begin["heard"]) / (end["t"] - begin["t"]) * window.seconds
    expected = talkers * 50 * (clients - 1) * window.seconds
    return {"subject": server.label, "clients": clients, "talkers": talkers, **window.fields(),
            "heard_per_s": round(heard / window.seconds), "share": round(heard / expected, 4) if expected else None,
            "ns": round(window.cpu * 1e9 / heard, 1) if heard else None,
            "starved": bool(expected) and heard < FED * expected,
            "latency_ms": report.get("latency_ms", {}).get("p50"),
            "good": report.get("good"), "lost": report.get("lost"), "own_drops": report.get("own_drops"),
            "junk_sent": report.get("junk")}


def bare(args, *options):
    hearers, rate = args.clients - 1, args.talkers * 50
    before = machine_use()
    done = subprocess.run([str(args.build / "bench" / "bench_voice"), "--hearers", str(hearers), "--rate",
                           str(rate), "--len", str(args.size + 10), "--seconds", str(args.seconds), *options],
                          capture_output=True, text=True, timeout=args.seconds + 60, check=True)
    report = json.loads(done.stdout)
    total, idle, _, stolen = (b - a for a, b in zip(before, machine_use()))
    share = report["heard"] / report["sent"]
    return {"subject": " ".join(["bare sendmmsg", *options]), "cpu_s": report["cpu_s"],
            "window_s": report["seconds"], "share": round(share, 4), "starved": share < FED,
            "ns": round(report["cpu_s"] * 1e9 / report["heard"], 1),
            "heard_per_s": round(report["heard"] / report["seconds"]),
            "machine_idle": round(idle / total, 3), "machine_stolen": round(stolen / total, 3)}


def in_turn(args, bench, subjects):
    """Each subject once a round, order turned each time; name -> runs."""
    runs = {name: [] for name in subjects}
    for i in range(args.rounds):
        for name in list(subjects)[::-1 if i % 2 else 1]:
            runs[name].append(emit(bench, round=i, name=name, **subjects[name]()))
            time.sleep(args.pause)
    return runs


def medians(runs, *keys):
    return types.SimpleNamespace(**{key: median([r.get(key) for r in runs]) for key in keys})


def compare(args, bench, title, subjects, goal_of=None):
    runs = in_turn(args, bench, subjects)
    mine = medians(runs["ringmain"], "ns").ns
    rows, ratios = [], {}
    for name, all_runs in runs.items():
        m = medians(all_runs, "ns", "heard_per_s", "share", "cpu_s", "window_s", "latency_ms")
        # Of the same round: what else the machine did was nearly the same.
        ratios[name] = median([a["ns"] / b["ns"] for a, b in zip(runs["ringmain"], all_runs)
                               if a["ns"] and b["ns"]])
        rows.append([name, shown(m.ns), shown(m.heard_per_s), shown(m.share, 3),
                     shown(m.latency_ms, 1), shown(ratios[name], 3),
                     f"{sum(r['starved'] for r in all_runs)} of {len(all_runs)}"])
    emit(f"{bench}_result", ns=mine, **{f"ringmain_to_{n.replace(' ', '_')}": round(r, 3)
                                        for n, r in ratios.items() if r})
    table(title, ["subject", "ns a datagram", "heard/s", "share", "latency p50 ms", "ringmain / it",
                  "starved"], rows)


def one(args, kind, *settings, **options):
    def run():
        with kind(args, *settings) as server:
            return steady(args, server, *options.get("swarm", ()))
    return run


def bench_fanout(args):
    compare(args, "fanout", f"Processor time of the server for a datagram heard: {args.clients} clients, "
            f"{args.talkers} talking, UDP", {
                "ringmain": one(args, Ringmain), "mumble-server": one(args, Murmur),
                "bare": lambda: bare(args)})


def bench_tunnel(args):
    both = {"swarm": ("--tunnel", args.clients)}
    compare(args, "tunnel", "The same, all through the tunnel in TLS", {
        "ringmain": one(args, Ringmain, **both), "mumble-server": one(args, Murmur, **both)})


def busiest(root, count):
    """The count busiest threads of a process, the busiest last."""
    before, used = thread_times(root), {}
    time.sleep(1)
    for tid, seconds in thread_times(root).items():
        used[tid] = seconds - before.get(tid, 0)
    return sorted(used, key=used.get)[-count:]


def hold_to(threads, percent):
    """Each gets so much of a core and no more (SCHED_DEADLINE)."""
    for tid in threads if percent else ():
        subprocess.run(["chrt", "--deadline", "--reset-on-fork", "--sched-period", str(PERIOD_NS), "--sched-deadline",
                        str(PERIOD_NS), "--sched-runtime", str(PERIOD_NS * percent // 100), "--pid", "0", str(tid)],
                       check=True)


def of_each_worker(args, share, workers, rooms, clients, talkers, options, *settings):
    """A crowd that talks, and what each worker took. share: per cent of a core that each has; 0: any."""
    with Ringmain(args, f"workers={workers}", *settings) as server:
        crowd = swarm(args, server, "talk", "--clients", clients, "--rooms", rooms, "--talkers", talkers, *options)
        try:
            crowd.wait("talking", 180)
            held = busiest(server.process.pid, workers)
            hold_to(held, share)
            time.sleep(args.settle)
            begin, before = crowd.last("progress"), server.metrics()
            times = thread_times(server.process.pid)
            with Window(server.pid) as window:
                time.sleep(args.seconds)
            end, after = crowd.last("progress"), server.metrics()
            times = {tid: t - times.get(tid, 0) for tid, t in thread_times(server.process.pid).items()}
        finally:
            crowd.stop()
    heard = (end["heard"] - begin["heard"]) / (end["t"] - begin["t"])
    said = rooms * talkers * 50 * (clients // rooms - 1)
    out, trips = (after[name] - before[name] for name in ("packets_out", "trips"))
    return {"said_per_s": said, "heard_per_s": round(heard), "share": round(heard / said, 3),
            "a_trip": round(out / trips, 2) if trips else None, **window.fields(),
            "worker_percent": [round(100 * times[tid] / window.seconds, 1) for tid in held],
            "ns": round(window.cpu * 1e9 / (heard * window.seconds), 1) if heard else None}


def most_carried(args, what):
    """Two cores that the load generator needs too cannot show that two workers carry more than one. So
    each worker gets a small share of a core, and more and more people talk until not all is heard."""
    def carried(bench, name, steps, workers, rooms, clients, *more):
        """The most of which nearly all was heard; a second look at what was not."""
        best = None
        for talkers in steps:
            for _ in range(2):
                result = emit(bench, name=name, talkers=talkers, **of_each_worker(
                    args, args.worker_share, workers, rooms, clients, talkers, *more))
                if result["share"] >= FED:
                    break
            if result["share"] < FED:
                break
            best = result
        if not best:
            sys.exit(f"{name}: not even {steps[0]} who talk are carried")
        return best

    bench, title, steps, subjects = what
    base, rows = None, []
    for name, subject in subjects.items():
        most = carried(bench, name, steps, *subject)
        base = base or most
        rows.append([name, shown(most["said_per_s"]), shown(most["ns"]), shown(most["a_trip"], 2),
                     " ".join(map(str, most["worker_percent"])),
                     shown(most["said_per_s"] / base["said_per_s"], 2)])
    emit(f"{bench}_result", ratio=round(most["said_per_s"] / base["said_per_s"], 3))
    table(f"The most that workers carry which have {args.worker_share} % of a core each: {title}",
          ["", "heard/s", "ns a datagram", "datagrams a trip", "workers' % of a core", "ratio"], rows)


def bench_workers(args):
    most_carried(args, ("workers", "4 rooms", (6, 8, 10, 12, 15, 18, 22), {
        "one worker": (1, 4, args.clients, ("--superuser", SUPERUSER)),
        "two workers": (2, 4, args.clients, ("--superuser", SUPERUSER))}))


def bench_slices(args):
    """A large room, all of whose speakers are received by one worker."""
    def run(most):
        return lambda: of_each_worker(args, 0, 2, 1, 2 * args.clients, 6, ("--sources", 1), f"voice.slice={most}")
    runs = in_turn(args, "slices", {"one sends": run(65000), "both send": run(64)})
    rows = []
    for name, all_runs in runs.items():
        m = medians(all_runs, "ns", "heard_per_s", "share", "cpu_percent")
        busiest_percent = median([max(r["worker_percent"]) for r in all_runs])
        rows.append([name, shown(m.heard_per_s), shown(m.share, 3), shown(m.ns), shown(m.cpu_percent, 1),
                     shown(busiest_percent, 1)])
    table(f"One room of {2 * args.clients}, 6 of one address talk, two workers",
          ["", "heard/s", "share", "ns a datagram", "server's % of a core", "the busier worker's"], rows)


def bench_junk(args):
    def run(kind, rate, *more):
        def body():
            with kind(args) as server:
                return steady(args, server, "--junk", rate, "--list-pings", 0, "--forge", 0, *more,
                              clients=args.junk_clients, talkers=0, mode="junk")
        return body
    # Half of the junk comes from addresses that users have. The worst is that all have one.
    nat = ("--sources", 1)
    subjects = {"ringmain": (Ringmain,), "ringmain, all users of one address": (Ringmain, *nat),
                "mumble-server": (Murmur,), "mumble-server, all users of one address": (Murmur, *nat)}
    runs = in_turn(args, "junk", {name + suffix: run(kind, rate, *more)
                                  for name, (kind, *more) in subjects.items()
                                  for suffix, rate in ((" quiet", 0), ("", args.junk))})
    rows = []
    for name in subjects:
        quiet, loud = (median([r["cpu_percent"] for r in runs[n]]) for n in (f"{name} quiet", name))
        emit("junk_result", subject=name, quiet_percent=quiet, junk_percent=loud,
             cost_percent=round(loud - quiet, 2), us_each=round((loud - quiet) * 1e4 / args.junk, 3))
        rows.append([name, shown(quiet, 2), shown(loud, 2), shown(loud - quiet, 2),
                     shown((loud - quiet) * 1e4 / args.junk, 2)])
    table(f"{args.junk} junk datagrams a second, {args.junk_clients} silent users: % of a core",
          ["subject", "without", "with", "cost", "us each"], rows)


def bench_rebind(args):
    rows = []
    for name, kind in SUBJECTS.items():
        with kind(args):
            crowd = Client(args, "voice/ringmain-voiceswarm", "rebind", "--clients", 50, "--talkers", 5,
                           "--rebind", 0.1, "--sources", 5, "--tick", 1, "--seconds", args.seconds,
                           f"127.0.0.1:{args.port}")
            report = crowd.wait("report", args.seconds + 180)
            crowd.stop()
        heal = report["heal_ms"]
        emit("rebind", subject=name, rebinds=report["rebinds"], healed=report["healed"], heal_ms=heal,
             lost_in_rebinds=report["lost_in_rebinds"], lost=report["lost"])
        rows.append([name, report["rebinds"], report["healed"], shown(heal["p50"], 1), shown(heal["p99"], 1),
                     shown(heal["max"], 1)])
    table("Clients whose UDP port changes", ["subject", "changed", "healed", "p50 ms", "p99 ms", "max ms"],
          rows)


BENCHES = {"fanout": bench_fanout, "tunnel": bench_tunnel, "workers": bench_workers, "slices": bench_slices,
           "junk": bench_junk, "rebind": bench_rebind}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("benches", nargs="*", metavar="BENCH", help=" ".join(BENCHES))
    add("--build", type=pathlib.Path, default=ROOT / "build")
    add("--ringmain", type=pathlib.Path, help="the server (BUILD/ringmain)")
    add("--set", action="append", default=[], metavar="K=V", help="more settings of ringmain")
    add("--port", type=int, default=18900)
    add("--clients", type=int, default=200)
    add("--talkers", type=int, default=10)
    add("--size", type=int, default=150, help="bytes of Opus; a datagram has ten more")
    add("--seconds", type=float, default=10, help="length of the window")
    add("--rounds", type=int, default=3)
    add("--settle", type=float, default=2.5, help="seconds of talk before the window")
    add("--pause", type=float, default=0.5, help="seconds between runs")
    add("--junk", type=int, default=10000, help="datagrams a second")
    add("--junk-clients", type=int, default=500)
    add("--worker-share", type=int, default=10, help="%% of a core that each worker of workers has; needs root")
    args = parser.parse_args()
    for name in args.benches:
        if name not in BENCHES:
            parser.error(f"no benchmark {name}: {' '.join(BENCHES)}")
    for name in args.benches or BENCHES:
        BENCHES[name](args)


if __name__ == "__main__":
    main()
