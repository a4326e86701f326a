"""A relay of datagrams that loses, delays, repeats and overtakes some of them, always the same ones.

    with Impairment(to=("127.0.0.1", 8189), seed=7, loss=0.05, delay=0.02, jitter=0.01) as relay:
        ... send to ("127.0.0.1", relay.port) ...

Each sender gets a socket of its own towards the server, as behind a NAT. Times are seconds; loss,
repeat, burst and reorder are shares of all datagrams; a burst loses 10 in a row; what is reordered comes 30 ms
later than it would; rate is bytes a second, with
a queue of a quarter of a second. Only what looks like media (RTP and RTCP) is impaired unless all is
set: connecting is not what is tested.
"""
import heapq
import random
import selectors
import socket
import threading
import time


class Impairment:
    def __init__(self, to, seed=1, loss=0.0, burst=0.0, delay=0.0, jitter=0.0, repeat=0.0,
                 rate=None, reorder=0.0, everything=False):
        self.to, self.random = to, random.Random(seed)
        self.loss, self.burst, self.delay, self.jitter = loss, burst, delay, jitter
        self.repeat, self.rate, self.everything = repeat, rate, everything
        self.reorder = reorder
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(("127.0.0.1", 0))
        self.front.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        self.port = self.front.getsockname()[1]
        self.peers, self.backs = {}, {}
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.front, selectors.EVENT_READ)
        self.queue, self.number, self.losing = [], 0, 0
        self.free_at = {"in": 0.0, "out": 0.0}
        self.passed = self.lost = 0
        self.going = True
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.going = False
        self.thread.join(5)
        for s in [self.front, *self.peers.values()]:
            s.close()

    def _back(self, address):
        if address not in self.peers:
            s = self.peers[address] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
            s.connect(self.to)
            s.setblocking(False)
            self.backs[s] = address
            self.selector.register(s, selectors.EVENT_READ)
        return self.peers[address]

    def _loses(self):
        if self.losing:
            self.losing -= 1
            return True
        if self.burst and self.random.random() < self.burst / 10:
            self.losing = 9
            return True
        return self.random.random() < self.loss

    def _put(self, data, send, way):
        if not self.everything and not 128 <= data[0] <= 191:
            send(data)
            return
        now = time.monotonic()
        if self._loses():
            self.lost += 1
            return
        at = now + self.delay + self.random.random() * self.jitter
        if self.reorder and self.random.random() < self.reorder:
            at += 0.03
        if self.rate:
            start = max(now, self.free_at[way])
            if start - now > 0.25:
                self.lost += 1
                return
            self.free_at[way] = start + len(data) / self.rate
            at += start - now
        self.passed += 1
        for _ in range(1 + (self.random.random() < self.repeat)):
            self.number += 1
            heapq.heappush(self.queue, (at, self.number, send, data))

    def _run(self):
        while self.going:
            wait = self.queue[0][0] - time.monotonic() if self.queue else 0.1
            for key, _ in self.selector.select(max(0, min(wait, 0.1))):
                self._read(key.fileobj)
            while self.queue and self.queue[0][0] <= time.monotonic():
                _, _, send, data = heapq.heappop(self.queue)
                try:
                    send(data)
                except OSError:
                    pass

    def _read(self, s):
        for _ in range(64):
            try:
                data, address = s.recvfrom(65536, socket.MSG_DONTWAIT)
            except OSError:
                return
            if not data:
                continue
            if s is self.front:
                self._put(data, self._back(address).send, "in")
            else:
                to = self.backs[s]
                self._put(data, lambda d, to=to: self.front.sendto(d, to), "out")
