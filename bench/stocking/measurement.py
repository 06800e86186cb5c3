"""The measurement: what is done, in which order, and what is noted down."""

import ipaddress
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time

from comparing import load
from comparing.row import size_bytes
from comparing.trouble import Trouble
from stocking.daemon import Daemon

DEAD = "load.test"  # the domains that refuse, until the drain
LIVING = "living.test"
LATE = "late.test"  # refuse as well, and accept when the daemon has been killed
LIVING_ADDRESS = ipaddress.ip_address("127.128.0.1")
LATE_ADDRESS = ipaddress.ip_address("127.192.0.1")
FEW = 1000  # messages in the queue of the other daemon
LATE_MESSAGES = 100
IDLE_SECONDS = 30  # for connections and buffers to come to rest
DISK_FACTOR = 1.6  # of the bodies: records, segments made ahead, the other daemon's
READ_SECONDS = 3
STATS_SECONDS = 0.25  # between two questions for statistics while the queue grows


def median(values):
    return statistics.median(values)


class Measurement:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.began = time.monotonic()
        self.ports = load.free_ports(5)
        self.dead_port, self.living_port, self.late_port = self.ports[:3]
        self.living_sink = self.dead_sink = self.late_sink = None
        self.full = self.few = None
        self.next_id = {DEAD: 1, LIVING: 1, LATE: 1}
        self.result = {}

    def close(self):
        for sink in (self.living_sink, self.dead_sink, self.late_sink):
            if sink is not None:
                sink.stop()
        for daemon in (self.full, self.few):
            if daemon is not None:
                daemon.kill()

    # --- Parts ---

    def routes(self):
        o = self.options
        return ([(d, a, self.dead_port) for d, a in load.destinations(o.domains, DEAD)] +
                [(d, a, self.living_port)
                 for d, a in load.destinations(o.living, LIVING, LIVING_ADDRESS)] +
                [(d, a, self.late_port) for d, a in load.destinations(1, LATE, LATE_ADDRESS)])

    def need_disk(self):
        o = self.options
        need = (o.messages * size_bytes(o.size) + (4 << 30)) * DISK_FACTOR
        free = shutil.disk_usage(self.folder).free
        if free < need:
            raise Trouble(f"{need / 2**30:.1f} GiB of disk are needed, {free / 2**30:.1f} are free")

    def sink(self, name, port):
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return load.Sink(self.options.bin, port, folder)

    def send(self, daemon, suffix, messages, domains):
        o = self.options
        first, self.next_id[suffix] = self.next_id[suffix], self.next_id[suffix] + messages
        return load.send(o.bin, daemon.port, messages=messages, first_id=first, size=o.size,
                         domains=domains, suffix=suffix, connections=o.connections,
                         seconds=o.timeout)

    def queued(self, daemon, messages):
        if (there := daemon.stats()["queued"]) != messages:
            raise Trouble(f"{there} messages are queued, and not {messages}")

    def rest(self, daemon):
        """Waits until no connection is open or being opened, and a little longer."""
        until = time.monotonic() + IDLE_SECONDS
        while time.monotonic() < until:
            stats = daemon.stats()
            if stats["connections_out"] == 0 and stats["connections_in"] == 0:
                break
            time.sleep(0.2)
        time.sleep(1)

    # --- What is measured ---

    def accept(self, daemon):
        """Only taken, for domains that refuse: (a second, CPU seconds a message)."""
        o = self.options
        cpu = daemon.cpu_seconds()
        source = self.send(daemon, DEAD, o.probe, min(FEW, o.domains))
        return source["rate"], (daemon.cpu_seconds() - cpu) / o.probe

    def relay(self, daemon):
        """Taken and delivered to domains that are well: (a second, CPU seconds a message)."""
        o = self.options
        arrived = self.living_sink.stats()["unique_messages"]
        cpu = daemon.cpu_seconds()
        source = self.send(daemon, LIVING, o.probe, o.living)
        wanted = arrived + o.probe
        if self.living_sink.wait_for(wanted, time.monotonic() + o.timeout) < wanted:
            raise Trouble("not all was relayed beside the queue")
        stats = self.living_sink.stats()
        load.check(stats)
        seconds = (stats["last_ns"] - source["first_ns"]) / 1e9
        return o.probe / seconds, (daemon.cpu_seconds() - cpu) / o.probe

    def fill(self):
        """Queues the messages, while statistics are asked for."""
        o, full = self.options, self.full
        ended = threading.Event()

        def ask():
            while not ended.wait(STATS_SECONDS):
                full.stats()

        full.latencies.clear()
        asking = threading.Thread(target=ask)
        asking.start()
        try:
            cpu = full.cpu_seconds()
            source = self.send(full, DEAD, o.messages - LATE_MESSAGES, o.domains)
            self.send(full, LATE, LATE_MESSAGES, 1)
        finally:
            ended.set()
            asking.join()
        self.result["fill_per_s"] = source["rate"]
        self.result["fill_cpu_us"] = (full.cpu_seconds() - cpu) / o.messages * 1e6
        self.result["stats_busy_ms"] = [s * 1e3 for s in full.latencies]

    def compare(self):
        """The full daemon and one with few messages take turns."""
        rates = {"accept": [], "relay": []}
        cpus = {"accept": [], "relay": []}
        plain = []
        for n in range(self.options.rounds):
            self.say(f"round {n + 1} of {self.options.rounds}")
            self.few = Daemon(self.options, self.folder / f"few{n}", self.ports[3], self.routes())
            self.few.start()
            self.send(self.few, DEAD, FEW, min(FEW, self.options.domains))
            self.relay(self.few)  # warm
            self.relay(self.full)
            self.queued(self.few, FEW)
            for kind, measure in (("relay", self.relay), ("accept", self.accept)):
                # The order changes, so that a disk or a machine that drifts favours neither.
                pair = (self.few, self.full) if n % 2 else (self.full, self.few)
                got = {daemon: measure(daemon) for daemon in pair}
                rates[kind].append(got[self.full][0] / got[self.few][0])
                cpus[kind].append(got[self.full][1] / got[self.few][1])
                self.result.setdefault(f"{kind}_cpu_us", []).append(
                    [got[d][1] * 1e6 for d in (self.few, self.full)])
                self.result.setdefault(f"{kind}_per_s", []).append(
                    [got[d][0] for d in (self.few, self.full)])
                if kind == "relay":
                    plain.append(got[self.few][0])
            self.few.kill()
            shutil.rmtree(self.few.folder, ignore_errors=True)
            self.few = None
        self.result["accept_rate_ratio"] = median(rates["accept"])
        self.result["relay_rate_ratio"] = median(rates["relay"])
        self.result["accept_cpu_ratio"] = median(cpus["accept"])
        self.result["relay_cpu_ratio"] = median(cpus["relay"])
        self.result["plain_per_s"] = median(plain)

    def memory(self, name, before):
        stats = self.full.stats()
        self.result[f"{name}_bytes"] = (self.full.memory_bytes() - before) / stats["queued"]

    def restart(self, fresh):
        full, result = self.full, self.result
        self.say("kill -9, and a new start")
        queued = full.stats()["queued"]
        full.kill()
        self.late_sink = self.sink("late", self.late_port)
        began_ns = load.clock_ns()
        full.begin()
        until = time.monotonic() + self.options.timeout
        known = None
        while known is None or not self.late_sink.stats()["unique_messages"]:
            if time.monotonic() > until:
                raise Trouble("nothing came, or not everything was known, after the restart")
            try:
                stats = full.stats()
                if known is None and stats["recovered_total"] == queued and not stats["recovering"]:
                    known = load.clock_ns()
            except (OSError, ValueError):
                full.channel = None  # it does not listen yet
            time.sleep(0.01)
        full.wait_ready()
        result["known_s"] = (known - began_ns) / 1e9
        result["first_delivery_s"] = (self.late_sink.stats()["first_ns"] - began_ns) / 1e9
        self.rest(full)
        self.queued(full, queued - self.late_sink.stats()["unique_messages"])
        self.memory("restarted", fresh)

    def read_rate(self):
        """Random reads a second of the spool's files, as a drain makes them."""
        reads = subprocess.run(
            [str(self.options.bin / "read_raw"), str(READ_SECONDS),
             str(size_bytes(self.options.size)), *map(str, self.full.spool_files())],
            capture_output=True, text=True, timeout=60)
        if reads.returncode:
            raise Trouble(f"read_raw: {reads.stderr.strip()}")
        return float(reads.stdout)

    def drain(self):
        o, full = self.options, self.full
        self.say("the domains accept")
        # Of those for the domain that was the first to accept again, some were put off before.
        late = LATE_MESSAGES - self.late_sink.stats()["unique_messages"]
        queued = full.stats()["queued"] - late
        self.dead_sink = self.sink("dead", self.dead_port)
        cpu, sink_cpu = full.cpu_seconds(), self.dead_sink.cpu_seconds()
        began_ns, began = load.clock_ns(), full.stats()
        full.retry_all()
        arrived = self.dead_sink.wait_for(queued, time.monotonic() + o.timeout)
        stats, ended = self.dead_sink.stats(), full.stats()
        load.check(stats)
        if arrived != queued or ended["queued"]:
            raise Trouble(f"{arrived} of {queued} messages arrived, and {ended['queued']} are left")
        seconds = (stats["last_ns"] - began_ns) / 1e9
        self.result["drain_per_s"] = queued / seconds
        self.result["drain_first_s"] = (stats["first_ns"] - began_ns) / 1e9
        self.result["drain_cpu_us"] = (full.cpu_seconds() - cpu) / queued * 1e6
        self.result["drain_sink_cpu_us"] = (self.dead_sink.cpu_seconds() - sink_cpu) / queued * 1e6
        self.result["drain_fetches"] = (ended["fetches_total"] - began["fetches_total"]) / queued

    def say(self, what):
        """Where it is: the whole takes minutes."""
        print(f"{time.monotonic() - self.began:6.1f} s  {what}", file=sys.stderr, flush=True)

    def measure(self):
        o, result = self.options, self.result
        self.need_disk()
        self.say("an empty queue")
        self.living_sink = self.sink("living", self.living_port)
        full = self.full = Daemon(o, self.folder / "full", self.ports[4], self.routes())
        full.start()
        time.sleep(1)
        fresh = full.memory_bytes()
        self.relay(full)
        self.rest(full)
        self.queued(full, 0)
        empty = full.memory_bytes()
        self.say(f"queueing {o.messages:,}")
        self.fill()
        self.rest(full)
        self.queued(full, o.messages)
        began = time.monotonic()
        self.memory("queued", empty)
        self.memory("fresh", fresh)
        stats = full.stats()
        result["connects"] = stats["connections_out_total"] + stats["connect_failures_total"]
        result["connects_per_domain"] = stats["connect_failures_total"] / o.domains
        full.latencies.clear()
        for _ in range(200):
            full.stats()
        result["stats_ms"] = [s * 1e3 for s in full.latencies]
        self.compare()
        later = full.stats()
        result["idle_connects_per_domain_minute"] = (
            (later["connect_failures_total"] - stats["connect_failures_total"]) / o.domains /
            (time.monotonic() - began) * 60)
        self.restart(fresh)
        result["reads_per_s"] = self.read_rate()
        self.drain()
        result["cores"] = os.cpu_count()
        return result
