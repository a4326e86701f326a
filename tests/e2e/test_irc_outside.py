"""Who IRC lets in without an account's password may upload, and has what is his own on IRC over HTTP: app passwords,
and who is known elsewhere."""
import json

import pytest

from irc_service import ADMIN, Bouncer
from outside import Outside
from test_irc_auth import judge


@pytest.fixture
def asked():
    with Outside(judge) as outside:
        yield outside


@pytest.fixture
def bouncer(serve, asked):
    return Bouncer(serve, {"irc.auth_url": asked.url("/auth"), "irc.oauth_url": asked.url("/introspect"),
                           "irc.oauth_client": "us", "irc.oauth_secret": "our secret", "irc.upload_max": "1M",
                           "http.public_url": "http://127.0.0.1/"})


def upload(bouncer, auth=None, **headers):
    return bouncer.server.get("/irc/uploads", auth=auth, method="POST", body=b"x",
                              headers={"Content-Disposition": 'attachment; filename="x.png"', **headers})


def command(bouncer, auth, text="user status"):
    answer = bouncer.server.get("/api/v1/irc/command", auth=auth, method="POST", body=json.dumps({"command": text}),
                                headers={"Content-Type": "application/json"})
    return answer.status, answer.json.get("lines")


def app_password(bouncer, user, label):
    return bouncer.good(f"password create -label {label}", user)[0].split()[-1]


def test_app_passwords(bouncer, asked):
    bouncer.good("user create -username bob -password 'long enough 1'")
    bouncer.good("user update", "bob")
    password = app_password(bouncer, "bob", "phone")
    for name in ("bob", "bob/net@phone", "bob@phone"):
        assert upload(bouncer, (name, password)).status == 201
    assert upload(bouncer, ("bob/net", "long enough 1")).status == 201
    assert command(bouncer, ("bob", password))[1][0].startswith("bob: ")
    assert "last used" in bouncer.good("password list", "bob")[0]
    # It opens IRC's doors and no others; the administrator's makes no administrator.
    assert bouncer.server.get("/api/v1/tokens", auth=("bob", "long enough 1")).status == 200
    assert bouncer.server.get("/api/v1/tokens", auth=("bob", password)).status == 401
    chief = app_password(bouncer, "admin", "phone")
    assert upload(bouncer, ("admin", chief)).status == 201
    assert bouncer.server.get("/api/v1/irc/users", auth=("admin", chief)).status == 401
    assert "user create" not in "".join(command(bouncer, ("admin", chief), "user run bob help")[1])
    # Another's, one that is void, and whose account is shut.
    assert upload(bouncer, ("admin", password)).status == 401
    bouncer.good("password revoke phone", "bob")
    assert upload(bouncer, ("bob", password)).status == 401
    password = app_password(bouncer, "bob", "other")
    bouncer.good("user update bob -enabled false")
    assert upload(bouncer, ("bob", password)).status == 401


def test_who_is_known_elsewhere(bouncer, asked):
    ann = ("ann", "her password")
    assert upload(bouncer, ann).status == 201
    assert command(bouncer, ann, "user update -nick annie")[0] == 200
    assert command(bouncer, ann)[1] == ["ann: nick annie, 0 networks, 0 clients"]
    assert bouncer.server.get("/api/v1/irc/me", auth=ann).json["name"] == "ann"
    # Not with each request; what is wrong is asked for each time.
    assert 1 <= len(asked.requests) <= 2
    assert upload(bouncer, ("ann", "wrong")).status == 401
    assert upload(bouncer, ("eve", "broken")).status == 503
    assert upload(bouncer, ("admin", "taken over")).status == 401
    assert bouncer.server.get("/api/v1/tokens", auth=ann).status == 401


def test_tokens_of_others(bouncer, asked):
    # Longer than a password may be.
    good = {"Authorization": "Bearer good" + "x" * 1500 + "/ann"}
    assert upload(bouncer, **good).status == 201
    assert bouncer.server.get("/api/v1/irc/export", headers=good).status == 200
    assert bouncer.server.get("/api/v1/tokens", headers=good).status == 401
    for token in ("bad/ann", "good/admin"):
        assert upload(bouncer, Authorization=f"Bearer {token}").status == 401
    # A token of the API is one too.
    made = bouncer.server.get("/api/v1/tokens", auth=ADMIN, method="POST", body=json.dumps({"name": "up", "rank": "admin"}),
                              headers={"Content-Type": "application/json"})
    assert upload(bouncer, Authorization=f"Bearer {made.json['token']}").status == 201


def test_pages_of_other_sites(bouncer):
    asked = bouncer.server.get("/irc/uploads", method="OPTIONS", headers={
        "Origin": "https://chat.example", "Access-Control-Request-Method": "POST"})
    assert asked.status == 204 and asked.headers["access-control-allow-origin"] == "*"
    assert "authorization" in asked.headers["access-control-allow-headers"].lower()
    assert asked.headers["accept-post"] == "*/*" and "access-control-allow-credentials" not in asked.headers
    # A script that has asked brings its own password; a form brings the browser's, and no such header.
    ann, origin = ("ann", "her password"), {"Origin": "https://chat.example"}
    made = upload(bouncer, ann, **origin)
    assert made.status == 201 and made.headers["access-control-expose-headers"] == "Location"
    assert made.headers["access-control-allow-origin"] == "*"
    form = bouncer.server.get("/irc/uploads", auth=ann, method="POST", body=b"x",
                              headers={**origin, "Content-Type": "text/plain"})
    assert form.status == 403


def test_a_token_of_a_user_without_mounts(bouncer):
    bouncer.good("user create -username bob -password 'long enough 1'")
    made = bouncer.server.get("/api/v1/tokens", auth=("bob", "long enough 1"), method="POST",
                              body=json.dumps({"name": "phone"}), headers={"Content-Type": "application/json"})
    assert made.status == 201 and made.json["rank"] == "dj"
    bearer = {"Authorization": "Bearer " + made.json["token"]}
    assert upload(bouncer, **bearer).status == 201
    assert bouncer.server.get("/api/v1/irc/me", headers=bearer).status == 200
    assert bouncer.server.get("/api/v1/irc/users", headers=bearer).status == 403
