"""The results as a chart: an SVG file, made by hand. A panel a row, with a bar for each relay: on
the left how fast it is, on the right what a message costs. Each panel has a scale of its own, from
zero."""

from xml.sax.saxutils import escape

COLOURS = {"outbox": "#c2410c", "postfix": "#1d4ed8", "exim": "#0f766e", "opensmtpd": "#a16207"}
OTHER = "#57534e"
INK, FAINT, GRID = "#1c1917", "#78716c", "#e7e5e4"
WIDTH, MARGIN, NAMES = 1000, 24, 92
BAR, STEP, HEAD, GAP = 16, 22, 44, 18
COLUMN = (WIDTH - 3 * MARGIN) // 2

# kind of row: what the left bars show
LEFT = {
    "plain": ("relayed_per_s", "messages relayed a second", "{:,.0f}"),
    "backlog": ("relayed_per_s", "messages drained a second, once the sink is up", "{:,.0f}"),
    "restart": ("first_delivery_s", "seconds from the start after kill -9 to the first delivery",
                "{:.2f} s"),
}
RIGHT = {
    "plain": ("relay_cpu_us", "CPU a message, all of its processes", "{:,.0f} us"),
    "backlog": ("accepted_per_s", "messages accepted a second while the sink is down", "{:,.0f}"),
    "restart": ("relay_cpu_us", "CPU a message after the restart", "{:,.0f} us"),
}


class Drawing:
    def __init__(self):
        self.parts = []

    def text(self, x, y, words, size=12, colour=INK, anchor="start", weight="400"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" '
                          f'text-anchor="{anchor}" font-weight="{weight}">{escape(words)}</text>')

    def box(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" '
                          f'rx="2" fill="{colour}"/>')

    def line(self, x1, y1, x2, y2):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{GRID}"/>')

    def svg(self, height):
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" font-family="system-ui, Helvetica, Arial, '
            'sans-serif">', f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            *self.parts, "</svg>", ""])


def bars(drawing, x, y, results, what):
    name, title, form = what
    drawing.text(x, y + 34, title, 12, FAINT)
    y += HEAD
    most = max((getattr(r, name) or 0 for r in results), default=0) or 1
    room = COLUMN - NAMES - 76  # for the longest bar, beside its name and its number
    drawing.line(x + NAMES, y - 2, x + NAMES, y + STEP * len(results) - 4)
    for i, result in enumerate(results):
        value = getattr(result, name)
        top = y + i * STEP
        ours = result.relay == "outbox"
        drawing.text(x + NAMES - 8, top + 12.5, result.relay, 12, INK, "end",
                     "600" if ours else "400")
        if value is None:
            drawing.text(x + NAMES + 6, top + 12.5, "no figure", 12, FAINT)
            continue
        length = max(1.0, room * value / most)
        drawing.box(x + NAMES, top, length, BAR, COLOURS.get(result.relay, OTHER))
        drawing.text(x + NAMES + length + 6, top + 12.5, form.format(value), 12, INK,
                     weight="600" if ours else "400")


def chart(results, heading, about):
    """`heading`: one line; `about`: lines on the machine and the run."""
    drawing = Drawing()
    drawing.text(MARGIN, 36, heading, 20, INK, weight="600")
    y = 58
    for line in about:
        drawing.text(MARGIN, y, line, 12, FAINT)
        y += 17
    y += GAP
    for row in dict.fromkeys(r.row for r in results):
        ours = [r for r in results if r.row == row]
        drawing.line(MARGIN, y - 6, WIDTH - MARGIN, y - 6)
        drawing.text(MARGIN, y + 14, row.title, 14, INK, weight="600")
        bars(drawing, MARGIN, y, ours, LEFT[row.kind])
        bars(drawing, 2 * MARGIN + COLUMN, y, ours, RIGHT[row.kind])
        y += HEAD + STEP * len(ours) + GAP
    unsynced = sorted({f"{r.relay} ({r.durable} only)" for r in results if r.durable != "yes"})
    if unsynced:
        drawing.text(MARGIN, y + 4, "Not all on the disk before the 250: " + ", ".join(unsynced),
                     12, FAINT)
        y += 20
    return drawing.svg(y + 4)
