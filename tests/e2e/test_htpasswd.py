"""A file of users says who may listen, as Icecast's htpasswd authentication; both servers are asked the
same beside each other."""
import contextlib
import crypt
import hashlib
import os
import re
import threading

import pytest

from encoders import dial, open_to_nobody, read_until
from icecast import Icecast
from stage import await_true, basic, need
from test_admin import clients, shape
from test_requests import mp3_frames, raw_source

ARGON = ("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$"
         "ZBwLpiNxZxxNoIKrFeZ1vLXm6CFTWqHGnVFJrlVIyZ0")


def md5(password):
    return hashlib.md5(password.encode()).hexdigest()


def listen(server, mount="/one", auth=None):
    """(its head, its connection, which is open when it was let in)."""
    connection = dial(server)
    head = f"GET {mount} HTTP/1.0\r\nUser-Agent: tester\r\n"
    if auth:
        head += f"Authorization: {basic(*auth)}\r\n"
    connection.sendall(f"{head}\r\n".encode())
    return read_until(connection, b"\r\n\r\n").decode(), connection


def status(server, mount="/one", auth=None):
    head, connection = listen(server, mount, auth)
    connection.close()
    return int(head.split()[1])


def users(server, call="manageauth?mount=/one"):
    answer = server.admin(call)
    assert answer.status == 200, answer.body
    return [e.findtext("username") for e in answer.xml.findall("source/User")]


def message(server, call):
    answer = server.admin(f"manageauth?mount=/one&{call}")
    assert answer.status == 200, answer.body
    return answer.xml.findtext("iceresponse/message")


@contextlib.contextmanager
def station(serve, sounds, file, mounts=("/one",), **settings):
    server = serve({"mount./one.htpasswd": file, "radio.turn": "20ms",
                    **{f"mount./one.{n}": v for n, v in settings.items()}})
    with contextlib.ExitStack() as stack:
        for mount in mounts:
            stack.enter_context(raw_source(server, mount, "audio/mpeg", "", mp3_frames(sounds)))
            server.await_mount(mount)
        yield server


# -- beside Icecast --------------------------------------------------------------------------------

class Both:
    def __init__(self, file, *servers):
        self.file, self.servers, self.ages = file, servers, 0

    def age(self):
        """Icecast sees a change by its second."""
        self.ages += 10
        if self.file.exists():
            os.utime(self.file, (self.ages, self.ages))

    def __call__(self, ask):
        """What ringmain and what Icecast says."""
        return tuple(ask(server) for server in self.servers)


@pytest.fixture(scope="module")
def both(shared_serve, shared_crew, shared_room, sounds):
    need("icecast2")
    room = open_to_nobody(shared_room / "users")
    files = [shared_room / "ours", room / "theirs"]
    servers = [shared_serve({"mount./one.htpasswd": files[0],
                             "mount./one.allow_duplicate_users": "no"}),
               Icecast(shared_crew, shared_room, f"""<mount type="normal">
                 <mount-name>/one</mount-name><authentication type="htpasswd">
                 <option name="filename" value="{files[1]}"/>
                 <option name="allow_duplicate_users" value="0"/></authentication></mount>""")]
    with contextlib.ExitStack() as stack:
        for server in servers:
            for mount in ("/one", "/two"):
                stack.enter_context(raw_source(server, mount, "audio/mpeg", "", mp3_frames(sounds)))
                await_true(lambda: server.admin(f"listclients?mount={mount}").status == 200, 10)
        yield Both(files[1], *servers)


def test_manageauth_answers_as_icecast_does(both):
    """One story; after each step both say the same in the same form."""
    for call in ("manageauth?mount=/two", "manageauth?mount=/none", "manageauth",
                 "manageauth?mount=/one&action=add&username=ann",
                 "manageauth?mount=/one&action=add&password=x",
                 "manageauth?mount=/one&action=delete"):
        ours, theirs = both(lambda server: server.admin(call))
        assert 400 <= theirs.status < 500 and 400 <= ours.status < 500, call
    for call in ("action=add&username=ann&password=right", "action=add&username=ann&password=other",
                 "action=add&username=caf%C3%A9+x&password=p%3A%26", "action=list", "action=foo", "",
                 "action=delete&username=ann", "action=add&username=ann&password=right"):
        ours, theirs = both(lambda server: server.admin(f"manageauth?mount=/one&{call}"))
        assert ours.status == theirs.status == 200, call
        assert shape(ours.xml) == shape(theirs.xml), call
        assert ours.xml.findtext("iceresponse/message") == \
            theirs.xml.findtext("iceresponse/message"), call
        both.age()
        ours, theirs = both(lambda server: sorted(users(server)))
        assert ours == theirs, call
    for auth in (None, ("ann", "right"), ("ann", "other"), ("ann", ""), ("bob", "right"),
                 ("café x", "p:&")):
        ours, theirs = both(lambda server: status(server, auth=auth))
        assert ours == theirs, auth
        assert (ours == 200) == (auth in (("ann", "right"), ("café x", "p:&")))
    assert both(lambda server: status(server, "/two")) == (200, 200)


def test_the_second_of_a_name_is_refused_as_icecast_does(both):
    both(lambda server: message(server, "action=add&username=dup&password=right"))
    both.age()
    named = lambda server: [e.findtext("username") for e in clients(server, "/one").values()]
    both(lambda server: await_true(lambda: not named(server), 15))
    held = both(lambda server: listen(server, auth=("dup", "right")))
    assert all(" 200 " in head for head, _ in held)
    both(lambda server: await_true(lambda: named(server) == ["dup"], 10))
    assert both(lambda server: status(server, auth=("dup", "right"))) == (401, 401)
    for _, connection in held:
        connection.close()
    both(lambda server: await_true(lambda: not named(server), 15))
    assert both(lambda server: status(server, auth=("dup", "right"))) == (200, 200)


def test_statistics_name_the_authenticator_as_icecast_does(both):
    ours, theirs = both(lambda server: server.admin("stats").xml)
    for tree in (ours, theirs):
        assert {s.get("mount"): s.findtext("authenticator") for s in tree.findall("source")} == \
            {"/one": "htpasswd", "/two": None}


def test_a_file_of_icecasts_is_taken_as_it_is(both, serve, sounds):
    theirs = both.servers[1]
    message(theirs, "action=add&username=their&password=s%C3%A4cret")
    file = [l for l in theirs.config.read_text().splitlines() if "filename" in l][0]
    with station(serve, sounds, re.search('value="(.*)"', file).group(1)) as server:
        assert status(server, auth=("their", "säcret")) == 200
        assert status(server, auth=("their", "sacret")) == 401


# -- the file --------------------------------------------------------------------------------------

def test_hashes_of_all_kinds_fit_their_passwords_and_no_others(serve, sounds, tmp_path):
    kinds = {"md5": md5("right"), "upper": md5("right").upper(),
             "bcrypt": crypt.crypt("right", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)),
             "sha512": crypt.crypt("right", crypt.mksalt(crypt.METHOD_SHA512, rounds=1000)),
             "sha256": crypt.crypt("right", crypt.mksalt(crypt.METHOD_SHA256, rounds=1000))}
    file = tmp_path / "users"
    file.write_text("# all of them\r\n\r\n" + "".join(f"{n}:{h}\n" for n, h in kinds.items()) +
                    "apr:$apr1$x$y\nplain:right\nnone\n:" + md5("right"))
    with station(serve, sounds, file) as server:
        for name in kinds:
            assert status(server, auth=(name, "right")) == 200, name
            assert status(server, auth=(name, "wrong")) == 401, name
            assert status(server, auth=(name, "")) == 401, name
        for name in ("apr", "plain", "none", "", "# all of them"):
            assert status(server, auth=(name, "right")) == 401, name
        server.await_log(r"ERROR|error radio htpasswd lines not understood .*lines=2 first=10")
        server.await_log("htpasswd users with hashes of an unknown kind .*users=2")
        # What is added is hashed slowly, and fits; all else in the file stays.
        before = file.read_text()
        assert message(server, "action=add&username=new&password=right+one") == "User added"
        assert file.read_text().startswith(before)
        assert re.search(r"^new:\$argon2id\$", file.read_text(), re.M)
        assert status(server, auth=("new", "right one")) == 200
        assert status(server, auth=("new", "right")) == 401
        assert message(server, "action=delete&username=new") == "User deleted"
        assert file.read_text() == before + "\n"
        assert status(server, auth=("new", "right one")) == 401


def test_a_change_by_hand_is_noticed_and_who_listens_stays(serve, sounds, tmp_path):
    file = tmp_path / "users"
    file.write_text(f"ann:{md5('right')}\n")
    with station(serve, sounds, file) as server:
        head, listener = listen(server, auth=("ann", "right"))
        assert " 200 " in head
        file.write_text(f"bob:{md5('right')}\n")
        await_true(lambda: status(server, auth=("bob", "right")) == 200, 10)
        # Each worker looks for itself.
        await_true(lambda: status(server, auth=("ann", "right")) == 401, 10)
        file.unlink()
        none = "error radio no listener is let in: htpasswd file not read .*"
        await_true(lambda: status(server, auth=("bob", "right")) == 401 and
                   re.search(none + "No such file", server.log()), 10, server.log)
        file.mkdir()
        await_true(lambda: status(server, auth=("bob", "right")) == 401 and
                   re.search(none + "Invalid argument", server.log()), 10, server.log)
        # The first user makes the file, for nobody else to read.
        file.rmdir()
        assert message(server, "action=add&username=eve&password=x") == "User added"
        assert file.stat().st_mode & 0o777 == 0o600
        await_true(lambda: status(server, auth=("eve", "x")) == 200, 10)
        before = server.bytes_read("/one")
        await_true(lambda: listener.recv(65536) and server.bytes_read("/one") > before + 20000, 15)
        # Nothing was said again at each look.
        assert server.log().count("No such file") <= int(os.cpu_count()) + 1


def test_a_broken_write_leaves_the_file_as_it_was(serve, sounds, tmp_path):
    room = tmp_path / "room"
    room.mkdir()
    real, link = room / "users", tmp_path / "link"
    real.write_text(f"ann:{md5('right')}\n")
    real.chmod(0o640)
    link.symlink_to(real)
    with station(serve, sounds, link) as server:
        assert message(server, "action=add&username=bob&password=x") == "User added"
        assert link.is_symlink() and real.stat().st_mode & 0o777 == 0o640
        assert [f.name for f in room.iterdir()] == ["users"]
        if os.getuid() != 0:
            room.chmod(0o500)
            assert "check the error log" in message(server, "action=add&username=eve&password=x")
            room.chmod(0o700)
        assert users(server) == ["ann", "bob"]


def test_changes_at_the_same_time_are_all_kept(serve, sounds, tmp_path):
    with station(serve, sounds, tmp_path / "users") as server:
        names = [f"user{i}" for i in range(8)]
        threads = [threading.Thread(target=message, args=(
            server, f"action=add&username={name}&password=x")) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(users(server)) == names


@pytest.mark.parametrize("name", ["", "a%3Ab", "%23a", "a%0Ab", "x" * 64],
                         ids=["empty", "colon", "hash", "line break", "long"])
def test_what_is_no_name_gets_into_no_file(serve, sounds, tmp_path, name):
    with station(serve, sounds, tmp_path / "users") as server:
        answer = server.admin(f"manageauth?mount=/one&action=add&username={name}&password=x")
        assert answer.status == 400 and not (tmp_path / "users").exists()


def test_guesses_are_counted_and_hit_nobody_else(serve, sounds, tmp_path):
    file = tmp_path / "users"
    file.write_text(f"ann:{md5('right')}\n")
    server = serve({"mount./one.htpasswd": file, "auth.attempts": "5", "auth.lockout": "1h"})
    with raw_source(server, "/one", "audio/mpeg", "", mp3_frames(sounds)):
        server.await_mount("/one")
        assert [status(server, auth=("ann", f"guess {i}")) for i in range(7)] == [401] * 5 + [429] * 2
        assert status(server, auth=("ann", "right")) == 429
        assert server.admin("stats").status == 200


def test_names_of_listeners_are_counted_again_after_a_move(serve, sounds, tmp_path):
    file = tmp_path / "users"
    file.write_text(f"ann:{md5('right')}\n")
    with station(serve, sounds, file, ("/one", "/two"), allow_duplicate_users="no") as server:
        _, listener = listen(server, auth=("ann", "right"))
        await_true(lambda: len(clients(server, "/one")) == 1, 10)
        assert server.admin("moveclients?mount=/one&destination=/two").status == 200
        await_true(lambda: len(clients(server, "/two")) == 1, 10)
        head, second = listen(server, auth=("ann", "right"))
        assert " 200 " in head
        assert status(server, auth=("ann", "right")) == 401
        assert server.admin("moveclients?mount=/two&destination=/one").status == 200
        await_true(lambda: len(clients(server, "/one")) == 2, 10)
        listener.close(), second.close()
        await_true(lambda: not clients(server, "/one"), 15)
        assert status(server, auth=("ann", "right")) == 200


def test_many_at_once_are_let_in(serve, sounds, tmp_path):
    file = tmp_path / "users"
    file.write_text("".join(f"u{i}:{md5('right')}\n" for i in range(2000)))
    with station(serve, sounds, file) as server, contextlib.ExitStack() as stack:
        for i in range(200):
            head, connection = listen(server, auth=(f"u{i * 7}", "right"))
            stack.callback(connection.close)
            assert " 200 " in head
        await_true(lambda: server.mount("/one")["listeners"] == 200, 15)
