"""The rows of the table: what is done to a relay, and what is measured meanwhile.

plain    source and sink run, and the relay is between them
backlog  the sink is down while the source sends; then the sink is up, and the relay is told to try
         again by the command that its operators have for that
restart  as backlog, but all processes of the relay are killed (kill -9) before the sink is up; from
         the relay's new start to the first delivery

Each begins with a relay whose queue is empty, and with a short run that warms it up and tells how
many messages it relays in a second, so that a slow relay is not given an hour's work."""

import dataclasses
import os
import time

from comparing import load
from comparing.meter import machine_seconds
from comparing.trouble import Trouble

KINDS = ("plain", "backlog", "restart")
BYTES_MAX = 2 << 30  # of the messages of one row, for the disk's sake
TRIAL_SECONDS = 0.5  # a trial as long as this tells the rate
SETTLE_SECONDS = 0.5  # for what a relay is about after the last message, accepted or delivered


def size_bytes(text):
    for suffix, factor in (("KiB", 1 << 10), ("MiB", 1 << 20)):
        if text.endswith(suffix):
            return int(text[:-3]) * factor
    return int(text)


@dataclasses.dataclass(frozen=True)
class Row:
    kind: str
    size: str
    domains: int

    @property
    def title(self):
        size = self.size.replace("KiB", " KiB").replace("MiB", " MiB")
        return f"{self.kind}, {size}, {self.domains:,} domain{'s' if self.domains > 1 else ''}"


@dataclasses.dataclass
class Result:
    """Of one row and one relay. Rates a second; CPU in microseconds a message; None: not measured,
    or not to be had."""

    row: Row
    relay: str
    version: str
    durable: str
    messages: int = 0
    accepted_per_s: float = None
    relayed_per_s: float = None  # backlog, restart: of what was waiting
    first_delivery_s: float = None
    relay_cpu_us: float = None
    machine_cpu_us: float = None
    source_cpu_us: float = None
    sink_cpu_us: float = None
    cpu_ratio: float = None  # relay over source + sink
    others_percent: float = None  # of all cores' time: used by none of the three
    duplicates: int = None
    times_postfix: float = None
    postfix_cpu_over_its: float = None
    trouble: str = ""


class Span:
    """Seconds from now to end(): CPU of relay, sink and machine, and time."""

    def __init__(self, relay, sink=None):
        self.relay, self.sink = relay, sink
        self.begin = self.read()

    def read(self):
        return (self.relay.meter.seconds(), self.sink.cpu_seconds() if self.sink else 0.0,
                machine_seconds(), time.monotonic())

    def end(self):
        return [after - before for before, after in zip(self.begin, self.read())]


class Measurement:
    """One row of one relay. `limit`: seconds for each of its waits."""

    def __init__(self, row, relay, options):
        self.row, self.relay, self.options = row, relay, options
        self.limit = 20 + 6 * options.seconds
        self.settle = min(SETTLE_SECONDS, options.seconds)
        self.sink = None
        self.next_id = 1
        self.result = Result(row, relay.name, relay.version, relay.durable)

    def measure(self):
        """Leaves the relay dead. What was measured before trouble came is in `result`."""
        try:
            self.relay.start()
            rate = self.trial()
            messages = min(self.options.messages, int(rate * self.options.seconds),
                           BYTES_MAX // max(1, size_bytes(self.row.size)))
            self.result.messages = max(messages, 20)
            getattr(self, self.row.kind)()
        finally:
            self.close_sink()
            self.relay.kill()

    def open_sink(self):
        self.sink = load.Sink(self.options.bin, self.relay.sink_port, self.options.run)

    def close_sink(self):
        if self.sink is None:
            return {}
        sink, self.sink = self.sink, None
        return sink.stop()

    def send(self, messages):
        first, self.next_id = self.next_id, self.next_id + messages
        return load.send(self.options.bin, self.relay.port, messages=messages, first_id=first,
                         size=self.row.size, domains=self.row.domains,
                         connections=self.options.connections, seconds=self.limit)

    def arrive(self, messages, nudge=None):
        """Waits for the deliveries; the sink's counts. Not all of them is trouble, after what was
        measured up to then is noted down."""
        arrived = self.sink.wait_for(messages, time.monotonic() + self.limit, nudge)
        if arrived < messages:
            self.result.trouble = (f"{arrived} of {messages} messages had arrived after "
                                   f"{self.limit:.0f} s: {self.relay.last_words()}")
        stats = self.sink.stats()
        load.check(stats)
        if not arrived:
            raise Trouble(self.result.trouble)
        time.sleep(self.settle)
        return stats

    def trial(self):
        """Messages that the relay passes on in a second. Leaves the sink up, the queue empty."""
        self.open_sink()
        messages = 100 if size_bytes(self.row.size) <= 100_000 else 20
        while True:
            source = self.send(messages)
            stats = self.arrive(self.next_id - 1)
            if self.result.trouble:
                raise Trouble(self.result.trouble)
            seconds = (stats["last_ns"] - source["first_ns"]) / 1e9
            if seconds >= TRIAL_SECONDS or 5 * messages > self.options.messages:
                return messages / seconds
            messages *= 5

    def note(self, source, stats, spans, source_ran=True):
        """Notes down the CPU of all spans, a message. `source_ran`: it did, in one of them."""
        relay, sink, machine, seconds = map(sum, zip(*spans))
        sender = source["cpu"]["cpu_seconds"] if source_ran else 0.0
        us = 1e6 / self.result.messages
        r = self.result
        r.accepted_per_s = source["rate"]
        r.duplicates = stats["duplicates"]
        r.relay_cpu_us, r.sink_cpu_us, r.machine_cpu_us = relay * us, sink * us, machine * us
        if source_ran:
            r.source_cpu_us = sender * us
            r.cpu_ratio = relay / (sender + sink) if sender + sink else None
        others = machine - relay - sink - sender
        r.others_percent = max(0.0, others / seconds / os.cpu_count() * 100)

    def plain(self):
        before = self.sink.stats()["unique_messages"]
        span = Span(self.relay, self.sink)
        source = self.send(self.result.messages)
        stats = self.arrive(before + self.result.messages)
        self.note(source, stats, [span.end()])
        arrived = stats["unique_messages"] - before
        self.result.relayed_per_s = arrived * 1e9 / (stats["last_ns"] - source["first_ns"])

    def fill(self):
        """Queues the messages while the sink is down; the source's result, and the CPU."""
        self.close_sink()
        span = Span(self.relay)
        source = self.send(self.result.messages)
        spent = span.end()
        time.sleep(self.settle)
        return source, spent

    def drain(self, began_ns):
        stats = self.arrive(self.result.messages, self.relay.try_again)
        self.result.first_delivery_s = (stats["first_ns"] - began_ns) / 1e9
        self.result.relayed_per_s = (stats["unique_messages"] * 1e9 /
                                     (stats["last_ns"] - began_ns))
        return stats

    def backlog(self):
        source, filling = self.fill()
        self.open_sink()
        span = Span(self.relay, self.sink)
        stats = self.drain(load.clock_ns())
        self.note(source, stats, [filling, span.end()])

    def restart(self):
        source, _ = self.fill()
        self.relay.kill()
        self.open_sink()
        self.relay.prepare(clean=False)
        # Its CPU is that after the restart alone.
        span = Span(self.relay, self.sink)
        began_ns = load.clock_ns()
        self.relay.begin()
        self.relay.wait_until_it_listens()
        stats = self.drain(began_ns)
        self.note(source, stats, [span.end()], source_ran=False)


def compare(results):
    """Fills in what stands in relation to Postfix in the same row."""
    postfix = {r.row: r for r in results if r.relay == "postfix"}
    for result in results:
        other = postfix.get(result.row)
        if other is None:
            continue
        if other.relayed_per_s and result.relayed_per_s:
            result.times_postfix = result.relayed_per_s / other.relayed_per_s
        if other.relay_cpu_us and result.relay_cpu_us:
            result.postfix_cpu_over_its = other.relay_cpu_us / result.relay_cpu_us
