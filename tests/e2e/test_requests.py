"""Requests as players, browsers, crawlers and encoders send them, byte for byte, and the whole head
of each answer. Only the date and the server's version are masked."""
import re

import pytest

from encoders import Pacer, dial, read_until
from stage import SOURCE_PASSWORD, await_true, basic, exchange, has_head

TOTAL = 1099511627775  # how long a stream is said to be, where a length must be said

STATION = """icy-name: Harbour Radio
icy-genre: Jazz
icy-description: Boats & notes
icy-url: http://harbour.example/
icy-pub: 1
icy-br: 128
ice-audio-info: ice-samplerate=44100;ice-bitrate=128;ice-channels=2
"""
CORS = """Access-Control-Allow-Origin: *
Access-Control-Expose-Headers: Icy-MetaInt, Icy-Name, Icy-Br, Icy-Description, Icy-Genre, Icy-Url, \
Icy-Pub, Ice-Audio-Info
"""
UNCACHED = """Cache-Control: no-cache, no-store
Expires: Mon, 26 Jul 1997 05:00:00 GMT
Pragma: no-cache
"""


def head_of(status, type_and_range, end="", station=STATION):
    return (f"{status}\nServer: ringmain/#\nDate: #\nConnection: Close\n"
            f"{type_and_range}\n{UNCACHED}{station}{end}{CORS}")


STREAM = head_of("HTTP/1.0 200 OK", "Content-Type: audio/mpeg")
WITH_TITLES = head_of("HTTP/1.0 200 OK", "Content-Type: audio/mpeg", "icy-metaint: 16000\n")
ICY = head_of("ICY 200 OK", "Content-Type: audio/mpeg", "icy-metaint: 16000\n")
PROBE = head_of("HTTP/1.0 206 Partial Content", f"""Content-Type: audio/mpeg
Accept-Ranges: bytes
Content-Range: bytes 0-1/{TOTAL}
Content-Length: 2""")
AFTER_PROBE = head_of("HTTP/1.0 206 Partial Content", f"""Content-Type: audio/mpeg
Accept-Ranges: bytes
Content-Range: bytes 0-{TOTAL - 1}/{TOTAL}""")
LOWER = re.sub(r"(?m)^[\w-]+:", lambda m: m.group().lower(), WITH_TITLES)
AAC = head_of("HTTP/1.0 200 OK", "Content-Type: audio/aacp", "icy-metaint: 16000\n",
              "icy-name: Plus\n")
PREFLIGHT = """HTTP/1.0 204 No Content
Server: ringmain/#
Connection: Close
Access-Control-Allow-Origin: *
Access-Control-Allow-Methods: GET, HEAD, OPTIONS
Access-Control-Allow-Headers: Icy-MetaData, Range, Origin, Content-Type
Access-Control-Max-Age: 86400
"""


def not_found(version, connection):
    return f"""HTTP/{version} 404 Not Found
Server: ringmain/#
Date: #
Connection: {connection}
Content-Type: text/plain; charset=utf-8
Content-Length: 42
Cache-Control: no-store
Access-Control-Allow-Origin: *
"""


AUDIO, NOTHING, TWO_BYTES = "the stream", b"", b"\xff\xfb"
LOST = b"The file you requested could not be found\n"

# name: (request, answer's head, body). {host} is the server's address.
REQUESTS = {
    "ffmpeg": ("""GET /live HTTP/1.1
User-Agent: Lavf/59.27.100
Accept: */*
Range: bytes=0-
Connection: close
Host: {host}
Icy-MetaData: 1
""", WITH_TITLES, AUDIO),
    "VLC": ("""GET /live HTTP/1.1
Host: {host}
Accept: */*
Accept-Language: en_US
User-Agent: VLC/3.0.18 LibVLC/3.0.18
Range: bytes=0-
Icy-MetaData: 1
""", WITH_TITLES, AUDIO),
    "VLC before 3": ("""GET /live HTTP/1.0
Host: {host}
User-Agent: VLC/2.2.6 LibVLC/2.2.6
Icy-MetaData: 1
""", WITH_TITLES, AUDIO),
    "mpv": ("""GET /live HTTP/1.1
User-Agent: mpv 0.35.1
Accept: */*
Range: bytes=0-
Connection: close
Host: {host}
Icy-MetaData: 1
""", WITH_TITLES, AUDIO),
    "mpg123": ("""GET /live HTTP/1.0
User-Agent: mpg123/1.31.2
Host: {host}
Accept: audio/mpeg, audio/x-mpeg, audio/mp3, audio/x-mp3, audio/mpegurl, audio/x-mpegurl, */*
Icy-MetaData: 1
""", WITH_TITLES, AUDIO),
    "curl": ("""GET /live HTTP/1.1
Host: {host}
User-Agent: curl/7.88.1
Accept: */*
""", STREAM, AUDIO),
    "a kitchen radio": ("GET /live HTTP/1.0\n", STREAM, AUDIO),
    "a kitchen radio with lines that end in LF": ("GET /live HTTP/1.0\nIcy-MetaData:1\n",
                                                  WITH_TITLES, AUDIO),
    "a car radio": ("""GET /live HTTP/1.0
HOST: {host}
USER-AGENT: NetRadio/1.0
ICY-METADATA: 1
ACCEPT: */*
CONNECTION: close
""", WITH_TITLES, AUDIO),
    "Barix Exstreamer": ("""GET /live HTTP/1.0
Host: {host}
User-Agent: Barix Streaming Client
Icy-MetaData: 1
""", WITH_TITLES, AUDIO),
    "Chrome": ("""GET /live HTTP/1.1
Host: {host}
Connection: keep-alive
Accept-Encoding: identity;q=1, *;q=0
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36
Accept: */*
Sec-Fetch-Site: cross-site
Sec-Fetch-Mode: no-cors
Sec-Fetch-Dest: audio
Referer: http://player.example/
Accept-Language: en-US,en;q=0.9
Range: bytes=0-
""", STREAM, AUDIO),
    "Firefox with CORS": ("""GET /live HTTP/1.1
Host: {host}
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0
Accept: audio/webm,audio/ogg,audio/wav,audio/*;q=0.9,application/ogg;q=0.7,video/*;q=0.6,*/*;q=0.5
Accept-Language: en-US,en;q=0.5
Range: bytes=0-
Origin: http://player.example
DNT: 1
Connection: keep-alive
Accept-Encoding: identity
""", STREAM, AUDIO),
    "icecast-metadata-js": ("""GET /live HTTP/1.1
Host: {host}
Origin: https://player.example
User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0.0.0
Accept: */*
icy-metadata: 1
Accept-Encoding: gzip, deflate, br
Connection: keep-alive
""", WITH_TITLES, AUDIO),
    "its preflight": ("""OPTIONS /live HTTP/1.1
Host: {host}
Connection: keep-alive
Accept: */*
Access-Control-Request-Method: GET
Access-Control-Request-Headers: icy-metadata
Origin: https://player.example
User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0.0.0
Sec-Fetch-Mode: cors
""", PREFLIGHT, NOTHING),
    "a preflight for a mount that is not there": ("""OPTIONS /nowhere HTTP/1.1
Host: {host}
Origin: https://player.example
Access-Control-Request-Method: GET
""", PREFLIGHT, NOTHING),
    "Safari asks": ("""GET /live HTTP/1.1
Host: {host}
Range: bytes=0-1
X-Playback-Session-Id: 8C3C9D1E-0B7A-4F3B-9F2D-6C3A6A1F0001
Accept: */*
Accept-Language: en-GB,en;q=0.9
Accept-Encoding: identity
User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15
Connection: keep-alive
""", PROBE, TWO_BYTES),
    "Safari goes on": (f"""GET /live HTTP/1.1
Host: {{host}}
Range: bytes=0-{TOTAL - 1}
X-Playback-Session-Id: 8C3C9D1E-0B7A-4F3B-9F2D-6C3A6A1F0001
Accept: */*
Accept-Encoding: identity
User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15
Connection: keep-alive
""", AFTER_PROBE, AUDIO),
    "AVPlayer asks": ("""GET /live HTTP/1.1
Host: {host}
X-Playback-Session-Id: 5B6C9D1E-0B7A-4F3B-9F2D-6C3A6A1F0002
icy-metadata: 1
Range: bytes=0-1
Accept: */*
User-Agent: AppleCoreMedia/1.0.0.21B91 (iPhone; U; CPU OS 17_1 like Mac OS X; en_us)
Accept-Language: en-US,en;q=0.9
Accept-Encoding: identity
Connection: keep-alive
""", WITH_TITLES, AUDIO),
    "the middle of a stream": ("""GET /live HTTP/1.1
Host: {host}
Range: bytes=5000-
""", STREAM, AUDIO),
    "Winamp": ("""GET /live HTTP/1.0
Host: {host}
User-Agent: WinampMPEG/5.66, Ultravox/2.1
Ultravox-transport-type: TCP
Accept: */*
Icy-MetaData:1
Connection: close
""", WITH_TITLES, AUDIO),
    "Winamp's DirectShow filter": ("""GET /live HTTP/1.0
Host: {host}
User-Agent: shoutcastsource
Icy-MetaData: 1
""", ICY, AUDIO),
    "Windows Media Player": ("""GET /live HTTP/1.0
Accept: */*
User-Agent: Windows-Media-Player/11.0.5721.5145
Icy-Metadata: 1
Host: {host}
""", ICY, AUDIO),
    "a BlackBerry": ("""GET /live HTTP/1.1
Host: {host}
User-Agent: BlackBerry9700/5.0.0.862 Profile/MIDP-2.1
Icy-MetaData: 1
""", ICY, AUDIO),
    "RealPlayer on a phone": ("""GET /live HTTP/1.0
Host: {host}
User-Agent: RealMedia Player Symbian
Icy-MetaData: 1
""", ICY, AUDIO),
    "SHOUTcast as a relay": ("""GET /live HTTP/1.0
Host: {host}
User-Agent: SHOUTcast Server/2.6.0
Icy-MetaData:1
""", LOWER, AUDIO),
    "iTunes": ("""GET /live HTTP/1.1
Host: {host}
User-Agent: iTunes/12.12 (Windows; Microsoft Windows 10 x64) AppleWebKit/7613
x-audiocast-udpport: 6970
icy-metadata: 1
Accept: */*
""", WITH_TITLES, AUDIO),
    "Sonos and HE-AAC": ("""GET /plus HTTP/1.1
Host: {host}
User-Agent: Linux UPnP/1.0 Sonos/70.3-35220 (ZPS1)
Icy-MetaData: 1
Connection: close
""", AAC.replace("audio/aacp", "audio/aac"), AUDIO),
    "others and HE-AAC": ("""GET /plus HTTP/1.1
Host: {host}
User-Agent: foobar2000/1.6
Icy-MetaData: 1
""", AAC, AUDIO),
    "a directory looks": ("""HEAD /live HTTP/1.1
Host: {host}
User-Agent: Icecast Directory Checker
Accept: */*
Connection: close
""", STREAM, NOTHING),
    "a directory asks for titles": ("""HEAD /live HTTP/1.0
Icy-MetaData: 1
""", WITH_TITLES, NOTHING),
    "Safari looks": ("""HEAD /live HTTP/1.1
Host: {host}
Range: bytes=0-1
""", PROBE, NOTHING),
    "with parameters of a player": ("GET /live?_ic2=1&t=1700000000 HTTP/1.0\n", STREAM, AUDIO),
    "through a proxy": ("GET http://{host}/live HTTP/1.0\nProxy-Connection: keep-alive\n",
                        STREAM, AUDIO),
    "no such mount": ("GET /nowhere HTTP/1.0\nIcy-MetaData: 1\n", not_found("1.0", "close"), LOST),
    "no such mount, HTTP/1.1": ("GET /nowhere HTTP/1.1\nHost: {host}\nConnection: close\n",
                                not_found("1.1", "close"), LOST),
    "no such mount, only looking": ("HEAD /nowhere HTTP/1.0\n", not_found("1.0", "close"), NOTHING),
    "a traversal": ("GET /../../etc/passwd HTTP/1.0\n", None, None),
}


def raw_source(server, mount, content_type, headers, data, rate=16000):
    connection = dial(server)
    connection.sendall((
        f"SOURCE {mount} ICE/1.0\r\ncontent-type: {content_type}\r\n"
        f"Authorization: {basic('source', SOURCE_PASSWORD)}\r\n{headers}\r\n").encode())
    assert read_until(connection, b"\r\n\r\n") == b"HTTP/1.0 200 OK\r\n\r\n"
    return Pacer(connection, data, rate, ahead=3)


def mp3_frames(sounds):
    data = sounds.file("mp3").read_bytes()
    return data[data.index(b"\xff\xfb", 10):]


@pytest.fixture(scope="module")
def server(shared_serve, sounds):
    server = shared_serve({"mount./login.linger": "0"})
    frames = mp3_frames(sounds)
    plus = sounds.file("aac").read_bytes()
    with raw_source(server, "/live", "audio/mpeg", (
            "ice-name: Harbour Radio\r\nice-genre: Jazz\r\nice-description: Boats & notes\r\n"
            "ice-url: http://harbour.example/\r\nice-public: 1\r\nice-bitrate: 128\r\n"
            "ice-audio-info: ice-samplerate=44100;ice-bitrate=128;ice-channels=2\r\n"), frames), \
         raw_source(server, "/plus", "audio/aacp", "icy-name: Plus\r\n", plus, 12500):
        server.await_mount("/live")
        server.await_mount("/plus")
        server.programme = {"/live": frames, "/plus": plus}
        yield server


def masked(head):
    head = re.sub(r"(?mi)^(date): [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$",
                  r"\1: #", head)
    return re.sub(r"(?mi)^(server: ringmain)/[\d.]+$", r"\1/#", head)


def test_a_table_that_compares_heads_finds_differences():
    assert masked("Date: Sat, 21 Nov 2026 01:05:16 GMT\nServer: ringmain/0.1.0\n") == \
        "Date: #\nServer: ringmain/#\n"
    assert masked("Date: today\n") != "Date: #\n"


@pytest.mark.parametrize("line_end", ["\r\n", "\n"], ids=["CRLF", "LF"])
@pytest.mark.parametrize("name", REQUESTS)
def test_a_recorded_request_is_answered_to_the_byte(server, name, line_end):
    request, head, body = REQUESTS[name]
    raw = (request.format(host=server.host) + "\n").replace("\n", line_end).encode()
    want = 40000 if body == AUDIO else None
    got = exchange(server.port, raw, want and (lambda got: has_head(got) and len(got) > want), 10)
    got_head, got_body = got.split(b"\r\n\r\n", 1)
    if head is None:
        assert re.match(rb"HTTP/1\.[01] (404|400) ", got_head) and b"root:" not in got
        return
    # Every line ends in CRLF.
    assert got_head.count(b"\n") == got_head.count(b"\r\n")
    assert masked(got_head.decode().replace("\r\n", "\n") + "\n") == head
    lower = got_head.lower()
    assert b"transfer-encoding" not in lower
    assert lower.count(b"access-control-allow-origin") == 1
    if body == AUDIO:
        assert b"content-length" not in lower
        programme = server.programme["/plus" if b"aac" in got_head else "/live"]
        audio = without_titles(got_body) if b"metaint: 16000" in lower else got_body
        assert audio[0] == 0xff and audio[1] & 0xe0 == 0xe0, "does not begin with a frame"
        assert len(audio) > 30000 and audio in programme + programme
    else:
        assert got_body == body


def without_titles(data):
    """No title is set: every block is one byte, 0."""
    audio, at = b"", 0
    while at < len(data):
        audio += data[at:at + 16000]
        at += 16000
        assert at >= len(data) or data[at] == 0
        at += 1
    return audio


def test_who_only_looks_is_not_counted(server):
    await_true(lambda: server.mount("/live")["listeners"] == 0, 10)
    before = int(server.admin("stats").xml.findtext("listener_connections"))
    for name in ("Safari asks", "Safari looks", "a directory looks", "its preflight"):
        exchange(server.port, (REQUESTS[name][0].format(host=server.host) + "\n").replace(
            "\n", "\r\n").encode())
    assert int(server.admin("stats").xml.findtext("listener_connections")) == before
    assert server.mount("/live")["listeners"] == 0


# -- what encoders send ----------------------------------------------------------------------------

AUTH = f"Authorization: {basic('source', SOURCE_PASSWORD)}\n"
GOOD = b"HTTP/1.0 200 OK\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

LOGINS = {
    "BUTT": (f"""SOURCE /m HTTP/1.0
{AUTH}User-Agent: butt 0.1.34
Content-Type: audio/mpeg
ice-name: no name
ice-public: 0
ice-audio-info: ice-bitrate=128;ice-channels=2;ice-samplerate=44100
""", GOOD),
    "ffmpeg": (f"""PUT /m HTTP/1.1
User-Agent: Lavf/59.27.100
Accept: */*
Expect: 100-continue
Connection: close
Host: {{host}}
Content-Type: audio/mpeg
Icy-MetaData: 1
{AUTH}Ice-Public: 0
""", CONTINUE + GOOD),
    "ffmpeg -legacy_icecast": (f"""SOURCE /m HTTP/1.1
User-Agent: Lavf/59.27.100
Accept: */*
Connection: close
Host: {{host}}
Content-Type: audio/mpeg
Icy-MetaData: 1
{AUTH}Ice-Public: 0
""", GOOD),
    "liquidsoap, which waits for 200 with no Expect": (f"""PUT /m HTTP/1.1
Host: {{host}}
{AUTH}User-Agent: Liquidsoap/1.4.3 (Unix; OCaml 4.10.0)
Content-Type: audio/mpeg
Transfer-Encoding: chunked
""", GOOD),
    "curl -T": (f"""PUT /m HTTP/1.1
Host: {{host}}
{AUTH}User-Agent: curl/7.88.1
Accept: */*
Content-Length: 4000000
Expect: 100-continue
""", CONTINUE + GOOD),
    "ices 0.4": (f"SOURCE /m ICE/1.0\ncontent-type: audio/mpeg\n{AUTH}ice-name: x\n", GOOD),
    "Barix Instreamer": (
        f"SOURCE /m HTTP/1.0\n{AUTH}ice-name: Barix\nContent-Type: audio/mpeg\n", GOOD),
    "any user's name will do": (f"""SOURCE /m HTTP/1.0
Authorization: {basic('dj.anna', SOURCE_PASSWORD)}
Content-Type: audio/mpeg
""", GOOD),
}


@pytest.mark.parametrize("name", LOGINS)
def test_an_encoders_login_is_answered_to_the_byte_and_at_once(server, sounds, name):
    request, want = LOGINS[name]
    raw = (request.format(host=server.host) + "\n").replace("\n", "\r\n").replace("/m ", "/login ")
    await_true(lambda: server.log().count("source gone mount=/login") ==
               server.log().count("source live mount=/login"), 10)
    with dial(server) as connection:
        connection.sendall(raw.encode())
        # Before any byte of a body.
        got = b""
        while len(got) < len(want):
            piece = connection.recv(len(want) - len(got))
            assert piece, got
            got += piece
        assert got == want
        audio = server.programme["/live"][:20000]
        connection.sendall(b"%x\r\n%s\r\n" % (len(audio), audio) if "chunked" in raw else audio)
        server.await_mount("/login")
    server.await_no_mount("/login")


def test_libshouts_probe_reads_what_it_needs_from_the_401(server):
    """Without credentials, on a connection that it then uses for the real request."""
    probe = (f"PUT /probed HTTP/1.1\r\nHost: {server.host}\r\nUser-Agent: libshout/2.4.6\r\n"
             "Content-Length: 0\r\nConnection: Keep-Alive\r\n\r\n")
    with dial(server) as connection:
        connection.sendall(probe.encode())
        head = read_until(connection, b"\r\n\r\n").decode()
        assert masked(head.replace("\r\n", "\n")) == """HTTP/1.1 401 Unauthorized
Server: ringmain/#
Date: #
Connection: keep-alive
Content-Type: text/plain; charset=utf-8
Content-Length: 25
Cache-Control: no-store
WWW-Authenticate: Basic realm="ringmain"
Allow: GET, HEAD, SOURCE, PUT, POST, OPTIONS
Accept-Encoding: chunked

"""
        assert read_until(connection, b"\n") == b"You need to authenticate\n"
        connection.sendall((
            f"PUT /probed HTTP/1.1\r\nHost: {server.host}\r\nUser-Agent: libshout/2.4.6\r\n"
            f"Authorization: {basic('source', SOURCE_PASSWORD)}\r\nContent-Type: audio/mpeg\r\n"
            "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n").encode())
        assert read_until(connection, GOOD) == CONTINUE + GOOD
    assert "mount=/probed" not in "".join(
        line for line in server.log().splitlines() if "login failed" in line)


@pytest.mark.parametrize("request_line, status", [
    ("SOURCE / HTTP/1.0", 403), ("SOURCE /admin/stats HTTP/1.0", 403),
    ("SOURCE /status-json.xsl HTTP/1.0", 403), ("PUT /metrics HTTP/1.1", 403),
    ("PUT /api/v1/station HTTP/1.1", 405), ("SOURCE /dir/ HTTP/1.0", 403)])
def test_a_mount_cannot_hide_a_page(server, request_line, status):
    request = f"{request_line}\nHost: x\n{AUTH}Content-Type: audio/mpeg\n\n"
    got = exchange(server.port, request.replace("\n", "\r\n").encode(), has_head)
    assert re.match(rf"HTTP/1\.[01] {status} ".encode(), got), got


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "POST", "TRACE", "CONNECT"])
def test_a_method_that_no_path_takes_is_refused(server, method):
    got = exchange(server.port, f"{method} /live HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                                "Connection: close\r\n\r\n".encode())
    assert re.match(rb"HTTP/1\.1 (405|501|400) ", got), got
    if got.startswith(b"HTTP/1.1 405"):
        # RFC 9110 section 15.5.6: a 405 says what is allowed.
        assert re.search(rb"\r\nAllow: [^\r]*GET", got), got
