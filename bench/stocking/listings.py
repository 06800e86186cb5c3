"""Looking at a large queue while mail is relayed: the measurement, and its lines."""

import ipaddress
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from comparing import load, programs
from comparing.row import size_bytes
from comparing.trouble import Trouble
from stocking.daemon import Daemon

DEAD = "load.test"  # the domains that refuse
LIVING = "living.test"
LIVING_ADDRESS = ipaddress.ip_address("127.128.0.1")
WARM_SECONDS = 4
DISK_FACTOR = 1.6
ANSWER_SECONDS = 120

# What is asked, behind `outbox queue`.
LOOKS = {
    "all": ["--json"],
    "table": [],
    "memory": ["--json", "--columns", "id,state,age,tries,reply"],
    "sender": ["--json", "--sender", "nobody@*"],
    "state": ["--json", "--state", "delayed"],
    "oldest": ["--sort", "age:desc", "--limit", "20"],
    "recipients": ["--sort", "recipient", "--limit", "100"],
    "domains": ["--by", "domain"],
    "shape": ["--shape"],
    "count": ["--count"],
}
# Orders about all of that mail, behind `outbox`: not among the default looks.
ORDERS = {
    "clear": ["clear", "--domain", f"*.{DEAD}"],
    "reroute": ["reroute", "--domain", f"*.{DEAD}", "--via", "127.0.0.2:9"],
    "hold": ["hold", "--domain", f"*.{DEAD}"],
    "release": ["release", "--domain", f"*.{DEAD}"],
    "purge": ["purge", "--domain", f"*.{DEAD}", "--yes"],
    "undo": ["undo", "--domain", f"*.{DEAD}"],
}
# Those whose time has a target: what shows a million lines is as fast as they are read.
TIMED = set(LOOKS) - {"all", "table", "memory"}
SECONDS_MAX, THROUGHPUT_MIN, TURN_US_MAX = 2.0, 0.9, 1000


def rest_of(before, after):
    """What came between two answers' buckets: [us, count] each."""
    was = dict(map(tuple, before))
    return [[us, count - was.get(us, 0)] for us, count in after if count > was.get(us, 0)]


def percentile(buckets, part):
    total, seen = sum(count for _, count in buckets), 0
    for us, count in buckets:
        seen += count
        if seen >= part * total:
            return us
    return 0


class Listings:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.began = time.monotonic()
        self.dead_port, self.living_port, self.port = load.free_ports(3)
        self.daemon = self.sink = self.source = None
        self.plain, self.looks = [], {name: [] for name in options.looks}

    def close(self):
        if self.source is not None and self.source.poll() is None:
            self.source.kill()
            self.source.wait()
        if self.daemon is not None:
            self.daemon.kill()
        if self.sink is not None:
            self.sink.stop()

    def say(self, what):
        print(f"{time.monotonic() - self.began:6.1f} s  {what}", file=sys.stderr, flush=True)

    def routes(self):
        o = self.options
        return ([(d, a, self.dead_port) for d, a in load.destinations(o.domains, DEAD)] +
                [(d, a, self.living_port)
                 for d, a in load.destinations(o.living, LIVING, LIVING_ADDRESS)])

    def fill(self):
        o = self.options
        need = (o.messages * size_bytes(o.size) + (4 << 30)) * DISK_FACTOR
        if (free := shutil.disk_usage(self.folder).free) < need:
            raise Trouble(f"{need / 2**30:.1f} GiB of disk are needed, {free / 2**30:.1f} are free")
        self.say(f"queueing {o.messages:,}")
        load.send(o.bin, self.port, messages=o.messages, first_id=1, size=o.size,
                  domains=o.domains, suffix=DEAD, connections=o.connections, seconds=o.timeout)
        if (there := self.daemon.stats()["queued"]) != o.messages:
            raise Trouble(f"{there} messages are queued, and not {o.messages}")

    def start_load(self):
        o = self.options
        seconds = 60 + len(o.looks) * o.rounds * (2 * o.window + ANSWER_SECONDS)
        self.source = subprocess.Popen(
            programs.command(o.bin, "smtp_source", "--to", f"127.0.0.1:{self.port}", "--messages",
                             1_000_000_000, "--first-id", o.messages + 1, "--size", o.size,
                             "--domains", o.living, "--suffix", LIVING, "--connections",
                             o.connections, "--seconds-max", int(seconds)),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(WARM_SECONDS)

    def delivered(self):
        if self.source.poll() is not None:
            raise Trouble("smtp_source has ended")
        return time.monotonic(), self.daemon.stats()["delivered_total"]

    def window(self, look=None):
        """Messages a second in a window; with a look in it, also what that took."""
        half = self.options.window / 2
        began, first = self.delivered()
        time.sleep(half)
        took = self.look(look) if look else None
        time.sleep(max(0.0, began + self.options.window - time.monotonic()))
        ended, last = self.delivered()
        return (last - first) / (ended - began), took

    def look(self, name):
        before = self.daemon.stats()
        began = time.monotonic()
        what = ["queue", *LOOKS[name]] if name in LOOKS else ORDERS[name]
        # Into memory: a quarter of a gigabyte written back to the spool's disk is not the look's.
        with tempfile.TemporaryFile(dir="/dev/shm") as out:
            done = subprocess.run(
                programs.command(self.options.bin, "outbox", "--control",
                                 self.folder / "relay/control.sock", *what),
                stdout=out, stderr=subprocess.PIPE, text=True, timeout=ANSWER_SECONDS)
        seconds = time.monotonic() - began
        if done.returncode:
            raise Trouble(f"outbox {' '.join(what)}: {done.stderr.strip()}")
        after = self.daemon.stats()
        turns = rest_of(before["command_turn_us"]["buckets"], after["command_turn_us"]["buckets"])
        own = rest_of(before["command_us"]["buckets"], after["command_us"]["buckets"])
        return {"seconds": seconds, "turns": sum(count for _, count in turns),
                "turn_p99_us": percentile(turns, 0.99), "turn_max_us": percentile(turns, 1),
                "own_max_us": percentile(own, 1), "own_p50_us": percentile(own, 0.5)}

    def measure(self):
        o = self.options
        sink_folder = self.folder / "sink"
        sink_folder.mkdir()
        self.sink = load.Sink(o.bin, self.living_port, sink_folder)
        self.daemon = Daemon(o, self.folder / "relay", self.port, self.routes())
        self.daemon.start()
        self.fill()
        quiet = {name: self.look(name)["seconds"] for name in o.looks if name in LOOKS}
        self.say("quiet: " + ", ".join(f"{name} {s:.2f} s" for name, s in quiet.items()))
        self.start_load()
        before = self.window()[0]
        for n in range(o.rounds):
            self.say(f"round {n + 1} of {o.rounds}; {before:,.0f} a second without")
            for name in o.looks:
                rate, took = self.window(name)
                after = self.window()[0]
                took["throughput"] = rate / statistics.mean((before, after))
                self.plain.append(before)
                self.looks[name].append(took)
                self.say(f"{name}: {took}")
                before = after
        return {"plain_per_s": statistics.median(self.plain), "quiet_s": quiet,
                "looks": {name: {key: statistics.median(took[key] for took in many)
                                 for key in many[0]} for name, many in self.looks.items()}}


def lines(options, result):
    """The text, and whether all targets are met."""
    text = [f"{options.messages:,} messages of {options.size} queued for {options.domains:,} "
            f"domains, {options.shards} shard(s), relaying {result['plain_per_s']:,.0f} a second; "
            f"medians of {options.rounds}",
            f"  {'':12}{'alone':>9}{'at load':>9}{'throughput':>12}{'longest turn':>15}"
            f"{'  its own part':>15}"]
    met = True
    for name, took in result["looks"].items():
        missed = []
        if name in TIMED and took["seconds"] >= SECONDS_MAX:
            missed.append(f"{SECONDS_MAX:.0f} s")
        if took["throughput"] < THROUGHPUT_MIN:
            missed.append(f"{THROUGHPUT_MIN}")
        if took["own_max_us"] >= TURN_US_MAX:
            missed.append(f"{TURN_US_MAX} us")
        met = met and not missed
        alone = result["quiet_s"].get(name)
        text.append(f"  {name:12}" + (f"{alone:7.2f} s" if alone is not None else " " * 9) +
                    f"{took['seconds']:7.2f} s"
                    f"{took['throughput']:12.2f}{took['turn_max_us']:12,.0f} us"
                    f"{took['own_max_us']:12,.0f} us   " +
                    ("MISSED: " + ", ".join(missed) if missed else "met"))
    return "\n".join(text), met
