"""Pictures and styles on which an exported graph is compared with its network.

Noise alone is not enough: every channel of it varies, and has all colours. What people draw has
channels that are the same everywhere, two colours, or a smooth gradient, and there a small number
that is lost or rounded decides about the whole picture.
"""

from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor

from training.networks.transformation_network import TransformationNetwork

NOISE_SIZES: Final = (
    *((16, 16), (16, 17), (19, 16), (21, 31), (33, 64), (37, 50), (64, 64), (97, 101)),
    *((128, 192), (101, 255), (255, 128), (67, 301), (256, 256), (18, 400)),
)
"""Heights and widths of the noise: every remainder by four, both orientations."""

NOISE_BATCHES: Final = (1, 3)
"""Batch sizes of the noise; each image of a batch has a blend of its own."""

DRAWN_SIZES: Final = ((16, 16), (17, 16), (37, 50), (64, 96))

FLAT_SIZE: Final = (256, 256)
"""A large channel that is the same everywhere shows how exactly means are computed."""

PHOTO_SHARES: Final = (1.0, 0.9, 0.5, 0.0)
"""Shares of ``photograph`` with which each drawn picture is painted."""

_WHITE, _BLUE, _RED, _ODD = (255, 255, 255), (0, 0, 255), (255, 0, 0), (13, 77, 201)


def check_cases(network: TransformationNetwork, rows: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields images uint8 [N, H, W, 3] with styles [N, P], always the same ones.

    Args:
        network: has the row of the photo itself.
        rows: style rows [S, P].
    """
    generator = torch.Generator().manual_seed(0)
    yield from _noise(rows.float(), generator)
    photograph = network.photograph_style()
    for size in (*DRAWN_SIZES, FLAT_SIZE):
        images = _flat(size) if size == FLAT_SIZE else _drawn(size, generator)
        for share in PHOTO_SHARES:
            first = int(torch.randint(len(rows), (1,), generator=generator))
            painting = rows.float()[(torch.arange(len(images)) + first) % len(rows)]
            yield images, share * photograph + (1 - share) * painting


def _noise(rows: Tensor, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    for height, width in NOISE_SIZES:
        for batch in NOISE_BATCHES:
            shape = (batch, height, width, 3)
            image = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
            shares = torch.rand(batch, len(rows), generator=generator) ** 4
            yield image, (shares / shares.sum(dim=1, keepdim=True)) @ rows


def _drawn(size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Returns what has a flat channel, two colours, a saturated one or a gradient [N, H, W, 3]."""
    height, width = size
    drawing = gradient(size, _WHITE, _WHITE)
    drawing[height // 4 : height // 2, width // 4 : width // 2] = torch.tensor(_RED)
    noise = torch.randint(0, 256, (height, width, 3), generator=generator, dtype=torch.uint8)
    noise[..., 1] = 77
    gradients = (gradient(size, _BLUE, _WHITE), gradient(size, (0, 0, 0), _WHITE))
    return torch.cat([_flat(size), torch.stack([drawing, noise, *gradients])])


def _flat(size: tuple[int, int]) -> Tensor:
    """Returns pictures of one colour each [N, H, W, 3]."""
    return torch.stack([gradient(size, colour, colour) for colour in (_WHITE, _RED, _ODD)])


def gradient(
    size: tuple[int, int], left: tuple[int, int, int], right: tuple[int, int, int]
) -> Tensor:
    """Returns a picture uint8 [H, W, 3] that goes from one colour to another."""
    height, width = size
    share = torch.linspace(0, 1, width)[:, None]
    line = (1 - share) * torch.tensor(left) + share * torch.tensor(right)  # [W, 3]
    return line.round().to(torch.uint8).expand(height, width, 3).clone()
