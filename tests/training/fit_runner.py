"""``python -m training fit`` with the smallest of all configurations."""

import os
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from training.__main__ import main
from training.data.module import PhotosAndPaintings
from training.data.style_names import StyleName
from training.module import MultiStyleModule

SMOKE = "training/configs/smoke.yaml"


class Fit:
    """Runs it in this process, on one thread: the same seed then trains the same network."""

    def __init__(self, photos: Path, paintings: Path, weights: Path, run: Path) -> None:
        self.photos, self.paintings, self.weights, self.run = photos, paintings, weights, run
        self.arguments = [
            *("fit", "--config", SMOKE, "--threads", "1"),
            *("--data.photos", str(photos), "--data.styles", str(paintings)),
            *("--model.loss_weights", str(weights)),
            *("--trainer.default_root_dir", str(run)),
            *("--trainer.enable_progress_bar", "false"),
        ]

    def __call__(self, *more: str) -> int:
        return main([*self.arguments, *more])

    @property
    def checkpoints(self) -> Path:
        return self.run / "checkpoints"

    @property
    def last(self) -> Path:
        return self.checkpoints / "last.ckpt"

    def parts(
        self, names: list[StyleName] | None = None
    ) -> tuple[MultiStyleModule, PhotosAndPaintings]:
        """Module and data of such a run, made without the command line."""
        layers: dict[str, Any] = {
            "content_layers": ("relu2_1",),
            "style_layers": ("relu1_1", "relu2_1"),
        }
        sizes: dict[str, Any] = {
            "crop_size": 64,
            "style_size": 64,
            "batch_size": 2,
            "num_workers": 0,
        }
        return (
            MultiStyleModule("lite", str(self.weights), **layers),
            PhotosAndPaintings(self.photos, self.paintings, names, **sizes),
        )

    def trainer(self, steps: int, *callbacks: Callback, **options: Any) -> L.Trainer:
        """A trainer that writes nothing."""
        return L.Trainer(
            accelerator="cpu",
            max_steps=steps,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=list(callbacks),
            default_root_dir=self.run,
            **options,
        )


class SignalAt(Callback):
    """Sends this process the signals ``numbers`` behind the step ``step``.

    With ``measuring`` they come while the photos held out are looked at.
    """

    def __init__(self, numbers: list[int], step: int, measuring: bool = False) -> None:
        self.numbers = numbers
        self.step = step
        self.measuring = measuring

    def on_train_batch_end(self, trainer: L.Trainer, *_: object) -> None:
        if not self.measuring:
            self._send(trainer)

    def on_validation_batch_start(self, trainer: L.Trainer, *_: object) -> None:
        if self.measuring:
            self._send(trainer)

    def _send(self, trainer: L.Trainer) -> None:
        while trainer.global_step == self.step and self.numbers:
            os.kill(os.getpid(), self.numbers.pop(0))
