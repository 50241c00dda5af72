import pytest

from sfumato.errors import StyleError
from sfumato.video.style_fade import StyleFade, StyleKey


def fade(*texts: str, duration: float | None = None) -> StyleFade:
    return StyleFade([StyleKey.parse(text) for text in texts], duration)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("munch-scream", StyleKey("munch-scream")),
        ("munch-scream=0.3", StyleKey("munch-scream", 0.3)),
        ("munch-scream@2.5", StyleKey("munch-scream", at=2.5)),
        ("munch-scream=2@10s", StyleKey("munch-scream", 2, 10)),
        ("munch-scream@50%", StyleKey("munch-scream", at=0.5, is_share=True)),
    ],
)
def test_a_key_is_a_style_a_weight_and_a_time(text: str, key: StyleKey) -> None:
    assert StyleKey.parse(text) == key


@pytest.mark.parametrize("text", ["", "@3", "a=x", "a@x", "a@-1", "a@101%", "a@inf", "a@nan"])
def test_anything_else_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(StyleError, match="munch-scream@10s"):
        StyleKey.parse(text)


def test_styles_without_times_are_one_blend_throughout() -> None:
    styles = fade("a=1", "b=3")
    assert styles.shares(0) == styles.shares(1000) == {"a": 0.25, "b": 0.75}


def test_one_style_turns_into_the_other_on_a_straight_line() -> None:
    styles = fade("a@2", "b@4")
    assert styles.shares(0) == styles.shares(2) == {"a": 1}
    assert styles.shares(2.5) == {"a": 0.75, "b": 0.25}
    assert styles.shares(4) == styles.shares(9) == {"b": 1}


def test_a_style_without_a_time_is_that_of_the_beginning() -> None:
    assert fade("a", "b@10").shares(5) == {"a": 0.5, "b": 0.5}


def test_the_order_of_the_keys_does_not_matter() -> None:
    assert fade("b@10", "a@0").shares(1) == fade("a@0", "b@10").shares(1)


def test_blends_turn_into_blends_and_their_shares_sum_to_one() -> None:
    shares = fade("a=1@0", "b=1@0", "b=1@10", "c=3@10").shares(5)
    assert shares == pytest.approx({"a": 0.25, "b": 0.375, "c": 0.375})


def test_shares_of_the_duration_become_seconds() -> None:
    assert fade("a@0%", "b@100%", duration=8).shares(2) == {"a": 0.75, "b": 0.25}


def test_a_share_of_an_unknown_duration_is_an_error() -> None:
    with pytest.raises(StyleError, match="give the time of b in seconds"):
        fade("a", "b@50%")


def test_a_style_twice_at_one_time_is_an_error() -> None:
    with pytest.raises(StyleError, match="named twice"):
        fade("a@1", "a@1s")
