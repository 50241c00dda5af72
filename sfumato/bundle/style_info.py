"""What is known about one style, beside its row of numbers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sfumato.errors import StyleError

MAX_ID_LENGTH = 100
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class StyleInfo:
    """Describes the painting whose style a network has learned.

    Attributes:
        id: lower-case words joined by hyphens, at most 100 characters.
        title: title of the painting.
        artist: who painted it.
        year: when, as free text ("1889", "c. 1831").
        licence: licence of the reproduction, or why it is in the public domain.
        card: anything measured or noted about the style, in JSON types; ``QualityCard`` reads
            what was measured of its quality.

    Raises:
        StyleError: the id has another form, or a text is not text.
    """

    id: str
    title: str = ""
    artist: str = ""
    year: str = ""
    licence: str = ""
    card: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Checks the types, because the values often come from a file."""
        for name in ("id", "title", "artist", "year", "licence"):
            text = getattr(self, name)
            if not isinstance(text, str) or not _is_unicode(text):
                raise StyleError(f"the {name} of a style must be text, not {text!r}")
        if not is_style_id(self.id):
            raise StyleError(
                f"{self.id[: MAX_ID_LENGTH + 20]!r} cannot be a style id; use lower-case letters "
                f"and digits in words joined by hyphens, at most {MAX_ID_LENGTH} characters"
            )
        if not isinstance(self.card, Mapping):
            raise StyleError(f"the card of style {self.id!r} must be a mapping")

    def to_json(self) -> dict[str, Any]:
        """Gives the object that ``from_json`` reads."""
        return {**vars(self), "card": dict(self.card)}

    @classmethod
    def from_json(cls, value: object) -> "StyleInfo":
        """Reads one style; unknown keys are ignored, so that later versions may add some.

        Raises:
            StyleError: not an object, no id, or a value of the wrong type.
        """
        if not isinstance(value, Mapping) or "id" not in value:
            raise StyleError(f"a style must be an object with an id, not {str(value)[:80]}")
        names = ("id", "title", "artist", "year", "licence", "card")
        return cls(**{name: value[name] for name in names if name in value})


def _is_unicode(text: str) -> bool:
    """Whether a text has no half characters, which JSON allows and no message can carry."""
    return all(not 0xD800 <= ord(letter) < 0xE000 for letter in text)


def is_style_id(text: str) -> bool:
    """Whether a text has the form of a style's id, see ``StyleInfo``."""
    return len(text) <= MAX_ID_LENGTH and _ID.fullmatch(text) is not None
