"""Options of ``python -m training add-style``; the docstrings are the help."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

import yaml

from sfumato.bundle.style_info import StyleInfo
from training.data.bounds import check_bounds
from training.errors import TrainingError
from training.options import Options
from training.ranges import check_range

PROG: Final = "python -m training add-style"

TEXTS: Final = ("id", "title", "artist", "year", "licence")
"""What the options can say of the painting."""


def folders(text: str) -> tuple[Path, ...]:
    """Reads a folder, or several in brackets, as ``fit`` does: ``[DIR1, DIR2]``."""
    if text.startswith("[") and text.endswith("]"):
        return tuple(Path(part.strip(" '\"")) for part in text[1:-1].split(","))
    return (Path(text),)


@dataclass(frozen=True, kw_only=True)
class AddStyleOptions(Options):
    """Learn one painting more.

    The network and its styles stay as they are, to the bit; the result is a style file that a
    server with this network can take.

    Args:
        source: checkpoint of fit, or bundle, or model folder
        painting: an image file
        photos: folder tree of content photos, or several: '[DIR1, DIR2]'
        crop_size: side of the photo crops in pixels (default: that of the network's training)
        batch_size: photos per step
        num_workers: processes that read photos
        out: the style file to write (default: the style's id with the suffix .safetensors)
        next_version: also write the next version of the bundle, with the new style in it
        loss_weights: the loss network that trained the network: vgg16, vgg19 or the file
            (default: what the network's own notes say)
        steps: how long to train
        learning_rate: Adam's step size at its highest
        init: start from the nearest blend of known styles, from a neutral row, from the row of a
            known style, or from that of a style file
        style_size: shorter side of the painting in pixels (default: that of the other styles)
        style_strength: more or less painting than the other styles have (default: theirs)
        id: the style's id (default: of the painting's file name)
        title: title of the painting (default: that of sources.csv beside it, or the file name)
        artist: who painted it (default: sources.csv)
        year: when (default: sources.csv)
        licence: of the reproduction (default: sources.csv)
        device: cpu, cuda, cuda:1, mps; auto takes a GPU if there is one
        precision: number format, as in fit
        seed: of the photos' order and crops
    """

    source: Path
    painting: Path
    photos: Annotated[tuple[Path, ...], folders, "DIR"]
    crop_size: Annotated[int | None, "PIXELS"] = None
    batch_size: Annotated[int, "N"] = 4
    num_workers: Annotated[int, "N"] = 1
    out: Annotated[Path | None, "FILE"] = None
    next_version: bool = False
    loss_weights: Annotated[str | None, "FILE"] = None
    steps: Annotated[int, "N"] = 1000
    learning_rate: Annotated[float, "RATE"] = 0.02
    init: Annotated[str, "START"] = "nearest"
    style_size: Annotated[int | None, "PIXELS"] = None
    style_strength: Annotated[float | None, "STRENGTH"] = None
    id: str | None = None
    title: str | None = None
    artist: str | None = None
    year: str | None = None
    licence: str | None = None
    device: str = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    seed: int = 0

    positional: ClassVar = ("source", "painting")

    def __post_init__(self) -> None:
        """Raises TrainingError for what is out of range."""
        super().__post_init__()
        check_range("--steps", self.steps, 1)
        check_range("--seed", self.seed, 0)
        check_range("--learning-rate", self.learning_rate, 0)
        if self.style_strength is not None:
            check_range("--style-strength", self.style_strength, 0)
        sizes = {"crop_size": self.crop_size, "style_size": self.style_size}
        check_bounds("--", **{name: size for name, size in sizes.items() if size is not None})
        check_bounds("--", batch_size=self.batch_size, num_workers=self.num_workers)

    def describe(self, info: StyleInfo) -> StyleInfo:
        """Returns ``info`` with what the options say of the painting."""
        said = {name: getattr(self, name) for name in TEXTS}
        return replace(info, **{name: text for name, text in said.items() if text is not None})


def parse_options(arguments: Sequence[str]) -> AddStyleOptions:
    """Parses the command line. Raises SystemExit for a wrong one, and for --help."""
    config = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    config.add_argument("--config", type=Path, help="YAML file with options")
    file, words = config.parse_known_args(arguments)
    if file.config is not None:
        words = [*_words_of(_read_config(file.config)), *words]
    parser = AddStyleOptions.parser(PROG, parents=[config])
    return AddStyleOptions.of(parser.parse_args(todays(words)))


def _read_config(file: Path) -> Mapping[str, Any]:
    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError):
        read = None
    if not isinstance(read, Mapping):
        raise TrainingError(f"--config {str(file)!r} must be YAML: a line `name: value` an option")
    return read


def _words_of(config: Mapping[str, Any]) -> Iterator[str]:
    """Gives the words of a command line that says the same as a configuration file."""
    for name, value in config.items():
        if name == "data":  # as in a file for fit
            yield from _words_of(value)
        elif value is True:
            yield f"--{name.replace('_', '-')}"
        elif value is not None and value is not False:
            yield f"--{name.replace('_', '-')}={value}"


def todays(arguments: Sequence[str]) -> list[str]:
    """Returns a command line without the spellings of the version before; each gets a hint."""
    words: list[str] = []
    for old in arguments:
        name, equals, value = old.partition("=")
        new = name.replace("--data.", "--").replace("_", "-") if name.startswith("--") else name
        if new != name:
            _hint(name, new)
        apart = equals and new in ("--next-version", "--device")
        for word in (new, value) if apart else (f"{new}{equals}{value}",):
            if words[-1:] == ["--next-version"] and word in ("true", "false"):
                _hint(f"--next-version {word}", "--next-version or nothing")
                words = words[:-1] if word == "false" else words
            elif words[-1:] == ["--device"] and word == "gpu":
                _hint("--device gpu", "--device cuda")
                words.append("cuda")
            else:
                words.append(word)
    return words


def _hint(old: str, new: str) -> None:
    print(f"{PROG}: {old} is now {new}; the next version takes that only", file=sys.stderr)
