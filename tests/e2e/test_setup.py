"""A server that nobody has set up: whoever has the code that it printed makes himself its administrator,
once, and nobody else does."""
import json
import re
import threading

import pytest

from stage import ADMIN_PASSWORD, Server, await_true

GOOD = "a word of my own"


def post(server, code, user="admin", password=GOOD, headers=None):
    return server.get("/api/v1/setup", {"Content-Type": "application/json", **(headers or {})},
                      method="POST",
                      body=json.dumps({"token": code, "user": user, "password": password}))


def needed(server):
    return server.get("/api/v1/setup").json["needed"]


def code_of(server):
    return re.search(r"no administrator yet page=/admin/login code=([0-9a-f]{32})",
                     server.log()).group(1)


def rank(server, user, password):
    answer = server.get("/api/v1/me", auth=(user, password))
    return answer.json["rank"] if answer.status == 200 else answer.status


def invented(room, server):
    said = (room / f"data-{server.port}" / "passwords").read_text()
    return re.search("admin.password=(.*)", said).group(1)


@pytest.fixture
def fresh(serve):
    return serve({"admin.password": None})


def test_the_first_administrator_makes_himself_and_the_door_is_shut(fresh, tmp_path):
    code = code_of(fresh)
    file = tmp_path / f"data-{fresh.port}" / "setup-code"
    assert needed(fresh)
    assert file.read_text() == code + "\n" and file.stat().st_mode & 0o777 == 0o600
    assert re.search(rf"Set up: +http://localhost:{fresh.port}/admin/login .*{code}", fresh.log())
    assert post(fresh, code).status == 204
    fresh.await_log("administrator made user=admin")
    assert not needed(fresh) and not file.exists()
    assert rank(fresh, "admin", GOOD) == "admin"
    login = fresh.get("/api/v1/login", method="POST",
                      body=json.dumps({"user": "admin", "password": GOOD}))
    assert login.status == 200 and login.json["rank"] == "admin"
    assert [u["name"] for u in fresh.get("/api/v1/users", auth=("admin", GOOD)).json["users"]] \
        == ["admin"]
    # The code is nobody's any more, and the invented password still whose the machine is.
    assert post(fresh, code, "eve").status == 409
    assert rank(fresh, "admin", invented(tmp_path, fresh)) == "admin"


def test_it_is_still_so_after_a_restart(crew, tmp_path):
    options = ("--data", tmp_path / "data")
    one = Server(crew, tmp_path, {"admin.password": None}, options)
    code = code_of(one)
    one.stop()
    two = Server(crew, tmp_path, {"admin.password": None}, options)
    assert code_of(two) == code and needed(two)
    assert post(two, code, "anna").status == 204
    two.stop()
    three = Server(crew, tmp_path, {"admin.password": None}, options)
    assert not needed(three) and rank(three, "anna", GOOD) == "admin"
    assert "no administrator yet" not in three.log()
    assert post(three, code, "eve").status == 409
    # The last one goes: the door is open again, with another code.
    auth = ("anna", GOOD)
    assert three.get("/api/v1/users/anna", auth=auth, method="DELETE").status == 204
    assert needed(three) and code not in re.findall("code=(\\w+)", three.log())
    three.stop()


def test_settings_that_name_an_administrator_are_enough(serve):
    server = serve()
    assert not needed(server) and "no administrator yet" not in server.log()
    assert post(server, "0" * 32).status == 409
    assert rank(server, "admin", ADMIN_PASSWORD) == "admin"


@pytest.mark.parametrize("code, user, password, status, word", [
    (None, "admin", GOOD, 400, "incomplete"), ("", "admin", GOOD, 403, "bad_token"),
    ("0" * 32, "admin", GOOD, 403, "bad_token"), ("right", "a:b", GOOD, 400, "bad_name"),
    ("right", "source", GOOD, 409, "name_taken"), ("right", "", GOOD, 400, "bad_name"),
    ("right", "admin", "short", 400, "bad_password"),
    ("right", "admin", None, 400, "incomplete"), ("right", 7, GOOD, 400, "incomplete")],
    ids=["no code", "empty", "wrong", "colon", "source", "no name", "short", "no password", "number"])
def test_what_will_not_do_makes_nobody(shared_fresh, code, user, password, status, word):
    code = code_of(shared_fresh) if code == "right" else code
    answer = post(shared_fresh, code, user, password)
    assert (answer.status, answer.json["error"]["code"]) == (status, word)
    assert needed(shared_fresh)


@pytest.fixture(scope="module")
def shared_fresh(shared_serve):
    return shared_serve({"admin.password": None})


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"},
                                     {"Sec-Fetch-Site": "cross-site"}], ids=["origin", "fetch"])
def test_no_other_site_makes_one(shared_fresh, headers):
    answer = post(shared_fresh, code_of(shared_fresh), headers=headers)
    assert (answer.status, answer.json["error"]["code"]) == (403, "foreign")
    plain = shared_fresh.get("/api/v1/setup", {"Content-Type": "text/plain"}, method="POST",
                             body=json.dumps({"token": code_of(shared_fresh)}))
    assert plain.status == 415


def test_of_many_at_once_one_is_made(fresh):
    code, answers = code_of(fresh), []
    threads = [threading.Thread(target=lambda i=i: answers.append(
        (post(fresh, code, f"user{i}").status, f"user{i}"))) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in answers) == [204, 409, 409, 409], answers
    made, = [user for status, user in answers if status == 204]
    users = fresh.get("/api/v1/users", auth=(made, GOOD)).json["users"]
    assert [u["name"] for u in users] == [made]


def test_guesses_at_the_code_are_counted(serve):
    server = serve({"admin.password": None, "auth.attempts": "5", "auth.lockout": "1h"})
    said = [post(server, f"{i:032x}").status for i in range(7)]
    assert said == [403] * 5 + [429] * 2
    refused = post(server, code_of(server))
    assert refused.status == 429 and int(refused.headers["Retry-After"]) > 3500
    assert server.get("/api/v1/me", auth=("admin", "x")).status == 401, "another kind of guess"


def test_a_reload_with_a_password_shuts_the_door(crew, tmp_path):
    conf = tmp_path / "ringmain.yaml"
    conf.write_text("server: {name: x}\n")
    server = Server(crew, tmp_path, {"admin.password": None}, ("--config", conf))
    code = code_of(server)
    conf.write_text("admin: {password: one of my own}\n")
    server.process.popen.send_signal(1)
    server.await_log("core reloaded")
    assert not needed(server) and post(server, code).status == 409
    conf.write_text("server: {name: x}\n")
    server.process.popen.send_signal(1)
    await_true(lambda: needed(server), 10)
    server.stop()


def test_the_code_is_not_for_those_who_read_the_log_here(fresh, tmp_path):
    auth = ("admin", invented(tmp_path, fresh))
    code = code_of(fresh)
    made = fresh.get("/api/v1/users", {"Content-Type": "application/json"}, auth, method="POST",
                     body=json.dumps({"name": "olga", "password": GOOD, "rank": "operator"}))
    assert made.status == 201
    tail = fresh.get("/api/v1/log", auth=("olga", GOOD))
    assert tail.status == 200 and "no administrator yet" in tail.text
    assert code not in tail.text and "code=***" in tail.text
