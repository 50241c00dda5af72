"""The progress bar: steps done, steps to go, time left and losses, on one line."""

import sys
import time
from typing import Any, Final

import lightning as L
from lightning.pytorch.callbacks import ProgressBar
from tqdm import tqdm

SECONDS: Final = 0.2
SECONDS_IN_A_FILE: Final = 30.0
"""Time between two lines where each stays, as in the log of a batch system."""

_FORMAT = "{n_fmt} steps done, {desc}|{bar}| {remaining} left{postfix}, {rate_noinv_fmt}"
"""What a narrow terminal cuts off is at the end."""


class StepsBar(ProgressBar):
    """Counts the optimizer's steps over the whole run, whatever epochs they are in."""

    def __init__(self) -> None:
        """Shows nothing yet."""
        super().__init__()
        self._enabled = True
        self._bar: tqdm[Any] | None = None
        self._shown = 0.0

    def disable(self) -> None:
        """Shows nothing, as in all processes but one."""
        self._enabled = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Opens the bar at the step at which the run goes on."""
        super().on_train_start(trainer, pl_module)
        steps = trainer.estimated_stepping_batches
        self._bar = tqdm(
            initial=trainer.global_step,
            total=int(steps) if steps != float("inf") else None,
            disable=not self._enabled,
            dynamic_ncols=True,
            file=sys.stdout,
            bar_format=_FORMAT,
            unit=" steps",
        )

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any, **__: Any) -> None:
        """Shows the step if it is time to: reading a loss makes a GPU wait."""
        seconds = SECONDS if sys.stdout.isatty() else SECONDS_IN_A_FILE
        if time.monotonic() - self._shown >= seconds:
            self._show(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Shows the last step."""
        self._show(trainer)
        self._close()

    def on_exception(self, trainer: L.Trainer, *_: Any) -> None:
        """Shows how far the run came, for what else there is to say."""
        self._count(trainer)
        self._close()

    def print(self, *args: Any, sep: str = " ", **kwargs: Any) -> None:
        """Prints above the bar."""
        tqdm.write(sep.join(map(str, args)), **kwargs)

    def _show(self, trainer: L.Trainer) -> None:
        if self._bar is None or self._bar.disable:
            return
        self._shown = time.monotonic()
        self._count(trainer)
        metrics = sorted(trainer.progress_bar_metrics.items(), key=lambda m: m[0] != "loss/total")
        losses = [f"{_spoken(name)} {value:.4g}" for name, value in metrics]
        self._bar.set_postfix_str(", ".join(losses), refresh=False)
        self._bar.refresh()

    def _count(self, trainer: L.Trainer) -> None:
        if self._bar is None:
            return
        self._bar.n = trainer.global_step
        if self._bar.total is not None:
            self._bar.set_description_str(f"{self._bar.total - self._bar.n} to go ", refresh=False)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _spoken(name: str) -> str:
    return name.removeprefix("loss/").replace("/", " ").replace("_", " ")
