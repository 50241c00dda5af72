"""Alarms of the training."""

import pytest
import torch
from lightning import Trainer

from training.alarms import DivergenceAlarm, saturated_share, twins
from training.data.photos import PhotoBatch
from training.errors import TrainingError
from training.module import MultiStyleModule


def look_at_a_loss(alarm: DivergenceAlarm, loss: torch.Tensor) -> None:
    # A new trainer is at step 0, at which the pictures would be looked at, too.
    trainer, module = Trainer(accelerator="cpu", logger=False), MultiStyleModule("lite")
    alarm.on_train_batch_end(
        trainer, module, {"loss": loss}, PhotoBatch(torch.rand(1, 3, 16, 16)), 0
    )


@pytest.mark.filterwarnings("default")
def test_a_loss_that_is_no_number_is_reported_at_once_on_the_cpu() -> None:
    alarm = DivergenceAlarm()
    look_at_a_loss(alarm, torch.tensor(1.0))
    with pytest.raises(TrainingError, match="the loss became nan at step 0"):
        look_at_a_loss(alarm, torch.tensor(float("nan")))


def test_black_and_white_values_are_saturated_and_grey_ones_are_not() -> None:
    images = torch.tensor([[[[0.0, 0.005, 0.5, 1.0]]]])
    assert saturated_share(images) == 0.75


def test_two_styles_that_paint_alike_are_twins() -> None:
    photo = torch.rand(1, 3, 8, 8)
    other = 1 - photo
    assert twins(torch.cat([photo, other, photo + 0.001]), 0.02) == [(0, 2)]


def test_different_styles_are_no_twins() -> None:
    painted = torch.stack([torch.full((3, 4, 4), level) for level in (0.1, 0.2, 0.3)])
    # Neighbours are 0.1 apart, root mean square.
    assert twins(painted, 0.099) == []
    assert twins(painted, 0.101) == [(0, 1), (1, 2)]


def test_losses_that_a_gpu_has_not_told_yet_are_read_before_a_checkpoint_is_written() -> None:
    alarm = DivergenceAlarm()
    alarm._unread = [(6, torch.tensor(2.0)), (7, torch.tensor(float("inf")))]
    with pytest.raises(TrainingError, match="the loss became inf at step 7"):
        alarm.on_save_checkpoint()
    alarm.on_train_end()  # told once
