"""Colours that a file describes by numbers, not by a profile: primaries and a transfer curve."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from sfumato.images.colour.transfer_curves import srgb_light, srgb_signal
from sfumato.images.pixels import Samples

Reals: TypeAlias = npt.NDArray[np.float64]

Chromaticities: TypeAlias = tuple[float, ...]  # x and y (CIE 1931) of white, red, green, blue
BT_709: Chromaticities = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)

# From XYZ to the responses of the cones between which white points are adapted (Bradford).
_CONES = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_FLAT = 1e-4  # the least determinant of three primaries; those of sRGB have 0.13
_STEPS = (1 << 16) - 1  # of light, when it becomes a level: a twentieth of one where it is dark
# Pixels that are worked on at once: few, for memory's sake, and so that BLAS stays in its thread.
_BAND = 1 << 13


@dataclass(frozen=True)
class RgbSpace:
    """An RGB colour space.

    Attributes:
        chromaticities: see the type.
        transfer: from signals of 0 to 1 to light, of which 1 is white.
        narrow: signals are from 16 to 235 of 255, as in videos, and not from 0 to 255.
    """

    chromaticities: Chromaticities
    transfer: Callable[[Reals], Reals]
    narrow: bool = False

    @property
    def is_srgb(self) -> bool:
        """Tells whether there is nothing to convert."""
        return self == RgbSpace(BT_709, srgb_light)

    def to_srgb(self, samples: Samples) -> npt.NDArray[np.uint8]:
        """Converts uint8 or uint16, RGB [H, W, 3] or grey [H, W], to uint8 [H, W, 3] in sRGB.

        What is lighter than white, or more saturated than sRGB can be, is cut off.
        """
        light = self._light(samples.dtype.itemsize)
        if samples.ndim == 2 or self.chromaticities == BT_709:
            rgb = _levels(light)[samples]
            return rgb if rgb.ndim == 3 else np.repeat(rgb[..., None], 3, axis=-1)
        matrix = to_bt_709(self.chromaticities)
        table = _levels(np.linspace(0, 1, _STEPS + 1))
        converted = np.empty(samples.shape, np.uint8)
        flat, out = samples.reshape(-1, 3), converted.reshape(-1, 3)
        weights = np.float32(_STEPS) * matrix.T.astype(np.float32)
        light = light.astype(np.float32)
        for start in range(0, len(flat), _BAND):
            steps = light.take(flat[start : start + _BAND]) @ weights + np.float32(0.5)
            out[start : start + _BAND] = table.take(steps.clip(0, _STEPS).astype(np.uint16))
        return converted

    def _light(self, size: int) -> Reals:
        """Gives the light of every value of samples of ``size`` bytes."""
        values = np.arange(1 << 8 * size, dtype=np.float64)
        if self.narrow:
            unit = 1 << 8 * (size - 1)
            return self.transfer(np.clip((values - 16 * unit) / (219 * unit), 0, 1))
        return self.transfer(values / values[-1])


@lru_cache(maxsize=8)
def to_bt_709(chromaticities: Chromaticities) -> Reals:
    """Makes the matrix from light of these primaries to that of sRGB's; white stays white.

    Raises:
        ValueError: these are no primaries, or no white.
    """
    to_xyz = _to_xyz(chromaticities)
    to_d65 = _to_d65(chromaticities)
    return np.asarray(np.linalg.solve(_to_xyz(BT_709), to_d65 @ to_xyz), np.float64)


def _to_xyz(chromaticities: Chromaticities) -> Reals:
    x, y = np.reshape(chromaticities, (4, 2)).T
    white, *primaries = np.stack([x, y, 1 - x - y], axis=-1)
    columns = np.stack(primaries, axis=-1)
    if abs(np.linalg.det(columns)) < _FLAT or white[1] < _FLAT:
        raise ValueError("the primaries are on a line")
    amounts = np.linalg.solve(columns, white / white[1])
    if amounts.min() <= 0:
        raise ValueError("white is no mix of the primaries")
    return np.asarray(columns * amounts, np.float64)


def _to_d65(chromaticities: Chromaticities) -> Reals:
    """Makes the matrix that adapts XYZ from one white point to that of sRGB."""
    own, wanted = (
        _CONES @ (np.array([x, y, 1 - x - y]) / y) for x, y in (chromaticities[:2], BT_709[:2])
    )
    if own.min() < _FLAT:
        raise ValueError("white is no colour that anybody sees")
    return np.linalg.solve(_CONES, (wanted / own)[:, None] * _CONES)


def _levels(light: Reals) -> npt.NDArray[np.uint8]:
    """Rounds light to levels of sRGB."""
    return np.rint(255 * srgb_signal(np.clip(light, 0, 1))).astype(np.uint8)
