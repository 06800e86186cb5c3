"""docs/interop.md: written from the cells of a run, and read again to compare it with another."""

import pathlib
import re

from features import FEATURES

SHOWN = {"ok": "ok", "failed": "**FAILED**", "not run": "not run", "unasked": ""}

# The end of a difference that is an improvement.
LEARNT = ": ok, and the document says – Outbox"
HEAD = pathlib.Path(__file__).with_name("head.md")


def text_of(cell):
    return f"– {cell.text}" if cell.state == "lacks" else SHOWN[cell.state]


def rows(results):
    """`results`: [(title, version, {key: Cell})]."""
    lines = ["| | " + " | ".join(f.title for f in FEATURES) + " |",
             "|---" * (len(FEATURES) + 1) + "|"]
    for title, version, cells in results:
        name = f"{title} {version}".strip()
        lines.append(f"| {name} | " + " | ".join(text_of(cells[f.key]) for f in FEATURES) + " |")
    return "\n".join(lines) + "\n"


def remarks(results):
    """A line for each cell that needs a word, or for all of a row that need the same."""
    lines = []
    for title, _, cells in results:
        whys = {}
        for feature in FEATURES:
            cell = cells[feature.key]
            if cell.why:
                whys.setdefault((text_of(cell), cell.why), []).append(feature.title)
        for (text, why), features in whys.items():
            what = title if len(features) == len(FEATURES) else f"{title}, {', '.join(features)}"
            lines.append(f"- {what}: {text}: {why}\n")
    return "\n" + "".join(lines) if lines else ""


def document(version, octets, to_servers, from_clients):
    return (HEAD.read_text().replace("{octets}", f"{octets:,}")
            + f"\n## From Outbox {version} to\n\n" + rows(to_servers) + remarks(to_servers)
            + f"\n## To Outbox {version} from\n\n" + rows(from_clients) + remarks(from_clients))


def cells_of(text):
    """{(section, peer): [cell, ...]} of a document, the versions left out."""
    found, section = {}, None
    for line in text.splitlines():
        if line.startswith("## "):
            section = line.split()[1]
        elif section and line.startswith("| ") and not line.startswith("| | "):
            name, *cells = [part.strip() for part in line.strip("|").split("|")]
            found[section, re.sub(r" \d[\w.+~-]*$", "", name)] = cells
    return found


def differences(committed, now):
    """(lines about what a run found otherwise than it stands in the document, cells that were not
    compared, for one of the two was not run)"""
    differ, unseen = [], []
    old, new = cells_of(committed), cells_of(now)
    for place, cells in new.items():
        if place not in old:
            differ.append(f"{' '.join(place)}: not in the document")
            continue
        for feature, before, after in zip(FEATURES, old[place], cells):
            where = f"{place[0]} {place[1]}, {feature.title}"
            if not after:
                continue
            if "not run" in (before, after):
                unseen.append(where)
            elif before != after:
                differ.append(f"{where}: {after}, and the document says {before}")
    return differ, unseen
