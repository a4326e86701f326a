"""The bouncer over the admin API and ringmainctl: what an administrator and a user see and order."""
import subprocess

import pytest

from irc import Client, FakeServer
from stage import ADMIN_PASSWORD, CLIENTS, await_true, free_ports

ADMIN = ("admin", ADMIN_PASSWORD)


@pytest.fixture
def bouncer(serve):
    port = free_ports()
    server = serve({"irc.listen": f"127.0.0.1:{port}", "radio.shoutcast_port": "no", "workers": "2"})
    server.irc = port
    return server


def command(server, path, text, auth=ADMIN):
    import json
    answer = server.get(f"/api/v1/irc/{path}", auth=auth, method="POST", body=json.dumps({"command": text}),
                        headers={"Content-Type": "application/json"})
    return answer


def test_orders_over_the_api(bouncer):
    fake = FakeServer()
    made = command(bouncer, "users/admin/command", f"network create -addr {fake.address()} -name net").json
    assert made["good"] and made["lines"] == ["network net was created"]
    up = fake.accept()
    up.register(None)

    def state():
        networks = bouncer.get("/api/v1/irc/users/admin", auth=ADMIN).json["networks"]
        return networks[0] if networks and networks[0]["state"] == "up" else None
    shown = await_true(state, 10)
    assert shown["name"] == "net" and shown["host"] == "127.0.0.1" and not shown["tls"]
    client = Client(bouncer.irc, "admin/net@phone")
    users = bouncer.get("/api/v1/irc/users", auth=ADMIN).json["users"]
    assert [(u["name"], u["clients"][0]["client"]) for u in users] == [("admin", "phone")]
    refused = command(bouncer, "users/admin/command", "nonsense").json
    assert not refused["good"] and "unknown command" in refused["lines"][0]
    assert command(bouncer, "command", "net stat").json["lines"][0].startswith("net (irc+insecure")
    fake.close()


def test_nobody_sees_or_orders_for_another(bouncer):
    made = bouncer.get("/api/v1/users", auth=ADMIN, method="POST", headers={"Content-Type": "application/json"},
                       body='{"name": "eve", "password": "a long enough one", "rank": "dj"}')
    assert made.status == 201
    eve = ("eve", "a long enough one")
    assert bouncer.get("/api/v1/irc/users", auth=eve).status == 403
    assert bouncer.get("/api/v1/irc/users/admin", auth=eve).status == 403
    assert command(bouncer, "users/admin/command", "help", eve).status == 403
    assert command(bouncer, "command", "user status", eve).json["lines"][0].startswith("eve:")
    assert bouncer.get("/api/v1/irc/me", auth=eve).json["name"] == "eve"
    assert not command(bouncer, "command", "server status", eve).json["good"]
    assert bouncer.get("/api/v1/irc/users/nobody", auth=ADMIN).status == 404
    assert bouncer.get("/api/v1/irc/me", auth=None).status == 401


def ctl(bouncer, *words):
    data = bouncer.process.args[bouncer.process.args.index("--data") + 1]
    return subprocess.run([CLIENTS / "ringmainctl", "--data", data, "irc", *words], capture_output=True,
                          text=True, timeout=120)


def test_ringmainctl(bouncer):
    made = ctl(bouncer, "admin", "network", "create", "-addr", "irc+insecure://127.0.0.1:1", "-name", "net",
               "-realname", "Ann of the \"Ring\"")
    assert made.returncode == 0, made
    told = ctl(bouncer, "admin", "network", "status")
    assert told.returncode == 0 and "net (irc+insecure://127.0.0.1:1)" in told.stdout
    refused = ctl(bouncer, "admin", "nonsense", "x")
    assert refused.returncode == 1 and "unknown command" in refused.stdout + refused.stderr
    assert len(ctl(bouncer, "admin", "help").stdout.splitlines()) > 10
