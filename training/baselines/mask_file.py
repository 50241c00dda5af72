"""Reading masks from files: samples as they are stored, because they may be labels."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sfumato.errors import ImageError
from training.data.image_file import MAX_PIXELS, read_photo
from training.data.other_formats import open_image
from training.errors import TrainingError
from training.optimize.picture_file import fit

LARGEST_MASK: Final = 1024
"""Longer side in pixels to which larger masks are reduced, nearest pixel by nearest pixel."""

_EXACT_FORMATS: Final = ("PNG", "GIF", "BMP", "TIFF")
_LARGEST_LABEL: Final = 65535
_SMALLEST_SIDE: Final = 8

_Array = npt.NDArray[Any]


def read_mask(path: Path) -> Tensor:
    """Returns a mask [1, C, H, W] in [0, 1]: C is 3, or 4 where parts of it are transparent.

    Grey of 16 bits keeps all of them, and what is wholly transparent is black.

    Raises:
        TrainingError: no such file, or not an image.
    """
    try:
        samples = _samples(path)  # [H, W, C]
    except (ImageError, OSError) as error:
        raise TrainingError(f"{str(path)!r} cannot be read: {error}") from error
    mask = samples.permute(2, 0, 1)[None]
    if min(mask.shape[-2:]) < _SMALLEST_SIDE:
        raise TrainingError(f"{str(path)!r} has less than {_SMALLEST_SIDE} pixels on a side")
    if max(mask.shape) <= LARGEST_MASK:
        return mask
    return torch.nn.functional.interpolate(mask, fit(mask.shape, LARGEST_MASK), mode="nearest")


def _samples(path: Path) -> Tensor:
    data = path.read_bytes()
    opened = (open_image(data, name, MAX_PIXELS) for name in _EXACT_FORMATS)
    image = next((image for image in opened if image is not None), None)
    if image is not None and image.mode.startswith("I"):
        return _grey(np.asarray(image))
    if image is None or "icc_profile" in image.info:  # colours, which mean what a profile says
        photo = read_photo(path)
        return _with_opacity(photo.rgb, photo.alpha)
    if not image.has_transparency_data:
        return _with_opacity(np.asarray(image.convert("RGB")), None)
    channels = np.asarray(image.convert("RGBA"))
    return _with_opacity(channels[..., :3], channels[..., 3])


def _grey(labels: _Array) -> Tensor:
    if labels.min() < 0 or labels.max() > _LARGEST_LABEL:
        raise ImageError(f"it has labels beyond 0 to {_LARGEST_LABEL}; number them anew")
    grey = torch.tensor(labels.astype(np.float32) / _LARGEST_LABEL)
    return grey[..., None].expand(-1, -1, 3)


def _with_opacity(rgb: _Array, alpha: _Array | None) -> Tensor:
    colours = torch.tensor(rgb).float() / 255
    if alpha is None or alpha.min() == alpha.max():
        return colours
    opacity = torch.tensor(alpha)[..., None].float() / 255
    return torch.cat([colours * (opacity > 0), opacity], dim=2)
