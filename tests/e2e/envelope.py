"""How alike two recordings are: their loudness every 10 ms, at the lag where it fits best."""
import array
import math
import statistics
import subprocess

RATE = 16000


def envelope(path):
    """RMS of each 10 ms, of any file that sox reads."""
    raw = subprocess.run(["sox", path, "-t", "s16", "-r", str(RATE), "-c", "1", "-"],
                         stdout=subprocess.PIPE, check=True, timeout=120).stdout
    samples = array.array("h", raw[:len(raw) // 2 * 2])
    step = RATE // 100
    return [math.sqrt(sum(s * s for s in samples[i:i + step]) / step)
            for i in range(0, len(samples) - step + 1, step)]


def correlation(a, b):
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    up = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b))
    down = math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))
    return up / down if down else 0.0


def likeness(said, heard):
    """The best correlation of what was said with any piece of what was heard; 0 if it is shorter."""
    a, b = envelope(said), envelope(heard)
    return max((correlation(a, b[lag:lag + len(a)]) for lag in range(len(b) - len(a) + 1)), default=0.0)


def likeness_of_pieces(a, b, piece=80):
    """The same of two envelopes, of pieces of 0.8 s, each where it fits best; the median. What plays in real
    time on a busy machine makes pauses between words: what comes behind them is later."""
    return statistics.median(
        max((correlation(a[at:at + piece], b[to:to + piece]) for to in range(at, len(b) - piece + 1)), default=0.0)
        for at in range(0, len(a) - piece + 1, piece))


def likeness_by_pieces(said, heard):
    return likeness_of_pieces(envelope(said), envelope(heard))
