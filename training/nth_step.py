"""What happens every so many steps."""

from collections.abc import Mapping
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from training.data.photos import PhotoBatch, as_batch
from training.ranges import check_range


class NthStepCallback(Callback):
    """Calls ``on_nth_step`` once behind every n-th step of the optimizer.

    A step of several batches (``accumulate_grad_batches``) ends several batches at one and the
    same number of steps; only the last of them is behind the step.
    """

    def __init__(self, every_n_steps: int) -> None:
        """Remembers the number of steps between two calls."""
        check_range(f"every_n_steps of {type(self).__name__}", every_n_steps, 1)
        self.every_n_steps = every_n_steps
        self._steps = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Notes where the run begins."""
        self._steps = trainer.global_step

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Looks whether the step has come."""
        if trainer.global_step == self._steps:
            return
        self._steps = trainer.global_step
        if self._steps % self.every_n_steps == 0:
            self.on_nth_step(trainer, pl_module, as_batch(batch))

    def on_nth_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: PhotoBatch
    ) -> None:
        """Does what is to be done; ``batch`` is the step's last."""
        raise NotImplementedError
