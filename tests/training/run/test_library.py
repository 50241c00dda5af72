"""Training from Python, as the documentation shows it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from tests.training.fit_runner import Fit
from training import MultiStyleModule, PhotosAndPaintings, TrainingError, export_bundle

pytestmark = pytest.mark.filterwarnings("default")


def test_a_network_is_trained_loaded_and_exported(fit: Fit, tmp_path: Path) -> None:
    module, data = fit.parts()
    assert isinstance(module, MultiStyleModule)
    assert isinstance(data, PhotosAndPaintings)
    trainer = fit.trainer(steps=1)
    trainer.fit(module, datamodule=data)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    fit.weights.unlink()  # who paints needs no loss network

    loaded = MultiStyleModule.load_from_checkpoint(tmp_path / "last.ckpt", map_location="cpu")
    loaded.eval()
    photos = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    painted = loaded.predict_step(photos)
    assert painted.shape == (2, len(module.styles), 3, 32, 48)
    torch.testing.assert_close(painted[1, 0], loaded(photos[1:], torch.tensor([0]))[0])
    torch.testing.assert_close(painted[0, -1], photos[0])  # the style "photograph"

    bundle = export_bundle(tmp_path / "last.ckpt", tmp_path / "model", float16=False)
    assert [style.id for style in bundle.styles] == [style.id for style in module.styles]


def test_data_without_paintings_says_what_it_lacks(fit: Fit) -> None:
    module, _ = fit.parts()
    photos: DataLoader[Any] = DataLoader(torch.rand(2, 3, 64, 64))  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match="needs paintings beside the photos: give"):
        fit.trainer(steps=1).fit(module, photos)


def test_what_is_not_there_is_said() -> None:
    import training

    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        training.Nothing  # noqa: B018
