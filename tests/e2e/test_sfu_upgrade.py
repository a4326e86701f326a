"""An upgrade under WebRTC: sessions end with a word to the peer, and come again at the same ports."""
import base64
import functools
import json
import os
import socket
import struct
import time
import urllib.request

from browser import Pages
from handover_harness import Kept
from stage import ADMIN_PASSWORD, await_true, free_ports
from test_sfu import TOKEN, frames, publish


def test_an_upgrade_says_farewell_and_all_come_again(crew):
    udp, tcp = free_ports(), free_ports()
    with Kept({"sfu.udp": f"127.0.0.1:{udp}", "sfu.tcp": f"127.0.0.1:{tcp}", "sfu.publish_token": TOKEN,
               "sfu.idle": "no", "sfu.connect_timeout": "10m"}) as server, Pages(crew, f"http://127.0.0.1:{server.port}") as pages:
        sender, viewer = pages.open(), pages.open()
        for round_ in range(2):
            publish(sender, "up", audio=False)
            viewer.run(f"via = {9 if round_ else 0}; return await watch('/whep/up', {{audio: false}})")
            await_true(lambda: frames(viewer) > 30, 40, lambda: (viewer.stats(), server.log()[-2000:]))
            if round_:
                return
            server.upgrade()
            # By the farewell, not by silence, which takes a browser many seconds to believe.
            for page in sender, viewer:
                await_true(lambda page=page: page.run("return pc.connectionState") in ("closed", "failed"), 20,
                           lambda page=page: page.run("return pc.connectionState"))


def call(server, method, path):
    asked = urllib.request.Request(f"http://127.0.0.1:{server.port}/api/v1/sfu/{path}", method=method, headers={
        "Authorization": "Basic " + base64.b64encode(f"admin:{ADMIN_PASSWORD}".encode()).decode()})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def test_what_was_ordered_to_be_recorded_is_still_after_an_upgrade_and_a_crash(tmp_path):
    """In a file of its own; until it is ordered to end."""
    port = free_ports()
    with Kept({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.record_directory": tmp_path, "admin.password": ADMIN_PASSWORD, "sfu.record_free": "0",
               "rtp.show.room": "show", "rtp.show.listen": f"127.0.0.1:{port}", "rtp.show.video": "VP8/96"}) as server, \
         socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        order = functools.partial(call, server)

        def await_files(count):
            """Key pictures of VP8, of which nobody decodes more than the head, until there are so many files."""
            def send():
                send.n += 1
                s.sendto(struct.pack(">BBHII", 0x80, 96 | 0x80, send.n & 0xffff, send.n * 4500 & 0xffffffff, 77)
                         + b"\x10\x30\xb7\x01\x9d\x01\x2a" + struct.pack("<HH", 16, 16) + bytes(20), ("127.0.0.1", port))
                return len(os.listdir(tmp_path)) == count
            send.n = count * 1000
            s.sendto(struct.pack(">BBHIQIII", 0x80, 200, 6, 77, int((time.time() + 2208988800) * 2 ** 32), send.n * 4500, 0, 0), ("127.0.0.1", port))
            await_true(send, 30, server.log)
        order("POST", "rooms/later/recording")
        began = order("POST", "rooms/show/recording")["since_us"]
        await_files(1)
        server.upgrade()
        await_files(2)
        server.kill()
        assert {one["room"]: one["ordered"] for one in order("GET", "recordings")["recordings"]} == {"show": True, "later": True}
        await_files(3)
        order("DELETE", "rooms/show/recording")
        later, = (one for one in order("GET", "recordings")["recordings"] if one["room"] == "later")
        assert later["state"] == "waiting" and later["since_us"] <= began
        server.kill()
        assert [one["room"] for one in order("GET", "recordings")["recordings"]] == ["later"]


def test_no_more_orders_to_record_are_left_than_there_may_be(tmp_path):
    """Where the next server may have fewer than the last one had."""
    def text(most):
        return f"sfu: {{ udp: '127.0.0.1:{port}', record_directory: {tmp_path}, recordings: {most} }}\n"
    port = free_ports()
    with Kept({"admin.password": ADMIN_PASSWORD}, config=text(3)) as server:
        for room in "abc":
            call(server, "POST", f"rooms/{room}/recording")
        with open(server.config_path, "w", encoding="utf-8") as file:
            file.write(text(2))
        server.upgrade()
        left = {one["room"] for one in call(server, "GET", "recordings")["recordings"]}
        gone, = set("abc") - left
        server.await_log(f'recording not ordered any more room={gone} why="as many are running as sfu.recordings allows"')
        # Nor is it again when there is room for it.
        with open(server.config_path, "w", encoding="utf-8") as file:
            file.write(text(3))
        server.kill()
        assert {one["room"] for one in call(server, "GET", "recordings")["recordings"]} == left
