"""Image files of every kind that is read, changed at random; the same seed gives the same files.

``python -m tests.sfumato.mutated_images FORMAT COUNT FILE`` decodes so many of them.
"""

import resource
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageCms

from sfumato.errors import ImageError
from sfumato.images.codec import DEFAULT_MIN_SIDE, Photo, decode_photo
from tests.sfumato.image_files import chunk, encode, exif, picture, png, png_of_rows, webp_animation

MAX_PIXELS = 100_000
SIGNATURE = 8
FIELDS = (0, 1, 2, 15, 16, 0x7F, 0xFF, 0x3FFF, 0x7FFF, 0xFFFF, 0xFFFFFF, 0x7FFFFFFF, 0xFFFFFFFF)

RGB = picture(48, 40)
NOISE = np.random.default_rng(0).integers(0, 256, (33, 35, 4), dtype=np.uint8)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _jpegs() -> Iterator[bytes]:
    for pixels in (RGB, NOISE[..., :3], NOISE[..., 0]):
        for progressive in (False, True):
            yield encode(pixels, "JPEG", progressive=progressive)
    yield encode(RGB, "JPEG", subsampling=0, restart_marker_blocks=2)
    yield encode(RGB, "JPEG", subsampling=0, comment="of no meaning")[:-2]
    yield encode(RGB, "JPEG", exif=exif(6))
    yield encode(RGB, "JPEG", exif=exif(3, ">"), icc_profile=PROFILE)
    for progressive in (False, True):
        yield encode(Image.fromarray(RGB).convert("CMYK"), "JPEG", progressive=progressive)


def _pngs() -> Iterator[bytes]:
    channels = {0: 1, 2: 3, 4: 2, 6: 4}
    for colour, count in channels.items():
        for bits in (8, 16):
            for interlaced in (False, True):
                samples = NOISE[..., :count].astype(np.uint16) * (257 if bits == 16 else 1)
                yield png(samples, colour=colour, bits=bits, interlaced=interlaced)
    palette = chunk(b"PLTE", bytes(range(48))) + chunk(b"tRNS", bytes(range(0, 160, 10)))
    for bits in (1, 2, 4):
        for colour, extra in ((0, b""), (3, palette)):
            rows = b"".join(b"\0" + bytes([7 * row]) * (4 * bits) for row in range(32))
            yield png_of_rows(32, 32, rows, colour, bits, extra)
    yield png(NOISE[..., 0] % 16, colour=3, extra=palette, interlaced=True)
    yield png(NOISE[..., :3], colour=2, extra=chunk(b"tRNS", b"\0\1\0\2\0\3"))
    linear = chunk(b"gAMA", struct.pack(">I", 100_000))
    corners = (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
    adobe = chunk(b"cHRM", struct.pack(">8I", *corners))
    for extra in (linear, linear + adobe, adobe + chunk(b"cICP", b"\x09\x10\0\1")):
        yield png(NOISE[..., :3].astype(np.uint16) * 257, colour=2, bits=16, extra=extra)
    yield encode(RGB, "PNG", exif=exif(6), icc_profile=PROFILE)
    yield encode(RGB, "PNG", save_all=True, append_images=_others(), duration=40)


def _webps() -> Iterator[bytes]:
    for lossless in (False, True):
        for pixels in (RGB, NOISE):
            yield encode(pixels, "WEBP", lossless=lossless)
    yield encode(RGB, "WEBP", exif=exif(6), icc_profile=PROFILE)
    for pixels in (RGB, NOISE):
        others = _others(pixels.shape)
        yield encode(pixels, "WEBP", save_all=True, append_images=others, duration=40)
    yield webp_animation(RGB, (60, 50), (8, 4))


def _others(shape: tuple[int, ...] = RGB.shape) -> list[Image.Image]:
    return [Image.fromarray(np.full(shape, level, np.uint8)) for level in (60, 200)]


FILES: dict[str, tuple[bytes, ...]] = {
    "JPEG": tuple(_jpegs()),
    "PNG": tuple(_pngs()),
    "WEBP": tuple(_webps()),
}


def _flip(file: bytes, random: Random) -> bytes:
    changed = bytearray(file)
    for _ in range(random.randint(1, 6)):
        changed[random.randrange(len(file))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _overwrite(file: bytes, random: Random) -> bytes:
    start = random.randrange(len(file))
    noise = random.randbytes(random.randint(1, 16))
    return file[:start] + noise + file[start + len(noise) :]


def _truncate(file: bytes, random: Random) -> bytes:
    return file[: random.randrange(len(file))]


def _cut_out(file: bytes, random: Random) -> bytes:
    start = random.randrange(len(file))
    return file[:start] + file[start + random.randint(1, 64) :]


def _repeat(file: bytes, random: Random) -> bytes:
    start = random.randrange(len(file))
    part = file[start : start + random.randint(1, 200)]
    return file[:start] + part * random.randint(2, 40) + file[start:]


def _splice(file: bytes, random: Random) -> bytes:
    other = random.choice(FILES[random.choice([*FILES])])
    return file[: random.randrange(len(file))] + other[random.randrange(len(other)) :]


def _set_field(file: bytes, random: Random) -> bytes:
    """Writes an odd number where the header has its lengths and sizes."""
    layout = random.choice(("B", "<H", ">H", "<I", ">I"))
    size = struct.calcsize(layout)
    changed = bytearray(file)
    place = random.randrange(min(len(file), 220) - size)
    struct.pack_into(layout, changed, place, random.choice(FIELDS) & (1 << 8 * size) - 1)
    return bytes(changed)


def _resize(file: bytes, random: Random) -> bytes:
    """Lets the header say another size, often a huge one, and nothing else."""
    width, height = random.choice(FIELDS), random.choice((*FIELDS, 32, 33))
    if file.startswith(b"\x89PNG"):
        kind = struct.pack(">II", width, height) + file[24:29]
        return file[:SIGNATURE] + chunk(b"IHDR", kind) + file[33:]
    changed = bytearray(file)
    if file.startswith(b"RIFF"):
        place = {b"VP8X": 24, b"VP8L": 21, b"VP8 ": 26}[file[12:16]]
        struct.pack_into("<I", changed, place, (width << 16 | height) & 0xFFFFFFFF)
        return bytes(changed)
    place = max(file.find(b"\xff\xc0"), file.find(b"\xff\xc2"))
    struct.pack_into(">HH", changed, place + 5, height & 0xFFFF, width & 0xFFFF)
    return bytes(changed)


def _change_inside(file: bytes, random: Random) -> bytes:
    """Changes the body of a PNG chunk and corrects its checksum, so that somebody reads it."""
    if not file.startswith(b"\x89PNG"):
        return _set_field(_flip(file, random), random)
    chunks = []
    place = SIGNATURE
    while place < len(file):
        (length,) = struct.unpack_from(">I", file, place)
        chunks.append((file[place + 4 : place + 8], file[place + 8 : place + 8 + length]))
        place += 12 + length
    chosen = random.randrange(len(chunks) - 1)
    name, body = chunks[chosen]
    if name == b"IDAT" and random.random() < 0.5:
        changed = zlib.compress(_mutate_once(zlib.decompress(body), random, BLIND))
    else:
        changed = _mutate_once(body, random, BLIND) if body else random.randbytes(9)
    chunks[chosen] = name, changed
    return file[:SIGNATURE] + b"".join(chunk(*parts) for parts in chunks)


Mutation = Callable[[bytes, Random], bytes]
BLIND: tuple[Mutation, ...] = (_flip, _overwrite, _truncate, _cut_out, _repeat)
MUTATIONS: tuple[Mutation, ...] = (*BLIND, _splice, _set_field, _resize, _change_inside)


def _mutate_once(file: bytes, random: Random, mutations: tuple[Mutation, ...]) -> bytes:
    return random.choice(mutations)(file, random)


def mutants(image_format: str, seed: int = 0) -> Iterator[bytes]:
    """Gives changed files of a format without end."""
    random = Random(f"{image_format} {seed}")
    while True:
        file = _mutate_once(random.choice(FILES[image_format]), random, MUTATIONS)
        if random.random() < 0.2 and len(file) > 1:
            file = _mutate_once(file, random, BLIND)
        yield file


def decodes(file: bytes) -> bool:
    """Decodes a file; False if it is refused as it should be, and any other error as it comes."""
    try:
        photo = decode_photo(file, max_pixels=MAX_PIXELS)
    except ImageError:
        return False
    _check(photo)
    return True


def _check(photo: Photo) -> None:
    height, width, channels = photo.rgb.shape
    assert channels == 3
    assert photo.rgb.dtype == np.uint8
    assert height * width <= MAX_PIXELS
    assert min(height, width) >= DEFAULT_MIN_SIDE
    assert photo.alpha is None or photo.alpha.shape == (height, width)


def main(image_format: str, count: str, current: str) -> None:
    """Decodes mutants; prints how many are photos, and by how many KiB the memory has grown.

    The mutant at hand lies in the file ``current``, should it end the process.
    """
    for file in FILES[image_format]:
        assert decodes(file)
    before = _most_memory()
    photos = 0
    for file in islice(mutants(image_format), int(count)):
        Path(current).write_bytes(file)
        photos += decodes(file)
    print(photos, _most_memory() - before)


def _most_memory() -> int:
    """The most physical memory that the process ever had, in KiB (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main(*sys.argv[1:])
