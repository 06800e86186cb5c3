"""The results as a table for people, and as CSV."""

import csv
import dataclasses

from comparing.row import Result

COLUMNS = (
    ("relay", "relay", "{}"),
    ("durable", "durable", "{}"),
    ("messages", "messages", "{:,}"),
    ("relayed_per_s", "relayed/s", "{:,.0f}"),
    ("times_postfix", "x Postfix", "{:.2f}"),
    ("accepted_per_s", "accepted/s", "{:,.0f}"),
    ("relay_cpu_us", "CPU us", "{:,.0f}"),
    ("postfix_cpu_over_its", "Postfix / it", "{:.1f}"),
    ("machine_cpu_us", "machine us", "{:,.0f}"),
    ("cpu_ratio", "/ source+sink", "{:.2f}"),
    ("others_percent", "others %", "{:.0f}"),
    ("first_delivery_s", "first after s", "{:.2f}"),
)

NOTES = """\
durable        on the disk before the 250; "envelope": the envelope is, the content need not be
relayed/s      from the first MAIL, or from the attempt to empty the queue, to the last delivery
accepted/s     by the relay, with the sink running (plain) or down (backlog, restart)
CPU us         of all processes of the relay, a message; restart: after the restart alone
Postfix / it   Postfix's CPU over this relay's
machine us     busy time of all cores, a message: relay, source, sink, kernel, and whatever else ran
/ source+sink  the relay's CPU over that of the source and the sink in the same run
others %       of all cores' time that went to none of the three: the kernel's own threads, and
               whatever else the machine did. Rates suffer from it, CPU hardly
first after s  from the attempt (backlog) or the start of the killed relay (restart) to the first
               delivery"""


def text(result, name, form):
    value = getattr(result, name)
    return "-" if value is None else form.format(value)


def table(results):
    lines = []
    for row in dict.fromkeys(r.row for r in results):
        ours = [r for r in results if r.row == row]
        cells = [[head for _, head, _ in COLUMNS]]
        cells += [[text(r, name, form) for name, _, form in COLUMNS] for r in ours]
        widths = [max(map(len, column)) for column in zip(*cells)]
        lines += ["", row.title]
        for line in cells:
            lines.append("  " + "  ".join(
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths))).rstrip())
        lines += [f"  {r.relay}: {r.trouble}" for r in ours if r.trouble]
    return "\n".join(lines + ["", NOTES])


def write_csv(path, results):
    with open(path, "w", newline="", encoding="utf-8") as file:
        names = [f.name for f in dataclasses.fields(Result) if f.name != "row"]
        writer = csv.writer(file)
        writer.writerow(["row", "size", "domains", *names])
        for r in results:
            values = [getattr(r, name) for name in names]
            writer.writerow([r.row.kind, r.row.size, r.row.domains] + [
                "" if v is None else f"{v:.6g}" if isinstance(v, float) else v for v in values])
