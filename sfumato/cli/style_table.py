"""The styles of a server as a table of text, for terminals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sfumato.bundle.strength import PHOTOGRAPH_STYLE
from sfumato.terminal import printable

if TYPE_CHECKING:
    from sfumato.bundle.quality_card import QualityCard
    from sfumato.client.stylized_photo import StyleSummary

_WIDTH = 120
_SHORTEST_TITLE = 18
_GAP = "  "
_UNKNOWN = "-"

_HEADER = ("STYLE", "TITLE", "ARTIST", "YEAR", "MODEL", "EQUALS", "STYLE LOSS", "SSIM", "KNOWN")
_TITLE = _HEADER.index("TITLE")


def style_table(styles: Sequence["StyleSummary"]) -> list[str]:
    """Writes a line of names and a line per style.

    Titles are cut where the table would be wider than 120 characters. EQUALS says how many
    iterations of the slow baseline paint as well, "500+ it." where it never painted better; KNOWN
    in what share of the photos a classifier still finds what is in them.
    """
    rows = [_HEADER, *(_row(style) for style in styles)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - _WIDTH
    if excess > 0:
        widths[_TITLE] = min(widths[_TITLE], max(widths[_TITLE] - excess, _SHORTEST_TITLE))
    return [_line(row, widths) for row in rows]


def _row(style: "StyleSummary") -> tuple[str, ...]:
    title = "(the photo itself)" if style.id == PHOTOGRAPH_STYLE else style.title
    model = f"{style.model}/{style.version}"
    words = (style.id, title, style.artist, style.year, model)
    return (*map(printable, words), *_quality(style.quality))


def _quality(quality: "QualityCard | None") -> tuple[str, str, str, str]:
    if quality is None:
        return (_UNKNOWN, _UNKNOWN, _UNKNOWN, _UNKNOWN)
    return (
        _equals(quality),
        _UNKNOWN if quality.style_loss is None else f"{quality.style_loss:.4g}",
        _UNKNOWN if quality.ssim is None else f"{quality.ssim:.2f}",
        _UNKNOWN if quality.recognized is None else f"{quality.recognized:.0%}",
    )


def _equals(quality: "QualityCard") -> str:
    equals, ran = quality.equals_iterations, quality.baseline_iterations
    if equals is None:
        return _UNKNOWN
    best = ran is not None and equals >= ran
    return f"{equals:.0f}{'+' if best else ''} it."


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (_cut(cell, width).ljust(width) for cell, width in zip(row, widths, strict=True))
    return _GAP.join(cells).rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
