"""Photos that the benchmarks send: the example photos, as files of any size."""

import io

from PIL import Image, ImageOps

from examples.local_server import CHECKOUT

PHOTOS = sorted((CHECKOUT / "examples" / "photos").glob("*.jpg"))


def photo_file(number: int, width: int, height: int, kind: str = "JPEG") -> bytes:
    """Scales and crops an example photo; gives it as a file of Pillow's format ``kind``."""
    with Image.open(PHOTOS[number % len(PHOTOS)]) as photo:
        fitted = ImageOps.fit(photo.convert("RGB"), (width, height))
    file = io.BytesIO()
    fitted.save(file, kind, quality=90)
    return file.getvalue()


def jpeg_files(side: int) -> list[bytes]:
    """Gives every example photo as a square JPEG file."""
    return [photo_file(number, side, side) for number in range(len(PHOTOS))]
