"""Frequencies of a picture: a checkerboard of single pixels, and lines of any period."""

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

_BLOCK: Final = 128
_STEP: Final = 32
"""Pixels. Of white noise, the strongest bin is then twice its surroundings, by chance."""

_LOBE: Final = 2
"""Bins on each side over which the window spreads a line."""

_AROUND: Final = 4
_HIGH: Final = 0.9
"""Strokes of one direction are a ridge of the spectrum: more than a tenth of the bins around."""

_FAINT: Final = 1.0
"""Levels. What white noise of this deviation would cover is no line that anybody sees."""


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


def spectral_line(details: Tensor) -> float:
    """Returns how many times the strongest line of the spectrum stands out of what is around it.

    Power at a frequency by what nine tenths of the frequencies 3 and 4 bins away do not exceed:
    about 2 for anything irregular, 1 for nothing at all.

    Args:
        details: [1, 1, h, w] in levels, 128 pixels a side or more.
    """
    power = power_spectrum(details) + _FAINT**2
    side = 2 * _AROUND + 1
    around = torch.ones(side, side, dtype=torch.bool, device=power.device)
    inner = slice(_AROUND - _LOBE, _AROUND + _LOBE + 1)
    around[inner, inner] = False
    padded = F.pad(power[None, None], (_AROUND,) * 4, mode="circular")
    neighbours = F.unfold(padded, side)[0, around.flatten()]  # [56, 128²]
    return float((power.flatten() / neighbours.quantile(_HIGH, dim=0)).max())


def power_spectrum(details: Tensor) -> Tensor:
    """Returns the power [128, 128] of ``details`` [1, 1, h, w] by frequency, that of 0 first.

    The mean over blocks that overlap, under Hann's window (Welch 1967, "The Use of Fast Fourier
    Transform for the Estimation of Power Spectra"); white noise has its variance everywhere.
    """
    hann = torch.hann_window(_BLOCK, device=details.device)
    window = hann[:, None] * hann
    blocks = details[0, 0].unfold(0, _BLOCK, _STEP).unfold(1, _BLOCK, _STEP)
    power: Tensor = torch.fft.fft2(blocks * window).abs().square().mean(dim=(0, 1))
    return power / window.square().sum()
