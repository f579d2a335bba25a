# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What figures are made of: samples, their median and spread, and the bound they are held against."""

from __future__ import annotations

import dataclasses
import statistics
import typing as t

HEADER = f"{'':58} {'n':>3} {'median':>9} {'min':>9} {'max':>9}  {'bound':>9}"


@dataclasses.dataclass(frozen=True)
class Row:
    """One measured thing. A bound is held against the median."""

    figure: str
    what: str
    values: tuple[float, ...]
    unit: str = "s"
    bound: float | None = None
    note: str = ""

    @property
    def median(self) -> float:
        """The middle of the samples."""
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        """How the median and the bound compare; empty where there is no bound."""
        if self.bound is None:
            return ""
        return "within bound" if self.median <= self.bound else "BEYOND bound"

    def line(self) -> str:
        """As a line below HEADER."""
        numbers = " ".join(f"{_short(value):>9}" for value in (self.median, min(self.values), max(self.values)))
        bound = "" if self.bound is None else f"{self.bound:g}"
        what = f"{self.what} [{self.unit}]"
        line = f"{what:58} {len(self.values):>3} {numbers}  {bound:>9}  {self.verdict}".rstrip()
        return line + (f"\n    {self.note}" if self.note else "")

    def as_json(self) -> dict[str, t.Any]:
        """All of it, the samples in the order in which they were taken."""
        return {
            "figure": self.figure,
            "what": self.what,
            "unit": self.unit,
            "n": len(self.values),
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "values": self.values,
            "bound": self.bound,
            "verdict": self.verdict,
            "note": self.note,
        }


def compare(figure: str, what: str, ours: t.Sequence[float], theirs: t.Sequence[float], bound: float) -> Row:
    """The ratio of each pair that was measured side by side."""
    ratios = tuple(a / b for a, b in zip(ours, theirs, strict=True))
    return Row(figure, what, ratios, "ratio", bound, "pair by pair: " + ", ".join(f"{ratio:.2f}" for ratio in ratios))


def by_name(runs: t.Sequence[t.Sequence[tuple[str, float]]]) -> dict[str, tuple[float, ...]]:
    """Seconds by name, a sample a run, in the order of the first run; what a run has more than once is added up."""
    names = list(dict.fromkeys(name for run in runs for name, _seconds in run))
    return {name: tuple(sum(seconds for n, seconds in run if n == name) for run in runs) for name in names}


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3f}"
