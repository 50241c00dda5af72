"""The sections of the page, each a function from the report to HTML."""

from collections.abc import Sequence
from html import escape

from training.data.photos import spread
from training.evaluation.page.curve_svg import curve_svg
from training.evaluation.page.markdown_table import COLUMNS, cells, photo_cells
from training.evaluation.page.pictures import PagePictures
from training.evaluation.report import Report

SHEET_PHOTOS = 4


def summary(report: Report) -> str:
    """Returns how many styles reach which level, in one paragraph."""
    conditions, equal = report.conditions, report.equivalences
    if not equal:
        return f"<p>{conditions.photos} photos of {conditions.side}²; no slow baseline was run.</p>"
    reached = {
        goal: sum(each.mean >= goal for each in equal.values())
        for goal in (100, 200)
        if goal <= conditions.iterations
    }
    counts = ", ".join(f"≥ {goal} for <b>{count}</b>" for goal, count in reached.items())
    return (
        f"<p>One pass of the network is worth so many iterations of slow style transfer (L-BFGS "
        f"on the pixels, with the same losses): {counts} of {len(equal)} styles. "
        f"{conditions.photos} photos of {conditions.side} × {conditions.side} pixels.</p>"
        if counts
        else f"<p>{conditions.photos} photos of {conditions.side} × {conditions.side} pixels.</p>"
    )


def table(report: Report) -> str:
    """Returns the table of all measures."""
    rows = [cells(report, style) for style in report.measured.styles]
    return scroll(html_table(COLUMNS, [*rows, photo_cells(report)]))


def sheet(report: Report, pictures: PagePictures) -> str:
    """Returns some photos in every style, photos down and styles across."""
    numbers = spread(range(report.conditions.photos), SHEET_PHOTOS)
    styles = list(report.measured.styles)
    head = "".join(f'<th title="{style}">{style}</th>' for style in ("photo", *styles))
    body = "".join(
        "<tr>"
        f"<td>{pictures.photo(number)}</td>"
        + "".join(f"<td>{pictures.painted(style, number)}</td>" for style in styles)
        + "</tr>"
        for number in numbers
    )
    return scroll(
        f'<table class="sheet"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def baselines(report: Report, pictures: PagePictures) -> str:
    """Returns, per style, the curve and the fast picture beside the slow ones."""
    if not report.equivalences:
        return "<p>Not measured.</p>"
    return note(
        "Loss of the slow baseline as a multiple of the fast picture's, one line per photo; the "
        "pictures are of the first."
    ) + "".join(_baseline(report, pictures, style) for style in report.equivalences)


def _baseline(report: Report, pictures: PagePictures, style: str) -> str:
    runs, iterations = report.measured.runs[style], report.conditions.iterations
    equal, run = report.equivalences[style], runs[0]
    title = next(info.title for info in report.bundle.styles if info.id == style) or style
    k = f"≥ {iterations}" if run.equal is None else f"{run.equal:.0f}"
    figures = [
        (pictures.painting(style), "the painting"),
        (pictures.photo(run.photo), "the photo"),
        (pictures.painted(style, run.photo), f"one pass, loss {run.target:.3f}"),
        (pictures.baseline(style, run.photo, "equal"), f"L-BFGS, equal after {k}"),
        (
            pictures.baseline(style, run.photo, "end"),
            f"L-BFGS, {len(run.losses)} iterations, loss {min(run.losses):.3f}",
        ),
    ]
    shown = "".join(
        f"<figure>{image}<figcaption>{caption}</figcaption></figure>"
        for image, caption in figures
        if image is not None
    )
    drawn = curve_svg(runs, iterations, f"{style}: the slow baseline's loss by iterations")
    return (
        f'<section class="style"><h3>{escape(title)} <span class="pale">equals {equal} '
        f'iterations</span></h3><div>{drawn}</div><div class="four">{shown}</div></section>'
    )


def distances(report: Report) -> str:
    """Returns the matrix of distances; the nearer, the stronger the colour."""
    ids, values = list(report.measured.styles), report.measured.distances
    highest = max(values.max().item(), 1e-9)
    head = "".join(f"<th><span>{style}</span></th>" for style in ids)
    rows = []
    for row, style in enumerate(ids):
        fields = []
        for column in range(len(ids)):
            value = values[row, column].item()
            shade = 0.0 if row == column else 0.75 * (1 - value / highest) ** 2
            text = "" if row == column else f"{255 * value:.0f}"
            fields.append(f'<td style="background: rgba(var(--near), {shade:.2f})">{text}</td>')
        rows.append(f"<tr><th>{style}</th>{''.join(fields)}</tr>")
    explained = note(
        "Root mean square difference between what two styles paint, in levels of 255; the nearer, "
        "the stronger the colour."
    )
    return explained + scroll(
        f'<table class="matrix"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def speeds(report: Report) -> str:
    """Returns the seconds at each size, and the speed-up of each style."""
    sizes = [speed for speed in report.measured.speeds if speed.seconds_per_iteration]
    if not sizes:
        return "<p>Not measured.</p>"
    rows = [
        ["seconds per photo", *(f"{speed.seconds_per_photo:.4f}" for speed in sizes)],
        ["seconds per iteration", *(f"{speed.seconds_per_iteration:.3f}" for speed in sizes)],
        ["500 iterations", *(f"{speed.speed_up(500):,.0f} ×" for speed in sizes)],
        *(
            [f"{style}, {equal}", *(f"{speed.speed_up(equal.mean):,.0f} ×" for speed in sizes)]
            for style, equal in report.equivalences.items()
        ),
    ]
    return scroll(html_table(["", *(f"{speed.side}²" for speed in sizes)], rows))


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table of texts; the first of each row is its name."""
    top = "".join(f"<th>{escape(each)}</th>" for each in head)
    body = "".join(
        f"<tr><th>{escape(first)}</th>{''.join(f'<td>{escape(each)}</td>' for each in rest)}</tr>"
        for first, *rest in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def note(text: str) -> str:
    """Returns a paragraph of HTML, set back."""
    return f'<p class="pale">{text}</p>'


def scroll(content: str) -> str:
    """Returns HTML that scrolls by itself where the page is too narrow."""
    return f'<div class="scroll">{content}</div>'
