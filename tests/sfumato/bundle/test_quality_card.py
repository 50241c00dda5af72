"""The quality in a style's card: what is read, and what is left out."""

import json
import math
from typing import Any

import pytest

from sfumato.bundle.quality_card import QUALITY_KEY, QualityCard
from sfumato.bundle.style_info import StyleInfo

FULL = QualityCard(
    content_loss=1.5,
    style_loss=0.25,
    total_loss=1.75,
    equals_iterations=210.5,
    baseline_iterations=500,
    ssim=-0.125,
    judge_style=3.0,
    judge_content=4.0,
    shift_rms=0.01,
    noise_rms=0.02,
    nearest_style="monet-water-lilies-1919",
    nearest_style_distance=0.0625,
    photos=8,
    side=256,
    recognized=0.375,
    detail_kept=0.75,
    lattice_2=0.25,
    lattice_4=0.5,
    lattice_8=1.0,
    halo=4.5,
    calm_painted=0.625,
    spectral_line=2.5,
    shift_rms_with_noise=0.0625,
)


def read(**entries: Any) -> QualityCard | None:
    return QualityCard.from_card({"quality": entries})


def test_a_card_through_json_is_the_same() -> None:
    style = StyleInfo("a", card={QUALITY_KEY: FULL.to_json(), "note": "by hand"})
    read_back = StyleInfo.from_json(json.loads(json.dumps(style.to_json())))
    assert QualityCard.from_card(read_back.card) == FULL
    assert read_back.card["note"] == "by hand"


def test_what_was_not_measured_is_not_written() -> None:
    assert QualityCard(ssim=0.0, photos=0).to_json() == {"ssim": 0.0, "photos": 0}


@pytest.mark.parametrize(
    "card", [{}, {"quality": None}, {"quality": {}}, {"quality": [1]}, {"quality": "good"}]
)
def test_a_card_without_a_quality_has_none(card: dict[str, Any]) -> None:
    assert QualityCard.from_card(card) is None


def test_a_missing_entry_leaves_the_others() -> None:
    assert read(style_loss=2) == QualityCard(style_loss=2.0)


def test_entries_of_a_later_version_are_ignored() -> None:
    assert read(style_loss=2.0, mood=7) == QualityCard(style_loss=2.0)


@pytest.mark.parametrize(
    "value", ["0.5", None, True, [0.5], {}, math.nan, math.inf, -math.inf, 1e39, -1e39, 10**400]
)
def test_what_is_no_number_of_the_protocol_is_left_out(value: object) -> None:
    assert read(style_loss=value, ssim=0.5) == QualityCard(ssim=0.5)
    assert read(style_loss=value) is None


@pytest.mark.parametrize("value", [-1, 1 << 32, 8.0, "8", True, None])
def test_what_is_no_count_is_left_out(value: object) -> None:
    for name in ("photos", "side", "baseline_iterations"):
        assert read(**{name: value, "ssim": 0.5}) == QualityCard(ssim=0.5)


@pytest.mark.parametrize("value", ["", "No Good", "\ud800", "x" * 101, 5, None])
def test_what_is_no_style_is_left_out(value: object) -> None:
    assert read(nearest_style=value, ssim=0.5) == QualityCard(ssim=0.5)
