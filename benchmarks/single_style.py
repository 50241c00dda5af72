"""What a style loses by sharing its network: joint training against training for it alone.

    python -m benchmarks.single_style models/default PAINTING… --photos DIR --loss-weights FILE

For each painting the whole trained network goes on to train for that painting alone. Its losses
on held-out photos are what a network of this size can do with a single style; the ratio is what
the others cost. Dumoulin et al. 2017 (section 3.1) found content 8.7 ± 3.9 % higher and style
8.9 ± 16.5 % lower in a network of ten styles than in ten networks, each trained from scratch.
"""

import argparse
from pathlib import Path

import torch
from torch import nn

from benchmarks.add_style import train
from benchmarks.machine import describe_machine
from sfumato.bundle.quality_card import QualityCard
from training.data.paintings import style_info
from training.new_style.command import Lesson
from training.new_style.options import AddStyleOptions
from training.starting_point import read_trained


def terms(quality: QualityCard) -> list[float]:
    """Returns content, style and total loss."""
    found = (quality.content_loss, quality.style_loss, quality.total_loss)
    return [value for value in found if value is not None]


def compare(painting: Path, options: argparse.Namespace) -> None:
    """Prints the line of one painting."""
    trained = read_trained(options.source)
    trained.network.to(memory_format=torch.channels_last)
    info = style_info(painting, {})
    number = [style.id for style in trained.styles].index(info.id)
    lesson = Lesson(
        trained,
        AddStyleOptions(
            source=options.source,
            painting=painting,
            photos=options.photos,
            loss_weights=options.loss_weights,
            steps=options.steps,
        ),
        info,
    )
    row = nn.Parameter(trained.rows[number].clone())
    joint = terms(lesson.judge(row))
    trained.network.requires_grad_(True)
    for _ in train(lesson, trained.network, row, options.learning_rate):
        pass
    cells = [
        f"{j:.4f} | {a:.4f} | {j / a:.2f}"
        for j, a in zip(joint, terms(lesson.judge(row)), strict=True)
    ]
    print(f"| {info.id} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("paintings", type=Path, nargs="+")
    parser.add_argument("--photos", type=Path, nargs="+", required=True)
    parser.add_argument("--loss-weights", default="vgg16")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    options = parser.parse_args()
    print(
        f"{describe_machine('torch')}; {options.steps} steps of 4 crops for each painting alone\n"
    )
    columns = [f"{term}, {kind}" for term in ("content", "style", "total") for kind in _KINDS]
    print(f"| style | {' | '.join(columns)} |\n| --- |{' ---: |' * len(columns)}")
    for painting in options.paintings:
        compare(painting, options)


_KINDS = ("joint", "alone", "ratio")

if __name__ == "__main__":
    main()
