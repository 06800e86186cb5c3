"""How much of the machine's time went to somebody else while something was measured."""

import os
import pathlib
import resource
import time

TICKS = os.sysconf("SC_CLK_TCK")
# Above this a figure that depends on waking up in time says more about the others.
NOISY_PERCENT = 15


def cpu_words():
    return [int(word) for word in
            pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]


def busy_seconds():
    """Of all cores: everything but idle and waiting for the disk."""
    words = cpu_words()
    return (sum(words) - words[3] - words[4]) / TICKS


def somebodys_seconds():
    """Of all cores: what some process was charged with, and what the machine below a virtual one
    took. Not interrupts: the kernel books them to nobody."""
    words = cpu_words()
    return (words[0] + words[1] + words[2] + words[7]) / TICKS


def process_seconds(pid):
    """User and system time of all threads, those of the kernel's io workers included."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Others:
    """From its making to percent(): time that neither this process nor its children used."""

    def __init__(self, room):
        self.room = room
        self.began = time.monotonic()
        self.all = somebodys_seconds()
        self.own = self.own_seconds()

    def own_seconds(self):
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        running = [p.process.pid for p in self.room.programs if p.process.poll() is None]
        return (ended.ru_utime + ended.ru_stime + process_seconds(os.getpid()) +
                sum(map(process_seconds, running)))

    def percent(self):
        cores = os.cpu_count() * (time.monotonic() - self.began)
        others = somebodys_seconds() - self.all - self.own_seconds() + self.own
        return 100 * max(0.0, others) / cores


def others_line(percent):
    noisy = percent > NOISY_PERCENT
    return (f"  {percent:.0f} % of all cores' time went to others"
            + (": too much for these figures" if noisy else ""))
