"""Foreign encoders, and raw ones for what no foreign program at hand does."""
import os
import socket
import threading
import time
import xml.sax.saxutils

from sounds import FORMATS
from stage import PATIENCE, run

NAME, GENRE, ABOUT = "Radio Ring", "Test Tones", "Words over a chord"


def ffmpeg_send(crew, server, sounds, form, mount, options=(), loop=True, password=None):
    """ffmpeg's icecast:// protocol, in real time and for ever."""
    args = ["ffmpeg", "-nostdin", "-v", "warning", "-re"]
    if loop:
        args += ["-stream_loop", "-1"]
    args += ["-i", sounds.file(form), "-map", "0", "-c", "copy", "-map_metadata", "0",
             "-content_type", FORMATS[form].content_type, "-ice_name", NAME, "-ice_genre", GENRE,
             "-ice_description", ABOUT, *options, "-f", FORMATS[form].muxer,
             server.source_url(mount, "icecast", password)]
    return crew.start(args, "ffmpeg")


class Pacer:
    """Sends bytes over a socket in real time, on a thread, until told to stop or at their end."""

    def __init__(self, connection, data, rate, loop=True, ahead=0.5, wrap=lambda piece: piece):
        self.connection, self.data, self.rate, self.loop = connection, data, rate, loop
        self.ahead, self.wrap = ahead, wrap
        self.sent = 0
        self.failed = None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._send, daemon=True)
        self.thread.start()

    def _send(self):
        begun = time.monotonic() - self.ahead
        at = 0
        try:
            while not self.over.is_set():
                want = int((time.monotonic() - begun) * self.rate) - self.sent
                piece = self.data[at:at + max(0, want)]
                if piece:
                    self.connection.sendall(self.wrap(piece))
                    self.sent += len(piece)
                    at += len(piece)
                if at == len(self.data):
                    if not self.loop:
                        break
                    at = 0
                self.over.wait(0.05)
        except OSError as e:
            self.failed = e

    def stop(self):
        self.over.set()
        self.thread.join(10)
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def dial(server, port=None):
    return socket.create_connection(("127.0.0.1", port or server.port), timeout=PATIENCE)


def read_until(connection, end, most=65536):
    got = b""
    while not got.endswith(end) and len(got) < most:
        piece = connection.recv(1)
        if not piece:
            break
        got += piece
    return got


# -- programs that read a configuration ------------------------------------------------------------

NOBODY = 65534


def as_nobody(args):
    """ices2 and liquidsoap will not run as root."""
    if os.getuid() != 0:
        return args
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
            "--pdeathsig=KILL", *args]


def open_to_nobody(path):
    """A directory that the unprivileged one reaches and writes."""
    path.mkdir(exist_ok=True)
    path.chmod(0o777)
    for parent in path.parents:
        if parent.stat().st_uid == os.getuid() and not parent.stat().st_mode & 1:
            parent.chmod(parent.stat().st_mode | 0o011)
    return path


def escape(text):
    return xml.sax.saxutils.escape(str(text))


def ezstream_send(crew, server, sounds, room, form, mount, password=None):
    config = room / f"ezstream{mount.replace('/', '-')}.xml"
    word = {"mp3": "MP3", "vorbis": "Ogg"}[form]
    config.write_text(f"""<ezstream>
  <servers><server>
    <hostname>127.0.0.1</hostname><port>{server.port}</port>
    <password>{escape(password or server.source_password)}</password>
    <reconnect_attempts>1</reconnect_attempts>
  </server></servers>
  <streams><stream>
    <mountpoint>{mount}</mountpoint><format>{word}</format>
    <stream_name>{NAME}</stream_name><stream_genre>{GENRE}</stream_genre>
    <stream_description>{ABOUT}</stream_description><stream_bitrate>128</stream_bitrate>
  </stream></streams>
  <intakes><intake><filename>{sounds.file(form)}</filename></intake></intakes>
</ezstream>
""")
    config.chmod(0o600)
    return crew.start(["ezstream", "-v", "-c", config])


def ices_send(crew, server, sounds, room, mount, password=None):
    room = open_to_nobody(room / "ices")
    # It refuses a file that it has just played, and a serial number too.
    again = room / "again.ogg"
    run(["ffmpeg", "-v", "error", "-y", "-i", sounds.file("vorbis"), "-map", "0:a", "-c", "copy",
         "-serial_offset", "4711", again]).check_returncode()
    (room / "playlist.txt").write_text(f"{sounds.file('vorbis')}\n{again}\n" * 20)
    config = room / "ices.xml"
    config.write_text(f"""<?xml version="1.0"?>
<ices>
  <background>0</background><logpath>{room}</logpath><logfile>ices.log</logfile>
  <loglevel>4</loglevel><consolelog>1</consolelog>
  <stream>
    <metadata><name>{NAME}</name><genre>{GENRE}</genre><description>{ABOUT}</description></metadata>
    <input>
      <module>playlist</module><param name="type">basic</param>
      <param name="file">{room}/playlist.txt</param><param name="random">0</param>
      <param name="once">0</param>
    </input>
    <instance>
      <hostname>127.0.0.1</hostname><port>{server.port}</port>
      <password>{escape(password or server.source_password)}</password><mount>{mount}</mount>
      <reconnectdelay>1</reconnectdelay><reconnectattempts>1</reconnectattempts>
    </instance>
  </stream>
</ices>
""")
    return crew.start(as_nobody(["ices2", config]), cwd=room)


def liquidsoap_send(crew, server, sounds, room, outputs):
    """One liquidsoap, which takes long to start, for all of [(encoder, mount, password)]."""
    room = open_to_nobody(room / "liquidsoap")
    script = room / "radio.liq"
    script.write_text(f's = single("{sounds.file("flac")}")\n' + "".join(
        f"""output.icecast({encoder}, host="127.0.0.1", port={server.port},
  password="{password or server.source_password}", mount="{mount}", name="{NAME}",
  genre="{GENRE}", description="{ABOUT}", s)
""" for encoder, mount, password in outputs))
    return crew.start(as_nobody(["liquidsoap", "-v", script]), cwd=room,
                      env={**os.environ, "HOME": str(room)})


def curl_send(crew, server, sounds, form, mount, chunked=False, rate="24k", password=None,
              times=1):
    """curl -T at a limited rate: with a Content-Length, or chunked from its standard input."""
    path = crew.directory / f"upload{mount.replace('/', '-')}"
    path.write_bytes(sounds.file(form).read_bytes() * times)
    args = ["curl", "-sS", "-f", "-u", f"source:{password or server.source_password}",
            "--limit-rate", rate, "-H", f"Content-Type: {FORMATS[form].content_type}",
            "-H", "Expect: 100-continue", "-H", f"Ice-Name: {NAME}", "-H", f"Ice-Genre: {GENRE}",
            "-H", f"Ice-Description: {ABOUT}", "-T", "-" if chunked else path, server.url + mount]
    if not chunked:
        return crew.start(args)
    with open(path, "rb") as data:
        return crew.start(args, stdin=data)


def http_put_send(crew, server, sounds, form, mount, password=None):
    """ffmpeg's http:// protocol: chunked, and credentials only after a 401."""
    return crew.start([
        "ffmpeg", "-nostdin", "-v", "warning", "-re", "-stream_loop", "-1",
        "-i", sounds.file(form), "-c", "copy", "-method", "PUT",
        "-content_type", FORMATS[form].content_type, "-headers",
        f"Ice-Name: {NAME}\r\nIce-Genre: {GENRE}\r\nIce-Description: {ABOUT}\r\n",
        "-f", FORMATS[form].muxer, server.source_url(mount, "http", password)])


def shoutcast_login(server, port, login, xaudiocast=False):
    """Connects as SHOUTcast encoders do; the answer is the first line."""
    prefix = "x-audiocast" if xaudiocast else "icy"
    end = "\n" if xaudiocast else "\r\n"
    connection = dial(server, port)
    connection.sendall((login + end).encode())
    answer = read_until(connection, b"\n")
    if answer.startswith(b"OK"):
        connection.sendall(end.join([
            f"{prefix}-name:{NAME}", f"{prefix}-genre:{GENRE}", f"{prefix}-description:{ABOUT}",
            f"{prefix}-{'public' if xaudiocast else 'pub'}:0",
            f"{prefix}-{'bitrate' if xaudiocast else 'br'}:128",
            "content-type:audio/mpeg", "", ""]).encode())
    return connection, answer


def shoutcast_send(server, sounds, port, login, xaudiocast=False):
    connection, answer = shoutcast_login(server, port, login, xaudiocast)
    assert answer in (b"OK\n", b"OK\r\n", b"OK2\r\n"), answer
    data = sounds.file("mp3").read_bytes()
    return Pacer(connection, data, 128000 // 8)
