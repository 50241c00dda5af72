"""The weights of a blend."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.bundle.blend_weights import normalize_weights
from sfumato.errors import StyleError


def test_weights_are_divided_by_their_sum() -> None:
    assert normalize_weights([("a", 3), ("b", 1)]) == {"a": 0.75, "b": 0.25}


def test_the_order_is_kept() -> None:
    assert list(normalize_weights([("b", 1), ("a", 1)])) == ["b", "a"]


def test_a_single_weight_is_one_whatever_its_size() -> None:
    assert normalize_weights([("a", 1e-300)]) == {"a": 1.0}


def test_a_zero_weight_beside_another_is_allowed() -> None:
    assert normalize_weights([("a", 0), ("b", 2)]) == {"a": 0.0, "b": 1.0}


def test_weights_whose_sum_overflows_are_still_shares() -> None:
    assert normalize_weights([("a", 1.7e308), ("b", 1.7e308)]) == {"a": 0.5, "b": 0.5}


def test_weights_may_be_given_as_a_name_a_mapping_or_pairs() -> None:
    assert normalize_weights("a") == {"a": 1.0}
    assert normalize_weights({"a": 3, "b": 1}) == normalize_weights(iter([("a", 3), ("b", 1)]))


@pytest.mark.parametrize("weights", [3, ["a", "b"], [3], [(1, 0.5)], [("a", 1, 2)], None])
def test_what_are_no_weights_is_told_what_would_be(weights: Any) -> None:
    with pytest.raises(StyleError, match="are no styles; give a style's name, or weights by name"):
        normalize_weights(weights)


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ([], "name at least one"),
        ([("a", 0), ("b", 0.0)], "at least one must be positive"),
        ([("a", -0.5)], "not negative"),
        ([("a", math.nan)], "finite"),
        ([("a", math.inf)], "finite"),
        ([("a", 1), ("a", 2)], "named twice"),
        ([("a", "much")], "finite number"),
        ([("a", None)], "finite number"),
        ([("a", 10**400)], "finite number"),
    ],
)
def test_weights_that_make_no_blend_are_refused(
    weights: list[tuple[str, float]], reason: str
) -> None:
    with pytest.raises(StyleError, match=reason):
        normalize_weights(weights)


@given(st.lists(st.floats(0, 1e308), min_size=1, max_size=20).filter(any))
def test_shares_are_between_zero_and_one_and_sum_to_one(weights: list[float]) -> None:
    shares = normalize_weights((str(number), weight) for number, weight in enumerate(weights))
    assert math.isclose(sum(shares.values()), 1.0, rel_tol=1e-12)
    assert all(0 <= share <= 1 for share in shares.values())
