"""A small systemd: a notify socket, a store of descriptors, and a start that passes them on.

As the real one it refuses what comes from a process that is gone when it looks, keeps one copy of each
descriptor until it is told to let go, and passes them in no order that anybody may count on."""
import array
import os
import random
import socket
import subprocess
import sys
import threading

from fault_harness import PATIENCE
from handover_harness import Kept

# Puts descriptors at 3, 4, … and becomes the program.
LAUNCHER = """
import fcntl, os, sys
fds, names = eval(sys.argv[1])
high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 9000) for fd in fds]
os.closerange(3, 9000)
for at, fd in enumerate(high):
    os.dup2(fd, 3 + at, inheritable=True)
os.closerange(9000, 9000 + 2 * len(high) + 10)
if fds:
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=":".join(names))
os.execv(sys.argv[2], sys.argv[2:])
"""


class Notify:
    """What systemd hears and keeps."""

    def __init__(self, path, most):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(path)
        self.most = most
        self.store, self.said = [], []
        self.lock = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                text, control, _, _ = self.socket.recvmsg(65536, 65536)
            except OSError:
                return
            fds, pid = array.array("i"), 0
            for _, kind, data in control:
                if kind == socket.SCM_RIGHTS:
                    fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
                else:
                    pid = int.from_bytes(data[:4], sys.byteorder)
            self._take(text.decode().split("\n"), list(fds), os.path.exists(f"/proc/{pid}/exe"))

    def _take(self, lines, fds, there):
        with self.lock:
            self.said += lines
            name = next((l[7:] for l in lines if l.startswith("FDNAME=")), "stored")
            if "FDSTORE=1" in lines and there:
                room = self.most - len(self.store)
                self.store += [(name, fd) for fd in fds[:room]]
                fds = fds[room:]
            elif "FDSTOREREMOVE=1" in lines:
                for _, fd in (kept for kept in self.store if kept[0] == name):
                    os.close(fd)
                self.store = [kept for kept in self.store if kept[0] != name]
        for fd in fds:  # of BARRIER=1 too: that is the answer
            os.close(fd)

    def heard(self, line):
        with self.lock:
            return self.said.count(line)

    def drop(self):
        """A unit that is stopped, and not restarted."""
        with self.lock:
            for _, fd in self.store:
                os.close(fd)
            self.store = []


class Unit(Kept):
    """The server as a unit of that systemd."""

    def __init__(self, *args, most=4096, offered=None, **how):
        super().__init__(*args, **how)
        path = os.path.join(self.own, "notify")
        self.notify = Notify(path, most)
        self.environment = {**self.environment, "NOTIFY_SOCKET": path}
        if offered != 0:
            self.environment["FDSTORE"] = str(offered or most)
        self.starts = 0

    def start(self):
        kept = list(self.notify.store)
        random.shuffle(kept)
        fds, names = [fd for _, fd in kept], [name for name, _ in kept]
        ready = self.notify.heard("READY=1")
        with open(self.log_path, "ab") as log, open(self.out_path, "ab") as out:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig=KILL", sys.executable, "-c", LAUNCHER, repr((fds, names)),
                 self.program, *self.args], stderr=log, stdout=out, stdin=subprocess.DEVNULL,
                pass_fds=fds, env={**os.environ, **self.environment}, cwd=self.own)
        self.starts += 1
        self.await_ready(ready + 1)
        return self

    def await_ready(self, count):
        from fault_harness import await_
        await_("READY=1", lambda: self.notify.heard("READY=1") >= count or self.process.poll() is not None)
        assert self.process.poll() is None, self.log()[-3000:]

    def restart(self):
        """systemctl restart."""
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0, self.log()[-3000:]
        self.start()

    def __exit__(self, *what):
        try:
            super().__exit__(*what)
        finally:
            self.notify.drop()
            self.notify.socket.close()
