"""A flame graph: a box a function, as wide as its part of the samples, on top of who called it. An
SVG file without scripts: a box says its name and part when the mouse is over it."""

import html
import zlib

WIDTH, ROW, PAD, FONT = 1400, 17, 10, 11
LETTER = 6.6  # width of one, about
NARROWEST = 0.3  # a box below it is left out


class Box:
    def __init__(self, name, kernel):
        self.name, self.kernel = name, kernel
        self.samples = 0
        self.called = {}

    def depth(self):
        return 1 + max((box.depth() for box in self.called.values()), default=0)


def tree(counts):
    root = Box("all", False)
    for stack, count in counts.items():
        box = root
        box.samples += count
        for name, kernel in stack:
            box = box.called.setdefault((name, kernel), Box(name, kernel))
            box.samples += count
    return root


def colour(box):
    """The same for the same name; user code yellow to red, the kernel green to blue."""
    shade = zlib.crc32(box.name.encode()) % 60
    hue = 140 + shade if box.kernel else shade
    return f"hsl({hue},{55 if box.kernel else 85}%,{64 + shade % 9}%)"


def draw(box, x, y, scale, total, out):
    width = box.samples * scale
    if width < NARROWEST:
        return
    percent = 100 * box.samples / total
    name = html.escape(box.name)
    out.append(f'<g><title>{name} ({box.samples:,} samples, {percent:.2f} %)</title>'
               f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}" rx="1" '
               f'fill="{colour(box)}"/>')
    letters = int((width - 4) / LETTER)
    if letters >= 3:
        text = box.name if len(box.name) <= letters else box.name[:letters - 2] + ".."
        out.append(f'<text x="{x + 3:.1f}" y="{y + ROW - 5}">{html.escape(text)}</text>')
    out.append("</g>")
    for key in sorted(box.called):
        callee = box.called[key]
        draw(callee, x, y - ROW, scale, total, out)
        x += callee.samples * scale


def svg(counts, title):
    root = tree(counts)
    height = root.depth() * ROW + 2 * PAD + 2 * ROW
    boxes = []
    draw(root, PAD, height - PAD - ROW, (WIDTH - 2 * PAD) / max(1, root.samples),
         max(1, root.samples), boxes)
    return "\n".join([
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="{FONT}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fffdf8"/>',
        f'<text x="{PAD}" y="{PAD + ROW - 4}" font-size="14">{html.escape(title)}</text>',
        *boxes, "</svg>", ""])
