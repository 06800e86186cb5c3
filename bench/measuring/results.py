"""Figures of many runs, by row, and medians of them. Kept in a file, one run a line, if one is
named."""

import json
import statistics


class Results:
    def __init__(self, file=None):
        self.file = file
        self.runs = []  # (round, row, figures)
        if file and file.exists():
            for line in file.read_text().splitlines():
                self.runs.append(tuple(json.loads(line)))

    def next_round(self):
        return 1 + max((number for number, _, _ in self.runs), default=0)

    def add(self, number, row, figures):
        self.runs.append((number, row, figures))
        if self.file:
            with self.file.open("a") as file:
                file.write(json.dumps([number, row, figures]) + "\n")

    def of(self, row, figure):
        """By round; what could not be measured is missing."""
        return {number: figures[figure] for number, name, figures in self.runs
                if name == row and figures.get(figure) is not None}

    def median(self, row, figure):
        values = self.of(row, figure).values()
        return statistics.median(values) if values else None

    def ratio(self, row, other, figure):
        """The median of the rounds' ratios: what is compared was measured within minutes. Of the
        medians, if no round has both."""
        ours, theirs = self.of(row, figure), self.of(other, figure)
        ratios = [ours[n] / theirs[n] for n in ours if theirs.get(n)]
        if ratios:
            return statistics.median(ratios)
        if not ours or not self.median(other, figure):
            return None
        return self.median(row, figure) / self.median(other, figure)

    def rounds(self, row):
        return sum(1 for _, name, _ in self.runs if name == row)

    def rows(self):
        return list(dict.fromkeys(name for _, name, _ in self.runs))
