"""CPU time: of all processes of a relay, ended ones included, and of the whole machine.

A relay's is counted by a control group (version 2), which also sees processes that nobody waits
for and the kernel's io workers. Without the right to make one, the times of the processes are
summed up, each with those of its children that it has waited for: short processes that nobody waits
for are missed then."""

import os
import pathlib
import time

TICKS = os.sysconf("SC_CLK_TCK")


def process_seconds(pid):
    """User and system time of a process and of its children that it has waited for."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS


def machine_seconds():
    """Time in which any core was busy, whoever made it so."""
    fields = [int(f) for f in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    idle, waiting = fields[3:5]
    return (sum(fields[:8]) - idle - waiting) / TICKS


def unified_hierarchy():
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        fields = line.split()
        if fields[2] == "cgroup2":
            return pathlib.Path(fields[1])
    return None


class Meter:
    def __init__(self, name):
        self.group = None
        self.pids = []  # without a group: the first process of each room, or the relay itself
        top = unified_hierarchy()
        if top:
            group = top / f"outbox-compare-{os.getpid()}-{name}"
            try:
                group.mkdir()
                self.group = group
                (group / "cgroup.procs").open("w").close()
            except OSError:
                self.close()

    @property
    def exact(self):
        return self.group is not None

    def enter(self):
        """In a new process before it becomes a program."""
        if self.group:
            (self.group / "cgroup.procs").write_text(str(os.getpid()))

    def follow(self, pid):
        """Without a group: `pid`, or what shares the process namespace of its children, counts."""
        self.pids.append(pid)

    def seconds(self):
        if self.group:
            for line in (self.group / "cpu.stat").read_text().splitlines():
                name, value = line.split()
                if name == "usage_usec":
                    return int(value) / 1e6
        total = 0.0
        spaces = {pid: namespace(pid, "pid_for_children") for pid in self.pids}
        own = namespace("self", "pid")
        for entry in os.listdir("/proc"):
            if entry.isdigit() and (int(entry) in spaces or
                                    namespace(entry, "pid") in set(spaces.values()) - {own, None}):
                total += process_seconds(entry)
        return total

    def close(self):
        if not self.group:
            return
        for _ in range(100):  # processes that were killed leave within moments
            try:
                self.group.rmdir()
                break
            except OSError:
                time.sleep(0.05)
        self.group = None


def namespace(pid, kind):
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return None
