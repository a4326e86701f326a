#!/usr/bin/env python3
"""dev_server: serves web/ with an invented radio behind it, for working on the pages and for their tests.

    dev_server.py [--port N] [--mp3 FILE]

/api/v1/station and /events answer with several mounts, among them what strangers may send (markup in a title,
right-to-left text, names without end). GET /control?mounts=none|one|many,
?off=/live, ?on=/live, ?away=1 (until the next) and ?title=TEXT (of the first mount) change it. A mount
that sounds is an endless MP3: FILE over and over, in real time. Files come with the header lines that
the real server sends. Only for this machine: it listens on 127.0.0.1.
"""
import argparse
import json
import pathlib
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WEB = pathlib.Path(__file__).resolve().parents[2] / "web"
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
BYTES_A_SECOND = 128000 // 8


def mount(path, **more):
    return {"mount": path, "name": "", "description": "", "genre": "", "url": "",
            "content_type": "audio/mpeg", "codec": "mp3", "bitrate": 128, "sample_rate": 44100,
            "channels": 2, "listeners": 0, "listeners_peak": 0, "title": "",
            "title_since": "2026-11-20T12:00:00Z", "state": "live",
            "started": "2026-11-20T12:00:00Z", **more}


MANY = [
    mount("/demo.mp3", name="Ringmain Demo", genre="Ambient", listeners=3, listeners_peak=9,
          description="Calm music that this server's demo makes up as it plays",
          title="Ringmain Demo - Copper Dawn", url="https://example.org/demo"),
    mount("/night.ogg", name="Night Line", genre="Talk", content_type="application/ogg",
          codec="opus", bitrate=96, sample_rate=48000, listeners=41, listeners_peak=60,
          title="Mira & Jon - Letters after midnight 🌙📻", url="javascript:alert(1)"),
    mount("/arabic", name="إذاعة النور", genre="طرب", bitrate=64, channels=1, listeners=7,
          title="فيروز - نسم علينا الهوى", description="بث مباشر من بيروت"),
    mount("/hostile", name="<b>Bold</b> & \"quoted\"", genre="<i>x</i>", listeners=1,
          url="http://example.org/\"><script>", description="<img src=x onerror=\"window.pwned=1\">",
          title="<script>window.pwned=1</script> - <img src=x onerror=window.pwned=1>"),
    mount("/long", name="The Community Broadcasting Cooperative of the Northern Valleys and "
          "Surrounding Islands", genre="Classical", bitrate=320, listeners=1204, listeners_peak=2210,
          state="fallback", description="Everything " * 40,
          title="Orchestra of the Age of Extremely Long Names - Symphony No. 41 in C major, K. 551 "
          "\"Jupiter\": IV. Molto allegro (Live at the Harbour Hall, second evening, encore)"),
    mount("/studio.flac", name="Studio lossless", content_type="audio/flac", codec="flac",
          bitrate=0, sample_rate=96000, listeners=2, title="Sunset Rehearsal"),
    mount("/tv.ts", name="Camera 2", content_type="video/mp2t", codec="h264", bitrate=2500,
          sample_rate=0, channels=0, title="", listeners=5),
    mount("/late", name="Late Desk", state="stalled", listeners=2, title="Anna - Traffic"),
    mount("/off", name="Weekend Special", state="off", genre="Jazz",
          description="Saturdays and Sundays from eight"),
]


class Radio:
    lock = threading.Lock()
    mounts = [dict(m) for m in MANY]
    mp3 = b""
    away = False  # answers nothing but its files
    heard = []  # paths of the streams asked for


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, content_type, **more):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", "default-src 'self'")
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path)
        with Radio.lock:
            found = next((m for m in Radio.mounts if m["mount"] == path), None)
        if Radio.away and path in ("/api/v1/station", "/events"):
            self.answer(503, b"away\n", "text/plain; charset=utf-8")
        elif path == "/api/v1/station":
            self.mounts()
        elif path == "/events":
            self.events()
        elif path == "/control":
            self.control(urllib.parse.parse_qs(url.query))
        elif found and found["state"] in ("live", "lingering", "fallback") and Radio.mp3:
            self.stream(path)
        else:
            self.file("index.html" if path == "/" else path[1:])

    def events(self):
        """The public stream: a snapshot each time that something has changed."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        before = None
        try:
            while not Radio.away:
                state = self.state()
                if state != before:
                    data = {"station": state["server"],
                            "mounts": {m["mount"]: m for m in state["mounts"]}}
                    self.wfile.write(f"event: snapshot\ndata: {json.dumps(data)}\n\n".encode())
                before = state
                time.sleep(0.2)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def mounts(self):
        self.answer(200, json.dumps(self.state()).encode(), "application/json",
                    Cache_Control="no-store")

    def state(self):
        host = self.headers.get("Host", "localhost")
        with Radio.lock:
            mounts = [{**m, "listen_url": f"http://{host}{m['mount']}"} for m in Radio.mounts]
        server = {"name": "Harbour Radio", "version": "0.1.0", "location": "Kiel, Germany",
                  "contact": "studio@example.org", "started": "2026-11-20T12:00:00Z",
                  "listeners": sum(m["listeners"] for m in mounts)}
        return {"server": server, "mounts": mounts}

    def control(self, query):
        with Radio.lock:
            if "mounts" in query:
                count = {"none": 0, "one": 1}.get(query["mounts"][0], len(MANY))
                Radio.mounts = [dict(m) for m in MANY[:count]]
            for m in Radio.mounts:
                if m["mount"] in query.get("off", []):
                    m["state"] = "off"
                if m["mount"] in query.get("on", []):
                    m["state"] = "live"
            Radio.away = "away" in query
            if "title" in query:
                Radio.mounts[0]["title"] = query["title"][0]
            body = json.dumps({"heard": Radio.heard}).encode()
        self.answer(200, body, "application/json")

    def file(self, name):
        path = (WEB / name).resolve()
        if path.parent not in (WEB, WEB / "ui") or path.suffix not in TYPES or not path.is_file():
            self.answer(404, b"There is nothing here.\n", "text/plain; charset=utf-8")
            return
        self.answer(200, path.read_bytes(), TYPES[path.suffix], Cache_Control="no-cache")

    def stream(self, path):
        self.send_response(200)
        self.send_header("Content-Type", "audio/mpeg")
        self.send_header("Cache-Control", "no-cache, no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        Radio.heard.append(path)
        self.close_connection = True
        start, sent = time.monotonic() - 2, 0  # two seconds at once, as a burst
        try:
            while True:
                with Radio.lock:
                    sounds = any(m["mount"] == path and m["state"] == "live" for m in Radio.mounts)
                if not sounds:
                    return
                due = int((time.monotonic() - start) * BYTES_A_SECOND)
                while sent < due:
                    at = sent % len(Radio.mp3)
                    piece = Radio.mp3[at:at + min(4096, due - sent)]
                    self.wfile.write(piece)
                    sent += len(piece)
                time.sleep(0.1)
        except (BrokenPipeError, ConnectionResetError):
            pass


class Server(ThreadingHTTPServer):
    daemon_threads = True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8080, help="0: any (it is printed)")
    parser.add_argument("--mp3", type=pathlib.Path, help="what the mounts play, at 128 kbit/s")
    options = parser.parse_args()
    if options.mp3:
        Radio.mp3 = options.mp3.read_bytes()
    server = Server(("127.0.0.1", options.port), Handler)
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
