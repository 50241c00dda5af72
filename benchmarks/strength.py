"""Strength at request time: how far from the painting, and how far from the photo.

    python -m benchmarks.strength models/default --photos DIR --styles DIR --loss-weights FILE

For each strength, means over photos: the style loss to the painting (1 is the unpainted photo),
the content loss, and the distance to the photo in dB (PSNR). The last line counts the styles in
which the first falls and the others move monotonically.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.machine import describe_machine
from training.data.image_folder import find_images
from training.data.photos import center_crops
from training.evaluation.measures.similarity import psnr
from training.evaluation.measures.style_measures import painter
from training.evaluation.subject import Subject, find_bundle, load_subject
from training.export.export import ServedGraph

STRENGTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@torch.inference_mode()
def measure(
    subject: Subject, graph: ServedGraph, photos: Tensor, style: str
) -> list[tuple[float, float, float]]:
    """Returns style loss, content loss and PSNR of ``style`` for each strength."""
    number = torch.full((len(photos),), subject.style_numbers[style])
    measured = []
    for strength in STRENGTHS:
        row = torch.tensor(subject.bundle.bank.blend([(style, 1.0)], strength))
        painted = painter(graph, row[None])(photos)
        terms = subject.loss(photos, painted, number)
        means = (terms.style, terms.content, psnr(painted, photos))
        style_loss, content_loss, distance = (mean.mean().item() for mean in means)
        measured.append((style_loss, content_loss, distance))
    return measured


def main() -> None:
    """Prints a table per measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--styles", type=Path, required=True)
    parser.add_argument("--loss-weights")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--side", type=int, default=256)
    options = parser.parse_args()
    bundle = find_bundle(options.bundle)
    subject = load_subject(bundle, options.styles, options.loss_weights, torch.device("cpu"))
    photos = center_crops(find_images(options.photos), options.count, options.side)
    graph = ServedGraph(bundle.model_path)
    print(f"{describe_machine('torch', 'onnxruntime-gpu')}; {len(photos)} photos\n")
    heads = " | ".join(f"{strength:g}" for strength in STRENGTHS)
    print(f"| style loss at strength | {heads} | content loss at 1 | PSNR at 0, dB |")
    print(f"| --- |{' ---: |' * (len(STRENGTHS) + 2)}")
    monotonic = 0
    for style in subject.paintings:
        values = measure(subject, graph, photos, style)
        monotonic += all(b[0] < a[0] and b[1] > a[1] and b[2] < a[2] for a, b in pairwise(values))
        cells = " | ".join(f"{value[0]:.3f}" for value in values)
        print(f"| {style} | {cells} | {values[-1][1]:.2f} | {values[0][2]:.0f} |", flush=True)
    count = f"{monotonic} of {len(subject.paintings)} styles"
    print(f"\nmonotonic in style, content and distance: {count}")


if __name__ == "__main__":
    main()
