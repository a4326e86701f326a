#!/usr/bin/python3
"""IRC: ringmain against Debian's znc, in one run, behind one server of our own.

    bench/irc.py [memory] [fanout] [store] [crowd]                                    (default: all)

Each prints JSON lines on stdout and a table on stderr; at the end all figures that have a goal, with the goal, and
whether it is reached (then it ends with 0). Where that hangs on the machine, as other programs took it, it says so.

  memory  resident bytes of a user with one network and five channels of 51 nicks, of a client of his,
          and of a line that is remembered (once for all his clients)
  fanout  lines of one channel to so many plain clients of one user: deliveries for a second of the
          server's processor time, by the scheduler's own account. Never more than --window lines are
          on their way, so that nobody is lapped; each client counts what it gets.
  store   lines of one channel into the SQLite store, until all are in it
  crowd   so many users with one network each: connected and idle; and a server that is heard by another
          user all the while asks PING and takes the time, beside a bare echo. Server, asker and echo have real-time
          priority where that is allowed (--no-realtime: never), so that it is their time and not that of other programs

Server, clients and the far server share the machine; the driver is slower than ringmain, so that only
processor time says what the server could do. Order alternates from round to round; figures are medians.
"""
import argparse
import base64
import hashlib
import http.client
import json
import multiprocessing
import os
import pathlib
import re
import select
import shutil
import socket
import sqlite3
import sys
import time

from common import (ROOT, Server, Window, accepts, all_descriptors, emit, median, ratio, resident, shown, table,
                    tree)

PASSWORD = "bench-bouncer"
NICKS = 50  # beside the user's own
READ = 1 << 18


class Far:
    """A server that lets everybody in, with NICKS people in each channel. One thread, many connections."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=4096)
        self.listener.setblocking(False)
        self.poll = select.epoll()
        self.poll.register(self.listener, select.EPOLLIN)
        self.peers = {}
        self.joined = 0
        self.pongs = []
        people = " ".join(f"person-{i:02}" for i in range(NICKS))
        self.names = f"{people}\r\n"

    def send(self, peer, text):
        data = text.encode()
        while data:
            try:
                data = data[peer["socket"].send(data):]
            except BlockingIOError:
                select.select([], [peer["socket"]], [], 1)

    def hear(self, peer, line):
        verb, _, rest = line.partition(" ")
        nick = peer["nick"]
        if verb == "CAP" and rest.startswith("LS"):
            self.send(peer, ":far 421 * CAP :Unknown command\r\n")
        elif verb == "NICK":
            peer["nick"] = rest.lstrip(":")
        elif verb == "USER":
            self.send(peer, f":far 001 {nick} :Welcome\r\n:far 005 {nick} CASEMAPPING=ascii CHANTYPES=# "
                            f"PREFIX=(ov)@+ CHANMODES=b,k,l,imnt :are supported\r\n:far 422 {nick} :none\r\n")
            peer["in"] = True
        elif verb == "PING":
            self.send(peer, f":far PONG far {rest}\r\n")
        elif verb == "PONG":
            self.pongs.append((rest.lstrip(":"), time.monotonic()))
        elif verb == "JOIN":
            for name in rest.split(" ")[0].split(","):
                peer["channels"].append(name)
                self.joined += 1
                self.send(peer, f":{nick}!u@h JOIN {name}\r\n:far 353 {nick} = {name} :{nick} {self.names}"
                                f":far 366 {nick} {name} :End\r\n")
        elif verb == "MODE" and " " not in rest:
            self.send(peer, f":far 324 {nick} {rest} +nt\r\n")

    def turn(self, seconds=0.05):
        for number, _ in self.poll.poll(seconds):
            if number == self.listener.fileno():
                while True:
                    try:
                        connection, _ = self.listener.accept()
                    except BlockingIOError:
                        break
                    connection.setblocking(False)
                    self.peers[connection.fileno()] = {"socket": connection, "nick": "*", "in": False,
                                                       "rest": b"", "channels": []}
                    self.poll.register(connection, select.EPOLLIN)
                continue
            peer = self.peers[number]
            try:
                data = peer["socket"].recv(READ)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                self.poll.unregister(number)
                peer["socket"].close()
                del self.peers[number]
                continue
            *lines, peer["rest"] = (peer["rest"] + data).split(b"\n")
            for line in lines:
                self.hear(peer, line.rstrip(b"\r").decode())

    def until(self, condition, seconds, what):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise RuntimeError(f"not within {seconds} s: {what} ({len(self.peers)} connections, "
                                   f"{self.joined} joins)")
            self.turn()

    def close(self):
        for peer in self.peers.values():
            peer["socket"].close()
        self.listener.close()
        self.poll.close()


def far_process(port, pipe):
    """Far in a process of its own, which answers "connected" with how many are in."""
    all_descriptors()
    far = Far(port)
    pipe.send("ready")
    while True:
        far.turn(0.02)
        if pipe.poll():
            if pipe.recv() == "end":
                break
            pipe.send(sum(peer["in"] for peer in far.peers.values()))
    far.close()


# -- the bouncers ----------------------------------------------------------------------------------

class Bouncer(Server):
    def __init__(self, args, label):
        super().__init__(args, label)
        self.port, self.far_port = args.port, args.port + 2

    def client(self, user):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection.sendall(f"PASS :{self.login(user)}\r\nNICK {user}\r\nUSER {user} 0 * :x\r\n".encode())
        return connection


class Ringmain(Bouncer):
    def __init__(self, args, users, channels, *settings):
        super().__init__(args, "ringmain")
        self.start_ringmain((f"http.listen=127.0.0.1:{self.port + 1}", f"irc.listen=127.0.0.1:{self.port}",
                             "outgoing.internal=127.0.0.0/8", "admin.password=bench", "workers=1",
                             "irc.connects=10000", "radio.shoutcast_port=no", "irc.clients=1000",
                             "irc.devices=1000", "irc.auth_url=http://127.0.0.1:9/",  # users without accounts
                             *args.set, *settings), accepts(self.port, self.port + 1))
        self.secrets = {}
        self.api = http.client.HTTPConnection("127.0.0.1", self.port + 1, timeout=60)
        self.head = {"Authorization": "Basic " + base64.b64encode(b"admin:bench").decode(),
                     "Content-Type": "application/json"}
        try:
            for user in users:
                self.add(user, channels)
        except BaseException:
            self.__exit__()
            raise

    def order(self, user, command):
        self.api.request("POST", f"/api/v1/irc/users/{user}/command", json.dumps({"command": command}), self.head)
        answer = json.loads(self.api.getresponse().read())
        if not answer.get("good"):
            raise RuntimeError(f"{command}: {answer}")
        return answer["lines"]

    def add(self, user, channels):
        self.order(user, f"network create -addr irc+insecure://127.0.0.1:{self.far_port} -name net -nick {user}")
        for channel in channels:
            self.order(user, f"channel create {channel} -network net")

    def login(self, user):
        if user not in self.secrets:
            said = self.order(user, "password create -label bench")
            self.secrets[user] = re.search(r"\b[0-9a-f]{24}\b", " ".join(said))[0]
        return f"{user}/net@c{time.monotonic_ns() % 10 ** 9}:{self.secrets[user]}"

    def last(self):
        """The number of the newest line that is in the store."""
        with sqlite3.connect(f"file:{next((self.folder / 'data').glob('*.db'))}?mode=ro", uri=True) as store:
            newest = store.execute("SELECT seq FROM irc_lines ORDER BY buffer DESC, seq DESC LIMIT 1").fetchone()
            return newest[0] if newest else 0

    def rows(self):
        with sqlite3.connect(f"file:{next((self.folder / 'data').glob('*.db'))}?mode=ro", uri=True) as store:
            return store.execute("SELECT count(*) FROM irc_lines").fetchone()[0]


class Znc(Bouncer):
    def __init__(self, args, users, channels, buffer=50):
        super().__init__(args, "znc")
        config = self.folder / "configs"
        config.mkdir()
        salt = "salt"
        digest = hashlib.sha256((PASSWORD + salt).encode()).hexdigest()
        text = f"""Version = 1.8.2
AnonIPLimit = 20000
ConnectDelay = 0
ServerThrottle = 0
MaxBufferSize = 1000000
ProtectWebSessions = false
<Listener l>
 Port = {self.port}
 Host = 127.0.0.1
 IPv4 = true
 IPv6 = false
 SSL = false
</Listener>
"""
        for user in users:
            text += f"""<User {user}>
 Nick = {user}
 ChanBufferSize = {buffer}
 QueryBufferSize = 50
 AutoClearChanBuffer = false
 JoinTries = 0
 <Pass password>
  Method = SHA256
  Hash = {digest}
  Salt = {salt}
 </Pass>
 <Network net>
  Server = 127.0.0.1 {self.far_port}
  FloodBurst = 9999
  FloodRate = 9999
  IRCConnectEnabled = true
  JoinDelay = 0
{"".join(f"  <Chan {c}>{chr(10)}  </Chan>{chr(10)}" for c in channels)} </Network>
</User>
"""
        (config / "znc.conf").write_text(text)
        # As root it waits for half a minute.
        user = "nobody" if os.geteuid() == 0 else None
        for path in (self.folder, config, config / "znc.conf"):
            if user:
                shutil.chown(path, user)
        self.start(["znc", "-f", "-d", self.folder], accepts(self.port), user=user)

    def login(self, user):
        return f"{user}/net:{PASSWORD}"


SUBJECTS = {"ringmain": Ringmain, "znc": Znc}

VERDICTS = []


def goal(what, value, limit, at_most=True, but=""):
    """A figure beside what it is to be; but: what the machine had to do with it."""
    reached = value <= limit if at_most else value >= limit
    VERDICTS.append((what, value, limit, at_most, reached, but))
    emit("goal", what=what, value=value, at_most=at_most, goal=limit, reached=reached, but=but)


def verdicts():
    if VERDICTS:
        table("Goals", ["figure", "measured", "goal", ""],
              [[what, shown(value, 2 if value < 100 and value != int(value) else 0), f"{'at most' if at_most else 'at least'} {shown(limit)}",
                ("reached" if reached else "MISSED") + (f" ({but})" if but else "")]
               for what, value, limit, at_most, reached, but in VERDICTS])
    return all(reached for *_, reached, _ in VERDICTS)


def real_time(pids):
    """The threads of these are not put off by other programs. False: it is not allowed."""
    try:
        for pid in pids:
            for task in os.listdir(f"/proc/{pid}/task"):
                os.sched_setscheduler(int(task), os.SCHED_FIFO, os.sched_param(1))
    except (OSError, ProcessLookupError):
        return False
    return True


def say(far, peer, first, count, size):
    """count lines into the peer's first channel."""
    text = "".join(f":person-{i % NICKS:02}!user@host.example PRIVMSG {peer['channels'][0]} :{first + i} ".ljust(size, "x")
                   + "\r\n" for i in range(count))
    far.send(peer, text)


# -- clients ---------------------------------------------------------------------------------------

class Crowd:
    """Plain clients that count what they are told in PRIVMSG."""

    def __init__(self, bouncer, users):
        self.poll = select.epoll()
        self.counts, self.rest = {}, {}
        self.sockets = {}
        for user in users:
            connection = bouncer.client(user)
            connection.setblocking(False)
            self.sockets[connection.fileno()] = connection
            self.counts[connection.fileno()] = 0
            self.rest[connection.fileno()] = b""
            self.poll.register(connection, select.EPOLLIN)

    def turn(self, seconds=0.0):
        for number, _ in self.poll.poll(seconds):
            try:
                data = self.rest[number] + self.sockets[number].recv(READ)
            except BlockingIOError:
                continue
            end = data.rfind(b"\n") + 1
            self.rest[number] = data[end:]
            # A word that stands once in each line, and cannot be cut: what is left waits.
            self.counts[number] += data.count(b" PRIVMSG ", 0, end)

    def close(self):
        for connection in self.sockets.values():
            connection.close()
        self.poll.close()


def settle(far, crowd, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        far.turn(0.01)
        if crowd:
            crowd.turn()


# -- the benchmarks --------------------------------------------------------------------------------

CHANNELS = [f"#channel-{i}" for i in range(5)]


def measure_memory(args, kind):
    users = [f"user{i:04}" for i in range(args.users if kind is Ringmain else args.znc_users)]
    with_far = Far(args.port + 2)
    try:
        bouncer = Ringmain(args, [], []) if kind is Ringmain else Znc(args, users, CHANNELS, args.lines)
        with bouncer:
            if kind is Ringmain:
                settle(with_far, None, 1)
                idle = resident(bouncer.pid)
                for user in users:
                    bouncer.add(user, CHANNELS)
                    with_far.turn(0)
            else:
                idle = args.znc_idle
            with_far.until(lambda: with_far.joined >= len(users) * len(CHANNELS), 900, "all have joined")
            settle(with_far, None, 3)
            here = resident(bouncer.pid)
            crowd = Crowd(bouncer, users)
            settle(with_far, crowd, 3)
            clients = resident(bouncer.pid)
            for peer in list(with_far.peers.values()):
                if peer["channels"]:
                    say(with_far, peer, 0, args.lines, args.size)
                    crowd.turn()
            until = time.monotonic() + 120
            while sum(crowd.counts.values()) < len(users) * args.lines and time.monotonic() < until:
                settle(with_far, crowd, 0.1)
            settle(with_far, crowd, 2)
            if sum(crowd.counts.values()) < len(users) * args.lines:
                raise RuntimeError(f"told {sum(crowd.counts.values())} of {len(users) * args.lines} lines")
            lines = resident(bouncer.pid)
            crowd.close()
    finally:
        with_far.close()
    count = len(users)
    return emit("memory", subject=bouncer.label, users=count, idle_mib=round(idle / 2 ** 20, 1),
                user_kib=round((here - idle) / count / 1024, 2), client_kib=round((clients - here) / count / 1024, 2),
                line_bytes=round((lines - clients) / count / args.lines), line_size=args.size)


def bench_memory(args):
    # What znc has with one who is on no channel (it wants one), taken off what it has with all.
    far = Far(args.port + 2)
    with Znc(args, ["nobody"], []) as znc:
        time.sleep(1)
        args.znc_idle = resident(znc.pid)
    far.close()
    rows = [measure_memory(args, kind) for kind in SUBJECTS.values()]
    table(f"Memory: users with 5 channels of {NICKS + 1} nicks, lines of {args.size} bytes",
          ["subject", "users", "KiB a user", "KiB a client", "bytes a line"],
          [[r["subject"], r["users"], shown(r["user_kib"], 1), shown(r["client_kib"], 1), r["line_bytes"]] for r in rows])
    goal("KiB a user", rows[0]["user_kib"], 25)
    goal("KiB a client", rows[0]["client_kib"], 6)
    goal("bytes a remembered line", rows[0]["line_bytes"], 250)


def measure_fanout(args, kind):
    total = args.fan_lines if kind is Ringmain else args.fan_lines // 10
    far = Far(args.port + 2)
    try:
        with kind(args, ["user"], ["#ring"]) as bouncer:
            far.until(lambda: far.joined >= 1, 60, "joined")
            settle(far, None, 1)
            crowd = Crowd(bouncer, ["user"] * args.clients)
            settle(far, crowd, 2)
            peer = next(peer for peer in far.peers.values() if peer["channels"])
            said = 0
            base = dict(crowd.counts)
            until = time.monotonic() + 240
            with Window(bouncer.pid) as window:
                while True:
                    slowest = min(crowd.counts[n] - base[n] for n in base)
                    if slowest >= total or time.monotonic() > until:
                        break
                    while said < total and said - slowest < args.window:
                        say(far, peer, said, min(500, total - said), args.size)
                        said += 500
                    crowd.turn(0.001)
            got = [crowd.counts[n] - base[n] for n in base]
            if min(got) != total or max(got) != total:
                raise RuntimeError(f"{bouncer.label}: told between {min(got)} and {max(got)} of {total} lines")
            crowd.close()
    finally:
        far.close()
    deliveries = total * args.clients
    return {"subject": bouncer.label, "clients": args.clients, "lines": total, "line_size": args.size,
            "deliveries_per_core_second": round(deliveries / window.cpu),
            "us_per_delivery": round(window.cpu / deliveries * 1e6, 3),
            "deliveries_per_second": round(deliveries / window.seconds), **window.fields()}


def bench_fanout(args):
    found = {name: [] for name in SUBJECTS}
    for number in range(args.rounds):
        for name, kind in list(SUBJECTS.items())[::1 if number % 2 == 0 else -1]:
            found[name].append(emit("fanout", round=number, **measure_fanout(args, kind)))
    per = {name: median(r["deliveries_per_core_second"] for r in runs) for name, runs in found.items()}
    emit("fanout-ratio", over_znc=ratio(per["ringmain"], per["znc"]))
    table(f"One channel to {args.clients} plain clients, lines of {args.size} bytes",
          ["subject", "deliveries a core-second", "us each", "in znc's"],
          [[name, shown(per[name]), shown(median(r["us_per_delivery"] for r in runs), 3), ratio(per[name], per["znc"])]
           for name, runs in found.items()])
    goal("deliveries a core-second", round(per["ringmain"]), 1000000, at_most=False)
    goal("the same, in znc's", round(per["ringmain"] / per["znc"], 1), 3, at_most=False)


def bench_store(args):
    far = Far(args.port + 2)
    try:
        with Ringmain(args, ["user"], ["#ring"]) as bouncer:
            far.until(lambda: far.joined >= 1, 60, "joined")
            settle(far, None, 1)
            peer = next(peer for peer in far.peers.values() if peer["channels"])
            before, first, total = bouncer.rows(), bouncer.last(), args.store_lines
            with Window(bouncer.pid) as window:
                for said in range(0, total, 1000):
                    say(far, peer, said, 1000, args.size)
                until = time.monotonic() + 120
                while bouncer.last() - first < total and time.monotonic() < until:
                    far.turn(0.02)
            kept = bouncer.rows() - before
    finally:
        far.close()
    if kept != total:
        raise RuntimeError(f"{kept} of {total} lines are in the store")
    row = emit("store", subject="ringmain", lines=total, line_size=args.size,
               lines_per_second=round(total / window.seconds), lines_per_core_second=round(total / window.cpu),
               starved=window.idle < 0.03, **window.fields())
    table("Lines into the SQLite store", ["subject", "lines", "lines a second", "a core-second", "starved"],
          [["ringmain", shown(total), shown(row["lines_per_second"]), shown(row["lines_per_core_second"]), row["starved"]]])
    goal("lines a second into the store", row["lines_per_second"], 50000, at_most=False,
         but=f"the machine was {100 - 100 * row['machine_idle']:.0f} % busy; {shown(row['lines_per_core_second'])} a core-second")


def echo_process(listener):
    """What the machine itself takes: whoever sends a byte gets it back."""
    connection, _ = listener.accept()
    while data := connection.recv(64):
        connection.sendall(data)


def probe_process(port, seconds, pipe, is_real_time):
    """A server that asks PING every 20 ms, and how long each PONG took; beside it a bare echo."""
    far = Far(port)
    listener = socket.create_server(("127.0.0.1", 0))
    if is_real_time:
        real_time([os.getpid()])
    multiprocessing.get_context("fork").Process(target=echo_process, args=(listener,), daemon=True).start()
    echo = socket.create_connection(listener.getsockname())
    echoes = []
    pipe.send("ready")
    far.until(lambda: any(peer["in"] for peer in far.peers.values()), 60, "the probe is in")
    peer = next(iter(far.peers.values()))
    asked, took = {}, []
    number, end, ask_at = 0, time.monotonic() + seconds, 0
    while time.monotonic() < end and not pipe.poll():
        now = time.monotonic()
        if now >= ask_at:
            number += 1
            ask_at = now + 0.02
            asked[f"t{number}"] = time.monotonic()
            far.send(peer, f"PING :t{number}\r\n")
        far.turn(max(0.0, ask_at - time.monotonic()))
        for token, at in far.pongs:
            if token in asked:
                took.append(at - asked.pop(token))
                begin = time.monotonic()
                echo.sendall(b"x")
                echo.recv(1)
                echoes.append(time.monotonic() - begin)
        far.pongs.clear()
    pipe.send((took, len(asked), echoes))
    echo.close()
    far.close()


def bench_crowd(args):
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    far = context.Process(target=far_process, args=(args.port + 2, theirs))
    probe_ours, probe_theirs = context.Pipe()
    probe = context.Process(target=probe_process, args=(args.port + 3, 900, probe_theirs, args.realtime))
    far.start()
    probe.start()
    ours.recv()
    probe_ours.recv()
    try:
        with Ringmain(args, [], []) as bouncer:
            time.sleep(1)
            idle = resident(bouncer.pid)
            fair = not (args.realtime and real_time(tree(bouncer.pid)))
            bouncer.order("probe", f"network create -addr irc+insecure://127.0.0.1:{args.port + 3} -name net -nick probe")
            start = time.monotonic()
            with Window(bouncer.pid) as window:
                for number in range(args.crowd):
                    bouncer.add(f"user{number:05}", [])
                made = time.monotonic() - start
                while True:
                    ours.send("connected")
                    if ours.recv() >= args.crowd:
                        break
                    if time.monotonic() - start > 300:
                        raise RuntimeError("they are not all connected")
                    time.sleep(0.1)
            up = time.monotonic() - start
            time.sleep(args.idle)
            full = resident(bouncer.pid)
            probe_ours.send("end")
            took, unanswered, echoes = probe_ours.recv()
    finally:
        for process, pipe in ((far, ours), (probe, probe_ours)):
            try:
                pipe.send("end")
            except OSError:
                pass
            process.join(10)
            if process.is_alive():
                process.terminate()
    took.sort()
    echoes.sort()
    row = emit("crowd", subject="ringmain", users=args.crowd, rss_mib=round(full / 2 ** 20, 1),
               user_kib=round((full - idle) / args.crowd / 1024, 2), made_s=round(made, 1), connected_s=round(up, 1),
               pings=len(took) + unanswered, pong_unanswered=unanswered,
               pong_ms_p50=round(took[len(took) // 2] * 1000, 2), pong_ms_p99=round(took[int(len(took) * 0.99)] * 1000, 2),
               pong_ms_max=round(took[-1] * 1000, 2), pong_over_10_ms=sum(t > 0.01 for t in took),
               echo_ms_p99=round(echoes[int(len(echoes) * 0.99)] * 1000, 2), echo_ms_max=round(echoes[-1] * 1000, 2),
               echo_over_10_ms=sum(t > 0.01 for t in echoes), real_time=not fair, **window.fields())
    table(f"{args.crowd} users with a network each", ["MiB", "KiB a user", "s to connect", "PONG ms p50", "p99", "max", "echo p99", "max"],
          [[row["rss_mib"], row["user_kib"], row["connected_s"], row["pong_ms_p50"], row["pong_ms_p99"], row["pong_ms_max"],
            row["echo_ms_p99"], row["echo_ms_max"]]])
    goal("MiB for 10,000 users, connected and idle", row["rss_mib"], 300)
    beside = f"{row['pong_over_10_ms']} of {row['pings']} longer; of as many bare echoes {row['echo_over_10_ms']}, the longest {row['echo_ms_max']}"
    goal("longest PONG, ms", row["pong_ms_max"], 10, but=f"{'no real-time priority; ' if fair else ''}{beside}")
    goal("PONG, p99, ms", row["pong_ms_p99"], 10, but=f"echo {row['echo_ms_p99']}: {ratio(row['pong_ms_p99'], row['echo_ms_p99'])}")


BENCHES = {"memory": bench_memory, "fanout": bench_fanout, "store": bench_store, "crowd": bench_crowd}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("benches", nargs="*", metavar="BENCH", help=" ".join(BENCHES))
    add("--build", type=pathlib.Path, default=ROOT / "build-release")
    add("--ringmain", type=pathlib.Path, help="the server (BUILD/ringmain)")
    add("--set", action="append", default=[], metavar="K=V", help="more settings of ringmain")
    add("--port", type=int, default=19300)
    add("--users", type=int, default=300, help="of memory")
    add("--znc-users", type=int, default=100)
    add("--lines", type=int, default=400, help="that each user's channel is told")
    add("--size", type=int, default=110, help="bytes of a line")
    add("--clients", type=int, default=50, help="of fanout")
    add("--fan-lines", type=int, default=100000, help="of ringmain; znc is told a tenth")
    add("--window", type=int, default=1500, help="lines on their way")
    add("--store-lines", type=int, default=300000)
    add("--crowd", type=int, default=10000)
    add("--idle", type=float, default=20, help="seconds of crowd after all are connected")
    add("--rounds", type=int, default=3)
    add("--no-realtime", dest="realtime", action="store_false", help="of crowd: the priority that all have")
    args = parser.parse_args()
    all_descriptors()
    for name in args.benches:
        if name not in BENCHES:
            parser.error(f"no benchmark {name}: {' '.join(BENCHES)}")
    for name in args.benches or BENCHES:
        BENCHES[name](args)
    sys.exit(0 if verdicts() else 1)


if __name__ == "__main__":
    main()
