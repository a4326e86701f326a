"""Ogg pages (RFC 3533), read strictly: what a listener of an Ogg stream is owed."""
import dataclasses
import struct


def _table():
    for i in range(256):
        r = i << 24
        for _ in range(8):
            r = (r << 1) ^ (0x04c11db7 if r & 0x80000000 else 0)
        yield r & 0xffffffff


TABLE = list(_table())


def crc(data):
    r = 0
    for byte in data:
        r = (r << 8 & 0xffffffff) ^ TABLE[r >> 24 ^ byte]
    return r


@dataclasses.dataclass
class Page:
    flags: int
    granule: int
    serial: int
    number: int
    body: bytes

    continued = property(lambda self: bool(self.flags & 1))
    begins = property(lambda self: bool(self.flags & 2))
    ends = property(lambda self: bool(self.flags & 4))


def pages(data):
    """All whole pages; anything that is none is an AssertionError."""
    at = 0
    while at + 27 <= len(data):
        magic, version, flags, granule, serial, number, check, count = struct.unpack_from(
            "<4sBBqIIIB", data, at)
        assert magic == b"OggS" and version == 0, f"no page at {at}: {data[at:at + 8]!r}"
        lacing = data[at + 27:at + 27 + count]
        end = at + 27 + count + sum(lacing)
        if len(lacing) < count or end > len(data):
            return
        page = data[at:at + 22] + bytes(4) + data[at + 26:end]
        assert crc(page) == check, f"wrong CRC at {at}"
        yield Page(flags, granule, serial, number, page[27 + count:])
        at = end


def check_stream(data, headers):
    """Every chain begins with its header pages; behind them no page is missing. Returns the
    serial numbers of the chains. One logical stream a chain."""
    serials, last = [], None
    for page in pages(data):
        if page.begins:
            assert page.serial not in serials and not page.continued
            serials.append(page.serial)
            last = page.number
            seen = 1
            continue
        assert serials and page.serial == serials[-1], "a page of a chain that has not begun"
        seen += 1
        # Who joins late gets the headers and then the present: one jump, right behind the headers.
        if page.number != last + 1:
            assert len(serials) == 1 and page.number > last and seen == headers + 1, \
                f"page {page.number} after {last}, as {seen}th of its chain"
            assert not page.continued, "began within a packet"
        last = page.number
    return serials
