"""The small picture of a slot's newest frame: right in each format, fresh, cheap, and for operators."""

import concurrent.futures
import ctypes
import http.client
import os
import struct
import subprocess
import time

import pytest

from stage import ADMIN_PASSWORD, PATIENCE, await_true
from test_framecache_service import CLIENTS, cache, frametest  # noqa: F401

WIDE = {"width": 1280, "height": 720, "fps_num": 25, "fps_den": 1, "ring_depth": 4}
FFMPEG = {"uyvy422": ["-pix_fmt", "uyvy422"], "v210": ["-c:v", "v210"], "nv12": ["-pix_fmt", "nv12"],
          "p010": ["-pix_fmt", "p010le"], "rgba": ["-pix_fmt", "rgba"]}


def thumbnail(cache, slot, auth=("admin", ADMIN_PASSWORD)):
    answer = cache.server.get(f"/api/v1/slots/{slot}/thumbnail", auth=auth)
    return answer


def await_frames(cache, slot):
    """A writer is live before it has written anything."""
    await_true(lambda: cache.get(f"/slots/{slot}")["write_cursor"] > 0, 20)


def pixels(bmp):
    """Rows of (r, g, b), the highest first."""
    assert bmp[:2] == b"BM"
    size, start = struct.unpack_from("<I4xI", bmp, 2)
    width, height = struct.unpack_from("<ii", bmp, 18)
    assert size == len(bmp)
    stride = (width * 3 + 3) // 4 * 4
    rows = [bmp[start + y * stride:][:width * 3] for y in reversed(range(height))]
    return width, height, [tuple(reversed(row[x * 3:x * 3 + 3])) for row in rows for x in range(width)]


def ffmpeg(*options, frame=None):
    return subprocess.run(["ffmpeg", "-v", "error", *options, "-"], input=frame, stdout=subprocess.PIPE,
                          check=True, timeout=60).stdout


def written(slot, frame):
    """Writes it as a program does that has the library."""
    library = ctypes.CDLL(str(CLIENTS.parent / "lib" / "libfc_client.so"))
    library.fc_writer_open.restype = ctypes.c_void_p
    library.fc_writer_close.argtypes = [ctypes.c_void_p]
    library.fc_write_frame.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32, ctypes.c_uint64]
    writer = library.fc_writer_open(slot.encode())
    assert writer
    assert library.fc_write_frame(writer, frame, len(frame), 0) == 0
    library.fc_writer_close(writer)


@pytest.mark.parametrize("pixel_format", FFMPEG)
@pytest.mark.parametrize("picture", ["gradients=s=1280x720:seed=7:n=4", "smptehdbars=s=1280x720"],
                         ids=["smooth", "bars"])
def test_the_picture_is_what_ffmpeg_makes_of_the_frame(cache, picture, pixel_format):  # noqa: F811
    cache = cache()
    cache.make("cam", pixel_format=pixel_format, **WIDE)
    colours = ["-vf", "scale=out_color_matrix=bt709:out_range=limited"] if pixel_format != "rgba" else []
    frame = ffmpeg("-f", "lavfi", "-i", picture, "-frames:v", "1", *colours, "-f", "rawvideo",
                   *FFMPEG[pixel_format])
    written("cam", frame)
    answer = thumbnail(cache, "cam")
    assert answer.status == 200 and answer.headers["Content-Type"] == "image/bmp"
    assert answer.headers["X-Frame-Index"] == "0"
    width, height, ours = pixels(answer.body)
    assert (width, height) == (160, 90)
    colours = "" if pixel_format == "rgba" else ":in_color_matrix=bt709:in_range=limited"
    raw = ["-f", "v210"] if pixel_format == "v210" else ["-f", "rawvideo", *FFMPEG[pixel_format]]
    small = ffmpeg(*raw, "-s", "1280x720", "-i", "-", "-vf",
                   "scale=160:90:flags=area+accurate_rnd+full_chroma_int" + colours, "-f", "rawvideo",
                   "-pix_fmt", "rgb24", frame=frame)
    theirs = [tuple(small[i:i + 3]) for i in range(0, len(small), 3)]
    differences = sorted(abs(a - b) for one, other in zip(ours, theirs, strict=True)
                         for a, b in zip(one, other))
    assert sum(differences) / len(differences) < .5
    assert differences[len(differences) * 97 // 100] <= 4, "but for edges"
    assert len(set(ours)) > 10, "there is a picture at all"


def test_the_picture_goes_on_with_the_frames(cache, frametest):  # noqa: F811
    cache = cache()
    cache.make("cam", **WIDE)
    assert thumbnail(cache, "cam").status == 404
    frametest("--open", "cam")
    await_frames(cache, "cam")
    # The answer that there is none is kept as long as a picture is.
    await_true(lambda: thumbnail(cache, "cam").status == 200, 20)
    seen, began = {}, time.monotonic()
    while time.monotonic() - began < 3 or len(seen) < 2 and time.monotonic() - began < PATIENCE:
        answer = thumbnail(cache, "cam")
        assert answer.status == 200
        seen.setdefault(int(answer.headers["X-Frame-Index"]), set()).add(answer.body)
    assert all(len(pictures) == 1 for pictures in seen.values())
    assert 2 <= len(seen) <= 2 + (time.monotonic() - began) / 0.5, "one each half second, however often it is asked for"
    assert sorted(seen) == list(seen)


def test_a_crowd_waits_for_one_picture(cache, frametest):  # noqa: F811
    cache = cache()
    for i in range(3):
        cache.make(f"cam{i}", **WIDE)
        frametest("--open", f"cam{i}")
        await_frames(cache, f"cam{i}")
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda i: thumbnail(cache, f"cam{i % 3}"), range(48)))
    assert {answer.status for answer in answers} == {200}, [a.body for a in answers if a.status != 200]


def test_pictures_are_for_operators(cache, frametest):  # noqa: F811
    cache = cache()
    cache.make("cam", **WIDE)
    frametest("--open", "--frames", "1", "cam").wait(PATIENCE)
    assert thumbnail(cache, "cam", auth=None).status == 401
    assert thumbnail(cache, "none").status == 404
    assert thumbnail(cache, "..%2Fregistry.json").status in (400, 404)


def test_a_file_that_its_owner_cuts_short_costs_the_server_nothing(cache, frametest):  # noqa: F811
    cache = cache()
    for name in ("cam", "other"):
        cache.make(name, **WIDE)
        frametest("--open", name)
        await_frames(cache, name)
    path = cache.ask("GET", "/slots/cam")[1]["shm_path"]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        looks = [pool.submit(thumbnail, cache, "cam") for _ in range(4)]
        os.truncate(path, 4096)
        looks += [pool.submit(thumbnail, cache, "cam") for _ in range(40)]
        assert {look.result().status for look in looks} <= {200, 404, 503}
    os.truncate(path, 0)
    assert thumbnail(cache, "other").status == 200
    cache.await_slot("other", state="live")
    assert "started again after a crash" not in cache.server.log()


def test_a_slot_that_is_made_anew_shows_its_own_picture(cache, frametest):  # noqa: F811
    cache = cache()
    cache.make("cam", **WIDE)
    frametest("--open", "--frames", "3", "cam").wait(PATIENCE)
    assert thumbnail(cache, "cam").status == 200
    assert cache.ask("DELETE", "/slots/cam")[0] == 204
    assert thumbnail(cache, "cam").status == 404
    cache.make("cam", **WIDE)
    assert thumbnail(cache, "cam").json["error"]["code"] == "no_frame"


def test_the_server_ends_while_pictures_are_asked_for(cache, frametest):  # noqa: F811
    cache = cache()
    cache.make("cam", **WIDE)
    frametest("--open", "cam")
    await_frames(cache, "cam")

    def ask_on():
        try:
            while thumbnail(cache, "cam").status == 200:
                pass
        except (OSError, http.client.HTTPException):
            pass

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        askers = [pool.submit(ask_on) for _ in range(4)]
        time.sleep(.3)
        cache.server.stop()
        for asker in askers:
            asker.result(PATIENCE)
