"""Lightning data module: a folder of photos and a folder of paintings."""

from pathlib import Path
from typing import Final

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from training.data.paintings import Painting, load_paintings
from training.data.photos import PhotoBatch, PhotoFolder, center_crops, collate
from training.errors import TrainingError

CALIBRATION_PHOTOS: Final = 64
"""Photos on which the style losses are calibrated: enough for a mean known to a few per cent."""


class PhotosAndPaintings(L.LightningDataModule):
    """Serves random photo crops; holds the paintings.

    Args:
        photos: folder tree of content photos (JPEG, PNG, WebP), or a list of several.
        styles: folder of paintings; an optional sources.csv in it (columns file, title, artist,
            year, licence) describes them.
        style_names: file names without suffix, in the order wanted; all paintings if left out.
        crop_size: side of the square photo crops in pixels, a multiple of 4.
        style_size: shorter side of the paintings in pixels; larger paintings, larger strokes.
        batch_size: photos per step and process.
        num_workers: processes that read photos.
    """

    def __init__(
        self,
        photos: Path | list[Path],
        styles: Path,
        style_names: list[str] | None = None,
        crop_size: int = 256,
        style_size: int = 384,
        batch_size: int = 4,
        num_workers: int = 1,
    ) -> None:
        """Remembers the settings; nothing is read before training starts."""
        super().__init__()
        self.photos_folders = photos if isinstance(photos, list) else [photos]
        self.styles_folder = styles
        self.style_names = style_names
        self.crop_size = crop_size
        self.style_size = style_size
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.paintings: list[Painting] = []

    def setup(self, stage: str) -> None:
        """Finds the photos and load the paintings."""
        if self.crop_size < 32 or self.crop_size % 4:
            raise TrainingError(
                f"data.crop_size is {self.crop_size}: it must be a multiple of 4 and at least 32"
            )
        self.photos = PhotoFolder(self.photos_folders, self.crop_size)
        self.photos[0]  # A folder in which nothing can be read is an error here, not in a worker.
        self.paintings = load_paintings(self.styles_folder, self.style_size, self.style_names)

    def calibration_photos(self) -> Tensor:
        """Returns photos [K, 3, crop_size, crop_size]: the same for the same folders."""
        return center_crops(self.photos.files, CALIBRATION_PHOTOS, self.crop_size)

    def train_dataloader(self) -> DataLoader[PhotoBatch]:
        """Returns shuffled batches; photos repeat within a batch only if there are too few."""
        return DataLoader(
            self.photos,  # type: ignore[arg-type]  # collate turns crops into batches
            batch_size=min(self.batch_size, len(self.photos)),
            shuffle=True,
            num_workers=self.num_workers,
            collate_fn=collate,
            drop_last=True,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
        )
