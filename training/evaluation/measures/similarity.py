"""Similarity to the photo: SSIM (Wang, Bovik, Sheikh, Simoncelli 2004) and PSNR."""

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure


def ssim(pictures: Tensor, photos: Tensor) -> Tensor:
    """Returns the structural similarity [N] of images [N, 3, H, W] in [0, 1], from -1 to 1.

    The mean over colour channels, with a Gaussian window of standard deviation 1.5.
    """
    values = structural_similarity_index_measure(pictures, photos, data_range=1.0, reduction="none")
    assert isinstance(values, Tensor)
    return values.reshape(-1)


def psnr(pictures: Tensor, photos: Tensor) -> Tensor:
    """Returns the peak signal-to-noise ratio [N] of images [N, 3, H, W] in [0, 1], in dB.

    At most 100 dB, which stands for equal images too.
    """
    error = (pictures - photos).square().mean(dim=(1, 2, 3))
    return (-10 * torch.log10(error.clamp(min=1e-10))).clamp(max=100)
