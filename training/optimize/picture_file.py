"""Pictures in and out of the optimizations."""

import io
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from sfumato.errors import ImageError
from sfumato.files.atomic import write_file
from training.data.image_file import read_photo
from training.errors import TrainingError
from training.optimize.failures import OptimizationError


def read_picture(path: Path, size: int | None = None) -> Tensor:
    """Returns an image file as [1, 3, H, W] in [0, 1], perhaps resized.

    Args:
        path: an image file.
        size: longer side in pixels, to which it is reduced or enlarged; None keeps its size.

    Raises:
        TrainingError: no such file, or not an image.
    """
    try:
        levels = read_photo(path).rgb  # [H, W, 3]
    except (ImageError, OSError) as error:
        raise TrainingError(f"{str(path)!r} cannot be read: {error}") from error
    if size is not None and max(levels.shape) >= 4 * size:
        # Large scans: as bytes to twice the size at least, because as floats they fill memory.
        levels = np.asarray(Image.fromarray(levels).reduce(max(levels.shape) // (2 * size)))
    image = torch.tensor(levels).permute(2, 0, 1)[None].float() / 255
    return image if size is None else resize(image, fit(image.shape[-2:], size))


def fit(shape: tuple[int, ...], longer_side: int) -> tuple[int, int]:
    """Returns height and width of the same proportions, the longer ``longer_side`` pixels."""
    height, width = shape[-2:]
    scale = longer_side / max(height, width)
    return max(1, round(scale * height)), max(1, round(scale * width))


def resize(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes ``image`` [N, C, H, W] in [0, 1] to ``size`` (height, width), antialiased."""
    if tuple(image.shape[-2:]) == size:
        return image
    return F.interpolate(image, size, mode="bicubic", antialias=True).clamp(0, 1)


def resize_tile(image: Tensor, size: tuple[int, int], border: int = 4) -> Tensor:
    """Resizes a tile [N, C, H, W] in [0, 1] to whole multiples: its opposite edges still fit."""
    around = F.pad(image, (border,) * 4, mode="circular")
    factors = [new // old for new, old in zip(size, image.shape[-2:], strict=True)]
    height, width = (f * side for f, side in zip(factors, around.shape[-2:], strict=True))
    top, left = (border * factor for factor in factors)
    return resize(around, (height, width))[..., top : top + size[0], left : left + size[1]]


def write_picture(path: Path, image: Tensor) -> None:
    """Writes ``image`` [1, 3, H, W] or [3, H, W] in [0, 1]; the suffix decides the format.

    The file appears whole or not at all.
    """
    pixels = image.detach().reshape(-1, *image.shape[-2:]).permute(1, 2, 0).clamp(0, 1)
    levels = (255 * pixels).round().byte().cpu().numpy()
    buffer = io.BytesIO()
    kind = {".png": "PNG", ".webp": "WEBP"}.get(path.suffix.lower(), "JPEG")
    options = {} if kind == "PNG" else {"quality": 95}
    Image.fromarray(levels).save(buffer, kind, **options)
    write_file(path, buffer.getvalue())


def keep_last_good(error: OptimizationError, out: Path) -> NoReturn:
    """Writes the image that ``error`` carries beside ``out``, and raises it again, saying so."""
    if error.image is None:
        raise error
    kept = out.with_name(f"{out.stem}-last-good{out.suffix}")
    write_picture(kept, error.image[:1])
    raise TrainingError(f"{error}; the last good image is in {kept}") from error
