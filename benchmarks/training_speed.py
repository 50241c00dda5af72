"""Training images per second against the textbook loop, same network, same loss, same data.

    python -m benchmarks.training_speed

The textbook loop is written as the field's examples write it: float32, contiguous tensors, the
loss network run to its deepest layer on photos, painted photos and paintings in every step, the
paintings' Gram matrices computed anew. Ours is what ``python -m training fit`` does in a step:
channels last, bf16 where it is safe, the photos' features only as deep as the content layer, the
paintings' Gram matrices once. Weights of the loss network are random, which changes no time. Before
anything is timed, both must give the same loss for the same photos.
"""

import argparse
import contextlib
import ctypes
import os
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from torch import Tensor, nn
from torchvision.models import vgg16

from benchmarks.machine import describe_machine
from training.loss_settings import LossSettings, build_loss
from training.losses.calibration import Scales
from training.losses.perceptual import STYLE_WEIGHT, LossTerms, PerceptualLoss
from training.networks.architectures import ARCHITECTURES, build_network
from training.networks.loss_network import LossNetwork
from training.networks.transformation_network import TransformationNetwork

SETTINGS: Final = LossSettings(
    content_layers=("relu3_3",),
    style_layers=("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
    style_strength=1.0,
    total_variation_weight=10.0,
)
ENDS: Final = {"relu1_2": 3, "relu2_2": 8, "relu3_3": 15, "relu4_3": 22}
"""Places of the layers in torchvision's VGG-16."""

AGREEMENT: Final = {"float32": 1e-3, "bf16": 3e-2, "bf16,compiled": 3e-2}
"""Largest relative difference of the two losses."""

Step = Callable[[Tensor, Tensor], float]


def textbook_step(
    network: TransformationNetwork,
    rows: nn.Parameter,
    vgg: nn.Module,
    paintings: Tensor,
    scales: Scales,
) -> Step:
    """Builds the textbook step; ``paintings`` are [S, 3, H, W]."""
    optimizer = torch.optim.Adam([*network.parameters(), rows], 1e-3)
    mean = paintings.new_tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = paintings.new_tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)

    def features(x: Tensor) -> dict[str, Tensor]:
        x = (x - mean) / std
        found: dict[str, Tensor] = {}
        for place, layer in enumerate(vgg.children()):
            x = layer(x)
            found |= {name: x for name, end in ENDS.items() if end == place}
            if place == max(ENDS.values()):
                break
        return found

    def gram(f: Tensor) -> Tensor:
        n, c, h, w = f.shape
        flat = f.view(n, c, h * w)
        return flat.bmm(flat.transpose(1, 2)) / (c * h * w)

    def step(photos: Tensor, styles: Tensor) -> float:
        optimizer.zero_grad()
        painted = network.render(photos, rows[styles])
        of_photos, of_painted = features(photos), features(painted)
        of_paintings = features(paintings[styles])
        loss = photos.new_zeros(())
        for layer in SETTINGS.content_layers:
            error = (of_painted[layer] - of_photos[layer]).square().mean(dim=(1, 2, 3))
            loss = loss + (error / of_photos[layer].square().mean(dim=(1, 2, 3))).mean()
        for layer in SETTINGS.style_layers:
            error = (gram(of_painted[layer]) - gram(of_paintings[layer])).square().mean(dim=(1, 2))
            error = (error / scales[layer][styles]).mean()
            loss = loss + STYLE_WEIGHT * error / len(SETTINGS.style_layers)
        here = painted[..., :-1, :-1]
        variation = (painted[..., 1:, :-1] - here).square().mean()
        variation = variation + (painted[..., :-1, 1:] - here).square().mean()
        loss = loss + SETTINGS.total_variation_weight * variation
        torch.autograd.backward(loss)
        optimizer.step()
        return float(loss.item())

    return step


def our_step(
    network: TransformationNetwork, rows: nn.Parameter, loss: PerceptualLoss, mode: str
) -> Step:
    """Builds the step of ``python -m training fit``."""
    network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam([*network.parameters(), rows], 1e-3)

    def judge(photos: Tensor, styles: Tensor) -> Tensor:
        terms: LossTerms = loss(photos, network.render(photos, rows[styles]), styles)
        return terms.total.mean()

    compiled = torch.compile(judge) if "compiled" in mode else judge

    def step(photos: Tensor, styles: Tensor) -> float:
        optimizer.zero_grad()
        photos = photos.contiguous(memory_format=torch.channels_last)
        with torch.autocast(photos.device.type, torch.bfloat16, enabled="bf16" in mode):
            total = compiled(photos, styles)
        torch.autograd.backward(total)
        optimizer.step()
        return float(total.item())

    return step


class PeakMemory:
    """Memory that a step takes at its highest beyond what was taken before, in MiB."""

    def __init__(self, device: torch.device) -> None:
        """Measures on ``device``; on a CPU, by looking at the process every few milliseconds."""
        self.device = device
        self.mebibytes = 0.0

    def __enter__(self) -> Self:
        """Begins to look."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self._before = torch.cuda.memory_allocated(self.device)
            return self
        with contextlib.suppress(AttributeError):  # glibc keeps what was freed; others may not
            ctypes.CDLL(None).malloc_trim(0)
        self._before = self._peak = resident_bytes()
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._look)
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends and notes the difference."""
        if self.device.type == "cuda":
            self._peak = torch.cuda.max_memory_allocated(self.device)
        else:
            self._done.set()
            self._watch.join()
        self.mebibytes = (self._peak - self._before) / 2**20

    def _look(self) -> None:
        while not self._done.wait(0.005):
            self._peak = max(self._peak, resident_bytes())


def resident_bytes() -> int:
    """Returns the process's resident memory (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Contest:
    """The textbook's step and ours, on networks that begin alike."""

    def __init__(self, architecture: str, mode: str, options: argparse.Namespace) -> None:
        """Builds both steps."""
        torch.manual_seed(0)
        self.device, self.options, self.mode = torch.device(options.device), options, mode
        side = (3, options.size, options.size)
        paintings = torch.rand(options.styles, *side, device=self.device)
        vgg = vgg16(weights=None).features.requires_grad_(False).eval().to(self.device)
        state = {f"features.{name}": value for name, value in vgg.state_dict().items()}
        network = LossNetwork(state, SETTINGS.layers).to(self.device)
        photos = torch.rand(2, *side, device=self.device) ** 2
        loss, scales = build_loss(SETTINGS, network, list(paintings), photos)
        ours, textbook = (build_network(architecture).to(self.device) for _ in range(2))
        ours.load_state_dict(textbook.state_dict())
        neutral = ours.neutral_style().repeat(options.styles, 1).to(self.device)
        self.textbook = textbook_step(
            textbook, nn.Parameter(neutral.clone()), vgg, paintings, scales
        )
        self.ours = our_step(ours, nn.Parameter(neutral.clone()), loss, mode)

    def batch(self) -> tuple[Tensor, Tensor]:
        """Draws photos [N, 3, H, W] and their styles [N]."""
        o = self.options
        photos = torch.rand(o.batch, 3, o.size, o.size, device=self.device) ** 2
        return photos, torch.randint(o.styles, (o.batch,), device=self.device)

    def agree(self) -> None:
        """Takes the first step of both. Raises SystemExit if their losses differ."""
        batch = self.batch()
        textbook, ours = self.textbook(*batch), self.ours(*batch)
        if abs(textbook - ours) > AGREEMENT[self.mode] * textbook:
            raise SystemExit(f"not the same loss: textbook {textbook}, ours {ours}")

    def seconds(self, step: Step) -> float:
        """Times one step; reading its loss waits for a GPU to finish."""
        batch = self.batch()
        start = time.perf_counter()
        step(*batch)
        self._synchronize()  # the optimizer's work, too
        return time.perf_counter() - start

    def memory(self, step: Step) -> float:
        """Returns the peak memory of a step per image in MiB."""
        batch = self.batch()
        self._synchronize()
        with PeakMemory(self.device) as peak:
            step(*batch)
            self._synchronize()
        return peak.mebibytes / float(self.options.batch)

    def _synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def compare(architecture: str, mode: str, options: argparse.Namespace) -> None:
    """Prints one row."""
    contest = Contest(architecture, mode, options)
    contest.agree()
    steps = (contest.textbook, contest.ours)
    pairs = [tuple(contest.seconds(step) for step in steps) for _ in range(options.pairs)]
    textbook, ours = (options.batch / statistics.median(c) for c in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    memory = " ".join(f"{contest.memory(step):8.0f}" for step in steps)
    print(
        f"{architecture:10} {mode:13} {textbook:9.2f} {ours:6.2f} {ratio:6.2f} {memory}", flush=True
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--size", type=int, default=192, help="side of the photos in pixels")
    parser.add_argument("--styles", type=int, default=16)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--networks", nargs="+", default=list(ARCHITECTURES))
    parser.add_argument("--modes", nargs="+", default=list(AGREEMENT), choices=list(AGREEMENT))
    options = parser.parse_args()
    print(describe_machine("torch"))
    if options.device.startswith("cuda"):
        print(torch.cuda.get_device_name(options.device))
    print(
        f"VGG-16 to relu4_3, batch {options.batch}, {options.size}² photos; images per second, "
        "peak memory per image in MiB"
    )
    print(
        f"{'network':10} {'ours in':13} {'textbook':>9} {'ours':>6} {'ratio':>6} "
        f"{'textbook':>8} {'ours':>8}"
    )
    for architecture in options.networks:
        for mode in options.modes:
            compare(architecture, mode, options)


if __name__ == "__main__":
    main()
