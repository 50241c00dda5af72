"""Options of ``python -m training add-style``; the docstrings are the help."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from jsonargparse import ArgumentParser

from sfumato.bundle.style_info import StyleInfo
from training.data.bounds import check_bounds
from training.ranges import check_range

TEXTS: Final = ("id", "title", "artist", "year", "licence")
"""Options that are taken as they are typed: no title is YAML."""


@dataclass(frozen=True)
class PhotoOptions:
    """The photos on which the style is learned.

    Args:
        photos: folder tree of content photos, or a list of several.
        crop_size: side of the photo crops in pixels; None for that of the network's training.
        batch_size: photos per step.
        num_workers: processes that read photos.
    """

    photos: Path | list[Path]
    crop_size: int | None = None
    batch_size: int = 4
    num_workers: int = 1

    def __post_init__(self) -> None:
        """Raises TrainingError for what is out of range."""
        if self.crop_size is not None:
            check_bounds("--data.", crop_size=self.crop_size)
        check_bounds("--data.", batch_size=self.batch_size, num_workers=self.num_workers)


@dataclass(frozen=True)
class StyleOptions:
    """How the style is learned and where it goes.

    Args:
        out: the style file to write; None for the style's id with the suffix .safetensors.
        next_version: also write the next version of the bundle, with the new style in it.
        loss_weights: the loss network that trained the network: vgg16, vgg19 or the file.
            None for the network's own notes.
        steps: how long to train.
        learning_rate: Adam's step size at its highest.
        init: start from the nearest blend of known styles, from a neutral row, from the row of a
            known style, or from that of a style file.
        style_size: shorter side of the painting in pixels; None for that of the other styles.
        style_strength: more or less painting than the other styles have; None for theirs.
        id: the style's id; None for the painting's file name.
        title: title of the painting; without it that of sources.csv beside it, or the file name.
        artist: who painted it; None for sources.csv.
        year: when; None for sources.csv.
        licence: of the reproduction; None for sources.csv.
        device: where to train.
        precision: number format, as in fit.
        seed: of the photos' order and crops.
    """

    out: Path | None = None
    next_version: bool = False
    loss_weights: str | None = None
    steps: int = 1000
    learning_rate: float = 0.02
    init: str = "nearest"
    style_size: int | None = None
    style_strength: float | None = None
    id: str | None = None
    title: str | None = None
    artist: str | None = None
    year: str | None = None
    licence: str | None = None
    device: Literal["auto", "cpu", "gpu"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises TrainingError for what is out of range."""
        check_range("--steps", self.steps, 1)
        check_range("--seed", self.seed, 0)
        check_range("--learning_rate", self.learning_rate, 0)
        if self.style_size is not None:
            check_bounds("--", style_size=self.style_size)
        if self.style_strength is not None:
            check_range("--style_strength", self.style_strength, 0)

    def describe(self, info: StyleInfo) -> StyleInfo:
        """Returns ``info`` with what the options say of the painting."""
        said = {name: getattr(self, name) for name in TEXTS}
        return replace(info, **{name: text for name, text in said.items() if text is not None})


@dataclass(frozen=True)
class AddStyleOptions:
    """The whole command line."""

    source: Path
    painting: Path
    data: PhotoOptions
    style: StyleOptions


def parse_options(arguments: Sequence[str]) -> AddStyleOptions:
    """Parses the command line. Raises SystemExit for a wrong one, and for --help."""
    parser = ArgumentParser(
        prog="python -m training add-style",
        description="Learn one painting more. The network and its styles stay as they are, to "
        "the bit; the result is a style file that a server with this network can take.",
    )
    parser.add_argument("source", type=Path, help="checkpoint of fit, or bundle, or model folder")
    parser.add_argument("painting", type=Path, help="an image file")
    parser.add_argument("--config", action="config", help="YAML file with options")
    parser.add_class_arguments(PhotoOptions, "data")
    parser.add_class_arguments(StyleOptions)
    values = parser.parse_args([_underscored(word) for word in arguments]).as_dict()
    values |= _typed(arguments)
    names = StyleOptions.__dataclass_fields__
    return AddStyleOptions(
        source=Path(values["source"]),
        painting=Path(values["painting"]),
        data=PhotoOptions(**values["data"]),
        style=StyleOptions(**{name: values[name] for name in names}),
    )


def _underscored(word: str) -> str:
    """Turns --next-version=true into --next_version=true: either spelling of an option works."""
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def _typed(arguments: Sequence[str]) -> dict[str, str]:
    """Returns the texts as they were typed: the parser takes the title ``null`` for none."""
    options = {f"--{name}": name for name in TEXTS}
    typed = {options[a]: b for a, b in itertools.pairwise(arguments) if a in options}
    for word in arguments:
        option, equals, text = word.partition("=")
        if equals and option in options:
            typed[options[option]] = text
    return typed
