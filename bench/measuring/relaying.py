"""One measurement of the whole relay: smtp_source -> outboxd -> smtp_sink. It fails unless every
message arrived once and intact."""

import pathlib
import re
import time

from measuring import cpu
from measuring.calls import Calls, WorkerJobs
from measuring.others import busy_seconds
from measuring.room import Room

FAULTS = ("duplicates", "corrupted", "misdirected")
# Where a spool is in memory. O_DIRECT means nothing there: a write copies, and ends at once.
MEMORY = pathlib.Path("/dev/shm")


class Moment:
    """What had been used when it was made."""

    def __init__(self, relay, sink):
        self.stats = relay.stats()
        self.time = time.monotonic()
        self.busy = busy_seconds()
        self.kernel = cpu.kernel_threads()
        self.relay = cpu.user_system(relay.process.pid)
        self.sink = cpu.user_system(sink.process.pid)
        self.workers = cpu.workers(relay.process.pid)


class Relaying:
    def __init__(self, room, load):
        self.room, self.load = room, load
        port, sink_port = room.ports(2)
        self.sink = room.start_sink(sink_port, "--latency-from", load.warm_up + 1,
                                    *load.sink_arguments(),
                                    addresses=("0.0.0.0" if load.hosts else "127.0.0.1",))
        self.relay = room.start_relay(load.config(room.dir, port, sink_port))
        self.arguments = load.source_arguments(port)
        self.sent = 0

    def send(self, messages):
        """Sends and waits until all of it is out of the relay; the source's result."""
        result = self.room.source(*self.arguments, "--messages", messages, "--first-id",
                                  self.sent + 1)
        self.sent += messages
        self.relay.wait_for(queued=0)
        return result

    def measure(self):
        load, pid = self.load, self.relay.process.pid
        if load.warm_up > 0:
            self.send(load.warm_up)
        with WorkerJobs(pid, self.room.dir / "jobs") as jobs:
            before = Moment(self.relay, self.sink)
            source = self.send(load.messages)
            after = Moment(self.relay, self.sink)
        arrived = self.room.wait(self.all_arrived, f"{self.sent} messages at the sink")
        result = self.result(source, arrived, before, after)
        result["worker_jobs"] = jobs.jobs
        result["peak_rss_mib"] = peak_rss_kib(pid) / 1024
        result.update(self.traced(pid))
        self.check(self.sink.stop())
        return result

    def all_arrived(self):
        stats = self.sink.stats()
        return stats if stats["unique_recipients"] >= self.sent * self.load.recipients else None

    def check(self, sink):
        faults = {name: sink[name] for name in FAULTS if sink[name]}
        wanted = self.sent * self.load.recipients
        if sink["unique_recipients"] != wanted or faults:
            self.room.give_up(f"{sink['unique_recipients']} of {wanted} arrived; {faults}")

    def traced(self, pid):
        """System calls a message, of some more messages."""
        count = self.load.traced
        if count == 0:
            return {"syscalls_per_message": None, "other_calls_per_message": None}
        with Calls(pid, self.room.dir / "strace") as calls:
            self.send(count)
        if not calls.counts:
            return {"syscalls_per_message": None, "other_calls_per_message": None}
        total = sum(calls.counts.values())
        return {"syscalls_per_message": total / count,
                "other_calls_per_message": (total - calls.counts.get("io_uring_enter", 0)) / count}

    def result(self, source, arrived, before, after):
        messages = self.load.messages
        seconds = (arrived["last_ns"] - source["first_ns"]) / 1e9

        def us(later, earlier):
            return (later - earlier) / messages * 1e6

        def each(name):
            return (after.stats[name] - before.stats[name]) / messages

        user, system = (us(a, b) for a, b in zip(after.relay, before.relay))
        sink = us(sum(after.sink), sum(before.sink))
        source_us = source["cpu"]["cpu_seconds"] / messages * 1e6
        kernel = us(after.kernel, before.kernel)
        pair, total = source_us + sink, source_us + sink + user + system
        commits = each("commits_total")
        return {
            "messages_per_second": messages / seconds,
            "mb_per_second": size_bytes(self.load.size) * messages / seconds / 1e6,
            "relay_cpu_us": user + system,
            "relay_user_us": user,
            "relay_system_us": system,
            "kernel_threads_us": kernel,
            "source_cpu_us": source_us,
            "sink_cpu_us": sink,
            "machine_us": us(after.busy, before.busy),
            "others_percent": 100 * max(0.0, us(after.busy, before.busy) - total - kernel) /
                              (cpu.cores() * us(after.time, before.time)),
            "ratio": (user + system) / pair if pair else 0.0,
            "ratio_with_kernel": (user + system + kernel) / pair if pair else 0.0,
            "efficiency": messages / seconds * total / 1e6 / cpu.cores(),
            "accept_p50_ms": source["latency"]["p50_ms"],
            "accept_p99_ms": source["latency"]["p99_ms"],
            "delivery_p50_ms": arrived["latency"]["p50_ms"],
            "delivery_p99_ms": arrived["latency"]["p99_ms"],
            "enters_per_message": each("uring_enters_total"),
            "messages_per_commit": 1 / commits if commits else None,
            "hot_per_message": each("hot_windows_total"),
            "connections_per_message": each("connections_out_total"),
            "mailbox_per_message": each("mailbox_messages_total"),
            "wakes_per_message": each("wakes_total"),
            "retries_per_message": each("atomic_retries_total"),
            "mailbox_full": after.stats["mailbox_full_total"] - before.stats["mailbox_full_total"],
            "workers": after.workers[0],
            "workers_us": us(after.workers[1], before.workers[1]),
        }


def size_bytes(text):
    """Of one body; 0 for a mixture."""
    match = re.fullmatch(r"(\d+)(KiB|MiB|B|)", text)
    units = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20}
    return int(match[1]) * units[match[2]] if match else 0


def peak_rss_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def measure(options, load, name="relay"):
    """`options`: those of a Room. The figures of one run."""
    with Room(options, name) as room:
        return Relaying(room, load).measure()
