"""What the rows of bench/yardstick are held against: lines of a figure, a target, and whether it is
met. A line without a target is there to be read."""

import dataclasses
import typing

BASE = "s{}-c100-hosts"


@dataclasses.dataclass(frozen=True)
class Line:
    topic: str
    what: str
    figure: typing.Optional[float]
    form: str = "{:.2f}"
    most: typing.Optional[float] = None
    least: typing.Optional[float] = None

    @property
    def met(self):
        """None: nothing is asked, or it was not measured."""
        if self.figure is None or (self.most is None and self.least is None):
            return None
        return self.figure <= self.most if self.most is not None else self.figure >= self.least

    @property
    def target(self):
        if self.most is not None:
            return f"<= {self.most:g}"
        return f">= {self.least:,g}" if self.least is not None else ""

    @property
    def verdict(self):
        return {None: "", True: "met", False: "MISSED"}[self.met]


def shards_word(shards):
    return f"{shards} shard{'s' if shards > 1 else ''}"


def cpu_lines(results):
    for shards, most in ((1, 0.95), (2, 1.0)):
        row, who = BASE.format(shards), shards_word(shards)

        def line(what, figure, form="{:.1f} us", row=row, who=who, **target):
            return Line("CPU", f"{what}, {who}", results.median(row, figure), form, **target)

        yield line("relay + kernel's threads over source + sink", "ratio_with_kernel", "{:.2f}",
                   most=most)
        yield line("relay's process over source + sink", "ratio", "{:.2f}")
        yield Line("CPU", f"the dialogue alone (bare_relay) over source + sink, {who}",
                   results.median("bare" if shards == 1 else f"bare{shards}", "ratio"))
        yield line("relay, user time", "relay_user_us", most=12)
        yield line("relay, system time", "relay_system_us")
        yield line("the kernel's threads", "kernel_threads_us")
        yield line("whole machine", "machine_us")
        yield Line("CPU", f"disk off: relay, {who}",
                   results.median(row + "-nodisk", "relay_cpu_us"), "{:.1f} us")
        yield Line("CPU", f"disk off: over source + sink, {who}",
                   results.median(row + "-nodisk", "ratio"))
    yield Line("CPU", "tuned Postfix over Outbox", results.median("postfix", "cpu_factor"),
               "{:.0f}", least=40)


def throughput_lines(results):
    for shards in (1, 2):
        row, who = BASE.format(shards), shards_word(shards)
        yield Line("throughput", f"of what the cores could do, {who}",
                   results.median(row, "efficiency"), least=0.8)
        yield Line("throughput", f"messages a second, {who}",
                   results.median(row, "messages_per_second"), "{:,.0f}", least=12_000)
        for where, words in (("one", "one domain"), ("smart", "one smart host")):
            yield Line("throughput", f"{words} over 1,000 destinations, {who}",
                       results.ratio(row.replace("hosts", where), row, "messages_per_second"),
                       least=1.0)
        yield Line("throughput", f"pipelining client over one that is not, {who}",
                   results.ratio(row + "-pipelining", row, "messages_per_second"), least=1.5)
    yield Line("throughput", "Outbox over tuned Postfix", results.median("postfix", "rate_factor"),
               "{:.0f}", least=25)


def size_lines(results):
    for size, least in (("64KiB", 0.65), ("1MiB", 0.75)):
        copy = f"copy-{size}"
        yield Line("size", f"{size}: two hops of loopback TCP",
                   results.median(copy, "mb_per_second"), "{:,.0f} MB/s")
        yield Line("size", f"{size}: the dialogue alone (bare_relay) over the copy",
                   results.ratio(f"bare-{size}", copy, "mb_per_second"))
        for shards in (1, 2):
            row, who = f"s{shards}-c100-smart-{size}", shards_word(shards)
            yield Line("size", f"{size}: relayed, {who}", results.median(row, "mb_per_second"),
                       "{:,.0f} MB/s")
            yield Line("size", f"{size}: over the copy, {who}",
                       results.ratio(row, copy, "mb_per_second"), least=least)
            yield Line("size", f"{size}: memory at its peak over that with 4 KiB, {who}",
                       results.ratio(row, f"s{shards}-c100-smart", "peak_rss_mib"), most=1.1)


def cores_lines(results):
    for connections in (100, 20):
        one, two = (f"s{n}-c{connections}-hosts" for n in (1, 2))
        yield Line("cores", f"CPU a message, 2 shards over 1, {connections} connections",
                   results.ratio(two, one, "relay_cpu_us"), most=1.2)
    row = BASE.format(2)
    yield Line("cores", "messages between shards, a mail",
               results.median(row, "mailbox_per_message"))
    yield Line("cores", "wakes of the other shard, a mail",
               results.median(row, "wakes_per_message"), "{:.3f}")
    yield Line("cores", "posts that met a full mailbox", results.median(row, "mailbox_full"),
               "{:.0f}")
    yield Line("cores", "shared words changed by another first, a mail",
               results.median(row, "retries_per_message"), "{:.5f}")
    for logs in (1, 2, 4, 8):
        yield Line("cores", f"commits a second, {logs} log{'s' if logs > 1 else ''}",
                   results.median("logs", f"commits_{logs}"), "{:,.0f}")


def call_lines(results):
    for connections, most in ((20, 2), (100, 1)):
        for shards in (1, 2):
            row = f"s{shards}-c{connections}-hosts"
            who = f"{connections} connections, {shards_word(shards)}"
            yield Line("calls", f"io_uring enters a message, {who}",
                       results.median(row, "enters_per_message"), most=most)
            yield Line("calls", f"other system calls a message (traced), {who}",
                       results.median(row, "other_calls_per_message"), "{:.3f}")
            yield Line("calls", f"jobs of io_uring's workers, {who}",
                       results.median(row, "worker_jobs"), "{:.0f}", most=0)


def verdicts(results):
    lines = [line for make in (cpu_lines, throughput_lines, size_lines, cores_lines, call_lines)
             for line in make(results)]
    return [line for line in lines if line.figure is not None]
