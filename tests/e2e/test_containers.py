"""The containers of packaging/compose.yaml, as far as a machine without images shows it: each process has mounts,
process numbers, IPC, network and no capabilities of its own, and what they have in common is one tmpfs, which
readers have read-only."""

import json
import os
import pathlib
import re
import shlex
import signal
import subprocess

import pytest

from slot_reader import CAPTURE_MANAGER, NET_INGEST
from stage import CLIENTS, PROGRAM, await_true, need

PACKAGING = pathlib.Path(__file__).resolve().parents[2] / "packaging"
# In a user namespace nobody needs to be root; what cannot be had there either is not tested.
MAY = subprocess.run(["unshare", "-rmipnf", "--mount-proc", "true"], capture_output=True, check=False).returncode == 0
pytestmark = pytest.mark.skipif(not MAY, reason="this machine gives no namespaces")
SHAPE = {"slot_id": "studio1", "width": 64, "height": 32, "fps_num": 50, "fps_den": 1, "source_type": "sdi"}


class Pod:
    """A tmpfs of 16 MiB, in a mount namespace that the others are made from."""

    def __init__(self, crew, tmp_path):
        self.crew, self.slots = crew, tmp_path / "slots"
        self.slots.mkdir()
        self.keeper = crew.start(["unshare", "-rm", "--propagation", "private", "sh", "-c",
                                  f"mount -t tmpfs -o size=16m,mode=0750 slots {self.slots} && echo ready && exec sleep 600"], "pod")
        self.keeper_said = await_true(lambda: "ready" in self.keeper.said(), 20, self.keeper.said)

    def command(self, *words, read_only=False, network=True):
        """What a container of the volume runs."""
        mount = f"mount --bind {self.slots} {self.slots} && mount -o remount,bind,ro {self.slots} && " if read_only else ""
        inner = (f"{mount}export FC_DIR={self.slots}; exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all "
                 + shlex.join(str(word) for word in words))
        return ["nsenter", "-t", str(self.keeper.popen.pid), "-U", "-m", "--preserve-credentials", "unshare",
                "-mipf" + ("" if network else "n"), "--mount-proc", "--kill-child", "sh", "-c", inner]

    def start(self, *words, **options):
        return self.crew.start(self.command(*words, **options), str(words[0]))

    def run(self, *words, **options):
        return subprocess.run(self.command(*words, **options), capture_output=True, timeout=60, check=False)


@pytest.fixture
def pod(crew, tmp_path):
    need("nsenter", "unshare", "setpriv")
    return Pod(crew, tmp_path)


def test_service_writer_and_readers_have_a_tmpfs_in_common_and_nothing_else(pod, tmp_path):
    door = tmp_path / "door"
    server = pod.start(PROGRAM, "--data", tmp_path / "data", "--set", "http.listen=127.0.0.1:0", "--set",
                       "radio.shoutcast_port=no", "--set", f"framecache.listen=unix:{door}")
    await_true(door.exists, 20, server.said)

    def ask(method, path, body=None):
        done = subprocess.run(["curl", "-s", "--unix-socket", door, "-X", method, f"http://framecache:7435{path}",
                               *(["-d", json.dumps(body)] if body else [])], capture_output=True, timeout=60, check=True)
        return json.loads(done.stdout)

    # The tmpfs is as large as the volume says: what does not fit is not promised.
    assert ask("POST", "/slots", {**SHAPE, "width": 1920, "height": 1080})["error"]["code"] == "no_room"
    assert ask("POST", "/slots", SHAPE)["bytes"] < 16 << 20
    writer = pod.start(CLIENTS / "frametest", "--size", "64x32", "--fps", "50", "--seconds", 180, "studio1", network=False)
    await_true(lambda: ask("GET", "/slots/studio1")["state"] == "live", 20, writer.said)
    reader = pod.run(CLIENTS / "framecat", "--frames", 50, "studio1", read_only=True, network=False)
    assert reader.returncode == 0 and reader.stdout.count(b"FRAME\n") == 50, reader.stderr
    assert b"50 frames, of them 0 repeated; lost 0" in reader.stderr, "woken from another container"
    second = pod.run(CLIENTS / "frametest", "--seconds", 1, "studio1", read_only=True)
    assert second.returncode != 0, "a reader's mount makes no writer"
    spoiled = pod.run("sh", "-c", f"echo > {pod.slots}/studio1", read_only=True)
    assert b"Read-only file system" in spoiled.stderr

    # Readers of other containers have no process numbers here, and are told apart all the same.
    watching = [pod.start(CLIENTS / "frametest", "--check", "--seconds", 180, "studio1", read_only=True, network=False) for _ in range(3)]
    await_true(lambda: len(ask("GET", "/slots/studio1")["readers"]) == 3, 20, lambda: ask("GET", "/slots/studio1"))
    os.killpg(watching[0].popen.pid, signal.SIGSTOP)
    # One that was stopped is shown falling behind, also where nobody can ask whether it lives.
    await_true(lambda: [it["lag"] > 200 for it in ask("GET", "/slots/studio1")["readers"]].count(True) == 1, 30,
               lambda: ask("GET", "/slots/studio1"))
    assert len(ask("GET", "/slots/studio1")["readers"]) == 3
    os.killpg(watching[0].popen.pid, signal.SIGCONT)
    writer.popen.kill()
    await_true(lambda: ask("GET", "/slots/studio1")["state"] in ("dead", "closed"), 20)


def compose(name):
    yaml = pytest.importorskip("yaml")
    text = (PACKAGING / "compose.yaml").read_text(encoding="utf-8")
    text = re.sub(r"\$\{(\w+)(?::[-?]([^}]*))?\}", lambda found: found[2] if found[2] and found[1] != "FC_PASSWORD" else "a-password", text)
    return yaml.safe_load(text)["services"][name]


def test_what_compose_starts_is_understood(pod, tmp_path):
    done = subprocess.run([PROGRAM, "--check", *compose("framecache")["command"]], capture_output=True, text=True,
                          env={**os.environ, **compose("framecache")["environment"]}, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run([CAPTURE_MANAGER, "--commands", *compose("capture-studio1")["command"]], capture_output=True,
                          text=True, check=False, timeout=60)
    assert done.returncode == 0 and "/recordings/studio1-master" in done.stdout, done.stderr
    for name in ("studio1_key", "framecache_login"):
        (tmp_path / name).write_text("admin:a-password\n")
    ingest = [word.replace("/run/secrets", str(tmp_path)).replace(":1935", ":0") for word in compose("ingest-studio1")["command"]]
    done = pod.run("timeout", 2, NET_INGEST, *ingest, network=False)
    assert done.returncode == 124 and b"usage" not in done.stderr, done.stderr
