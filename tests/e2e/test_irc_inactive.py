"""Users who rest: their clients have not come for a time (irc.inactive), or their account is disabled."""
import contextlib
import sqlite3

from irc import stored
from irc_service import ADMIN, Bouncer
from stage import Crew, Server, await_true

RESTS = "No client of yours came for a long time. It is connected to when one comes"


def rests(bouncer):
    await_true(lambda: RESTS in " ".join(bouncer.good("network status")), 60, lambda: bouncer.good("network status"))


def test_networks_of_who_does_not_come_are_left_until_he_does(serve, fake):
    """They are disconnected with a QUIT, say why, and stay so whatever is ordered meanwhile; a client that comes finds them
    connected to, and its channels joined."""
    bouncer = Bouncer(serve, {"irc.inactive": "1s"})
    server = fake()
    # Who is here is active, however long.
    client = bouncer.client("admin@setup")
    _, up = bouncer.on_channel(server)
    _.close()
    client.close()
    up.expect("^QUIT ")
    up.gone()
    rests(bouncer)
    bouncer.good("network update net -realname Other")
    bouncer.good(f"network create -addr {server.address()} -name two -nick ann")
    assert sum("[off]" in line for line in bouncer.good("network status")) == 2
    client = bouncer.client("admin/net@one")
    found = [server.accept(), server.accept()]
    for up in found:
        up.register()
        up.sync()
    assert sorted("JOIN #ring" in up.said for up in found) == [False, True]
    client.expect("NOTICE ann :net is connected")


def test_who_is_here_is_not_taken_for_inactive_by_the_next_server(serve, fake):
    """It knows of clients by the store alone: what stands there is never older than half of irc.inactive."""
    bouncer = Bouncer(serve, {"irc.inactive": "2s"})
    client, _ = bouncer.on_channel(fake())

    def seen():
        (at,), = stored(bouncer.server, "SELECT seen FROM irc_devices WHERE name = 'one'")
        return at
    await_true(lambda: stored(bouncer.server, "SELECT 1 FROM irc_devices WHERE name = 'one'"), 60)
    first = seen()
    await_true(lambda: seen() > first, 60, seen)
    client.sync()


def test_who_is_shut_out_is_nowhere_until_he_is_not(serve, fake):
    """A disabled account: its clients are gone, its networks are left, whatever is ordered for it."""
    bouncer = Bouncer(serve, {"outgoing.internal": "127.0.0.0/8"})
    server = fake()
    bouncer.good("user create -username carl -password 'long enough 1'")
    bouncer.good(f"network create -addr {server.address()} -name net -nick carl", "carl")
    up = server.accept()
    up.register(nick="carl")
    client = bouncer.client("carl/net@one", password="long enough 1", nick="carl")
    bouncer.good("user update carl -enabled false")
    client.expect("^ERROR :This account is disabled")
    client.gone()
    up.expect("^QUIT ")
    up.gone()
    bouncer.good("network update net -nick charles", "carl")
    assert "Your account is disabled. It is connected to when it is not" in " ".join(bouncer.good("network status", "carl"))
    bouncer.good("user update carl -enabled true")
    up = server.accept()
    up.register(nick="charles")
    client = bouncer.client("carl/net@one", password="long enough 1", nick="carl")
    assert any(" 001 charles " in line for line in client.said)


def test_who_has_not_come_for_long_is_not_connected_at_the_start(tmp_path, fake):
    def start(settings):
        return Server(crew, tmp_path, settings, ("--data", tmp_path / "data"))

    server = fake()
    with Crew(tmp_path) as crew:
        bouncer = Bouncer(start)
        bouncer.on_channel(server)
        bouncer.server.stop()
        with contextlib.closing(sqlite3.connect(tmp_path / "data" / "ringmain.db")) as store:
            (came,), = store.execute("SELECT seen FROM irc_devices WHERE name = 'one'").fetchall()
            assert came > 0
            store.execute("UPDATE irc_devices SET seen = seen - 3600000")
            store.commit()
        bouncer = Bouncer(start, {"irc.inactive": "30m"})
        rests(bouncer)
        bouncer.client("admin/net@two")
        up = server.accept()
        up.register()
        up.expect("^JOIN #ring")
        bouncer.server.stop()


def test_who_is_deleted_over_the_api_has_nothing_left(serve, fake):
    """His clients and networks go at once, and whoever has his name next finds nothing of his."""
    bouncer = Bouncer(serve, {"outgoing.internal": "127.0.0.0/8"})
    server = fake()
    bouncer.good("user create -username carl -password 'long enough 1'")
    bouncer.good(f"network create -addr {server.address()} -name net -nick carl", "carl")
    up = server.accept()
    up.register(nick="carl")
    client = bouncer.client("carl/net@one", password="long enough 1", nick="carl")
    assert bouncer.server.get("/api/v1/users/carl", auth=ADMIN, method="DELETE").status < 300
    client.expect("^ERROR :This account is no more")
    client.gone()
    up.gone()
    bouncer.good("user create -username carl -password 'long enough 2'")
    assert not any("net" in line.split() for line in bouncer.good("network status", "carl"))
