"""The table of a report as Markdown, for a model card."""

from training.evaluation.comparison import COLUMNS as COMPARED
from training.evaluation.comparison import Comparison
from training.evaluation.report import Report

COLUMNS = (
    *("style", "content", "style loss", "photo's style", "total", "equals iterations", "SSIM"),
    *("judge: style", "judge: content", "recognized", "detail kept", "lattice 2 · 4 · 8"),
    *("line", "halo", "calm painted", "shift", "shift, noise too", "noise", "finest, ‰"),
    "nearest style",
)


def cells(report: Report, style: str) -> list[str]:
    """Returns the row of a style, one text per column."""
    measures, near = report.measured.styles[style], report.nearest(style)
    equal = report.equivalences.get(style)
    painting = measures.totals is not None
    return [
        style,
        _number(measures.content, ".3f"),
        _number(measures.style, ".4f"),
        _number(measures.photo_style, ".2f"),
        _number(measures.total, ".3f"),
        str(equal) if equal else "–",
        _number(measures.ssim, ".2f" if painting else ".3f"),
        _number(measures.judge_style, ".3f"),
        _number(measures.judge_content, ".2f"),
        _number(measures.recognized, ".0%"),
        _number(measures.detail_kept, ".2f"),
        " · ".join(_number(rms, ".1f") for rms in measures.lattices) if painting else "–",
        _number(measures.spectral_line, ".1f"),
        _number(measures.halo, ".1f"),
        _number(measures.calm_painted, ".2f"),
        _number(measures.shift_rms, ".3f"),
        _number(measures.shift_rms_with_noise, ".3f"),
        _number(measures.noise_rms, ".3f"),
        f"{measures.finest:.1f}",
        f"{near[0]}, {255 * near[1]:.0f}" if near and painting else "–",
    ]


def photo_cells(report: Report) -> list[str]:
    """Returns the row of the unpainted photos, for scale."""
    measured = report.measured
    return [
        *("the photo itself", "0", "", "", "", "", "1", "1", "0", "100%", "1", "", "", "", ""),
        f"{measured.photo_shift:.3f}",
        f"{measured.photo_shift:.3f}",
        f"{measured.photo_noise:.3f}",
        f"{measured.finest:.1f}",
        "",
    ]


def markdown_table(report: Report) -> str:
    """Returns the table of all styles, with the photo itself as the last row."""
    rows = [cells(report, style) for style in report.measured.styles]
    rule = ["---", *("---:" for _ in COLUMNS[1:-1]), "---"]
    return "\n".join(
        f"| {' | '.join(row)} |" for row in (COLUMNS, rule, *rows, photo_cells(report))
    )


def comparison_table(comparison: Comparison) -> str:
    """Returns the table of two versions."""
    head = ["style", *(column.name for column in COMPARED)]
    rule = ["---", *("---:" for _ in COMPARED)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *comparison.rows()))


def speed_table(report: Report) -> str:
    """Returns the table of speeds; empty if none was measured."""
    if not report.measured.speeds:
        return ""
    lines = [
        "| size | photo, s | iteration, s | speed-up over 500 iterations |",
        "| --- | ---: | ---: | ---: |",
    ]
    for speed in report.measured.speeds:
        times = speed.speed_up(500)
        lines.append(
            f"| {speed.side} × {speed.side} | {speed.seconds_per_photo:.4f} "
            f"| {_number(speed.seconds_per_iteration, '.3f')} | {_number(times, ',.0f')} |"
        )
    return "\n".join(lines)


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
