"""What a publisher's losses are asked for: each of them, however far they lie apart."""
import socket
import struct

from stage import await_true, free_ports
from test_sfuload import PATIENT, metric

KEY = b"\x10\x30\xb7\x01\x9d\x01\x2a" + struct.pack("<HH", 16, 16)


def numbers(data):
    """Those that generic NACKs (RFC 4585 6.2.1) of a compound name."""
    while data:
        size = 4 + 4 * struct.unpack(">H", data[2:4])[0]
        if data[1] == 205 and data[0] & 31 == 1:
            for i in range(12, size, 4):
                first, behind = struct.unpack(">HH", data[i:i + 4])
                yield from [first] + [first + n + 1 for n in range(16) if behind >> n & 1]
        data = data[size:]


def test_hundreds_that_lie_far_apart_are_each_asked_for(serve):
    port = free_ports()
    server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "workers": "1", "sfu.idle": "no", **PATIENT, "rtp.in.room": "show",
                    "rtp.in.listen": f"127.0.0.1:{port}", "rtp.in.video": "VP8/96", "rtp.in.feedback": "yes"})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(60)

        def send(seq):
            s.sendto(struct.pack(">BBHII", 0x80, 0x80 | 96, seq, seq * 3000, 7) + KEY, ("127.0.0.1", port))
        await_true(lambda: send(1) or metric(server, "packets_in_total") > 0, 30, server.log)
        lost = set(range(20, 4300, 18))
        for seq in range(2, max(lost) + 2):
            if seq not in lost:
                send(seq)
        heard, quiet = [], 0
        # A report comes each second; nobody asks for what is older than that and a half.
        while quiet < 4:
            said = list(numbers(s.recv(2000)))
            heard += said
            quiet = 0 if said else quiet + 1
        # As many as counted as asked for: what was not said would be given up sooner.
        assert lost <= set(heard) and len(heard) == metric(server, "nacks_out_total")
