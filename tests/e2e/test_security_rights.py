"""What rights do not reach: other mounts, the words in a webhook's address, and what another owner's
token may."""
from stage import ADMIN_PASSWORD, Server
from test_requests import mp3_frames, raw_source
from test_security import USER_PASSWORD, api, bearer

ADMIN = ("admin", ADMIN_PASSWORD)


def test_a_token_of_the_settings_administrator_is_his_after_a_restart_too(crew, tmp_path):
    options = ("--data", tmp_path / "data")
    server = Server(crew, tmp_path, {}, options)
    tokens = {rank: bearer(api(server, "POST", "/tokens", {"name": rank, "rank": rank}))
              for rank in ("dj", "operator", "admin")}
    for _ in range(2):
        for rank, headers in tokens.items():
            me = server.get("/api/v1/me", headers).json
            assert me == {"user": "admin", "rank": rank, "mounts": "*"}
            assert len(server.get("/api/v1/tokens", headers).json["tokens"]) == 3
            assert server.get("/api/v1/users", headers).status == (200 if rank == "admin" else 403)
        server.stop()
        server = Server(crew, tmp_path, {}, options)
    # A user of that name is somebody else.
    server.stop()
    server = Server(crew, tmp_path, {"admin.user": "root"}, options)
    for headers in tokens.values():
        assert server.get("/api/v1/me", headers).json["rank"] == "none"
    server.stop()


def test_listeners_are_sent_only_where_one_has_a_right_to(serve, sounds):
    server = serve({"radio.linger": "0"})
    for name, mounts in (("one", "/mine"), ("two", "/mine /other*")):
        api(server, "POST", "/users", {"name": name, "password": USER_PASSWORD, "rank": "operator",
                                       "mounts": mounts})
    one, two = ((name, USER_PASSWORD) for name in ("one", "two"))
    with raw_source(server, "/mine", "audio/mpeg", "", mp3_frames(sounds)), \
         raw_source(server, "/other", "audio/mpeg", "", mp3_frames(sounds)):
        for mount in ("/mine", "/other"):
            server.await_mount(mount)
        ways = [lambda auth: api(server, "POST", "/mounts/mine/move", {"to": "/other"}, auth=auth),
                lambda auth: api(server, "PUT", "/mounts/mine/fallback", {"fallback": "/other"},
                                 auth=auth),
                lambda auth: server.get("/admin/moveclients?mount=/mine&destination=/other",
                                        auth=auth),
                lambda auth: server.get("/admin/fallbacks?mount=/mine&fallback=/other", auth=auth)]
        for way in ways:
            assert way(one).status == 403
            assert way(two).status in (200, 204)
        assert api(server, "PUT", "/mounts/mine/fallback", {"fallback": ""}, auth=one).status == 204
        # Whether there is such a mount is not told either.
        assert api(server, "POST", "/mounts/mine/move", {"to": "/none"}, auth=one).status == 403


def test_a_webhooks_path_is_for_administrators(serve):
    server = serve({"hook.h.url": "https://192.0.2.1:9/services/T0/word-of-the-hook?x=y"})
    api(server, "POST", "/users", {"name": "op", "password": USER_PASSWORD, "rank": "operator"})
    shown = lambda auth: server.get("/api/v1/hooks", auth=auth).json["hooks"][0]["url"]
    assert shown(("op", USER_PASSWORD)) == "https://192.0.2.1:9/..."
    assert shown(ADMIN) == "https://192.0.2.1:9/services/T0/word-of-the-hook?..."
