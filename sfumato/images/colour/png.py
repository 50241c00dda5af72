"""The colours of a PNG file: cICP before iCCP before sRGB before gAMA and cHRM (third edition)."""

import struct
import zlib
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from sfumato.images.colour.rgb_space import BT_709, Chromaticities, RgbSpace, to_bt_709
from sfumato.images.colour.transfer_curves import (
    Power,
    bt_709_light,
    hlg_light,
    pq_light,
    srgb_light,
)

COLOUR_CHUNKS = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM")

_MAX_PROFILE = 16 << 20
_UNIT = 100_000  # of the numbers in gAMA and cHRM
# Exponents of light beyond which a number is damage.
_LEAST_EXPONENT, _MOST_EXPONENT = 0.1, 10.0
# Programs that write no sRGB describe it by its primaries, rounded, and the power nearest to it.
_ROUNDED_PRIMARIES = 0.002
_NEAR_SRGB = (2.15, 2.25)

_D65 = BT_709[:2]
# By the numbers of ITU-T H.273, tables 2 and 3; what is left out is not met in pictures.
_PRIMARIES: dict[int, Chromaticities] = {
    1: BT_709,
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
_CURVES: dict[int, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]] = {
    **dict.fromkeys((1, 6, 14, 15), bt_709_light),
    4: Power(2.2),
    5: Power(2.8),
    8: Power(1.0),
    13: srgb_light,
    16: pq_light,
    18: hlg_light,
}


def read_colours(chunks: Mapping[bytes, bytes]) -> tuple[bytes | None, RgbSpace | None]:
    """Finds what the colours are.

    Args:
        chunks: the bodies of COLOUR_CHUNKS, as far as the file has them.

    Returns:
        The ICC profile, and the space for a file that has none or one that does not work. Both
        are None for sRGB, and if the file does not say. What is damaged is as good as not there.
    """
    space = _by_numbers(chunks.get(b"cICP", b""))
    profile = None if space else _profile(chunks.get(b"iCCP", b""))
    if space is None and b"sRGB" not in chunks:
        space = _by_gamma(chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b""))
    return profile, None if space is None or space.is_srgb else space


def _by_numbers(body: bytes) -> RgbSpace | None:
    if len(body) != 4:
        return None
    primaries, curve, matrix, full = body
    if primaries not in _PRIMARIES or curve not in _CURVES or matrix or full > 1:
        return None
    return RgbSpace(_PRIMARIES[primaries], _CURVES[curve], narrow=not full)


def _profile(body: bytes) -> bytes | None:
    _, _, rest = body.partition(b"\0")  # name, then one byte for the method, then the data
    try:
        return zlib.decompressobj().decompress(rest[1:], _MAX_PROFILE) or None
    except zlib.error:
        return None


def _by_gamma(gamma: bytes, primaries: bytes) -> RgbSpace | None:
    exponent, chromaticities = _exponent(gamma), _chromaticities(primaries)
    if chromaticities is None or _are_srgb(chromaticities):
        chromaticities = BT_709
        if exponent is not None and _NEAR_SRGB[0] <= exponent <= _NEAR_SRGB[1]:
            exponent = None
    return RgbSpace(chromaticities, srgb_light if exponent is None else Power(exponent))


def _exponent(body: bytes) -> float | None:
    number = int.from_bytes(body)
    if len(body) != 4 or not _LEAST_EXPONENT <= _UNIT / max(number, 1) <= _MOST_EXPONENT:
        return None
    return _UNIT / number


def _chromaticities(body: bytes) -> Chromaticities | None:
    if len(body) != 32:
        return None
    # Signed, though the specification says otherwise: some spaces have a primary below zero.
    chromaticities = tuple(number / _UNIT for number in struct.unpack(">8i", body))
    try:
        to_bt_709(chromaticities)
    except ValueError:
        return None
    return chromaticities


def _are_srgb(chromaticities: Chromaticities) -> bool:
    return bool(np.allclose(chromaticities, BT_709, rtol=0, atol=_ROUNDED_PRIMARIES))
