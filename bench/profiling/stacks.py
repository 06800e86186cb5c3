"""Call stacks as perf writes them, folded: each different stack, outermost function first, with the
number of its samples."""

import collections
import re

# "    ffffffff81a4c3c6 tcp_sendmsg ([kernel.kallsyms])"
FRAME = re.compile(r"^\s+([0-9a-f]+) (.*) \((.*)\)$")
KERNEL_FROM = 1 << 63  # addresses of the kernel
SELF_NAMES = re.compile(r"\+0x[0-9a-f]+$")


def simple(name):
    """A function's name without what it is called with: arguments of templates and functions."""
    name = SELF_NAMES.sub("", name)
    out, depth = [], 0
    for i, char in enumerate(name):
        if char in "<(" and not name[:i].endswith("operator"):
            depth += 1
        elif char in ">)" and depth > 0 and name[i - 1] != "-":
            depth -= 1
        elif depth == 0:
            out.append(char)
    text = "".join(out).removesuffix(" const").strip()
    return text.rsplit(" ", 1)[-1] if " " in text and "operator" not in text else text or name


def fold(lines):
    """`lines` of `perf script -F comm,ip,sym,dso`. {((function, is of the kernel), ...): count}"""
    counts = collections.Counter()
    frames, thread = [], None
    for line in [*lines, ""]:
        match = FRAME.match(line)
        if match:
            address, name, where = int(match[1], 16), match[2], match[3]
            if name == "[unknown]":
                name = f"[{where.rsplit('/', 1)[-1].strip('[]')}]"
            frames.append((simple(name), address >= KERNEL_FROM))
        elif line.strip():
            thread = line.strip()
        elif frames:
            counts[((thread or "?", False), *reversed(frames))] += 1
            frames = []
    return counts


def top(counts, number):
    """Functions by the samples that were in themselves: (function, is of the kernel, own, below:
    in them or in what they called)."""
    own, below = collections.Counter(), collections.Counter()
    for stack, count in counts.items():
        own[stack[-1]] += count
        for frame in set(stack[1:]):
            below[frame] += count
    return [(name, kernel, samples, below[name, kernel])
            for (name, kernel), samples in own.most_common(number)]


def kernel_part(counts):
    total = sum(counts.values())
    return sum(count for stack, count in counts.items() if stack[-1][1]) / total if total else 0.0
