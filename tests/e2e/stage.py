"""What every end-to-end test stands on: the real program on a loopback port, foreign programs
beside it, and waiting for conditions.

    with Crew() as crew:                      all that was started is gone when this ends
        server = Server(crew, directory, {"radio.demo": "yes"})
        await_true(lambda: server.mount("/demo"), 10)
        server.stop()                         a clean end, or the test fails

Nothing here waits for a fixed time, and everything that waits gives up. How long a thing takes when
nobody disturbs it is what the callers name; before anybody is blamed, it has PATIENCE: a busy machine
may leave a process out for seconds at a time.
"""
import base64
import contextlib
import fcntl
import http.client
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import termios
import time
import xml.etree.ElementTree as ElementTree

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = pathlib.Path(os.environ.get("RINGMAIN", ROOT / "build" / "ringmain")).resolve()
CLIENTS = pathlib.Path(os.environ.get("RINGMAIN_CLIENTS", ROOT / "build" / "clients")).resolve()

# Below the ports that the kernel gives to outgoing connections; those who run side by side (pytest
# -n) have each their own: here, up to ten of them, and from 23000 + 300 n on in fault_harness.
CREW = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
PORTS = range(20000 + 300 * CREW, 20000 + 300 * CREW + 298)
# One after the other: what was given out a moment ago may not be bound yet.
NEXT_PORT = itertools.cycle(PORTS[::2])
for _ in range(random.randrange(len(PORTS) // 2)):
    next(NEXT_PORT)

PATIENCE = 60

SOURCE_PASSWORD = "source of sound"
ADMIN_PASSWORD = "hand on the desk"

# What must not be in any log: a sanitizer's report, a broken promise of the program to itself, or that
# the keeper made good a crash which no test made (SIGKILL is theirs).
FAULTS = re.compile(r"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|CHECK|"
                    r"stack smashing|assertion|Assertion|after a crash signal=(?!9\b))")


def blame(log):
    """Fails where the program's log says that it is at fault; tools/tally.py knows the words."""
    fault = FAULTS.search(log)
    assert not fault, "the program is at fault:\n" + log[max(0, fault.start() - 500):fault.start() + 4000]


def drawn():
    """Numbers by chance; RINGMAIN_SEED, which a test that fails tells, draws the same again."""
    seed = int(os.environ.get("RINGMAIN_SEED") or random.randrange(1 << 30))
    print(f"RINGMAIN_SEED={seed}")
    return random.Random(seed)


def await_true(condition, seconds, what=None):
    """The first true value of condition(); fails when there is none within so many seconds, and never
    before PATIENCE is over."""
    seconds = max(seconds, PATIENCE)
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            said = what() if callable(what) else what or condition
            pytest.fail(f"not within {seconds} s: {said}")
        time.sleep(0.02)


def need(*programs):
    """Skips the test, saying why, when one of these is not installed."""
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")


def free_ports():
    """A port of 127.0.0.1 that is free, and the next one too: SHOUTcast encoders use it."""
    for port in itertools.islice(NEXT_PORT, len(PORTS) // 2):
        with contextlib.ExitStack() as stack:
            try:
                for p in (port, port + 1):
                    s = stack.enter_context(socket.socket())
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(("127.0.0.1", p))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


def reset(connection):
    """Ends it with a reset that comes behind all that was sent. What waits for an acknowledgement (Nagle) a reset throws
    away, and a peer that has nothing to say may acknowledge late."""
    def on_its_way():
        if connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\7":  # TCP_CLOSE: nobody is there any more
            return 0
        return struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))[0]
    await_true(lambda: not on_its_way(), PATIENCE, lambda: f"{on_its_way()} bytes are not acknowledged")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


# -- processes -------------------------------------------------------------------------------------

class Process:
    """A program that runs beside the test; what it says is in .said()."""

    def __init__(self, args, log, stdin=None, **options):
        # Also when the tests are killed themselves and nobody is left to end it.
        self.args = ["setpriv", "--pdeathsig=KILL", *(str(a) for a in args)]
        self.log = pathlib.Path(log)
        with open(self.log, "wb") as out:
            self.popen = subprocess.Popen(self.args, stdout=out, stderr=subprocess.STDOUT,
                                          stdin=stdin or subprocess.DEVNULL,
                                          start_new_session=True, **options)

    def said(self):
        return self.log.read_text(errors="replace")

    def running(self):
        return self.popen.poll() is None

    def wait(self, seconds):
        """Its exit code."""
        seconds = max(seconds, PATIENCE)
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running after {seconds} s: {self.args}\n{self.said()[-3000:]}")

    def kill(self):
        # All that it started too: it leads a session of its own.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
        if self.popen.stdin:
            with contextlib.suppress(OSError):
                self.popen.stdin.close()


class Crew:
    """Starts processes and ends all of them."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        ours = [process for process in self.processes if str(PROGRAM) in process.args]
        while self.processes:
            self.processes.pop().kill()
        # Also where the test failed before it came to look.
        for process in ours:
            blame(process.said())

    def start(self, args, name=None, **options):
        name = name or pathlib.Path(str(args[0])).name
        log = self.directory / f"{name}-{len(self.processes)}.log"
        process = Process(args, log, **options)
        self.processes.append(process)
        return process

    def dismiss(self, process):
        process.kill()
        self.processes.remove(process)


def run(args, seconds=30, **options):
    """Runs a program to its end; fails when that does not come."""
    args, seconds = [str(a) for a in args], max(seconds, PATIENCE)
    try:
        return subprocess.run(args, capture_output=True, timeout=seconds,
                              **{"stdin": subprocess.DEVNULL, **options}
                              if "input" not in options else options)
    except subprocess.TimeoutExpired as late:
        pytest.fail(f"still running after {seconds} s: {args}\n{late.stderr}")


# -- HTTP ------------------------------------------------------------------------------------------

class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def xml(self):
        return ElementTree.fromstring(self.body)


def http_get(port, path, headers=None, auth=None, method="GET", body=None, seconds=PATIENCE):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    headers = dict(headers or {})
    if auth:
        headers["Authorization"] = basic(*auth)
    try:
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def exchange(port, raw, enough=None, seconds=5):
    """Sends these bytes, and reads until enough(bytes) says so or the server closes."""
    got = b""
    seconds = max(seconds, PATIENCE)
    end = time.monotonic() + seconds
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as s:
        s.sendall(raw)
        while not (enough and enough(got)):
            s.settimeout(max(0.01, end - time.monotonic()))
            try:
                piece = s.recv(65536)
            except socket.timeout:
                pytest.fail(f"no whole answer within {seconds} s, only {got[:2000]!r}")
            except ConnectionResetError:
                break
            if not piece:
                break
            got += piece
    return got


def has_head(got):
    return b"\r\n\r\n" in got


# -- the server ------------------------------------------------------------------------------------

class Server:
    """ringmain with its own data directory, ready when this returns."""

    def __init__(self, crew, directory, settings=None, options=()):
        assert PROGRAM.exists(), f"{PROGRAM} is not built"
        self.crew = crew
        self.port = free_ports()
        self.url = f"http://127.0.0.1:{self.port}"
        self.host = f"127.0.0.1:{self.port}"
        self.source_password, self.admin_password = SOURCE_PASSWORD, ADMIN_PASSWORD
        # options may name another data directory: the last one counts.
        args = [PROGRAM, "--data", pathlib.Path(directory) / f"data-{self.port}", *options]
        for name, value in {"http.listen": self.host, "radio.source_password": SOURCE_PASSWORD,
                            "admin.password": ADMIN_PASSWORD,
                            # All tests of a file guess at one server from one address.
                            "auth.attempts": "10000", **(settings or {})}.items():
            if value is not None:
                args += ["--set", f"{name}={value}"]
        self.process = crew.start(args, "ringmain")
        await_true(lambda: re.search(r" info core ready port=\d+", self.log())
                   or not self.process.running(), 20, self.log)
        assert self.process.running(), self.log()

    def log(self):
        return self.process.said()

    def await_log(self, pattern, seconds=10):
        return await_true(lambda: re.search(pattern, self.log()), seconds,
                          lambda: f"{pattern!r} in\n{self.log()[-3000:]}")

    stopped = False

    def stop(self):
        """Ends it, and looks whether that was clean."""
        self.stopped = True
        self.process.popen.send_signal(signal.SIGTERM)
        code = self.process.wait(20)
        self.check_log()
        assert code == 0, f"the program is at fault: it ended with {code}\n{self.log()[-3000:]}"
        assert " info core ended" in self.log(), self.log()[-3000:]

    def check_log(self):
        blame(self.log())

    # what it says of itself

    def get(self, path, headers=None, auth=None, **options):
        return http_get(self.port, path, headers, auth, **options)

    def admin(self, path, **options):
        """An administrator's call: /admin/PATH."""
        return self.get(f"/admin/{path}", auth=("admin", ADMIN_PASSWORD), **options)

    def status(self):
        return self.get("/status-json.xsl").json["icestats"]

    def mounts(self):
        """What status-json.xsl says of each mount, by name."""
        source = self.status().get("source", [])
        sources = source if isinstance(source, list) else [source]
        return {s["listenurl"].split(self.host, 1)[1]: s for s in sources}

    def mount(self, name):
        return self.mounts().get(name)

    def await_mount(self, name, seconds=20, process=None):
        """What status-json.xsl says of it, once it is on the air."""
        def look():
            found = self.mount(name)
            if not found and process and not process.running():
                pytest.fail(f"the encoder gave up: {process.said()[-3000:]}\n{self.log()[-2000:]}")
            return found
        return await_true(look, seconds, lambda: f"{name} on the air\n{self.log()[-3000:]}\n"
                                                 f"{process.said()[-2000:] if process else ''}")

    def await_no_mount(self, name, seconds=15):
        await_true(lambda: not self.mount(name), seconds,
                   lambda: f"{name} gone\n{self.log()[-3000:]}")

    def bytes_read(self, name):
        """How much of a mount's encoder has arrived."""
        answer = self.admin(f"stats?mount={name}")
        if answer.status == 404:
            return 0
        found = answer.xml.find("source/total_bytes_read")
        return int(found.text) if found is not None else 0

    def set_title(self, mount, query):
        return self.get(f"/admin/metadata?mode=updinfo&mount={mount}&{query}",
                        auth=("source", SOURCE_PASSWORD))

    def source_url(self, mount, scheme="http", password=None):
        password = (password or SOURCE_PASSWORD).replace(" ", "%20")
        return f"{scheme}://source:{password}@{self.host}{mount}"
