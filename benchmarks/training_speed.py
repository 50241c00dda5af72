"""Training images per second against the textbook loop, same network, same loss, same data.

    python -m benchmarks.training_speed

The textbook loop is written as the field's examples write it: float32, contiguous tensors, the
loss network run to its end on photos, painted photos and paintings in every step, their Gram
matrices computed anew. Ours is what ``python -m training fit`` does in a step: channels last,
bf16 where it is safe, the photos' features only as deep as the content layer, the paintings'
Gram matrices once. Weights of the loss network are random, which changes no time.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import vgg16

from benchmarks.machine import describe_machine
from training.losses.perceptual import LossTerms, PerceptualLoss
from training.networks.loss_network import LossNetwork
from training.networks.transformation_network import (
    ARCHITECTURES,
    TransformationNetwork,
    build_network,
)

CONTENT_LAYERS = ("relu3_3",)
STYLE_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
CONTENT_WEIGHT, STYLE_WEIGHT, TV_WEIGHT = 1.0, 20.0, 0.5

Step = Callable[[Tensor, Tensor], float]


def textbook_step(
    network: TransformationNetwork, rows: nn.Parameter, vgg: nn.Module, paintings: Tensor
) -> Step:
    """Builds the textbook step; ``paintings`` are [S, 3, H, W]."""
    optimizer = torch.optim.Adam([*network.parameters(), rows], 1e-3)
    ends = {"relu1_2": 3, "relu2_2": 8, "relu3_3": 15, "relu4_3": 22}
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)

    def features(x: Tensor) -> dict[str, Tensor]:
        x = (x - mean) / std
        found: dict[str, Tensor] = {}
        for place, layer in enumerate(vgg.children()):
            x = layer(x)
            found |= {name: x for name, end in ends.items() if end == place}
            if place == max(ends.values()):
                break
        return found

    def gram(f: Tensor) -> Tensor:
        n, c, h, w = f.shape
        flat = f.view(n, c, h * w)
        return flat.bmm(flat.transpose(1, 2)) / (c * h * w)

    def step(photos: Tensor, styles: Tensor) -> float:
        optimizer.zero_grad()
        painted = network(photos, rows[styles])
        of_photos, of_painted = features(photos), features(painted)
        of_paintings = features(paintings[styles])
        loss = photos.new_zeros(())
        for layer in CONTENT_LAYERS:
            error = F.mse_loss(of_painted[layer], of_photos[layer])
            loss = loss + CONTENT_WEIGHT * error / of_photos[layer].square().mean()
        for layer in STYLE_LAYERS:
            target = gram(of_paintings[layer])
            error = F.mse_loss(gram(of_painted[layer]), target)
            loss = loss + STYLE_WEIGHT / len(STYLE_LAYERS) * error / target.square().mean()
        variation = (painted[..., 1:, :] - painted[..., :-1, :]).square().mean()
        variation = variation + (painted[..., 1:] - painted[..., :-1]).square().mean()
        (loss + TV_WEIGHT * variation).backward()
        optimizer.step()
        return loss.item()

    return step


def our_step(
    network: TransformationNetwork, rows: nn.Parameter, loss: PerceptualLoss, mode: str
) -> Step:
    """Builds the step of ``python -m training fit``."""
    network.to(memory_format=torch.channels_last)
    loss.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam([*network.parameters(), rows], 1e-3)

    def judge(photos: Tensor, styles: Tensor) -> Tensor:
        terms: LossTerms = loss(photos, network(photos, rows[styles]), styles)
        return terms.total.mean()

    compiled = torch.compile(judge) if "compiled" in mode else judge

    def step(photos: Tensor, styles: Tensor) -> float:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled="bf16" in mode):
            total = compiled(photos.contiguous(memory_format=torch.channels_last), styles)
        torch.autograd.backward(total)
        optimizer.step()
        return float(total.item())

    return step


def seconds(step: Step, batch: int, size: int, styles: int) -> float:
    """Times one step on random photos."""
    photos, drawn = torch.rand(batch, 3, size, size), torch.randint(styles, (batch,))
    start = time.perf_counter()
    step(photos, drawn)
    return time.perf_counter() - start


def compare(architecture: str, options: argparse.Namespace) -> None:
    """Prints one row per mode."""
    torch.manual_seed(0)
    paintings = torch.rand(options.styles, 3, options.size, options.size)
    vgg = vgg16(weights=None).features.requires_grad_(False).eval()
    state = {f"features.{name}": value for name, value in vgg.state_dict().items()}
    for mode in options.modes:
        steps: list[Step] = []
        for build in (textbook_step, our_step):
            network = build_network(architecture)
            rows = nn.Parameter(network.neutral_style().repeat(options.styles, 1))
            if build is textbook_step:
                steps.append(textbook_step(network, rows, vgg, paintings))
                continue
            loss = PerceptualLoss(
                LossNetwork(state, [*STYLE_LAYERS, *CONTENT_LAYERS]),
                list(paintings),
                content_layers=CONTENT_LAYERS,
                style_layers=STYLE_LAYERS,
                content_weight=CONTENT_WEIGHT,
                style_weight=STYLE_WEIGHT,
                total_variation_weight=TV_WEIGHT,
            )
            steps.append(our_step(network, rows, loss, mode))
        size = (options.batch, options.size, options.styles)
        for step in steps:
            seconds(step, *size)  # warm-up
        pairs = [tuple(seconds(step, *size) for step in steps) for _ in range(options.pairs)]
        textbook, ours = (options.batch / statistics.median(c) for c in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"{architecture:10} {mode:13} {textbook:9.2f} {ours:6.2f} {ratio:6.2f}", flush=True)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--size", type=int, default=192, help="side of the photos in pixels")
    parser.add_argument("--styles", type=int, default=16)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--networks", nargs="+", default=list(ARCHITECTURES))
    parser.add_argument("--modes", nargs="+", default=["float32", "bf16", "bf16,compiled"])
    options = parser.parse_args()
    print(describe_machine("torch"))
    print(f"VGG-16 to relu4_3, batch {options.batch}, {options.size}² photos, images per second")
    print(f"{'network':10} {'ours in':13} {'textbook':>9} {'ours':>6} {'ratio':>6}")
    for architecture in options.networks:
        compare(architecture, options)


if __name__ == "__main__":
    main()
