"""Who is in the middle of an intro when the server changes goes on in it at the very byte."""

import os
import random
import time

import pytest

from fault_harness import SANITIZED, Encoder, Listener, await_, runs_of
from handover_harness import Kept
from test_intro import INTRO, LIVE, OTHER, frames, write

pytestmark = pytest.mark.skipif(SANITIZED, reason="a sanitizer does not bear clone(CLONE_FILES)")

TIMES = int(os.environ.get("HANDOVERS", "8"))
COUNT = 400 + 80 * TIMES  # more than is read in so many rounds


def station(jingle):
    return Kept({"mount./live.intro": jingle, "radio.turn": "50ms", "radio.send_buffer": "4608",
                 "radio.icy_interval": 3000, "radio.ring": "4m"})


def slow_listeners(server, count=8):
    """They stand in the intro until they read."""
    made = [Listener(server, icy=i % 2 == 1, rcvbuf=2304, start=False) for i in range(count)]
    for listener in made:
        listener.most = 0
    await_("they listen", lambda: server.listeners("/live") == count)
    return made


def read_a_little(listeners):
    for listener in listeners:
        listener.read_only(random.randrange(1000, 30000))
    # At most that, however long this takes: a window as small as theirs opens when it likes.
    time.sleep(random.uniform(0.01, 0.05))
    for listener in listeners:
        listener.most = len(listener.received())


@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_the_intro_goes_on_at_the_very_byte(tmp_path, how):
    jingle = tmp_path / "jingle.mp3"
    write(jingle, frames(INTRO, COUNT))
    with station(jingle) as server:
        server.await_log("intro loaded")
        with Encoder(server, stream_id=LIVE) as encoder:
            listeners = slow_listeners(server)
            for i in range(TIMES):
                read_a_little(listeners)
                # Once for longer than a server waits for an intro to be loaded; else for so long that a
                # kill is not taken for one of a row.
                time.sleep(5.5 if i == 1 else 0.3)
                server.upgrade() if how == "upgrade" else server.kill()
            heard = [l.frames()[-1] for l in listeners]
            assert all(f.stream == INTRO and f.number < COUNT - 1 for f in heard), "all are in it still"
            for listener in listeners:
                listener.read_only(None)
            for listener in listeners:
                listener.await_stream(LIVE)
                listener.await_bytes(20000)
                runs = runs_of(listener.frames())
                assert runs[0] == (INTRO, 0, COUNT - 1) and len(runs) == 2 and runs[1][0] == LIVE, runs
                assert not listener.ended
            assert encoder.stop()["connects"] == 1
        assert server.metric("radio_torn_frames_total") == 0


@pytest.mark.parametrize("how", ["upgrade", "kill"])
def test_an_intro_that_was_replaced_ends_there_and_live_begins(tmp_path, how):
    """The next server has the file's present bytes alone: who was in others joins live, and is counted."""
    jingle = tmp_path / "jingle.mp3"
    write(jingle, frames(INTRO, COUNT))
    with station(jingle) as server:
        server.await_log("intro loaded")
        with Encoder(server, stream_id=LIVE):
            listeners = slow_listeners(server, 4)
            write(jingle, frames(OTHER, 100))
            server.await_log("intro loaded", 2)
            read_a_little(listeners)
            server.upgrade() if how == "upgrade" else server.kill()
            for listener in listeners:
                listener.read_only(None)
            for listener in listeners:
                listener.await_bytes(60000)
                assert not listener.ended
            await_("it is counted", lambda: server.metric("radio_torn_frames_total") == 4)
