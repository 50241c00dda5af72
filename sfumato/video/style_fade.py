"""Styles that change over the time of a video: key times, and a linear blend between them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sfumato.bundle.blend_weights import normalize_weights
from sfumato.errors import StyleError


@dataclass(frozen=True)
class StyleKey:
    """A style at a point of the video.

    Attributes:
        style: its id.
        weight: its weight among the styles of the same point.
        at: seconds from the beginning, or a share of the duration; not negative.
        is_share: whether ``at`` is a share, 0 to 1.
    """

    style: str
    weight: float = 1.0
    at: float = 0.0
    is_share: bool = False

    @classmethod
    def parse(cls, text: str) -> "StyleKey":
        """Reads ``STYLE[=WEIGHT][@TIME]``; TIME is seconds (``10`` or ``10s``) or ``50%``.

        Raises:
            StyleError: it is not of that form.
        """
        styled, _, time = text.partition("@")
        style, equals, weight = styled.partition("=")
        try:
            is_share = time.endswith("%")
            at = float(time.rstrip("%s") or 0) / (100 if is_share else 1)
            key = cls(style, float(weight) if equals else 1.0, at, is_share)
        except ValueError:
            key = cls("")
        if not key.style or not 0 <= key.at < math.inf or (key.is_share and key.at > 1):
            raise StyleError(
                f"{text!r} is not STYLE, STYLE=WEIGHT or either with @TIME, such as "
                "munch-scream@10s or munch-scream@50%"
            )
        return key


class StyleFade:
    """The blend at every point of a video."""

    def __init__(self, keys: Sequence[StyleKey], duration: float | None = None) -> None:
        """Puts the styles of the same point together.

        Args:
            keys: at least one, in any order.
            duration: of the video in seconds; needed where a point is a share of it.

        Raises:
            StyleError: weights that cannot be blended, or a share of an unknown duration.
        """
        points: dict[float, list[tuple[str, float]]] = {}
        for key in keys:
            points.setdefault(_seconds(key, duration), []).append((key.style, key.weight))
        self._points = [(at, normalize_weights(points[at])) for at in sorted(points)]

    def shares(self, seconds: float) -> dict[str, float]:
        """Gives the share of each style at a time.

        Between two points it is on the straight line, before the first and after the last as there.
        """
        before = [point for point in self._points if point[0] <= seconds]
        after = [point for point in self._points if point[0] > seconds]
        if not before or not after:
            return dict(before[-1][1] if before else after[0][1])
        (left, from_shares), (right, to_shares) = before[-1], after[0]
        return _between(from_shares, to_shares, (seconds - left) / (right - left))


def _between(start: Mapping[str, float], end: Mapping[str, float], way: float) -> dict[str, float]:
    """Mixes two blends; ``way`` is 0 at the start and 1 at the end."""
    mixed = {style: (1 - way) * share for style, share in start.items()}
    for style, share in end.items():
        mixed[style] = mixed.get(style, 0.0) + way * share
    return {style: share for style, share in mixed.items() if share > 0}


def _seconds(key: StyleKey, duration: float | None) -> float:
    if not key.is_share:
        return key.at
    if duration is None:
        raise StyleError(
            f"the video does not say how long it is; give the time of {key.style} in seconds"
        )
    return key.at * duration
