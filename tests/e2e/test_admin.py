"""The administrator's calls, the status pages, play lists and numbers; what Icecast has of them is
held against Debian's icecast2 in the same situation, by the same reader."""
import configparser
import contextlib
import re

import pytest

from encoders import dial, read_until
from icecast import Icecast
from icy_stream import IcyPlayer
from stage import ADMIN_PASSWORD, SOURCE_PASSWORD, await_true, need
from test_requests import mp3_frames, raw_source

HEADERS = ("User-Agent: deck/1\r\nice-name: Harbour & Sons\r\nice-genre: Jazz\r\n"
           "ice-description: Boats <and> notes\r\nice-url: http://harbour.example/\r\n"
           "ice-public: 1\r\nice-bitrate: 128\r\n"
           "ice-audio-info: ice-samplerate=44100;ice-bitrate=128;ice-channels=2\r\n")


def listen(server, mount, agent="tester/1"):
    connection = dial(server)
    connection.sendall(f"GET {mount} HTTP/1.0\r\nUser-Agent: {agent}\r\n\r\n".encode())
    assert read_until(connection, b"\r\n\r\n").startswith(b"HTTP/1.0 200 OK\r\n")
    return connection


def ended(connection):
    """Reads to the end, which must come."""
    while connection.recv(65536):
        pass
    return True


def clients(server, mount):
    """What listclients says: id → element."""
    answer = server.admin(f"listclients?mount={mount}").xml
    return {e.findtext("ID"): e for e in answer.findall("source/listener")}


def shape(element, path=""):
    """All paths of elements and attributes that occur."""
    path = f"{path}/{element.tag}"
    found = {path} | {f"{path}@{name}" for name in element.attrib}
    for child in element:
        found |= shape(child, path)
    return found


def json_shape(value, path=""):
    """All paths of members, with their types."""
    if isinstance(value, dict):
        found = {f"{path}:object"}
        for name, member in value.items():
            found |= json_shape(member, f"{path}/{name}")
        return found
    if isinstance(value, list):
        return {f"{path}:array"}.union(*(json_shape(item, f"{path}[]") for item in value))
    kind = "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else \
        type(value).__name__
    return {f"{path}:{kind}"}


class Pair:
    """ringmain and icecast2 in the same situation: /one and /two on the air, a listener on /one."""

    def __init__(self, ringmain, icecast):
        self.both = (ringmain, icecast)
        self.ringmain, self.icecast = ringmain, icecast

    def admin(self, call):
        return tuple(server.admin(call) for server in self.both)


@pytest.fixture(scope="module")
def pair(shared_serve, shared_crew, shared_room, sounds):
    need("icecast2")
    pair = Pair(shared_serve({"server.contact": "mail@example.org"}),
                Icecast(shared_crew, shared_room))
    frames = mp3_frames(sounds)
    with contextlib.ExitStack() as stack:
        # None, one and two mounts, as they were said to be then.
        pair.status = [tuple(s.get("/status-json.xsl").json for s in pair.both)]
        for mount in ("/one", "/two"):
            for server in pair.both:
                stack.enter_context(raw_source(server, mount, "audio/mpeg", HEADERS, frames))
                await_true(lambda: server.admin(f"listclients?mount={mount}").status == 200, 10)
                await_true(lambda: mount in server.get("/status-json.xsl").text, 10)
            pair.status.append(tuple(s.get("/status-json.xsl").json for s in pair.both))
        for server in pair.both:
            stack.enter_context(listen(server, "/one"))
            await_true(lambda: len(clients(server, "/one")) == 1, 10)
            # Icecast counts a little later than it lists.
            counts = re.compile("<(?:listeners|listener_peak)>(.)<")
            await_true(lambda: counts.findall(server.admin("stats").text) == list("11100"), 15,
                       lambda: server.admin("stats").text)
        yield pair


def check_shape(ours, theirs):
    missing = shape(theirs) - shape(ours)
    assert not missing, f"Icecast has, ringmain has not: {sorted(missing)}"


READING = ["stats", "stats?mount=/one", "listmounts", "listclients?mount=/one", "streamlist"]


@pytest.mark.parametrize("call", READING)
def test_what_icecast_tells_the_administrator_is_told(pair, call):
    ours, theirs = pair.admin(call)
    assert (ours.status, theirs.status) == (200, 200)
    assert ours.headers["Content-Type"].startswith("text/xml")
    check_shape(ours.xml, theirs.xml)


@pytest.mark.parametrize("call", READING)
def test_the_same_is_told_in_json(pair, call):
    path, _, query = call.partition("?")
    ours = pair.ringmain.admin(f"{path}.json" + ("?" + query if query else ""))
    assert ours.status == 200 and ours.headers["Content-Type"].startswith("application/json")
    # Attributes become members; of sources there may be several, save where one is asked for.
    tree = ours.json["icestats"]
    xml = pair.ringmain.admin(call).xml
    assert {e.tag for e in xml} == set(tree)
    sources = tree["source"] if isinstance(tree["source"], list) else [tree["source"]]
    assert [s["mount"] for s in sources] == [s.get("mount") for s in xml.findall("source")]


def values(element):
    return {e.tag: e.text or "" for e in element if len(e) == 0}


CHANGES = {"listenurl", "server_id", "server_start", "server_start_iso8601", "stream_start",
           "stream_start_iso8601", "total_bytes_read", "total_bytes_sent", "clients", "connections",
           "client_connections", "Connected", "ID", "file_connections", "listener_connections"}


@pytest.mark.parametrize("call", ["stats", "listmounts", "listclients?mount=/one"])
def test_the_same_is_said_with_the_same_words(pair, call):
    ours, theirs = (answer.xml for answer in pair.admin(call))
    for path in (".", "source", "source/listener"):
        for element, their in zip(ours.findall(path), theirs.findall(path)):
            assert element.get("mount") == their.get("mount")
            said, they_said = values(element), values(their)
            for name in set(they_said) - CHANGES:
                assert said[name] == they_said[name], f"{path}/{name}"
            for name in ("stream_start", "stream_start_iso8601", "server_start"):
                if name in they_said:  # the same way to write a time
                    mask = lambda text: re.sub("[A-Z][a-z]{2}", "Mmm", re.sub(r"\d", "0", text))
                    assert mask(said[name]) == mask(they_said[name])


# mount=/one is there, /none is not. What both must refuse, and what both must do.
@pytest.mark.parametrize("call", [
    "stats?mount=/none", "listclients", "listclients?mount=/none", "killsource?mount=/none",
    "nosuch", "metadata?mode=updinfo&mount=/none&song=x", "fallbacks?mount=/one",
    "killclient?mount=/one", "moveclients?mount=/one&destination=/none",
    "moveclients?mount=/one&destination=/one", "manageauth?mount=/one", "buildm3u?mount=/one"])
def test_what_icecast_refuses_is_refused(pair, call):
    ours, theirs = pair.admin(call)
    assert 400 <= theirs.status < 500 and 400 <= ours.status < 500, (ours.status, theirs.status)
    assert ours.body


@pytest.mark.parametrize("call", [
    "metadata?mode=updinfo&mount=/one&song=A+-+B", "metadata?mode=updinfo&mount=/one&song=",
    "killclient?mount=/two&id=999999"])
def test_an_order_is_answered_as_icecast_does(pair, call):
    ours, theirs = pair.admin(call)
    assert ours.status == theirs.status == 200
    assert shape(ours.xml) == shape(theirs.xml)
    assert values(ours.xml) == values(theirs.xml)


def test_buildm3u_names_user_and_password(pair):
    ours, theirs = pair.admin("buildm3u?mount=/one&username=anna&password=se%2Fcret%40")
    assert ours.status == 200 and ours.headers["Content-Type"] == theirs.headers["Content-Type"]
    assert ours.text.strip() == f"http://anna:se%2Fcret%40@{pair.ringmain.host}/one"


@pytest.mark.parametrize("call", [
    "", "stats", "stats.json", "listmounts", "listclients?mount=/one", "killsource?mount=/one",
    "killclient?mount=/one&id=1", "fallbacks?mount=/one&fallback=/two",
    "moveclients?mount=/one&destination=/two", "streamlist", "manageauth?mount=/one",
    "buildm3u?mount=/one&username=a&password=b", "metadata?mode=updinfo&mount=/one&song=x"])
@pytest.mark.parametrize("auth", [None, ("admin", "wrong"), ("source", SOURCE_PASSWORD)],
                         ids=["nobody", "wrong password", "an encoder"])
def test_only_the_administrator_may(pair, call, auth):
    answer = pair.ringmain.get(f"/admin/{call}", auth=auth)
    if auth == ("source", SOURCE_PASSWORD) and call.startswith("metadata"):
        assert answer.status == 200
        return
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


# -- status-json.xsl -------------------------------------------------------------------------------

@pytest.mark.parametrize("mounts, kind", [(0, None), (1, dict), (2, list)])
def test_source_is_absent_an_object_or_an_array_as_in_icecast(pair, mounts, kind):
    ours, theirs = (status["icestats"] for status in pair.status[mounts])
    for status in (ours, theirs):
        assert ("source" in status) == (kind is not None)
        assert kind is None or isinstance(status["source"], kind)
    missing = json_shape(theirs) - json_shape(ours)
    assert not missing, f"Icecast has, ringmain has not: {sorted(missing)}"


def test_status_json_may_be_read_by_any_page(pair):
    answer = pair.ringmain.get("/status-json.xsl")
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers.get_all("Access-Control-Allow-Origin") == ["*"]
    assert "transfer-encoding" not in answer.headers


def test_icecasts_front_pages_lead_to_ours(pair):
    page = pair.ringmain.get("/status.xsl")
    assert (page.status, page.headers["Location"]) == (302, "/")
    assert shape(pair.ringmain.admin("").xml) == shape(pair.ringmain.admin("stats").xml)


def test_seven_html_has_seven_fields(shared_serve, sounds):
    server = shared_serve({"radio.shoutcast_mount": "/seven"})
    fields = lambda: re.fullmatch(r"<html><body>(.*)</body></html>",
                                  server.get("/7.html").text).group(1).split(",", 6)
    assert fields()[:2] == ["0", "0"]
    with raw_source(server, "/seven", "audio/mpeg", HEADERS, mp3_frames(sounds)):
        server.await_mount("/seven")
        assert server.set_title("/seven", "song=One,+Two").status == 200
        with listen(server, "/seven"):
            await_true(lambda: fields()[0] == "1", 10, fields)
            assert fields() == ["1", "1", "1", "0", "1", "128", "One, Two"]


# -- orders that change something ------------------------------------------------------------------

@pytest.fixture
def station(serve, sounds):
    """A server of its own, with /one and /two on the air."""
    server = serve({"radio.linger": "0", "radio.turn": "20ms"})
    frames = mp3_frames(sounds)
    with raw_source(server, "/one", "audio/mpeg", HEADERS, frames) as one, \
         raw_source(server, "/two", "audio/mpeg", HEADERS, frames):
        for mount in ("/one", "/two"):
            server.await_mount(mount)
        server.deck = one
        yield server


FORMS = pytest.mark.parametrize("form", ["", ".json"], ids=["xml", "json"])


def done(answer, form):
    assert answer.status == 200, answer.body
    if form:
        assert answer.json["iceresponse"]["return"] == 1
        return answer.json["iceresponse"]["message"]
    assert answer.xml.tag == "iceresponse" and answer.xml.findtext("return") == "1"
    return answer.xml.findtext("message")


@FORMS
def test_killclient_lets_that_client_go_and_no_other(station, form):
    with listen(station, "/one", "stays") as stays, listen(station, "/one", "goes") as goes:
        await_true(lambda: len(clients(station, "/one")) == 2, 10)
        ids = {e.findtext("UserAgent"): i for i, e in clients(station, "/one").items()}
        assert done(station.admin(f"killclient{form}?mount=/one&id={ids['goes']}"), form) == \
            f"Client {ids['goes']} removed"
        assert ended(goes)
        await_true(lambda: list(clients(station, "/one")) == [ids["stays"]], 10)
        assert stays.recv(65536)


@FORMS
def test_killsource_lets_the_encoder_go(station, form):
    assert done(station.admin(f"killsource{form}?mount=/one"), form) == "Source Removed"
    station.await_no_mount("/one")
    await_true(lambda: station.deck.failed, 10)
    assert station.mount("/two")
    assert 400 <= station.admin(f"killsource{form}?mount=/one").status < 500


@FORMS
def test_moveclients_moves_all_of_them(station, form):
    with listen(station, "/one", "a") as a, listen(station, "/one", "b"), \
         listen(station, "/two", "c"):
        count = lambda mount: len(clients(station, mount))
        await_true(lambda: count("/one") == 2 and count("/two") == 1, 10)
        message = done(station.admin(f"moveclients{form}?mount=/one&destination=/two"), form)
        assert "/two" in message
        await_true(lambda: {e.findtext("UserAgent") for e in clients(station, "/two").values()} ==
                   {"a", "b", "c"}, 10)
        assert clients(station, "/one") == {}
        assert station.mount("/one")["listeners"] == 0 and station.mount("/two")["listeners"] == 3
        assert a.recv(65536)


def test_moveclients_moves_one_of_them(station):
    with listen(station, "/one", "a"), listen(station, "/one", "b"):
        await_true(lambda: len(clients(station, "/one")) == 2, 10)
        ids = {e.findtext("UserAgent"): i for i, e in clients(station, "/one").items()}
        done(station.admin(f"moveclients?mount=/one&destination=/two&id={ids['a']}"), "")
        await_true(lambda: list(clients(station, "/two")) == [ids["a"]], 10)
        assert list(clients(station, "/one")) == [ids["b"]]


@FORMS
def test_fallbacks_sets_where_listeners_go(station, form):
    assert done(station.admin(f"fallbacks{form}?mount=/one&fallback=/two"), form)
    listed = {s.get("mount"): s.findtext("fallback") for s in
              station.admin("listmounts").xml.findall("source")}
    assert listed == {"/one": "/two", "/two": ""}
    assert station.admin(f"fallbacks{form}?mount=/two&fallback=/one").status == 400  # a loop
    with listen(station, "/one") as listener:
        await_true(lambda: len(clients(station, "/one")) == 1, 10)
        station.deck.stop()
        await_true(lambda: station.log().count("source gone mount=/one"), 10)
        # It goes on: more than what was on its way.
        heard = 0
        while heard < 100000:
            piece = listener.recv(65536)
            assert piece, f"let go after {heard} bytes"
            heard += len(piece)


@FORMS
@pytest.mark.parametrize("call", ["metadata", "updatemetadata"])
def test_metadata_sets_the_title(station, call, form):
    song = f"By {call}{form}"
    done(station.admin(f"{call}{form}?mode=updinfo&mount=/one&song={song.replace(' ', '+')}"), form)
    assert station.mount("/one")["title"] == song
    with IcyPlayer(station.port, "/one") as player:
        player.listen_until(lambda p: p.titles and p.titles[-1].title == song)


def test_a_fallback_of_a_pattern_is_one_of_each_mount(serve, sounds):
    """The listeners of a mount that no setting names go where default says, and come back."""
    server = serve({"radio.linger": "0", "mount.default.fallback": "/net", "radio.turn": "20ms"})
    frames = mp3_frames(sounds)
    with raw_source(server, "/net", "audio/mpeg", HEADERS, frames), \
         raw_source(server, "/one", "audio/mpeg", HEADERS, frames) as one:
        server.await_mount("/net")
        server.await_mount("/one")
        with listen(server, "/one") as listener:
            await_true(lambda: len(clients(server, "/one")) == 1, 10)
            one.stop()
            state = lambda: server.admin("stats?mount=/one").xml.findtext("source/state")
            await_true(lambda: state() == "fallback", 10, state)
            with raw_source(server, "/one", "audio/mpeg", HEADERS, frames) as again:
                await_true(lambda: state() == "live", 10, state)
                before = server.bytes_read("/one")
                await_true(lambda: listener.recv(65536) and
                           server.bytes_read("/one") > before + 20000, 15)
                assert len(clients(server, "/one")) == 1
                again.stop()
            await_true(lambda: state() == "fallback", 10, state)
        # Nobody hears it and nobody feeds it: it is forgotten.
        await_true(lambda: server.admin("stats?mount=/one").status == 404, 10)


def test_a_relay_reads_which_mounts_there_are(station):
    answer = station.admin("streamlist.txt")
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain")
    assert answer.text.split() == ["/one", "/two"]


def test_words_of_an_encoder_break_no_answer(serve, sounds):
    """Markup, quotes, controls and broken UTF-8 in every text that comes from outside."""
    server = serve()
    evil = "</source>&amp;\"'<script>\\u0000%00"
    headers = "".join(f"{name}: {evil} caf\xe9\r\n" for name in (
        "ice-name", "ice-genre", "ice-description", "ice-url", "User-Agent"))
    with raw_source(server, "/evil", "audio/mpeg", headers, mp3_frames(sounds)):
        await_true(lambda: "/evil" in server.admin("listmounts").text, 10)
        with listen(server, "/evil", evil):
            await_true(lambda: len(clients(server, "/evil")) == 1, 10)
            for call in ("stats", "listmounts", "listclients?mount=/evil"):
                assert server.admin(call).xml.find("source").get("mount") == "/evil"
                path, _, query = call.partition("?")
                assert server.admin(f"{path}.json?{query}").json["icestats"]["source"]
            found = server.status()["source"]
            assert "<script>" in found["server_name"] and "café" in found["server_name"]
            assert not re.search("[\0-\x1f]", found["server_name"])
            for ending in ("m3u", "pls", "xspf", "vclt"):
                answer = server.get(f"/evil.{ending}")
                assert answer.status == 200
                assert not re.search(rb"[\0-\x08\x0b\x0c\x0e-\x1f]", answer.body)
            assert server.get("/evil.xspf").xml is not None


# -- play lists ------------------------------------------------------------------------------------

@pytest.mark.parametrize("ending, content_type", [
    ("m3u", "audio/x-mpegurl"), ("m3u8", "audio/x-mpegurl"), ("pls", "audio/x-scpls"),
    ("xspf", "application/xspf+xml"), ("vclt", "audio/x-vclt")])
def test_a_play_list_is_read_as_its_format_says(pair, ending, content_type):
    answer = pair.ringmain.get(f"/one.{ending}")
    url = f"{pair.ringmain.url}/one"
    assert answer.status == 200
    assert answer.headers["Content-Type"].split(";")[0] == content_type
    if ending in ("m3u", "m3u8"):
        lines = answer.text.split("\r\n")
        assert lines[0] == "#EXTM3U" and lines[-1] == ""
        assert [line for line in lines if line and line[0] != "#"] == [url]
        assert "#EXTINF:-1,Harbour & Sons" in lines
    elif ending == "pls":
        parser = configparser.ConfigParser()
        parser.read_string(answer.text)
        assert parser.sections() == ["playlist"]
        section = dict(parser["playlist"])
        assert section == {"file1": url, "title1": "Harbour & Sons", "length1": "-1",
                           "numberofentries": "1", "version": "2"}
    elif ending == "xspf":
        space = {"x": "http://xspf.org/ns/0/"}
        assert answer.xml.tag == "{http://xspf.org/ns/0/}playlist"
        assert answer.xml.get("version") == "1"
        locations = answer.xml.findall("x:trackList/x:track/x:location", space)
        assert [e.text for e in locations] == [url]
        theirs = pair.icecast.get("/one.xspf").xml
        assert shape(theirs) <= shape(answer.xml)
    else:
        lines = dict(line.split("=", 1) for line in answer.text.split("\n")[:-2])
        assert lines["STREAMURL"] == url and lines["SERVER_NAME"] == "Harbour & Sons"
        assert answer.text.endswith("==\n")


@pytest.mark.parametrize("ending", ["m3u", "m3u8", "pls", "xspf", "vclt"])
def test_there_is_no_play_list_of_a_mount_that_is_not_there(pair, ending):
    assert pair.ringmain.get(f"/nowhere.{ending}").status == 404


def test_a_play_list_says_the_host_by_which_it_was_asked(pair):
    answer = pair.ringmain.get("/one.m3u", headers={"Host": "radio.example.org:8000"})
    assert "http://radio.example.org:8000/one\r\n" in answer.text


def test_a_public_url_goes_before_the_host(serve, sounds):
    server = serve({"http.public_url": "https://radio.example.org/"})
    with raw_source(server, "/one", "audio/mpeg", HEADERS, mp3_frames(sounds)):
        await_true(lambda: "source" in server.status(), 10)
        for ending in ("m3u", "pls", "xspf", "vclt"):
            assert "https://radio.example.org/one" in server.get(f"/one.{ending}").text
        assert server.status()["source"]["listenurl"] == "https://radio.example.org/one"


# -- numbers ---------------------------------------------------------------------------------------

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? '
                    r'(-?[0-9.]+(?:e[+-]?\d+)?|[+-]Inf|NaN)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')


def parse_metrics(text):
    """Prometheus' text format 0.0.4, strictly: {name: {labels: value}}."""
    assert text.endswith("\n")
    types, helps, samples, current = {}, set(), {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            assert name not in helps, f"two HELP lines of {name}"
            helps.add(name)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types and kind in ("counter", "gauge", "histogram"), line
            types[name] = kind
            current = name
        else:
            name, labels, value = SAMPLE.fullmatch(line).groups()
            parts = "_(bucket|sum|count)$" if types[current] == "histogram" else "$"
            assert re.sub(parts, "", name) == current, f"{line} stands under {current}"
            assert LABEL.sub("", labels or "") == "", line
            key = tuple(LABEL.findall(labels or ""))
            assert key not in samples.setdefault(name, {}), f"twice: {line}"
            samples[name][key] = float(value)
    assert set(types) == helps
    for name, kind in types.items():
        if kind == "counter":
            assert name.endswith("_total"), name
        if kind != "histogram":
            continue
        buckets = list(samples[f"{name}_bucket"].items())
        assert [v for _, v in buckets] == sorted(v for _, v in buckets)
        assert buckets[-1] == ((("le", "+Inf"),), samples[f"{name}_count"][()])
    return samples


def test_metrics_are_what_prometheus_reads(pair):
    answer = pair.ringmain.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = parse_metrics(answer.text)
    mount = lambda name: samples[name][(("mount", "/one"),)]
    assert mount("ringmain_radio_mount_up") == 1
    assert mount("ringmain_radio_mount_listeners") == 1
    assert mount("ringmain_radio_mount_bytes_in_total") > 16000
    assert samples["ringmain_radio_sources"][()] == 2
    assert samples["ringmain_radio_listeners_come_total"][()] >= 1


def test_a_mounts_name_breaks_no_metric(serve, sounds):
    server = serve()
    with raw_source(server, "/a%22b{}", "audio/mpeg", "", mp3_frames(sounds)):
        await_true(lambda: "source" in server.status(), 10)
        samples = parse_metrics(server.get("/metrics").text)
        names = [dict(labels)["mount"] for labels in samples["ringmain_radio_mount_up"]]
        assert names == ['/a\\"b{}']


def test_numbers_are_for_this_machine_and_the_administrator(serve):
    server = serve({"http.trusted_proxies": "127.0.0.1"})
    far = {"X-Forwarded-For": "203.0.113.9"}
    assert server.get("/metrics").status == 200
    refused = server.get("/metrics", headers=far)
    assert refused.status == 401 and "ringmain_" not in refused.text
    assert server.get("/metrics", headers=far, auth=("admin", "wrong")).status == 401
    assert server.get("/metrics", headers=far, auth=("source", SOURCE_PASSWORD)).status == 401
    assert "ringmain_" in server.get("/metrics", headers=far, auth=("admin", ADMIN_PASSWORD)).text


def test_who_is_no_trusted_proxy_cannot_say_who_asks(serve, sounds):
    """And a trusted one says whom listclients names."""
    server = serve({"http.trusted_proxies": "192.0.2.1", "metrics.allow": "127.0.0.1"})
    assert server.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status == 200
    trusting = serve({"http.trusted_proxies": "127.0.0.0/8"})
    for one, address in ((server, "127.0.0.1"), (trusting, "203.0.113.9")):
        with raw_source(one, "/one", "audio/mpeg", "", mp3_frames(sounds)):
            one.await_mount("/one")
            with dial(one) as listener:
                listener.sendall(b"GET /one HTTP/1.0\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n")
                await_true(lambda: clients(one, "/one"), 10)
                assert [e.findtext("IP") for e in clients(one, "/one").values()] == [address]
