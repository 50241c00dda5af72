"""Which style each image of a batch is painted in."""

import torch
from torch import Tensor


def draw_styles(images: int, styles: int, rank: int = 0, world_size: int = 1) -> Tensor:
    """Draws one style index for each of ``images`` photos, [images].

    Every style is equally likely; none comes twice before all came once, over all the processes
    of a step: processes that were seeded alike draw the same order and take their own part of it.
    """
    rounds = -(-images * world_size // styles)
    order = torch.cat([torch.randperm(styles) for _ in range(rounds)])
    return order[rank * images : (rank + 1) * images]
