"""Region masks: pictures whose colours name regions, as in neural doodles.

Champandard 2016, "Semantic Style Transfer and Turning Two-Bit Doodles into Fine Artworks".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from training.errors import TrainingError

_NOISE: Final = 0.1
"""Colours of one region differ by less where there is noise: JPEG, scanners."""

_SAME: Final = 0.25
"""Colours of one region in two masks differ by less, and by less than half of what the known
colours differ by. Distances are Euclidean, RGB in [0, 1]."""

_SMALLEST_REGION: Final = 0.001
"""Share of the mask; what is smaller is taken for noise."""

_SPECKS_OF_NOISE: Final = 0.05
"""Share of the noise up to which neighbours of one colour in it are accidents."""

_MOST_REGIONS: Final = 24

_ASPECT_TOLERANCE: Final = 0.03

_ROUNDING: Final = 1e-3
"""Of a level of 8 bits: what is farther from each of them is one of 16 bits."""

Colour = tuple[float, ...]
"""Red, green and blue, and perhaps opacity, in [0, 1]."""


@dataclass(frozen=True)
class RegionMask:
    """Which region each pixel belongs to.

    Attributes:
        colours: of the regions.
        labels: index into ``colours`` of each pixel, [H, W].
    """

    colours: tuple[Colour, ...]
    labels: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.labels.shape[0], self.labels.shape[1]

    @property
    def shares(self) -> list[float]:
        """How much of the mask each region covers; they sum to 1."""
        counts = torch.bincount(self.labels.flatten(), minlength=len(self.colours))
        shares: list[float] = (counts / self.labels.numel()).tolist()
        return shares

    def describe(self) -> str:
        """Names the regions and what each covers."""
        named = zip(self.colours, self.shares, strict=True)
        return ", ".join(f"{name_of(colour)} {share:.1%}" for colour, share in named if share)

    def weights(self, size: tuple[int, int]) -> Tensor:
        """Returns each region's share of each pixel [R, 1, h, w] at ``size`` (height, width).

        At each place they sum to 1: on a border between regions, both have a part.
        """
        regions = F.one_hot(self.labels, len(self.colours)).permute(2, 0, 1).float()  # [R, H, W]
        return shrink(regions[:, None], size)


def read_regions(mask: Tensor) -> RegionMask:
    """Finds the regions of a mask: colours that cover areas, not just borders or specks.

    Flat areas of exact colours are regions, however little these differ. Where there is noise, as
    in a JPEG, similar colours are one region. Borders may be smooth: each pixel belongs to the
    nearest colour.

    Args:
        mask: [1, 3, H, W] in [0, 1], or [1, 4, H, W] with the opacity.

    Raises:
        TrainingError: it has more than 24 such colours, as a photo has.
    """
    colours = _areas(mask)
    if len(colours) > _MOST_REGIONS:
        raise TrainingError(
            f"a mask has more than {_MOST_REGIONS} colours, as a photo has: paint it in a few "
            "flat colours, one for each kind of region"
        )
    return RegionMask(tuple(tuple(c.tolist()) for c in colours), _nearest(mask, colours))


def align(new: RegionMask, known: RegionMask) -> RegionMask:
    """Names the regions of ``new`` by the colours of ``known``.

    Raises:
        TrainingError: ``new`` has a colour that ``known`` lacks.
    """
    known_colours = _with_opacity(known.colours)
    distances = torch.cdist(_with_opacity(new.colours), known_colours)  # [new, known]
    apart = torch.cdist(known_colours, known_colours).fill_diagonal_(math.inf).amin(dim=1)
    for index, (distance, place) in enumerate(zip(*distances.min(dim=1), strict=True)):
        if distance > min(_SAME, apart[place] / 2):
            raise TrainingError(
                f"the new mask has the colour {name_of(new.colours[index])} "
                f"({new.shares[index]:.1%} of it), "
                "but the painting's mask has only "
                f"{', '.join(map(name_of, known.colours))}: use those"
            )
    return RegionMask(known.colours, distances.argmin(dim=1)[new.labels])


def check_proportions(mask: RegionMask, picture: Tensor, what: str) -> None:
    """Refuses a mask of other proportions than ``picture`` [1, 3, H, W]; sizes may differ.

    Raises:
        TrainingError: the proportions differ by more than 3 %; it names ``what`` the picture is.
    """
    height, width = mask.shape
    its_height, its_width = picture.shape[-2:]
    if abs(math.log((width / height) / (its_width / its_height))) > _ASPECT_TOLERANCE:
        raise TrainingError(
            f"the mask has {width} × {height} pixels, but {what} {its_width} × {its_height}: "
            "give a mask of the same proportions"
        )


def check_covered(mask: Tensor, colours: Sequence[Colour], layer: str, where: str) -> None:
    """Refuses a region that covers less than one place of a layer.

    Args:
        mask: weights [R, 1, h, w] at the layer's size.
        colours: of the regions.
        layer: name of the layer.
        where: which mask it is.

    Raises:
        TrainingError: a region vanishes.
    """
    for colour, region in zip(colours, mask, strict=True):
        if not covers(region):
            height, width = mask.shape[-2:]
            raise TrainingError(
                f"the region {name_of(colour)} of {where} covers only {region.sum():.2f} of the "
                f"{width} × {height} places of {layer}: enlarge it, give a larger --size, or "
                f"leave {layer} out of --style-layers"
            )


def covers(region: Tensor) -> bool:
    """Says whether the weights [1, h, w] of a region amount to one place or more."""
    return region.sum().item() >= 1


def shrink(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Returns ``mask`` [R, 1, H, W] at ``size``: the mean over the pixels that fall together."""
    return F.interpolate(mask, size, mode="area")


def name_of(colour: Colour) -> str:
    """Returns #rrggbb, the number of a grey of 16 bits, or what its opacity makes of it."""
    if len(colour) == 4:
        return "transparent" if colour[3] < 0.5 else name_of(colour[:3])
    levels = [255 * each for each in colour]
    if max(abs(level - round(level)) for level in levels) > _ROUNDING:
        return f"{round(65535 * colour[0])} of 65535"
    return "#" + "".join(f"{round(level):02x}" for level in levels)


def _areas(mask: Tensor) -> Tensor:
    """Returns the colours [R, C] of areas: exact ones first, then the means of noisy ones."""
    pixels = mask.squeeze(0).flatten(1).T  # [P, C]
    exact, flat = _exact(mask).flatten(), _flat(mask).flatten()
    smallest = max(1.0, _SMALLEST_REGION * len(pixels))
    colours = _exact_colours(pixels[exact], pixels[~exact], smallest)
    rest = pixels[flat] if flat.any() else pixels
    for colour in colours:
        rest = rest[(rest - colour).norm(dim=1) >= _NOISE]
    noisy: list[tuple[int, Tensor]] = []
    while len(rest) >= smallest and len(colours) + len(noisy) <= _MOST_REGIONS:
        close = (rest - _commonest(rest)).norm(dim=1) < _NOISE
        if (count := int(close.sum())) < smallest:
            break
        noisy.append((count, (rest[close].mean(dim=0) * 255).round() / 255))
        rest = rest[~close]
    if len(colours) + len(noisy) <= _MOST_REGIONS:
        specks = _SPECKS_OF_NOISE * (~exact & ~flat).sum().item()
        noisy = [each for each in noisy if each[0] >= specks] or noisy[: not colours]
    return torch.stack([*colours, *(colour for _, colour in noisy)])


def _exact_colours(pixels: Tensor, noise: Tensor, smallest: float) -> list[Tensor]:
    """Returns the colours [C] of ``pixels`` [P, C] that cover more than the noise around them.

    Noise makes many colours, of which few have neighbours of their own.
    """
    channels = 65536 ** torch.arange(pixels.shape[1])  # an integer for each colour sorts quickly
    found, counts = torch.unique((pixels * 65535).round().long() @ channels, return_counts=True)
    counts, order = counts.sort(descending=True)
    order = order[counts >= smallest][: 2 * _MOST_REGIONS]
    colours = (found[order, None] // channels % 65536).float() / 65535
    return [
        colour
        for colour, count in zip(colours, counts.tolist(), strict=False)
        if count >= ((noise - colour).norm(dim=1) < _NOISE).sum()
    ]


def _flat(mask: Tensor) -> Tensor:
    """Says where [H, W] the 3 × 3 neighbourhood has one colour: inside regions, not on borders."""
    padded = F.pad(mask, (1, 1, 1, 1), mode="replicate")
    spread = F.max_pool2d(padded, 3, 1) + F.max_pool2d(-padded, 3, 1)  # largest − smallest
    return (spread.amax(dim=1) < _NOISE).squeeze(0)


def _exact(mask: Tensor) -> Tensor:
    """Says where [H, W] a pixel is one of 2 × 2 of the very same colour."""
    same = F.max_pool2d(mask, 2, 1) == -F.max_pool2d(-mask, 2, 1)
    squares = F.pad(same.all(dim=1).float(), (1, 1, 1, 1))  # by their upper left pixels
    return F.max_pool2d(squares, 2, 1).squeeze(0) > 0


def _commonest(colours: Tensor) -> Tensor:
    """Returns the mean [C] of the fullest of 16 bins per channel of ``colours`` [P, C]."""
    bins = (colours * 15).round().long() @ (16 ** torch.arange(colours.shape[1]))
    return colours[bins == torch.bincount(bins).argmax()].mean(dim=0)


def _nearest(mask: Tensor, colours: Tensor) -> Tensor:
    """Returns the index [H, W] of the colour of ``colours`` [R, C] nearest to each pixel."""
    pixels = mask.squeeze(0).permute(1, 2, 0)  # [H, W, C]
    distances = torch.stack([(pixels - colour).norm(dim=2) for colour in colours])
    return distances.argmin(dim=0)


def _with_opacity(colours: Sequence[Colour]) -> Tensor:
    """Returns the colours [R, 4]: what says nothing of its opacity is opaque."""
    return torch.tensor([(*colour, 1.0)[:4] for colour in colours])
