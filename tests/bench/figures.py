"""Medians, nearest ranks, and the lines in which they are printed."""

import math
import statistics

HEAD = ("", "wall ms", "p10", "p90", "of 1 call", "of 3 calls", "cpu ms", "rss MB")


def rank(values, percent):
    """The nearest rank: the smallest value that at least so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]


class Row:
    """What was measured of one way of doing the work."""

    def __init__(self, name):
        self.name = name
        self.wall, self.cpu, self.rss = [], [], []

    @property
    def median(self):
        """Of the wall time, in milliseconds."""
        return statistics.median(self.wall) / 1e6

    def cells(self, one, three):
        """One line of the table; `one` and `three` are the baselines."""
        return (self.name, f"{self.median:.1f}", f"{rank(self.wall, 10) / 1e6:.1f}",
                f"{rank(self.wall, 90) / 1e6:.1f}", f"{self.median / one.median:.2f}",
                f"{self.median / three.median:.2f}", f"{statistics.median(self.cpu) * 1e3:.1f}",
                f"{statistics.median(self.rss) / 1024:.1f}")


def table(lines):
    """The first column to the left, figures to the right."""
    lines = [HEAD, *lines]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
                     for line in lines)
