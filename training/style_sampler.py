"""Which style each image of a batch is painted in."""

import torch
from torch import Tensor


def draw_styles(images: int, styles: int, device: torch.device | None = None) -> Tensor:
    """Draw one style index for each image of a batch, as different from another as possible.

    Every style is equally likely; none comes twice before all came once, so batches show the
    network as many styles as they can hold.
    """
    rounds = -(-images // styles)
    drawn = torch.cat([torch.randperm(styles) for _ in range(rounds)])[:images]
    return drawn.to(device)
