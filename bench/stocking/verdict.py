"""The lines that are printed: what, how much, the target, and whether it is met."""

import operator

SIGNS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt}


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def rows(options, r):
    """(label, value, format, sign, target); without a sign it is only for information."""
    plain, reads = r["plain_per_s"], r["reads_per_s"]
    floor = min(plain, reads)
    yield "accept rate, over that of a queue of 1,000", r["accept_rate_ratio"], "{:.2f}", ">=", 0.9
    yield "memory a queued message", r["queued_bytes"], "{:.0f} bytes", "<=", 128
    yield "  over a process that has done nothing", r["fresh_bytes"], "{:.0f} bytes", None, None
    yield "  after the restart, over such a one", r["restarted_bytes"], "{:.0f} bytes", None, None
    yield "outbox stats, p99", percentile(r["stats_ms"], 0.99), "{:.2f} ms", "<", 10
    busy = r["stats_busy_ms"]
    yield "  while mail is taken, median", percentile(busy, 0.5), "{:.2f} ms", "<", 10
    yield "  the same, p99", percentile(busy, 0.99), "{:.2f} ms", None, None
    yield "kill -9 to first delivery", r["first_delivery_s"], "{:.2f} s", "<", 1
    yield "kill -9 to all known", r["known_s"], "{:.2f} s", "<", 3
    yield "drain, over the lower of the next two", r["drain_per_s"] / floor, "{:.2f}", ">=", 0.9
    yield "  plain relay of the other daemon", plain, "{:,.0f} a second", None, None
    yield "  random reads of the disk", reads, "{:,.0f} a second", None, None
    yield "  drain", r["drain_per_s"], "{:,.0f} a second", None, None
    yield "  relay CPU of it a message", r["drain_cpu_us"], "{:.1f} us", None, None
    yield "CPU to relay beside it, over 1,000 queued", r["relay_cpu_ratio"], "{:.2f}", "<=", 1.1
    yield "CPU to accept, over 1,000 queued", r["accept_cpu_ratio"], "{:.2f}", "<=", 1.1
    yield "rate to relay beside it, the same", r["relay_rate_ratio"], "{:.2f}", None, None
    yield "connects a refusing domain, filling", r["connects_per_domain"], "{:.1f}", "<=", 10
    yield ("  a minute later on", r["idle_connects_per_domain_minute"], "{:.2f}", None, None)
    yield "messages a refusing domain", options.messages / options.domains, "{:.0f}", None, None
    yield "filling", r["fill_per_s"], "{:,.0f} a second", None, None


def lines(options, result):
    """The text, and whether all targets are met."""
    text = [f"{options.messages:,} messages of {options.size} queued for {options.domains:,} "
            f"domains, {options.shards} shard(s), {options.connections} connections, medians of "
            f"{options.rounds}"]
    met = True
    for label, value, form, sign, target in rows(options, result):
        line = f"  {label:44} {form.format(value):>18}"
        if sign:
            good = SIGNS[sign](value, target)
            met = met and good
            line += f"   {sign} {target:<6} {'met' if good else 'MISSED'}"
        text.append(line)
    return "\n".join(text), met
