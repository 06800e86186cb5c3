"""System calls of a running process, by name, and the work that io_uring gave to its workers."""

import shutil
import signal
import subprocess
import time


class Calls:
    """As a context around some work: strace counts meanwhile, which slows the process. Then
    `counts` says how often each call was made; None if there is no strace."""

    def __init__(self, pid, file):
        self.pid, self.file = pid, file
        self.counts = None
        self.tracer = None

    def __enter__(self):
        if shutil.which("strace"):
            self.tracer = subprocess.Popen(["strace", "-q", "-c", "-f", "-p", str(self.pid), "-o",
                                            str(self.file)], stdin=subprocess.DEVNULL)
            time.sleep(0.5)
        return self

    def __exit__(self, *_):
        if self.tracer is None:
            return
        self.tracer.send_signal(signal.SIGINT)
        self.tracer.wait(15)
        self.counts = {}
        for line in self.file.read_text().splitlines():
            # % time, seconds, usecs/call, calls, errors or nothing, name
            fields = line.split()
            if len(fields) >= 5 and fields[3].isdigit() and fields[-1] != "total":
                self.counts[fields[-1]] = int(fields[3])


class WorkerJobs:
    """The same for jobs that went to io_uring's workers, by the kernel's tracepoint; `jobs` is None
    where perf may not read it. It costs nothing while there are none."""

    EVENT = "io_uring:io_uring_queue_async_work"

    def __init__(self, pid, file):
        self.pid, self.file = pid, file
        self.jobs = None
        self.counter = None

    def __enter__(self):
        if shutil.which("perf"):
            self.counter = subprocess.Popen(
                ["perf", "stat", "-x", ",", "-e", self.EVENT, "-p", str(self.pid), "-o",
                 str(self.file)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            time.sleep(0.2)
        return self

    def __exit__(self, *_):
        if self.counter is None:
            return
        if self.counter.poll() is None:
            self.counter.send_signal(signal.SIGINT)
        self.counter.wait(15)
        if not self.file.exists():
            return
        for line in self.file.read_text().splitlines():
            fields = line.split(",")
            if self.EVENT in line and fields[0].isdigit():
                self.jobs = int(fields[0])
