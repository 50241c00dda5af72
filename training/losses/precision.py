"""The number format in which losses are computed."""

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Returns ``x`` in float32, or in float64 if it comes so: half-precision sums overflow."""
    return x if x.dtype == torch.float64 else x.float()
