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
from sfumato.bundle import Bundle, list_versions, read_bundle
from sfumato.strength import PHOTOGRAPH_STYLE
from training.data.paintings import load_paintings
from training.data.photos import center_crops, find_images
from training.export import ServedGraph
from training.loss_settings import LossSettings, perceptual_loss, scales_from_notes
from training.losses.calibration import painting_grams
from training.losses.perceptual import PerceptualLoss
from training.networks.loss_network import load_loss_network

STRENGTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def build_loss(bundle: Bundle, ids: list[str], options: argparse.Namespace) -> PerceptualLoss:
    """Builds the loss that the bundle was trained with, for the paintings ``ids``."""
    settings = LossSettings.from_notes(bundle.training)
    network = load_loss_network(options.loss_weights, settings.layers)
    images = {
        painting.info.id: painting.image
        for painting in load_paintings(options.styles, bundle.training["style_size"])
    }
    grams = painting_grams(network, [images[style] for style in ids], settings.style_layers)
    return perceptual_loss(settings, network, grams, scales_from_notes(bundle.training, ids))


@torch.inference_mode()
def measure(
    bundle: Bundle, graph: ServedGraph, loss: PerceptualLoss, photos: Tensor, number: int
) -> list[tuple[float, float, float]]:
    """Returns style loss, content loss and PSNR of painting ``number`` for each strength."""
    style = bundle.bank.ids[number]
    measured = []
    for strength in STRENGTHS:
        row = torch.tensor(bundle.bank.blend([(style, 1.0)], strength))
        painted = torch.cat([graph(photo[None], row[None]) for photo in photos])
        terms = loss(photos, painted, torch.full((len(photos),), number))
        errors = (painted - photos).square().mean(dim=(1, 2, 3)).clamp(min=1e-12)  # [N]
        psnr = -10 * errors.log10().mean()
        measured.append((float(terms.style.mean()), float(terms.content.mean()), float(psnr)))
    return measured


def main() -> None:
    """Prints a table per measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--styles", type=Path, required=True)
    parser.add_argument("--loss-weights", default="vgg16")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--side", type=int, default=256)
    options = parser.parse_args()
    versions = list_versions(options.bundle)
    bundle = read_bundle(options.bundle / str(versions[-1]) if versions else options.bundle)
    ids = [style for style in bundle.bank.ids if style != PHOTOGRAPH_STYLE]
    loss = build_loss(bundle, ids, options)
    photos = center_crops(find_images(options.photos), options.count, options.side)
    graph = ServedGraph(bundle.model_path)
    print(f"{describe_machine('torch', 'onnxruntime-gpu')}; {len(photos)} photos\n")
    heads = " | ".join(f"{strength:g}" for strength in STRENGTHS)
    print(f"| style loss at strength | {heads} | content loss at 1 | PSNR at 0, dB |")
    print(f"| --- |{' ---: |' * (len(STRENGTHS) + 2)}")
    monotonic = 0
    for number, style in enumerate(ids):
        values = measure(bundle, graph, loss, photos, number)
        monotonic += all(b[0] < a[0] and b[1] > a[1] and b[2] < a[2] for a, b in pairwise(values))
        cells = " | ".join(f"{value[0]:.3f}" for value in values)
        print(f"| {style} | {cells} | {values[-1][1]:.2f} | {values[0][2]:.0f} |", flush=True)
    print(f"\nmonotonic in style, content and distance: {monotonic} of {len(ids)} styles")


if __name__ == "__main__":
    main()
