"""What the benchmarks of all families share: servers and load programs that are started, looked at and
stopped, what they and the machine did in a window, and how figures are shown.

Processor time is the scheduler's own account of every thread of a process and of those that it started,
softirqs included, to the nanosecond.
"""
import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
FED, IDLE = 0.97, 0.03  # a window with less was starved


# -- what the machine and a process tree did ------------------------------------------------------

def process_stats():
    """pid -> (parent, resident bytes) of every process."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            text = pathlib.Path("/proc", entry, "stat").read_text()
        except OSError:
            continue
        field = text[text.rindex(")") + 2:].split()
        found[int(entry)] = (int(field[1]), int(field[21]) * PAGE)
    return found


def tree(root, stats=None):
    """A process and its descendants."""
    stats = stats or process_stats()
    found = [root]
    for pid in found:
        found += [child for child, (parent, _) in stats.items() if parent == pid]
    return found


def serving(keeper):
    """The server of a keeper's newest holder. LookupError: there is none now."""
    stats = process_stats()
    holders = sorted(pid for pid, (parent, _) in stats.items() if parent == keeper)
    for holder in reversed(holders):
        for pid, (parent, _) in stats.items():
            if parent == holder:
                return pid
    raise LookupError(f"{keeper} keeps no server")


def resident(root):
    """Bytes of a process and its descendants."""
    stats = process_stats()
    return sum(stats[pid][1] for pid in tree(root, stats) if pid in stats)


def thread_times(root):
    """thread -> processor seconds, of a process and its descendants."""
    found = {}
    for pid in tree(root):
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                path = pathlib.Path(f"/proc/{pid}/task/{task}/schedstat")
                found[int(task)] = int(path.read_text().split()[0]) / 1e9
    return found


def cpu_seconds(root):
    return sum(thread_times(root).values())


def machine_use():
    """Seconds of all cores since boot: (all, idle, softirq, stolen)."""
    with open("/proc/stat") as stat:
        v = [int(x) / TICK for x in stat.readline().split()[1:9]]
    return sum(v), v[3] + v[4], v[6], v[7]


class Window:
    """What a server took, and what the machine had left, between enter and exit."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        self.machine, self.cpu, self.start = machine_use(), cpu_seconds(self.pid), time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.start
        self.cpu = cpu_seconds(self.pid) - self.cpu
        self.rss = resident(self.pid)
        total, idle, self.softirq, stolen = (b - a for a, b in zip(self.machine, machine_use()))
        self.idle, self.stolen = idle / total if total else 0, stolen / total if total else 0

    def of_machine(self):
        return {"machine_idle": round(self.idle, 3), "machine_stolen": round(self.stolen, 3),
                "machine_softirq_s": round(self.softirq, 2)}

    def fields(self):
        return {"window_s": round(self.seconds, 2), "cpu_s": round(self.cpu, 4),
                "cpu_percent": round(100 * self.cpu / self.seconds, 2), **self.of_machine()}


# -- processes -------------------------------------------------------------------------------------

def all_descriptors():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def stop(process, signum=signal.SIGTERM):
    """Asks first. One that ended before is left alone."""
    if process.poll() is None:
        process.send_signal(signum)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Client:
    """One of clients/: its JSON lines are collected as they come."""

    def __init__(self, args, name, *options, **popen):
        self.name = name
        self.lines = []
        self.seen = threading.Condition()
        self.process = subprocess.Popen([str(args.build / "clients" / name), *map(str, options)],
                                        stdout=subprocess.PIPE, text=True, **popen)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.seen:
                self.lines.append(json.loads(line))
                self.seen.notify_all()
        with self.seen:
            self.lines.append({"event": "eof"})
            self.seen.notify_all()

    def last(self, event):
        with self.seen:
            return next((x for x in reversed(self.lines) if x["event"] == event), None)

    def wait(self, event, timeout):
        """The line of this event; an error when the program ends or the time passes without."""
        until = time.monotonic() + timeout
        with self.seen:
            while True:
                for line in self.lines:
                    if line["event"] == event:
                        return line
                if self.lines and self.lines[-1]["event"] == "eof":
                    raise RuntimeError(f"{self.name} ended without saying {event}: {self.lines}")
                left = until - time.monotonic()
                if left <= 0:
                    raise RuntimeError(f"{self.name} did not say {event} in {timeout} s")
                self.seen.wait(left)

    def stop(self):
        stop(self.process)
        self.reader.join(5)


class Server:
    """A server with a directory and a log of its own."""

    def __init__(self, args, label):
        self.args, self.label = args, label
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-"))
        self.folder.chmod(0o755)
        self.log = open(self.folder / "server.log", "wb")

    def said(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")

    def start(self, command, is_ready, **popen):
        """Returns when is_ready() is true; an OSError of its is a no."""
        self.process = subprocess.Popen([str(word) for word in command], stdout=self.log,
                                        stderr=subprocess.STDOUT, preexec_fn=all_descriptors, **popen)
        until = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                if is_ready():
                    return
            if self.process.poll() is not None or time.monotonic() > until:
                tail = self.said()[-2000:]
                self.__exit__()
                raise RuntimeError(f"{self.label} does not serve\n{tail}")
            time.sleep(0.05)

    def start_ringmain(self, settings, is_ready):
        """With these settings, and over them those of the command line."""
        program = getattr(self.args, "ringmain", None) or self.args.build / "ringmain"
        if not os.access(program, os.X_OK):
            self.log.close()
            shutil.rmtree(self.folder)
            sys.exit(f"{program} is not there: build it, or name another with --build")
        data = self.folder / "data"
        data.mkdir()
        command = [program, "--data", data]
        for setting in settings:
            command += ["--set", setting]
        self.start(command, is_ready)

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.process)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


# When a server is ready:

def answers(url):
    def is_ready():
        urllib.request.urlopen(url, timeout=2).read()
        return True
    return is_ready


def accepts(*ports):
    def is_ready():
        for port in ports:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return is_ready


def says(server, pattern):
    return lambda: re.search(pattern, server.said())


# -- rounds, and what is shown ---------------------------------------------------------------------

def rounds(args, jobs):
    """Runs every job in each round, every other round backwards: name -> results."""
    results = {name: [] for name, _ in jobs}
    for number in range(args.rounds):
        for name, job in jobs if number % 2 == 0 else jobs[::-1]:
            results[name].append({"round": number, **job()})
            time.sleep(args.pause)
    return results


def emit(bench, **fields):
    print(json.dumps({"bench": bench, **fields}), flush=True)
    return fields


def table(title, head, rows):
    cells = [[str(c) for c in row] for row in [head, *rows]]
    width = [max(len(row[i]) for row in cells) for i in range(len(head))]
    print(f"\n{title}", file=sys.stderr)
    for row in cells:
        print("  " + "  ".join(c.ljust(w) if i == 0 else c.rjust(w)
                               for i, (c, w) in enumerate(zip(row, width))), file=sys.stderr)


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def ratio(a, b):
    return round(a / b, 2) if a and b else None


def shown(value, digits=0):
    return "-" if value is None else f"{value:,.{digits}f}"
