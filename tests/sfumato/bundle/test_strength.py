"""Strength: which values it has, and what it does to the shares of a blend."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.bundle.strength import PHOTOGRAPH_STYLE, checked_strength, toward_photograph
from sfumato.bundle.style_info import StyleInfo
from sfumato.errors import StyleError


def test_the_reserved_name_can_be_a_style() -> None:
    assert StyleInfo(PHOTOGRAPH_STYLE).id == "photograph"


@pytest.mark.parametrize("strength", [0, 0.0, 5e-324, 0.6, 1, True])
def test_numbers_from_0_to_1_are_strengths(strength: float) -> None:
    assert checked_strength(strength) == strength


@pytest.mark.parametrize(
    "strength", [-1e-9, 1 + 1e-9, -1, 60, math.nan, math.inf, -math.inf, 10**400, None, "much", []]
)
def test_anything_else_is_not(strength: Any) -> None:
    with pytest.raises(StyleError, match="it must be from 0, the photo, to 1, the styles"):
        checked_strength(strength)


def test_what_the_styles_leave_is_the_photograph() -> None:
    shares = toward_photograph({"red": 0.75, "green": 0.25}, 0.5)
    assert shares == {"red": 0.375, "green": 0.125, "photograph": 0.5}


def test_at_strength_1_the_shares_are_those_given() -> None:
    shares = {"red": 1 / 3, "green": 2 / 3}
    assert toward_photograph(shares, 1.0) == shares


def test_a_photograph_among_the_styles_is_counted_once() -> None:
    shares = toward_photograph({"photograph": 0.5, "red": 0.5}, 0.5)
    assert shares == {"photograph": 0.75, "red": 0.25}


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_shares_still_sum_to_one(share: float, strength: float) -> None:
    shares = toward_photograph({"red": share, "green": 1 - share}, strength)
    assert math.fsum(shares.values()) == pytest.approx(1, abs=1e-15)
    assert min(shares.values()) >= 0
