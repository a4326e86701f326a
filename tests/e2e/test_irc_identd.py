"""Who a connection is, as servers of IRC ask (RFC 1413)."""
import os
import socket
import subprocess
import sys

import pytest

from irc_service import Bouncer
from stage import PATIENCE, free_ports, need


@pytest.fixture
def fake(fake):
    return fake()


def ask(port, question, source="127.0.0.1", at="127.0.0.1"):
    with socket.create_connection((at, port), timeout=60, source_address=(source, 0)) as connection:
        connection.sendall(question.encode())
        answer = b""
        while piece := connection.recv(100):
            answer += piece
    return answer.decode()


def test_identd(serve, fake):
    port = free_ports()
    bouncer = Bouncer(serve, {"irc.identd": f"127.0.0.1:{port}"})
    bouncer.good("user create -username bob -password 'long enough 1' -admin true")
    names = []
    for user in ("admin", "bob", "bob"):
        bouncer.good(f"network create -addr {fake.address()} -name net{len(names)} -nick ann", user)
        up = fake.accept()
        ours, theirs = up.socket.getpeername()[1], fake.port
        # Before it has registered.
        answer = ask(port, f"{ours}, {theirs}\r\n")
        assert answer.startswith(f"{ours} , {theirs} : USERID : UNIX : "), answer
        names.append(answer.split(" : ")[3].strip())
    assert names[0] != names[1] == names[2] and "admin" not in names[0] and len(names[0]) == 10
    assert ask(port, f"{ours} , {theirs + 1}\n") == f"{ours} , {theirs + 1} : ERROR : NO-USER\r\n"
    # Only the server that it is connected to may ask.
    assert "NO-USER" in ask(port, f"{ours},{theirs}\r\n", "127.0.0.2")
    assert ask(port, "nonsense\r\n") == "" and ask(port, "1" * 100) == ""


# 64 ports for the connections of a network namespace: of two users, each with an address of his own, many have the same.
NARROW = ("ip link set lo up && echo 50000 50063 >/proc/sys/net/ipv4/ip_local_port_range && "
          "exec {python} -m pytest -q -p no:cacheprovider {file}::test_users_with_one_port")


def test_users_with_one_port(serve, fake):
    """Each with an address of his own: they are told apart by it."""
    if "RINGMAIN_NARROW" not in os.environ:
        need("unshare", "ip")
        if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
            pytest.skip("no network namespaces here")
        inside = subprocess.run(["unshare", "-n", "sh", "-c", NARROW.format(python=sys.executable, file=__file__)],
                                env={**os.environ, "RINGMAIN_NARROW": "1"}, capture_output=True, text=True, timeout=4 * PATIENCE, check=False)
        assert inside.returncode == 0 and "1 passed" in inside.stdout, inside.stdout[-3000:]
        return
    port = free_ports()
    bouncer = Bouncer(serve, {"irc.identd": f"0.0.0.0:{port}", "irc.addresses": "127.64.0.0/10"})
    bouncer.good("user create -username bob -password 'long enough 1' -admin true")
    ups, ends = [], []
    while len({ours for _, _, ours in ends}) == len(ends):
        user = ("admin", "bob")[len(ends) % 2]
        bouncer.good(f"network create -addr {fake.address()} -name net{len(ends)} -nick ann", user)
        ups.append(fake.accept())
        ends.append((user, *ups[-1].socket.getpeername()))
    names = {"admin": set(), "bob": set()}
    for user, ip, ours in ends:
        names[user].add(ask(port, f"{ours}, {fake.port}\r\n", at=ip))
    told = {user: {answer.split(" : ")[3] for answer in answers} for user, answers in names.items()}
    assert len(told["admin"]) == len(told["bob"]) == 1 and told["admin"] != told["bob"], (ends, names)
    # At another address than theirs nobody knows which of them is meant.
    twice = next(ours for _, _, ours in ends if sum(o == ours for _, _, o in ends) > 1)
    assert "NO-USER" in ask(port, f"{twice}, {fake.port}\r\n")
