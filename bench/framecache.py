#!/usr/bin/python3
"""The frame cache beside memcpy(), a bare futex broadcast, named pipes and GStreamer's shmsink, in one run.

    bench/framecache.py [publish|wake|cpu|stopped]... [--seconds N] [--program build/bench/bench_framecache]

Prints JSON lines: those of bench_framecache, then shmsink's with the same names. 1080p59.94 UYVY, frames of
4,147,200 bytes. shmsink's source fills its frame in the shared memory (no copy) and its readers look at no
pixel, so its lines stand beside those with "looks": false. A reader's cost is that of the frames between
two runs of different length; the writer's is what it took while the longer one was under way. Without
gst-launch-1.0 and shmsink (Debian: gstreamer1.0-tools, gstreamer1.0-plugins-bad) that part is left out, and
a line says so.
"""
import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from common import ROOT, cpu_seconds, emit

FRAME = 1920 * 1080 * 2
RATE = 60000 / 1001
DEPTH = 30


def launch(*pipeline, **options):
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
    return subprocess.Popen(["gst-launch-1.0", *" ! ".join(pipeline).split()], **options)


def sink(path):
    process = launch("-q fakesrc sizetype=fixed sizemax=%d filltype=zero format=time datarate=%d" %
                     (FRAME, FRAME * RATE),
                     "shmsink socket-path=%s shm-size=%d wait-for-connection=true sync=true" %
                     (path, (FRAME + 4096) * DEPTH))
    end = time.monotonic() + 20
    while not os.path.exists(path):
        if process.poll() is not None or time.monotonic() > end:
            sys.exit("shmsink did not start")
        time.sleep(0.02)
    return process


def stop(process):
    """Asked first: one that is killed leaves its memory in /dev/shm."""
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGINT)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def read_all(path, readers, frames):
    """Runs readers for so many frames each: their processor time in all, and seconds."""
    begin = time.monotonic()
    running = [launch("-q shmsrc socket-path=%s num-buffers=%d" % (path, frames), "fakesink sync=false")
               for _ in range(readers)]
    spent = 0
    for process in running:
        usage = os.wait4(process.pid, 0)[2]
        process.returncode = 0
        spent += usage.ru_utime + usage.ru_stime
    return spent, time.monotonic() - begin


def cpu(work, readers, seconds):
    path = os.path.join(work, "cpu%d" % readers)
    writer = sink(path)
    short, long = 30, 30 + int(seconds * RATE)
    few, _ = read_all(path, readers, short)
    before = cpu_seconds(writer.pid)
    many, _ = read_all(path, readers, long)
    wrote = cpu_seconds(writer.pid) - before
    stop(writer)
    reading = (many - few) / (readers * (long - short))
    emit("framecache_cpu", how="shmsink", readers=readers, looks=False, delivered=readers * (long - short),
        cpu_us_per_delivered=round((reading + wrote / long / readers) * 1e6, 1),
        writer_us_per_frame=round(wrote / long * 1e6, 1), reader_us_per_frame=round(reading * 1e6, 1))


def lines_of(path):
    return pathlib.Path(path).read_bytes().count(b"chain")


def stopped(work, readers, seconds):
    path = os.path.join(work, "stopped")
    writer = sink(path)
    logs = [os.path.join(work, "log%d" % i) for i in range(readers)]
    running = []
    for log in logs:
        with open(log, "w") as file:
            running.append(launch("-v shmsrc socket-path=%s" % path, "identity silent=false",
                                  "fakesink sync=false", stdout=file))
    end = time.monotonic() + 20
    while min(map(lines_of, logs)) < 30 and time.monotonic() < end:
        time.sleep(0.05)
    running[0].send_signal(signal.SIGSTOP)
    time.sleep(0.1)
    before = sum(map(lines_of, logs[1:]))
    time.sleep(seconds)
    after = sum(map(lines_of, logs[1:]))
    for process in [*running, writer]:
        stop(process)
    emit("framecache_stopped", how="shmsink", readers=readers, stopped=1, seconds=seconds,
        fps_of_each_other=round((after - before) / seconds / (readers - 1), 1))


def has_shmsink():
    return shutil.which("gst-launch-1.0") and shutil.which("gst-inspect-1.0") and subprocess.run(
        ["gst-inspect-1.0", "shmsink"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", nargs="*", choices=[[], "publish", "wake", "cpu", "stopped"])
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--program", default=ROOT / "build" / "bench" / "bench_framecache")
    args = parser.parse_args()
    status = subprocess.run([str(args.program), *args.what, "--seconds", str(args.seconds)]).returncode
    if status:
        return status
    what = args.what or ["cpu", "stopped"]
    if not has_shmsink():
        emit("framecache", left_out="shmsink is not installed")
        return 0
    with tempfile.TemporaryDirectory(prefix="fc-bench-") as work:
        for readers in (1, 3, 8) if "cpu" in what else ():
            cpu(work, readers, args.seconds)
        if "stopped" in what:
            stopped(work, 3, max(args.seconds, 4))
    return 0


if __name__ == "__main__":
    sys.exit(main())
