"""The page and the JSON file of an evaluation."""

import json
from html import escape
from pathlib import Path

from sfumato.atomic import write_file
from training.evaluation import page_sections as sections
from training.evaluation.definitions import definitions
from training.evaluation.evaluation import Evaluation
from training.evaluation.page_pictures import PagePictures
from training.evaluation.page_style import CSS
from training.evaluation.report import Report


def write_page(out: Path, report: Report, evaluation: Evaluation) -> None:
    """Writes ``report.json``, ``index.html`` and its pictures into ``out``.

    The page needs no network and no script.

    Raises:
        OSError: the disk refuses.
    """
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    write_file(out / "report.json", text.encode())
    page = render(report, PagePictures(out, evaluation))
    write_file(out / "index.html", page.encode())


def render(report: Report, pictures: PagePictures) -> str:
    """Returns the page as HTML."""
    conditions = report.conditions
    name = f"{report.bundle.path.resolve().parent.name} {report.bundle.path.name}"
    where = f"{conditions.machine}; {conditions.provider}; seed {conditions.seed}"
    parts = [
        f"<h1>How well “{escape(name)}” paints</h1>",
        sections.summary(report),
        "<h2>Measures</h2>",
        sections.table(report),
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
