"""CPU time: of a process with user and system time apart, and of the kernel's own threads."""

import os
import pathlib

from measuring.others import TICKS

KERNEL_THREAD = 0x00200000  # PF_KTHREAD, in the ninth field of /proc/PID/stat


def stat_fields(path):
    """From the third field (the state) on."""
    return pathlib.Path(path).read_text().rsplit(")", 1)[1].split()


def user_system(pid):
    """Seconds of all threads, those of io_uring's workers included."""
    fields = stat_fields(f"/proc/{pid}/stat")
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def kernel_threads():
    """Seconds of all kernel threads: a commit's end runs in one, outside of the process that
    waits for it. Whoever they work for, they are counted."""
    total = 0
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            fields = stat_fields(f"/proc/{entry}/stat")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[6]) & KERNEL_THREAD:
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def workers(pid):
    """io_uring's worker threads of the process: how many, and their seconds."""
    count, seconds = 0, 0.0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            if (task / "comm").read_text().startswith("iou-wrk"):
                fields = stat_fields(task / "stat")
                count, seconds = count + 1, seconds + (int(fields[11]) + int(fields[12])) / TICKS
        except (FileNotFoundError, ProcessLookupError):
            continue
    return count, seconds


def cores():
    return len(os.sched_getaffinity(0))
