"""Gram matrix of features (Gatys, Ecker, Bethge 2016, eq. 3; normalization of Johnson 2016)."""

from typing import Any

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Returns ``x`` in float32, or in float64 if it comes so: half-precision sums overflow."""
    return x if x.dtype == torch.float64 else x.float()


def gram_matrix(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """Returns the Gram matrices [N, C, C] of ``features`` [N, C, H, W], divided by C·H·W.

    Always float32 at least, whatever the autocast: half-precision sums over H·W overflow.

    Args:
        features: maps of one layer.
        mask: weights in [0, 1], broadcastable to [N, 1, H, W]: each position counts as much as
            its weight, and H·W becomes the sum of the weights. A mask of ones changes nothing; a
            binary mask gives the Gram matrix of the region (Champandard 2016, section 3).
    """
    n, c, h, w = features.shape
    with torch.autocast(features.device.type, enabled=False):
        flat = at_least_float32(features).reshape(n, c, h * w)  # [N, C, H·W]
        if mask is None:
            product: Tensor = _GramProduct.apply(flat)
            return product / (c * h * w)
        weights = mask.to(flat.dtype).expand(n, 1, h, w).reshape(n, 1, h * w)  # [N, 1, H·W]
        area = weights.sum(dim=2, keepdim=True).clamp(min=1e-12)  # [N, 1, 1]
        return (flat * weights) @ flat.transpose(1, 2) / (c * area)


class _GramProduct(torch.autograd.Function):
    """F·Fᵀ with the gradient (D + Dᵀ)·F: one product of F's size where autograd makes two.

    Half the time of a style loss's backward pass, measured from 16 to 256 channels.
    """

    @staticmethod
    def forward(ctx: Any, flat: Tensor) -> Tensor:
        """Multiplies ``flat`` [N, C, H·W] to [N, C, C]."""
        ctx.save_for_backward(flat)
        return flat @ flat.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Takes D [N, C, C] back to [N, C, H·W]."""
        flat: Tensor
        (flat,), (gradient,) = ctx.saved_tensors, gradients
        return (gradient + gradient.transpose(1, 2)) @ flat
