"""Options of ``fit`` that make no sense are one line, by name, before any work."""

import importlib.util
import re
from pathlib import Path

import lightning as L
import pytest

from tests.training.drawn_data import draw_picture
from tests.training.fit_runner import Fit
from training.alarms import DivergenceAlarm, TwinStylesAlarm
from training.checkpoint import read_checkpoint
from training.data.photos import PhotoBatch
from training.errors import TrainingError
from training.preview import PreviewSheet
from training.ranges import check_range
from training.schedules import trapezoid

pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--model.learning_rate", "-0.1", "is -0.1: it must be at least 0"),
        ("--model.learning_rate", ".inf", "is inf: it must be at least 0"),
        ("--model.style_strength", "-1", "is -1.0: it must be at least 0"),
        ("--model.style_strength", ".nan", "is nan: it must be at least 0"),
        ("--model.total_variation_weight", "-1", "is -1.0: it must be at least 0"),
        ("--model.warmup_steps", "-1", "is -1: it must be at least 0"),
        ("--model.decay_fraction", "1.5", "is 1.5: it must be between 0 and 1"),
        ("--model.style_layers", "[]", "is empty: name at least one"),
        ("--model.content_layers", "[]", "is empty: name at least one"),
        ("--data.style_names", "[]", "is empty: name at least one"),
        ("--data.crop_size", "8", "is 8: it must be a multiple of 4, between 32 and 4096"),
        ("--data.crop_size", "62", "is 62: it must be a multiple of 4, between 32 and 4096"),
        ("--data.style_size", "4", "is 4: it must be between 32 and 4096"),
        ("--data.batch_size", "0", "is 0: it must be at least 1"),
        ("--data.num_workers", "-1", "is -1: it must be at least 0"),
        ("--trainer.accumulate_grad_batches", "0", "is 0: it must be at least 1"),
        ("--trainer.gradient_clip_val", "-1", "is -1: it must be at least 0"),
        ("--trainer.max_steps", "-5", "is -5: it must be at least -1"),
        ("--trainer.val_check_interval", "0", "is 0: it must be at least 1"),
        ("--trainer.accelerator", "abacus", "'abacus'"),
        ("--trainer.devices", "0", "devices='0'"),
        ("--threads", "0", "is 0: it must be at least 1"),
        ("--seed_everything", "-1", "is -1: it must be between 0 and 4294967295"),
        ("--checkpoint.save_top_k", "3", "save_top_k=3"),
    ],
)
def test_a_number_that_makes_no_sense_is_one_line_by_its_name(
    fit: Fit, capsys: pytest.CaptureFixture[str], option: str, value: str, message: str
) -> None:
    assert fit(option, value) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert option.rsplit(".", maxsplit=1)[-1].lstrip("-") in last
    assert message in last
    assert not fit.run.exists()


def test_a_setting_of_a_callback_that_makes_no_sense_is_one_line(
    fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    preview = ("--trainer.callbacks", "training.preview.PreviewSheet")
    assert fit(*preview, "--trainer.callbacks.every_n_steps", "0") == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(" every_n_steps of PreviewSheet is 0: it must be at least 1")


def test_a_gpu_that_is_not_there_is_one_line(
    fit: Fit, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.accelerator.is_available", lambda: False)  # also where there is one
    assert fit("--trainer.accelerator", "gpu") == 1
    assert "is 'gpu', but torch finds none here" in capsys.readouterr().err


@pytest.mark.parametrize("library", ["wandb", "mlflow"])
def test_a_logger_that_is_not_installed_is_one_line(
    fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str], library: str
) -> None:
    if importlib.util.find_spec(library):
        pytest.skip(f"{library} is installed, and would be logged to")
    (example,) = [block for block in documented_loggers() if library in block]
    (tmp_path / "logger.yaml").write_text(example)
    assert fit("--config", str(tmp_path / "logger.yaml")) == 1
    assert f"Requirement '{library}" in capsys.readouterr().err.splitlines()[-1]


def test_the_documented_logger_for_a_table_writes_one(fit: Fit, tmp_path: Path) -> None:
    (example,) = [block for block in documented_loggers() if "CSVLogger" in block]
    (tmp_path / "logger.yaml").write_text(example.replace("runs/mine", str(fit.run)))
    assert fit("--config", str(tmp_path / "logger.yaml"), "--trainer.max_steps", "1") == 0
    (file,) = fit.run.rglob("metrics.csv")
    assert "loss/total" in file.read_text().splitlines()[0]


def documented_loggers() -> list[str]:
    """The examples of the documents, as configuration files."""
    text = Path("docs/training.md").read_text(encoding="utf-8")
    return [
        block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "logger" in block
    ]


@pytest.mark.parametrize("names", ["[2, no, 1e3]", "['2', 'no', '1e3']", '["2", "no", "1e3"]'])
def test_paintings_may_be_called_like_numbers_and_booleans(
    fit: Fit, paintings: Path, names: str
) -> None:
    for seed, name in enumerate(("2.png", "no.png", "1e3.png")):
        draw_picture(paintings / name, seed)
    assert fit("--data.style_names", names, "--trainer.max_steps", "1") == 0
    ids = [style.id for style in read_checkpoint(fit.last).styles]
    assert ids == ["2", "no", "1e3", "photograph"]
    assert fit("--data.style_names", "no", "--trainer.max_steps", "1") == 0
    assert [style.id for style in read_checkpoint(fit.last).styles] == ["no", "photograph"]


def test_in_a_file_such_names_need_no_quotes_either(
    fit: Fit, paintings: Path, tmp_path: Path
) -> None:
    draw_picture(paintings / "no.png", 0)
    (tmp_path / "more.yaml").write_text("data:\n  style_names: [no, blue]\n")
    assert fit("--config", str(tmp_path / "more.yaml"), "--trainer.max_steps", "1") == 0
    ids = [style.id for style in read_checkpoint(fit.last).styles]
    assert ids == ["no", "blue", "photograph"]


def test_a_run_without_an_end_keeps_its_step_size_and_says_so(
    fit: Fit, recwarn: pytest.WarningsRecorder
) -> None:
    timed = ("--trainer.max_steps", "-1", "--trainer.max_time", "00:00:00:01")
    assert fit(*timed) == 0
    assert [w for w in recwarn if "the step size stays level" in str(w.message)]
    factor = trapezoid(float("inf"), 10, 0.2)
    assert (factor(0), factor(9), factor(10**9)) == (0.1, 1, 1)


def test_what_happens_every_so_many_steps_happens_once_per_step_of_several_batches(
    fit: Fit,
) -> None:
    seen: list[tuple[str, int]] = []

    class Pictures(DivergenceAlarm):
        def on_nth_step(self, trainer: L.Trainer, _: L.LightningModule, __: PhotoBatch) -> None:
            seen.append(("pictures", trainer.global_step))

    class Twins(TwinStylesAlarm):
        def on_nth_step(self, trainer: L.Trainer, _: L.LightningModule, __: PhotoBatch) -> None:
            seen.append(("twins", trainer.global_step))

    module, data = fit.parts()
    fit.trainer(
        4,
        *(Pictures(2), Twins(3), PreviewSheet(2, photos=1, side=32)),
        accumulate_grad_batches=2,
    ).fit(module, datamodule=data)
    assert seen == [("pictures", 2), ("twins", 3), ("pictures", 4)]
    previews = sorted(file.name for file in (fit.run / "previews").iterdir())
    assert previews == ["step-000002.png", "step-000004.png"]


def test_a_range_says_what_would_be_right() -> None:
    check_range("--x", 1, 0, 1)
    with pytest.raises(TrainingError, match=r"^--x is 2: it must be between 0 and 1$"):
        check_range("--x", 2, 0, 1)
