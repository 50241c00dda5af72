"""Paintings → training → ONNX → gRPC → a painted photo, with nothing replaced."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from sfumato.client.client import Client
from sfumato.images.codec import ImageFormat
from tests.serving.running import ServerProcess
from tests.training.drawn_data import draw_paintings, draw_photos, write_slim_vgg
from training.__main__ import main
from training.checkpoint import TrainedStyles, read_checkpoint
from training.export.export import StylizationGraph

# Lightning's and torch's warnings are theirs to mend.
pytestmark = pytest.mark.filterwarnings("default")

SIZE = (75, 50)  # width and height, neither a multiple of four


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("path")


@pytest.fixture(scope="module")
def trained(folder: Path) -> TrainedStyles:
    """A network trained for a few steps, and exported to ``folder / "models" / "discs"``."""
    arguments = ["fit", "--config", "training/configs/smoke.yaml"]
    arguments += ["--data.photos", str(draw_photos(folder / "photos"))]
    arguments += ["--data.styles", str(draw_paintings(folder / "paintings"))]
    arguments += ["--model.loss_weights", str(write_slim_vgg(folder / "vgg.safetensors"))]
    arguments += ["--trainer.default_root_dir", str(folder / "run")]
    checkpoint = folder / "run" / "checkpoints" / "last.ckpt"
    assert main(arguments) == 0
    assert main(["export", str(checkpoint), str(folder / "models" / "discs"), "--no-float16"]) == 0
    return read_checkpoint(checkpoint)


@pytest.fixture(scope="module")
def client(folder: Path, trained: TrainedStyles) -> Iterator[Client]:
    with (
        ServerProcess(folder / "models", folder) as server,
        Client(server.address) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    """A photo [H, W, 3]."""
    return np.random.default_rng(3).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)


def as_png(photo: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    return file.getvalue()


def paint(client: Client, photo: NDArray[np.uint8], styles: dict[str, float]) -> NDArray[np.int16]:
    answer = client.stylize(as_png(photo), styles, model="discs", output_format=ImageFormat.PNG)
    return np.asarray(Image.open(io.BytesIO(answer.image))).astype(np.int16)


def test_the_server_lists_what_was_trained(client: Client) -> None:
    styles = client.list_styles()
    assert [(s.id, s.model, s.version) for s in styles] == [
        ("blue", "discs", 1),
        ("green", "discs", 1),
        ("red", "discs", 1),
        ("photograph", "discs", 1),
    ]
    assert (styles[1].title, styles[1].artist, styles[1].licence) == ("Green Discs", "Anna", "CC0")


def test_the_server_paints_what_the_trained_network_paints(
    client: Client, trained: TrainedStyles, photo: NDArray[np.uint8]
) -> None:
    # The client's weights are 3 to 1; the blend of rows is 0.75 to 0.25.
    style = 0.75 * trained.rows[0] + 0.25 * trained.rows[2]
    with torch.no_grad():
        graph = StylizationGraph(trained.network, torch.float32)
        expected = graph(torch.tensor(photo)[None], style[None])[0].numpy()
    painted = paint(client, photo, {"blue": 3.0, "red": 1.0})
    assert painted.shape == (SIZE[1], SIZE[0], 3)
    assert np.abs(painted - expected).max() <= 1


def test_a_blend_moves_from_one_style_to_the_other(
    client: Client, photo: NDArray[np.uint8]
) -> None:
    steps = [paint(client, photo, {"blue": 1 - t, "red": t}) for t in (0.0, 0.25, 0.5, 0.75, 1.0)]
    from_blue = [np.abs(step - steps[0]).mean() for step in steps]
    from_red = [np.abs(step - steps[-1]).mean() for step in steps]
    assert from_blue == sorted(from_blue)
    assert from_red == sorted(from_red, reverse=True)


def test_at_strength_zero_the_photo_comes_back(client: Client, photo: NDArray[np.uint8]) -> None:
    answer = client.stylize(
        as_png(photo), "blue", strength=0.0, model="discs", output_format=ImageFormat.PNG
    )
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(answer.image))), photo)
