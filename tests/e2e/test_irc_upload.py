"""Files that users show each other."""
import os
import pathlib
import socket
import subprocess

import pytest

from irc_service import ADMIN, Bouncer
from fault_harness import basic, read_all
from stage import PATIENCE, await_true


@pytest.fixture
def bouncer(serve):
    return Bouncer(serve, {"irc.upload_max": "1M", "irc.upload_user_max": "1500k",
                           "http.public_url": "https://irc.example/"})


def upload(bouncer, data, name="file.png", auth=ADMIN, **headers):
    return bouncer.server.get("/irc/uploads", auth=auth, method="POST", body=data,
                              headers={"Content-Type": "image/png",
                                       "Content-Disposition": f'attachment; filename="{name}"', **headers})


def kept(bouncer):
    data = pathlib.Path(bouncer.server.process.args[bouncer.server.process.args.index("--data") + 1])
    return sorted(file.name for file in data.glob("irc-uploads/*/*")) + sorted(
        file.name for file in data.glob("irc-uploads/*/.*"))


def test_a_file_is_taken_and_given_out(bouncer):
    client = bouncer.client()
    assert any("soju.im/FILEHOST=https://irc.example/irc/uploads" in line for line in client.said)
    for size in (1, 70_000, 700_000):
        data = os.urandom(size)
        answer = upload(bouncer, data, "a picture/of ../me.png")
        assert answer.status == 201, answer
        where = answer.headers["location"]
        assert where.startswith("/irc/uploads/") and where.endswith("-a_picture_of_.._me.png")
        shown = bouncer.server.get(where)
        assert shown.status == 200 and shown.body == data
        assert shown.headers["content-type"] == "image/png" and "sandbox" in shown.headers["content-security-policy"]
        assert "content-disposition" not in shown.headers
    page = bouncer.server.get(upload(bouncer, b"<script>", "page.html").headers["location"])
    assert page.headers["content-type"] == "application/octet-stream"
    assert page.headers["content-disposition"] == "attachment" and "sandbox" in page.headers["content-security-policy"]


def announced(bouncer, size):
    """What is answered to who says how much will come: before it comes."""
    with socket.create_connection(("127.0.0.1", bouncer.server.port), PATIENCE) as client:
        client.sendall(("POST /irc/uploads HTTP/1.1\r\nHost: x\r\n" + basic(*ADMIN) +
                        f"Content-Length: {size}\r\n\r\n").encode())
        return int(client.recv(100).split()[1])


def test_limits(bouncer):
    assert upload(bouncer, b"x", auth=("admin", "wrong")).status == 401
    assert upload(bouncer, b"x", auth=None).status == 401
    assert upload(bouncer, b"").status == 411
    assert announced(bouncer, (1 << 20) + 1) == 413
    assert upload(bouncer, b"x" * 1_000_000).status == 201
    assert announced(bouncer, 700_000) == 413
    assert upload(bouncer, b"x" * 400_000).status == 201
    assert len(kept(bouncer)) == 2
    for path in ("/irc/uploads/", "/irc/uploads/../ringmain.db", "/irc/uploads/x/y", "/irc/uploads"):
        assert bouncer.server.get(path).status in (404, 405)


@pytest.mark.parametrize("path", ["/irc/uploads", "/api/v1/login", "/nowhere"])
@pytest.mark.parametrize("framing", [[], ["-H", "Transfer-Encoding: chunked"]], ids=["length", "chunked"])
def test_who_sends_too_much_can_read_why(bouncer, tmp_path, path, framing):
    """Without Expect, all of it before the answer is looked at."""
    file = tmp_path / "large"
    with open(file, "wb") as large:
        large.truncate(60_000_000)
    done = subprocess.run(["curl", "-sS", "-u", ":".join(ADMIN), "-H", "Expect:", *framing, "--data-binary", f"@{file}",
                           "-o", tmp_path / "answer", "-w", "%{http_code}", f"http://127.0.0.1:{bouncer.server.port}{path}"],
                          capture_output=True, text=True, timeout=120, check=False)
    wanted = "405" if path == "/nowhere" else "411" if framing else "413"
    assert (done.stdout, done.stderr, done.returncode) == (wanted, "", 0)
    # Also who never looks while it sends.
    with socket.create_connection(("127.0.0.1", bouncer.server.port), PATIENCE) as client:
        client.sendall((f"POST {path} HTTP/1.1\r\nHost: x\r\n" + basic(*ADMIN) +
                        "Content-Length: 60000000\r\n\r\n").encode())
        for _ in range(600):
            client.sendall(bytes(100_000))
        assert read_all(client).split(b" ")[1] == (b"405" if path == "/nowhere" else b"413")


def test_what_does_not_come_whole_is_not_kept(bouncer):
    with socket.create_connection(("127.0.0.1", bouncer.server.port)) as client:
        client.sendall(("POST /irc/uploads HTTP/1.1\r\nHost: x\r\n" + basic(*ADMIN) +
                        "Content-Length: 600000\r\nExpect: 100-continue\r\n\r\n").encode())
        assert client.recv(100).startswith(b"HTTP/1.1 100")
        client.sendall(b"x" * 500_000)
        await_true(lambda: any(name.startswith(".part-") for name in kept(bouncer)), 10, "it comes")
    await_true(lambda: kept(bouncer) == [], 10, lambda: kept(bouncer))


def test_nothing_is_taken_unless_wanted(serve):
    bouncer = Bouncer(serve)
    assert upload(bouncer, b"x").status == 404
    assert not any("FILEHOST" in line for line in bouncer.client().said)


def test_of_many_the_newest_are_listed(bouncer):
    """Whatever order the directory has them in."""
    upload(bouncer, b"x", "first.png")
    data = pathlib.Path(bouncer.server.process.args[bouncer.server.process.args.index("--data") + 1])
    first, = data.glob("irc-uploads/*/*")
    os.utime(first, (1_700_000_000, 1_700_000_000))
    for i in range(1, 1201):
        file = first.parent / f"{i * 7919 % 1201:032x}-{i}.png"
        file.touch()
        os.utime(file, (1_700_000_000 + i, 1_700_000_000 + i))
    lines = bouncer.good("file list")
    assert [line.split(" (")[0].rsplit("-", 1)[1] for line in lines[:-1]] == [f"{i}.png" for i in range(1200, 700, -1)]
    assert lines[-1] == "and 701 more"


def test_one_sees_and_deletes_ones_own(bouncer):
    bouncer.good("user create -username bob -password 'long enough 1'")
    assert bouncer.good("file list") == ["there is none"]
    places = [upload(bouncer, b"x" * size, f"{size}.png").headers["location"] for size in (1, 20, 300)]
    lines = bouncer.good("file list")
    assert sorted(line.split(" (")[0] for line in lines) == sorted(f"https://irc.example{place}" for place in places)
    assert "(300 bytes, 20" in next(line for line in lines if "300.png" in line)
    # By address, or by name; another's is not there.
    name = places[1].rsplit("/", 1)[1]
    assert bouncer.bad(f"file delete {name}", "bob") == f"there is no file {name}"
    assert bouncer.good(f"file delete https://irc.example{places[0]}")[0].endswith("is deleted")
    assert bouncer.good(f"file delete {name}") == [f"{name} is deleted"]
    assert [line.split(" (")[0] for line in bouncer.good("file list")] == [f"https://irc.example{places[2]}"]
    assert bouncer.server.get(places[1]).status == 404 and bouncer.server.get(places[2]).status == 200
    for wrong in ("", ".", "..", "x/", "../../ringmain.db", "a b"):
        bouncer.bad(f"file delete {wrong}")
    assert len(kept(bouncer)) == 1


def test_files_go_with_their_user(bouncer):
    bouncer.good("user create -username bob -password 'long enough 1'")
    bouncer.good("user update", "bob")
    assert upload(bouncer, b"x", auth=("bob", "long enough 1")).status == 201
    token = bouncer.bad("user delete bob").split()[-1]
    bouncer.good(f"user delete bob {token}")
    await_true(lambda: kept(bouncer) == [], 10, lambda: kept(bouncer))
