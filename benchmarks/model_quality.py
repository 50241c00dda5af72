"""How well a bundle paints: losses per style on photos it was not trained on.

    python -m benchmarks.model_quality models/default/1 \
        --photos DIR --styles DIR --loss-weights FILE

Columns: content and style loss of the painted photos, and the style loss of the photos
themselves (what painting started from); the style that comes out nearest and how far away it is,
root mean square in levels of 255; the share of the picture's energy in the finest frequencies, in
per mille, painted and photo, which a checkerboard would raise.
"""

import argparse
from pathlib import Path

import onnxruntime
import torch
from torch import Tensor
from torchvision.transforms.functional import center_crop

from benchmarks.machine import describe_machine
from sfumato.bundle import Bundle, read_bundle
from training.data.image_file import read_image
from training.data.paintings import load_paintings
from training.data.photos import find_images, resize_short_side
from training.losses.perceptual import PerceptualLoss
from training.networks.loss_network import load_loss_network


def load_photos(folder: Path, count: int, side: int) -> Tensor:
    """Loads photos [count, 3, side, side], evenly spread over the sorted files of a folder."""
    files = find_images(folder)
    chosen = files[:: max(1, len(files) // count)][:count]
    shrunk = (resize_short_side(read_image(file), side) for file in chosen)
    return torch.stack([center_crop(image, [side, side]) for image in shrunk])


def paint_all(bundle: Bundle, photos: Tensor) -> Tensor:
    """Paints ``photos`` [N, 3, H, W] in every style; [S, N, 3, H, W]."""
    session = onnxruntime.InferenceSession(bundle.model_path, providers=["CPUExecutionProvider"])
    images = (photos * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    painted = []
    for row in bundle.rows:
        feeds = [{"image": image[None], "style": row[None]} for image in images]
        answers = [torch.tensor(session.run(None, feed)[0][0]) for feed in feeds]
        painted.append(torch.stack(answers).permute(0, 3, 1, 2).float() / 255)
    return torch.stack(painted)


def finest_share(images: Tensor) -> float:
    """Returns the energy of ``images`` within 1/16 of the highest frequencies, in per mille."""
    grey = images.mean(dim=1)  # [N, H, W]
    energy = torch.fft.fft2(grey - grey.mean(dim=(1, 2), keepdim=True)).abs().square()
    h, w = grey.shape[1:]
    rows = (torch.fft.fftfreq(h).abs() > 0.5 * 15 / 16)[:, None]
    columns = (torch.fft.fftfreq(w).abs() > 0.5 * 15 / 16)[None, :]
    return 1000 * float(energy[:, rows | columns].sum() / energy.sum())


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--styles", type=Path, required=True)
    parser.add_argument("--loss-weights", default="vgg16")
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--side", type=int, default=256)
    options = parser.parse_args()
    bundle = read_bundle(options.bundle)
    loss = perceptual_loss(bundle, options.styles, options.loss_weights)
    photos = load_photos(options.photos, options.count, options.side)
    print(f"{describe_machine('torch')}; {len(photos)} photos of {options.side}²\n")
    print("| style | content | style | photo's style | nearest style | finest, ‰ |")
    print("| --- | ---: | ---: | ---: | --- | ---: |")
    painted = paint_all(bundle, photos)
    for style in range(len(bundle.styles)):
        print(table_row(bundle, loss, photos, painted, style), flush=True)


def perceptual_loss(bundle: Bundle, styles: Path, weights: str) -> PerceptualLoss:
    """Builds the loss that the bundle was trained with, from its own notes."""
    notes = bundle.training
    paintings = {p.info.id: p.image for p in load_paintings(styles, notes["style_size"])}
    return PerceptualLoss(
        load_loss_network(weights, [*notes["style_layers"], *notes["content_layers"]]),
        [paintings[style.id] for style in bundle.styles],
        content_layers=notes["content_layers"],
        style_layers=notes["style_layers"],
        content_weight=notes["content_weight"],
        style_weight=notes["style_weight"],
        total_variation_weight=notes["total_variation_weight"],
    )


@torch.inference_mode()
def table_row(
    bundle: Bundle, loss: PerceptualLoss, photos: Tensor, painted: Tensor, style: int
) -> str:
    """Returns one line of the table."""
    drawn = torch.full((len(photos),), style)
    terms, unpainted = loss(photos, painted[style], drawn), loss(photos, photos, drawn)
    distances = (painted - painted[style]).square().mean(dim=(1, 2, 3, 4)).sqrt() * 255  # [S]
    distances[style] = torch.inf
    nearest = int(distances.argmin())
    return (
        f"| {bundle.styles[style].id} | {terms.content.mean():.3f} | {terms.style.mean():.4f} "
        f"| {unpainted.style.mean():.2f} | {bundle.styles[nearest].id}, {distances[nearest]:.0f} "
        f"| {finest_share(painted[style]):.1f}, {finest_share(photos):.1f} |"
    )


if __name__ == "__main__":
    main()
