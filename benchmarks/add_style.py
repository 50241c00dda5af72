"""A new style: loss against steps, from scratch, from a neutral row and from the nearest blend.

    python -m benchmarks.add_style models/default PAINTING… --photos DIR --loss-weights FILE

Every start sees the same crops in the same order. *Scratch* trains a whole new network of the
same shape on the one painting; *whole* goes on with the whole trained network for that painting
alone, from the nearest blend: joint training, whose network has to share, can hardly do better.
The others train γ and β on the frozen network, as ``python -m training add-style`` does. The loss
is the mean total on held-out photos.

A painting that the network knows is forgotten first: its row is taken away, and learned again
from what is left. The row that was trained jointly is then the mark to reach. The frozen network
has seen such a painting, which a new one does not have for it.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.machine import describe_machine
from training.checkpoint import TrainedStyles
from training.data.paintings import style_info
from training.networks.architectures import build_network
from training.networks.transformation_network import TransformationNetwork
from training.new_style.command import Lesson
from training.new_style.module import DECAY_FRACTION, WARMUP_STEPS
from training.new_style.options import AddStyleOptions
from training.schedules import trapezoid
from training.starting_point import read_trained

STARTS = ("scratch", "whole", "neutral", "nearest")
SCRATCH_LEARNING_RATE = 2e-3  # of the whole network, as in training/configs/default_model.yaml
WHOLE_LEARNING_RATE = 5e-4  # as in benchmarks.single_style: the network is nearly there


def curve(lesson: Lesson, start: str, every: int) -> dict[int, float]:
    """Trains one start; returns the held-out total by step."""
    network, row = lesson.trained.network, lesson.first_row()
    highest = lesson.options.learning_rate
    if start == "scratch":
        torch.manual_seed(0)
        network = build_network(network.architecture)
        row, highest = network.neutral_style(), SCRATCH_LEARNING_RATE
    elif start == "whole":
        highest = WHOLE_LEARNING_RATE
    network.requires_grad_(start in {"scratch", "whole"}).to(memory_format=torch.channels_last)
    parameter = nn.Parameter(row.clone())
    totals = {0: held_out_total(lesson, network, parameter)}
    for step in train(lesson, network, parameter, highest):
        if step % every == 0:
            totals[step] = held_out_total(lesson, network, parameter)
            print(f"  {start} {step}: {totals[step]:.3f}", flush=True)
    return totals


def train(
    lesson: Lesson, network: TransformationNetwork, row: nn.Parameter, highest: float
) -> Iterator[int]:
    """Trains ``row`` [P], and what of ``network`` takes gradients; yields each step, from 1."""
    trained = [row, *(weight for weight in network.parameters() if weight.requires_grad)]
    optimizer = torch.optim.Adam(trained, lr=highest)
    steps = lesson.options.steps
    factor = trapezoid(steps, WARMUP_STEPS, DECAY_FRACTION)
    torch.manual_seed(1)
    for step, crops in enumerate(batches(lesson, steps)):
        for group in optimizer.param_groups:
            group["lr"] = highest * factor(step)
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            photos = crops.contiguous(memory_format=torch.channels_last)
            painted = network.render(photos, row.expand(len(photos), -1))
            styles = torch.zeros(len(photos), dtype=torch.long)
            loss = lesson.loss(photos, painted, styles).total.mean()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        yield step + 1


def batches(lesson: Lesson, steps: int) -> Iterator[Tensor]:
    """Yields batches [4, 3, S, S] of crops, the same ones for the same seed."""
    for _ in range(steps):
        order = torch.randint(len(lesson.photos), (4,)).tolist()
        yield torch.stack([lesson.photos[number].image for number in order])


def held_out_total(lesson: Lesson, network: TransformationNetwork, row: Tensor) -> float:
    """Returns the mean total loss on the held-out photos."""
    total = lesson.judge(row, network).total_loss
    assert total is not None
    return total


def main() -> None:
    """Prints a table per painting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("paintings", type=Path, nargs="+")
    parser.add_argument("--photos", type=Path, nargs="+", required=True)
    parser.add_argument("--loss-weights", default="vgg16")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--every", type=int, default=200)
    parser.add_argument("--crop-size", type=int, default=None)
    parser.add_argument("--learning-rate", type=float, default=AddStyleOptions.learning_rate)
    parser.add_argument("--starts", nargs="+", choices=STARTS, default=list(STARTS))
    options = parser.parse_args()
    print(f"{describe_machine('torch')}; {options.steps} steps of 4 crops\n")
    for painting in options.paintings:
        report(painting, options)


def report(painting: Path, options: argparse.Namespace) -> None:
    """Prints the table of one painting."""
    curves: dict[str, dict[int, float]] = {}
    info = style_info(painting, {})
    joint: float | None = None
    for start in options.starts:
        began = time.perf_counter()
        trained, row = forget(read_trained(options.source), info.id)
        lesson = Lesson(
            trained,
            AddStyleOptions(
                source=options.source,
                painting=painting,
                photos=options.photos,
                crop_size=options.crop_size,
                loss_weights=options.loss_weights,
                steps=options.steps,
                learning_rate=options.learning_rate,
                init="nearest" if start in {"nearest", "whole"} else "neutral",
            ),
            info,
        )
        if row is not None and joint is None:
            joint = held_out_total(lesson, trained.network, row)
        curves[start] = curve(lesson, start, options.every)
        print(f"  {start}: {time.perf_counter() - began:.0f} s", flush=True)
    print(f"\n{painting.stem}\n\n| steps | {' | '.join(curves)} |")
    print("| ---: |" + " ---: |" * len(curves))
    for step in curves[options.starts[0]]:
        cells = " | ".join(f"{totals[step]:.3f}" for totals in curves.values())
        print(f"| {step} | {cells} |")
    if joint is not None:
        cells = " | ".join(f"{list(c.values())[-1] / joint:.2f}" for c in curves.values())
        print(f"| last / jointly trained ({joint:.3f}) | {cells} |")
    print(flush=True)


def forget(trained: TrainedStyles, style: str) -> tuple[TrainedStyles, Tensor | None]:
    """Returns ``trained`` without ``style``, and the row [P] that it had, if any."""
    kept = [number for number, info in enumerate(trained.styles) if info.id != style]
    row = next(
        (r for r, i in zip(trained.rows, trained.styles, strict=True) if i.id == style), None
    )
    styles = tuple(trained.styles[number] for number in kept)
    return replace(trained, rows=trained.rows[kept], styles=styles), row


if __name__ == "__main__":
    main()
