"""What every technique is: options, and a picture that they make."""

import argparse
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

import torch

from training.optimize.failures import OptimizationError
from training.optimize.loop import Progress, Result
from training.optimize.optimizers import OptimizerName
from training.optimize.picture_file import keep_last_good, write_picture
from training.optimize.pyramid import Size, fingerprint_of
from training.optimize.watch import choose_device, summary, watch
from training.options import Options, Positive, not_negative, positive
from training.output_place import prepare_file, prepare_folder

IMAGE_OUTPUTS: Final = (".png", ".jpg", ".jpeg", ".webp")


def output_file(text: str) -> Path:
    """Reads the name of an image file to write; its folder is made before the work."""
    path = Path(text)
    if path.suffix.lower() not in IMAGE_OUTPUTS:
        raise argparse.ArgumentTypeError(f"{text!r} must end in {', '.join(IMAGE_OUTPUTS)}")
    return path


@dataclass(frozen=True, kw_only=True)
class Technique(Options):
    """One way to optimize an image; its defaults for size, steps and optimizer are its own.

    Args:
        out: the image file to write
        size: longer side in pixels
        steps: evaluations of the objective
        optimizer: sgd divides the gradient by its root mean square
        lr: step size; by default the optimizer's usual one
        seed: seed of all that is random
        device: cpu, cuda, cuda:1, mps; auto takes a GPU if there is one
        frames: folder for intermediate frames (PNG)
        every: steps from frame to frame
    """

    out: Annotated[Path | None, output_file, {"required": True}] = None
    size: Positive = 256
    steps: Positive = 300
    optimizer: OptimizerName = "lbfgs"
    lr: Annotated[float | None, not_negative] = None
    seed: int = 0
    device: str = "auto"
    frames: Annotated[Path | None, "DIR"] = None
    every: Annotated[int, positive, "N"] = 25

    incidental: ClassVar[frozenset[str]] = frozenset(
        ("out", "device", "frames", "every", "work", "levels")
    )
    """Options that do not decide what an image of a given size becomes."""

    def run(self) -> Result:
        """Makes the picture, and writes it where ``out`` says so.

        Returns:
            The picture [1, 3, H, W] in [0, 1] and the losses. After Ctrl-C it is the best so far.

        Raises:
            OptimizationError: it failed underway; the error carries the last good image.
            TrainingError: something asked for is not there or does not fit; or it failed underway,
                and the last good image lies beside ``out``.
        """
        if self.out is not None:
            prepare_file(self.out)
        for folder in (self.frames, getattr(self, "work", None)):
            if folder is not None:
                prepare_folder(folder)
        try:
            result = self.make()
        except OptimizationError as error:
            if self.out is None:
                raise
            keep_last_good(error, self.out)
        if self.out is not None:
            write_picture(self.out, result.image[:1])
            print(self.summary(result))
        return result

    def make(self) -> Result:
        """Makes the picture; see ``run``, which is what to call."""
        raise NotImplementedError

    def summary(self, result: Result) -> str:
        """Returns the last line of the command."""
        return summary(self.out, result)

    def chosen_device(self) -> torch.device:
        """Returns the device. Raises TrainingError if there is no such."""
        return choose_device(self.device)

    def watch(self, label: str = "") -> AbstractContextManager[Callable[[Progress], None]]:
        """Gives an ``on_step``, see ``training.optimize.watch``."""
        return watch(self.frames, self.every, label)

    def watch_level(self, _: int, size: Size) -> AbstractContextManager[Callable[[Progress], None]]:
        """Gives the ``on_step`` of a level; its frames are called by its size."""
        return self.watch(f"{size[1]}x{size[0]}")

    def fingerprint(self, more: Mapping[str, Any] | None = None) -> str:
        """Returns a digest of all that decides the result: options, what files hold, ``more``."""
        names = (f.name for f in fields(self) if f.name not in self.incidental)
        decisive = {name: getattr(self, name) for name in names} | dict(more or {})
        return fingerprint_of(decisive, [v for v in decisive.values() if isinstance(v, Path)])


@dataclass(frozen=True, kw_only=True)
class WithLossNetwork(Options):
    """What looks through a VGG.

    Args:
        loss_weights: vgg16 or vgg19 (downloaded once), or a safetensors file with torchvision's
            keys
    """

    loss_weights: Annotated[str, "FILE"] = "vgg19"


@dataclass(frozen=True, kw_only=True)
class WithLevels(Options):
    """What goes from coarse to fine.

    Args:
        levels: coarse to fine: sizes, each half of the next; --steps at each
        work: folder for finished levels; the same command goes on there after an interruption
    """

    levels: Positive = 1
    work: Annotated[Path | None, "DIR"] = None
