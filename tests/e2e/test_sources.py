"""Encoders get on the air, each with its own way to log in, and are heard without an error."""
import re
import shutil

import pytest

import encoders
from encoders import ABOUT, GENRE, NAME, Pacer, dial, read_until
from sounds import FORMATS, HEAR_RATE, Heard, hear
from stage import await_true, basic, exchange, has_head, need, run

WRONG = "not the password"


class Studio:
    """A server and every foreign encoder, all started at once: some take seconds to begin."""

    def __init__(self, server, crew, sounds, room):
        self.server, self.crew, self.sounds, self.room = server, crew, sounds, room
        self.process = {}

    def begin(self):
        crew, server, sounds = self.crew, self.server, self.sounds
        for mount, options in (("/put", []), ("/source", ["-legacy_icecast", "1"])):
            self.process[mount] = encoders.ffmpeg_send(crew, server, sounds, "mp3", mount, options)
        self.process["/http-put"] = encoders.http_put_send(crew, server, sounds, "mp3", "/http-put")
        self.process["/http-put-ogg"] = encoders.http_put_send(crew, server, sounds, "vorbis",
                                                               "/http-put-ogg")
        self.process["/curl"] = encoders.curl_send(crew, server, sounds, "mp3", "/curl",
                                                   times=20)
        self.process["/curl-chunked"] = encoders.curl_send(crew, server, sounds, "aac",
                                                           "/curl-chunked", chunked=True, times=20)
        if self.has("ezstream"):
            for form in ("mp3", "vorbis"):
                self.process[f"/ezstream-{form}"] = encoders.ezstream_send(
                    crew, server, sounds, self.room, form, f"/ezstream-{form}")
        if self.has("ices2"):
            self.process["/ices"] = encoders.ices_send(crew, server, sounds, self.room, "/ices")
        if self.has("liquidsoap"):
            outputs = [("%mp3(bitrate=128)", "/liquidsoap-mp3", None),
                       ("%vorbis", "/liquidsoap-vorbis", None),
                       ("%opus", "/liquidsoap-opus", None),
                       ("%ogg(%flac)", "/liquidsoap-flac", None),
                       ("%vorbis", "/liquidsoap-refused", WRONG)]
            process = encoders.liquidsoap_send(crew, server, sounds, self.room, outputs)
            self.process.update({mount: process for _, mount, _ in outputs})

    @staticmethod
    def has(program):
        return shutil.which(program)


@pytest.fixture(scope="module")
def studio(shared_serve, shared_crew, sounds, shared_room):
    need("ffmpeg", "curl")
    server = shared_serve({"mount./takeover.takeover": "yes", "radio.linger": "1s",
                           "radio.demo": "yes"})
    studio = Studio(server, shared_crew, sounds, shared_room)
    studio.begin()
    return studio


# mount, its program, what status-json.xsl says. bitrate None: not said by the encoder, measured.
CHAIN_TITLE = "The Readers - Round the Ring"
FOREIGN = [
    ("/put", "ffmpeg", "audio/mpeg", None, None),
    ("/source", "ffmpeg", "audio/mpeg", None, None),
    ("/http-put", "ffmpeg", "audio/mpeg", None, None),
    ("/http-put-ogg", "ffmpeg", "application/ogg", None, CHAIN_TITLE),
    ("/curl", "curl", "audio/mpeg", None, None),
    ("/curl-chunked", "curl", "audio/aac", None, None),
    ("/ezstream-mp3", "ezstream", "audio/mpeg", 128, CHAIN_TITLE),
    ("/ezstream-vorbis", "ezstream", "application/ogg", 128, CHAIN_TITLE),
    ("/ices", "ices2", "application/ogg", None, CHAIN_TITLE),
    ("/liquidsoap-mp3", "liquidsoap", "audio/mpeg", 128, CHAIN_TITLE),
    ("/liquidsoap-vorbis", "liquidsoap", "application/ogg", None, CHAIN_TITLE),
    ("/liquidsoap-opus", "liquidsoap", "application/ogg", None, CHAIN_TITLE),
    ("/liquidsoap-flac", "liquidsoap", "application/ogg", None, CHAIN_TITLE),
]


def check_station(found, content_type, bitrate=None):
    assert found["server_type"] == content_type
    assert found["server_name"] == NAME
    assert found["genre"] == GENRE
    assert found["server_description"] == ABOUT
    if bitrate:
        assert found["bitrate"] == bitrate and found["ice-bitrate"] == bitrate
    else:
        assert "ice-bitrate" not in found


@pytest.mark.parametrize("mount, program, content_type, bitrate, title", FOREIGN,
                         ids=[f[0].strip("/") for f in FOREIGN])
def test_a_foreign_encoder_is_on_the_air_and_heard(studio, mount, program, content_type, bitrate,
                                                   title):
    need(program)
    server = studio.server
    found = server.await_mount(mount, 60, studio.process[mount])

    check_station(found, content_type, bitrate)
    hear(server.url + mount, 3)
    if title:
        await_true(lambda: server.mount(mount).get("title") == title, 10,
                   lambda: server.mount(mount))
    if bitrate is None:
        await_true(lambda: server.mount(mount).get("bitrate"), 10, lambda: server.mount(mount))
    # An attempt without credentials (libshout's first, ffmpeg's http) is no failed login.
    assert not re.search(rf"login failed .*mount={mount}\s", server.log())


def test_the_demo_is_heard_through_its_own_front_door(studio):
    found = studio.server.await_mount("/demo")
    assert found["server_type"] == "audio/mpeg"
    assert found["server_name"] == "Ringmain Demo"
    assert found["bitrate"] == 128
    await_true(lambda: " - " in studio.server.mount("/demo").get("title", ""), 10)
    hear_any(studio.server.url + "/demo")


def hear_any(url):
    """The demo's own music may have rests: it is enough that there is sound and no error."""
    done = run(["ffmpeg", "-nostdin", "-v", "error", "-xerror", "-t", "3", "-i", url, "-ac", "1",
                "-ar", str(HEAR_RATE), "-f", "s16le", "pipe:1"], 25)
    heard = Heard(done.stdout)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert heard.seconds > 2.5 and max(heard.levels()) > 100


# -- SHOUTcast and x-audiocast ---------------------------------------------------------------------

@pytest.mark.parametrize("way, offset, login, mount", [
    ("next port", 1, "{password}", "/stream"),
    ("same port", 0, "{password}", "/stream"),
    ("next port, mount said", 1, "/deck:{password}", "/deck"),
    ("x-audiocast", 0, "SOURCE {password} /xaudio", "/xaudio"),
    ("x-audiocast, next port", 1, "SOURCE {password} /xaudio", "/xaudio"),
])
def test_a_shoutcast_encoder_is_on_the_air_and_heard(serve, sounds, way, offset, login, mount):
    # x-audiocast has its words between spaces.
    password = "hackney"
    server = serve({"radio.source_password": password})
    with encoders.shoutcast_send(server, sounds, server.port + offset,
                                 login.format(password=password), way.startswith("x")):
        check_station(server.await_mount(mount), "audio/mpeg", 128)
        hear(server.url + mount, 3)


def test_a_shoutcast_encoder_is_answered_to_the_byte(studio):
    server = studio.server
    for port in (server.port, server.port + 1):
        with dial(server, port) as s:
            s.sendall(f"/answered:{server.source_password}\r\n".encode())
            assert read_until(s, b"\r\n\r\n") == b"OK2\r\nicy-caps:11\r\n\r\n"
            s.shutdown(1)
            assert s.recv(100) == b""
        # An encoder that sent nothing leaves nothing behind.
        await_true(lambda: server.admin("stats?mount=/answered").status == 404, 10)


# -- wrong passwords -------------------------------------------------------------------------------

# Without Expect: 100-continue, ffmpeg reads no answer: it finds its connection closed.
NO_READER = "Broken pipe|Connection reset|401"
REFUSED = [
    ("put", "ffmpeg", lambda s: encoders.ffmpeg_send(
        s.crew, s.server, s.sounds, "mp3", "/refused-put", password=WRONG), "401 Unauthorized"),
    ("source", "ffmpeg", lambda s: encoders.ffmpeg_send(
        s.crew, s.server, s.sounds, "mp3", "/refused-source", ["-legacy_icecast", "1"],
        password=WRONG), NO_READER),
    ("http-put", "ffmpeg", lambda s: encoders.http_put_send(
        s.crew, s.server, s.sounds, "mp3", "/refused-http-put", WRONG), NO_READER),
    ("curl", "curl", lambda s: encoders.curl_send(
        s.crew, s.server, s.sounds, "mp3", "/refused-curl", password=WRONG), "401"),
    ("curl-chunked", "curl", lambda s: encoders.curl_send(
        s.crew, s.server, s.sounds, "mp3", "/refused-curl-chunked", True, password=WRONG), "401"),
    ("ezstream", "ezstream", lambda s: encoders.ezstream_send(
        s.crew, s.server, s.sounds, s.room, "mp3", "/refused-ezstream", WRONG), "Login failed"),
    ("ices", "ices2", lambda s: encoders.ices_send(
        s.crew, s.server, s.sounds, s.room, "/refused-ices", WRONG), "Login failed"),
]


@pytest.mark.parametrize("name, program, send, told", REFUSED, ids=[r[0] for r in REFUSED])
def test_an_encoder_with_a_wrong_password_is_told_so(studio, name, program, send, told):
    need(program)
    process = send(studio)
    code = process.wait(30)
    assert re.search(told, process.said()), process.said()
    # ices2 ends with 0 whatever happened.
    assert code != 0 or program == "ices2"
    studio.server.await_log(rf"login failed .*mount=/refused-{name}\s")
    assert not studio.server.mount(f"/refused-{name}")


def test_liquidsoap_with_a_wrong_password_is_told_so(studio):
    need("liquidsoap")
    process = studio.process["/liquidsoap-refused"]
    await_true(lambda: "Connection failed: 401, Unauthorized" in process.said() or
               not process.running(), 60, process.said)
    assert process.running(), process.said()
    assert not studio.server.mount("/liquidsoap-refused")


@pytest.mark.parametrize("login, xaudiocast", [
    ("wrong", False), ("/refused:wrong", False), ("SOURCE wrong /refused", True)])
@pytest.mark.parametrize("offset", [0, 1])
def test_a_shoutcast_encoder_with_a_wrong_password_is_told_so(studio, login, xaudiocast, offset):
    server = studio.server
    connection, answer = encoders.shoutcast_login(server, server.port + offset, login, xaudiocast)
    with connection:
        assert answer == b"invalid password\r\n"
        assert connection.recv(100) == b""
    assert not server.mount("/stream") and not server.mount("/refused")


@pytest.mark.parametrize("request_line", ["SOURCE {} HTTP/1.0", "SOURCE {} ICE/1.0",
                                          "PUT {} HTTP/1.1"])
@pytest.mark.parametrize("credentials", [None, ("source", WRONG)])
def test_a_raw_encoder_without_the_password_gets_401_and_may_ask_again(studio, request_line,
                                                                       credentials):
    server = studio.server
    head = [request_line.format("/raw-refused"), f"Host: {server.host}", "Content-Length: 0",
            "Connection: Keep-Alive"]
    if credentials:
        head.append(f"Authorization: {basic(*credentials)}")
    raw = "\r\n".join([*head, "", ""]).encode()
    twice = lambda got: got.count(b"You need to authenticate") >= 2
    got = exchange(server.port, raw * 2, twice)
    first = got.split(b"\r\n\r\n")[0].decode()
    assert re.match(r"HTTP/1\.[01] 401 Unauthorized\r\n", first), got
    assert re.search(r"\r\nWWW-Authenticate: Basic realm=", first)
    allow = re.search(r"\r\nAllow: (.*)", first).group(1)
    assert {"SOURCE", "PUT", "POST", "GET", "OPTIONS"} <= set(re.split(r",\s*", allow.strip()))
    assert re.search(r"\r\nContent-Length: [1-9]", first)
    assert not server.mount("/raw-refused")


# -- a second encoder ------------------------------------------------------------------------------

def test_a_second_encoder_is_refused_and_the_first_stays(studio):
    server = studio.server
    server.await_mount("/put", 20, studio.process["/put"])
    for options in ([], ["-legacy_icecast", "1"]):
        second = encoders.ffmpeg_send(studio.crew, server, studio.sounds, "mp3", "/put",
                                      [*options, "-ice_name", "Intruder"])
        assert second.wait(30) != 0
        if not options:
            assert "403 Forbidden" in second.said()
    got = exchange(server.port, (
        f"SOURCE /put HTTP/1.0\r\nAuthorization: {basic('source', server.source_password)}\r\n"
        "Content-Type: audio/mpeg\r\n\r\n").encode(), has_head)
    assert got.startswith(b"HTTP/1.0 403 ") or got.startswith(b"HTTP/1.1 403 "), got
    assert b"Mountpoint in use" in got
    assert studio.process["/put"].running()
    assert server.mount("/put")["server_name"] == NAME
    hear(server.url + "/put", 2)


def test_a_second_encoder_takes_over_where_it_may(studio):
    server = studio.server
    first = encoders.ffmpeg_send(studio.crew, server, studio.sounds, "mp3", "/takeover",
                                 ["-ice_name", "First"])
    name = lambda: (server.mount("/takeover") or {}).get("server_name")
    await_true(lambda: name() == "First", 20, first.said)
    with dial(server) as listener:
        listener.sendall(b"GET /takeover HTTP/1.0\r\n\r\n")
        assert read_until(listener, b"\r\n\r\n").startswith(b"HTTP/1.0 200 OK\r\n")
        second = encoders.ffmpeg_send(studio.crew, server, studio.sounds, "mp3", "/takeover",
                                      ["-ice_name", "Second"])
        await_true(lambda: name() == "Second", 20, second.said)
        first.wait(20)
        # The listener of the first one hears the second: as much as is sent in some seconds.
        heard, before = 0, server.bytes_read("/takeover")
        while heard < 128 * 1024:
            piece = listener.recv(65536)
            assert piece, f"the listener was let go after {heard} bytes, {before} had come in"
            heard += len(piece)
        hear(server.url + "/takeover", 2)
    assert second.running()


# -- bodies that end -------------------------------------------------------------------------------

@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_whole_upload_ends_as_an_http_request_ends(studio, chunked):
    """curl sends a file and is told that it arrived."""
    mount = f"/upload-{chunked}"
    process = encoders.curl_send(studio.crew, studio.server, studio.sounds, "speex", mount, chunked,
                                 rate="100M")
    assert process.wait(30) == 0, process.said()
    size = studio.sounds.file("speex").stat().st_size
    gone = studio.server.await_log(rf"source gone mount={mount} why=finished bytes=(\d+)")
    framing = 0 if not chunked else 2000
    assert size <= int(gone.group(1)) <= size + framing


def test_the_bytes_that_come_chunked_go_out_plain(studio):
    """The framing of an encoder's request is not part of the sound (Icecast passes it on)."""
    server, data = studio.server, studio.sounds.file("mp3").read_bytes()
    connection = dial(server)
    connection.sendall((
        "PUT /chunks HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {basic('source', server.source_password)}\r\nContent-Type: audio/mpeg\r\nTransfer-Encoding: chunked\r\n\r\n").encode())
    assert read_until(connection, b"\r\n\r\n").startswith(b"HTTP/1.0 200 OK")
    with Pacer(connection, data, 16000, ahead=4,
               wrap=lambda piece: b"%x;note=1\r\n%s\r\n" % (len(piece), piece)):
        server.await_mount("/chunks")
        got = exchange(server.port, b"GET /chunks HTTP/1.0\r\n\r\n",
                       lambda got: len(got) > 60000, 10)
        body = got.split(b"\r\n\r\n", 1)[1]
        assert len(body) > 50000 and body in data + data


def test_an_encoder_with_an_id3_tag_first_is_heard_from_a_frame_on(studio):
    server, data = studio.server, studio.sounds.file("mp3").read_bytes()
    assert data.startswith(b"ID3")
    connection = dial(server)
    connection.sendall((
        f"SOURCE /tagged HTTP/1.0\r\nAuthorization: {basic('source', server.source_password)}\r\n"
        "Content-Type: audio/mpeg\r\n\r\n").encode())
    assert read_until(connection, b"\r\n\r\n") == b"HTTP/1.0 200 OK\r\n\r\n"
    with Pacer(connection, data, 16000, ahead=3):
        server.await_mount("/tagged")
        got = exchange(server.port, b"GET /tagged HTTP/1.0\r\n\r\n",
                       lambda got: len(got) > 30000, 10)
        body = got.split(b"\r\n\r\n", 1)[1]
        assert body[0] == 0xff and body[1] & 0xe0 == 0xe0
        assert b"ID3" not in body and body in data


def test_the_content_type_is_found_in_the_bytes_when_none_is_said(studio):
    server = studio.server
    for form in ("mp3", "aac", "vorbis", "flac", "webm-opus"):
        connection = dial(server)
        connection.sendall((
            f"SOURCE /untold-{form} HTTP/1.0\r\n"
            f"Authorization: {basic('source', server.source_password)}\r\n\r\n").encode())
        assert read_until(connection, b"\r\n\r\n") == b"HTTP/1.0 200 OK\r\n\r\n"
        data = studio.sounds.file(form).read_bytes()
        with Pacer(connection, data, len(data) // 24, ahead=6):
            found = server.await_mount(f"/untold-{form}")
            main = FORMATS[form].content_type
            assert found["server_type"] in (main, main.replace("audio/webm", "video/webm"),
                                            main.replace("application/ogg", "audio/ogg"))
            hear(server.url + f"/untold-{form}", 2)

