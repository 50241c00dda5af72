"""Alarms: training that diverges, styles that come out the same, photos that cannot be read.

The module brings them along (``MultiStyleModule.configure_callbacks``): every run has them.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from training.data.photos import PhotoBatch, as_batch
from training.errors import DIVERGED_REMEDY, TrainingError
from training.nth_step import NthStepCallback
from training.ranges import check_range

LOSSES_READ_AT_ONCE: Final = 20
"""On a GPU; reading one makes the processor wait until the GPU has finished all its work."""


class DivergenceAlarm(NthStepCallback):
    """Stops a run whose loss is no number and warns of pictures that are all black or white.

    Args:
        every_n_steps: steps between two looks at the pictures.
        saturated_share: share of values within 1 % of black or white that is worth a warning.
    """

    def __init__(self, every_n_steps: int = 100, saturated_share: float = 0.9) -> None:
        """Remembers the settings."""
        super().__init__(every_n_steps)
        check_range("saturated_share of DivergenceAlarm", saturated_share, 0, 1)
        self.saturated_share = saturated_share
        self._unread: list[tuple[int, Tensor]] = []

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Looks at the losses and, after some steps, at the pictures."""
        loss = outputs["loss"] if isinstance(outputs, Mapping) else outputs
        if isinstance(loss, Tensor):
            self._unread.append((trainer.global_step, loss.detach()))
            if loss.device.type == "cpu" or len(self._unread) >= LOSSES_READ_AT_ONCE:
                self._look_at_losses()
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def on_save_checkpoint(self, *_: object) -> None:
        """Looks at every loss so far, so that what is saved is good."""
        self._look_at_losses()

    def on_train_end(self, *_: object) -> None:
        """Looks at the last losses."""
        self._look_at_losses()

    def _look_at_losses(self) -> None:
        unread, self._unread = self._unread, []
        if not unread:
            return
        values = torch.stack([loss for _, loss in unread]).tolist()
        for (step, _), value in zip(unread, values, strict=True):
            if not math.isfinite(value):
                raise TrainingError(f"the loss became {value} at step {step}: {DIVERGED_REMEDY}")

    @torch.no_grad()
    def on_nth_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: PhotoBatch
    ) -> None:
        """Looks at the picture of one photo."""
        styles = torch.zeros(1, dtype=torch.long, device=batch.images.device)
        painted = pl_module(batch.images[:1], styles)
        share = saturated_share(painted)
        if share > self.saturated_share:
            rank_zero_warn(
                f"step {trainer.global_step}: {share:.0%} of the painted values are black or "
                "white; if the next preview shows no picture, lower --model.learning_rate"
            )


def saturated_share(images: Tensor) -> float:
    """Returns the share of values of ``images`` in [0, 1] within 0.01 of either end."""
    return float(((images < 0.01) | (images > 0.99)).float().mean())


class TwinStylesAlarm(NthStepCallback):
    """Warns when two styles paint the same photo alike ("dead style").

    Args:
        every_n_steps: steps between two comparisons.
        smallest_distance: root-mean-square difference of two painted photos, in [0, 1], below
            which they count as alike.
    """

    def __init__(self, every_n_steps: int = 1000, smallest_distance: float = 0.02) -> None:
        """Remembers the settings."""
        super().__init__(every_n_steps)
        check_range("smallest_distance of TwinStylesAlarm", smallest_distance, 0, 1)
        self.smallest_distance = smallest_distance

    @torch.no_grad()
    def on_nth_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: PhotoBatch
    ) -> None:
        """Paints one photo in every style and compares."""
        module: Any = pl_module  # a MultiStyleModule, which imports this file
        painted = [
            module(batch.images[:1], torch.tensor([style], device=batch.images.device))
            for style in range(len(module.rows))
        ]
        infos = module.styles
        for a, b in twins(torch.cat(painted), self.smallest_distance):
            rank_zero_warn(
                f"step {trainer.global_step}: styles {infos[a].id!r} and "
                f"{infos[b].id!r} come out the same; if it lasts, train longer or raise "
                "--model.style_strength"
            )


def twins(painted: Tensor, smallest_distance: float) -> list[tuple[int, int]]:
    """Returns the pairs of ``painted`` [S, 3, H, W] closer than ``smallest_distance`` (RMS)."""
    flat = painted.float().flatten(1)  # [S, 3·H·W]
    distances = torch.cdist(flat, flat) / math.sqrt(flat.shape[1])  # [S, S]
    close = torch.triu(distances < smallest_distance, diagonal=1).nonzero()
    return [(int(a), int(b)) for a, b in close]


class SkippedPhotos(Callback):
    """Warns once of each photo that cannot be read, and counts them."""

    def __init__(self) -> None:
        """Starts with none."""
        self.messages: set[str] = set()

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: object,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Reports what this batch's readers met."""
        for message in sorted(set(as_batch(batch).skipped) - self.messages):
            self.messages.add(message)
            rank_zero_warn(f"photo skipped ({len(self.messages)} so far): {message}")
        pl_module.log("photos_skipped", float(len(self.messages)))


ALARMS: Final = (DivergenceAlarm, TwinStylesAlarm, SkippedPhotos)
