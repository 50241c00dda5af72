"""Two versions of a model on the same photos, in numbers that mean the same for both."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from statistics import mean, median
from typing import Any, Final

from sfumato.bundle.bundle import Bundle
from sfumato.bundle.strength import PHOTOGRAPH_STYLE
from training.errors import TrainingError
from training.evaluation.report import Report

Values = list[float | None]


@dataclass(frozen=True)
class Column:
    """A measure of the comparison.

    Attributes:
        name: of the column.
        form: format of one number.
        value: finds it in a report, by style.
    """

    name: str
    form: str
    value: Callable[[Report, str], float | None]


def _measure(column: str, form: str, name: str) -> Column:
    return Column(column, form, lambda report, style: getattr(report.measured.styles[style], name))


def _equals(report: Report, style: str) -> float | None:
    equal = report.equivalences.get(style)
    return None if equal is None else equal.mean


COLUMNS: Final = (
    _measure("judge: style", ".3f", "judge_style"),
    _measure("judge: content", ".2f", "judge_content"),
    _measure("recognized", ".0%", "recognized"),
    _measure("detail kept", ".2f", "detail_kept"),
    _measure("SSIM", ".2f", "ssim"),
    _measure("lattice 2", ".1f", "lattice_2"),
    _measure("lattice 4", ".1f", "lattice_4"),
    _measure("lattice 8", ".1f", "lattice_8"),
    _measure("line", ".1f", "spectral_line"),
    _measure("halo", ".1f", "halo"),
    _measure("calm painted", ".2f", "calm_painted"),
    _measure("shift", ".3f", "shift_rms"),
    _measure("shift, noise too", ".3f", "shift_rms_with_noise"),
    _measure("noise", ".3f", "noise_rms"),
    Column("equals iterations", ".0f", _equals),
)
"""The losses of the training are missing: each version has its own."""

_SUMMARIES: Final[dict[str, Callable[[list[float]], float]]] = {"mean": mean, "median": median}


@dataclass(frozen=True)
class Comparison:
    """What became of an old version in a new one.

    Attributes:
        old: report of the version to compare with.
        new: report of the version that is evaluated, on the same photos.
    """

    old: Report
    new: Report

    @property
    def names(self) -> tuple[str, str]:
        """The old and the new bundle's names; their paths if the names are the same."""
        if self.old.name == self.new.name:
            return str(self.old.bundle.path), str(self.new.bundle.path)
        return self.old.name, self.new.name

    @cached_property
    def styles(self) -> list[str]:
        """Paintings that both have, in the order of the new version."""
        return shared_styles(self.old.bundle, self.new.bundle)

    @property
    def only(self) -> tuple[list[str], list[str]]:
        """Styles that only the old version has, and those that only the new one has."""
        old, new = (list(report.measured.styles) for report in (self.old, self.new))
        return [style for style in old if style not in new], [s for s in new if s not in old]

    def note(self) -> str:
        """Says in one paragraph which is which, and which styles are left out."""
        old, new = self.names
        text = f"Each field: {old} → {new}."
        for name, styles in zip((old, new), self.only, strict=True):
            if styles:
                text += f" Only {name} has {', '.join(styles)}."
        return text

    def rows(self) -> list[list[str]]:
        """Returns a row of texts per style, then the mean and the median of all."""
        pairs = [[self._pair(column, style) for column in COLUMNS] for style in self.styles]
        rows = [
            [style, *(_change(column, *pair) for column, pair in zip(COLUMNS, found, strict=True))]
            for style, found in zip(self.styles, pairs, strict=True)
        ]
        for name, summary in _SUMMARIES.items():
            fields = [
                _change(column, *(_sum_up(summary, values) for values in zip(*found, strict=True)))
                for column, found in zip(COLUMNS, zip(*pairs, strict=True), strict=True)
            ]
            rows.append([name, *fields])
        return rows

    def to_json(self) -> dict[str, Any]:
        """Returns the old version's numbers, whole, and what only one of the two has."""
        only_old, only_new = self.only
        return {
            "bundle": self.names[0],
            "network": self.old.bundle.network.digest,
            "styles": self.old.to_json()["styles"],
            "only_old": only_old,
            "only_new": only_new,
        }

    def _pair(self, column: Column, style: str) -> tuple[float | None, float | None]:
        return column.value(self.old, style), column.value(self.new, style)


def shared_styles(old: Bundle, new: Bundle) -> list[str]:
    """Returns the ids of the paintings that both have, in the order of ``new``.

    Raises:
        TrainingError: there are none.
    """
    there = {info.id for info in old.styles} - {PHOTOGRAPH_STYLE}
    shared = [info.id for info in new.styles if info.id in there]
    if not shared:
        raise TrainingError(
            f"{str(old.path)!r} and {str(new.path)!r} have no painting in common: "
            "give --compare a bundle with some of the same styles"
        )
    return shared


def _change(column: Column, old: float | None, new: float | None) -> str:
    if old is None and new is None:
        return "–"
    return " → ".join("–" if x is None else format(x, column.form) for x in (old, new))


def _sum_up(
    summary: Callable[[list[float]], float], values: tuple[float | None, ...]
) -> float | None:
    known = [value for value in values if value is not None]
    return summary(known) if len(known) == len(values) else None
