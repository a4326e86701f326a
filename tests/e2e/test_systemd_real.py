"""The same with systemd itself: an instance of it in namespaces of its own, with the lines of the packaged
unit that matter for a restart. Skipped where that cannot be."""

import os
import pathlib
import re
import subprocess
import time

import pytest

from fault_harness import (CLIENTS, ROOT, SANITIZED, Encoder, Server, assert_whole, await_,
                           swarm_report, swarm_start)
from stage import need

pytestmark = pytest.mark.skipif(SANITIZED, reason="a sanitizer does not bear clone(CLONE_FILES)")

UNIT = pathlib.Path(ROOT, "packaging", "debian", "ringmain.service")
# The rest is a sandbox, which an instance for a user has not; and a user, whom the tests have not.
TAKEN = "Type|NotifyAccess|KillMode|FileDescriptorStoreMax|Environment|ExecReload|Restart|RestartSec|TimeoutStopSec"

# In a control group of its own, which is all that it sees of them.
OUTER = """
mount --make-rprivate / && mkdir {room}/groups && mount -t cgroup2 none {room}/groups || exit 77
mkdir {room}/groups/{group} && echo $$ >{room}/groups/{group}/cgroup.procs || exit 77
exec unshare -m -C -p -f --kill-child --mount-proc sh
"""
AFTER = "mount -t cgroup2 none {room}/groups && find {room}/groups/{group} -depth -type d -exec rmdir {{}} +"

# Mounts are its own, and so are processes: the end of the shell is the end of all.
PREPARE = """
mount --make-rprivate / && mkdir -p /run/systemd/system && mount -t cgroup2 none /sys/fs/cgroup || exit 77
export XDG_RUNTIME_DIR={room}/run XDG_CONFIG_HOME={room}/config
mkdir -p -m 700 $XDG_RUNTIME_DIR
(/lib/systemd/systemd --user --log-target=console >{room}/systemd.log 2>&1; touch {room}/ended) &
for i in $(seq 600); do
	systemctl --user list-units >/dev/null 2>&1 && break
	[ ! -e {room}/ended ] || exit 77
	sleep 0.1
done
systemctl --user list-units >/dev/null 2>&1 || exit 77
echo prepared
"""


class Systemd:
    """A shell beside a systemd."""

    def __init__(self, room):
        self.place = {"room": room, "group": f"ringmain-test-{os.getpid()}"}
        self.shell = subprocess.Popen(
            ["setpriv", "--pdeathsig=KILL", "unshare", "-m", "sh", "-c", OUTER.format(**self.place)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.shell.stdin.write(PREPARE.format(room=room))
        self.shell.stdin.flush()
        for line in self.shell.stdout:
            if line == "prepared\n":
                return
        self.end()
        pytest.skip("systemd does not run here")

    def ctl(self, words):
        """systemctl's output; it must be done well."""
        self.shell.stdin.write(f"systemctl --user {words}; echo ended $?\n")
        self.shell.stdin.flush()
        said = []
        for line in self.shell.stdout:
            if line.startswith("ended "):
                assert line == "ended 0\n", (words, said)
                return "".join(said)
            said.append(line)
        raise AssertionError("the shell is gone")

    def end(self):
        self.shell.kill()
        self.shell.communicate()
        # Its last processes may still be on their way out.
        for _ in range(50):
            if subprocess.run(["unshare", "-m", "sh", "-c", AFTER.format(**self.place)],
                              stderr=subprocess.DEVNULL, check=False).returncode == 0:
                break
            time.sleep(0.1)


class Unit(Server):
    """Started and ended by systemctl."""

    def __init__(self, systemd, room, settings=None):
        super().__init__({"log.level": "info", "workers": 2, **(settings or {})}, data=str(room / "state"))
        self.systemd = systemd
        lines = re.findall(rf"^(?:{TAKEN})=.*$", UNIT.read_text(), re.M)
        assert len(lines) == TAKEN.count("|") + 1
        program = os.environ.get("RINGMAIN", os.path.join(ROOT, "build", "ringmain"))
        text = "\n".join(["[Service]", *lines, f"Environment=STATE_DIRECTORY={self.data}",
                          f"ExecStart={program} {' '.join(map(str, self.args))} --set log.file={self.log_path}", ""])
        config = room / "config" / "systemd" / "user"
        config.mkdir(parents=True)
        (config / "ringmain.service").write_text(
            text.replace("/usr/bin/ringmainctl", os.path.join(CLIENTS, "ringmainctl")))

    def start(self):
        self.systemd.ctl("daemon-reload")
        self.systemd.ctl("start ringmain")
        return self

    def property(self, name):
        return self.systemd.ctl(f"show -P {name} ringmain").strip()

    def __exit__(self, *what):
        self.systemd.ctl("stop ringmain")


@pytest.fixture(name="systemd")
def _systemd(tmp_path):
    need("unshare", "systemctl")
    systemd = Systemd(tmp_path)
    yield systemd
    systemd.end()


def test_systemctl_restart_disconnects_nobody(systemd, tmp_path):
    with Unit(systemd, tmp_path, {"radio.turn": "50ms"}) as server:
        encoder = Encoder(server, title_every=0.7)
        swarm = swarm_start(server, listeners=600, icy=0.5, check=True, seconds=600)
        await_("all listen", lambda: server.listeners() == 600)
        for i in range(4):
            before = server.property("MainPID")
            systemd.ctl("restart ringmain")
            server.await_log("went on with what systemd kept", i + 1)
            assert server.property("MainPID") != before
            assert server.listeners() == 600
            await_("systemd has let go", lambda: server.property("NFileDescriptorStore") == "0")
            systemd.ctl("reload ringmain")
            server.await_log("core reloaded", i + 1)
            time.sleep(0.2)
        swarm.terminate()
        assert_whole(swarm_report(swarm))
        done = encoder.stop()
        assert done["connects"] == 1 and done["drops"] == 0 and done["lost"] == 0, done
        systemd.ctl("stop ringmain")
        assert server.property("NFileDescriptorStore") == "0"
        assert server.property("ActiveState") == "inactive"
        assert not server.listens()
