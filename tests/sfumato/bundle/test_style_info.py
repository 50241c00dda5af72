"""The description of a style."""

import pytest

from sfumato.bundle.style_info import StyleInfo
from sfumato.errors import StyleError


@pytest.mark.parametrize("name", ["a", "munch-scream", "2001", "a-1-b", "x" * 100])
def test_words_joined_by_hyphens_are_an_id(name: str) -> None:
    assert StyleInfo(name).id == name


@pytest.mark.parametrize(
    "name",
    ["", "A", "a_b", "a b", "-a", "a-", "a--b", "ä", "a/b", "..", "a\n", "a=1", "x" * 101],
)
def test_anything_else_is_not(name: str) -> None:
    with pytest.raises(StyleError, match="cannot be a style id"):
        StyleInfo(name)


def test_json_and_back_is_the_same_style() -> None:
    info = StyleInfo("munch-scream", "Skrik", "Edvard Munch", "1893", "public domain", {"n": 1.5})
    assert StyleInfo.from_json(info.to_json()) == info


def test_keys_of_a_later_version_are_ignored() -> None:
    assert StyleInfo.from_json({"id": "a", "mood": "blue"}) == StyleInfo("a")


@pytest.mark.parametrize("value", [None, [], "a", {}, {"id": 1}, {"id": "a", "title": None}])
def test_a_value_of_the_wrong_type_is_refused(value: object) -> None:
    with pytest.raises(StyleError, match="must be"):
        StyleInfo.from_json(value)


def test_a_card_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(StyleError, match="card of style 'a' must be a mapping"):
        StyleInfo.from_json({"id": "a", "card": [1]})


def test_half_a_character_is_no_text() -> None:
    """JSON may hold it; no message of the protocol can."""
    with pytest.raises(StyleError, match=r"the title of a style must be text, not '\\ud800'"):
        StyleInfo.from_json({"id": "a", "title": "\ud800"})
    assert StyleInfo("a", title="La Joconde \U0001f5bc").title.endswith("\U0001f5bc")
