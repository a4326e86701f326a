"""Players join late and hear the programme: every format with ffmpeg, and each player with what it
plays. All formats are on the air for more than ten seconds before anybody asks for them, so no
header comes from the past of the audio itself."""
import json
import re
import threading
import time
import wave
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import encoders
from encoders import Pacer, dial, read_until
from ogg_pages import check_stream
from sounds import CHAIN_TITLES, FORMATS, Heard, hear
from stage import Crew, await_true, basic, exchange, need, run

LATE = 10


class OnAir:
    def __init__(self, server, process, since):
        self.server, self.process, self.since = server, process, since

    def url(self, name):
        """Of a mount that has been on the air for long enough."""
        self.server.await_mount(f"/{name}", 30, self.process[name])
        self.await_late()
        assert self.process[name].running(), self.process[name].said()
        return f"{self.server.url}/{name}"

    def await_late(self):
        def wait():
            if len(self.since) < len(FORMATS):
                for name in self.server.mounts():
                    self.since.setdefault(name, time.monotonic())
            return (len(self.since) >= len(FORMATS) and
                    time.monotonic() - max(self.since.values()) > LATE)
        await_true(wait, 60, lambda: f"{sorted(self.since)} on the air")


@pytest.fixture(scope="module")
def on_air(shared_serve, shared_crew, sounds):
    need("ffmpeg")
    # What comes in pieces may be long between them; and who comes at the beginning gets all of it.
    server = shared_serve({"radio.source_timeout": "5m", "mount./whole.burst": "1M", "mount./whole.ring": "4M"})
    return OnAir(server, {name: encoders.ffmpeg_send(shared_crew, server, sounds, name, f"/{name}")
                          for name in FORMATS}, {})


@pytest.mark.parametrize("name", FORMATS)
def test_ffmpeg_hears_who_joins_late(on_air, name):
    hear(on_air.url(name), 3, video=bool(FORMATS[name].video))
    found = on_air.server.mount(f"/{name}")
    assert found["server_type"] == FORMATS[name].type_told
    answer = exchange(on_air.server.port, f"HEAD /{name} HTTP/1.0\r\n\r\n".encode()).decode()
    assert f"\r\nContent-Type: {FORMATS[name].type_told}\r\n" in answer


@pytest.mark.parametrize("name", ["mp3", "mp3-vbr", "mp2"])
def test_mpg123_plays_mpeg_audio(on_air, name):
    need("mpg123")
    done = run(["mpg123", "--no-control", "-t", "-n", "120", on_air.url(name)], 25)
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0, said
    assert "ICY-NAME: Radio Ring" in said and "Decoding of" in said and "[0:03]" in said, said
    assert not re.search(r"error|warning|resync|junk", said, re.I), said


def test_ogg123_plays_vorbis(on_air):
    need("ogg123")
    done = run(["ogg123", "-d", "null", "--end", "3", on_air.url("vorbis")], 25)
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0 and "Done." in said, said
    assert "Title: Round the Ring" in said or "Round the Ring" in said, said
    assert not re.search(r"error|corrupt|hole", said, re.I), said


# How a player for files gets a stream: ended, as here, within a page. And how many pieces are quiet where
# the encoder's file begins again, and the codec softly: of 4 ms of Opus in stereo, of 25 ms of Speex. A
# packet that is missing has 20 ms.
# How many bytes: more than three seconds, less than are there at once.
PIPED = {"opus": (["opusdec", "--quiet", "--rate", "48000", "-"], 4, 60000), "speex": (["speexdec", "-"], 2, 30000)}


@pytest.mark.parametrize("name", PIPED)
def test_the_reference_decoder_plays_what_curl_gets(on_air, tmp_path, name):
    decoder, soft, size = PIPED[name]
    need("curl", decoder[0])
    got = run(["sh", "-c", f"curl -sN {on_air.url(name)} | head -c {size}"], 20)
    assert len(got.stdout) == size, got.stderr
    out = tmp_path / "out.wav"
    done = run([*decoder, out], 25, input=got.stdout)
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0 and not re.search(r"error|hole|corrupt|missing", said, re.I), said
    with wave.open(str(out)) as sound:
        seconds = sound.getnframes() / sound.getframerate()
        data = sound.readframes(sound.getnframes())
    assert seconds > 3
    assert sum(level <= 100 for level in list(Heard(data).levels())[20:-20]) <= soft


@pytest.mark.parametrize("name", ["mp3", "aac", "opus", "vorbis", "flac", "webm-opus", "matroska",
                                  "ts"])
def test_mpv_plays(on_air, name):
    need("mpv")
    done = run(["mpv", "--no-config", "--no-video", "--ao=null", "--untimed", "--length=3",
                "--msg-level=all=warn,cplayer=info,statusline=no", on_air.url(name)], 25)
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, said
    assert "AO: [null]" in said and "Exiting... (End of file)" in said, said
    assert not re.search(r"error|invalid|fail|corrupt", said, re.I), said


def test_curl_gets_nothing_but_the_stream(on_air):
    need("curl")
    done = run(["sh", "-c", f"curl -sN -D - {on_air.url('mp3')} | head -c 70000"], 20)
    head, body = done.stdout.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.0 200 OK\r\n") and len(body) > 60000
    assert body[0] == 0xff and body[1] & 0xe0 == 0xe0


# -- Chromium --------------------------------------------------------------------------------------

BROWSER_PLAYS = ["mp3", "aac", "vorbis", "opus", "oggflac", "flac", "webm-opus", "webm-vp8"]

PAGE = """<!doctype html><title>listening</title><script>
const base = %s, names = %s, seconds = 2;
const context = new AudioContext();

function listen(name) {
  return new Promise((done) => {
    const audio = new Audio();
    const result = {name, time: 0, level: 0, error: null};
    const ear = context.createAnalyser();
    const samples = new Float32Array(ear.fftSize);
    let timer;
    const finish = () => {
      clearInterval(timer);
      audio.removeAttribute("src");
      audio.load();
      done(result);
    };

    audio.crossOrigin = "anonymous";  // the analyser hears nothing without CORS
    context.createMediaElementSource(audio).connect(ear);
    ear.connect(context.destination);
    audio.onerror = () => {
      result.error = audio.error && (audio.error.code + " " + audio.error.message);
      finish();
    };
    audio.src = base + "/" + name;
    audio.play().catch((e) => { result.error = result.error || String(e); });
    const end = performance.now() + 100000;
    timer = setInterval(() => {
      ear.getFloatTimeDomainData(samples);
      result.level = Math.max(result.level, ...samples);
      result.time = audio.currentTime;
      if ((audio.currentTime > seconds && result.level > 0.02) || performance.now() > end)
        finish();
    }, 50);
  });
}

context.resume();
Promise.all(names.map(listen)).then((results) =>
  fetch("/results", {method: "POST", body: JSON.stringify(results)}));
</script>"""


class PageServer(ThreadingHTTPServer):
    """Serves one page, from another origin than the streams, and takes what it found."""

    def __init__(self, page):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = page.encode() if self.path == "/" else b""
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(204)
                self.end_headers()
                outer.results = json.loads(body)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.results = None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/"


@pytest.fixture(scope="module")
def browser_results(on_air, tmp_path_factory):
    need("chromium")
    room = tmp_path_factory.mktemp("chromium")
    on_air.await_late()
    server = PageServer(PAGE % (json.dumps(on_air.server.url), json.dumps(BROWSER_PLAYS)))
    try:
        with Crew(room) as crew:
            browser = crew.start([
                "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio",
                "--disable-dev-shm-usage", "--no-first-run", "--disable-sync",
                "--disable-background-networking", "--disable-component-update",
                "--disable-default-apps", "--disable-extensions",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                "--autoplay-policy=no-user-gesture-required", f"--user-data-dir={room}/profile",
                server.url])
            await_true(lambda: server.results or not browser.running(), 150, browser.said)
            assert server.results, browser.said()
    finally:
        server.shutdown()
        server.server_close()
    return {r["name"]: r for r in server.results}


@pytest.mark.parametrize("name", BROWSER_PLAYS)
def test_chromium_plays_and_its_scripts_may_listen(browser_results, name):
    result = browser_results[name]
    assert not result["error"], result
    assert result["time"] > 2 and result["level"] > 0.02, result


# -- chained Ogg -----------------------------------------------------------------------------------

def log_in(server, name, mount):
    """A raw encoder of three songs of 8 s, each a chain with tags of its own."""
    connection = dial(server)
    connection.sendall((
        f"SOURCE {mount} HTTP/1.0\r\nAuthorization: {basic('source', server.source_password)}\r\n"
        f"Content-Type: {FORMATS[name].content_type}\r\n\r\n").encode())
    assert read_until(connection, b"\r\n\r\n") == b"HTTP/1.0 200 OK\r\n\r\n"
    return connection


@pytest.mark.parametrize("name", ["vorbis", "opus"])
def test_who_joins_after_a_chain_hears_it_and_its_title(on_air, sounds, name):
    server, mount = on_air.server, f"/chained-{name}"
    sent = 0
    with log_in(server, name, mount) as encoder:
        for i, (artist, title) in enumerate(CHAIN_TITLES):
            found = lambda: (server.mount(mount) or {}).get("title")
            chain = sounds.chain(name, i).read_bytes()
            encoder.sendall(chain[:len(chain) // 4])
            await_true(lambda: found() == f"{artist} - {title}", 15, server.mounts)
            if i:
                # Right behind the border, so that the burst goes across it.
                hear(server.url + mount, 2)
            # Deep within the chain: its headers are far behind.
            encoder.sendall(chain[len(chain) // 4:])
            sent += len(chain)
            await_true(lambda: server.bytes_read(mount) == sent, 15)
            got = exchange(server.port, f"GET {mount} HTTP/1.0\r\n\r\n".encode(),
                           lambda got: len(got) > 40000, 10)
            body = got.split(b"\r\n\r\n", 1)[1]
            assert check_stream(body, headers=2)
            hear("pipe:0", 1, data=body)


def test_every_page_of_a_chained_stream_arrives_once(on_air, sounds):
    """From the first byte to the last of three chains: what came in is what goes out."""
    server, mount = on_air.server, "/whole"
    data = sounds.chained("vorbis").read_bytes()
    with dial(server) as listener:
        with Pacer(log_in(server, "vorbis", mount), data, len(data) / 12, loop=False):
            server.await_mount(mount)
            listener.sendall(f"GET {mount} HTTP/1.0\r\n\r\n".encode())
            got = read_until(listener, b"\r\n\r\n")
            assert got.startswith(b"HTTP/1.0 200 OK\r\n")
            body = b""
            while len(body) < len(data):
                piece = listener.recv(65536)
                assert piece, f"let go after {len(body)} of {len(data)} bytes"
                body += piece
    assert body == data
    assert len(check_stream(body, headers=2)) == len(CHAIN_TITLES)
