"""``python -m training optimize TECHNIQUE``: the table of techniques."""

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from training.optimize.technique import Technique

TECHNIQUES: Final[dict[str, tuple[str, str]]] = {
    "style": ("StyleTransfer", "a photo in the style of paintings (Gatys 2016)"),
    "texture": ("TextureSynthesis", "a new texture like a given one (Gatys 2015)"),
    "invert": (
        "FeatureInversion",
        "an image from its features alone (Mahendran and Vedaldi 2015)",
    ),
    "dream": ("DeepDream", "DeepDream: more of what a layer sees (Mordvintsev 2015)"),
    "class": ("ClassModel", "what a classifier takes for a class (Simonyan 2014)"),
    "feature": (
        "FeatureVisualization",
        "what a neuron, channel or direction answers to (Olah 2017)",
    ),
    "grid": ("StyleGrid", "style transfers over layers × weights (Gatys 2016, figure 3)"),
    "doodle": ("Doodle", "a painting of a new map of regions (Champandard 2016)"),
}
"""Name on the command line → class that ``training`` has, summary."""

_WRONG_USAGE = 2


def main(arguments: Sequence[str]) -> None:
    """Runs ``optimize`` with command-line ``arguments``."""
    parser = build_parser(arguments[0] if arguments else None)
    if not arguments:
        parser.print_help()
        raise SystemExit(_WRONG_USAGE)
    options = parser.parse_args(arguments)
    options.technique.of(options).run()


def build_parser(technique: str | None) -> argparse.ArgumentParser:
    """Returns the parser; only ``technique`` is imported, so that --help is quick."""
    parser = argparse.ArgumentParser(
        prog="python -m training optimize",
        description="Optimize one image. Slow, needs no training, and shows what losses see.",
    )
    subparsers = parser.add_subparsers(metavar="TECHNIQUE", required=True)
    for name, (home, summary) in TECHNIQUES.items():
        if name != technique:
            subparsers.add_parser(name, help=summary)
            continue
        options: type[Technique] = getattr(import_module("training"), home)
        one = subparsers.add_parser(name, help=summary, description=options.description())
        options.add_to(one)
        one.set_defaults(technique=options)
    return parser
