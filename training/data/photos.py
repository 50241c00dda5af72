"""Content photos: any folder tree, random crops and flips, unreadable files skipped."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from sfumato.errors import ImageError
from training.data.image_file import IMAGE_SUFFIXES, read_image
from training.data.photo_order import PhotoDraw
from training.errors import TrainingError

LARGEST_RESIZE: Final = 1.5
"""Photos are shrunk so that the short side is 1 to this many times the crop."""


def find_images(folder: Path) -> list[Path]:
    """Returns every image file below ``folder``, sorted.

    Raises:
        TrainingError: no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise TrainingError(f"{str(folder)!r} is no folder: give a folder of photos")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise TrainingError(
            f"no image below {str(folder)!r}: put files ending in "
            f"{', '.join(sorted(IMAGE_SUFFIXES))} there"
        )
    return files


class CroppedPhoto(NamedTuple):
    """One training photo [3, S, S], and the files that could not be read on the way to it."""

    image: Tensor
    skipped: tuple[str, ...] = ()


class PhotoBatch(NamedTuple):
    """Training photos [N, 3, S, S] in [0, 1], and the files that could not be read."""

    images: Tensor
    skipped: tuple[str, ...] = ()


class PhotoFolder(Dataset[CroppedPhoto]):
    """Random square crops of the photos below some folders."""

    def __init__(
        self,
        folders: Sequence[Path],
        crop_size: int,
        read: Callable[[Path], Tensor] = read_image,
    ) -> None:
        """Crops ``crop_size`` × ``crop_size`` pixels out of each photo below ``folders``.

        ``read`` returns the photo [3, H, W] of a file, or raises ImageError or OSError.
        """
        self.files = [file for folder in folders for file in find_images(folder)]
        self.crop_size = crop_size
        self.read = read

    def __len__(self) -> int:
        """Returns the number of image files, readable or not."""
        return len(self.files)

    def __getitem__(self, draw: PhotoDraw | int) -> CroppedPhoto:
        """Returns a crop of photo ``draw``, or of the next one that can be read.

        A PhotoDraw always gives the same crop; a number takes one from torch's own generator.
        """
        if isinstance(draw, PhotoDraw):
            index, generator = draw.photo, torch.Generator().manual_seed(draw.seed)
        else:
            index, generator = draw, None
        skipped: list[str] = []
        for step in range(len(self.files)):
            file = self.files[(index + step) % len(self.files)]
            try:
                image = self.read(file)
            except (ImageError, OSError) as error:
                skipped.append(f"{file}: {error}")
            else:
                crop = random_crop(image, self.crop_size, generator)
                return CroppedPhoto(crop, tuple(skipped))
        raise TrainingError(
            f"none of the {len(self.files)} photos could be read; the first: {skipped[0]}"
        )


def collate(photos: list[CroppedPhoto]) -> PhotoBatch:
    """Stacks crops to a batch."""
    skipped = tuple(message for photo in photos for message in photo.skipped)
    return PhotoBatch(torch.stack([photo.image for photo in photos]), skipped)


def random_crop(image: Tensor, size: int, generator: torch.Generator | None = None) -> Tensor:
    """Shrinks ``image`` [3, H, W] by a random factor, crop [3, size, size], flip half of them.

    Photos smaller than the crop are enlarged to it. Without ``generator``, torch's own decides.
    """
    factor = 1 + (LARGEST_RESIZE - 1) * torch.rand((), generator=generator).item()
    short = int(size * factor)
    image = resize_short_side(image, max(size, min(short, *image.shape[-2:])))
    height, width = image.shape[-2:]
    # Shares of the room there is: a photo one pixel narrower gives nearly the same crop.
    down, right = torch.rand(2, generator=generator).tolist()
    top, left = int(down * (height - size + 1)), int(right * (width - size + 1))
    crop = image[:, top : top + size, left : left + size]
    return crop.flip(-1) if torch.rand((), generator=generator) < 0.5 else crop


def center_crops(files: Sequence[Path], count: int, size: int) -> Tensor:
    """Returns up to ``count`` photos [K, 3, size, size], evenly spread over those readable.

    Always the same ones for the same files: what is measured on them can be compared.

    Raises:
        TrainingError: none of the files can be read.
    """
    spread = files[:: max(1, len(files) // count)]
    crops: list[Tensor] = []
    for file in dict.fromkeys([*spread, *files]):
        if len(crops) == count:
            break
        try:
            image = resize_short_side(read_image(file), size)
        except (ImageError, OSError):
            continue
        top, left = ((side - size) // 2 for side in image.shape[-2:])
        crops.append(image[:, top : top + size, left : left + size])
    if not crops:
        raise TrainingError(f"none of the {len(files)} photos could be read")
    return torch.stack(crops)


def resize_short_side(image: Tensor, short: int) -> Tensor:
    """Resizes ``image`` [3, H, W] so that its shorter side is ``short``, antialiased."""
    height, width = image.shape[-2:]
    scale = short / min(height, width)
    size = (max(short, round(height * scale)), max(short, round(width * scale)))
    if size == (height, width):
        return image
    resized = F.interpolate(image[None], size, mode="bilinear", antialias=True)[0]
    return resized.clamp(0, 1)
