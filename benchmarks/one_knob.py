"""One knob for every painting: what calibration does to the style losses, and how it looks.

    python -m benchmarks.one_knob --photos DIR --styles DIR --loss-weights FILE --sheet out.jpg

The table: for each layer, how far the style losses of unstyled held-out photos spread between the
paintings of a folder (largest / smallest), with raw Gram matrices, with the painting's own energy
as the scale, and calibrated. The sheet: three values of the knob for eight paintings, by slow
optimization of the very loss that training minimizes.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from benchmarks.machine import describe_machine
from examples.contact_sheet import Picture, Row, draw_contact_sheet
from training.data.image_folder import find_images
from training.data.paintings import Painting, load_paintings
from training.data.photos import center_crops
from training.evaluation.measures.slow_baseline import objective_of
from training.loss_settings import LossSettings, build_loss
from training.losses.calibration import calibrate, painting_grams
from training.losses.perceptual import PerceptualLoss
from training.networks.loss_network import LossNetwork, load_loss_network
from training.optimize.images import Pixels
from training.optimize.loop import optimize
from training.optimize.projections import clip

STRENGTHS = (0.2, 1.0, 5.0)


def print_spread(
    network: LossNetwork, layers: list[str], paintings: list[Painting], photos: Tensor
) -> None:
    """Prints the table; half of ``photos`` [K, 3, H, W] calibrate, the others are measured."""
    grams = painting_grams(network, [painting.image for painting in paintings], layers)
    calibrated, measured = (calibrate(network, grams, half) for half in (photos[::2], photos[1::2]))
    energies = {layer: gram.square().mean(dim=(1, 2)) for layer, gram in grams.items()}
    print("| layer | raw | energy | calibrated |\n| --- | ---: | ---: | ---: |")
    for layer in layers:
        raw = measured[layer]
        cells = [_spread(raw), _spread(raw / energies[layer]), _spread(raw / calibrated[layer])]
        print(f"| {layer} | {' | '.join(cells)} |")
    raw_means = torch.stack([values.mean() for values in measured.values()])
    print(f"| between layers | {_spread(raw_means)} | | 1.0 by construction |\n")


def _spread(losses: Tensor) -> str:
    return f"{float(losses.max() / losses.min()):.2f}"


def paint(loss: PerceptualLoss, photo: Tensor, painting: int, steps: int) -> Tensor:
    """Returns ``photo`` [1, 3, H, W] painted slowly with ``loss``, [3, H, W]."""
    result = optimize(
        Pixels(photo.clone()),
        objective_of(loss, photo, painting),
        loss.network,
        steps=steps,
        project=clip(),
    )
    return result.image[0]


def draw_sheet(
    settings: LossSettings,
    network: LossNetwork,
    paintings: list[Painting],
    photos: Mapping[str, Tensor],
    steps: int,
) -> Image.Image:
    """Draws a column per painting and a row per strength."""
    rows = [Row([Picture(_image(p.image), p.info.title, p.info.artist) for p in paintings])]
    for strength in STRENGTHS:
        knob = replace(settings, style_strength=strength)
        loss, _ = build_loss(knob, network, [p.image for p in paintings], photos["calibration"])
        pictures = []
        for number, painting in enumerate(paintings):
            pictures.append(Picture(_image(paint(loss, photos["photo"], number, steps))))
            print(f"strength {strength}, {painting.info.id}", flush=True)
        rows.append(Row(pictures, f"style_strength {strength:g}"))
    return draw_contact_sheet(rows, width=1600)


def _image(image: Tensor) -> Image.Image:
    side = min(image.shape[-2:])
    top, left = ((length - side) // 2 for length in image.shape[-2:])
    square = image[:, top : top + side, left : left + side]
    levels = (square * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return Image.fromarray(levels).resize((256, 256), Image.Resampling.LANCZOS)


def main() -> None:
    """Prints the table and writes the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--styles", type=Path, required=True)
    parser.add_argument("--loss-weights", default="vgg16")
    parser.add_argument(
        "--style-layers", nargs="+", default=["relu1_1", "relu2_1", "relu3_1", "relu4_1"]
    )
    parser.add_argument("--content-layers", nargs="+", default=["relu3_3"])
    parser.add_argument("--photo", type=Path, default=Path("examples/photos/china.jpg"))
    parser.add_argument("--paintings", nargs="+", help="names of those on the sheet")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    settings = LossSettings(tuple(options.content_layers), tuple(options.style_layers), 1.0, 10.0)
    network = load_loss_network(options.loss_weights, settings.layers)
    photos = center_crops(find_images(options.photos), 64, options.side)
    paintings = load_paintings(options.styles, 384)
    print(f"{describe_machine('torch')}; {len(paintings)} paintings, {len(photos)} photos\n")
    print_spread(network, list(settings.style_layers), paintings, photos)
    if options.sheet is not None:
        chosen = [p for p in paintings if options.paintings and p.info.id in options.paintings]
        photo = center_crops([options.photo], 1, options.side)
        draw_sheet(
            settings,
            network,
            chosen or paintings[:8],
            {"photo": photo, "calibration": photos},
            options.steps,
        ).save(options.sheet, quality=88)
        print(f"wrote {options.sheet}")


if __name__ == "__main__":
    main()
