"""What the tests of faults stand on: a server, its encoders and its listeners, all on loopback.

    Server(...)   the program in a directory of its own, with its log, its numbers and its calls
    Encoder(...)  ringmain-encoder: numbered frames (clients/oracle.h)
    swarm(...)    ringmain-swarm: many listeners, checked by its oracle
    Listener(...) one player in a thread, that keeps every byte with the time it came; it can be told
                  to stop reading. Its frames and titles are taken apart here, in Python, so that the
                  clients' own checker is not the only judge.

Nothing here sleeps for a fixed time to let something happen: await_() looks again until it is so.
RINGMAIN names another server (a sanitizer's build), RINGMAIN_CLIENTS the directory of the clients,
FAULT_PORTS the first of 1000 ports to use.
"""

import base64
import contextlib
import itertools
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.parse

from stage import blame

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("RINGMAIN_BUILD", os.path.join(ROOT, "build"))
SERVER = os.environ.get("RINGMAIN", os.path.join(BUILD, "ringmain"))
CLIENTS = os.environ.get("RINGMAIN_CLIENTS", os.path.join(BUILD, "clients"))

SOURCE_PASSWORD = "hackme"
ADMIN_PASSWORD = "headmaster"



def _sanitized():
    """Whether the server is a sanitizer's build, or a script that starts one."""
    with open(SERVER, "rb") as f:
        text = f.read()
    if text.startswith(b"#!"):
        with open(re.search(rb'exec "?([^"\s]+)', text).group(1), "rb") as f:
            text = f.read()
    return b"__asan_init" in text or b"__tsan_init" in text


SANITIZED = os.path.exists(SERVER) and _sanitized()

# A loaded machine and a sanitizer's build are slower than this one; a condition that never comes
# true costs this long and no more: 3 s in which a process is not run at all are nobody's fault.
PATIENCE = float(os.environ.get("FAULT_PATIENCE", "60"))


def await_(what, condition, seconds=None, every=0.02):
    """Looks until condition() is true and returns what it gave. seconds: where it takes longer than
    PATIENCE even on a machine at rest."""
    end = time.monotonic() + max(PATIENCE, seconds or 0)
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError("did not come true: " + what)
        time.sleep(every)


# --- ports ---------------------------------------------------------------------------------------

# Those who run side by side (pytest -n) have each their own, above all of stage.py's.
_crew = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
_first_port = int(os.environ.get("FAULT_PORTS", "23000")) + 300 * _crew
_ports = itertools.cycle(range(_first_port, _first_port + 298, 2))
for _ in range(random.randrange(149)):
    next(_ports)


def free_port():
    """A port that is free, and so is the one above it, where SHOUTcast encoders knock."""
    for port in itertools.islice(_ports, 149):
        try:
            for p in (port, port + 1):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", p))
        except OSError:
            continue
        return port
    raise AssertionError("no free ports")


# --- the server ----------------------------------------------------------------------------------


def serving(pid):
    """The process that serves: the youngest holder's child (core/keeper.h), or the one itself."""
    def children(parent):
        with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as f:
            return [int(x) for x in f.read().split()]

    for holder in reversed(children(pid)):
        for server in children(holder):
            return server
    return pid


class Reply:
    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin1").split("\r\n")
        self.raw = raw
        self.line = lines[0]
        words = lines[0].split(" ")
        self.status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()

    def json(self):
        return json.loads(self.body)


def basic(user, password):
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    return f"Authorization: Basic {login}\r\n"


ADMIN = basic("admin", ADMIN_PASSWORD)
SOURCE = basic("source", SOURCE_PASSWORD)


class Server:
    """Started by with; ends with SIGTERM, which must give 0 and no sanitizer's word."""

    def __init__(self, settings=None, config=None, passwords=True, prefix=(), port=None, data=None,
                 environment=None, options=()):
        self.own = tempfile.mkdtemp(prefix="ringmain-e2e-")
        self.data = data or os.path.join(self.own, "data")
        self.log_path = os.path.join(self.own, "log")
        self.out_path = os.path.join(self.own, "out")
        self.port = port or free_port()
        self.prefix = list(prefix)
        self.environment = environment or {}
        self.args = ["--data", self.data]
        if config is not None:
            self.config_path = os.path.join(self.own, "ringmain.conf")
            with open(self.config_path, "w", encoding="utf-8") as f:
                f.write(config)
            self.args += ["--config", self.config_path]
        sets = {"http.listen": f"127.0.0.1:{self.port}", "log.level": "debug"}
        if passwords:
            sets["radio.source_password"] = SOURCE_PASSWORD
            sets["admin.password"] = ADMIN_PASSWORD
        sets.update(settings or {})
        self.logs_elsewhere = "log.file" in sets or "log:" in (config or "")
        for name, value in sets.items():
            self.args += ["--set", f"{name}={value}"]
        self.args += options
        self.process = None
        self.address = "127.0.0.1"

    def start(self):
        environment = {"ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=8", **os.environ, **self.environment}
        with open(self.log_path, "wb") as log, open(self.out_path, "wb") as out:
            self.process = subprocess.Popen(self.prefix + [SERVER] + self.args, stderr=log,
                                            stdout=out, stdin=subprocess.DEVNULL,
                                            env=environment, cwd=self.own)
        await_("the server is ready", lambda: self.is_ready() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log()
        return self

    def is_ready(self):
        """It has opened all its ports, and says so where its log is here."""
        return (" core ready " in self.log() or self.logs_elsewhere) and self.listens()

    def listens(self):
        try:
            socket.create_connection((self.address, self.port), 1).close()
            return True
        except OSError:
            return False

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.stop()
            else:
                lines = [l for l in self.log().splitlines() if "listener gone" not in l]
                print("--- log\n" + "\n".join(lines[-40:]))
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            log = self.log()
            shutil.rmtree(self.own, ignore_errors=True)
        if kind is not None:
            blame(log)

    def stop(self, within=None):
        """Ends it; returns how long that took."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        code = self.process.wait(PATIENCE if within is None else within)
        log = self.log()
        assert "Sanitizer" not in log and "runtime error" not in log, log[-8000:]
        assert code == 0, f"the program is at fault: it ended with {code}\n{log[-4000:]}"
        return time.monotonic() - began

    def alive(self):
        return self.process.poll() is None

    # what it says

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def out(self):
        with open(self.out_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def await_log(self, pattern, count=1, seconds=None):
        return await_(f"the log says {pattern}",
                      lambda: len(re.findall(pattern, self.log())) >= count, seconds)

    # what it answers

    def connect(self, source=None, rcvbuf=None, timeout=None, port=None):
        s = socket.socket()
        if rcvbuf:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if source:
            s.bind((source, 0))
        s.settimeout(PATIENCE if timeout is None else timeout)
        s.connect((self.address, port or self.port))
        return s

    def ask(self, raw, source=None, half_close=False):
        """Sends bytes, and reads until the other side closes."""
        if isinstance(raw, str):
            raw = raw.encode("latin1")
        with self.connect(source) as s:
            s.sendall(raw)
            if half_close:
                s.shutdown(socket.SHUT_WR)
            return Reply(read_all(s))

    def get(self, path, headers="", source=None, method="GET"):
        return self.ask(f"{method} {path} HTTP/1.0\r\n{headers}\r\n", source)

    def admin(self, call, **params):
        query = urllib.parse.urlencode(params)
        return self.get(f"/admin/{call}?{query}", ADMIN)

    def stats(self, mount=None):
        """Of one mount, or of the server."""
        tree = self.admin("stats.json").json()
        tree = tree.get("icestats", tree)
        if mount is None:
            return tree
        for source in tree["source"]:
            if source.get("@mount", source.get("mount")) == mount:
                return source
        return None

    def state(self, mount):
        for m in self.get("/api/v1/station").json()["mounts"]:
            if m["mount"] == mount:
                return m["state"]
        return None

    def await_state(self, mount, *states, seconds=None):
        return await_(f"{mount} is {' or '.join(states)}", lambda: self.state(mount) in states,
                      seconds)

    def listeners(self, mount=None):
        if mount is None:
            return self.stats()["listeners"]
        for m in self.get("/api/v1/station").json()["mounts"]:
            if m["mount"] == mount:
                return m["listeners"]
        return 0

    def clients(self, mount):
        tree = self.admin("listclients.json", mount=mount).json()
        return tree.get("icestats", tree)["source"]["listener"]

    def title(self, mount, song, **more):
        """song is bytes or text; goes as a form, which has no limit of its own."""
        form = urllib.parse.urlencode({"mode": "updinfo", "mount": mount, "song": song, **more})
        return self.ask(f"POST /admin/metadata HTTP/1.0\r\n{SOURCE}"
                        "Content-Type: application/x-www-form-urlencoded\r\n"
                        f"Content-Length: {len(form)}\r\n\r\n{form}")

    def metric(self, name):
        reply = self.get("/metrics", ADMIN)
        m = re.search(rf"^ringmain_{name} ([0-9.]+)$", reply.body.decode(), re.M)
        assert m, f"no metric {name}: {reply.raw[:300]}"
        return float(m.group(1))

    # what it costs

    def cpu(self):
        with open(f"/proc/{serving(self.process.pid)}/stat", encoding="ascii") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss(self):
        with open(f"/proc/{serving(self.process.pid)}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{serving(self.process.pid)}/fd"))


def read_all(s):
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while got := s.recv(1 << 20):
            pieces.append(got)
    return b"".join(pieces)


def run(*args, environment=None, prefix=()):
    """The server's program to its end: for the options that print."""
    with tempfile.TemporaryDirectory(prefix="ringmain-e2e-") as own:
        return subprocess.run([*prefix, SERVER, *args], capture_output=True, text=True, cwd=own,
                              env={**os.environ, **(environment or {})}, timeout=PATIENCE,
                              check=False)


# --- encoders ------------------------------------------------------------------------------------


class Encoder:
    """ringmain-encoder on a mount; options as keywords, with _ for -."""

    def __init__(self, server, mount="/live", ready=True, password=SOURCE_PASSWORD, **options):
        options.setdefault("seconds", 36000)
        self.server = server
        self.mount = mount
        self.own = tempfile.NamedTemporaryFile(prefix="ringmain-e2e-encoder-")
        url = f"http://source:{password}@127.0.0.1:{server.port}{mount}"
        args = [os.path.join(CLIENTS, "ringmain-encoder"), "--url", url]
        for name, value in options.items():
            args.append("--" + name.replace("_", "-"))
            if value is not True:
                args.append(str(value))
        self.process = subprocess.Popen(args, stdout=self.own, stderr=subprocess.STDOUT)
        if ready:
            self.await_event("connected")
            server.await_state(mount, "live")

    def events(self):
        with open(self.own.name, encoding="utf-8") as f:
            return [json.loads(line) for line in f if line.startswith("{") and line.endswith("}\n")]

    def await_event(self, name, count=1):
        try:
            await_(f"the encoder is {name}",
                   lambda: sum(e["event"] == name for e in self.events()) >= count)
        except AssertionError as fault:
            raise AssertionError(f"{fault}; it says {self.events()[-5:]}, and is "
                                 f"{'there' if self.process.poll() is None else 'gone'}") from None

    def kill(self):
        """Without a word, as a machine that loses its power would not, but a crash does."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Lets it end by itself; returns its report."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        done = [e for e in self.events() if e["event"] == "done"]
        return done[0] if done else None

    def signal(self, number):
        self.process.send_signal(number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
        self.own.close()


def swarm_start(server, path="/live", **options):
    args = [os.path.join(CLIENTS, "ringmain-swarm"), "--url",
            f"http://127.0.0.1:{server.port}{path}"]
    for name, value in options.items():
        args.append("--" + name.replace("_", "-"))
        if value is not True:
            args.append(str(value))
    return subprocess.Popen(args, stdout=subprocess.PIPE, text=True)


def swarm_joined(process):
    """Until all its listeners have heard something: the server counts them before."""
    while line := process.stdout.readline():
        if json.loads(line)["event"] == "joined":
            return
    raise AssertionError("the swarm ended before all had joined")


def swarm_report(process, seconds=240):
    """The last line; its key "code" is what it ended with."""
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    report = json.loads(out.splitlines()[-1])
    report["code"] = process.returncode
    return report


def swarm(server, path="/live", **options):
    return swarm_report(swarm_start(server, path, **options))


def assert_whole(report):
    """Every listener was served, stayed, and heard every frame once, from the first byte on."""
    check = report["check"]
    assert report["served"] == report["listeners"], report
    for key in ("refused", "failed", "unanswered", "disconnected", "chunked"):
        assert report[key] == 0, (key, report)
    assert check["whole"] == check["listeners"] > 0, report
    for key in ("gaps", "repeats", "torn", "torn_at_start", "icy_bad", "titles_early",
                "titles_back"):
        assert check[key] == 0, (key, report)
    assert report["code"] == 0, report


def assert_whole_and_titled(listen, titles, times=(3, 10, 30)):
    """listen(seconds): its report is whole each time, and has so many titles at last: in a short time only as many came
    as somebody who was left out could say."""
    for seconds in times:
        report = listen(seconds)
        assert_whole(report)
        if report["check"]["titles"] >= titles:
            return report
    raise AssertionError(report)


# --- frames --------------------------------------------------------------------------------------

KBPS = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0]
MASK = (1 << 64) - 1


class Frame:
    __slots__ = ("stream", "number", "at", "len")

    def __init__(self, stream, number, at, len_):
        self.stream, self.number, self.at, self.len = stream, number, at, len_

    def __repr__(self):
        return f"{self.stream}:{self.number}"


def _mix(state):
    state = (state + 0x9E3779B97F4A7C15) & MASK
    z = state
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
    return state, z ^ z >> 31


def _number(data):
    value = 0
    for byte in data:
        value = value << 7 | byte
    return value


def _filler(length, stream, number, sent):
    _, state = _mix(number)
    state ^= stream
    _, state = _mix(state)
    state ^= sent
    out = bytearray()
    while len(out) < length:
        state, word = _mix(state)
        out += struct.pack("<Q", word & 0x7F7F7F7F7F7F7F7F)
    return bytes(out[:length])


def frame_at(body, at):
    """The numbered frame that begins there, right in every byte; None when there is none."""
    head = body[at:at + 65]
    if len(head) < 65 or head[:2] != b"\xff\xfb" or head[36:40] != b"RMO1":
        return None
    kbps = KBPS[head[2] >> 4]
    if not kbps:
        return None
    length = 144000 * kbps // 44100 + (1 if head[2] & 2 else 0)
    if len(body) < at + length:
        return None
    stream, number, sent = _number(head[40:45]), _number(head[45:55]), _number(head[55:65])
    # All of one stream have the same filler generator, which starts from the three numbers.
    if body[at + 65:at + length] != _filler(length - 65, stream, number, sent):
        return None
    return Frame(stream, number, at, length)


class Torn(AssertionError):
    pass


def foreign_len(body, at):
    """Of a whole MPEG-1 layer III frame at 44.1 kHz that is not ours (a file's); 0 when none."""
    if body[at:at + 1] != b"\xff" or len(body) < at + 4 or body[at + 1] & 0xFE != 0xFA:
        return 0
    kbps = KBPS[body[at + 2] >> 4]
    if not kbps or body[at + 2] >> 2 & 3:
        return 0
    length = 144000 * kbps // 44100 + (1 if body[at + 2] & 2 else 0)
    return length if len(body) >= at + length else 0


def frames_of(body, foreign=False, whole=True):
    """All frames; anything between them is Torn. foreign: frames of a file may be among them, and
    come as stream 0 with the number of their bytes' hash. The last one may be cut off."""
    frames, at = [], 0
    while at < len(body):
        frame = frame_at(body, at)
        if not frame and foreign:
            length = foreign_len(body, at)
            if length:
                frame = Frame(0, hash(body[at:at + length]), at, length)
        if not frame:
            if len(body) - at <= 1045 and body[at:at + 1] == b"\xff" or not whole:
                break
            raise Torn(f"no frame at {at} of {len(body)} behind {frames[-3:]}: "
                       f"{body[at:at + 48].hex()}")
        frames.append(frame)
        at += frame.len
    return frames


def runs_of(frames):
    """[(stream, first number, last number)]; a new one begins at each switch and each gap."""
    runs = []
    for f in frames:
        if runs and runs[-1][0] == f.stream and runs[-1][2] + 1 == f.number:
            runs[-1][2] = f.number
        else:
            runs.append([f.stream, f.number, f.number])
    return [tuple(r) for r in runs]


def switches_of(frames):
    """The stream ids in the order in which they were heard."""
    out = []
    for f in frames:
        if not out or out[-1] != f.stream:
            out.append(f.stream)
    return out


def assert_never_back(frames):
    """Nothing is heard twice: on one stream id numbers only rise."""
    last = {}
    for f in frames:
        if f.stream:
            assert f.number > last.get(f.stream, -1), \
                f"{f} again behind {last[f.stream]}: {runs_of(frames)}"
            last[f.stream] = f.number


# --- one listener --------------------------------------------------------------------------------


def demux(body, interval):
    """(audio, [(place in the audio, text of the block or b"" where nothing changed)])."""
    audio, blocks, at = bytearray(), [], 0
    while at < len(body):
        part = body[at:at + interval]
        audio += part
        at += len(part)
        if len(part) < interval or at >= len(body):
            break
        length = body[at] * 16
        if at + 1 + length > len(body):
            break
        blocks.append((len(audio), body[at + 1:at + 1 + length]))
        at += 1 + length
    return bytes(audio), blocks


class Listener:
    def __init__(self, server, path="/live", icy=False, source=None, rcvbuf=None, headers="",
                 start=True):
        self.icy = icy
        self.socket = server.connect(source, rcvbuf)
        self.socket.settimeout(0.1)
        self.raw = bytearray()
        self.arrivals = []  # (monotonic, bytes so far)
        self.ended = False
        self.lock = threading.Lock()
        self.reading = threading.Event()
        self.stopped = False
        self.most = None  # bytes, beyond which it reads no further
        if start:
            self.reading.set()
        icy_line = "Icy-MetaData: 1\r\n" if icy else ""
        self.socket.sendall(f"GET {path} HTTP/1.0\r\nUser-Agent: test\r\n{icy_line}{headers}\r\n"
                            .encode())
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while not self.stopped:
            room = 65536 if self.most is None else min(self.most - len(self.raw), 65536)
            if room <= 0:
                time.sleep(0.01)
            if room <= 0 or not self.reading.wait(0.1):
                continue
            try:
                got = self.socket.recv(room)
            except TimeoutError:
                continue
            except OSError:
                got = b""
            if self.stopped:
                return
            with self.lock:
                self.raw += got
                self.arrivals.append((time.monotonic(), len(self.raw)))
                if not got:
                    self.ended = True
                    return

    def pause(self):
        self.reading.clear()

    def resume(self):
        self.reading.set()

    def read_only(self, more):
        """So many bytes, and then no more of them; None: all again."""
        self.most = more and len(self.received()) + more
        self.reading.set()

    def received(self):
        with self.lock:
            return bytes(self.raw)

    def reply(self):
        await_("an answer's head", lambda: b"\r\n\r\n" in self.received() or self.ended)
        return Reply(self.received())

    @property
    def body(self):
        return self.received().partition(b"\r\n\r\n")[2]

    def audio(self):
        reply = self.reply()
        return demux(self.body, int(reply.headers["icy-metaint"]))[0] if self.icy else self.body

    def blocks(self):
        return demux(self.body, int(self.reply().headers["icy-metaint"]))[1]

    def titles(self):
        """[(place in the audio, bytes between StreamTitle=' and '; )] of the blocks with a title."""
        out = []
        for at, block in self.blocks():
            if block:
                assert block.startswith(b"StreamTitle='"), block[:40]
                text = block.rstrip(b"\0")
                assert text.endswith(b"';"), text[-40:]
                assert len(block) - len(text) <= 16, "more padding than a unit"
                title = text[len(b"StreamTitle='"):-2].partition(b"';StreamUrl='")[0]
                out.append((at, title))
        return out

    def frames(self, **how):
        return frames_of(self.audio(), **how)

    def last(self):
        """The newest frame heard, cheaply: looked for from the end."""
        audio = self.audio()
        at = len(audio)
        while at > 0:
            at = audio.rfind(b"\xff\xfb", 0, at)
            if at < 0:
                return None
            frame = frame_at(audio, at)
            if frame:
                return frame
        return None

    def await_bytes(self, more):
        want = len(self.received()) + more
        await_(f"{more} more bytes", lambda: len(self.received()) >= want or self.ended)
        assert len(self.received()) >= want, "ended early"

    def await_stream(self, stream, seconds=None):
        await_(f"the listener hears stream {stream}",
               lambda: (f := self.last()) and f.stream == stream, seconds)

    def await_end(self, seconds=None):
        await_("the listener is let go", lambda: self.ended, seconds)

    def close(self, reset=False):
        self.stopped = True
        self.reading.set()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RD)  # wakes the thread, and the server hears nothing of it
        self.thread.join(5)
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
