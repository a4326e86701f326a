#!/usr/bin/env python3
"""events: what the event streams cost, with many mounts and listeners on the air.

    bench/events.py [--mounts 100] [--listeners 10000] [--readers 1] [--seconds 20] [--build build]

The same server under the same load is measured without readers and with them, alternately; the
difference is the streams'. Prints one JSON line: hundredths of a core without and with them, of the
control thread, which makes what is sent, and of all threads, where the listeners' own share moves by
more than that; and how many bytes a second a reader gets. Needs ringmain-encoder and ringmain-swarm.
"""
import argparse
import base64
import contextlib
import json
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from common import ROOT, all_descriptors, serving, thread_times

PASSWORD = "bench"


def processor_seconds(pid):
    """Of the control thread, which makes what is sent, and of all threads."""
    times = thread_times(pid)
    return times[serving(pid)], sum(times.values())


def ask(port, path):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={
        "Authorization": "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()})
    return json.load(urllib.request.urlopen(request, timeout=10))


class Reader(threading.Thread):
    """Takes all that comes, and counts it."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.bytes = 0
        self.socket = socket.create_connection(("127.0.0.1", port))
        auth = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
        self.socket.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n"
                            f"Authorization: Basic {auth}\r\n\r\n".encode())
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while piece := self.socket.recv(1 << 20):
                self.bytes += len(piece)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mounts", type=int, default=100)
    parser.add_argument("--listeners", type=int, default=10000)
    parser.add_argument("--readers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=25700)
    parser.add_argument("--build", default=ROOT / "build", type=pathlib.Path)
    args = parser.parse_args()
    all_descriptors()
    url = f"http://source:{PASSWORD}@127.0.0.1:{args.port}"
    total = 60 + args.rounds * 2 * (args.seconds + 3) + args.listeners / 1000
    with tempfile.TemporaryDirectory() as data, contextlib.ExitStack() as stack:
        def start(*words):
            process = subprocess.Popen(["setpriv", "--pdeathsig=KILL", *map(str, words)],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.send_signal, signal.SIGKILL)
            return process

        server = start(args.build / "ringmain", "--data", data, "--set",
                       f"http.listen=127.0.0.1:{args.port}", "--set", f"admin.password={PASSWORD}",
                       "--set", f"radio.source_password={PASSWORD}", "--set", "radio.shoutcast_port=no")
        time.sleep(2)
        start(args.build / "clients" / "ringmain-encoder", "--url", f"{url}/m0", "--mounts",
              args.mounts, "--bitrate", 32, "--seconds", int(total))
        end = time.monotonic() + 30
        while ask(args.port, "/api/v1/server")["sources"] < args.mounts:
            if time.monotonic() > end:
                sys.exit("the mounts did not come on the air")
            time.sleep(0.2)
        names = [m["mount"] for m in ask(args.port, "/api/v1/mounts")["mounts"]]
        start(args.build / "clients" / "ringmain-swarm", "--url",
              f"http://127.0.0.1:{args.port}/m0", "--mounts", args.mounts, "--listeners",
              args.listeners, "--seconds", int(total))
        end = time.monotonic() + 60
        while ask(args.port, "/api/v1/server")["listeners"] < args.listeners * 0.98:
            if time.monotonic() > end:
                break
            time.sleep(0.5)
        facts = ask(args.port, "/api/v1/server")

        def measure():
            before, began = processor_seconds(server.pid), time.monotonic()
            time.sleep(args.seconds)
            after, took = processor_seconds(server.pid), time.monotonic() - began
            return tuple(100 * (b - a) / took for a, b in zip(before, after))

        without, with_them, rates = [], [], []
        for _ in range(args.rounds):
            time.sleep(1)
            without.append(measure())
            readers = [Reader(args.port) for _ in range(args.readers)]
            time.sleep(1)
            got = sum(r.bytes for r in readers)
            with_them.append(measure())
            rates.append((sum(r.bytes for r in readers) - got) / args.seconds / args.readers)
            for reader in readers:
                reader.close()
    def median(part, of):
        return round(statistics.median(one[part] for one in of), 2)

    print(json.dumps({
        "bench": "events", "mounts": len(names), "listeners": facts["listeners"],
        "readers": args.readers,
        "control_core_percent_without": median(0, without),
        "control_core_percent_with": median(0, with_them),
        "control_cost_core_percent": round(median(0, with_them) - median(0, without), 2),
        "all_core_percent_without": median(1, without),
        "all_core_percent_with": median(1, with_them),
        "bytes_per_second_each_reader": round(statistics.median(rates))}))


if __name__ == "__main__":
    main()
