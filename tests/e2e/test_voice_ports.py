"""A user's datagrams that go on from another port, and behind a gap. Two workers."""
import time

import pytest

from stage import PATIENCE
from voice_stage import ringmain_voice


@pytest.fixture(scope="module")
def house(shared_serve):
    return ringmain_voice(shared_serve, {"workers": "2"})


@pytest.fixture
def pair(house):
    a, b = house.join(), house.join()
    a.speak(b"before")
    b.hear(lambda v: v.payload == b"before")
    yield a, b
    house.dismiss()


def test_further_changes_of_the_port_heal_at_once_too(house, pair):
    """With the first datagram from there, three times without a pause."""
    a, b = pair
    had = house.metric("rebinds")
    for i in range(3):
        a.open_udp()
        a.speak(b"change %d" % i)
        b.hear(lambda v: v.payload == b"change %d" % i)
        b.speak(b"and hears %d" % i)
        a.hear(lambda v: v.payload == b"and hears %d" % i and v.over == "udp")
    assert house.metric("rebinds") == had + 3


def test_a_port_that_changes_behind_a_gap_is_found(pair):
    a, b = pair
    a.sealed += 100
    time.sleep(0.6)  # so long a gap is thought possible only where he was silent
    a.open_udp()
    a.speak(b"behind it")
    b.hear(lambda v: v.payload == b"behind it")


def test_who_is_behind_a_gap_that_one_byte_cannot_count_is_asked(pair):
    a, b = pair
    a.sealed += 1000
    time.sleep(7.2)  # less could be a ping that is late
    a.open_udp()
    began = time.monotonic()
    while not any(v.payload == b"behind it" for v in b.heard):
        a.speak(b"behind it")
        b.poll(0.02)
        a.poll()
        assert time.monotonic() - began < PATIENCE
