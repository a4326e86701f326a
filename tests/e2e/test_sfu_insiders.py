"""Viewers and publishers who were let in, have keys, and mean harm: what they send is authentic, and bounded all the
same; others do not notice."""
import asyncio
import random
import re
import socket
import struct
import time

import pytest

from stage import PATIENCE, free_ports
from test_sfu_hostile import rooms
from test_sfuload import PATIENT, TOKEN, Load, metric

aiortc = pytest.importorskip("aiortc")
import pylibsrtp  # noqa: E402
from test_sfu_peers import negotiate  # noqa: E402


@pytest.fixture(scope="module")
def server(shared_serve):
    rtp = free_ports()
    server = shared_serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": TOKEN, "workers": "2",
                           "sfu.idle": "no", **PATIENT, "sfu.key_wait": "1s", "rtp.studio.room": "studio",
                           "rtp.studio.listen": f"127.0.0.1:{rtp}", "rtp.studio.video": "VP8/96"})
    server.rtp = rtp
    return server


class Insider:
    """A peer whose every datagram is its own to write; what comes is in .came, sealed."""

    def __init__(self, server, path, direction="recvonly", edit=lambda sdp: sdp):
        self.server, self.path, self.direction, self.edit, self.came = server, path, direction, edit, []

    async def __aenter__(self):
        self.pc = aiortc.RTCPeerConnection()
        for kind in ("audio", "video"):
            self.pc.addTransceiver(kind, direction=self.direction)
        await negotiate(self.server, self.pc, self.path, self.edit)
        self.dtls = self.pc.getReceivers()[0].transport
        receive = self.dtls.transport._recv

        async def keep():
            data = await receive()
            self.came.append(data)
            return data
        self.dtls.transport._recv = keep
        while self.dtls.state != "connected":
            await asyncio.sleep(0.02)
        return self

    async def __aexit__(self, *_):
        await self.pc.close()

    async def say(self, packet):
        await self.dtls._send_rtp(packet)

    async def until(self, condition, seconds=60):
        async def wait():
            while not (value := condition()):
                await asyncio.sleep(0.02)
            return value
        return await asyncio.wait_for(wait(), seconds)

    def media(self, kind="video"):
        """The packets of one medium, by their number."""
        ssrc = self.ssrc(kind)
        return {struct.unpack(">H", d[2:4])[0]: d for d in self.came
                if 128 <= d[0] < 192 and not 192 <= d[1] <= 223 and d[8:12] == struct.pack(">I", ssrc)}

    def ssrc(self, kind="video"):
        part = self.pc.remoteDescription.sdp.split(f"m={kind}")[1]
        return int(re.search("a=ssrc:([0-9]+) ", part)[1])


def feedback(kind, fmt, media, entries=b""):
    return struct.pack(">BBHII", 0x80 | fmt, kind, 2 + len(entries) // 4, 1, media) + entries


def nack(media, numbers, behind=0):
    return feedback(205, 1, media, b"".join(struct.pack(">HH", n & 0xffff, behind) for n in numbers))


def without_rtx(sdp):
    again = set(re.findall("a=rtpmap:([0-9]+) rtx/", sdp))
    lines = [line for line in sdp.split("\r\n")
             if not (m := re.match("a=(?:rtpmap|fmtp|rtcp-fb):([0-9]+) ", line)) or m[1] not in again]
    return "\r\n".join(re.sub(f" (?:{'|'.join(again)})(?= |$)", "", line) if line.startswith("m=") else line
                       for line in lines)


@pytest.fixture(scope="module")
def show(shared_crew, server):
    Load(shared_crew, server, "show").publish()


def test_what_is_sent_again_is_the_same_bit_for_bit(server, show):
    """Without RTX it has the same number, so the same keystream and nonce: nothing else may be sealed with them."""
    async def run():
        async with Insider(server, "/whep/show", edit=without_rtx) as viewer:
            first = dict(await viewer.until(lambda: len(seen := viewer.media()) > 100 and seen))
            # Those that came last: what is old is not sent again. Our question may be lost as any datagram.
            before, asked, again, end = len(viewer.came), list(first)[-50:], [], time.monotonic() + PATIENCE
            heads = {first[number][:12] for number in asked}
            while len(again) < 40:
                assert time.monotonic() < end
                await viewer.say(nack(viewer.ssrc(), asked))
                await asyncio.sleep(0.2)
                again = [d for d in viewer.came[before:] if d[:12] in heads]
            for datagram in again:
                assert datagram == first[struct.unpack(">H", datagram[2:4])[0]]
    asyncio.run(run())


def test_who_asks_for_everything_again_is_sent_a_third(server, show):
    async def run():
        async with Insider(server, "/whep/show") as viewer:
            await viewer.until(lambda: len(viewer.media()) > 50)
            sent, resent = metric(server, "packets_out_total"), metric(server, "resent_total")
            for turn in range(60):
                last = max(viewer.media(), default=0)
                await viewer.say(nack(viewer.ssrc(), range(last - 17 * 300, last, 17), 0xffff))
                await asyncio.sleep(0.005)
            await viewer.until(lambda: metric(server, "nacks_unknown_total") > 100000)
            assert metric(server, "resent_total") - resent <= 300 + (metric(server, "packets_out_total") - sent) / 3
    asyncio.run(run())


def test_key_pictures_are_asked_for_no_more_often_than_set(server, show):
    async def run():
        async with Insider(server, "/whep/show") as viewer:
            await viewer.until(lambda: len(viewer.media()) > 50)
            asked, heard, begun = metric(server, "keys_asked_total"), metric(server, "plis_in_total"), time.monotonic()
            while metric(server, "plis_in_total") < heard + 500:
                for turn in range(100):
                    await viewer.say(feedback(206, 1, viewer.ssrc()))
                await asyncio.sleep(0.02)
                assert time.monotonic() - begun < 60
            await viewer.until(lambda: metric(server, "keys_asked_total") > asked)
            asked = metric(server, "keys_asked_total") - asked
            # Once in each second of sfu.key_wait, and those at both ends.
            assert asked <= time.monotonic() - begun + 2
    asyncio.run(run())


def vp8(ssrc, seq, ts, key):
    head = struct.pack(">BBHII", 0x80, 0x80 | 96, seq & 0xffff, ts & 0xffffffff, ssrc)
    return head + bytes([0x10, 0 if key else 1]) + b"picture" * 20


@pytest.mark.parametrize("seq, ts", [(100, 5), (64000, 2 ** 31 + 7), (30000, 2 ** 32 - 1)],
                         ids=["behind", "far", "before a wrap"])
def test_a_program_that_is_started_again_goes_on_as_one_stream(server, seq, ts):
    """Another SSRC, number and time: who watches and who comes later see pictures at once."""
    async def run():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
            def send(ssrc, seq, ts):
                for i in range(60):
                    program.sendto(vp8(ssrc, seq + i, ts + i * 3000, i % 30 == 0), ("127.0.0.1", server.rtp))

            async with Insider(server, "/whep/studio") as viewer:
                await viewer.until(lambda: rooms(server)["studio"]["publisher"])
                send(1, 40000, 10 ** 9)
                await viewer.until(lambda: len(viewer.media()) >= 30)
                before = max(viewer.media())
                send(seq, seq, ts)
                await viewer.until(lambda: max(viewer.media()) >= before + 60)
                numbers = sorted(viewer.media())
                assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
                times = [struct.unpack(">I", d[4:8])[0] for _, d in sorted(viewer.media().items())]
                assert all(0 < (b - a) & 0xffffffff < 90000 * 60 for a, b in zip(times, times[1:]))
                async with Insider(server, "/whep/studio") as late:
                    await late.until(lambda: len(late.media()) >= 20)
    asyncio.run(run())


def nonsense(chance, kinds):
    """Packets that look right up to somewhere."""
    body = chance.randbytes(4 * chance.randrange(0, 120))
    packet = bytearray(struct.pack(">BBHI", 0x80 | chance.randrange(64), chance.choice(kinds), len(body) // 4 + 1,
                                   chance.choice([0, 1, chance.getrandbits(32)])) + body)
    for _ in range(chance.randrange(3)):
        packet[chance.randrange(len(packet))] = chance.randrange(256)
    return bytes([0x80 | packet[0] & 0x3f]) + bytes(packet[1:])


@pytest.mark.parametrize("path, direction", [("/whep/show", "recvonly"), ("/whip/nonsense", "sendonly")])
def test_what_is_authentic_and_makes_no_sense_harms_nobody(server, show, path, direction):
    chance = random.Random(7)

    async def run():
        async with Insider(server, path, direction) as peer, Insider(server, "/whep/show") as other:
            await other.until(lambda: len(other.media()) > 20)
            for i in range(1500):
                packet = nonsense(chance, range(200, 208) if i % 2 else [0, 96, 97, 111, 128 + 96])
                if i % 4 == 1 and direction == "recvonly":
                    packet = packet[:8] + struct.pack(">I", peer.ssrc()) + packet[12:]
                try:
                    await peer.say(packet)
                except pylibsrtp.Error:
                    pass  # it will not be made
                if i % 50 == 0:
                    await asyncio.sleep(0.01)
            seen = len(other.media())
            await other.until(lambda: len(other.media()) > seen + 100)
    asyncio.run(run())
    assert "show" in rooms(server)
