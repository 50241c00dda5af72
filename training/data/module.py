"""Lightning data module: a folder of photos and a folder of paintings."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from training.data.bounds import check_bounds
from training.data.image_file import read_image
from training.data.paintings import Painting, load_paintings
from training.data.photo_cache import PhotoCache
from training.data.photo_order import PhotoOrder
from training.data.photos import (
    LARGEST_RESIZE,
    PhotoBatch,
    PhotoFolder,
    center_crops,
    collate,
)
from training.data.readers import leave_signals_to_the_trainer
from training.data.style_names import StyleName
from training.errors import TrainingError

CALIBRATION_PHOTOS: Final = 64
"""Photos on which the style losses are calibrated: enough for a mean known to a few per cent."""


class PhotosAndPaintings(L.LightningDataModule):
    """Serves random photo crops; holds the paintings.

    Args:
        photos: folder tree of content photos, or a list of several.
        styles: folder of paintings; an optional sources.csv in it (columns file, title, artist,
            year, licence) describes them.
        style_names: names of the paintings' files, or ids, in the order wanted; all paintings if
            left out.
        crop_size: side of the square photo crops in pixels, a multiple of 4 from 32 to 4096.
        style_size: shorter side of the paintings in pixels, 32 to 4096; larger paintings, larger
            strokes.
        batch_size: photos per step and process.
        num_workers: processes that read photos; 0 reads them in the training process.
        cache: folder in which large photos are kept at training size, so that they are decoded
            once and not in every epoch; several runs may share it.
    """

    def __init__(
        self,
        photos: Path | list[Path],
        styles: Path,
        style_names: list[StyleName] | str | None = None,
        crop_size: int = 256,
        style_size: int = 384,
        batch_size: int = 4,
        num_workers: int = 1,
        cache: Path | None = None,
    ) -> None:
        """Remembers the settings; nothing is read before training starts."""
        super().__init__()
        self.photos_folders = photos if isinstance(photos, list) else [photos]
        self.styles_folder = styles
        self.style_names = [style_names] if isinstance(style_names, str) else style_names
        self.crop_size = crop_size
        self.style_size = style_size
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.cache = cache
        self.paintings: list[Painting] = []

    def setup(self, stage: str) -> None:
        """Finds the photos and load the paintings."""
        check_bounds(
            "data.",
            crop_size=self.crop_size,
            style_size=self.style_size,
            batch_size=self.batch_size,
            num_workers=self.num_workers,
        )
        for option in ("photos_folders", "style_names"):
            if getattr(self, option) == []:
                name = option.removesuffix("_folders")
                raise TrainingError(f"data.{name} is an empty list: name one at least")
        read: Callable[[Path], Tensor] = read_image
        if self.cache is not None:
            read = PhotoCache(self.cache, math.ceil(LARGEST_RESIZE * self.crop_size)).read
        self.photos = PhotoFolder(self.photos_folders, self.crop_size, read)
        self.photos[0]  # A folder in which nothing can be read is an error here, not in a worker.
        self.paintings = load_paintings(self.styles_folder, self.style_size, self.style_names)

    def calibration_photos(self) -> Tensor:
        """Returns photos [K, 3, crop_size, crop_size]: the same for the same folders."""
        return center_crops(self.photos.files, CALIBRATION_PHOTOS, self.crop_size)

    def train_dataloader(self) -> DataLoader[PhotoBatch]:
        """Returns shuffled batches, the process's own part of each; no photo comes twice in one."""
        order = self._order()
        return DataLoader(
            self.photos,  # type: ignore[arg-type]  # collate turns crops into batches
            batch_size=order.batch_size,
            sampler=order,
            num_workers=self.num_workers,
            collate_fn=collate,
            worker_init_fn=leave_signals_to_the_trainer,
            drop_last=True,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
        )

    def _order(self) -> PhotoOrder:
        seed = int(os.environ.get("PL_GLOBAL_SEED", "0"))  # Lightning's, the same in all processes
        if self.trainer is None:
            return PhotoOrder(self.photos, self.batch_size, seed=seed)
        return PhotoOrder(
            self.photos,
            self.batch_size,
            rank=self.trainer.global_rank,
            world_size=self.trainer.world_size,
            seed=seed,
            first_step=self.trainer.global_step,
        )
