"""``python -m training evaluate`` on a drawn bundle."""

import json
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sfumato.bundle.bundle import read_bundle
from sfumato.bundle.quality_card import QualityCard
from tests.training.evaluation.drawn_bundle import IDS, DrawnBundle
from training.__main__ import main

pytestmark = pytest.mark.filterwarnings("default")

Run = Callable[..., int]


@pytest.fixture
def bundle(drawn: DrawnBundle, tmp_path: Path) -> Path:
    """A copy of the bundle that the test may change."""
    return Path(shutil.copytree(drawn.path, tmp_path / "model" / "1"))


@pytest.fixture
def evaluate(drawn: DrawnBundle, tmp_path: Path) -> Run:
    def run(bundle: Path, *more: str) -> int:
        return main(
            [
                *("evaluate", str(bundle), "--photos", str(drawn.photos)),
                *("--styles", str(drawn.paintings), "--loss-weights", str(drawn.weights)),
                *("--judge", str(drawn.judge), "--side", "32", "--count", "2", "--no-speed"),
                *("--baseline-photos", "1", "--iterations", "4", "--out", str(tmp_path / "out")),
                *more,
            ]
        )

    return run


def read_report(tmp_path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((tmp_path / "out" / "report.json").read_text())
    return report


class Links(HTMLParser):
    """Collects what a page loads, and the tags that were not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_style_gets_a_card_and_keeps_what_it_had(
    evaluate: Run, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(bundle) == 0
    styles = {info.id: info for info in read_bundle(bundle).styles}
    report = read_report(tmp_path)
    for style in IDS:
        assert styles[style].card["kept"] == 1
        card, measured = QualityCard.from_card(styles[style].card), report["styles"][style]
        assert card is not None
        assert (card.photos, card.side, card.baseline_iterations) == (2, 32, 4)
        assert card.content_loss == pytest.approx(measured["content"], rel=1e-4)
        assert card.style_loss == pytest.approx(measured["style"], rel=1e-4)
        assert card.equals_iterations is not None
        assert 1 <= card.equals_iterations <= 4
        assert card.nearest_style in set(IDS) - {style}
        assert None not in (card.ssim, card.judge_style, card.shift_rms, card.noise_rms)
        assert card.recognized == measured["recognized"]
        assert card.recognized in {0, 0.5, 1}
        assert card.shift_rms_with_noise is None  # the lite network has none
        for name in (
            *("detail_kept", "lattice_2", "lattice_4", "lattice_8", "halo", "calm_painted"),
            "spectral_line",
        ):
            assert getattr(card, name) == pytest.approx(measured[name], rel=1e-4)
    printed = capsys.readouterr().out
    assert all(f"| {style} |" in printed for style in (*IDS, "photograph"))
    assert "report.json" in printed


def test_the_photograph_is_compared_with_the_photo_only(
    evaluate: Run, bundle: Path, tmp_path: Path
) -> None:
    assert evaluate(bundle) == 0
    photograph = read_report(tmp_path)["styles"]["photograph"]
    assert photograph["ssim"] == pytest.approx(1.0, abs=1e-3)
    # Its row lets the photo through, and rounding to bytes is all that remains: 255·√12 in dB,
    # or less where the drawings are flat.
    assert 58.4 < photograph["psnr"] < 62
    assert "style" not in photograph
    assert photograph["baseline"] == []
    card = QualityCard.from_card(read_bundle(bundle).styles[-1].card)
    assert card is not None
    assert card == QualityCard(ssim=card.ssim, photos=2, side=32)


def test_photos_like_those_of_the_calibration_have_a_style_loss_of_one(
    evaluate: Run, bundle: Path, tmp_path: Path
) -> None:
    assert evaluate(bundle, "--count", "4", "--baseline-photos", "0") == 0
    for style in IDS:
        assert read_report(tmp_path)["styles"][style]["photo_style"] == pytest.approx(1, rel=1e-4)


def test_the_page_needs_nothing_but_the_files_beside_it(
    evaluate: Run, bundle: Path, tmp_path: Path
) -> None:
    assert evaluate(bundle) == 0
    links = Links((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    assert links.open == []
    assert "script" not in links.tags
    assert links.tags.count("svg") == 3
    assert len(links.sources) > 20
    for source in links.sources:
        assert (tmp_path / "out" / source).is_file(), source


def test_what_was_measured_is_not_measured_again(
    evaluate: Run, bundle: Path, tmp_path: Path
) -> None:
    assert evaluate(bundle) == 0
    first = read_report(tmp_path)
    kept = sorted((tmp_path / "out" / "work").rglob("*.*"))
    times = [file.stat().st_mtime_ns for file in kept]
    damaged = next(file for file in kept if file.name == "blue-0.json")
    damaged.write_text("{")
    assert evaluate(bundle) == 0
    assert read_report(tmp_path)["styles"] == first["styles"]
    again = {
        file for file, time in zip(kept, times, strict=True) if file.stat().st_mtime_ns != time
    }
    assert again == {damaged, damaged.with_suffix(".safetensors")}


def test_other_photos_are_other_results(evaluate: Run, bundle: Path, tmp_path: Path) -> None:
    few = ("--baseline-photos", "0")
    assert evaluate(bundle, *few) == 0
    assert evaluate(bundle, *few, "--count", "3") == 0
    assert evaluate(bundle, *few, "--seed", "1") == 0
    assert len(list((tmp_path / "out" / "work").iterdir())) == 3


def test_the_bundle_is_left_alone_if_asked(evaluate: Run, bundle: Path) -> None:
    before = (bundle / "bundle.json").read_bytes()
    assert evaluate(bundle, "--no-cards", "--baseline-photos", "0") == 0
    assert (bundle / "bundle.json").read_bytes() == before


def test_a_models_folder_stands_for_its_highest_version(evaluate: Run, bundle: Path) -> None:
    assert evaluate(bundle.parent, "--baseline-photos", "0") == 0
    assert QualityCard.from_card(read_bundle(bundle).styles[0].card) is not None


def test_unreadable_photos_are_skipped(
    evaluate: Run, bundle: Path, drawn: DrawnBundle, tmp_path: Path
) -> None:
    photos = Path(shutil.copytree(drawn.photos, tmp_path / "photos"))
    (photos / "a.jpg").write_bytes(b"no photo")
    options = ("--photos", str(photos), "--count", "4", "--baseline-photos", "0")
    assert evaluate(bundle, *options) == 0
    assert read_report(tmp_path)["conditions"]["photos"] == 3


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ({"calibration": None}, "no calibration for 'calibration'"),
        ({"style_strength": None}, "trained by an older version"),
        ({"loss_network": f"sha256:{'a' * 64}"}, "give --loss-weights the weights of its training"),
    ],
)
def test_a_bundle_without_its_conventions_is_refused(
    evaluate: Run,
    drawn: DrawnBundle,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    notes: dict[str, object],
    message: str,
) -> None:
    assert evaluate(drawn.write(tmp_path / "other" / "1", IDS, **notes)) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_missing_painting_is_named(
    evaluate: Run,
    bundle: Path,
    drawn: DrawnBundle,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    styles = Path(shutil.copytree(drawn.paintings, tmp_path / "styles"))
    (styles / "green.png").unlink()
    assert evaluate(bundle, "--styles", str(styles)) == 1
    assert "no painting for green in" in capsys.readouterr().err


def test_a_second_file_of_a_styles_name_is_an_error_that_names_both(
    evaluate: Run,
    bundle: Path,
    drawn: DrawnBundle,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    styles = Path(shutil.copytree(drawn.paintings, tmp_path / "styles"))
    Image.new("RGB", (64, 90), "white").save(styles / "red.jpg")
    assert evaluate(bundle, "--styles", str(styles)) == 1
    error = capsys.readouterr().err
    assert "red.jpg' and '" in error
    assert "red.png' may both be the painting of style 'red'" in error


def test_files_beside_the_paintings_are_left_alone(
    evaluate: Run, bundle: Path, drawn: DrawnBundle, tmp_path: Path
) -> None:
    styles = Path(shutil.copytree(drawn.paintings, tmp_path / "styles"))
    for name in ("神奈川沖浪裏.png", "yellow.png", "yellow.jpg"):
        (styles / name).write_bytes(b"no image")
    assert evaluate(bundle, "--styles", str(styles), "--baseline-photos", "0") == 0


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--photos", "is no folder: give a folder of photos"),
        ("--judge", "is no file: give a safetensors file"),
        ("--loss-weights", "give a safetensors file, vgg16 or vgg19"),
    ],
)
def test_what_is_not_there_is_one_clear_line(
    evaluate: Run,
    bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    option: str,
    message: str,
) -> None:
    assert evaluate(bundle, option, str(tmp_path / "absent")) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_classifier_without_layers_to_judge_by_is_refused(
    evaluate: Run, bundle: Path, drawn: DrawnBundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(bundle, "--judge", str(drawn.weights)) == 1
    assert "classifier weights" in capsys.readouterr().err


def test_a_loss_network_that_is_not_named_is_asked_for(
    bundle: Path, drawn: DrawnBundle, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ("--photos", str(drawn.photos), "--styles", str(drawn.paintings))
    assert main(["evaluate", str(bundle), *folders, "--judge", str(drawn.judge)]) == 1
    assert "give that file with --loss-weights" in capsys.readouterr().err
