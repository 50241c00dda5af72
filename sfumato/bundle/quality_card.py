"""How good a style is: what `python -m training evaluate` measured and a server passes on."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from sfumato.bundle.style_info import is_style_id

QUALITY_KEY: Final = "quality"
"""The entry of a style's card that holds the quality."""

_LARGEST_FLOAT: Final = 3.4e38  # of float32, which the protocol carries
_LARGEST_COUNT: Final = (1 << 32) - 1


@dataclass(frozen=True)
class QualityCard:
    """Measurements of one style on photos that the training never saw; None where not measured.

    Losses and distances compare styles of one model, not models with other losses. Differences
    between pictures are root mean squares over pixels and channels; 1 is from black to white.

    Attributes:
        content_loss: mean over the photos.
        style_loss: mean over the photos.
        total_loss: mean over the photos, of what the training minimizes.
        equals_iterations: the slow baseline (L-BFGS on the pixels, same losses, 256 x 256) is at
            the same total loss after so many iterations.
        baseline_iterations: how many the baseline ran; where ``equals_iterations`` is as many,
            the style is at least that good.
        ssim: structural similarity to the photo, -1 to 1, 1 for the photo itself.
        judge_style: distance of Gram matrices to the painting, by a network that had no part in
            the training.
        judge_content: distance of features to the photo, by that network.
        shift_rms: difference that moving the photo by one pixel makes, after moving back.
        noise_rms: difference that 1 % of noise in the photo makes.
        nearest_style: id of the style of the model that paints most alike.
        nearest_style_distance: difference between what the two paint.
        photos: how many photos were painted.
        side: width and height to which they were brought, in pixels.
        speed_up_256: how many times faster one pass is than ``equals_iterations`` of the
            baseline, at 256 x 256 pixels, on the machine that evaluated the model.
        speed_up_512: the same at 512 x 512 pixels.
        speed_up_1024: the same at 1024 x 1024 pixels.
        recognized: share of the photos whose first class, by the network of ``judge_style``, is
            still among its first five after painting, 0 to 1.
        detail_kept: correlation of the gradients of picture and photo on the photo's strongest
            edges, -1 to 1.
        lattice_2: what a painted calm area repeats every 2 pixels, a root mean square in levels
            of 255.
        lattice_4: the same every 4 pixels.
        lattice_8: the same every 8 pixels.
        halo: how much brighter or darker the bright side of an edge is painted near it than far
            from it, in levels of 255.
        calm_painted: variance of the fine detail of a painted calm area by that of the painting;
            0 is unpainted.
        spectral_line: how many times the strongest line of the spectrum of a painted calm area
            stands out of what is around it; some 2 by chance.
        shift_rms_with_noise: ``shift_rms`` where the network's own noise moves along with the
            photo; None for a network without noise.
    """

    content_loss: float | None = None
    style_loss: float | None = None
    total_loss: float | None = None
    equals_iterations: float | None = None
    baseline_iterations: int | None = None
    ssim: float | None = None
    judge_style: float | None = None
    judge_content: float | None = None
    shift_rms: float | None = None
    noise_rms: float | None = None
    nearest_style: str | None = None
    nearest_style_distance: float | None = None
    photos: int | None = None
    side: int | None = None
    speed_up_256: float | None = None
    speed_up_512: float | None = None
    speed_up_1024: float | None = None
    recognized: float | None = None
    detail_kept: float | None = None
    lattice_2: float | None = None
    lattice_4: float | None = None
    lattice_8: float | None = None
    halo: float | None = None
    calm_painted: float | None = None
    spectral_line: float | None = None
    shift_rms_with_noise: float | None = None

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> "QualityCard | None":
        """Reads a style's card, from whatever program and version.

        Args:
            card: any JSON object; only the object under ``QUALITY_KEY`` matters.

        Returns:
            The quality. An entry that is missing, of a wrong type, not finite or too large for
            the protocol is None; if nothing is left, so is the whole.
        """
        entries = card.get(QUALITY_KEY)
        if not isinstance(entries, Mapping):
            return None
        known: dict[str, Any] = {
            field.name: _READERS.get(field.name, _number)(entries.get(field.name))
            for field in fields(cls)
        }
        return cls(**known) if any(value is not None for value in known.values()) else None

    def to_json(self) -> dict[str, Any]:
        """Gives the object that belongs under ``QUALITY_KEY``, without what was not measured."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    # Comparing works for integers of any size, which float() would refuse.
    return float(value) if -_LARGEST_FLOAT <= value <= _LARGEST_FLOAT else None


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= _LARGEST_COUNT else None


def _style(value: object) -> str | None:
    return value if isinstance(value, str) and is_style_id(value) else None


_READERS: Final[Mapping[str, Callable[[object], Any]]] = {
    "baseline_iterations": _count,
    "nearest_style": _style,
    "photos": _count,
    "side": _count,
}
