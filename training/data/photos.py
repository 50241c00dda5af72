"""Content photos: random crops and flips, unreadable files skipped."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from sfumato.errors import ImageError
from training.data.image_file import read_image
from training.data.image_folder import find_images
from training.data.photo_order import PhotoDraw
from training.errors import TrainingError

LARGEST_RESIZE: Final = 1.5
"""Photos are shrunk so that the short side is 1 to this many times the crop."""

Item = TypeVar("Item")


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
        found = (file for folder in folders for file in find_images(folder))
        self.files = list(dict.fromkeys(found))  # one of the folders may lie in another
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


def as_batch(batch: Any) -> PhotoBatch:
    """Returns the batch of any DataLoader: photos, or a list that begins with them.

    Raises:
        TrainingError: they are no photos [N, 3, H, W] of floats.
    """
    if isinstance(batch, PhotoBatch):
        return batch
    images = batch[0] if isinstance(batch, list | tuple) and batch else batch
    if not isinstance(images, Tensor):
        found = f"a {type(images).__name__}"
    elif images.dim() == 4 and images.shape[1] == 3 and images.is_floating_point():
        return PhotoBatch(images)
    else:
        found = f"{images.dtype} {list(images.shape)}"
    raise TrainingError(
        f"a batch is {found}: it must be photos, floats [N, 3, H, W] in [0, 1], or a list that "
        "begins with them"
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
    # Shares of the room there is: a photo one pixel narrower gives nearly the same crop.
    down, right = torch.rand(2, generator=generator).tolist()
    image = _not_larger_than_needed(image, size, down, right)
    short = int(size * factor)
    image = resize_short_side(image, max(size, min(short, *image.shape[-2:])))
    height, width = image.shape[-2:]
    top, left = int(down * (height - size + 1)), int(right * (width - size + 1))
    crop = image[:, top : top + size, left : left + size]
    return crop.flip(-1) if torch.rand((), generator=generator) < 0.5 else crop


def center_crops(files: Sequence[Path], count: int, size: int) -> Tensor:
    """Returns up to ``count`` photos [K, 3, size, size], evenly spread over the files.

    In place of a photo that cannot be read comes the next one that can. Always the same ones for
    the same files: what is measured on them can be compared.

    Raises:
        TrainingError: none of the files can be read.
    """
    crops: list[Tensor] = []
    failures: dict[int, Exception] = {}
    taken: set[int] = set()
    for place in spread(range(len(files)), count):
        for step in range(len(files)):
            number = (place + step) % len(files)
            if number in taken or number in failures:
                continue
            try:
                crops.append(_center_crop(read_image(files[number]), size))
            except (ImageError, OSError) as error:
                failures[number] = error
            else:
                taken.add(number)
                break
    if not crops:
        number, failure = next(iter(failures.items()))
        raise TrainingError(
            f"none of the {len(files)} photos could be read; one of them: "
            f"{files[number]}: {failure}"
        )
    return torch.stack(crops)


def _center_crop(image: Tensor, size: int) -> Tensor:
    image = resize_short_side(_not_larger_than_needed(image, size, 0.5, 0.5), size)
    top, left = ((side - size) // 2 for side in image.shape[-2:])
    return image[:, top : top + size, left : left + size]


def _not_larger_than_needed(image: Tensor, size: int, down: float, right: float) -> Tensor:
    """Cuts a square out of an image that will be enlarged to the crop: a banner would get huge."""
    height, width = image.shape[-2:]
    short = min(height, width)
    if short >= size:
        return image
    top, left = int(down * (height - short)), int(right * (width - short))
    return image[:, top : top + short, left : left + short]


def resize_short_side(image: Tensor, short: int) -> Tensor:
    """Resizes ``image`` [3, H, W] so that its shorter side is ``short``, antialiased."""
    height, width = image.shape[-2:]
    scale = short / min(height, width)
    size = (max(short, round(height * scale)), max(short, round(width * scale)))
    if size == (height, width):
        return image
    resized = F.interpolate(image[None], size, mode="bilinear", antialias=True)[0]
    return resized.clamp(0, 1)


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """Returns up to ``count`` different ``items``: the middles of as many equal parts, in order."""
    count = min(count, len(items))
    return [items[(2 * number + 1) * len(items) // (2 * count)] for number in range(count)]
