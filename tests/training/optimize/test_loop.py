"""The loop against closed forms, and what it does when something goes wrong."""

import re
from collections.abc import Callable, Iterable, Mapping

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.errors import TrainingError
from training.losses.gram import gram_matrix
from training.losses.style import GramStyleLoss
from training.networks.loss_network import LossNetwork
from training.optimize.failures import DivergedError, TooLargeError
from training.optimize.images import Pixels, noise
from training.optimize.loop import Progress, Result, optimize
from training.optimize.objective import IMAGE, Features, Objective, Term
from training.optimize.optimizers import OPTIMIZERS, OptimizerName
from training.optimize.perceptual_objectives import content, l2, style
from training.optimize.projections import clip


def nothing(x: Tensor, layers: Iterable[str]) -> Mapping[str, Tensor]:
    """A network for objectives that look at the image only."""
    raise AssertionError("no layer was asked for")


def of_image(name: str, compute: Callable[[Tensor], Tensor], weight: float = 1.0) -> Objective:
    def value(features: Features) -> Tensor:
        return compute(features[IMAGE])

    return Objective((Term(name, (IMAGE,), value, weight),))


def score(w: Tensor) -> Objective:
    """The linear score ⟨w, I⟩, to be maximized."""
    return -of_image("score", lambda image: (w * image).sum(dim=(1, 2, 3)))


def weights(seed: int = 0, side: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, side, side, generator=generator, dtype=torch.float64)


def black(side: int = 4) -> Tensor:
    return torch.zeros(1, 3, side, side, dtype=torch.float64)


@pytest.mark.parametrize(("optimizer", "steps"), [("lbfgs", 10), ("adam", 1500)])
def test_the_class_model_of_a_linear_score_is_w_over_two_lambda(
    optimizer: OptimizerName, steps: int
) -> None:
    w = weights()
    image = Pixels(black())
    result = optimize(image, score(w) + l2(0.7), nothing, steps=steps, optimizer=optimizer)
    torch.testing.assert_close(image.values.data, w / 1.4, atol=1e-8, rtol=0)
    torch.testing.assert_close(result.image, w / 1.4, atol=1e-8, rtol=0)


def rosenbrock(image: Tensor) -> Tensor:
    """Minimum 0 at ones, behind a long bent valley."""
    x = image.flatten(1)
    return (100 * (x[:, 1:] - x[:, :-1].square()).square() + (1 - x[:, :-1]).square()).sum(1)


def test_lbfgs_does_not_stall_behind_its_line_search() -> None:
    # With max_iter=1 and the default max_eval, PyTorch 2.15 stays at 18.6 for ever.
    start = torch.zeros(1, 3, 1, 7, dtype=torch.float64)
    result = optimize(Pixels(start), of_image("valley", rosenbrock), nothing, steps=250)
    assert result.losses[0] == 20.0
    assert min(result.losses) < 1e-6


def chain(image: Tensor) -> Tensor:
    """Springs between neighbours, from a nail at 0 to a nail at 2: strictly convex."""
    x = F.pad(image.flatten(1), (1, 0))
    return x.diff(dim=1).square().sum(1) + (2 - x[:, -1]).square()


@pytest.mark.parametrize("start", [0.0, 0.3, 0.7])
def test_lbfgs_finds_the_constrained_minimum_under_a_projection(start: float) -> None:
    # Under the ceiling of 0.9 the last of 21 values is held there, and the others lie evenly
    # below it: the only minimum, whatever the path to it.
    image = torch.full((1, 3, 1, 7), start, dtype=torch.float64)
    result = optimize(
        Pixels(image), of_image("chain", chain), nothing, steps=2000, project=clip(0, 0.9)
    )
    expected = 0.9 * torch.arange(1, 22, dtype=torch.float64) / 21
    torch.testing.assert_close(result.image.flatten(), expected, atol=1e-6, rtol=0)
    assert len(result.losses) < 2000  # it ended by itself


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_scale_of_the_loss_hardly_matters_to_lbfgs(scale: float) -> None:
    w = weights()
    distance = of_image("distance", lambda i: (w * (i - w)).square().mean(dim=(1, 2, 3)))
    losses = optimize(Pixels(black()), scale * distance, nothing, steps=60).losses
    assert min(losses) < 1e-6 * losses[0]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_there_is_one_loss_and_one_report_per_step(optimizer: OptimizerName) -> None:
    seen: list[Progress] = []
    result = optimize(
        Pixels(black()),
        of_image("valley", rosenbrock) + l2(0.5),
        nothing,
        steps=7,
        optimizer=optimizer,
        on_step=seen.append,
    )
    assert len(result.losses) == 7
    assert [p.step for p in seen] == [1, 2, 3, 4, 5, 6, 7]
    assert [p.loss for p in seen] == result.losses
    assert result.losses[0] == 47.0  # (1 - 0)² for all but the last of 48 values
    assert all(p.steps == 7 and set(p.terms) == {"valley", "L2"} for p in seen)
    assert seen[-1].loss == pytest.approx(sum(seen[-1].terms.values()))


def test_a_report_keeps_its_image_when_the_optimization_goes_on() -> None:
    images: list[Callable[[], Tensor]] = []
    objective = score(weights()) + l2()
    optimize(
        Pixels(black()),
        objective,
        nothing,
        steps=3,
        optimizer="adam",
        on_step=lambda progress: images.append(progress.image),
    )
    torch.testing.assert_close(images[0](), black())
    assert not torch.equal(images[2](), black())


def test_a_sign_step_lowers_a_linear_margin_by_epsilon_times_the_norm_of_w() -> None:
    w = weights() - 0.5
    image, epsilon = torch.full_like(w, 0.5), 0.03
    # One step of the size ε is FGSM, many small ones within the ball are PGD.
    for steps, lr in ((1, epsilon), (10, epsilon / 4)):
        margin = -score(w)
        attacked = optimize(
            Pixels(image),
            margin,
            nothing,
            steps=steps,
            optimizer="sign",
            lr=lr,
            project=lambda x: x.clamp(image - epsilon, image + epsilon),
        ).image
        torch.testing.assert_close((w * (image - attacked)).sum(), epsilon * w.abs().sum())


def test_an_sgd_step_is_as_long_as_its_rate_for_each_image() -> None:
    w = torch.cat([weights(1), 100 * weights(2)])
    start = torch.full_like(w, 0.5)
    moved = optimize(Pixels(start), score(w), nothing, steps=1, optimizer="sgd", lr=0.01).image
    lengths = (moved - start).square().mean(dim=(1, 2, 3)).sqrt()
    torch.testing.assert_close(lengths, torch.full_like(lengths, 0.01))


def test_the_gradient_is_changed_before_the_step() -> None:
    w = weights()
    still = optimize(
        Pixels(w), score(w), nothing, steps=2, optimizer="adam", gradient=torch.zeros_like
    )
    torch.testing.assert_close(still.image, w)


def test_a_transform_stands_before_the_network_but_not_before_the_image() -> None:
    seen: list[Tensor] = []

    def network(x: Tensor, layers: Iterable[str]) -> Mapping[str, Tensor]:
        seen.append(x.detach())
        return dict.fromkeys(layers, x)

    objective = content("seen", torch.ones(1, 3, 2, 2)) + l2()
    start = torch.rand(1, 3, 2, 2)
    report: list[Progress] = []
    optimize(
        Pixels(start),
        objective,
        network,
        steps=1,
        transform=lambda x: 2 * x,
        on_step=report.append,
    )
    torch.testing.assert_close(seen[0], 2 * start)
    assert report[0].terms["L2"] == pytest.approx(start.square().sum().item())


@pytest.fixture
def network(vgg_weights: dict[str, Tensor]) -> LossNetwork:
    return LossNetwork(vgg_weights, ["relu1_1", "relu2_1", "relu3_1"])


def texture_problem(network: LossNetwork) -> Objective:
    texture = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(5))
    layers = ("relu1_1", "relu2_1")
    features = network(texture, layers)
    parts = [style(layer, GramStyleLoss(gram_matrix(features[layer]))) for layer in layers]
    return parts[0] + parts[1]


def synthesize(network: LossNetwork, seed: int, steps: int = 80) -> Result:
    start = noise(24, 24, generator=torch.Generator().manual_seed(seed))
    return optimize(Pixels(start), texture_problem(network), network, steps=steps)


def test_the_texture_loss_falls_by_a_large_factor(network: LossNetwork) -> None:
    losses = synthesize(network, 0).losses
    assert losses[0] > 300 * min(losses)


def test_the_same_seed_gives_the_same_picture_to_the_bit(network: LossNetwork) -> None:
    first, again, other = (synthesize(network, seed, 15) for seed in (3, 3, 4))
    assert torch.equal(first.image, again.image)
    assert first.losses == again.losses
    assert not torch.equal(first.image, other.image)


class Classifier(nn.Module):
    """A module with parameters, which behaves differently while it trains."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 2, 3)
        self.dropout = nn.Dropout(0.9)
        self.frozen = nn.Dropout(0.9).eval()

    def forward(self, x: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        return {layer: self.dropout(self.layer(x)) for layer in layers}


def test_the_network_is_left_as_it_was_found() -> None:
    network = Classifier()
    modes = [module.training for module in network.modules()]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    objective = content("scores", torch.ones(1, 2, 6, 6))
    losses = optimize(Pixels(torch.rand(1, 3, 8, 8)), objective, network, steps=8).losses
    assert min(losses) < losses[0]  # dropout would not have let it
    assert [module.training for module in network.modules()] == modes == [True, True, True, False]
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(not module._forward_hooks for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_the_network_is_left_as_found_after_an_error_too() -> None:
    network = Classifier()
    broken = of_image("broken", lambda image: image.sum(dim=(1, 2, 3)) * float("nan"))
    with pytest.raises(DivergedError):
        optimize(Pixels(torch.rand(1, 3, 8, 8)), broken, network, steps=2)
    assert network.training
    assert not network.frozen.training


def test_a_value_that_is_no_number_is_named_and_the_last_good_image_kept() -> None:
    # log(x) falls down to 0, and behind it is no number: the fifth step leaves the domain.
    objective = l2(0.0) + of_image("bad", lambda image: image.log().sum(dim=(1, 2, 3)))
    start = torch.full((1, 3, 2, 2), 0.45)
    with pytest.raises(DivergedError, match=r"'bad' became .* at step 6: .* smaller") as caught:
        optimize(Pixels(start), objective, nothing, steps=20, optimizer="sign", lr=0.1)
    assert caught.value.image is not None
    torch.testing.assert_close(caught.value.image, torch.full((1, 3, 2, 2), 0.05))


def test_a_gradient_that_is_no_number_is_named_too() -> None:
    # The root of total variation without anything inside the power, on a flat image.
    def root(image: Tensor) -> Tensor:
        return (image[..., 1:] - image[..., :-1]).square().sum(dim=(1, 2, 3)).sqrt()

    objective = l2() + of_image("roughness", root)
    with pytest.raises(DivergedError, match=r"'roughness' became .* at step 1") as caught:
        optimize(Pixels(torch.ones(1, 3, 2, 2)), objective, nothing, steps=5)
    assert caught.value.image is None


def test_a_last_step_out_of_all_numbers_is_an_error_too() -> None:
    start = torch.rand(1, 3, 2, 2)
    with pytest.raises(DivergedError, match=r"the last step .* smaller --lr") as caught:
        optimize(Pixels(start), l2(), nothing, steps=1, optimizer="sgd", lr=float("inf"))
    assert caught.value.image is not None
    assert torch.equal(caught.value.image, start)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_an_interruption_gives_the_best_image_so_far(optimizer: OptimizerName) -> None:
    w, reports = weights(), list[Progress]()

    def interrupt(progress: Progress) -> None:
        reports.append(progress)
        if progress.step == 6:
            raise KeyboardInterrupt

    objective = of_image("distance", lambda i: rosenbrock(i - w + 1))
    result = optimize(
        Pixels(black()), objective, nothing, steps=50, optimizer=optimizer, on_step=interrupt
    )
    assert result.interrupted
    assert len(result.losses) == 6
    best = min(reports, key=lambda report: report.loss)
    torch.testing.assert_close(result.image, best.image())


def test_a_lack_of_memory_names_a_size_that_needs_less() -> None:
    def greedy(x: Tensor, layers: Iterable[str]) -> Mapping[str, Tensor]:
        return {layer: x * torch.empty(1 << 60) for layer in layers}

    objective = content("layer", torch.zeros(1, 1, 1, 1))
    match = re.escape("out of memory at 64 × 48 pixels: --size 48 needs about half as much")
    with pytest.raises(TooLargeError, match=match):
        optimize(Pixels(torch.rand(1, 3, 48, 64)), objective, greedy, steps=1)


def test_other_errors_of_the_network_are_not_taken_for_a_lack_of_memory() -> None:
    def broken(x: Tensor, layers: Iterable[str]) -> Mapping[str, Tensor]:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        optimize(Pixels(black()), content("a", torch.zeros(1, 1, 1, 1)), broken, steps=1)


def test_an_objective_without_weight_is_an_error() -> None:
    with pytest.raises(TrainingError, match="every weight is 0"):
        optimize(Pixels(black()), 0.0 * l2(), nothing, steps=1)
    with pytest.raises(TrainingError, match="every weight is 0"):
        optimize(Pixels(black()), Objective(), nothing, steps=1)


def test_no_steps_change_nothing() -> None:
    start = weights()
    result = optimize(Pixels(start), l2(), nothing, steps=0)
    assert torch.equal(result.image, start)
    assert result.losses == []


def test_where_nothing_is_to_be_gained_lbfgs_ends_early() -> None:
    result = optimize(Pixels(black()), l2(), nothing, steps=500)
    assert result.losses == [0.0]
