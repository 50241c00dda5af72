"""Images, loss-network weights and networks that the tests draw for themselves."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file

SLIM_CHANNELS = {0: (3, 4), 2: (4, 4), 5: (4, 6), 7: (6, 6), 10: (6, 8)}
"""Convolutions of a slim VGG up to relu3_1: index, channels in and out."""


def draw_picture(path: Path, seed: int, size: tuple[int, int] = (96, 80)) -> Path:
    """Draw random discs on a gradient."""
    random = np.random.default_rng(seed)
    width, height = size
    ramp = np.linspace(0, 255, width * height * 3).reshape(height, width, 3)
    picture = Image.fromarray(ramp.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y, radius = random.integers(0, width), random.integers(0, height), 12
        colour = tuple(int(c) for c in random.integers(0, 256, 3))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder tree of four photos."""
    for seed, name in enumerate(("a.jpg", "b.png", "deep/c.webp", "deep/er/d.jpeg")):
        draw_picture(tmp_path / "photos" / name, seed)
    return tmp_path / "photos"


@pytest.fixture
def paintings(tmp_path: Path) -> Path:
    """A folder of three paintings, one of them described."""
    for seed, name in enumerate(("blue.png", "green.png", "red.png")):
        draw_picture(tmp_path / "paintings" / name, 100 + seed, (64, 90))
    (tmp_path / "paintings" / "sources.csv").write_text(
        "file,artist,title,year,licence\ngreen.png,Anna,Green Discs,1901,CC0\n"
    )
    return tmp_path / "paintings"


@pytest.fixture
def vgg_weights() -> dict[str, torch.Tensor]:
    """Random weights of a slim VGG, reaching relu3_1."""
    generator = torch.Generator().manual_seed(0)
    weights: dict[str, torch.Tensor] = {}
    for index, (c_in, c_out) in SLIM_CHANNELS.items():
        scale = (2 / (9 * c_in)) ** 0.5
        weights[f"features.{index}.weight"] = (
            torch.randn(c_out, c_in, 3, 3, generator=generator) * scale
        )
        weights[f"features.{index}.bias"] = torch.zeros(c_out)
    return weights


@pytest.fixture
def vgg_file(tmp_path: Path, vgg_weights: dict[str, torch.Tensor]) -> Path:
    """The same as a safetensors file."""
    save_file(vgg_weights, tmp_path / "vgg.safetensors")
    return tmp_path / "vgg.safetensors"
