"""What a commit takes: by a bare writer beside the relay, and from the relay's own counts."""

import mmap
import os
import threading
import time

FILE_BYTES = 16 << 20
FILL_BYTES = 1 << 20
# What a commit of one 4 KiB message takes: the body, and headers and envelope in a second block.
COMMIT_BYTES = 8192


def percentile(ordered, fraction):
    return ordered[min(len(ordered) - 1, int(len(ordered) * fraction))]


class BareWriter:
    """Overwrites a file, as the log does its recycled segments: O_DIRECT and O_DSYNC, one write at
    a time, `rate` a second. As a context; afterwards it knows how long they took."""

    def __init__(self, path, rate):
        self.path = path
        self.rate = rate
        self.took_ns = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.write, daemon=True)
        self.fault = None

    def __enter__(self):
        with open(self.path, "wb") as file:
            for _ in range(FILE_BYTES // FILL_BYTES):
                file.write(bytes(FILL_BYTES))
            file.flush()
            os.fsync(file.fileno())
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()
        os.unlink(self.path)

    def write(self):
        try:
            self.write_until_stopped(os.open(self.path, os.O_WRONLY | os.O_DIRECT | os.O_DSYNC))
        except OSError as error:
            self.fault = error

    def write_until_stopped(self, file):
        block = mmap.mmap(-1, COMMIT_BYTES)  # aligned
        block.write(b"m" * COMMIT_BYTES)
        offset, due = 0, time.monotonic()
        while not self.stopped.wait(max(0, due - time.monotonic())):
            due = max(due + 1 / self.rate, time.monotonic() - 0.1)
            began = time.perf_counter_ns()
            os.pwritev(file, [block], offset)
            self.took_ns.append(time.perf_counter_ns() - began)
            offset = (offset + COMMIT_BYTES) % FILE_BYTES
        os.close(file)

    def percentile_ms(self, fraction):
        if self.fault or not self.took_ns:
            raise SystemExit(f"the bare writer wrote nothing: {self.fault}")
        return percentile(sorted(self.took_ns), fraction) / 1e6


def buckets_between(before, after):
    """What `commit_us` of `outbox stats` has counted between two answers: [us, count] each."""
    counts = dict(before)
    grown = ((us, count - counts.get(us, 0)) for us, count in after)
    return [(us, count) for us, count in grown if count > 0]


def percentile_ms(buckets, fraction):
    wanted, seen = fraction * sum(count for _, count in buckets), 0
    for us, count in buckets:
        seen += count
        if seen >= wanted:
            return us / 1000
    return 0.0
