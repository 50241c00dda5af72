"""Gram matrix of features (Gatys, Ecker, Bethge 2016, eq. 3; normalization of Johnson 2016)."""

import torch
from torch import Tensor


def gram_matrix(features: Tensor) -> Tensor:
    """Returns the Gram matrices [N, C, C] of ``features`` [N, C, H, W], divided by C·H·W.

    Always float32, whatever the autocast: half-precision sums over H·W overflow.
    """
    n, c, h, w = features.shape
    with torch.autocast(features.device.type, enabled=False):
        flat = features.float().reshape(n, c, h * w)  # [N, C, H·W]
        return flat @ flat.transpose(1, 2) / (c * h * w)
