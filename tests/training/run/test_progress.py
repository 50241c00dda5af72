"""The progress bar: steps done, to go, time left and losses on one line."""

import re

import pytest

from tests.training.fit_runner import Fit

pytestmark = pytest.mark.filterwarnings("default")


def lines(text: str) -> list[str]:
    return [line for line in re.split(r"[\r\n]+", text) if "steps done" in line]


def bar(fit: Fit) -> Fit:
    """The same, with a bar."""
    fit.arguments.remove("--trainer.enable_progress_bar")
    fit.arguments.remove("false")
    return fit


def test_the_bar_tells_steps_time_and_losses_of_the_whole_run(
    fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bar(fit)("--trainer.max_steps", "7") == 0  # of two epochs and a half
    first, *_, last = lines(capsys.readouterr().out)
    assert first.startswith("0 steps done")
    assert re.match(
        r"7 steps done, 0 to go \|.*\| 00:00 left, total [\d.e+]+, "
        r"content [\d.e+]+, style [\d.e+]+, +[\d.]+ steps/s$",
        last,
    )
    assert "poch" not in first + last


def test_a_run_that_goes_on_counts_from_where_it_was(
    fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bar(fit)("--trainer.max_steps", "3") == 0
    capsys.readouterr()
    assert fit("--trainer.max_steps", "5", "--ckpt_path", "last") == 0
    first, *_, last = lines(capsys.readouterr().out)
    assert first.startswith("3 steps done")
    assert last.startswith("5 steps done, 0 to go")


def test_the_losses_on_photos_held_out_are_on_the_line(
    fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    held_out = ("--data.held_out", "0.25", "--trainer.val_check_interval", "1")
    assert bar(fit)("--trainer.max_steps", "2", *held_out) == 0
    assert ", held out total " in lines(capsys.readouterr().out)[-1]


def test_a_run_without_an_end_has_nothing_to_go(
    fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bar(fit)("--trainer.max_steps", "-1", "--trainer.max_time", "00:00:00:01") == 0
    last = lines(capsys.readouterr().out)[-1]
    assert re.match(r"\d+ steps done, ", last)
    assert "to go" not in last


def test_another_bar_takes_its_place_and_none_is_none(
    fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    other = ("--trainer.callbacks", "lightning.pytorch.callbacks.TQDMProgressBar")
    assert bar(fit)("--trainer.max_steps", "1", *other) == 0
    assert not lines(capsys.readouterr().out)
    assert fit("--trainer.max_steps", "1", "--trainer.enable_progress_bar", "false") == 0
    assert not lines(capsys.readouterr().out)


def test_a_run_that_is_ended_shows_how_far_it_came(
    fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    there = ("--trainer.callbacks", "tests.training.fit_runner.SignalAt")
    options = ("--trainer.callbacks.numbers", "[15]", "--trainer.callbacks.step", "3")
    with pytest.raises(SystemExit):
        bar(fit)("--trainer.max_steps", "1000", *there, *options)
    assert lines(capsys.readouterr().out)[-1].startswith("3 steps done, 997 to go")
