"""A server with its keeper, and what is done to it: upgrades, kills, broken binaries, faults at a
chosen call. Processes are found by their parents, from the one that the test started."""
import os
import random
import shutil
import signal
import stat
import subprocess
import time

from fault_harness import CLIENTS, PATIENCE, SERVER, Server, await_, swarm_report

TIMES = int(os.environ.get("HANDOVERS", "20"))
CTL = os.path.join(CLIENTS, "ringmainctl")


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(x) for x in f.read().split()]
    except OSError:
        return []


def command(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().split(b"\0")[0].decode()
    except OSError:
        return ""


class Kept(Server):
    """keeper ─▶ holder ─▶ server. The program is a copy of its own, so that it can be replaced."""

    def __init__(self, settings=None, preload=None, program=None, **how):
        sets = {"workers": 2, "log.level": "info", **(settings or {})}
        super().__init__(sets, **how)
        self.program = program or os.path.join(self.own, "ringmain")
        if not program:
            shutil.copy(SERVER, self.program)
        if preload:
            self.environment["LD_PRELOAD"] = preload
        self.crashes = self.upgrades = 0

    def start(self):
        environment = {**os.environ, **self.environment}
        with open(self.log_path, "wb") as log, open(self.out_path, "wb") as out:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig=KILL", self.program, *self.args], stderr=log, stdout=out,
                stdin=subprocess.DEVNULL, env=environment, cwd=self.own)
        self.await_log(" core ready ")
        return self

    # its processes

    def holder(self):
        return children(self.process.pid)[-1]

    def pid(self):
        """The server: the child of the newest holder that has one."""
        def look():
            for holder in reversed(children(self.process.pid)):
                for pid in children(holder):
                    return pid
            return None
        return await_("there is a server", look)

    def tree(self):
        found, todo = [], [self.process.pid]
        while todo:
            found.append(todo.pop())
            todo += children(found[-1])
        return found

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid()}/fd"))

    def rss(self):
        with open(f"/proc/{self.pid()}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    # what is done to it

    def kill(self):
        os.kill(self.pid(), signal.SIGKILL)
        self.await_crash()

    def await_crash(self):
        self.crashes += 1
        self.await_log("started again after a crash", self.crashes)
        self.await_log(" core ready ", 1 + self.crashes + self.upgrades)

    def ctl(self, word):
        return subprocess.run([CTL, "--data", self.data, word], capture_output=True, text=True,
                              timeout=PATIENCE + 20, check=False)

    def upgrade(self):
        answer = self.ctl("upgrade")
        assert answer.returncode == 0, (answer.stdout, answer.stderr, self.log()[-2000:])
        self.upgrades += 1
        self.await_log("core took over", self.upgrades)
        self.await_log(" core ready ", 1 + self.crashes + self.upgrades)

    def upgrade_fails(self):
        answer = self.ctl("upgrade")
        assert answer.returncode == 1 and answer.stdout.startswith("error"), answer
        assert "this server goes on" in self.log()
        return answer.stdout

    def replace(self, text):
        """Another program under the same name: as a package does it, in one step."""
        fresh = self.program + ".new"
        with open(fresh, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(fresh, stat.S_IRWXU)
        os.rename(fresh, self.program)

    def restore(self):
        with open(SERVER, "rb") as f:
            self.replace(f.read())

    def wrap(self, **environment):
        """The program, started with these variables."""
        words = " ".join(f"{name}='{value}'" for name, value in environment.items())
        self.replace(f"#!/bin/sh\n{words} exec {SERVER} \"$@\"\n")


def disturb(server, how, times):
    """So many upgrades or kills, each at a moment of its own."""
    for i in range(times):
        time.sleep(random.uniform(0.05, 0.6))
        kind = how if how != "both" else ("kill", "upgrade")[i % 2]
        server.kill() if kind == "kill" else server.upgrade()


def assert_still_live(*encoders):
    """They were let in once, and nobody broke with them."""
    for encoder in encoders:
        done = encoder.stop()
        assert done and done["connects"] == 1 and done["drops"] == 0 and done["lost"] == 0, done


def all_hear(listeners, more):
    """Each of them hears so much more than it has now."""
    wanted = [(listener, len(listener.received()) + more) for listener in listeners]
    for listener, want in wanted:
        await_(f"{more} more bytes", lambda l=listener, n=want: len(l.received()) >= n or l.ended)
        assert len(listener.received()) >= want, "ended early"


def swarm_over(swarm):
    """Ends it; its report."""
    swarm.terminate()
    return swarm_report(swarm)
