"""Colours to sRGB, by the ICC profile of the file if it has one that works."""

from functools import lru_cache
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

# Pillow's mode for the colour spaces that a profile may be for, by their ICC signatures.
_MODES = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK"}
_STORED_MODES = {2: "L", 3: "RGB", 4: "CMYK"}
# What 8-bit arithmetic makes of an sRGB profile: levels by which a colour may move.
_ROUNDING = 2
# Most photos carry one of few small profiles; a big one is rare, and must not fill the cache.
_CACHED_SIZE = 1 << 20
_SRGB = ImageCms.createProfile("sRGB")


def to_srgb(colour: npt.NDArray[np.uint8], profile: bytes | None) -> npt.NDArray[np.uint8]:
    """Converts pixels to sRGB.

    Args:
        colour: uint8, grey [H, W], RGB [H, W, 3] or CMYK [H, W, 4].
        profile: the file's ICC profile. A broken one, or one for another kind of image, is
            ignored; one that describes sRGB changes nothing.

    Returns:
        Contiguous uint8 [H, W, 3].
    """
    stored = _STORED_MODES[colour.shape[2] if colour.ndim == 3 else 2]
    transform = _find_transform(profile, stored) if profile else None
    if transform is not None:
        return np.asarray(transform.apply(_as_image(colour, transform.input_mode)))
    if stored == "RGB":
        return colour
    return np.asarray(_as_image(colour, stored).convert("RGB"))


def _find_transform(profile: bytes, stored: str) -> ImageCms.ImageCmsTransform | None:
    build = _transform if len(profile) <= _CACHED_SIZE else _transform.__wrapped__
    return build(profile, stored)


@lru_cache(maxsize=32)
def _transform(profile: bytes, stored: str) -> ImageCms.ImageCmsTransform | None:
    """Builds the way to sRGB; None if there is none or none is needed."""
    if len(profile) < int.from_bytes(profile[:4]):
        return None  # littleCMS reads what is there, and colours without their curves are wrong
    try:
        opened = ImageCms.ImageCmsProfile(BytesIO(profile))
        mode = _MODES.get(opened.profile.xcolor_space)
        if mode is None or not _fits(stored, mode):
            return None
        transform = ImageCms.buildTransform(
            opened,
            _SRGB,
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        return None if _changes_nothing(transform, mode) else transform
    except Exception:  # whatever is wrong with a profile, the photo itself may be fine
        return None


def _fits(stored: str, mode: str) -> bool:
    # Grey pictures with an RGB profile are common, and mean equal red, green and blue.
    return stored == mode or (stored, mode) == ("L", "RGB")


def _as_image(colour: npt.NDArray[np.uint8], mode: str) -> Image.Image:
    if mode == "CMYK":
        height, width, _ = colour.shape
        return Image.frombuffer("CMYK", (width, height), colour, "raw", "CMYK", 0, 1)
    return Image.fromarray(colour).convert(mode)


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Tries the transform on a grid of colours."""
    if mode not in ("L", "RGB"):
        return False
    steps = np.arange(0, 256, 17).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(16, -1, 3)
    probe = grid if mode == "RGB" else grid[..., 0]
    moved = np.asarray(transform.apply(Image.fromarray(np.ascontiguousarray(probe))), np.int16)
    expected = probe if mode == "RGB" else probe[..., None]
    return bool(np.abs(moved - expected).max() <= _ROUNDING)
