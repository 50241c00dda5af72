"""Photos, paintings and loss-network weights that the tests draw for themselves."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from torch import Tensor

SLIM_CHANNELS = {0: (3, 4), 2: (4, 4), 5: (4, 6), 7: (6, 6), 10: (6, 8)}
"""Convolutions of a slim VGG up to relu3_1: index, channels in and out."""


def draw_picture(path: Path, seed: int, size: tuple[int, int] = (96, 80)) -> None:
    """Draws random discs on a gradient; ``size`` is width and height."""
    random = np.random.default_rng(seed)
    width, height = size
    ramp = np.linspace(0, 255, width * height * 3).reshape(height, width, 3)
    picture = Image.fromarray(ramp.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y, radius = int(random.integers(width)), int(random.integers(height)), 12
        colour = tuple(int(c) for c in random.integers(0, 256, 3))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def draw_photos(folder: Path) -> Path:
    """Draws four photos in a folder tree."""
    for seed, name in enumerate(("a.jpg", "b.png", "deep/c.webp", "deep/er/d.jpeg")):
        draw_picture(folder / name, seed)
    return folder


def draw_paintings(folder: Path) -> Path:
    """Draws three paintings and describes one of them."""
    for seed, name in enumerate(("blue.png", "green.png", "red.png")):
        draw_picture(folder / name, 100 + seed, (64, 90))
    (folder / "sources.csv").write_text(
        "file,artist,title,year,licence\ngreen.png,Anna,Green Discs,1901,CC0\n"
    )
    return folder


def slim_vgg_weights() -> dict[str, Tensor]:
    """Random weights of a slim VGG, reaching relu3_1."""
    generator = torch.Generator().manual_seed(0)
    weights: dict[str, Tensor] = {}
    for index, (c_in, c_out) in SLIM_CHANNELS.items():
        weight = torch.randn(c_out, c_in, 3, 3, generator=generator)
        weights[f"features.{index}.weight"] = weight * (2 / (9 * c_in)) ** 0.5
        weights[f"features.{index}.bias"] = torch.zeros(c_out)
    return weights


def write_slim_vgg(file: Path) -> Path:
    """Writes them as a safetensors file."""
    save_file(slim_vgg_weights(), file)
    return file
