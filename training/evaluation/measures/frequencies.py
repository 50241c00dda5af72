"""The share of the finest frequencies, which a checkerboard of single pixels would raise."""

import torch
from torch import Tensor


def finest_share(images: Tensor) -> Tensor:
    """Returns the energy [N] of ``images`` [N, 3, H, W] within 1/16 of the highest frequencies.

    In per mille of the energy of the grey picture without its mean; 0 for a flat one.
    """
    grey = images.mean(dim=1)  # [N, H, W]
    energy = torch.fft.fft2(grey - grey.mean(dim=(1, 2), keepdim=True)).abs().square()
    h, w = grey.shape[1:]
    rows = (torch.fft.fftfreq(h, device=images.device).abs() > 0.5 * 15 / 16)[:, None]
    columns = (torch.fft.fftfreq(w, device=images.device).abs() > 0.5 * 15 / 16)[None, :]
    fine = (energy * (rows | columns)).sum(dim=(1, 2))
    share: Tensor = 1000 * fine / energy.sum(dim=(1, 2)).clamp(min=1e-12)
    return share
