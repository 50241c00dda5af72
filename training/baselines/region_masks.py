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
"""Colours of one region differ by less: JPEG, scanners."""

_SAME: Final = 0.25
"""Colours of one region in two masks differ by less. Distances are Euclidean, RGB in [0, 1]."""

_SMALLEST_REGION: Final = 0.001
"""Share of the mask; what is smaller is taken for noise."""

_MOST_REGIONS: Final = 24

_ASPECT_TOLERANCE: Final = 0.03

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class RegionMask:
    """Which region each pixel belongs to.

    Attributes:
        colours: of the regions, RGB in [0, 1].
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

    def weights(self, size: tuple[int, int]) -> Tensor:
        """Returns each region's share of each pixel [R, 1, h, w] at ``size`` (height, width).

        At each place they sum to 1: on a border between regions, both have a part.
        """
        regions = F.one_hot(self.labels, len(self.colours)).permute(2, 0, 1).float()  # [R, H, W]
        return shrink(regions[:, None], size)


def read_regions(mask: Tensor) -> RegionMask:
    """Finds the regions of a mask: colours that cover areas, not just borders or specks.

    Borders may be smooth and a JPEG may have noise: each pixel belongs to the nearest colour.

    Args:
        mask: [1, 3, H, W] in [0, 1].

    Raises:
        TrainingError: it has more than 24 such colours, as a photo has.
    """
    colours = _areas(mask)
    if len(colours) > _MOST_REGIONS:
        raise TrainingError(
            f"a mask has more than {_MOST_REGIONS} colours, as a photo has: paint it in a few "
            "flat colours, one for each kind of region"
        )
    return RegionMask(tuple(_as_colour(c) for c in colours), _nearest(mask, colours))


def align(new: RegionMask, known: RegionMask) -> RegionMask:
    """Names the regions of ``new`` by the colours of ``known``.

    Raises:
        TrainingError: ``new`` has a colour that ``known`` lacks.
    """
    known_colours = torch.tensor(known.colours)
    distances = torch.cdist(torch.tensor(new.colours), known_colours)  # [new, known]
    for index, nearest in enumerate(distances.amin(dim=1).tolist()):
        if nearest > _SAME:
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
    """Returns #rrggbb."""
    return "#" + "".join(f"{round(255 * each):02x}" for each in colour)


def _areas(mask: Tensor) -> Tensor:
    """Returns the colours [R, 3] of areas, the largest first."""
    inner = mask.squeeze(0).flatten(1).T[_flat(mask).flatten()]  # [P, 3]
    if not len(inner):
        inner = mask.squeeze(0).flatten(1).T
    smallest = max(1.0, _SMALLEST_REGION * len(inner))
    colours: list[Tensor] = []
    while len(inner) >= smallest and len(colours) <= _MOST_REGIONS:
        colour = _commonest(inner)
        close = (inner - colour).norm(dim=1) < _NOISE
        if close.sum() < smallest:
            break
        colours.append(inner[close].mean(dim=0))
        inner = inner[~close]
    return torch.stack(colours)


def _flat(mask: Tensor) -> Tensor:
    """Says where [H, W] the 3 × 3 neighbourhood has one colour: inside regions, not on borders."""
    padded = F.pad(mask, (1, 1, 1, 1), mode="replicate")
    spread = F.max_pool2d(padded, 3, 1) + F.max_pool2d(-padded, 3, 1)  # largest − smallest
    return (spread.amax(dim=1) < _NOISE).squeeze(0)


def _commonest(colours: Tensor) -> Tensor:
    """Returns the mean [3] of the fullest of 16³ bins of ``colours`` [P, 3]."""
    bins = (colours * 15).round().long() @ torch.tensor([256, 16, 1])
    return colours[bins == torch.bincount(bins).argmax()].mean(dim=0)


def _nearest(mask: Tensor, colours: Tensor) -> Tensor:
    """Returns the index [H, W] of the colour of ``colours`` [R, 3] nearest to each pixel."""
    pixels = mask.squeeze(0).permute(1, 2, 0)  # [H, W, 3]
    distances = torch.stack([(pixels - colour).norm(dim=2) for colour in colours])
    return distances.argmin(dim=0)


def _as_colour(colour: Tensor) -> Colour:
    red, green, blue = colour.tolist()
    return red, green, blue
