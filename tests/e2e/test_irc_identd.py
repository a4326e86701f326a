"""Who a connection is, as servers of IRC ask (RFC 1413)."""
import socket

import pytest

from irc import FakeServer
from irc_service import Bouncer
from stage import free_ports


@pytest.fixture
def fake():
    server = FakeServer()
    yield server
    server.close()


def ask(port, question, source="127.0.0.1"):
    with socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0)) as connection:
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
