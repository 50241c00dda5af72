"""The page and the JSON file of an evaluation."""

import json
from html import escape
from pathlib import Path

from sfumato.files.atomic import write_file
from training.evaluation.comparison import Comparison
from training.evaluation.evaluation import Evaluation
from training.evaluation.measures.definitions import definitions
from training.evaluation.page import sections
from training.evaluation.page.comparison import comparison_section
from training.evaluation.page.pictures import PagePictures
from training.evaluation.page.style import CSS
from training.evaluation.report import Report


def write_page(
    out: Path,
    report: Report,
    evaluation: Evaluation,
    old: tuple[Report, Evaluation] | None = None,
) -> None:
    """Writes ``report.json``, ``index.html`` and its pictures into ``out``.

    The page needs no network and no script. ``old`` is another version on the same photos.

    Raises:
        OSError: the disk refuses.
    """
    out.mkdir(parents=True, exist_ok=True)
    entries, compared = report.to_json(), ""
    pictures = PagePictures(out, evaluation)
    if old is not None:
        comparison = Comparison(old[0], report)
        entries["compared_with"] = comparison.to_json()
        compared = comparison_section(comparison, PagePictures(out, old[1], "old-"), pictures)
    text = json.dumps(entries, indent=1, ensure_ascii=False, allow_nan=False)
    write_file(out / "report.json", text.encode())
    page = render(report, pictures, compared)
    write_file(out / "index.html", page.encode())


def render(report: Report, pictures: PagePictures, compared: str = "") -> str:
    """Returns the page as HTML; ``compared`` is the section on two versions."""
    conditions = report.conditions
    name = report.name
    where = f"{conditions.machine}; {conditions.provider}; seed {conditions.seed}"
    parts = [
        f"<h1>How well “{escape(name)}” paints</h1>",
        sections.summary(report),
        "<h2>Measures</h2>",
        sections.table(report),
        f"<h2>Two versions</h2>{compared}" if compared else "",
        "<h2>Pictures</h2>",
        sections.sheet(report, pictures),
        "<h2>One pass and slow style transfer</h2>",
        sections.baselines(report, pictures),
        "<h2>Distances between the styles</h2>",
        sections.distances(report),
        "<h2>Speed</h2>",
        sections.speeds(report),
        "<h2>What the numbers mean</h2>",
        definitions(report),
        "<h2>How they were measured</h2>",
        f"<pre>{escape(conditions.command)}</pre>",
        f"<p>{escape(where)}. Network {report.bundle.network.digest[:19]}….</p>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)}: quality</title><style>{CSS}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )
