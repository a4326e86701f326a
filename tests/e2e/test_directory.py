"""Directories hear of our mounts what they hear of Icecast's, and no more than they should."""

import time

import pytest

from fault_harness import Encoder, Listener, Server, await_
from outside import IceServer, Outside


class Directory:
    """What yp.cgi does; sids are counted."""

    def __init__(self, freq=30):
        self.freq = freq
        self.listed = {}
        self.count = 0
        self.refuse = None

    def __call__(self, request):
        form = request.form
        no = "YPResponse: 0\r\nYPMessage: {}\r\n"
        if self.refuse:
            request.answer(200, no.format(self.refuse))
        elif form["action"] == "add":
            self.count += 1
            self.listed[str(self.count)] = form
            request.answer(200, f"YPResponse: 1\r\nYPMessage: Added\r\nSID: {self.count}\r\n"
                                f"TouchFreq: {self.freq}\r\n")
        elif form["sid"] not in self.listed:
            request.answer(200, no.format("SID does not exist"))
        elif form["action"] == "touch":
            self.listed[form["sid"]].update(form)
            request.answer(200, "YPResponse: 1\r\nYPMessage: Touched\r\n")
        else:
            del self.listed[form["sid"]]
            request.answer(200, "YPResponse: 1\r\nYPMessage: Removed\r\n")


def at(*directories, **more):
    return {"directory.url": ",".join(d.url("/cgi-bin/yp-cgi") for d in directories),
            "directory.after": "0", "radio.linger": "100ms", "mount./live.public": "yes",
            **{f"directory.{name}": value for name, value in more.items()}}


STATION = {"mount./live.name": "Ring & Radio", "mount./live.genre": "Jazz",
           "mount./live.description": "All = all", "mount./live.url": "http://ring.example/?a=b"}


def test_a_mount_is_listed_touched_and_taken_back():
    directory = Directory()
    with Outside(directory) as outside, Server({**at(outside), **STATION,
                                                "http.hostname": "radio.example"}) as server:
        with Encoder(server) as encoder:
            await_("touched", lambda: outside.of(action="touch"))
            add = outside.of(action="add")[0].form
            assert add["sn"] == "Ring & Radio" and add["genre"] == "Jazz"
            assert add["desc"] == "All = all" and add["url"] == "http://ring.example/?a=b"
            assert add["listenurl"] == f"http://radio.example:{server.port}/live"
            assert add["type"] == "audio/mpeg" and add["b"] == "128"
            assert "hackme" not in str([r.body for r in outside.requests])
            listing, = server.admin("directory.json").json()["directory"]["listing"]
            assert listing["state"] == "listed" and listing["error"] is None
            encoder.stop()
        await_("removed", lambda: outside.of(action="remove"))
        assert not directory.listed


def test_it_is_taken_back_when_the_server_stops():
    directory = Directory()
    with Outside(directory) as outside, Server(at(outside)) as server, Encoder(server):
        await_("listed", lambda: directory.listed)
        server.stop()
        assert not directory.listed


def test_only_what_is_public_is_listed():
    directory = Directory()
    with Outside(directory) as outside, Server({
            **at(outside), "mount./hidden.public": "yes", "mount./hidden.hidden": "yes",
            "mount./no.public": "no", "directory.after": "500ms"}) as server, \
         Encoder(server, "/hidden", ready=False), Encoder(server, "/no"), Encoder(server, "/asks"), \
         Encoder(server, "/live"):
        await_("one is listed", lambda: directory.listed)
        await_("and touched", lambda: outside.of(action="touch"))
        urls = [r.form["listenurl"] for r in outside.of(action="add")]
        assert [url.rpartition("/")[2] for url in urls] == ["live"]


def test_several_directories_are_spoken_to_on_their_own():
    good, bad = Directory(), Directory()
    bad.refuse = "your server is not reachable"
    with Outside(good) as one, Outside(bad) as two, Outside(lambda r: time.sleep(30)) as three, \
         Server(at(one, two, three, retry="1s", timeout="5s")) as server, Encoder(server):
        await_("the good one lists it", lambda: one.of(action="touch"))
        await_("the other is asked again", lambda: len(two.of(action="add")) >= 2)
        server.await_log("directory refused .*not reachable")
        said = {l["directory"]: l for l in server.admin("directory.json").json()["directory"]["listing"]}
        assert said[two.url("/cgi-bin/yp-cgi")]["error"] == "your server is not reachable"
        assert server.log().count("directory refused") == 1


def test_one_that_has_forgotten_us_lists_us_again():
    directory = Directory()
    with Outside(directory) as outside, Server(at(outside)) as server, Encoder(server):
        def forget(request):
            if request.form["action"] == "touch" and not forgotten:
                forgotten.append(1)
                directory.listed.clear()
            directory(request)
        forgotten = []
        outside.answer = forget
        await_("listed again", lambda: len(outside.of(action="add")) == 2)
        await_("and touched", lambda: directory.listed)


@pytest.mark.parametrize("answer", [
    lambda r: r.answer(500), lambda r: r.answer(200, "YPResponse: 1\r\n"), lambda r: r.reset(),
    lambda r: r.answer(200, "YPResponse: 1\r\nSID: " + "x" * 20000 + "\r\n"),
    lambda r: r.answer(200, "YPResponse: 1\r\nSID: a&b=c\r\nTouchFreq: -5\r\n"),
    lambda r: r.answer(200, "YPResponse: 1\r\nSID: 1\r\nTouchFreq: 99999999999999999999\r\n")])
def test_a_broken_one_hurts_nobody(answer):
    with Outside(answer) as outside, Server(at(outside, retry="1s")) as server, Encoder(server), \
         Listener(server) as listener:
        await_("it is asked", lambda: len(outside.requests) >= 2)
        listener.await_bytes(20000)
        for request in outside.requests:
            if request.form["action"] != "add":
                assert request.form["sid"] in ("a&b=c", "1")


def announced(server, outside):
    with Encoder(server) as encoder:
        await_("touched", lambda: outside.of(action="touch"), 90)
        with Listener(server) as listener:
            listener.await_bytes(1000)
        encoder.stop()
    await_("removed", lambda: outside.of(action="remove"), 30)


def test_the_same_is_said_as_by_icecast():
    with Outside(Directory()) as theirs, Outside(Directory()) as ours:
        xml = f"""<directory><yp-url-timeout>5</yp-url-timeout><yp-url>{theirs.url('/cgi-bin/yp-cgi')}
            </yp-url></directory>""".replace("\n            </yp-url>", "</yp-url>")
        mounts = """<mount type="normal"><mount-name>/live</mount-name><public>1</public>
            <stream-name>Ring &amp; Radio</stream-name><genre>Jazz</genre><bitrate>128</bitrate>
            <stream-description>All = all</stream-description>
            <stream-url>http://ring.example/?a=b</stream-url></mount>"""
        with IceServer(xml, mounts) as ice, Server({**at(ours), **STATION}) as server:
            announced(server, ours)
            announced(ice, theirs)
        for action in ("add", "touch", "remove"):
            mine, his = ours.of(action=action)[0], theirs.of(action=action)[0]
            assert mine.method == his.method == "POST" and mine.path == his.path
            assert mine.headers["content-type"] == his.headers["content-type"]
            a, b = mine.form, his.form
            assert list(a)[:10] == list(b)[:10], (action, mine.body, his.body)
            assert len(a) == len(b), (action, mine.body, his.body)
            for key in ("sn", "genre", "desc", "url", "type", "b", "st", "stype", "cpswd"):
                assert a.get(key) == b.get(key), (action, key, mine.body, his.body)
