"""The baseline's curves of one style as inline SVG."""

import math
from collections.abc import Sequence

from training.evaluation.evaluation import BaselineRecord
from training.evaluation.measures.equivalence import CURVE, best_so_far

_WIDTH, _HEIGHT = 336, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 14, 10, 30
_POINTS = 80
"""Of a drawn line; more could not be seen."""


class _Axes:
    """Iterations across, the baseline's loss divided by the fast picture's up, logarithmic."""

    def __init__(self, iterations: int, highest: float, lowest: float) -> None:
        self.iterations = iterations
        self.high = math.log10(max(highest, 2.0) * 1.1)
        self.low = math.log10(min(lowest, 0.5) / 1.1)

    def x(self, iteration: float) -> float:
        width = _WIDTH - _LEFT - _RIGHT
        return _LEFT + width * iteration / self.iterations

    def y(self, ratio: float) -> float:
        height = _HEIGHT - _TOP - _BOTTOM
        return _TOP + height * (self.high - math.log10(max(ratio, 1e-9))) / (self.high - self.low)


def curve_svg(runs: Sequence[BaselineRecord], iterations: int, label: str) -> str:
    """Draws each run as a line, the level of the fast picture at 1, and a dot at each K.

    Losses are divided by those of the fast picture, so the photos share one scale.

    Args:
        runs: at least one.
        iterations: where the axis ends.
        label: what a reader of the page who cannot see it is told.
    """
    ratios = [[loss / run.target for loss in best_so_far(run.losses)] for run in runs]
    axes = _Axes(iterations, max(max(each) for each in ratios), min(min(each) for each in ratios))
    parts = [*_ticks(axes), *(_line(axes, each) for each in ratios)]
    level = axes.y(1.0)
    parts.append(
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{level:.1f}" y2="{level:.1f}" '
        'stroke="var(--mark)" stroke-dasharray="5 3"/>'
        f'<text x="{_LEFT + 5}" y="{level + 13:.1f}" '
        'style="fill: var(--mark)">the fast picture</text>'
    )
    parts += [
        f'<circle cx="{axes.x(run.equal):.1f}" cy="{level:.1f}" r="3.5" fill="var(--mark)"/>'
        for run in runs
        if run.equal is not None
    ]
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )


def _line(axes: _Axes, ratios: Sequence[float]) -> str:
    last = len(ratios)
    chosen = sorted({round(last ** (n / _POINTS)) for n in range(_POINTS + 1)})
    points = " ".join(f"{axes.x(n):.1f},{axes.y(ratios[n - 1]):.1f}" for n in chosen)
    return (
        f'<polyline points="{points}" fill="none" stroke="var(--ink)" stroke-width="1.4" '
        'stroke-linejoin="round"/>'
    )


def _ticks(axes: _Axes) -> list[str]:
    """Draws the axes: the iterations of the report, and 1, 2 and 5 of each decade."""
    parts = []
    for iteration in (0, *(step for step in CURVE if step <= axes.iterations)):
        x = axes.x(iteration)
        parts.append(_rule(x, x, _TOP, _HEIGHT - _BOTTOM))
        if iteration not in (25, 50) or axes.iterations <= 100:
            parts.append(_text(x, _HEIGHT - _BOTTOM + 14, "middle", str(iteration)))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 3, "middle", "iterations"))
    decades = range(math.floor(axes.low), math.ceil(axes.high) + 1)
    dense = axes.high - axes.low < 1.5
    for number in (digit * 10.0**decade for decade in decades for digit in (1, 2, 5)):
        shown = dense or f"{number:e}".startswith("1")
        if shown and axes.low <= math.log10(number) <= axes.high:
            y = axes.y(number)
            parts.append(_rule(_LEFT, _WIDTH - _RIGHT, y, y))
            parts.append(_text(_LEFT - 5, y + 4, "end", f"{number:g}×"))
    return parts


def _rule(x1: float, x2: float, y1: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}" stroke="var(--rule)"/>'


def _text(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'
