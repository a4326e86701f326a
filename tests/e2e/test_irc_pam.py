"""Who has no account here may have one on the machine: PAM, with modules of Debian's and what they start."""
import os
import pathlib
import stat
import subprocess

import pytest

from irc_service import Bouncer
from stage import PROGRAM, await_true

# What pam_exec starts: a name, a password on standard input, and what is to be done with it.
SCRIPT = """#!/bin/sh
cd "$(dirname "$0")"
printf '%s %s %s\\n' "$PAM_TYPE" "$PAM_USER" "$PAM_RHOST" >>asked
[ "$PAM_TYPE" = auth ] || { [ "$PAM_USER" != gone ]; exit; }
password=$(tr -d '\\000')
[ "$password" = 'her password' ] || exit 1
case $PAM_USER in
slow) until [ -e go ]; do sleep 0.05; done ;;
never) echo $$ >never; exec sleep 600 ;;
crash) kill -9 $PPID ;;
ann | gone | admin | boss) ;;
*) exit 1 ;;
esac
"""

RULES = """auth required pam_exec.so quiet expose_authtok {script}
account required pam_exec.so quiet {script}
"""


class Service:
    """A service of PAM in a directory of its own."""

    def __init__(self, directory, rules=RULES):
        directory.mkdir()
        self.directory, self.script = directory, directory / "script"
        self.script.write_text(SCRIPT)
        self.script.chmod(self.script.stat().st_mode | stat.S_IEXEC)
        self.path = directory / "ringmain-test"
        self.path.write_text(rules.format(script=self.script))

    def asked(self):
        asked = self.directory / "asked"
        return asked.read_text().splitlines() if asked.exists() else []


@pytest.fixture
def service(tmp_path):
    return Service(tmp_path / "pam")


@pytest.fixture
def bouncer(serve, service):
    return Bouncer(serve, {"irc.auth_pam": service.path})


def login(bouncer, user, password="her password"):
    client = bouncer.client(None)
    client.send(f"PASS :{password}", "NICK x", f"USER {user} 0 * :X")
    return client


def test_the_machine_says_who_it_is(bouncer, service):
    ann = bouncer.client("ann", password="her password", nick="annie")
    assert ann.service("user status") == ["ann: nick annie, 0 networks, 1 clients"]
    assert service.asked() == ["auth ann 127.0.0.1", "account ann 127.0.0.1"]
    bouncer.good("user create -username boss -password 'long enough 1' -admin true")
    # Wrong; nobody; one whose account is over; and nobody becomes an administrator by it.
    for user, password in (("ann", "wrong"), ("nobody", "her password"), ("gone", "her password"),
                           ("admin", "her password"), ("boss", "her password")):
        client = login(bouncer, user, password)
        client.expect(" 464 .*Invalid")
        client.gone()
    assert not any(" admin " in line or " boss " in line for line in service.asked())


def test_a_slow_module_delays_nobody_else(bouncer, service):
    slow = login(bouncer, "slow")
    await_true(lambda: any("auth slow" in line for line in service.asked()), 20, service.asked)
    # Also one that goes away meanwhile.
    login(bouncer, "slow").close()
    for _ in range(3):
        bouncer.client("ann", password="her password", nick="x").close()
    admin = bouncer.client()
    admin.send("PING :are you there")
    admin.expect("PONG .*are you there")
    assert not any(" 001 " in line or " 464 " in line for line in slow.said)
    (service.directory / "go").touch()
    slow.expect(" 001 ")


def test_a_module_that_never_returns_is_ended(serve, service):
    bouncer = Bouncer(serve, {"irc.auth_pam": service.path, "irc.auth_timeout": "1s", "irc.auth_pam_most": "1"})
    client = login(bouncer, "never")
    never = service.directory / "never"
    await_true(lambda: never.exists() and never.read_text().strip(), 20, service.asked)
    client.expect(" 464 .*cannot be asked now")
    await_true(lambda: not pathlib.Path(f"/proc/{never.read_text().strip()}").exists(), 20, "what it started is gone")

    def comes_in():
        client = login(bouncer, "ann")
        said = client.expect(" (001|464) ").verb
        client.close()
        return said == "001"
    await_true(comes_in, 20, "there is room again")


def test_so_many_are_asked_at_a_time(serve, service):
    bouncer = Bouncer(serve, {"irc.auth_pam": service.path, "irc.auth_pam_most": "1"})
    client = login(bouncer, "never")
    never = service.directory / "never"
    await_true(lambda: never.exists() and never.read_text().strip(), 20, service.asked)
    login(bouncer, "ann").expect(" 464 .*cannot be asked now")
    client.read()
    assert not client.said and not client.closed
    # A server that ends waits for none of them.
    child = never.read_text().strip()
    bouncer.server.stop()
    await_true(lambda: not pathlib.Path(f"/proc/{child}").exists(), 20, "it ends with the server")


@pytest.mark.parametrize("rules, user", [(RULES, "crash"),
                                         ("auth required pam_is_not_there.so\naccount required pam_permit.so\n", "ann")],
                         ids=["crash", "no-module"])
def test_what_does_not_work_lets_nobody_in(serve, tmp_path, rules, user):
    bouncer = Bouncer(serve, {"irc.auth_pam": Service(tmp_path / "pam", rules).path})
    login(bouncer, user).expect(" 464 .*cannot be asked now")


@pytest.mark.parametrize("rules, verb", [("auth required pam_permit.so\naccount required pam_permit.so\n", "001"),
                                         ("auth required pam_permit.so\naccount required pam_deny.so\n", "464"),
                                         ("auth required pam_deny.so\naccount required pam_permit.so\n", "464")],
                         ids=["permit", "account-denied", "denied"])
def test_rules_of_pam(serve, tmp_path, rules, verb):
    service = Service(tmp_path / "pam", rules)
    bouncer = Bouncer(serve, {"irc.auth_pam": service.path})
    client = login(bouncer, "whoever")
    assert client.expect(" (001|464) ").verb == verb
    # Without its rules there is no service: those of "other" are another's.
    service.path.unlink()
    login(bouncer, "another").expect(" 464 .*cannot be asked now")


@pytest.mark.parametrize("value, said", [("/nonexistent/service", "no service \"/nonexistent/service\""),
                                         ("ringmain-is-not-there", "no service \"ringmain-is-not-there\""),
                                         ("../shadow", "expected the name"), ("Login", "expected the name")],
                         ids=["path", "name", "elsewhere", "capital"])
def test_a_service_that_is_none_is_said(value, said):
    done = subprocess.run([PROGRAM, "--check", "--set", f"irc.auth_pam={value}"], capture_output=True, text=True,
                          timeout=120, env={**os.environ, "TZ": "UTC"}, check=False)
    assert said in done.stderr, done.stderr
    assert done.returncode == (0 if "no service" in said else 1)


def test_one_of_the_two_is_asked():
    done = subprocess.run([PROGRAM, "--check", "--set", "irc.auth_pam=login", "--set", "irc.auth_url=http://x/"],
                          capture_output=True, text=True, timeout=120, check=False)
    assert "irc.auth_url already" in done.stderr and done.returncode == 1
