"""Reflection padding that keeps the number format."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def reflection_pad(x: Tensor, pixels: int) -> Tensor:
    """Mirrors ``x`` [N, C, H, W] at its edges: [N, C, H + 2 · pixels, W + 2 · pixels].

    On a CPU autocast would have maps padded in float32: two conversions per layer for nothing,
    since padding only copies.
    """
    around = (pixels, pixels, pixels, pixels)
    if not torch.is_autocast_enabled(x.device.type):
        return F.pad(x, around, mode="reflect")
    with torch.autocast(x.device.type, enabled=False):
        return F.pad(x, around, mode="reflect")


class ReflectedConvolution(nn.Conv2d):
    """A convolution behind reflection padding by half its kernel, which must be odd."""

    def __init__(
        self, c_in: int, c_out: int, kernel: int, *, stride: int = 1, bias: bool = True
    ) -> None:
        """Convolves ``c_in`` to ``c_out`` channels."""
        super().__init__(c_in, c_out, kernel, stride, bias=bias)
        self.reach = kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``x`` [N, c_in, H, W] to [N, c_out, H / stride, W / stride]."""
        if not torch.is_autocast_enabled(x.device.type):  # which chooses the format itself
            x = x.to(self.weight.dtype)
        result: Tensor = super().forward(reflection_pad(x, self.reach))
        return result
