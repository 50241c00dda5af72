"""Colours to sRGB, by the ICC profile of the file if it has one that works."""

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from sfumato.images.colour.rgb_space import RgbSpace
from sfumato.images.pixels import Samples, to_8_bits

# Pillow's mode for the colour spaces that a profile may be for, by their ICC signatures.
_MODES = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK"}
_STORED_MODES = {2: "L", 3: "RGB", 4: "CMYK"}
# What 8-bit arithmetic makes of an sRGB profile: levels by which a colour may move.
_ROUNDING = 2
# Most photos carry one of few small profiles; a big one is rare, and must not fill the cache.
_CACHED_SIZE = 1 << 20
_SRGB = ImageCms.createProfile("sRGB")


@dataclass(frozen=True)
class _Conversion:
    """A profile that works; without a transform it describes sRGB."""

    transform: ImageCms.ImageCmsTransform | None


def to_srgb(
    colour: Samples, profile: bytes | None, space: RgbSpace | None = None
) -> npt.NDArray[np.uint8]:
    """Converts pixels to sRGB.

    Args:
        colour: grey [H, W], RGB [H, W, 3] or, uint8 only, CMYK [H, W, 4].
        profile: the file's ICC profile. A broken one, or one for another kind of image, is
            ignored; one that describes sRGB changes nothing.
        space: what grey and RGB are if there is no profile that works; None for sRGB.

    Returns:
        Contiguous uint8 [H, W, 3].
    """
    stored = _STORED_MODES[colour.shape[2] if colour.ndim == 3 else 2]
    conversion = _find_conversion(profile, stored) if profile else None
    if conversion is None and space is not None:
        return space.to_srgb(colour)
    levels = to_8_bits(colour)
    if conversion is not None and conversion.transform is not None:
        transform = conversion.transform
        return np.asarray(transform.apply(_as_image(levels, transform.input_mode)))
    if stored == "RGB":
        return levels
    return np.asarray(_as_image(levels, stored).convert("RGB"))


def _find_conversion(profile: bytes, stored: str) -> _Conversion | None:
    build = _conversion if len(profile) <= _CACHED_SIZE else _conversion.__wrapped__
    return build(profile, stored)


@lru_cache(maxsize=32)
def _conversion(profile: bytes, stored: str) -> _Conversion | None:
    """Builds the way to sRGB; None if the profile is of no use."""
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
        return _Conversion(None if _changes_nothing(transform, mode) else transform)
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
