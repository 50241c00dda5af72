"""Types of options on the command line."""

import argparse
import math
from collections.abc import Callable
from typing import TypeVar

from sfumato.bundle.strength import checked_strength
from sfumato.errors import ImageError, StyleError
from sfumato.images.brush_size import checked_brush_size

_Number = TypeVar("_Number", int, float)


def positive(kind: type[_Number]) -> Callable[[str], _Number]:
    """Gives a type for argparse: numbers above zero, not infinity."""

    def parse(text: str) -> _Number:
        number = kind(text)
        if not 0 < number < math.inf:
            raise argparse.ArgumentTypeError(f"{text} is not a positive number")
        return number

    parse.__name__ = kind.__name__  # argparse names it where a value is no number at all
    return parse


def strength(text: str) -> float:
    """Reads the strength of a style, for argparse."""
    try:
        return checked_strength(float(text))
    except (ValueError, StyleError):
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1") from None


def add_brush_size(parser: argparse.ArgumentParser) -> None:
    """Adds the option ``--brush-size``."""
    parser.add_argument(
        "--brush-size",
        type=_brush_size,
        metavar="0.5-2",
        help="size of the strokes (default: 1, as the model has learned them)",
    )


def _brush_size(text: str) -> float:
    try:
        return checked_brush_size(float(text))
    except (ValueError, ImageError):
        raise argparse.ArgumentTypeError(f"{text} is not from 0.5 to 2") from None


def version_or_label(text: str) -> int | str:
    """Reads a number as a version of a model, and other words as a label of one, for argparse."""
    return positive(int)(text) if text.removeprefix("-").isdecimal() else text
