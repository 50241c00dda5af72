"""Doodles: each region of a picture in the style of one region of a painting.

References:
    Champandard 2016, "Semantic Style Transfer and Turning Two-Bit Doodles into Fine Artworks".
    Gatys, Ecker, Bethge, Hertzmann, Shechtman 2017, "Controlling Perceptual Factors in Neural
    Style Transfer", section 4.1: guided Gram matrices, which are used here.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from training.baselines.region_masks import RegionMask, check_covered, covers
from training.losses.gram import gram_matrix
from training.losses.style import GramStyleLoss
from training.optimize.objective import Features, Objective
from training.optimize.perceptual_objectives import style


@torch.no_grad()
def doodle_objective(
    painting: Features,
    painting_mask: RegionMask,
    canvas: Features,
    new_mask: RegionMask,
    layers: Sequence[str],
    *,
    coarse: bool = False,
) -> Objective:
    """Returns the mean over the layers, and over the places of the picture, of the style loss.

    Each region has its own Gram matrix, and counts as much as it covers of the new mask. Masks
    are shrunk to the layers by averaging, so regions blend at their borders.

    Args:
        painting: its features [1, C, h, w] by layer.
        painting_mask: its regions.
        canvas: features of any image of the size of the picture: their sizes are read.
        new_mask: the picture's regions, named as those of ``painting_mask`` (see ``align``).
        layers: which layers count.
        coarse: whether to leave a region out of the layers in which it vanishes, as at the first
            levels of a pyramid.

    Raises:
        TrainingError: a region covers less than one place of a layer, and not ``coarse``.
    """
    shares = [share for share in new_mask.shares if share]
    used = [region for region, share in enumerate(new_mask.shares) if share]
    colours = [painting_mask.colours[region] for region in used]
    objective = Objective()
    for layer in layers:
        maps = painting[layer]
        theirs = painting_mask.weights(_size(maps))[used].to(maps)  # [R, 1, h, w]
        ours = new_mask.weights(_size(canvas[layer]))[used].to(maps)
        if not coarse:
            check_covered(theirs, colours, layer, "the painting's mask")
            check_covered(ours, colours, layer, "the new mask")
        grams = [gram_matrix(maps, mask) for mask in theirs]
        loss = GramStyleLoss(torch.cat(grams))
        for region, share in enumerate(shares):
            if covers(theirs[region]) and covers(ours[region]):
                weight = share / len(layers)
                objective += style(layer, loss, ours[region, None], painting=region, weight=weight)
    return objective


def noise_of_regions(
    painting: Tensor,
    painting_mask: RegionMask,
    new_mask: RegionMask,
    size: tuple[int, int],
    generator: torch.Generator,
) -> Tensor:
    """Returns noise [1, 3, height, width] with each region's mean colour and contrast.

    Args:
        painting: [1, 3, h, w] in [0, 1].
        painting_mask: its regions.
        new_mask: the noise's regions, named as those of ``painting_mask``.
        size: height and width.
        generator: of the CPU.
    """
    grain = torch.randn(1, 3, *size, generator=generator).to(painting)
    theirs = painting_mask.weights(_size(painting)).to(painting)
    ours = new_mask.weights(size).to(painting)
    picture = torch.zeros_like(grain)
    for region, share in enumerate(new_mask.shares):
        if not share:
            continue
        inside = theirs[region].squeeze(0) > 0.5  # [h, w]
        colours = painting[0][:, inside]  # [3, P]
        mean = colours.mean(dim=1).view(1, 3, 1, 1)
        deviation = colours.std(dim=1, correction=0).view(1, 3, 1, 1)
        picture += ours[region] * (mean + deviation * grain)
    return picture.clamp(0, 1)


def _size(maps: Tensor) -> tuple[int, int]:
    return maps.shape[-2], maps.shape[-1]
