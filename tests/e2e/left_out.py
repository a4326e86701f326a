"""Tests of what happens in real time: a reader that keeps up with a ring, speech that is heard as it was
said. They hold where every program is run when it has something to do, and a machine that is busy leaves
one out for seconds. So a test that is marked real_time("why") and fails is tried again, from its fixtures
on and three times in all, if something was left out meanwhile; what is wrong by itself fails each time.

    @pytest.mark.real_time("the ring holds two seconds")

Something was left out when a thread that only sleeps woke up late, or when some program waited for a
processor most of the time (Linux: Documentation/accounting/psi.rst)."""
import threading
import time

from _pytest.runner import runtestprotocol

TIMES = 3
LATE = 0.2   # seconds
BUSY = 0.25  # share of the time in which somebody waited for a processor


def waited():
    """For how long somebody has waited for a processor, of whom there was one; in seconds."""
    try:
        with open("/proc/pressure/cpu", encoding="ascii") as f:
            return int(f.readline().rpartition("total=")[2]) / 1e6
    except OSError:
        return 0


class Watch:
    """While it is entered it looks how late a sleeper wakes up."""

    def __enter__(self):
        self.late, self.over = 0, threading.Event()
        self.began, self.waited = time.monotonic(), waited()
        self.thread = threading.Thread(target=self._sleep, daemon=True)
        self.thread.start()
        return self

    def _sleep(self):
        while not self.over.is_set():
            before = time.monotonic()
            self.over.wait(0.05)
            self.late = max(self.late, time.monotonic() - before - 0.05)

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.share = (waited() - self.waited) / max(time.monotonic() - self.began, 0.01)

    def saw_it(self):
        return self.late > LATE or self.share > BUSY

    def __str__(self):
        return f"a thread woke up {self.late:.2f} s late, somebody waited {self.share:.0%} of the time"


def pytest_configure(config):
    config.addinivalue_line("markers", "real_time(why): tried again where a busy machine left something out")


def pytest_runtest_protocol(item, nextitem):
    if not item.get_closest_marker("real_time"):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for left in reversed(range(TIMES)):
        with Watch() as watch:
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if not any(report.failed for report in reports) or not left or not watch.saw_it():
            break
        said = f"{item.nodeid} is tried again: {watch}"
        print(f"\n{said}")
        # As before the first time: no fixture has a value.
        item._initrequest()
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
