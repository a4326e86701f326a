"""Unmodified Mumble clients without a screen, a sound card or a person: each has its own Xvfb, its
microphone and its ear are null sinks of a PulseAudio of the test's, and what a person would have been
asked (a certificate of one's own, whether the server's is believed) lies in its settings already.

    house = Sounds(crew, folder, ["anna", "ben"])
    anna = Mumble(crew, house, "anna", port, server_digest)
    with house.ear("ben") as heard:
        house.say("anna", wav)
        await_true(lambda: likeness(wav_samples(wav), heard()) > 0.9, 20)
"""
import array
import contextlib
import hashlib
import itertools
import math
import pathlib
import re
import socket
import sqlite3
import ssl
import subprocess
import tempfile
import time
import wave

from envelope import likeness_of_pieces
from stage import await_true, need, run

RATE = 48000


def server_digest(port):
    """The SHA-1 of a server's certificate, as clients remember it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 60)) as tls:
        return hashlib.sha1(tls.getpeercert(binary_form=True)).hexdigest()


class Sounds:
    """A PulseAudio with a microphone and an ear for each name."""

    def __init__(self, crew, names):
        need("mumble", "Xvfb", "pulseaudio", "pactl", "paplay", "parec")
        self.crew = crew
        self.numbers = itertools.count()
        # Sockets have short names.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sounds-"))
        self.environment = {"HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder),
                            "PULSE_SERVER": f"unix:{self.folder}/sock", "PATH": "/usr/bin:/bin",
                            "LC_ALL": "C.UTF-8"}
        modules = [f"module-native-protocol-unix socket={self.folder}/sock auth-anonymous=1"]
        for name in names:
            modules += [f"module-null-sink sink_name=mic_{name} rate={RATE}",
                        f"module-null-sink sink_name=ear_{name} rate={RATE}"]
        args = ["pulseaudio", "-n", "--exit-idle-time=-1", "--daemonize=no"]
        for module in modules:
            args += ["-L", module]
        crew.start(args, "pulseaudio", env=self.environment)
        await_true(lambda: self.pactl("info").returncode == 0, 20, "pulseaudio")

    def pactl(self, *args):
        return run(["pactl", *args], env=self.environment)

    def say(self, name, wav):
        """Into the microphone; until it is said."""
        done = run(["paplay", "-d", f"mic_{name}", wav], 60, env=self.environment)
        assert done.returncode == 0, done.stderr

    @contextlib.contextmanager
    def ear(self, name):
        """What comes out of a client's loudspeaker meanwhile: a function that says the samples so far."""
        file = self.folder / f"heard-{name}-{next(self.numbers)}"
        with open(file, "wb") as out:
            process = subprocess.Popen(["setpriv", "--pdeathsig=KILL", "parec", "-d",
                                        f"ear_{name}.monitor", "--format=s16le", "--channels=1",
                                        f"--rate={RATE}", "--latency-msec=20"], stdout=out,
                                       env=self.environment)

        def samples():
            raw = file.read_bytes()
            return array.array("h", raw[:len(raw) // 2 * 2])
        try:
            await_true(samples, 20, f"nothing is recorded of ear_{name}")
            yield samples
        finally:
            process.terminate()
            process.wait(60)


class Mumble:
    """One client, on its way to a server."""

    def __init__(self, crew, sounds, name, port, digest, tcp_only=False):
        self.name = name
        home = sounds.folder / name
        (home / ".config/Mumble").mkdir(parents=True)
        (home / ".local/share/Mumble/Mumble").mkdir(parents=True)
        (home / ".config/Mumble/Mumble.conf").write_text(f"""[General]
lastupdate=2

[audio]
input=PulseAudio
output=PulseAudio
transmit=0
quality=40000
noisesupress=0
denoise=false
outputdelay=5

[pulseaudio]
input=mic_{name}.monitor
output=ear_{name}

[net]
certificate=@ByteArray({self.own_certificate(home)})
tcponly={str(tcp_only).lower()}

[overlay]
enable=false

[tts]
enable=false

[ui]
usage=false
updatecheck=false
plugincheck=false
""")
        with contextlib.closing(sqlite3.connect(home / ".local/share/Mumble/Mumble/mumble.sqlite")) \
                as db, db:
            db.execute("CREATE TABLE cert (id INTEGER PRIMARY KEY AUTOINCREMENT, hostname TEXT, "
                       "port INTEGER, digest TEXT)")
            db.execute("CREATE UNIQUE INDEX cert_host_port ON cert(hostname,port)")
            db.execute("INSERT INTO cert (hostname, port, digest) VALUES ('127.0.0.1', ?, ?)",
                       (port, digest))
        environment = {**sounds.environment, "HOME": str(home)}
        self.screen = crew.start(["Xvfb", "-displayfd", "1", "-screen", "0", "1024x768x24",
                                  "-nolisten", "tcp"], f"xvfb-{name}", env=environment)
        number = await_true(lambda: re.search(r"^(\d+)\n", self.screen.said(), re.M), 20,
                            self.screen.said)[1]
        self.start = lambda: crew.start(["mumble", "-m",
                                         f"mumble://{name}@127.0.0.1:{port}/?version=1.2.0"],
                                        f"mumble-{name}", env={**environment, "DISPLAY": f":{number}"})
        self.dismiss = lambda: crew.dismiss(self.process)
        self.process = self.start()

    def await_sound(self):
        """Until it has a microphone and a loudspeaker. On a busy machine it opens, now and then, only one
        of them, and leaves it at that: then it is started anew."""
        def has(direction):
            return f"Audio{direction}: Initialized" in self.process.said()
        for _ in range(5):
            await_true(lambda: has("Input") or has("Output"), 60, self.process.said)
            end = time.monotonic() + 8
            while time.monotonic() < end:
                if has("Input") and has("Output"):
                    return
                time.sleep(0.05)
            self.dismiss()
            self.process = self.start()
        raise AssertionError(self.process.said())

    @staticmethod
    def own_certificate(home):
        """PKCS#12 without a password, as QSettings writes bytes."""
        run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Mumble User",
             "-days", "30", "-keyout", home / "key", "-out", home / "crt"])
        run(["openssl", "pkcs12", "-export", "-inkey", home / "key", "-in", home / "crt", "-passout",
             "pass:", "-out", home / "p12"])
        return "".join(f"\\x{byte:x}" for byte in (home / "p12").read_bytes())


# -- how alike two sounds are ----------------------------------------------------------------------

def wav_samples(path):
    with wave.open(str(path)) as w:
        assert (w.getframerate(), w.getsampwidth(), w.getnchannels()) == (RATE, 2, 1)
        return array.array("h", w.readframes(w.getnframes()))


def envelope(samples, ms=10):
    step = RATE * ms // 1000
    return [math.sqrt(sum(s * s for s in samples[at:at + step:4]) * 4 / step)
            for at in range(0, len(samples) - step, step)]


def likeness(said, heard):
    return likeness_of_pieces(envelope(said), envelope(heard))


def seconds_of_sound(heard):
    """How long it was not silent."""
    return sum(level > 200 for level in envelope(heard)) / 100
