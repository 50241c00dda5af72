"""Two versions side by side: numbers by hand, and ``evaluate --compare`` on drawn bundles."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sfumato.bundle.bundle import read_bundle
from tests.training.evaluation.drawn_bundle import IDS, DrawnBundle
from training.__main__ import main
from training.evaluation.comparison import COLUMNS, Comparison
from training.evaluation.evaluation import BaselineRecord, Measured
from training.evaluation.measures.style_measures import StyleMeasures
from training.evaluation.page.markdown_table import comparison_table
from training.evaluation.report import Conditions, Report

Run = Callable[..., int]


def report(path: Path, styles: dict[str, StyleMeasures], equal: float | None = None) -> Report:
    runs = {} if equal is None else {"red": [BaselineRecord(0, 1.0, [2.0, 1.0], equal)]}
    distances = torch.zeros(len(styles), len(styles))
    conditions = Conditions("", "", "", "squeezenet1_1", 4, 256, 500, 0)
    return Report(
        read_bundle(path), Measured(styles, runs, distances, [], 0.0, 0.0, 0.0), conditions
    )


def measures(**values: Any) -> StyleMeasures:
    return StyleMeasures(ssim=0.5, psnr=20.0, finest=1.0, totals=[1.0], **values)


@pytest.fixture
def comparison(drawn: DrawnBundle, tmp_path: Path) -> Comparison:
    """The old version has red, green and blue, the new one lacks green."""
    old = {
        "blue": measures(lattice_4=4.0, recognized=0.0),
        "green": measures(lattice_4=9.0),
        "red": measures(lattice_4=2.0, recognized=0.25),
        "photograph": StyleMeasures(1.0, 59.0, 1.0),
    }
    new = {
        "red": measures(lattice_4=0.5, recognized=0.75, calm_painted=0.4),
        "blue": measures(lattice_4=1.0, recognized=0.25),
        "photograph": StyleMeasures(1.0, 59.0, 1.0),
    }
    path = drawn.write(tmp_path / "model" / "2", ids=("red", "blue"))
    return Comparison(report(drawn.path, old), report(path, new, equal=120.0))


def field(comparison: Comparison, row: str, column: str) -> str:
    rows = {row[0]: row[1:] for row in comparison.rows()}
    return rows[row][[each.name for each in COLUMNS].index(column)]


@pytest.mark.parametrize(
    ("row", "column", "text"),
    [
        ("red", "lattice 4", "2.0 → 0.5"),
        ("blue", "recognized", "0% → 25%"),
        ("mean", "lattice 4", "3.0 → 0.8"),
        ("median", "recognized", "12% → 50%"),
        ("red", "calm painted", "– → 0.40"),
        ("mean", "calm painted", "–"),  # not of all styles, so of none
        ("red", "equals iterations", "– → 120"),
        ("red", "halo", "–"),
    ],
)
def test_a_field_has_the_old_number_and_the_new_one(
    comparison: Comparison, row: str, column: str, text: str
) -> None:
    assert field(comparison, row, column) == text


def test_the_rows_are_the_paintings_that_both_have(comparison: Comparison) -> None:
    assert [row[0] for row in comparison.rows()] == ["red", "blue", "mean", "median"]
    assert comparison.note() == "Each field: model 1 → model 2. Only model 1 has green."
    lines = comparison_table(comparison).splitlines()
    assert len(lines) == 6
    assert {line.count("|") for line in lines} == {len(COLUMNS) + 2}


def test_versions_of_one_name_are_told_apart_by_their_paths(
    drawn: DrawnBundle, tmp_path: Path
) -> None:
    other = drawn.write(tmp_path / "model" / "1")
    found = Comparison(report(drawn.path, {}), report(other, {})).names
    assert found == (str(drawn.path), str(other))


@pytest.fixture
def evaluate(drawn: DrawnBundle, tmp_path: Path) -> Run:
    def run(bundle: Path, *more: str) -> int:
        return main(
            [
                *("evaluate", str(bundle), "--photos", str(drawn.photos)),
                *("--styles", str(drawn.paintings), "--loss-weights", str(drawn.weights)),
                *("--judge", str(drawn.judge), "--side", "32", "--count", "2", "--no-speed"),
                *("--baseline-photos", "1", "--iterations", "2", "--no-cards"),
                *("--out", str(tmp_path / "out"), *more),
            ]
        )

    return run


def test_the_page_shows_old_and_new_beside_each_other(
    evaluate: Run, drawn: DrawnBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = drawn.write(tmp_path / "model" / "2", ids=("red", "blue"))
    assert evaluate(new, "--compare", str(drawn.path)) == 0
    printed = capsys.readouterr().out
    assert "Each field: model 1 → model 2. Only model 1 has green." in printed
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "Only model 1 has green." in page
    old, here = page.index("pictures/old-red-0.jpg"), page.index("pictures/red-0.jpg")
    assert old < here < page.index("pictures/old-red-1.jpg")
    assert "old-green" not in page
    assert (tmp_path / "out" / "pictures" / "old-blue-1.jpg").is_file()
    told = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (told["compared_with"]["only_old"], told["compared_with"]["only_new"]) == (["green"], [])
    # The slow baseline ran for the new version only.
    assert told["styles"]["red"]["equals_iterations"] is not None
    for style in IDS:
        there = told["compared_with"]["styles"][style]
        assert there["equals_iterations"] is None
        # The same network and rows paint the same.
        assert style == "green" or there["judge_style"] == told["styles"][style]["judge_style"]


def test_the_others_slow_baseline_counts_where_it_was_run(
    evaluate: Run, drawn: DrawnBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = drawn.write(tmp_path / "model" / "2", ids=("red",))
    assert evaluate(drawn.path) == 0
    assert evaluate(new, "--compare", str(drawn.path)) == 0
    told = json.loads((tmp_path / "out" / "report.json").read_text())
    equal = told["compared_with"]["styles"]["red"]["equals_iterations"]
    assert equal == told["styles"]["red"]["equals_iterations"]
    capsys.readouterr()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--compare", "absent"], "'absent' is no folder: give a bundle"),
        (["--compare-loss-weights", "vgg19"], "--compare-loss-weights needs --compare"),
    ],
)
def test_what_cannot_be_compared_is_one_clear_line(
    evaluate: Run,
    drawn: DrawnBundle,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    assert evaluate(drawn.path, *options) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_bundles_without_a_common_painting_are_not_measured(
    evaluate: Run, drawn: DrawnBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    red, blue = (drawn.write(tmp_path / each / "1", ids=(each,)) for each in ("red", "blue"))
    assert evaluate(red, "--compare", str(blue)) == 1
    error = capsys.readouterr().err
    assert "have no painting in common" in error
    assert error.count("\n") == 1
