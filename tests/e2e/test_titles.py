"""Titles: by every call that encoders use and within the stream, and heard by ICY players at their
place in the sound: never before what was on the air when they were set."""
import json
import re
import urllib.parse

import pytest

from encoders import dial, read_until
from icy_stream import IcyPlayer
from sounds import hear
from stage import CLIENTS, SOURCE_PASSWORD, await_true, basic, http_get, need, run

METAINT = 1024
STEP = 12 * 1024  # sent at a time: some frames and a piece of one


class Deck:
    """A raw encoder that sends so many bytes and waits until the server has them."""

    def __init__(self, server, mount, data, headers="", in_stream=0):
        self.server, self.mount, self.data = server, mount, data
        self.sent = 0  # audio
        self.wire = 0  # and what is between it
        self.in_stream = in_stream
        self.pending = b""
        self.before = server.bytes_read(mount)  # by others, on the same mount
        self.connection = dial(server)
        self.connection.sendall((
            f"SOURCE {mount} HTTP/1.0\r\nAuthorization: {basic('source', SOURCE_PASSWORD)}\r\n"
            f"Content-Type: audio/mpeg\r\n{headers}\r\n").encode())
        assert read_until(self.connection, b"\r\n\r\n") == b"HTTP/1.0 200 OK\r\n\r\n"

    def send(self, count):
        out = b""
        for i in range(self.sent, self.sent + count):
            out += self.data[i:i + 1]
            if self.in_stream and (i + 1) % self.in_stream == 0:
                block = self.pending + bytes(-len(self.pending) % 16)
                out += bytes([len(block) // 16]) + block
                self.pending = b""
        self.sent += count
        self.wire += len(out)
        self.connection.sendall(out)
        want = self.before + self.wire
        await_true(lambda: self.server.bytes_read(self.mount) == want, 10,
                   lambda: f"{self.server.bytes_read(self.mount)} of {want} bytes arrived")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()


@pytest.fixture(scope="module")
def server(shared_serve):
    # A listener begins less than STEP in the past: then a title of before is told at once.
    return shared_serve({"radio.icy_interval": METAINT, "radio.burst": "8k",
                         "radio.linger": "1s", "radio.turn": "20ms", "mount./latin1.charset": "latin1", "mount./ogg.burst": "64k",
                         "radio.shoutcast_mount": "/shoutcast"})


@pytest.fixture(scope="module")
def audio(sounds):
    """MP3 from its first frame on, in which no place is like another."""
    data = sounds.file("mp3").read_bytes()
    assert data.startswith(b"ID3")
    size = data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9]
    return data[10 + size:]


def metadata(query, auth=("source", SOURCE_PASSWORD), path="/admin/metadata?mode=updinfo&"):
    return lambda server, mount: http_get(server.port, f"{path}mount={mount}&{query}", auth=auth)


def post(server, mount):
    return http_get(server.port, "/admin/metadata", method="POST",
                    auth=("source", SOURCE_PASSWORD),
                    headers={"Content-Type": "application/x-www-form-urlencoded"},
                    body=urllib.parse.urlencode({"mode": "updinfo", "mount": mount,
                                                 "song": "By POST"}).encode())


PASS = urllib.parse.quote(SOURCE_PASSWORD)
WAYS = {
    "song": (metadata("song=Plain+Song"), "Plain Song", ""),
    "artist and title": (metadata("artist=Nina%20S&title=Blue%20Hour"), "Nina S - Blue Hour", ""),
    "title only": (metadata("title=Alone"), "Alone", ""),
    "artist only": (metadata("artist=Choir"), "Choir", ""),
    "url": (metadata("song=Linked&url=http%3A%2F%2Fexample.org%2Fa%3Fb%3D1"), "Linked",
            "http://example.org/a?b=1"),
    "utf-8": (metadata("song=Bj%C3%B6rk%20%E2%80%93%20J%C3%B3ga"), "Björk – Jóga", ""),
    "utf-8 said": (metadata("song=Bj%C3%B6rk&charset=UTF-8"), "Björk", ""),
    "latin1 said": (metadata("song=Bj%F6rk%20J%F3ga&charset=ISO-8859-1"), "Björk Jóga", ""),
    "latin1 guessed": (metadata("song=Caf%E9"), "Café", ""),
    "latin1 that looks like utf-8": (metadata("song=%C3%B6&charset=latin1"), "Ã¶", ""),
    "quotes": (metadata("song=Rock%20'n'%20Roll"), "Rock 'n' Roll", ""),
    "administrator": (metadata("song=From+the+desk", auth=("admin", "hand on the desk")),
                      "From the desk", ""),
    "POST": (post, "By POST", ""),
    "admin.cgi": (metadata(f"pass={PASS}&song=Old+Way", auth=None,
                           path="/admin.cgi?mode=updinfo&"), "Old Way", ""),
    "long": (metadata("song=" + "x" * 800), "x" * 800, ""),
}


def check_place(audio, player, title, set_at):
    """It stands in the first gap for titles behind the frame that was last on the air."""
    joined = audio.find(player.audio[:2000])
    assert joined >= 0 and audio.startswith(player.audio, joined)
    place = joined + title.at
    frame = 418
    assert set_at - frame <= place <= set_at + METAINT, (place, set_at)


@pytest.mark.parametrize("way", WAYS)
def test_a_title_is_heard_at_its_place(server, audio, way):
    set_title, title, url = WAYS[way]
    mount = "/" + re.sub(r"\W", "-", way)
    with Deck(server, mount, audio) as deck:
        deck.send(STEP)
        server.await_mount(mount)
        with IcyPlayer(server.port, mount) as player:
            assert player.metaint == METAINT
            player.listen_until(lambda p: p.audio)
            answer = set_title(server, mount)
            assert answer.status == 200, answer.body
            assert "<return>1</return>" in answer.text, answer.text
            # On the air from here on: behind the last whole frame of what was sent before.
            set_at = deck.sent
            # Who joins now begins in the past, in which it was not yet set.
            with IcyPlayer(server.port, mount) as second:
                # The answer comes before its place is chosen: only sound says that it has one.
                second.listen_until(lambda p: p.audio)
                deck.send(STEP)
                for one in (player, second):
                    one.listen_until(lambda p: p.titles and len(p.audio) > set_at)
                    check_place(audio, one, one.titles[0], set_at)
                    assert [(t.title, t.url or "") for t in one.titles] == [(title, url)]
                assert second.titles[0].at > 4 * METAINT
        # Who comes later, and does not hear the moment when it was set, is told at once.
        with IcyPlayer(server.port, mount) as late:
            late.listen_until(lambda p: p.titles)
            assert (late.titles[0].title, late.titles[0].at) == (title, METAINT)
    assert server.mount(mount)["title"] == title


def test_shoutcasts_call_names_no_mount(server, audio):
    with Deck(server, "/shoutcast", audio) as deck:
        deck.send(STEP)
        server.await_mount("/shoutcast")
        answer = server.get(f"/admin.cgi?pass={PASS}&mode=updinfo&song=No+Mount",
                            headers={"User-Agent": "ShoutcastDSP (Mozilla Compatible)"})
        assert answer.status == 200
        await_true(lambda: server.mount("/shoutcast").get("title") == "No Mount", 5)
        # On the port above too, which is the only one that such encoders know.
        answer = http_get(server.port + 1, f"/admin.cgi?pass={PASS}&mode=updinfo&song=Next+Port",
                          headers={"User-Agent": "ShoutcastDSP (Mozilla Compatible)"})
        assert answer.status == 200
        await_true(lambda: server.mount("/shoutcast").get("title") == "Next Port", 5)


@pytest.mark.parametrize("call", [
    metadata("song=Not+mine", auth=("source", "wrong")),
    metadata("song=Not+mine", auth=None),
    metadata("song=Not+mine", auth=("admin", "wrong")),
    metadata("song=Not+mine&pass=wrong", auth=None, path="/admin.cgi?mode=updinfo&"),
], ids=["wrong password", "no password", "wrong administrator", "admin.cgi"])
def test_a_title_without_the_password_is_refused(server, audio, call):
    with Deck(server, "/guarded", audio) as deck:
        deck.send(STEP)
        server.await_mount("/guarded")
        assert call(server, "/guarded").status == 401
        assert "title" not in server.mount("/guarded")


def test_a_title_for_nobody_is_refused_as_icecast_does(server):
    answer = server.set_title("/nobody", "song=x")
    assert answer.status == 400 and "Source does not exist" in answer.text


def test_a_mount_may_say_what_its_titles_are_written_in(server, audio):
    with Deck(server, "/latin1", audio) as deck:
        deck.send(STEP)
        server.await_mount("/latin1")
        assert server.set_title("/latin1", "song=%C3%B6").status == 200
        await_true(lambda: server.mount("/latin1").get("title") == "Ã¶", 5)


def test_titles_within_an_encoders_stream_are_heard_at_their_place(server, audio):
    """A relay or an encoder that sends icy-metaint: its titles are not part of the sound."""
    interval = 3000
    with Deck(server, "/in-stream", audio, f"icy-metaint: {interval}\r\n", interval) as deck:
        deck.send(STEP)
        server.await_mount("/in-stream")
        with IcyPlayer(server.port, "/in-stream") as player:
            player.listen_until(lambda p: p.audio)
            for i in range(3):
                deck.pending = (f"StreamTitle='Part {i} isn't over';"
                                f"StreamUrl='http://x.org/{i}';").encode()
                block_at = (deck.sent // interval + 1) * interval
                deck.send(STEP)
                player.listen_until(lambda p: len(p.titles) > i and len(p.audio) > METAINT)
                assert player.titles[i].fields == {"StreamTitle": f"Part {i} isn't over",
                                                   "StreamUrl": f"http://x.org/{i}"}
                check_place(audio, player, player.titles[i], block_at)
        assert server.mount("/in-stream")["title"] == "Part 2 isn't over"


def test_a_title_is_told_once_and_again_when_it_changes(server, audio):
    with Deck(server, "/changes", audio) as deck:
        deck.send(STEP)
        server.await_mount("/changes")
        with IcyPlayer(server.port, "/changes") as player:
            for title in ("One", "Two", "Three"):
                assert server.set_title("/changes", f"song={title}").status == 200
                deck.send(STEP)
                player.listen_until(lambda p: p.titles and p.titles[-1].title == title)
            deck.send(STEP)
            have = len(player.audio)
            player.listen_until(lambda p: len(p.audio) > have + METAINT)
            assert [t.title for t in player.titles] == ["One", "Two", "Three"]
            assert audio.startswith(player.audio, audio.find(player.audio[:2000]))


def test_who_does_not_ask_for_titles_gets_none(server, audio):
    with Deck(server, "/plain", audio) as deck:
        deck.send(STEP)
        server.await_mount("/plain")
        assert server.set_title("/plain", "song=Unasked").status == 200
        with dial(server) as player:
            player.sendall(b"GET /plain HTTP/1.0\r\n\r\n")
            assert b"\nicy-metaint:" not in read_until(player, b"\r\n\r\n").lower()
            got = b""
            while len(got) < METAINT + 2048:
                got += player.recv(65536)
            assert got in audio


def test_a_title_set_by_call_for_ogg_is_in_the_status(server, sounds):
    """Icecast and others drop them; cutting them into the pages would break those."""
    data = sounds.file("vorbis").read_bytes()
    with dial(server) as encoder:
        encoder.sendall((
            f"SOURCE /ogg HTTP/1.0\r\nAuthorization: {basic('source', SOURCE_PASSWORD)}\r\n"
            "Content-Type: application/ogg\r\n\r\n").encode())
        read_until(encoder, b"\r\n\r\n")
        encoder.sendall(data[:100000])
        server.await_mount("/ogg")
        assert server.set_title("/ogg", "song=Set+by+call").status == 200
        await_true(lambda: server.mount("/ogg").get("title") == "Set by call", 5)
        with dial(server) as player:
            player.sendall(b"GET /ogg HTTP/1.0\r\nIcy-MetaData: 1\r\n\r\n")
            assert b"\nicy-metaint:" not in read_until(player, b"\r\n\r\n").lower()
            got = b""
            while len(got) < 50000:
                got += player.recv(65536)
        hear("pipe:0", 2, data=got)


def test_a_swarm_with_titles_finds_no_byte_wrong(server):
    """Half of fifty listeners ask for titles, which name the frames they belong to."""
    encoder, swarm = CLIENTS / "ringmain-encoder", CLIENTS / "ringmain-swarm"
    need(encoder, swarm)
    server_crew = server.crew
    process = server_crew.start([encoder, "--url", server.source_url("/swarm").replace("%20", " "),
                                 "--title-every", "0.5", "--seconds", "3600"])
    server.await_mount("/swarm", process=process)
    for seconds in (6, 30):  # the longer where somebody was left out for most of it
        done = run([swarm, "--url", f"{server.url}/swarm", "--listeners", "50", "--icy", "0.5",
                    "--check", "--seconds", seconds], 120)
        report = json.loads(done.stdout.splitlines()[-1])
        if done.returncode or report["check"]["titles"] >= 25 * 2:
            break
    server_crew.dismiss(process)
    assert done.returncode == 0, (report, done.stderr)
    heard = report["check"]
    assert report["served"] == 50 and heard["whole"] == 50 and heard["icy_listeners"] == 25, report
    # One every half second at rest; the next ones are enough to see that they change.
    assert heard["titles"] >= 25 * 2, report
    assert heard["titles_early"] == 0 and heard["icy_bad"] == 0, report
