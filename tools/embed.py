#!/usr/bin/env python3
"""embed: turns the files of web/ into the C table that src/edge/web_files.h promises.

    embed.py OUT.c FILE...

The table is sorted by path, as web_file_find() needs it; index.html is the path "/", other pages go
without their .html, and what lies in a folder is below its name. Each file is
there as it is and, where that is smaller, as gzip. The same files give the same C, byte for byte.
"""
import gzip
import hashlib
import pathlib
import sys

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


def array(name, data):
    rows = ["\t" + ",".join(str(byte) for byte in data[i:i + 24]) + "," for i in range(0, len(data), 24)]
    return f"static const unsigned char {name}[] = {{\n" + "\n".join(rows) + "\n};\n"


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    files = {}
    for name in sys.argv[2:]:
        source = pathlib.Path(name)
        path = "/" if source.name == "index.html" else f"/{source.name.removesuffix('.html')}"
        if source.parent.name in ("admin", "ui"):
            path = f"/{source.parent.name}{path}"
        if source.suffix not in TYPES:
            sys.exit(f"{name}: no content type is known for {source.suffix}")
        if path in files:
            sys.exit(f"{name}: there are two files for {path}")
        files[path] = source
    arrays, rows = [], []
    for number, path in enumerate(sorted(files, key=str.encode)):
        source = files[path]
        data = source.read_bytes()
        if not data:
            sys.exit(f"{source}: the file is empty")
        packed = gzip.compress(data, 9, mtime=0)
        arrays.append(array(f"plain{number}", data))
        gzipped = "NULL, 0"
        if len(packed) < len(data):
            arrays.append(array(f"gzip{number}", packed))
            gzipped = f"gzip{number}, sizeof gzip{number}"
        etag = hashlib.sha256(data).hexdigest()[:16]
        rows.append(f'\t{{"{path}", "{TYPES[source.suffix]}", plain{number}, sizeof plain{number}, '
                    f'"W/\\"{etag}\\"",\n\t {gzipped}}},')
    text = ("/* Made by tools/embed.py from web/: change the files there. */\n"
            '#include "edge/web_files.h"\n\n' + "\n".join(arrays) +
            "\nconst struct web_file web_files[] = {\n" + "\n".join(rows) + "\n};\n\n"
            "const size_t web_files_count = sizeof web_files / sizeof web_files[0];\n")
    pathlib.Path(sys.argv[1]).write_text(text)


if __name__ == "__main__":
    main()
