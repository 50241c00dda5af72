"""Transfer curves: how much light a signal of 0 to 1 means (ITU-T H.273, table 3)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_Reals = npt.NDArray[np.float64]

# What HDR pictures call white, of which all brighter light is a highlight (ITU-R BT.2408).
_HDR_WHITE = 203.0  # cd/m²
_PQ_PEAK = 10_000.0
_HLG_PEAK = 1_000.0
_HLG_GAMMA = 1.2


@dataclass(frozen=True)
class Power:
    """Light is a power of the signal; 1 is linear."""

    exponent: float

    def __call__(self, signal: _Reals) -> _Reals:
        """Gives the light of signals."""
        return np.power(signal, self.exponent)


def srgb_light(signal: _Reals) -> _Reals:
    """IEC 61966-2-1."""
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def srgb_signal(light: _Reals) -> _Reals:
    """The inverse of ``srgb_light``."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def bt_709_light(signal: _Reals) -> _Reals:
    """The light before the camera (ITU-R BT.709 and BT.2020)."""
    alpha, beta = 1.099296826809442, 0.018053968510807
    power = ((signal + alpha - 1) / alpha) ** (1 / 0.45)
    return np.where(signal < 4.5 * beta, signal / 4.5, power)


def pq_light(signal: _Reals) -> _Reals:
    """SMPTE ST 2084; 1 is the white of HDR pictures, and highlights are above."""
    m1, m2 = 2610 / 16384, 2523 / 32
    c1, c2, c3 = 3424 / 4096, 2413 / 128, 2392 / 128
    root = signal ** (1 / m2)
    return (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1) * (_PQ_PEAK / _HDR_WHITE)


def hlg_light(signal: _Reals) -> _Reals:
    """ITU-R BT.2100 as a display of 1000 cd/m² shows it; 1 is the white of HDR pictures.

    The display's gamma is applied to each colour, not to the luminance: strong colours become
    a little stronger, and the curve needs to know no primaries.
    """
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return scene**_HLG_GAMMA * (_HLG_PEAK / _HDR_WHITE)
