"""How alike pictures are: SSIM (Wang, Bovik, Sheikh, Simoncelli 2004), PSNR and RMS."""

from collections.abc import Sequence

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
