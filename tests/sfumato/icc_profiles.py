"""ICC profiles made by the tests (ICC.1:2001), so that their effect can be worked out by hand."""

import struct

from PIL import ImageCms

# Red, green and blue of sRGB in XYZ under the D50 of profiles.
RED, GREEN, BLUE = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)
WHITE = (0.9642, 1.0, 0.8249)


def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def lab() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def rgb(red: tuple[float, ...], green: tuple[float, ...], blue: tuple[float, ...]) -> bytes:
    """A display with these primaries and the gamma 2.2."""
    colourants = {b"rXYZ": red, b"gXYZ": green, b"bXYZ": blue, b"wtpt": WHITE}
    curves = {name: _curve(2.2) for name in (b"rTRC", b"gTRC", b"bTRC")}
    return _profile(b"mntr", b"RGB ", b"XYZ ", {**_xyz_tags(colourants), **curves})


def grey(gamma: float) -> bytes:
    """A grey scale."""
    tags = {**_xyz_tags({b"wtpt": WHITE}), b"kTRC": _curve(gamma)}
    return _profile(b"mntr", b"GRAY", b"XYZ ", tags)


def cmyk(inks: dict[tuple[int, int, int, int], tuple[float, float, float]]) -> bytes:
    """A press that gives these Lab colours for full inks, and black for all other corners."""
    corners = [(c, m, y, k) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    table = b"".join(_lab8(inks.get(corner, (0, 0, 0))) for corner in corners)
    ramp = bytes(range(256))
    identity = struct.pack(">9i", *(0x10000 if n % 4 == 0 else 0 for n in range(9)))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + ramp * 4 + table + ramp * 3
    tags = {**_xyz_tags({b"wtpt": WHITE}), b"A2B0": lut}
    return _profile(b"prtr", b"CMYK", b"Lab ", tags)


def _lab8(colour: tuple[float, float, float]) -> bytes:
    lightness, a, b = colour
    return bytes([round(lightness * 2.55), round(a) + 128, round(b) + 128])


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH2x", 1, round(gamma * 256))


def _xyz_tags(values: dict[bytes, tuple[float, ...]]) -> dict[bytes, bytes]:
    return {
        name: b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(part * 65536) for part in value))
        for name, value in values.items()
    }


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    start = 128 + 4 + 12 * len(tags)
    directory, bodies = struct.pack(">I", len(tags)), b""
    for name, body in tags.items():
        directory += name + struct.pack(">II", start + len(bodies), len(body))
        bodies += body + b"\0" * (-len(body) % 4)
    header = bytearray(128)
    struct.pack_into(
        ">I4xI4s4s4s", header, 0, start + len(bodies), 0x02400000, kind, space, connection
    )
    header[36:40] = b"acsp"
    struct.pack_into(">3i", header, 68, *(round(part * 65536) for part in WHITE))
    return bytes(header) + directory + bodies
