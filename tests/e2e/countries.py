"""countries: databases that say which country an address is in, for what needs one.

    python3 countries.py FILE 198.51.100.0/24=DE 203.0.113.0/24=JP
"""
import ipaddress
import pathlib
import sys


def country_file(path, networks):
    """A database in MaxMind's format (version 2.0) with these IPv4 networks: {"a.b.c.d/n": "DE"}."""
    nodes, data, codes = [[None, None]], b"", {}

    def text(value):
        return bytes([0x40 | len(value)]) + value.encode()

    for code in sorted(set(networks.values())):
        codes[code] = len(data)
        data += bytes([0xe1]) + text("country") + bytes([0xe1]) + text("iso_code") + text(code)
    for network, code in networks.items():
        address, bits = ipaddress.ip_network(network).network_address, int(network.split("/")[1])
        at = 0
        for i in range(bits):
            side = int(address) >> (31 - i) & 1
            if i == bits - 1:
                nodes[at][side] = ("data", codes[code])
            elif nodes[at][side] is None:
                nodes.append([None, None])
                nodes[at][side] = at = len(nodes) - 1
            else:
                at = nodes[at][side]
    tree = b""
    for node in nodes:
        for side in node:
            value = len(nodes) if side is None else side if isinstance(side, int) \
                else len(nodes) + 16 + side[1]
            tree += value.to_bytes(3, "big")
    meta = bytes([0xe0 | 9])
    for key, value in (("node_count", bytes([0xc4]) + len(nodes).to_bytes(4, "big")),
                       ("record_size", bytes([0xa1, 24])), ("ip_version", bytes([0xa1, 4])),
                       ("database_type", text("Test-Country")), ("languages", bytes([0x00, 0x04])),
                       ("binary_format_major_version", bytes([0xa1, 2])),
                       ("binary_format_minor_version", bytes([0xa0])),
                       ("build_epoch", bytes([0x04, 0x02]) + (1 << 30).to_bytes(4, "big")),
                       ("description", bytes([0xe0]))):
        meta += text(key) + value
    path.write_bytes(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + meta)


if __name__ == "__main__":
    country_file(pathlib.Path(sys.argv[1]), dict(pair.split("=") for pair in sys.argv[2:]))
