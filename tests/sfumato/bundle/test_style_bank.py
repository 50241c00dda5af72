"""Rows of styles and their blends."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.bundle.style_bank import StyleBank
from sfumato.bundle.style_file import StyleFile
from sfumato.bundle.style_info import StyleInfo
from sfumato.errors import FixedStrengthError, StyleError, StyleFileError, UnknownStyleError

DIGEST = "sha256:" + "1" * 64
OTHER_DIGEST = "sha256:" + "2" * 64
ROWS = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [-1, 0.25, 1e-3, 1e6]], np.float32)


def make_bank(rows: npt.NDArray[np.float32] = ROWS) -> StyleBank:
    return StyleBank([StyleInfo("red"), StyleInfo("green"), StyleInfo("blue")], rows, DIGEST)


def test_a_blend_of_one_style_is_that_style_to_the_bit() -> None:
    bank = make_bank()
    for style in bank.ids:
        assert bank.blend([(style, 0.3)]).tobytes() == bank.row(style).tobytes()


def test_a_blend_is_the_weighted_mean_of_the_rows() -> None:
    blend = make_bank().blend([("green", 1), ("red", 3)])
    assert blend.dtype == np.float32
    assert blend.tolist() == [2, 3, 4, 5]  # (5 + 3 * 1) / 4, (6 + 3 * 2) / 4, ...


def test_a_blend_takes_what_the_clients_take() -> None:
    bank, weights = make_bank(), {"green": 1.0, "red": 3.0}
    assert bank.blend("red").tobytes() == bank.row("red").tobytes()
    assert bank.blend(weights).tobytes() == bank.blend(weights.items()).tobytes()


def test_weights_are_normalized() -> None:
    bank = make_bank()
    small = bank.blend([("red", 0.1), ("green", 0.3)])
    assert np.allclose(small, bank.blend([("red", 100), ("green", 300)]), rtol=1e-6)


@given(st.lists(st.floats(0, 1e6), min_size=3, max_size=3).filter(any))
def test_a_blend_never_leaves_the_range_of_its_rows(weights: list[float]) -> None:
    blend = make_bank().blend(zip(("red", "green", "blue"), weights, strict=True))
    assert (blend >= ROWS.min(axis=0)).all()
    assert (blend <= ROWS.max(axis=0)).all()


def test_a_blend_moves_evenly_from_one_style_to_the_other() -> None:
    bank = make_bank()
    strip = [bank.blend([("red", 1 - t), ("green", t)])[0] for t in np.linspace(0, 1, 5)]
    assert np.allclose(strip, [1, 2, 3, 4, 5])


PHOTOGRAPH = np.array([3, -2, -0.0, 8], np.float32)


def with_photograph() -> StyleBank:
    return make_bank().with_style(StyleFile(StyleInfo("photograph"), PHOTOGRAPH, DIGEST))


def test_a_strength_mixes_the_photograph_with_the_blend() -> None:
    blend = with_photograph().blend([("green", 1), ("red", 3)], 0.75)
    # The blend is 2, 3, 4, 5; three quarters of it and a quarter of 3, -2, 0, 8:
    assert blend.tolist() == [2.25, 1.75, 3, 5.75]


def test_at_strength_0_the_row_is_the_photograph_to_the_bit() -> None:
    bank = with_photograph()
    for weights in ([("red", 1)], [("red", 1), ("green", 2)], [("photograph", 1), ("blue", 1)]):
        assert bank.blend(weights, 0).tobytes() == PHOTOGRAPH.tobytes()


def test_at_strength_1_nothing_changes_to_the_bit() -> None:
    for style in make_bank().ids:
        assert (
            with_photograph().blend([(style, 7)], 1).tobytes() == make_bank().row(style).tobytes()
        )
    weights = [("red", 0.1), ("green", 0.3), ("blue", 0.7)]
    shares = np.array([0.1, 0.3, 0.7]) / 1.1
    found = with_photograph().blend(weights, 1)
    assert found.tobytes() == make_bank().blend(weights).tobytes()
    np.testing.assert_allclose(found, shares @ ROWS, rtol=1e-6)


def test_a_strength_is_a_share_of_the_photograph() -> None:
    bank = with_photograph()
    named = bank.blend([("photograph", 1), ("red", 3)])
    assert bank.blend([("red", 1)], 0.75).tolist() == named.tolist()
    assert bank.blend([("photograph", 1)], 0.3).tobytes() == PHOTOGRAPH.tobytes()


def test_a_row_with_a_negative_zero_comes_back_to_the_bit() -> None:
    assert with_photograph().blend([("photograph", 1)]).tobytes() == PHOTOGRAPH.tobytes()


def test_a_style_of_the_bank_cannot_be_changed_through_what_is_blended() -> None:
    bank = with_photograph()
    with pytest.raises(ValueError, match="read-only"):
        bank.blend([("red", 1)])[:] = 0
    bank.blend([("red", 1), ("green", 1)])[:] = 0
    assert bank.row("red").tolist() == [1, 2, 3, 4]


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_further_the_strength_the_further_from_the_photograph(a: float, b: float) -> None:
    rows = [with_photograph().blend([("red", 1), ("green", 1)], s) for s in sorted((a, b))]
    near, far = (np.abs(row - PHOTOGRAPH) for row in rows)
    assert (near <= far + 1e-6).all()


def test_a_bank_without_a_photograph_has_strength_1_only() -> None:
    assert make_bank().blend([("red", 1)], 1).tolist() == [1, 2, 3, 4]
    for strength in (0, 0.5, 1 - 1e-9):
        with pytest.raises(FixedStrengthError, match="no style 'photograph'; leave the strength"):
            make_bank().blend([("red", 1)], strength)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_strength_out_of_range_is_refused(strength: float) -> None:
    for bank in (make_bank(), with_photograph()):
        with pytest.raises(StyleError, match="from 0, the photo, to 1") as error:
            bank.blend([("red", 1)], strength)
        assert not isinstance(error.value, FixedStrengthError)


def test_an_unknown_style_is_refused_even_at_strength_0() -> None:
    with pytest.raises(UnknownStyleError, match="no style 'gren'"):
        with_photograph().blend([("gren", 1)], 0)


def test_a_mistyped_style_gets_the_close_ones() -> None:
    with pytest.raises(UnknownStyleError, match=r"no style 'gren'; did you mean 'green'"):
        make_bank().blend([("gren", 1)])


def test_a_style_unlike_any_other_gets_the_list() -> None:
    with pytest.raises(UnknownStyleError, match="there are red, green, blue"):
        make_bank().row("zzz")


def test_the_list_and_the_name_are_cut_where_they_are_long() -> None:
    infos = [StyleInfo(f"style-{number}") for number in range(50)]
    bank = StyleBank(infos, np.zeros((50, 2), np.float32), DIGEST)
    with pytest.raises(UnknownStyleError, match="and 30 more") as error:
        bank.info("?" * 10_000)
    assert len(str(error.value)) < 500


def test_an_unknown_style_is_refused_even_with_weight_zero() -> None:
    with pytest.raises(UnknownStyleError):
        make_bank().blend([("red", 1), ("nobody", 0)])


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_invalid_weights_are_refused(weight: float) -> None:
    with pytest.raises(StyleError):
        make_bank().blend([("red", 1), ("green", weight)])


def test_rows_cannot_be_changed_from_outside() -> None:
    rows = ROWS.copy()
    bank = make_bank(rows)
    rows[:] = 0
    assert bank.row("red").tolist() == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="read-only"):
        bank.row("red")[0] = 9


@pytest.mark.parametrize(
    ("infos", "rows", "reason"),
    [
        ([], np.zeros((0, 2), np.float32), "at least one"),
        (["a"], np.zeros((2, 2), np.float32), "as many rows"),
        (["a", "a"], np.zeros((2, 2), np.float32), "occurs twice"),
        (["a"], np.zeros((1, 2), np.float64), "float32"),
        (["a"], np.zeros(2, np.float32), "float32"),
        (["a"], np.zeros((1, 0), np.float32), "float32"),
        (["a"], np.array([[1, np.nan]], np.float32), "row of style 'a' holds NaN"),
        (["a"], np.array([[1, np.inf]], np.float32), "row of style 'a' holds NaN or infinity"),
    ],
)
def test_a_bank_that_makes_no_sense_is_refused(
    infos: list[str], rows: npt.NDArray[np.float32], reason: str
) -> None:
    with pytest.raises(StyleError, match=reason):
        StyleBank([StyleInfo(name) for name in infos], rows, DIGEST)


def test_adding_a_style_makes_a_bank_with_one_more_and_leaves_the_old() -> None:
    bank = make_bank()
    row = np.array([9, 9, 9, 9], np.float32)
    larger = bank.with_style(StyleFile(StyleInfo("white"), row, DIGEST))
    assert larger.ids == ("red", "green", "blue", "white")
    assert larger.row("white").tolist() == [9, 9, 9, 9]
    assert larger.row("red").tolist() == [1, 2, 3, 4]
    assert bank.ids == ("red", "green", "blue")


def test_a_style_of_another_network_is_refused() -> None:
    row = np.zeros(4, np.float32)
    with pytest.raises(StyleFileError, match="belongs to network sha256:222"):
        make_bank().with_style(StyleFile(StyleInfo("white"), row, OTHER_DIGEST))


def test_a_row_of_another_size_is_refused() -> None:
    row = np.zeros(5, np.float32)
    with pytest.raises(StyleFileError, match="has 5 numbers, the network takes 4"):
        make_bank().with_style(StyleFile(StyleInfo("white"), row, DIGEST))


def test_a_style_that_is_there_already_is_refused() -> None:
    row = np.zeros(4, np.float32)
    with pytest.raises(StyleError, match="occurs twice"):
        make_bank().with_style(StyleFile(StyleInfo("red"), row, DIGEST))
