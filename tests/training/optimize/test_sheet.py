"""Sheets of several optimizations."""

from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from training.optimize.failures import DivergedError
from training.optimize.images import Pixels
from training.optimize.objective import IMAGE, Features, Objective, Term
from training.optimize.sheet import GAP, Entry, lay_out, optimize_sheet
from training.optimize.technique import Technique


def _options(*arguments: str) -> Technique:
    words = ["--out", "a.png", "--steps", "4", "--optimizer", "sgd", *arguments]
    return Technique.parse(words, "sheet")


def _nothing(x: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
    del x, layers
    return {}


def _brightness(name: str = "brightness") -> Objective:
    def compute(features: Features) -> Tensor:
        return -features[IMAGE].mean(dim=(1, 2, 3))

    return Objective((Term(name, (IMAGE,), compute),))


def _entry(label: str, value: float, objective: Objective | None = None, n: int = 1) -> Entry:
    image = Pixels(torch.full((n, 3, 4, 4), value))
    return Entry(label, image, objective or _brightness(), _nothing, None, None)


def test_single_images_are_laid_out_in_a_near_square_with_gaps() -> None:
    sheet = lay_out([torch.full((1, 3, 4, 4), value) for value in (0.1, 0.2, 0.3)])
    assert sheet.shape == (1, 3, 8 + GAP, 8 + GAP)
    assert sheet[0, 0, 0, 0].item() == pytest.approx(0.1)
    assert sheet[0, 0, 0, -1].item() == pytest.approx(0.2)
    assert sheet[0, 0, -1, 0].item() == pytest.approx(0.3)
    assert sheet[0, 0, 4, 0].item() == 1


def test_batches_are_laid_out_one_row_each() -> None:
    assert lay_out([torch.zeros(3, 3, 4, 4)] * 2).shape == (1, 3, 8 + GAP, 12 + 2 * GAP)


def test_columns_can_be_given() -> None:
    assert lay_out([torch.zeros(1, 3, 4, 4)] * 6, 2).shape == (1, 3, 12 + 2 * GAP, 8 + GAP)


def test_one_image_is_its_own_sheet() -> None:
    image = torch.rand(1, 3, 4, 5)
    assert torch.equal(lay_out([image]), image)


def test_losses_are_added_step_by_step() -> None:
    result = optimize_sheet(_options(), [_entry("a", 0.1), _entry("b", 0.3)], lr=0.1)
    assert result.losses[0] == pytest.approx(-0.4)
    assert len(result.losses) == 4
    assert result.losses == sorted(result.losses, reverse=True)
    assert not result.interrupted


def test_ctrl_c_keeps_what_was_done_and_begins_nothing_new() -> None:
    calls = 0

    def interrupt(_features: Features) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return -_features[IMAGE].mean(dim=(1, 2, 3))

    second = _entry("b", 0.2, Objective((Term("interrupted", (IMAGE,), interrupt),)))
    entries = [_entry("a", 0.1), second, _entry("c", 0.3)]
    result = optimize_sheet(_options(), entries, lr=0.1)
    assert result.interrupted
    assert result.image.shape == (1, 3, 4, 8 + GAP)
    assert result.image[0, 0, 0, 0].item() == pytest.approx(0.5)


def test_a_term_that_is_no_number_loses_nothing_of_the_sheet() -> None:
    def diverge(features: Features) -> Tensor:
        return features[IMAGE].mean(dim=(1, 2, 3)) * float("nan")

    broken = _entry("b", 0.2, Objective((Term("broken", (IMAGE,), diverge),)))
    with pytest.raises(DivergedError, match="'broken'") as caught:
        optimize_sheet(_options(), [_entry("a", 0.1), broken], lr=0.1)
    assert caught.value.image is not None
    assert caught.value.image.shape == (1, 3, 4, 4)


def test_frames_are_named_after_their_entry(tmp_path: Path) -> None:
    options = _options("--frames", str(tmp_path), "--every", "2")
    optimize_sheet(options, [_entry("a", 0.1), _entry("b", 0.1)], lr=0.1)
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == [f"{label}-{step:05d}.png" for label in "ab" for step in (1, 2, 4)]
