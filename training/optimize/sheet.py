"""Sheets: several optimizations, one picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torchvision.utils import make_grid

from training.optimize.failures import OptimizationError
from training.optimize.images import ImageParameterization
from training.optimize.loop import ImageFunction, Result, optimize
from training.optimize.objective import FeatureNetwork, Objective
from training.optimize.technique import Technique

GAP: Final = 4
"""White pixels between two images of a sheet."""


@dataclass(frozen=True)
class Entry:
    """One optimization of a sheet.

    Attributes:
        label: what the progress bar is called and what frames' names begin with.
        image: one or more images of the same size.
        objective: what they are optimized for.
        network: what it looks through.
        transform: applied between the images and the network.
        project: applied to the images after each step.
    """

    label: str
    image: ImageParameterization
    objective: Objective
    network: FeatureNetwork
    transform: ImageFunction | None
    project: ImageFunction | None


def optimize_sheet(
    technique: Technique,
    entries: Sequence[Entry],
    lr: float | None,
    columns: int | None = None,
) -> Result:
    """Runs the optimizations one after the other and lays the images out.

    Ctrl-C ends the sheet with the image at work; those before it are whole.

    Args:
        technique: its steps, optimizer and frames.
        entries: what is optimized.
        lr: step size.
        columns: see ``lay_out``.

    Returns:
        The sheet, one row for each entry of several images; the losses, summed over the entries.

    Raises:
        OptimizationError: one failed; the error carries the sheet as far as it came.
    """
    images: list[Tensor] = []
    losses: list[list[float]] = []
    interrupted = False
    for entry in entries:
        try:
            with technique.watch(entry.label if len(entries) > 1 else "") as on_step:
                result = optimize(
                    entry.image,
                    entry.objective,
                    entry.network,
                    steps=technique.steps,
                    optimizer=technique.optimizer,
                    lr=lr,
                    transform=entry.transform,
                    project=entry.project,
                    on_step=on_step,
                )
        except OptimizationError as error:
            saved = images if error.image is None else [*images, error.image]
            error.image = lay_out(saved, columns) if saved else None
            raise
        images.append(result.image)
        losses.append(result.losses)
        if result.interrupted:
            interrupted = True
            break
    return Result(lay_out(images, columns), _added(losses), interrupted)


def lay_out(images: Sequence[Tensor], columns: int | None = None) -> Tensor:
    """Lays batches of images out on a sheet [1, 3, H, W].

    Args:
        images: batches [N, 3, h, w].
        columns: images in a row; None gives each batch a row, and single images a near-square.
    """
    batch = torch.cat(list(images)).cpu()
    if len(batch) == 1:
        return batch
    if columns is None:
        columns = max(len(each) for each in images)
        columns = columns if columns > 1 else math.ceil(math.sqrt(len(batch)))
    sheet: Tensor = make_grid(batch, nrow=columns, padding=GAP, pad_value=1.0)
    return sheet[None, :, GAP:-GAP, GAP:-GAP]


def _added(losses: Sequence[Sequence[float]]) -> list[float]:
    """Adds step by step, as far as every optimization went."""
    return [sum(each) for each in zip(*losses, strict=False)]
