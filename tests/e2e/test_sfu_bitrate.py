"""A publisher without transport-wide feedback is told by REMB what it may send: what the settings say."""
import asyncio
import struct

import pytest

from stage import free_ports
from test_sfuload import PATIENT, TOKEN

pytest.importorskip("aiortc")

from test_sfu_insiders import Insider  # noqa: E402


@pytest.mark.parametrize("kbit", [300, 25000])
def test_a_publisher_is_told_its_limit(serve, kbit):
    server = serve({"sfu.udp": f"127.0.0.1:{free_ports()}", "sfu.publish_token": TOKEN, "workers": "2", **PATIENT, "sfu.bitrate": str(kbit)})
    said = []

    async def run():
        async with Insider(server, "/whip/limit", "sendonly") as one:
            async def hear(data):
                at = data.find(b"REMB")
                if at >= 0:
                    count, word = data[at + 4], struct.unpack(">I", data[at + 4:at + 8])[0] & 0xffffff
                    said.append(((word & 0x3ffff) << (word >> 18), data[at + 8:at + 8 + 4 * count]))
            one.dtls._handle_rtcp_data = hear
            await one.until(lambda: len(said) > 1)
    asyncio.run(run())
    for bits, media in said:
        # 18 bits and an exponent hold it so well.
        assert kbit * 1000 * 0.9999 <= bits <= kbit * 1000 and len(media) == 4
