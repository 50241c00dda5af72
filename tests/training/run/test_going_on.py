"""A run that goes on: rows belong to ids, and what is of another run is refused."""

from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor

from tests.training.drawn_data import draw_picture, slim_vgg_weights
from tests.training.fit_runner import Fit
from training.checkpoint import read_checkpoint
from training.module import MultiStyleModule

pytestmark = pytest.mark.filterwarnings("default")


def by_style(checkpoint: Path) -> dict[str, tuple[Tensor, ...]]:
    """Each style's row and Adam's two moments of it."""
    content: dict[str, Any] = torch.load(checkpoint, weights_only=True)
    ids = [style["id"] for style in content["sfumato"]["styles"]]
    moments = content["optimizer_states"][0]["state"][0]  # rows are the first parameter
    assert moments["exp_avg"].shape == content["state_dict"]["rows"].shape
    parts = (content["state_dict"]["rows"], moments["exp_avg"], moments["exp_avg_sq"])
    return {style: tuple(part[number] for part in parts) for number, style in enumerate(ids)}


def test_rows_and_their_moments_follow_their_styles_into_another_order(fit: Fit) -> None:
    assert fit("--trainer.max_steps", "4", "--data.style_names", "[blue, green, red]") == 0
    before = by_style(fit.last)
    assert len({float(row.sum()) for row, *_ in before.values()}) == 4  # all differ
    seen: dict[str, Tensor] = {}

    class Look(L.Callback):
        def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
            (optimizer,) = trainer.optimizers
            assert isinstance(pl_module, MultiStyleModule)
            moments = optimizer.state[pl_module.rows]
            for number, info in enumerate(pl_module.styles):
                seen[info.id] = torch.stack(
                    [
                        pl_module.rows[number],
                        moments["exp_avg"][number],
                        moments["exp_avg_sq"][number],
                    ]
                ).detach()

    module, data = fit.parts(["red", "blue", "green"])
    fit.trainer(5, Look()).fit(module, datamodule=data, ckpt_path=fit.last)
    assert list(seen) == ["red", "blue", "green", "photograph"]
    for style, parts in before.items():
        assert torch.equal(seen[style], torch.stack(parts))


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        (["--data.style_names", "[blue, green]"], "it learned the style 'red', which this run"),
        (["--model.photograph", "false"], "it learned the style 'photograph', which this run"),
        (["--data.style_names", "[blue, green, other]"], "'other', which it did not learn"),
        (["--model.architecture", "reference"], "its network: lite, this run's: reference"),
        (["--model.style_layers", "[relu2_1]"], "[relu1_1, relu2_1], this run's: [relu2_1]"),
        (["--model.content_layers", "[relu1_1]"], "its content layers: [relu2_1]"),
        (["--model.loss_weights", "OTHER"], "its loss network: sha256:"),
        (["--data.style_size", "48"], "its style size: 64, this run's: 48"),
        (["--data.crop_size", "48"], "its crop size: 64, this run's: 48"),
    ],
)
def test_what_differs_from_the_checkpoint_is_told_and_nothing_is_lost(
    fit: Fit,
    paintings: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    difference: str,
) -> None:
    assert fit("--trainer.max_steps", "1") == 0
    kept = fit.last.read_bytes()
    draw_picture(paintings / "other.png", 200)
    write_other_vgg(tmp_path / "other.safetensors")
    options = [str(tmp_path / "other.safetensors") if o == "OTHER" else o for o in options]
    if "style_names" not in options[0]:
        options += ["--data.style_names", "[blue, green, red]"]
    assert fit(*options, "--ckpt_path", "last") == 1
    error = capsys.readouterr().err
    assert difference in error
    assert "--model.init_from" in error
    assert fit.last.read_bytes() == kept


def write_other_vgg(file: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: value * 1.5 for name, value in slim_vgg_weights().items()}, file)


@pytest.mark.parametrize(
    ("ckpt_path", "message"),
    [
        ("absent.ckpt", "no checkpoint 'absent.ckpt'"),
        ("best", "no checkpoint 'best'"),
        ("{photos}/a.jpg", "damaged or no checkpoint"),
    ],
)
def test_a_checkpoint_that_is_none_is_told_before_anything_is_read(
    fit: Fit, photos: Path, capsys: pytest.CaptureFixture[str], ckpt_path: str, message: str
) -> None:
    assert fit("--ckpt_path", ckpt_path.format(photos=photos)) == 1
    assert message in capsys.readouterr().err


def test_a_checkpoint_of_the_weights_alone_cannot_go_on(
    fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit("--trainer.max_steps", "1", "--checkpoint.save_weights_only", "true") == 0
    assert fit("--ckpt_path", "last") == 1
    assert "the weights only and not the optimizer's state" in capsys.readouterr().err


def test_a_run_says_still_where_it_once_started_from(fit: Fit, tmp_path: Path) -> None:
    assert fit("--trainer.max_steps", "1") == 0
    first = read_checkpoint(fit.last).network.digest()
    there = ("--trainer.default_root_dir", str(tmp_path / "next"))
    start = ("--model.init_from", str(fit.last))
    assert fit(*there, *start, "--trainer.max_steps", "1") == 0
    assert fit(*there, "--ckpt_path", "last", "--trainer.max_steps", "2") == 0
    trained = read_checkpoint(tmp_path / "next" / "checkpoints" / "last.ckpt").training
    assert (trained["steps"], trained["started_from"]) == (2, first)


def test_a_second_fit_of_the_same_module_goes_on_with_what_the_first_has_learned(
    fit: Fit, photos: Path, paintings: Path, vgg_file: Path
) -> None:
    module, data = fit.parts(["blue", "red"])
    fit.trainer(2).fit(module, datamodule=data)
    rows = dict(zip([info.id for info in module.styles], module.rows.detach(), strict=True))
    digest = module.network.digest()

    class Look(L.Callback):
        def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
            assert isinstance(pl_module, MultiStyleModule)
            assert pl_module.network.digest() == digest
            now = dict(zip([i.id for i in pl_module.styles], pl_module.rows, strict=True))
            assert list(now) == ["red", "green", "blue", "photograph"]
            for style in ("red", "blue", "photograph"):
                assert torch.equal(now[style], rows[style])
            assert torch.equal(now["green"], pl_module.network.neutral_style())

    _, data = fit.parts(["red", "green", "blue"])
    fit.trainer(1, Look()).fit(module, datamodule=data)


def test_a_module_can_be_read_from_its_checkpoint_without_paintings(fit: Fit) -> None:
    assert fit("--trainer.max_steps", "1") == 0
    module = MultiStyleModule.load_from_checkpoint(fit.last, map_location="cpu")
    trained = read_checkpoint(fit.last)
    assert torch.equal(module.rows, trained.rows)
    assert [info.id for info in module.styles] == [info.id for info in trained.styles]


def test_going_on_amid_an_epoch_warns_of_nothing(
    fit: Fit, recwarn: pytest.WarningsRecorder
) -> None:
    assert fit("--trainer.max_steps", "1") == 0  # two steps are an epoch
    recwarn.clear()
    assert fit("--trainer.max_steps", "2", "--ckpt_path", "last") == 0
    lightnings = [str(w.message) for w in recwarn if "jsonargparse" not in str(w.category)]
    assert not [m for m in lightnings if "resuming" in m or "not empty" in m or "callbacks" in m]
