#!/usr/bin/python3
"""A stand-in for raw2bmx that knows its words: it takes an elementary stream and a WAV as they grow, from pipes
with names, and writes one file that grows with them and can be read meanwhile: raw2bmx -t TYPE -o OUT
--mpeg2lg_422p_hl_1080i VIDEO --wave SOUND. Prints how much of each there was."""
import os
import sys
import threading

out, video, sound = (sys.argv[sys.argv.index(word) + 1] for word in ("-o", "--mpeg2lg_422p_hl_1080i", "--wave"))
lock = threading.Lock()
taken = {}


def follow(name, tag):
    with open(name, "rb", buffering=0) as source:
        taken[tag] = 0
        while piece := source.read(65536):
            with lock:
                target.write(tag + len(piece).to_bytes(4, "big") + piece)
                target.flush()
            taken[tag] += len(piece)


with open(out, "wb") as target:
    threads = [threading.Thread(target=follow, args=pair) for pair in ((video, b"V"), (sound, b"S"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.fsync(target.fileno())
print(taken[b"V"], taken[b"S"])
