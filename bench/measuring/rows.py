"""What bench/yardstick measures: rows, each with a name, and how to take one of each."""

import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile

from measuring import cpu, relaying
from measuring.load import Load
from measuring.room import Room

DOMAINS = 1000
WHERE = {
    "one": {"domains": 1},
    "hosts": {"domains": DOMAINS, "hosts": True},
    "smart": {"domains": DOMAINS},
}
# Body, messages of a measurement, of a quick one, and before it.
AMOUNTS = {"4KiB": (40_000, 6_000, 3_000), "64KiB": (8_000, 2_000, 300), "1MiB": (800, 200, 100)}
COPY_MIB = 2000
TRACED = 2000


@dataclasses.dataclass(frozen=True)
class RelayRow:
    """The whole relay. Its name says what is sent: shards, connections, destinations."""
    shards: int
    connections: int
    where: str
    size: str = "4KiB"
    pipelining: bool = False
    no_disk: bool = False
    traced: bool = False

    @property
    def name(self):
        return (f"s{self.shards}-c{self.connections}-{self.where}"
                + (f"-{self.size}" if self.size != "4KiB" else "")
                + ("-pipelining" if self.pipelining else "") + ("-nodisk" if self.no_disk else ""))

    def measure(self, options):
        full, quick, warm_up = AMOUNTS[self.size]
        load = Load(messages=quick if options.quick else full, size=self.size,
                    connections=self.connections, shards=self.shards, warm_up=warm_up,
                    pipelining=self.pipelining, traced=TRACED if self.traced else 0,
                    **WHERE[self.where])
        if self.no_disk:
            options = type(options)(**{**vars(options), "dir": relaying.MEMORY})
        return relaying.measure(options, load, "yardstick")


@dataclasses.dataclass(frozen=True)
class CopyRow:
    """Two hops of loopback TCP without anything else, with one stream and with a hundred."""
    size: str

    @property
    def name(self):
        return f"copy-{self.size}"

    def measure(self, options):
        rates = {}
        for streams in (1, 100):
            mib = COPY_MIB // 4 if options.quick else COPY_MIB
            out = run([options.bin / "loopback_copy", relaying.size_bytes(self.size), streams, mib])
            rates[f"mb_per_second_{streams}"] = float(out)
        return {"mb_per_second": max(rates.values()), **rates}


@dataclasses.dataclass(frozen=True)
class BareRow:
    """The dialogue and nothing else, with the load of the relay's row of that size: bare_relay in
    the relay's place, one process or two that share the clients. Large bodies go over as many
    connections as the relay has to a smart host."""
    size: str = "4KiB"
    processes: int = 1

    @property
    def name(self):
        return ("bare" + (str(self.processes) if self.processes > 1 else "")
                + (f"-{self.size}" if self.size != "4KiB" else ""))

    def measure(self, options):
        full, quick, warm_up = AMOUNTS[self.size]
        messages = quick if options.quick else full
        domains = DOMAINS if self.size == "4KiB" else Load.out
        load = Load(connections=100, domains=domains, hosts=True, size=self.size)
        with Room(options, "yardstick") as room:
            port, sink_port = room.ports(2)
            sink = room.start_sink(sink_port, addresses=("0.0.0.0",))
            bare = [room.start([options.bin / "bare_relay", port, sink_port], "bare_relay ready")
                    for _ in range(self.processes)]
            arguments = load.source_arguments(port)

            def send(count, first):
                source = room.source(*arguments, "--messages", count, "--first-id", first)
                room.wait(lambda: sink.stats()["unique_recipients"] == first + count - 1,
                          f"{first + count - 1} messages at the sink")
                return source

            def spent():
                each = [cpu.user_system(one.process.pid) for one in bare]
                return [sum(times) for times in zip(*each)], cpu.user_system(sink.process.pid)

            send(warm_up, 1)
            before = spent()
            source = send(messages, warm_up + 1)
            seconds = (sink.stats()["last_ns"] - source["first_ns"]) / 1e9
            after = spent()
        user, system = (us(b - a, messages) for a, b in zip(before[0], after[0]))
        sink_us = us(sum(after[1]) - sum(before[1]), messages)
        source_us = us(source["cpu"]["cpu_seconds"], messages)
        return {"relay_cpu_us": user + system, "relay_user_us": user, "source_cpu_us": source_us,
                "sink_cpu_us": sink_us, "ratio": (user + system) / (source_us + sink_us),
                "messages_per_second": messages / seconds,
                "mb_per_second": messages / seconds * relaying.size_bytes(self.size) / 1e6}


def us(seconds, messages):
    return seconds / messages * 1e6


class LogsRow:
    """Commits a second of 1, 2, 4, 8 logs together."""
    name = "logs"

    def measure(self, options):
        with tempfile.TemporaryDirectory(dir=options.dir) as folder:
            out = run([options.bin / "spool_logs", "--benchmark_format=json"], cwd=folder)
        result = {}
        for one in json.loads(out)["benchmarks"]:
            logs = one["name"].split("/")[1]
            result[f"commits_{logs}"] = one["commits_per_s"]
            result[f"messages_{logs}"] = one["messages_per_s"]
        return result


class PostfixRow:
    """Outbox beside tuned Postfix, by bench/compare; as root."""
    name = "postfix"

    def measure(self, options):
        compare = pathlib.Path(__file__).resolve().parents[1] / "compare"
        with tempfile.TemporaryDirectory(dir=options.dir) as folder:
            run([sys.executable, compare, "--peers", "outbox,postfix", "--rows", "plain", "--sizes",
                 "4KiB", "--domains", DOMAINS, "--connections", 100, "--seconds",
                 2 if options.quick else 6, "--bin", options.bin.resolve(), "--out", folder])
            lines = (pathlib.Path(folder) / "compare.csv").read_text().splitlines()
        columns = lines[0].split(",")
        by_name = {}
        for line in lines[1:]:
            row = dict(zip(columns, line.split(",")))
            by_name[row["relay"]] = row
        ours, theirs = by_name["outbox"], by_name["postfix"]
        return {
            "rate_factor": float(ours[RATE]) / float(theirs[RATE]),
            "cpu_factor": float(theirs[CPU]) / float(ours[CPU]),
            "postfix_rate": float(theirs[RATE]),
            "postfix_cpu_us": float(theirs[CPU]),
        }


RATE, CPU = "relayed_per_s", "relay_cpu_us"


def run(command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=300, **more)
    if done.returncode != 0:
        raise SystemExit(f"bench/yardstick: {command[0]}: {done.stderr.strip()[-500:]}")
    return done.stdout


# In the order in which they are taken: what is compared lies close together.
ROWS = {row.name: row for row in (
    BareRow(),
    BareRow(processes=2),
    RelayRow(1, 100, "hosts", traced=True),
    RelayRow(2, 100, "hosts", traced=True),
    RelayRow(1, 100, "hosts", no_disk=True),
    RelayRow(2, 100, "hosts", no_disk=True),
    RelayRow(1, 100, "one"),
    RelayRow(1, 100, "smart"),
    RelayRow(1, 100, "hosts", pipelining=True),
    RelayRow(2, 100, "hosts", pipelining=True),
    RelayRow(2, 100, "one"),
    RelayRow(2, 100, "smart"),
    RelayRow(1, 20, "hosts", traced=True),
    RelayRow(2, 20, "hosts", traced=True),
    RelayRow(1, 20, "one"),
    RelayRow(1, 20, "smart"),
    RelayRow(2, 20, "one"),
    RelayRow(2, 20, "smart"),
    CopyRow("64KiB"),
    BareRow("64KiB"),
    RelayRow(1, 100, "smart", size="64KiB"),
    RelayRow(2, 100, "smart", size="64KiB"),
    CopyRow("1MiB"),
    BareRow("1MiB"),
    RelayRow(1, 100, "smart", size="1MiB"),
    RelayRow(2, 100, "smart", size="1MiB"),
    LogsRow(),
    PostfixRow(),
)}
QUICK = ("bare", "s1-c100-hosts", "s2-c100-hosts", "s1-c100-hosts-nodisk",
         "s1-c100-hosts-pipelining", "s1-c100-one", "s1-c100-smart", "s1-c20-hosts", "copy-64KiB",
         "s1-c100-smart-64KiB", "copy-1MiB", "s1-c100-smart-1MiB")
