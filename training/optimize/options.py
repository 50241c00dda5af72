"""Options that every technique shares; nothing here needs PyTorch, so that --help is quick."""

import argparse
import math
from pathlib import Path
from typing import Final

IMAGE_OUTPUTS: Final = (".png", ".jpg", ".jpeg", ".webp")


def add_shared_options(
    parser: argparse.ArgumentParser,
    *,
    steps: int = 300,
    optimizer: str = "lbfgs",
    size: int = 256,
) -> None:
    """Adds output, size, optimizer, seed, device and intermediate frames to ``parser``.

    ``steps``, ``optimizer`` and ``size`` are the technique's own defaults.
    """
    parser.add_argument("--out", type=output_file, required=True, help="the image file to write")
    parser.add_argument(
        "--size", type=positive, default=size, help=f"longer side in pixels (default {size})"
    )
    parser.add_argument(
        "--steps",
        type=positive,
        default=steps,
        help=f"evaluations of the objective (default {steps})",
    )
    parser.add_argument(
        "--optimizer",
        choices=("lbfgs", "adam", "sgd", "sign"),
        default=optimizer,
        help=f"sgd divides the gradient by its root mean square (default {optimizer})",
    )
    parser.add_argument(
        "--lr", type=not_negative, help="step size; by default the optimizer's usual one"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of all that is random")
    parser.add_argument(
        "--device", default="auto", help="cpu, cuda, cuda:1, mps; auto takes a GPU if there is one"
    )
    parser.add_argument(
        "--frames", type=Path, metavar="DIR", help="folder for intermediate frames (PNG)"
    )
    parser.add_argument(
        "--every", type=positive, default=25, metavar="N", help="steps from frame to frame"
    )


def add_loss_network_option(parser: argparse.ArgumentParser, default: str = "vgg19") -> None:
    """Adds ``--loss-weights``."""
    parser.add_argument(
        "--loss-weights",
        default=default,
        metavar="FILE",
        help="vgg16 or vgg19 (downloaded once), or a safetensors file with torchvision's keys "
        f"(default {default})",
    )


def positive(text: str) -> int:
    """Reads a whole number from 1 up."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return number


def not_negative(text: str) -> float:
    """Reads a finite number from 0 up."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (number >= 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 up")
    return number


def output_file(text: str) -> Path:
    """Reads the name of an image file to write; its folder is made before the work."""
    path = Path(text)
    if path.suffix.lower() not in IMAGE_OUTPUTS:
        raise argparse.ArgumentTypeError(f"{text!r} must end in {', '.join(IMAGE_OUTPUTS)}")
    return path


def add_pyramid_options(parser: argparse.ArgumentParser, levels: int = 1) -> None:
    """Adds ``--levels`` and ``--work``."""
    parser.add_argument(
        "--levels",
        type=positive,
        default=levels,
        help=f"coarse to fine: sizes, each half of the next; --steps at each (default {levels})",
    )
    parser.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="folder for finished levels; the same command goes on there after an interruption",
    )
