"""A program that publishes begins anew, under the same SSRC: with lower numbers, and times of its own."""
import socket
import struct
import time

import pytest

from stage import await_true, free_ports
from test_sfu_rtp_out import Receiver, api, four_ports, way
from test_sfuload import PATIENT

KEY = b"\x10\x30\xb7\x01\x9d\x01\x2a" + struct.pack("<HH", 16, 16)


@pytest.mark.parametrize("steps", [(-20000,), (-31000, -700), (9000, -9000, -25000)], ids=["back", "far back", "to and fro"])
def test_what_is_sent_goes_on_and_no_number_twice(serve, steps):
    to, port = four_ports(), free_ports()
    server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "workers": "2", "sfu.idle": "no", **PATIENT,
                    "rtp.in.room": "show", "rtp.in.listen": f"127.0.0.1:{port}", "rtp.in.video": "VP8/96",
                    "rtp.wall.room": "show", "rtp.wall.send": f"127.0.0.1:{to}", "rtp.wall.video": "VP8/98"})
    receiver = Receiver(to)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        def send():
            send.n += 1
            send.seq = (send.seq + 1) & 0xffff
            s.sendto(struct.pack(">BBHII", 0x80, 0x80 | 96, send.seq, (send.ts + send.n * 3000) & 0xffffffff, 7)
                     + KEY + struct.pack(">I", send.n), ("127.0.0.1", port))
            receiver.take(0.03)

        def came(since):
            send()
            return len([p for p in receiver.packets if struct.unpack(">I", p[5][-4:])[0] > since]) > 20
        send.n, send.seq, send.ts = 0, 50000, 1000
        await_true(lambda: came(0), 60, server.log)
        for step in steps:
            send.seq = (send.seq + step) & 0xffff
            send.ts = (send.ts * 1103515245 + 12345) & 0xffffffff
            since, before = send.n, receiver.packets[-1]
            await_true(lambda since=since: came(since), 60, lambda: (receiver.packets[-3:], server.log()[-1000:]))
            # At most the first packet is left out, which may have come late.
            first = next(p for p in receiver.packets if struct.unpack(">I", p[5][-4:])[0] > since)
            assert struct.unpack(">I", first[5][-4:])[0] <= since + 2
            if step < 0:
                assert first[2] == (before[2] + 1) & 0xffff
            if max(steps) < 0:
                assert 0 < (first[3] - before[3]) & 0xffffffff < 90000 * 60
    receiver.close()
    payloads = {}
    for p in receiver.packets:
        assert payloads.setdefault(p[2], p[5]) == p[5], p[2]


def test_what_comes_again_too_late_is_no_beginning(serve):
    """Of a quick publisher over a long way, which answers NACKs under its own SSRC."""
    to, port = four_ports(), free_ports()
    server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "workers": "2", "sfu.idle": "no", **PATIENT,
                    "rtp.in.room": "show", "rtp.in.listen": f"127.0.0.1:{port}", "rtp.in.video": "VP8/96",
                    "rtp.wall.room": "show", "rtp.wall.send": f"127.0.0.1:{to}", "rtp.wall.video": "VP8/98"})
    receiver = Receiver(to)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        def send(seq):
            s.sendto(struct.pack(">BBHII", 0x80, 0x80 | 96, seq, seq * 30, 7) + KEY + struct.pack(">I", seq), ("127.0.0.1", port))
            return [struct.unpack(">I", p[5][-4:])[0] for p in receiver.take(0.03)]
        seqs = iter(range(1000, 3000))
        await_true(lambda: len(send(next(seqs))) > 20, 60, server.log)
        last = next(seqs) + 2000
        await_true(lambda: last in send(last), 60, server.log)
        for seq in (last - 1500, last - 1499, last - 1498):
            send(seq)
        await_true(lambda: last + 1 in send(last + 1), 60, server.log)
        # What was given to others meanwhile would stand between these two.
        assert [(p[2] - receiver.packets[-2][2]) & 0xffff for p in receiver.packets[-2:]] == [0, 1]
        assert [(p[3] - receiver.packets[-2][3]) & 0xffffffff for p in receiver.packets[-2:]] == [0, 30]
    receiver.close()


def test_times_go_on_by_the_clock_of_the_codec(serve):
    """That of G.711 is a sixth of Opus'."""
    to, port = four_ports(), free_ports()
    server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "workers": "2", "sfu.idle": "no", **PATIENT,
                    "rtp.in.room": "show", "rtp.in.listen": f"127.0.0.1:{port}", "rtp.in.audio": "PCMU/0",
                    "rtp.wall.room": "show", "rtp.wall.send": f"127.0.0.1:{to}", "rtp.wall.audio": "PCMU/0"})
    receiver = Receiver(to)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        def came(count):
            came.n, came.at = came.n + 1, time.monotonic()
            s.sendto(struct.pack(">BBHII", 0x80, 0, came.n & 0xffff, came.n * 160, 7) + bytes(160), ("127.0.0.1", port))
            return len(receiver.take(0.02)) >= count
        came.n = 0
        await_true(lambda: came(20), 60, server.log)
        publisher, at = way(server, "in")["session"], came.at
        assert api(server, f"sessions/{publisher}", "DELETE").status == 204
        await_true(lambda: way(server, "in")["session"] not in (None, "", publisher), 60, server.log)
        count, last = len(receiver.take(0.1)), receiver.packets[-1]
        await_true(lambda: came(count + 1), 60, server.log)
        first = receiver.packets[count]
        # It is one stream, which stood still for so long.
        assert first[4] == last[4] and 0 < (first[3] - last[3]) & 0xffffffff <= (time.monotonic() - at) * 8000 + 160
    receiver.close()
