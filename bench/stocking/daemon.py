"""One outboxd with a spool of its own: started, asked, measured, killed."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import time

from comparing import programs
from comparing.meter import process_seconds
from comparing.trouble import Trouble

CONFIG = """
hostname = "bench.outbox.test"
spool    = "{folder}/spool"
control  = "{folder}/control.sock"
shards   = {shards}

[[listener]]
address    = "127.0.0.1:{port}"
relay_from = ["127.0.0.1/32"]
max_connections = 9000
max_connections_per_client = 9000

[log]
level = "{log}"
file = "{folder}/log"
"""

ROUTE = '\n[[route]]\nmatch = "{domain}"\nvia = ["{address}:{port}"]\n'


class Daemon:
    """`routes`: (domain, address, port) of every domain there is."""

    def __init__(self, options, folder, port, routes):
        self.options, self.folder, self.port = options, folder, port
        self.process = None
        self.channel = None
        self.latencies = []  # seconds that an answer to `stats` took, since they were taken away
        folder.mkdir()
        (folder / "outbox.toml").write_text(
            CONFIG.format(folder=folder, shards=options.shards, port=port, log=options.log_level) +
            "".join(ROUTE.format(domain=d, address=a, port=p) for d, a, p in routes))

    def begin(self):
        """Only the exec; wait_ready() follows."""
        self.process = subprocess.Popen(
            programs.command(self.options.bin, "outboxd", "--config", self.folder / "outbox.toml"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait_ready(self):
        if self.process.stdout.readline().strip() != "outboxd ready":
            raise Trouble(f"outboxd did not start: {self.process.stderr.read().strip()[-500:]}")

    def start(self):
        self.begin()
        self.wait_ready()

    def stats(self):
        """Over one connection that stays, so that it is the daemon's time and no process start."""
        if self.channel is None:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(30)
            connection.connect(str(self.folder / "control.sock"))
            self.channel = connection.makefile("rw")
            connection.close()
        began = time.monotonic()
        self.channel.write('{"command":"stats"}\n')
        self.channel.flush()
        line = self.channel.readline()
        self.latencies.append(time.monotonic() - began)
        return json.loads(line)

    def retry_all(self):
        # Exit 1: nothing is left to try.
        done = subprocess.run([str(self.options.bin / "outbox"), "--control",
                               str(self.folder / "control.sock"), "retry", "--all"],
                              capture_output=True, text=True, timeout=120)
        if done.returncode > 1:
            raise Trouble(f"outbox retry --all: {done.stderr.strip()}")

    def cpu_seconds(self):
        return process_seconds(self.process.pid)

    def memory_bytes(self):
        """Anonymous memory and what the kernel has pinned or locked for the process. What is both
        (registered buffers) counts twice, before and after."""
        total = 0
        rollup = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        for line in (rollup + status).splitlines():
            if line.startswith(("Anonymous:", "VmPin:", "VmLck:")):
                total += int(line.split()[1]) << 10
        return total

    def kill(self):
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
        self.process = None

    def spool_files(self):
        return sorted(p for p in (self.folder / "spool").rglob("*")
                      if p.is_file() and os.path.getsize(p) >= 1 << 20)
