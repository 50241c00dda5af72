"""The slow baseline: the very loss of the fast network, on the pixels."""

import pytest
import torch
from torch import Tensor

from training.evaluation.measures.slow_baseline import objective_of, run_baseline
from training.evaluation.measures.speed import measure_speed
from training.losses.calibration import calibrate, painting_grams
from training.losses.perceptual import PerceptualLoss
from training.networks.loss_network import LossNetwork
from training.optimize.loop import Progress
from training.optimize.objective import IMAGE

STYLE_LAYERS = ("relu1_1", "relu2_1")


@pytest.fixture
def photo() -> Tensor:
    return torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def loss(vgg_weights: dict[str, Tensor], photo: Tensor) -> PerceptualLoss:
    network = LossNetwork(vgg_weights, STYLE_LAYERS)
    paintings = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(2))
    grams = painting_grams(network, paintings, STYLE_LAYERS)
    return PerceptualLoss(
        network,
        grams,
        calibrate(network, grams, photo),
        content_layers=["relu2_1"],
        style_strength=1.0,
        total_variation_weight=10.0,
    )


def test_the_objective_is_the_loss_of_the_fast_network(loss: PerceptualLoss, photo: Tensor) -> None:
    picture = photo.flip(-1)
    for style in (0, 1):
        expected = loss(photo, picture, torch.tensor([style])).total
        found = objective_of(loss, photo, style)({IMAGE: picture})["total"]
        assert torch.equal(found, expected)


def test_the_recorded_loss_is_that_of_a_picture_in_range(
    loss: PerceptualLoss, photo: Tensor
) -> None:
    seen: list[Progress] = []
    run = run_baseline(loss, photo, 0, 0.0, seed=0, iterations=12, on_step=seen.append)
    assert len(run.losses) == 12
    assert run.equal is None
    assert run.end.min() >= 0
    assert run.end.max() <= 1
    total = loss(photo, run.end, torch.tensor([0])).total.item()
    assert total == pytest.approx(min(run.losses), rel=1e-5)
    assert min(run.losses) < 0.5 * run.losses[0]


def test_the_same_seed_gives_the_same_curve(loss: PerceptualLoss, photo: Tensor) -> None:
    first, second, other = (
        run_baseline(loss, photo, 0, 0.0, seed=seed, iterations=3).losses for seed in (0, 0, 1)
    )
    assert first == second
    assert first != other


def test_a_run_stops_at_the_first_point_of_the_curve_after_the_target(
    loss: PerceptualLoss, photo: Tensor
) -> None:
    full = run_baseline(loss, photo, 0, 0.0, seed=0, iterations=30)
    target = min(full.losses[:7])
    run = run_baseline(loss, photo, 0, target, seed=0, iterations=60)
    assert len(run.losses) == 25
    assert run.equal is not None
    equal = loss(photo, run.equal, torch.tensor([0])).total.item()
    assert equal == pytest.approx(target, rel=1e-5)
    whole = run_baseline(loss, photo, 0, target, seed=0, iterations=30, full=True)
    assert whole.losses == full.losses


def test_ctrl_c_ends_the_command_and_not_only_the_run(loss: PerceptualLoss, photo: Tensor) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_baseline(loss, photo, 0, 0.0, seed=0, iterations=9, on_step=interrupt)


def test_both_sides_are_timed_at_every_size(loss: PerceptualLoss, photo: Tensor) -> None:
    speeds = measure_speed(lambda each: each, loss, photo, (16, 24))
    assert [speed.side for speed in speeds] == [16, 24]
    for speed in speeds:
        assert speed.seconds_per_photo > 0
        assert speed.seconds_per_iteration is not None
        assert speed.seconds_per_iteration > speed.seconds_per_photo
