"""How many iterations a picture is worth, on curves made up by hand."""

import pytest

from training.evaluation.measures.equivalence import Equivalence, best_so_far, equal_iterations

CURVE = (25, 50, 100, 200)
LOSSES = (8.0, 4.0, 2.0, 1.0)


@pytest.mark.parametrize(
    ("target", "iterations"),
    [(9.0, 25), (8.0, 25), (6.0, 37.5), (4.0, 50), (3.5, 62.5), (1.25, 175), (1.0, 200)],
)
def test_between_two_points_the_curve_is_straight(target: float, iterations: float) -> None:
    assert equal_iterations(CURVE, LOSSES, target) == pytest.approx(iterations)


def test_a_loss_that_the_curve_never_reaches_has_no_iteration() -> None:
    assert equal_iterations(CURVE, LOSSES, 0.99) is None


def test_the_best_so_far_counts_not_the_latest() -> None:
    losses = [5.0, 3.0, 4.0, 1.0]
    assert best_so_far(losses) == [5, 3, 3, 1]
    assert equal_iterations([1, 2, 3, 4], losses, 3.0) == 2
    assert equal_iterations([1, 2, 3, 4], losses, 2.0) == pytest.approx(3.5)


def test_photos_beyond_the_end_make_the_mean_a_lower_bound() -> None:
    equal = Equivalence.of([100.0, None, 300.0], 500)
    assert (equal.mean, equal.lowest, equal.highest, equal.beyond) == (300, 100, 500, 1)
    assert str(equal) == "≥ 300 (100–≥ 500)"


@pytest.mark.parametrize(
    ("found", "text"),
    [([None, None], "≥ 500"), ([120.4], "120"), ([100.0, 150.0], "125 (100–150)")],
)
def test_the_text_shows_mean_and_spread(found: list[float | None], text: str) -> None:
    assert str(Equivalence.of(found, 500)) == text
