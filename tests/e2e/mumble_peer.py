"""A Mumble client of its own, for tests: TLS, protobuf by Google's library, OCB2 as its definition
reads. It shares no line with the server, and talks to Debian's mumble-server too.

    peer = Peer(port, "Alice"); peer.join()
    peer.speak(b"opus")                       one packet over UDP (or peer.tunnel = True)
    peer.hear(lambda v: v.payload == b"opus")
"""
import collections
import functools
import os
import pathlib
import select
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from stage import PATIENCE

SCHEMA = pathlib.Path(__file__).resolve().parent.parent / "unit" / "voice" / "mumble.proto"

NAMES = {0: "version", 1: "udp_tunnel", 2: "authenticate", 3: "ping", 4: "reject", 5: "server_sync",
         6: "channel_remove", 7: "channel_state", 8: "user_remove", 9: "user_state", 10: "ban_list",
         11: "text_message", 12: "permission_denied", 13: "acl", 14: "query_users",
         15: "crypt_setup", 16: "context_action_modify", 17: "context_action", 18: "user_list",
         19: "voice_target", 20: "permission_query", 21: "codec_version", 22: "user_stats",
         23: "request_blob", 24: "server_config", 25: "suggest_config", 26: "plugin_data"}
TYPES = {name: number for number, name in NAMES.items()}

MUTE_DEAFEN, MOVE, MAKE_CHANNEL, WRITE, KICK, BAN = 0x10, 0x20, 0x40, 1, 0x10000, 0x20000


@functools.lru_cache(maxsize=None)
def schema():
    """The module that protoc makes of mumble.proto."""
    folder = tempfile.mkdtemp()
    subprocess.run(["protoc", "-I", str(SCHEMA.parent), "--python_out", folder, str(SCHEMA)],
                   check=True)
    sys.path.insert(0, folder)
    import mumble_pb2
    return mumble_pb2


def message(name, /, **fields):
    made = getattr(schema(), name)()
    for field, value in fields.items():
        if isinstance(value, (list, tuple)):
            getattr(made, field).extend(value)
        elif value is not None:
            setattr(made, field, value)
    return made


# -- OCB2 ------------------------------------------------------------------------------------------

def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def twice(block):
    number = int.from_bytes(block, "big") << 1
    if number >> 128:
        number ^= 1 << 128 | 0x87
    return number.to_bytes(16, "big")


class Ocb2:
    def __init__(self, key):
        self.cipher = Cipher(algorithms.AES(key), modes.ECB())

    def e(self, block):
        return self.cipher.encryptor().update(block)

    def d(self, block):
        return self.cipher.decryptor().update(block)

    def run(self, nonce, text, opening):
        delta, total, out = self.e(nonce), bytes(16), b""
        while len(text) > 16:
            delta = twice(delta)
            block, text = text[:16], text[16:]
            if opening:
                plain = xor(self.d(xor(block, delta)), delta)
                out += plain
            else:
                plain = block
                out += xor(self.e(xor(block, delta)), delta)
            total = xor(total, plain)
        delta = twice(delta)
        pad = self.e(xor(delta, (len(text) * 8).to_bytes(16, "big")))
        out += xor(text, pad)
        plain = out[-len(text):] if opening and text else text
        if not text:
            plain = b""
        total = xor(total, plain + pad[len(text):])
        return out, self.e(xor(xor(delta, twice(delta)), total))

    def seal(self, nonce, plain):
        sealed, tag = self.run(nonce, plain, False)
        return nonce[:1] + tag[:3] + sealed

    def open(self, nonce, datagram):
        plain, tag = self.run(nonce, datagram[4:], True)
        return plain if tag[:3] == datagram[1:4] else None


def nonce_add(nonce, n):
    return ((int.from_bytes(nonce, "little") + n) % (1 << 128)).to_bytes(16, "little")


# -- voice packets ---------------------------------------------------------------------------------

Voice = collections.namedtuple("Voice", "why session frame payload last position over volume")


def varint(value):
    """Mumble's, not protobuf's."""
    if value < 0x80:
        return bytes([value])
    if value < 0x4000:
        return (value | 0x8000).to_bytes(2, "big")
    if value < 0x200000:
        return (value | 0xc00000).to_bytes(3, "big")
    if value < 0x10000000:
        return (value | 0xe0000000).to_bytes(4, "big")
    return b"\xf0" + value.to_bytes(4, "big") if value < 1 << 32 else b"\xf4" + value.to_bytes(8, "big")


def take_varint(data):
    first = data[0]
    for mask, value, more in ((0x80, 0, 0), (0xc0, 0x80, 1), (0xe0, 0xc0, 2), (0xf0, 0xe0, 3)):
        if first & mask == value:
            head = first & ~mask & 0xff
            return int.from_bytes(bytes([head]) + data[1:1 + more], "big"), data[1 + more:]
    more = 4 if first < 0xf4 else 8
    return int.from_bytes(data[1:1 + more], "big"), data[1 + more:]


def voice_packet(modern, target, frame, payload, last=False, position=None):
    if modern:
        body = message("audio", target=target, frame_number=frame, opus_data=payload,
                       is_terminator=last, positional_data=list(position or ()))
        return b"\0" + body.SerializeToString()
    length = len(payload) | (0x2000 if last else 0)
    return (bytes([4 << 5 | target]) + varint(frame) + varint(length) + payload
            + (struct.pack("<3f", *position) if position else b""))


def parse_voice(modern, data, over):
    if modern:
        body = schema().audio()
        body.ParseFromString(data[1:])
        return Voice(body.context, body.sender_session, body.frame_number, body.opus_data,
                     body.is_terminator, tuple(body.positional_data), over, body.volume_adjustment)
    why, rest = data[0] & 31, data[1:]
    session, rest = take_varint(rest)
    frame, rest = take_varint(rest)
    length, rest = take_varint(rest)
    payload, rest = rest[:length & 0x1fff], rest[length & 0x1fff:]
    return Voice(why, session, frame, payload, bool(length & 0x2000),
                 struct.unpack("<3f", rest) if rest else (), over, 0)


# -- the client ------------------------------------------------------------------------------------

def certificate(folder, name):
    """A self-signed certificate as clients make them: its path."""
    path = pathlib.Path(folder) / f"{name}.pem"
    if not path.exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
                        f"/CN={name}", "-days", "30", "-keyout", path, "-out", f"{path}.crt"],
                       check=True, capture_output=True)
        path.write_text(path.read_text() + pathlib.Path(f"{path}.crt").read_text())
    return path


class Gone(Exception):
    """The server has closed the connection."""


class Peer:
    def __init__(self, port, name, version=(1, 4, 0), cert=None, source="127.0.0.1", udp=True,
                 host="127.0.0.1"):
        self.name, self.version, self.source = name, version, source
        self.modern = version >= (1, 5, 0)
        self.address = (host, port)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if cert:
            context.load_cert_chain(cert)
        plain = socket.create_connection(self.address, PATIENCE, (source, 0))
        self.tls = context.wrap_socket(plain)
        self.tls.setblocking(False)
        self.in_bytes = b""
        self.messages = []      # (name, message), all that came
        self.heard = []         # Voice
        self.pongs = []
        self.strange = []       # datagrams before there was a key
        self.gone = False
        self.users, self.channels = {}, {}
        self.session = None
        self.tunnel = not udp
        self.frame = 0
        self.ocb = None
        self.sealed = 0
        self.good = self.bad = 0
        self.numbers = set()
        self.udp = None
        self.open_udp()

    # UDP

    def open_udp(self):
        """A socket with another port: what a NAT does now and then."""
        if self.udp:
            self.udp.close()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((self.source, 0))
        self.udp.connect(self.address)
        self.udp.setblocking(False)

    def seal(self, plain):
        self.sealed += 1
        return self.ocb.seal(nonce_add(self.client_nonce, self.sealed), plain)

    def send_datagram(self, data):
        try:
            self.udp.send(data)
        except ConnectionRefusedError:
            self.udp.send(data)

    def ping_udp(self, timestamp=7):
        body = b"\1" + message("udp_ping", timestamp=timestamp).SerializeToString() \
            if self.modern else b"\x20" + varint(timestamp)
        self.send_datagram(self.seal(body))

    def speak(self, payload, target=0, last=False, position=None):
        self.frame += 2
        plain = voice_packet(self.modern, target, self.frame, payload, last, position)
        if self.tunnel:
            self.send_raw(1, plain)
        else:
            self.send_datagram(self.seal(plain))
        return self.frame

    def take_datagram(self, data):
        expected = nonce_add(self.server_nonce, self.highest)
        ahead = (data[0] - expected[0]) % 256
        number = self.highest + (ahead if ahead < 200 else ahead - 256)
        plain = self.ocb.open(nonce_add(self.server_nonce, number), data)
        if plain is None:
            self.bad += 1
            return
        assert number not in self.numbers, "a nonce came twice"
        self.numbers.add(number)
        self.highest = max(self.highest, number)
        self.good += 1
        self.take_packet(plain, "udp")

    def take_packet(self, plain, over):
        ping = plain[0] == 1 if self.modern else plain[0] >> 5 == 1
        if ping:
            self.pongs.append(plain)
        else:
            self.heard.append(parse_voice(self.modern, plain, over))

    # TLS

    def send_raw(self, number, body):
        data = struct.pack(">HI", number, len(body)) + body
        while data:
            try:
                data = data[self.tls.send(data):]
            except ssl.SSLWantWriteError:
                select.select([], [self.tls], [], 5)
            except (ssl.SSLError, OSError) as e:
                raise Gone() from e

    def send(self, name, /, **fields):
        self.send_raw(TYPES[name], message(name, **fields).SerializeToString())

    def take(self, number, body):
        name = NAMES[number]
        if name == "udp_tunnel":
            self.take_packet(body, "tunnel")
            return
        made = getattr(schema(), name)()
        made.ParseFromString(body)
        self.messages.append((name, made))
        if name == "crypt_setup":
            if made.key:
                self.ocb, self.client_nonce = Ocb2(made.key), made.client_nonce
                self.server_nonce, self.highest = made.server_nonce, 0
            elif made.server_nonce:
                self.server_nonce, self.highest = made.server_nonce, 0
                self.numbers.clear()
            else:
                self.send("crypt_setup", client_nonce=nonce_add(self.client_nonce, self.sealed))
        elif name == "user_state":
            self.users.setdefault(made.session, schema().user_state()).MergeFrom(made)
        elif name == "user_remove":
            self.users.pop(made.session, None)
        elif name == "channel_state":
            self.channels.setdefault(made.channel_id, schema().channel_state()).MergeFrom(made)
        elif name == "channel_remove":
            self.channels.pop(made.channel_id, None)
        elif name == "server_sync":
            self.session = made.session

    def poll(self, seconds=0.0):
        """What has come by now; waits so long for the first of it."""
        if not self.tls.pending():
            select.select([self.tls, self.udp], [], [], seconds)
        while True:
            try:
                data = self.udp.recv(2048)
            except BlockingIOError:
                break
            except ConnectionRefusedError:
                continue
            if self.ocb:
                self.take_datagram(data)
            else:
                self.strange.append(data)
        if self.gone:
            raise Gone()
        while True:
            try:
                data = self.tls.recv(65536)
            except (ssl.SSLWantReadError, BlockingIOError):
                break
            except (ssl.SSLError, OSError):
                data = b""
            if not data:
                self.gone = True  # said when what came before it has been looked at
                break
            self.in_bytes += data
        while len(self.in_bytes) >= 6:
            number, length = struct.unpack(">HI", self.in_bytes[:6])
            if len(self.in_bytes) < 6 + length:
                break
            body, self.in_bytes = self.in_bytes[6:6 + length], self.in_bytes[6 + length:]
            self.take(number, body)

    def until(self, condition, seconds=PATIENCE, what=""):
        seconds = max(seconds, PATIENCE)
        end = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            assert time.monotonic() < end, \
                f"{self.name}: not within {seconds} s: {what or condition}; " \
                f"{[name for name, _ in self.messages[-8:]]}"
            self.poll(0.05)

    def got(self, name, condition=lambda m: True, seconds=PATIENCE, since=0):
        """The first such message since then; messages keep lying in .messages."""
        return self.until(lambda: next((m for n, m in self.messages[since:]
                                        if n == name and condition(m)), None), seconds, name)

    def hear(self, condition=lambda v: True, seconds=PATIENCE):
        return self.until(lambda: next((v for v in self.heard if condition(v)), None), seconds,
                          "voice")

    def login(self, password=None, tokens=()):
        major, minor, patch = self.version
        self.send("version", version_v1=major << 16 | minor << 8 | patch, release="peer",
                  version_v2=major << 48 | minor << 32 | patch << 16 if self.modern else None)
        self.send("authenticate", username=self.name, password=password, tokens=list(tokens),
                  opus=True)

    def join(self, password=None, tokens=(), udp=True):
        self.login(password, tokens)
        self.until(lambda: self.session is not None or any(n == "reject" for n, _ in self.messages),
                   20, "server_sync")
        assert self.session is not None, self.messages[-1]
        self.got("server_config")
        if udp and not self.tunnel:
            self.connect_udp()
        return self

    def connect_udp(self):
        """Datagrams go both ways from here on."""
        had = len(self.pongs)
        end = time.monotonic() + PATIENCE
        while len(self.pongs) == had:
            assert time.monotonic() < end, f"{self.name}: no answer over UDP"
            self.ping_udp()
            self.poll(0.4)

    def sync(self):
        """All that was asked before is done."""
        stamp = time.monotonic_ns()
        had = len(self.messages)
        self.send("user_stats", session=self.session, stats_only=True)
        self.got("user_stats", since=had)
        self.send("ping", timestamp=stamp)
        self.got("ping", lambda m: m.timestamp == stamp)
        self.poll()

    def flush(self):
        """All that was said before has been dealt with: datagrams of one sender keep their order."""
        if self.tunnel or not self.ocb:
            self.sync()
        else:
            self.connect_udp()

    def channel(self, name):
        """The number of a channel that is known by now."""
        return next((i for i, c in self.channels.items() if c.name == name), None)

    def user(self, name):
        return next((u for u in self.users.values() if u.name == name), None)

    def move(self, channel):
        self.send("user_state", session=self.session, channel_id=channel)
        self.until(lambda: self.users[self.session].channel_id == channel, what="move")

    def make_channel(self, name, parent=0, **more):
        self.send("channel_state", parent=parent, name=name, **more)
        return self.until(lambda: self.channel(name), what=f"channel {name}")

    def close(self):
        self.udp.close()
        try:
            self.tls.close()
        except OSError:
            pass


def settle(*peers):
    """All of them have seen what any of them did."""
    for peer in peers:
        peer.sync()
    for peer in peers:
        peer.sync()


def mute_time(peers, seconds=0.3):
    """For what must not come: what these have said so far is dealt with, and then a while."""
    for peer in peers:
        if peer.session is not None:
            peer.flush()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for peer in peers:
            peer.poll(0.01)


def random_opus(n=40):
    return os.urandom(n)
