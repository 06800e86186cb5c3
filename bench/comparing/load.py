"""The source and the sink, and where the domains live."""

import ipaddress
import json
import random
import signal
import socket
import subprocess
import time

from comparing import programs
from comparing.meter import process_seconds
from comparing.trouble import Trouble

# The first address of the destinations: domain n lives at this plus n, all on loopback.
FIRST_ADDRESS = ipaddress.ip_address("127.1.0.1")


def destinations(domains, suffix="load.test", first=FIRST_ADDRESS):
    """(domain, address) of the recipient domains of smtp_source."""
    return [(f"d{n}.{suffix}", str(first + n)) for n in range(domains)]


def free_ports(count):
    """Ports that nobody listens at on any address, below those of outgoing connections."""
    taken = []
    for _ in range(1000):
        s = socket.socket()
        try:
            s.bind(("0.0.0.0", random.randrange(12000, 32000)))
            taken.append(s)
        except OSError:
            s.close()
        if len(taken) == count:
            break
    ports = [s.getsockname()[1] for s in taken]
    for s in taken:
        s.close()
    if len(ports) < count:
        raise Trouble("no free ports")
    return ports


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def clock_ns():
    """The clock of the times that the source and the sink report."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Sink:
    """smtp_sink at all loopback addresses."""

    def __init__(self, binaries, port, folder):
        self.stats_file = folder / "sink.json"
        self.stats_file.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            programs.command(binaries, "smtp_sink", "--listen", f"0.0.0.0:{port}", "--stats",
                             self.stats_file),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "smtp_sink ready":
            error = self.process.stderr.read().strip()
            self.stop()
            raise Trouble(f"smtp_sink did not start: {error}")

    def stats(self):
        try:
            return json.loads(self.stats_file.read_text())
        except FileNotFoundError:
            return {"unique_messages": 0}

    def cpu_seconds(self):
        return process_seconds(self.process.pid)

    def wait_for(self, messages, until, nudge=None):
        """Waits until so many messages arrived, or until time.monotonic() is `until`. `nudge` is
        called now, every second for some seconds, and every 5 s from then on, to make the relay
        try what it has put off meanwhile. Returns how many."""
        began = next_nudge = time.monotonic()
        while True:
            arrived = self.stats()["unique_messages"]
            now = time.monotonic()
            if arrived >= messages or now > until:
                return arrived
            if nudge and now >= next_nudge:
                nudge()
                next_nudge = time.monotonic() + (1 if now < began + 4 else 5)
            time.sleep(0.05)

    def stop(self):
        """Ends it; what it counted."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
        return self.stats()


def check(stats):
    faults = {k: stats[k] for k in ("corrupted", "misdirected") if stats.get(k)}
    if faults:
        raise Trouble(f"the relay spoilt messages: {faults}")


def send(binaries, port, *, messages, first_id, size, domains, connections, seconds,
         suffix="load.test"):
    """Runs smtp_source; its result. All messages must be accepted."""
    command = programs.command(
        binaries, "smtp_source", "--to", f"127.0.0.1:{port}", "--messages", messages, "--first-id",
        first_id, "--size", size, "--domains", domains, "--suffix", suffix, "--connections",
        connections, "--seconds-max", seconds)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30)
        result = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        raise Trouble("smtp_source came to no end, or to no result") from None
    if result["accepted"] < messages:
        raise Trouble(f"only {result['accepted']} of {messages} messages were accepted in "
                      f"{seconds:.0f} s; {'; '.join(result['errors']) or 'without an error'}")
    return result
