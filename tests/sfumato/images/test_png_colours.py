"""PNG files say in four ways what their colours are; the one that the format prefers counts."""

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest

from sfumato.images.codec import decode_photo
from sfumato.images.colour.rgb_space import Reals
from sfumato.images.colour.transfer_curves import bt_709_light, hlg_light, pq_light, srgb_light
from tests.sfumato import icc_profiles
from tests.sfumato.image_files import Pixels, chunk, png

COLOUR = (200, 60, 40)
D65 = (0.3127, 0.3290)
SRGB = (*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
ADOBE_RGB = (*D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
PROPHOTO = (0.3457, 0.3585, 0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001)


def gama(value: int = 45_455) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", value))


def chrm(chromaticities: tuple[float, ...]) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(100_000 * c) for c in chromaticities)))


def cicp(primaries: int, curve: int, matrix: int = 0, full: int = 1) -> bytes:
    return chunk(b"cICP", bytes([primaries, curve, matrix, full]))


def iccp(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"any name\0\0" + zlib.compress(profile))


SWAPPED = iccp(icc_profiles.rgb(icc_profiles.BLUE, icc_profiles.GREEN, icc_profiles.RED))
SRGB_PROFILE = iccp(icc_profiles.srgb())
SAYS_SRGB = chunk(b"sRGB", b"\0")
ADOBE = gama() + chrm(ADOBE_RGB)
# (200, 60, 40) as Adobe RGB, and as Display P3, in sRGB.
IN_ADOBE, IN_P3 = (231, 57, 34), (217, 42, 23)


def decode(data: bytes) -> Pixels:
    return decode_photo(data, max_pixels=1_000_000, min_side=1).rgb


def shown(colour: tuple[int, ...], extra: bytes, bits: int = 8) -> list[int]:
    """The colour in sRGB that a picture of one colour is read as."""
    samples = np.array([[colour]]) * (257 if bits == 16 else 1)
    kind = {1: 0, 3: 2}[len(colour)]
    rgb: list[int] = decode(png(samples, colour=kind, bits=bits, extra=extra))[0, 0].tolist()
    return rgb


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        (b"", COLOUR),
        (ADOBE, IN_ADOBE),
        (cicp(12, 13), IN_P3),
        (cicp(1, 13), COLOUR),
        # Linear light: 1.055 * (200 / 255) ** (1 / 2.4) - 0.055 is 0.8984, times 255
        (cicp(1, 8), (229, 133, 110)),
        (gama(100_000), (229, 133, 110)),
        (gama(100_000) + chrm(SRGB), (229, 133, 110)),
        # ((200 / 255 + 0.0993) / 1.0993) ** (1 / 0.45) is 0.6120 of light, and that 0.8048 in sRGB
        (cicp(1, 1), (206, 75, 56)),
    ],
)
def test_colours_are_converted_to_srgb(extra: bytes, expected: tuple[int, ...], bits: int) -> None:
    assert shown(COLOUR, extra, bits) == list(expected)


PREFERRED = {
    "cICP": (cicp(12, 13) + SWAPPED + SAYS_SRGB + ADOBE, IN_P3),
    "cICP that says sRGB": (cicp(1, 13) + SWAPPED + ADOBE, COLOUR),
    "cICP behind the others": (ADOBE + SWAPPED + cicp(12, 13), IN_P3),
    "a profile": (SRGB_PROFILE + ADOBE, COLOUR),
    "sRGB": (SAYS_SRGB + ADOBE, COLOUR),
    "gAMA and cHRM": (ADOBE, IN_ADOBE),
}


@pytest.mark.parametrize(("extra", "expected"), PREFERRED.values(), ids=PREFERRED)
def test_the_chunk_that_the_format_prefers_counts(extra: bytes, expected: tuple[int, ...]) -> None:
    assert shown(COLOUR, extra) == list(expected)


def test_a_profile_counts_more_than_srgb_and_the_numbers() -> None:
    red, _, blue = shown((255, 0, 0), SWAPPED + SAYS_SRGB + ADOBE)
    assert red < 5
    assert blue > 250


def damaged(chunk_: bytes) -> bytes:
    return chunk_[:-1] + bytes([chunk_[-1] ^ 1])


OF_NO_USE = {
    "numbers of H.273 that do not exist": cicp(99, 13),
    "unspecified": cicp(2, 2),
    "YCbCr": cicp(12, 13, matrix=1),
    "a third range": cicp(12, 13, full=2),
    "a short cICP": chunk(b"cICP", b"\x0c\x0d\0"),
    "a damaged cICP": damaged(cicp(12, 13)),
    "a damaged profile": damaged(SWAPPED),
    "a profile of text": iccp(b"text"),
    "a profile for inks": iccp(icc_profiles.cmyk({(0, 0, 0, 0): (100, 0, 0)})),
    "an iCCP of nothing": chunk(b"iCCP", b""),
    "a damaged sRGB": damaged(SAYS_SRGB),
}


@pytest.mark.parametrize("extra", OF_NO_USE.values(), ids=OF_NO_USE)
def test_what_is_of_no_use_is_as_good_as_not_there(extra: bytes) -> None:
    assert shown(COLOUR, extra) == list(COLOUR)
    assert shown(COLOUR, extra + ADOBE) == list(IN_ADOBE)


IMPOSSIBLE = {
    "no exponent": gama(0),
    "an exponent of 100,000": gama(1),
    "a tiny exponent": gama(2**31 - 1),
    "a short gAMA": chunk(b"gAMA", b"\0\0\1"),
    "a damaged gAMA": damaged(gama(100_000)),
    "a short cHRM": chunk(b"cHRM", bytes(31)),
    "no primaries": chrm((0,) * 8),
    "primaries on a line": chrm((*D65, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3)),
    "a white that is no mix": chrm((0.7, 0.29, *SRGB[2:])),
    "a white without light": chrm((0.3, 0.0, *SRGB[2:])),
    "huge primaries": chunk(b"cHRM", b"\x7f\xff\xff\xff" * 8),
    "primaries below zero": chunk(b"cHRM", b"\xff" * 32),
}


@pytest.mark.parametrize("extra", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_numbers_change_nothing(extra: bytes) -> None:
    assert shown(COLOUR, extra) == list(COLOUR)


@pytest.mark.parametrize(
    "extra",
    [gama(), gama(45_000), chrm(SRGB), gama(45_454) + chrm(SRGB)],
    ids=["gAMA", "a rounded gAMA", "cHRM", "both"],
)
def test_the_numbers_by_which_programs_describe_srgb_change_nothing(extra: bytes) -> None:
    """A power of 2.2 to the letter would make dark levels darker: 17 would be 8."""
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(decode(png(levels, colour=0, extra=extra))[..., 0], levels)


@pytest.mark.parametrize("extra", [gama(100_000), gama(100_000) + chrm(PROPHOTO), cicp(9, 8)])
@pytest.mark.parametrize(("kind", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_dark_levels_of_16_bits_of_linear_light_are_kept_apart(
    kind: int, channels: int, extra: bytes
) -> None:
    """In 8 bits the first 16 levels of sRGB would be two."""
    levels = np.arange(256)
    light = np.rint(65_535 * srgb_light(levels / 255)).astype(np.uint16)
    samples = np.repeat(light[None, :, None], channels, axis=-1)
    photo = decode_photo(png(samples, colour=kind, bits=16, extra=extra), min_side=1)
    assert (photo.rgb[0] == levels[:, None]).all()
    if kind in (4, 6):
        assert photo.alpha is not None
        assert np.array_equal(photo.alpha[0], np.rint(light / 257))


def test_a_picture_of_linear_light_looks_as_it_did() -> None:
    rng = np.random.default_rng(0)
    original = rng.integers(0, 256, (32, 40, 3), dtype=np.uint8)
    light = srgb_light(original / 255)
    deep = png(np.rint(65_535 * light).astype(np.uint16), colour=2, bits=16, extra=gama(100_000))
    assert np.array_equal(decode(deep), original)
    flat = png(np.rint(255 * light).astype(np.uint8), colour=2, extra=gama(100_000))
    assert np.abs(decode(flat).astype(int) - original).mean() < 1.5  # what 8 bits can tell


def test_a_transparent_colour_of_linear_light_is_compared_in_16_bits() -> None:
    samples = np.array([[[256, 512, 768], [256, 512, 769]]], np.uint16)
    key = chunk(b"tRNS", b"\1\0\2\0\3\0")
    photo = decode_photo(png(samples, colour=2, bits=16, extra=gama(100_000) + key), min_side=1)
    assert photo.alpha is not None
    assert photo.alpha.tolist() == [[0, 255]]


def test_the_colours_of_a_palette_are_converted() -> None:
    extra = ADOBE + chunk(b"PLTE", bytes(COLOUR))
    assert decode(png(np.zeros((1, 1)), colour=3, extra=extra))[0, 0].tolist() == list(IN_ADOBE)


def test_grey_is_converted_by_its_curve_alone() -> None:
    # 1.055 * (128 / 255) ** (1 / 2.4) - 0.055 is 0.7366, times 255
    for primaries in (b"", chrm(SRGB), chrm(PROPHOTO)):
        assert shown((128,), gama(100_000) + primaries) == [188, 188, 188]
    profile = iccp(icc_profiles.grey(1.0))
    for samples, kind in (([[[128]]], 0), ([[[128, 255]]], 4)):
        for bits in (8, 16):
            deep = np.array(samples) * (257 if bits == 16 else 1)
            data = png(deep, colour=kind, bits=bits, extra=profile)
            assert np.abs(decode(data).astype(int) - 188).max() <= 1


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (255,), (0,)])
@pytest.mark.parametrize("extra", [ADOBE, gama(55_556) + chrm(PROPHOTO), cicp(11, 4), cicp(9, 14)])
def test_black_and_white_stay_what_they_are(colour: tuple[int, ...], extra: bytes) -> None:
    assert shown(colour, extra) == [colour[0]] * 3


def test_a_narrow_range_is_spread() -> None:
    samples = np.array([[0, 16, 126, 235, 255]])
    # (126 - 16) / 219 is 0.5023, times 255
    assert decode(png(samples, colour=0, extra=cicp(1, 13, full=0)))[0, :, 0].tolist() == [
        *(0, 0, 128, 255, 255)
    ]
    deep = png(samples * 256, colour=0, bits=16, extra=cicp(1, 13, full=0))
    assert decode(deep)[0, :, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize(
    ("curve", "signal", "light"),
    [
        (pq_light, 0.5081, 100 / 203),  # ST 2084: 100 cd/m²; white is 203
        (pq_light, 0.5807, 1.0),
        (pq_light, 1.0, 10_000 / 203),
        (hlg_light, 0.75, 1.0),  # BT.2408: white
        (hlg_light, 1.0, 1000 / 203),
        (bt_709_light, 0.081, 0.018),
        (bt_709_light, 1.0, 1.0),
        (srgb_light, 0.5, 0.2140),
    ],
)
def test_a_signal_means_the_light_of_its_standard(
    curve: Callable[[Reals], Reals], signal: float, light: float
) -> None:
    assert curve(np.array(signal)) == pytest.approx(light, rel=0.005)
    assert curve(np.array(0.0)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("curve", [16, 18])
def test_of_hdr_pictures_white_is_white_and_highlights_are_cut_off(curve: int) -> None:
    white = {16: 0.5807, 18: 0.75}[curve]
    samples = np.array([[0, white, 1.0]]) * 65_535
    rgb = decode(png(np.repeat(samples[..., None], 3, -1), colour=2, bits=16, extra=cicp(9, curve)))
    assert rgb[0, 0].tolist() == [0, 0, 0]
    assert rgb[0, 1].min() >= 254
    assert rgb[0, 2].tolist() == [255, 255, 255]


def test_the_first_of_two_chunks_counts() -> None:
    assert shown(COLOUR, gama(100_000) + gama()) == [229, 133, 110]


def test_many_bands_of_rows_are_converted_alike() -> None:
    samples = np.full((300, 300, 3), COLOUR, np.uint8)
    assert (decode(png(samples, colour=2, extra=ADOBE)) == IN_ADOBE).all()
