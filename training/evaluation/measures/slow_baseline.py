"""The slow baseline: L-BFGS on the pixels with the loss of the fast network (Gatys 2016).

As in Johnson, Alahi and Fei-Fei 2016, section 4.1: from noise, the image kept in [0, 1] by
projection after each iteration.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from training.evaluation.measures.equivalence import CURVE
from training.losses.perceptual import PerceptualLoss
from training.optimize.images import Pixels, noise
from training.optimize.loop import Progress, optimize
from training.optimize.objective import IMAGE, Features, Objective, Term
from training.optimize.projections import clip

ITERATIONS: Final = 500
"""Of the baseline of Johnson et al. An iteration is one evaluation of the loss and its slope."""


@dataclass(frozen=True)
class BaselineRun:
    """What the baseline did for one photo and one painting.

    Attributes:
        losses: total loss at each iteration, of the picture in [0, 1]; the first is the noise's.
        equal: the first picture [1, 3, H, W] as good as the fast one; None if there was none.
        end: the best picture [1, 3, H, W] when the run ended.
    """

    losses: list[float]
    equal: Tensor | None
    end: Tensor


class _EnoughError(Exception):
    """Ends a run whose curve has been crossed."""


class _Observer:
    """Keeps the pictures, and stops the run where nothing more is to be learnt."""

    def __init__(
        self, target: float, *, full: bool, on_step: Callable[[Progress], None] | None
    ) -> None:
        self._target, self._full, self._on_step = target, full, on_step
        self.losses: list[float] = []
        self.equal: Tensor | None = None
        self.best: Tensor | None = None

    def __call__(self, progress: Progress) -> None:
        if not self.losses or progress.loss < min(self.losses):
            self.best = progress.image()
        self.losses.append(progress.loss)
        if self.equal is None and progress.loss <= self._target:
            self.equal = progress.image()
        if self._on_step is not None:
            self._on_step(progress)
        if self.equal is not None and not self._full and progress.step in CURVE:
            raise _EnoughError


def objective_of(loss: PerceptualLoss, photo: Tensor, style: int) -> Objective:
    """Makes an objective of ``loss`` itself, so that both sides minimize the very same number.

    Args:
        loss: the loss of the fast network.
        photo: [1, 3, H, W] in [0, 1].
        style: number of the painting.
    """
    targets, styles = loss.targets_of(photo), torch.tensor([style], device=photo.device)

    def total(features: Features) -> Tensor:
        return loss.judge(targets, features[IMAGE], styles).total

    return Objective((Term("total", (IMAGE,), total),))


def run_baseline(
    loss: PerceptualLoss,
    photo: Tensor,
    style: int,
    target: float,
    *,
    seed: int,
    iterations: int = ITERATIONS,
    full: bool = False,
    on_step: Callable[[Progress], None] | None = None,
) -> BaselineRun:
    """Optimizes an image for ``photo`` [1, 3, H, W] and painting number ``style``.

    Args:
        loss: the loss of the fast network.
        photo: in [0, 1].
        style: number of the painting.
        target: total loss of the fast picture.
        seed: of the noise.
        iterations: at most so many.
        full: go on to the end, instead of to the next point of ``CURVE``, once ``target`` is met.
        on_step: told about each iteration.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        TrainingError: the loss became infinite, or the memory is too small.
    """
    generator = torch.Generator().manual_seed(seed)
    image = Pixels(noise(*photo.shape[-2:], generator=generator, device=photo.device))
    observer = _Observer(target, full=full, on_step=on_step)
    try:
        result = optimize(
            image,
            objective_of(loss, photo, style),
            loss.network,
            steps=iterations,
            project=clip(),
            on_step=observer,
        )
        if result.interrupted:
            raise KeyboardInterrupt
    except _EnoughError:
        pass
    assert observer.best is not None
    return BaselineRun(observer.losses, observer.equal, observer.best)
