"""Runs that are asked to end say so in their exit status, and save what they have learned."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.training.fit_runner import Fit

pytestmark = pytest.mark.filterwarnings("default")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def usual_signals() -> Iterator[None]:
    """Signals as in a terminal, also where the tests were started with nohup."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def interrupted(fit: Fit, *numbers: int, more: tuple[str, ...] = ()) -> int | str | None:
    """Trains, is sent the signals behind step 3, and returns the exit status."""
    there = "--trainer.callbacks", "tests.training.fit_runner.SignalAt"
    options = (
        "--trainer.callbacks.numbers",
        str([int(number) for number in numbers]),
        "--trainer.callbacks.step",
        "3",
    )
    with pytest.raises(SystemExit) as end:
        fit("--trainer.max_steps", "1000", *there, *options, *more)
    return end.value.code


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_run_behind_its_step_and_is_the_exit_status(
    fit: Fit, number: signal.Signals
) -> None:
    assert interrupted(fit, number) == 128 + number
    content = torch.load(fit.last, weights_only=True)
    assert content["global_step"] == 3
    assert {int(s["step"]) for s in content["optimizer_states"][0]["state"].values()} == {3}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert fit("--trainer.max_steps", "4", "--ckpt_path", "last") == 0


def test_a_run_under_nohup_outlives_its_terminal(fit: Fit) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert interrupted(fit, signal.SIGHUP, signal.SIGTERM) == 128 + signal.SIGTERM
    assert torch.load(fit.last, weights_only=True)["global_step"] == 3


def test_a_second_ctrl_c_ends_the_run_at_once_and_saves_all_the_same(fit: Fit) -> None:
    assert interrupted(fit, signal.SIGINT, signal.SIGINT) == 130
    assert torch.load(fit.last, weights_only=True)["global_step"] == 3


def test_a_run_that_writes_no_checkpoints_tells_its_signal_all_the_same(fit: Fit) -> None:
    none = ("--trainer.enable_checkpointing", "false")
    assert interrupted(fit, signal.SIGTERM, more=none) == 143
    assert not fit.checkpoints.exists()


def test_a_measurement_on_photos_held_out_is_not_waited_for(fit: Fit) -> None:
    held_out = ("--data.held_out", "0.5", "--data.batch_size", "1")
    every = ("--trainer.val_check_interval", "3", "--checkpoint.every_n_train_steps", "2")
    amid = ("--trainer.callbacks.measuring", "true", *held_out, *every)
    assert interrupted(fit, signal.SIGTERM, more=amid) == 143
    assert torch.load(fit.last, weights_only=True)["global_step"] == 3
    assert fit("--trainer.max_steps", "6", "--ckpt_path", "last", *held_out, *every) == 0
    assert torch.load(fit.last, weights_only=True)["global_step"] == 6


def test_ctrl_c_while_the_program_starts_is_no_traceback(fit: Fit) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "training", *fit.arguments],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        maps = Path(f"/proc/{process.pid}/maps")
        while "libtorch" not in maps.read_text():  # amid its imports, which take a second more
            assert process.poll() is None
        os.kill(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error == "python -m training: interrupted\n"
