"""``python -m training fit`` with the smallest of all configurations."""

import os
from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import Callback

from training.__main__ import main

SMOKE = "training/configs/smoke.yaml"


class Fit:
    """Runs it in this process, on one thread: the same seed then trains the same network."""

    def __init__(self, photos: Path, paintings: Path, weights: Path, run: Path) -> None:
        self.run = run
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


class SignalAt(Callback):
    """Sends this process the signals ``numbers``, one behind each step from ``step`` on."""

    def __init__(self, numbers: list[int], step: int) -> None:
        self.numbers = numbers
        self.step = step

    def on_train_batch_end(self, trainer: L.Trainer, *_: object) -> None:
        if trainer.global_step >= self.step and self.numbers:
            os.kill(os.getpid(), self.numbers.pop(0))
