"""Preview sheets while training: photos down, styles across."""

from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from torchvision.utils import make_grid, save_image

from training.data.photos import center_crops
from training.module import MultiStyleModule


class PreviewSheet(Callback):
    """Paints a few photos in every style, as PNG in ``previews/`` and in TensorBoard.

    The first column shows the photos themselves.

    Args:
        every_n_steps: steps between two sheets.
        photos: how many photos, taken evenly from the sorted folder.
        side: side of each picture in pixels.
    """

    def __init__(self, every_n_steps: int = 500, photos: int = 3, side: int = 192) -> None:
        """Remembers the settings."""
        self.every_n_steps = every_n_steps
        self.photos = photos
        self.side = side

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *_: object
    ) -> None:
        """Writes a sheet when its step has come."""
        if trainer.is_global_zero and trainer.global_step % self.every_n_steps == 0:
            self.write(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes a last sheet."""
        if trainer.is_global_zero:
            self.write(trainer, pl_module)

    def write(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Writes the sheet of this moment."""
        assert isinstance(module, MultiStyleModule)
        files = trainer.datamodule.photos.files  # type: ignore[attr-defined]
        photos = center_crops(files, self.photos, self.side).to(module.device)
        sheet = paint_sheet(module, photos)
        folder = Path(trainer.default_root_dir) / "previews"
        folder.mkdir(parents=True, exist_ok=True)
        save_image(sheet, folder / f"step-{trainer.global_step:06d}.png")
        if isinstance(trainer.logger, TensorBoardLogger):
            trainer.logger.experiment.add_image("preview", sheet, trainer.global_step)


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
