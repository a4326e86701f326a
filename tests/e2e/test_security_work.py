"""Whether it can be told from the work that a server does who is there and who is not."""
import re

import pytest

from test_security import accounts, has_operation, login

ARGON2 = ("$argon2id$v=19$m=19456,t=2,p=1$WtAmR/Byo36V04FvbicOgA$"
          "HQd+3wwyVbOFpwMhelmhrkioAgDdSOFOfhbkVUjNJDQ")  # fits no password that anybody knows


def argon2_runs(server):
    return int(re.search(r"(?m)^ringmain_edge_password_hashes_total (\d+)$",
                         server.get("/metrics").text).group(1))


def test_who_is_there_and_who_is_not_cost_the_same_work(serve):
    """Not the time, which is anybody's on a loaded machine, but what takes it is counted."""
    server = serve({"admin.password": ARGON2, "auth.attempts": "0"})
    cost = {}
    for user in ("admin", "nobody", "root", "Admin", "a" * 63):
        for way in ("basic", "login"):
            before = argon2_runs(server)
            if way == "basic":
                assert server.get("/admin/stats", auth=(user, "a guess")).status == 401
            else:
                assert login(server, user, "a guess").status == 401
            cost[user, way] = argon2_runs(server) - before
    assert set(cost.values()) == {1}, cost


def test_users_and_strangers_cost_the_same_work(serve):
    server = serve({"auth.attempts": "0"})
    if not has_operation(server, "POST", "/users"):
        pytest.skip("this server has no operation that makes users")
    accounts(server)
    cost = {}
    for user in ("dj", "op", "second", "nobody", "admin"):
        before = argon2_runs(server)
        assert login(server, user, f"a guess at {user}").status == 401
        cost[user] = argon2_runs(server) - before
    assert set(cost.values()) == {1}, cost
