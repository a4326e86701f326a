"""An upgrade under WebRTC: sessions end with a word to the peer, and come again at the same ports."""
from browser import Pages
from handover_harness import Kept
from stage import await_true, free_ports
from test_sfu import TOKEN, frames, publish


def test_an_upgrade_says_farewell_and_all_come_again(crew):
    udp, tcp = free_ports(), free_ports()
    with Kept({"sfu.udp": f"127.0.0.1:{udp}", "sfu.tcp": f"127.0.0.1:{tcp}", "sfu.publish_token": TOKEN,
               "sfu.idle": "no"}) as server, Pages(crew, f"http://127.0.0.1:{server.port}") as pages:
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
