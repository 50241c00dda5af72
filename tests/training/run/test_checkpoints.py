"""``last.ckpt`` is the newest, no earlier run's is lost, and no number in it is none."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.fit_runner import Fit
from training.__main__ import main
from training.checkpoint import read_checkpoint
from training.errors import TrainingError
from training.module import MultiStyleModule

pytestmark = pytest.mark.filterwarnings("default")


def steps(checkpoint: Path) -> int:
    return int(torch.load(checkpoint, weights_only=True)["global_step"])


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_second_run_in_a_folder_keeps_the_last_checkpoint_of_the_first(fit: Fit) -> None:
    assert fit("--trainer.max_steps", "6") == 0
    first = fit.last.read_bytes()
    assert fit("--trainer.max_steps", "2") == 0
    assert steps(fit.last) == 2
    assert (fit.checkpoints / "earlier-1.ckpt").read_bytes() == first
    assert fit("--trainer.max_steps", "1") == 0
    assert [steps(fit.checkpoints / f"earlier-{n}.ckpt") for n in (1, 2)] == [6, 2]


def test_a_run_that_goes_on_replaces_its_last_checkpoint(fit: Fit) -> None:
    assert fit("--trainer.max_steps", "2") == 0
    assert fit("--trainer.max_steps", "3", "--ckpt_path", "last") == 0
    assert steps(fit.last) == 3
    assert files(fit.checkpoints) == ["last.ckpt", "step-000003.ckpt"]


def test_a_run_that_goes_on_from_an_older_checkpoint_keeps_the_last_one(fit: Fit) -> None:
    assert fit("--trainer.max_steps", "8", "--checkpoint.save_top_k", "-1") == 0
    older = fit.checkpoints / "step-000004.ckpt"
    assert fit("--trainer.max_steps", "5", "--ckpt_path", str(older)) == 0
    assert steps(fit.last) == 5
    assert steps(fit.checkpoints / "earlier-1.ckpt") == 8
    assert steps(fit.checkpoints / "step-000008.ckpt") == 8


@pytest.mark.parametrize("way", ["moved", "relative", "absolute"])
def test_a_run_goes_on_wherever_its_folder_is_and_however_it_is_written(
    fit: Fit, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    # A symbolic link to the repository's configurations makes the working folder another one.
    there = fit.run.parent
    (there / "training").symlink_to(Path("training").resolve())
    monkeypatch.chdir(there)
    root = "--trainer.default_root_dir"
    first = "run" if way == "absolute" else str(there / "run")
    assert fit(root, first, "--trainer.max_steps", "2") == 0
    second = {"moved": str(there / "moved"), "relative": "run", "absolute": str(there / "run")}[way]
    if way == "moved":
        shutil.move(there / "run", there / "moved")
    assert fit(root, second, "--trainer.max_steps", "4", "--ckpt_path", "last") == 0
    folder = Path(second) / "checkpoints"
    assert files(folder) == ["last.ckpt", "step-000004.ckpt"]
    assert steps(folder / "last.ckpt") == 4


def test_a_trial_writes_nothing(fit: Fit) -> None:
    assert fit("--trainer.fast_dev_run", "true") == 0
    assert not fit.run.exists()
    assert fit("--trainer.max_steps", "2") == 0
    before = {file: file.read_bytes() for file in fit.run.rglob("*") if file.is_file()}
    assert fit("--trainer.fast_dev_run", "4", "--ckpt_path", "last") == 0
    assert {f: f.read_bytes() for f in fit.run.rglob("*") if f.is_file()} == before


def test_a_newer_checkpoint_that_calls_itself_the_last_is_not_passed_over(
    fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit("--trainer.max_steps", "1") == 0
    other = fit.last.with_name("last-v1.ckpt")  # an older version wrote those
    shutil.copyfile(fit.last, other)
    os.utime(other, (0, 0))
    assert fit("--trainer.max_steps", "2", "--ckpt_path", "last") == 0
    # A minute, not `touch`: two files written within one tick of the kernel have the same time.
    minute_later = fit.last.stat().st_mtime + 60
    os.utime(other, (minute_later, minute_later))
    assert fit("--trainer.max_steps", "3", "--ckpt_path", "last") == 1
    assert "last-v1.ckpt' is newer than last.ckpt" in capsys.readouterr().err
    shutil.copyfile(fit.last, fit.last.with_name("last-good.ckpt"))  # a person's own copy
    other.unlink()
    assert fit("--trainer.max_steps", "3", "--ckpt_path", "last") == 0
    assert steps(fit.last) == 3


def test_a_run_may_write_no_checkpoints(fit: Fit) -> None:
    assert fit("--trainer.enable_checkpointing", "false", "--trainer.max_steps", "1") == 0
    assert not fit.checkpoints.exists()


def test_a_run_without_alarms_in_its_configuration_stops_at_nan_all_the_same(
    fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit("--trainer.max_steps", "4") == 0
    kept = fit.last.read_bytes()
    bare = ("--trainer.callbacks", "null", "--checkpoint.every_n_train_steps", "1")
    more = ("--trainer.max_steps", "9", "--ckpt_path", "last", "--model.learning_rate", "1e38")
    assert fit(*bare, *more) == 1
    assert "lower --model.learning_rate" in capsys.readouterr().err
    saved = sorted(fit.checkpoints.glob("*.ckpt"))
    assert saved
    for checkpoint in saved:
        read_checkpoint(checkpoint)  # raises at numbers that are not finite
    assert fit.last.read_bytes() == kept or steps(fit.last) > 4


def test_a_checkpoint_with_a_weight_that_is_no_number_is_not_written() -> None:
    module = MultiStyleModule("lite")
    state = {name: value.clone() for name, value in module.state_dict().items()}
    module.on_save_checkpoint({"state_dict": state})
    state["rows"].fill_(torch.inf)
    with pytest.raises(TrainingError, match="not finite at step 0: lower --model"):
        module.on_save_checkpoint({"state_dict": state})


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_checkpoint_with_numbers_that_are_not_finite_is_refused(
    fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str], poison: float
) -> None:
    assert fit("--trainer.max_steps", "1") == 0
    content: dict[str, Any] = torch.load(fit.last, weights_only=True)
    content["state_dict"]["rows"][1, 7] = poison
    torch.save(content, tmp_path / "bad.ckpt")
    bad = str(tmp_path / "bad.ckpt")
    assert main(["export", bad, str(tmp_path / "model")]) == 1
    assert "not finite (in rows): its training diverged" in capsys.readouterr().err
    assert fit("--ckpt_path", bad) == 1
    assert "rows holds numbers that are not finite" in capsys.readouterr().err
    assert fit("--model.init_from", bad) == 1
    assert not (tmp_path / "model").exists()
