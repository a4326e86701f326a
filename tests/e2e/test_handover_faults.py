"""Servers that cannot start, that crash, and what a shell sees of all that."""

import os
import re
import signal
import subprocess

import pytest

from fault_harness import PATIENCE, SANITIZED, SERVER, Encoder, Listener, await_, runs_of
from handover_harness import Kept, all_hear, assert_still_live, children, command

pytestmark = pytest.mark.skipif(SANITIZED, reason="a sanitizer does not bear clone(CLONE_FILES)")

ROOT = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture(scope="session")
def fault(tmp_path_factory):
    """The library that ends a process at a chosen call."""
    out = tmp_path_factory.mktemp("fault") / "handover_fault.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(out),
                    os.path.join(ROOT, "handover_fault.c"), "-ldl"], check=True)
    return str(out)


# --- a new server that is none ----------------------------------------------------------------------


BROKEN = {
    "no program at all": b"\x7fELF garbage",
    "one that ends": "#!/bin/sh\nexit 1\n",
    "one that ends well": "#!/bin/sh\nexit 0\n",
    "one that kills itself": "#!/bin/sh\nkill -9 $$\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_program_leaves_the_old_server_serving(kind):
    with Kept() as server, Encoder(server, title_every=1) as encoder:
        listener = Listener(server, icy=True)
        listener.await_bytes(5000)
        server.replace(BROKEN[kind])
        server.upgrade_fails()
        server.upgrade_fails()
        listener.await_bytes(20000)
        server.restore()
        server.upgrade()
        listener.await_bytes(20000)
        assert len(runs_of(listener.frames())) == 1
        assert_still_live(encoder)


def test_bad_settings_leave_the_old_server_serving():
    with Kept(config="radio:\n  turn: 100ms\n") as server, Encoder(server) as encoder:
        listener = Listener(server)
        listener.await_bytes(5000)
        with open(server.config_path, "w", encoding="utf-8") as f:
            f.write("radio:\n  turn: purple\n")
        server.upgrade_fails()
        listener.await_bytes(20000)
        assert len(runs_of(listener.frames())) == 1
        assert_still_live(encoder)


def test_a_new_server_killed_at_each_step(fault, tmp_path):
    """Whatever step it dies at, either the old one serves on, or the new one's holder starts it again:
    nobody hears which."""
    kept = given = 0
    with Kept({"workers": 1}) as server, Encoder(server, title_every=1) as encoder:
        listeners = [Listener(server, icy=i % 2 == 1) for i in range(12)]
        all_hear(listeners, 5000)
        step = 1
        while True:
            mark = tmp_path / f"mark{step}"
            server.wrap(LD_PRELOAD=fault, FAULT_STEP=step, FAULT_MARK=mark)
            answer = server.ctl("upgrade")
            if not mark.exists():
                assert answer.returncode == 0
                break
            if answer.returncode == 0:
                given += 1
            else:
                kept += 1
                assert "this server goes on" in server.log()
            await_("a server answers", lambda: server.get("/api/v1/station").status == 200)
            step += 1
            assert step < 60
        all_hear(listeners, 20000)
        for listener in listeners:
            assert not listener.ended
            assert len(runs_of(listener.frames())) == 1, runs_of(listener.frames())
        print("steps", step, "kept", kept, "given", given)
        assert kept > 3 and given > 0
        assert_still_live(encoder)


def test_a_new_server_that_crashes_before_the_keeper_knows_of_it_serves_on(fault, tmp_path):
    """The old one knows of it, and is gone long before the new one has been started again."""
    untold = tmp_path / "untold"
    with Kept() as server, Encoder(server) as encoder:
        listener = Listener(server)
        listener.await_bytes(5000)
        old = server.pid()
        server.wrap(LD_PRELOAD=fault, FAULT_TAKEN=untold)
        assert server.ctl("upgrade").returncode == 0
        await_("the old server is gone", lambda: old not in server.tree())
        assert untold.exists()
        untold.unlink()
        server.await_log("core ready", 2)
        listener.await_bytes(20000)
        assert len(runs_of(listener.frames())) == 1
        assert_still_live(encoder)
        assert server.process.poll() is None


def test_a_server_of_other_tables_takes_the_doors_alone():
    """The old one goes on with those that it has, and ends when they have left."""
    with Kept() as server, Encoder(server, "/live") as encoder:
        listener = Listener(server)
        listener.await_bytes(5000)
        with open(SERVER, "rb") as f:
            program = f.read()
        assert b"radio.listeners\0" in program
        server.replace(program.replace(b"radio.listeners\0", b"radio.audience_\0"))
        old = server.pid()
        answer = server.ctl("upgrade")
        assert answer.stdout == "ok the old server drains\n", answer
        server.await_log(" core ready ", 2)
        assert server.pid() != old
        with Encoder(server, "/other"):
            other = Listener(server, "/other")
            other.await_bytes(5000)
            listener.await_bytes(20000)
            assert len(runs_of(listener.frames())) == 1
            listener.socket.close()
            encoder.kill()
            await_("the old server ends", lambda: old not in server.tree(), 30)
            other.await_bytes(5000)


# --- crashes ----------------------------------------------------------------------------------------


def test_a_connection_that_crashes_the_server_twice_is_dropped_and_named(fault, tmp_path):
    port = tmp_path / "port"
    with Kept(preload=fault) as server:
        server.process.terminate()
        server.process.wait()
        server.environment["FAULT_PORT"] = str(port)
        server.start()
        with Encoder(server) as encoder:
            others = [Listener(server, icy=i % 2 == 1) for i in range(6)]
            poison = Listener(server, headers="X: y\r\n")
            all_hear([*others, poison], 5000)
            number = poison.socket.getsockname()[1]
            port.write_text(str(number))
            await_("it is dropped", lambda: poison.ended)
            server.await_log(r'listener not restored id=\d+ address=127.0.0.1 agent=test '
                             r'why="the server crashed over it twice"')
            assert server.metric("core_crashes_total") == 2
            all_hear(others, 20000)
            for listener in others:
                assert len(runs_of(listener.frames())) == 1
            assert_still_live(encoder)


def test_a_crash_while_a_crash_is_made_good_tears_nothing(fault, tmp_path):
    """The kernel had bytes that nobody knew of; and the next server dies just when it looks how many."""
    port = tmp_path / "port"
    with Kept(preload=fault) as server:
        server.process.terminate()
        server.process.wait()
        server.environment["FAULT_SENT"] = str(port)
        server.start()
        with Encoder(server) as encoder:
            listeners = [Listener(server, icy=i % 2 == 1) for i in range(4)]
            for n, listener in enumerate(listeners, 1):
                all_hear(listeners, 5000)
                (tmp_path / "other").write_text(str(listener.socket.getsockname()[1]))
                (tmp_path / "other").rename(port)
                server.await_log("started again after a crash", 2 * n)
                server.await_log(" core ready ", 1 + n)
            all_hear(listeners, 20000)
            for listener in listeners:
                assert len(runs_of(listener.frames())) == 1
            assert_still_live(encoder)


def test_a_server_that_cannot_start_again_ends_its_keeper():
    with Kept() as server, Encoder(server):
        # Its settings are gone: it cannot go on, three times.
        server.args_file = os.path.join(server.data, "passwords")
        with open(server.program, "rb"):
            pass
        for _ in range(2):
            server.kill()
    with Kept(config="radio:\n  turn: 100ms\n") as server:
        with open(server.config_path, "w", encoding="utf-8") as f:
            f.write("radio:\n  turn: purple\n")
        os.kill(server.pid(), signal.SIGKILL)
        assert server.process.wait(PATIENCE) == 1
        assert server.log().count("purple") == 3, server.log()
        server.process.returncode = 0


def test_the_holder_killed_is_an_upgrade():
    with Kept() as server, Encoder(server, title_every=1) as encoder:
        listeners = [Listener(server, icy=i % 2 == 1) for i in range(6)]
        all_hear(listeners, 5000)
        for i in range(3):
            os.kill(server.holder(), signal.SIGKILL)
            server.upgrades += 1
            server.await_log("core took over", server.upgrades)
            server.await_log(" core ready ", 1 + server.upgrades)
        server.kill()
        all_hear(listeners, 20000)
        for listener in listeners:
            assert len(runs_of(listener.frames())) == 1
        assert_still_live(encoder)


def test_the_keeper_killed_ends_the_server_in_order():
    with Kept() as server:
        pids = server.tree()
        server.process.kill()
        server.process.wait()
        await_("all are gone", lambda: not any(os.path.exists(f"/proc/{p}/exe") for p in pids[1:]))
        assert "the keeper is gone" in server.log()
        assert "core ended" in server.log()
        assert not server.listens()
        server.process.returncode = 0


# --- what a shell sees ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_as_one_program(number):
    with Kept() as server:
        pids = server.tree()
        assert len(pids) == 3
        server.process.send_signal(number)
        assert server.process.wait(PATIENCE) == 0
        await_("all are gone", lambda: not any(os.path.exists(f"/proc/{p}/exe") for p in pids))
        assert server.log().count("core stopping") == 1


def test_a_start_that_fails_says_so_once():
    with Kept() as server:
        second = subprocess.run([SERVER, "--data", server.own + "/other", "--set",
                                 f"http.listen=127.0.0.1:{server.port}"], capture_output=True,
                                text=True, timeout=PATIENCE, check=False)
        assert second.returncode == 1
        assert second.stderr.count("another program serves") == 1


def test_signals_reach_the_server():
    with Kept() as server:
        server.process.send_signal(signal.SIGHUP)
        server.await_log("core reloaded")
        server.process.send_signal(signal.SIGUSR2)
        server.await_log("core took over")
        server.await_log(" core ready ", 2)
        server.process.send_signal(signal.SIGHUP)
        server.await_log("core reloaded", 2)
        os.kill(server.pid(), signal.SIGUSR2)
        server.await_log("core took over", 2)
        server.await_log(" core ready ", 3)
        assert server.ctl("reload").stdout == "ok\n"


def test_signals_in_the_moment_of_a_change_are_not_lost():
    """They wait for the server that is about to start; none of them is what it dies of."""
    with Kept() as server:
        for i in range(20):
            reloads = server.log().count("core reloaded")
            server.process.send_signal(signal.SIGUSR2)
            server.await_log("core took over", i + 1)
            server.process.send_signal(signal.SIGHUP)
            server.await_log("core reloaded", reloads + 1)
            server.await_log(" core ready ", i + 2)
        assert server.metric("core_crashes_total") == 0


@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_a_log_file_is_nobody_elses_descriptor(tmp_path, how):
    """After a crash its number must not be that of a connection, to which the log would then be sent."""
    path = tmp_path / "log"
    kept = Kept({"log.file": path, "log.level": "debug"})
    kept.log_path = str(path)
    with kept as server:
        with Encoder(server, title_every=0.3) as encoder:
            listeners = [Listener(server, icy=i % 2 == 1) for i in range(6)]
            for _ in range(3):
                all_hear(listeners, 3000)
                server.upgrade() if how == "upgrade" else server.kill()
                late = Listener(server)
                late.await_bytes(3000)
                listeners.append(late)
            all_hear(listeners, 10000)
            for listener in listeners:
                assert len(runs_of(listener.frames())) == 1
            assert_still_live(encoder)


def test_the_demo_does_not_multiply():
    # Where it was built, for its helper is beside it there.
    with Kept({"radio.demo": "yes"}, program=SERVER) as server:
        server.await_state("/demo", "live", seconds=40)
        for step in (server.upgrade, server.kill, server.upgrade):
            step()
        server.await_state("/demo", "live", seconds=40)
        await_("there is one", lambda: sum("ringmain-demo" in command(p)
                                           for p in server.tree()) <= 1)


def test_nothing_grows():
    """Descriptors and memory, of all three processes, over fifty upgrades and some kills."""
    with Kept() as server, Encoder(server, title_every=1) as encoder:
        listeners = [Listener(server, icy=i % 2 == 1) for i in range(20)]
        all_hear(listeners, 5000)

        def keeper_costs():
            pid = server.process.pid
            return len(os.listdir(f"/proc/{pid}/fd")) + len(os.listdir(f"/proc/{server.holder()}/fd"))

        for _ in range(5):
            server.upgrade()
        server.kill()
        await_("the old ones are gone", lambda: len(children(server.process.pid)) == 1)
        before = server.descriptors(), keeper_costs(), server.rss()
        for i in range(50):
            server.upgrade()
            if i % 10 == 9:
                server.kill()
        await_("the old ones are gone", lambda: len(children(server.process.pid)) == 1)
        after = server.descriptors(), keeper_costs(), server.rss()
        print("before", before, "after", after)
        assert after[0] <= before[0] + 2
        assert after[1] <= before[1] + 2
        assert after[2] <= before[2] * 1.3 + 4e6
        for listener in listeners:
            assert not listener.ended
            assert len(runs_of(listener.frames())) == 1
        assert_still_live(encoder)


def test_a_reload_over_ringmainctl_says_what_is_wrong_and_where():
    with Kept(config="server:\n  name: x\n") as server:
        path = server.config_path
        write(path, "server:\n  name: y\nmount:\n  /live: {burst: lots}\n  /b: {colour: red}\n")
        said = server.ctl("reload")
        assert said.returncode == 1 and said.stdout.startswith("error ")
        assert f"{path}:4:18: " in said.stdout and f"{path}:5:8: " in said.stdout and "colour" in said.stdout
        write(path, "mount:\n  /live: {dump: /nowhere/at/all/x.mp3}\n")
        said = server.ctl("reload")
        assert said.returncode == 0 and said.stdout.startswith("ok ")
        assert f"{path}:2:" in said.stdout and "/nowhere/at/all" in said.stdout
        # What nobody can record or see, told at each reload; also in the log.
        write(path, "sfu:\n  udp: 127.0.0.1:0\n  record_directory: /nowhere/at/all\n  idle_clip: [/nowhere/x.ivf]\n")
        for _ in range(2):
            said = server.ctl("reload").stdout
            assert said.startswith("ok but:\n") and len(said.splitlines()) == 3, said
            assert f'{path}:3:21: sfu.record_directory: there is no directory "/nowhere/at/all" now' in said
            assert f"{path}:4:15: sfu.idle_clip: " in said and "/nowhere/x.ivf" in said
        assert "core settings doubtful" in server.log() and "sfu.record_directory" in server.log()
        # What is opened or read once: as long as it differs from what is in force.
        write(path, "sfu:\n  udp: 0.0.0.0:0\nstore:\n  file: /nowhere/db\n")
        for _ in range(2):
            said = server.ctl("reload").stdout
            assert said.startswith("ok but:\n") and len(said.splitlines()) == 3, said
            assert f"{path}:2:8: sfu.udp: takes effect at the next start" in said and "127.0.0.1:0" in said
            assert f"{path}:4:9: store.file: takes effect at the next start" in said
        write(path, "server:\n  name: z\nsfu:\n  udp: 127.0.0.1:0\n")
        assert server.ctl("reload").stdout == "ok\n"


def test_what_will_not_work_is_told_at_the_start_and_the_right_door_is_blamed():
    settings = {"sfu.udp": "127.0.0.1:0", "sfu.tcp": "127.0.0.1:0", "voice.record_directory": "/nowhere/rec"}
    with Kept(settings=settings) as server:
        assert re.search(r'settings doubtful doubt=.*voice.record_directory.*/nowhere/rec', server.log())
        sets = {**settings, "http.listen": "127.0.0.1:0", "irc.listen": "unix:/nowhere/x"}
        words = [word for name, value in sets.items() for word in ("--set", f"{name}={value}")]
        done = subprocess.run([SERVER, "--data", server.own + "/other", *words], capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        assert done.returncode == 1
        blamed, = re.findall(r"doors not opened at=(\S+) ", done.stderr)
        assert blamed.strip('"') == "/nowhere/x", done.stderr


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
