#!/usr/bin/env python3
"""schema: turns the numbered files of src/store/schema/ into the C table that store_schema.h promises.

    schema.py OUT.c 001_NAME.sql 002_NAME.sql...

They are numbered from 1 without a gap. The same files give the same C, byte for byte.
"""
import pathlib
import re
import sys


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    out = ['#include "store/store_schema.h"\n']
    rows = []
    for number, name in enumerate(sorted(sys.argv[2:]), 1):
        source = pathlib.Path(name)
        if not re.fullmatch(f"{number:03}_[a-z_]+\\.sql", source.name):
            sys.exit(f"{name}: expected the file that is number {number:03}")
        data = source.read_bytes() + b"\0"
        lines = [",".join(str(byte) for byte in data[i:i + 24]) + "," for i in range(0, len(data), 24)]
        out.append(f"static const char sql_{number}[] = {{\n\t" + "\n\t".join(lines) + "\n};\n")
        rows.append(f'\t{{"{source.stem}", sql_{number}}},')
    out.append("const struct store_step store_schema[] = {\n" + "\n".join(rows) + "\n};\n")
    out.append(f"const int store_schema_version = {len(rows)};\n")
    pathlib.Path(sys.argv[1]).write_text("\n".join(out))


main()
