"""What films for empty rooms cost: once round of each is kept, however much of publishers' past is."""
import asyncio
import re

import pytest

from fault_harness import serving
from stage import await_true, free_ports

aiortc = pytest.importorskip("aiortc")

from test_sfu_idle import Viewer, make  # noqa: E402
from test_sfu_peers import negotiate  # noqa: E402


def feeds(server):
    """The sizes of what is mapped, one for each feed, however often it is."""
    with open(f"/proc/{serving(server.process.popen.pid)}/maps", encoding="ascii") as maps:
        found = re.findall(r"^(\w+)-(\w+) \S+ \S+ \S+ (\d+) +/memfd:ringmain-feed", maps.read(), re.M)
    sizes = {}
    for begin, end, inode in found:
        sizes[inode] = sizes.get(inode, 0) + int(end, 16) - int(begin, 16)
    return sizes.values()


def test_a_film_takes_its_own_size(serve, tmp_path):
    film = make(tmp_path, "VP8", seconds=4, source="color=c=gray:size=192x108:rate=25")
    server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.history": "64M", "sfu.connect_timeout": "10m", "sfu.idle_clip": str(film)})
    await_true(lambda: "sfu idle clip file=" in server.log(), 60, server.log)
    assert len(feeds(server)) == 4 and sum(feeds(server)) < 4 << 20, feeds(server)

    async def run():
        # Hundreds of small pictures are no fewer for it: who comes late begins with the last key one.
        for _ in range(2):
            viewer = Viewer("VP8")
            await negotiate(server, viewer.pc, "/whep/void")
            await viewer.see((192, 108), 10)
            await viewer.pc.close()
    asyncio.run(run())
