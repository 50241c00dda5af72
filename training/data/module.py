"""Lightning data module: a folder of photos and a folder of paintings."""

import math
import os
import signal
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

import lightning as L
import torch
from lightning.pytorch.utilities import rank_zero_info
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
from training.data.style_names import StyleName
from training.errors import TrainingError
from training.ranges import check_not_empty, check_range

CALIBRATION_PHOTOS: Final = 64
"""Photos on which the style losses are calibrated: enough for a mean known to a few per cent."""

LARGEST_HELD_OUT: Final = 0.5
MOST_HELD_OUT: Final = 16
"""Photos that are set aside at most: each is painted in every style, again and again."""


@runtime_checkable
class PaintingsAndCalibration(Protocol):
    """What ``MultiStyleModule`` needs of a data module, beside photos in its loaders.

    Attributes:
        paintings: the styles to learn, there once ``setup`` has been called.
    """

    paintings: list[Painting]

    def calibration_photos(self) -> Tensor:
        """Returns photos [K, 3, S, S] in [0, 1] on which the style losses are calibrated."""
        ...


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
        held_out: share of the photos that is not trained on, so that the losses can be measured
            on it while the run goes on; 0 sets none aside. No more than 16 are.
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
        held_out: float = 0.03,
    ) -> None:
        """Remembers the settings; nothing is read before training starts."""
        super().__init__()
        check_bounds(
            "--data.",
            crop_size=crop_size,
            style_size=style_size,
            batch_size=batch_size,
            num_workers=num_workers,
        )
        check_range("--data.held_out", held_out, 0, LARGEST_HELD_OUT)
        self.photos_folders = photos if isinstance(photos, list) else [photos]
        self.styles_folder = styles
        self.style_names = [style_names] if isinstance(style_names, str) else style_names
        check_not_empty("--data.photos", self.photos_folders, "folders")
        if self.style_names is not None:
            check_not_empty("--data.style_names", self.style_names, "paintings")
        self.crop_size = crop_size
        self.style_size = style_size
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.cache = cache
        self.held_out = held_out
        self.paintings: list[Painting] = []

    def setup(self, stage: str) -> None:
        """Finds the photos and load the paintings."""
        read: Callable[[Path], Tensor] = read_image
        if self.cache is not None:
            read = PhotoCache(self.cache, math.ceil(LARGEST_RESIZE * self.crop_size)).read
        self.photos = PhotoFolder(self.photos_folders, self.crop_size, read)
        aside = photos_aside(self.photos.files, self.held_out)
        self.held_out_photos = self._read_aside(sorted(aside))
        self.photos.files = [file for file in self.photos.files if file not in aside]
        self.photos[0]  # A folder in which nothing can be read is an error here, not in a worker.
        self.paintings = load_paintings(self.styles_folder, self.style_size, self.style_names)

    def _read_aside(self, files: Sequence[Path]) -> Tensor:
        """Returns the photos set aside, [K, 3, crop_size, crop_size]: none if none can be read."""
        try:
            if files:
                return center_crops(files, len(files), self.crop_size)
            reason = f"{self.held_out:g} of {len(self.photos)} photos are less than one"
        except TrainingError as error:
            reason = str(error)
        if self.held_out:
            rank_zero_info(f"no losses on photos held out (--data.held_out): {reason}")
        if self.trainer is not None:
            self.trainer.limit_val_batches = 0  # Lightning would warn of an empty loader
        return torch.empty(0, 3, self.crop_size, self.crop_size)

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

    def val_dataloader(self) -> DataLoader[Tensor]:
        """Returns batches [N, 3, crop_size, crop_size] of the photos set aside: always the same."""
        return DataLoader(self.held_out_photos, batch_size=self.batch_size)  # type: ignore[arg-type]  # a tensor is indexed as a data set is

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


def photos_aside(files: Sequence[Path], share: float) -> frozenset[Path]:
    """Returns which of ``files`` are not trained on: ``share`` of them, in whole photos.

    A photo's name decides, so that a run that goes on sets the same ones aside, in a folder that
    has moved or grown.
    """
    by_name = sorted(set(files), key=lambda file: (zlib.crc32(os.fsencode(file.name)), file))
    return frozenset(by_name[: min(int(share * len(by_name)), MOST_HELD_OUT)])


def leave_signals_to_the_trainer(worker: int) -> None:
    """Makes a reader ignore SIGTERM and SIGINT; ``worker_init_fn`` of a DataLoader.

    Schedulers and terminals send them to the whole process group. A reader that obeyed would die
    before the trainer has finished its step, and the trainer would fail instead of saving. Readers
    end with the trainer all the same: they look whether it still lives.
    """
    del worker
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
