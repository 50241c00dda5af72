from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training.drawn_data import (
    draw_paintings,
    draw_photos,
    slim_vgg_weights,
    write_slim_vgg,
)
from tests.training.fit_runner import Fit


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Pictures of a few pixels gain nothing from more, and wait for each other on busy cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder tree of four photos."""
    return draw_photos(tmp_path / "photos")


@pytest.fixture
def paintings(tmp_path: Path) -> Path:
    """A folder of three paintings, one of them described."""
    return draw_paintings(tmp_path / "paintings")


@pytest.fixture
def vgg_weights() -> dict[str, Tensor]:
    """Random weights of a slim VGG, reaching relu3_1."""
    return slim_vgg_weights()


@pytest.fixture
def vgg_file(tmp_path: Path) -> Path:
    """The same as a safetensors file."""
    return write_slim_vgg(tmp_path / "vgg.safetensors")


@pytest.fixture
def fit(photos: Path, paintings: Path, vgg_file: Path, tmp_path: Path) -> Fit:
    """``python -m training fit`` on them, into the folder ``run``."""
    return Fit(photos, paintings, vgg_file, tmp_path / "run")
