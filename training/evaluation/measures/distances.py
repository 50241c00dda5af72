"""Distances between what the styles of a model paint."""

from collections.abc import Sequence

import torch
from torch import Tensor


def pairwise_rms(painted: Sequence[Tensor]) -> Tensor:
    """Returns the root mean square difference [S, S] between what S styles paint.

    Args:
        painted: one tensor of bytes [N, 3, H, W] per style, of the same photos.

    Returns:
        Over all photos, pixels and channels; 1 is from black to white.
    """
    distances = torch.zeros(len(painted), len(painted))
    for row, mine in enumerate(painted):
        for column in range(row):
            difference = mine.float() - painted[column].float()
            distance = difference.square().mean().sqrt() / 255
            distances[row, column] = distances[column, row] = distance
    return distances


def nearest(distances: Tensor, style: int, among: Sequence[int]) -> int | None:
    """Returns which of the styles ``among`` is nearest to ``style``; None if there is no other."""
    others = [other for other in among if other != style]
    return min(others, key=lambda other: float(distances[style, other]), default=None)
