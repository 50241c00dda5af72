"""Preview sheets while training: photos down, styles across."""

from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from torch import Tensor
from torchvision.utils import make_grid, save_image

from training.data.module import PhotosAndPaintings
from training.data.photos import PhotoBatch, center_crops, resize_short_side
from training.module import MultiStyleModule
from training.networks.transformation_network import MIN_SIDE
from training.nth_step import NthStepCallback
from training.ranges import check_range


class PreviewSheet(NthStepCallback):
    """Paints a few photos in every style, as PNG in ``previews/`` and in TensorBoard.

    The first column shows the photos themselves.

    Args:
        every_n_steps: steps between two sheets.
        photos: how many photos, taken evenly from the sorted folder.
        side: side of each picture in pixels.
    """

    def __init__(self, every_n_steps: int = 500, photos: int = 3, side: int = 192) -> None:
        """Remembers the settings."""
        super().__init__(every_n_steps)
        check_range("photos of PreviewSheet", photos, 1)
        check_range("side of PreviewSheet", side, MIN_SIDE)
        self.photos = photos
        self.side = side

    def on_nth_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: PhotoBatch
    ) -> None:
        """Writes the sheet of this step."""
        self.write(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes a last sheet."""
        if trainer.global_step % self.every_n_steps:
            self.write(trainer, pl_module)

    def write(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Writes the sheet of this moment, in one of several processes; a trial writes none."""
        if trainer.fast_dev_run or not trainer.is_global_zero:  # type: ignore[attr-defined]
            return
        assert isinstance(module, MultiStyleModule)
        data = trainer.datamodule  # type: ignore[attr-defined]
        if isinstance(data, PhotosAndPaintings):
            photos = center_crops(data.photos.files, self.photos, self.side)
        else:
            some = data.calibration_photos()[: self.photos]
            photos = torch.stack([resize_short_side(photo, self.side) for photo in some])
        sheet = paint_sheet(module, photos.to(module.device))
        folder = Path(trainer.default_root_dir) / "previews"
        folder.mkdir(parents=True, exist_ok=True)
        save_image(sheet, folder / f"step-{trainer.global_step:06d}.png")
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("preview", sheet, trainer.global_step)
            elif isinstance(logger, WandbLogger):
                logger.log_image("preview", [sheet], step=trainer.global_step)


@torch.no_grad()
def paint_sheet(module: MultiStyleModule, photos: Tensor) -> Tensor:
    """Paints ``photos`` [K, 3, side, side] in every style: one row per photo, [3, H, W]."""
    rows: list[Tensor] = []
    for photo in photos:
        painted = [
            module(photo.unsqueeze(0), torch.tensor([style], device=photo.device))
            for style in range(len(module.rows))
        ]
        rows += [photo.unsqueeze(0), *painted]
    sheet: Tensor = make_grid(torch.cat(rows).float().cpu(), nrow=len(module.rows) + 1, padding=2)
    return sheet
