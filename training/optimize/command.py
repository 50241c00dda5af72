"""``python -m training optimize TECHNIQUE``: the table of techniques."""

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from training.optimize.options import add_loss_network_option, add_shared_options

__all__ = ["TECHNIQUES", "add_loss_network_option", "add_shared_options", "main"]

TECHNIQUES: Final[dict[str, tuple[str, str]]] = {
    "style": ("baselines.style", "a photo in the style of paintings (Gatys 2016)"),
    "texture": ("baselines.texture", "a new texture like a given one (Gatys 2015)"),
    "invert": ("baselines.invert", "an image from its features alone (Mahendran and Vedaldi 2015)"),
    "dream": ("visualization.dream", "DeepDream: more of what a layer sees (Mordvintsev 2015)"),
    "class": ("visualization.class_model", "what a classifier takes for a class (Simonyan 2014)"),
    "feature": (
        "visualization.feature",
        "what a neuron, channel or direction answers to (Olah 2017)",
    ),
    "grid": ("baselines.grid", "style transfers over layers × weights (Gatys 2016, figure 3)"),
    "doodle": ("baselines.doodle", "a painting of a new map of regions (Champandard 2016)"),
}
"""Name on the command line → module in ``training``, summary."""

_WRONG_USAGE = 2


def main(arguments: Sequence[str]) -> None:
    """Runs ``optimize`` with command-line ``arguments``."""
    parser = build_parser(arguments[0] if arguments else None)
    if not arguments:
        parser.print_help()
        raise SystemExit(_WRONG_USAGE)
    options = parser.parse_args(arguments)
    from training.optimize.failures import OptimizationError
    from training.optimize.picture_file import keep_last_good
    from training.output_place import prepare_file, prepare_folder

    prepare_file(options.out)
    for folder in (options.frames, getattr(options, "work", None)):
        if folder is not None:
            prepare_folder(folder)
    try:
        options.run(options)
    except OptimizationError as error:
        keep_last_good(error, options.out)


def build_parser(technique: str | None) -> argparse.ArgumentParser:
    """Returns the parser; only ``technique`` is imported, so that --help is quick."""
    parser = argparse.ArgumentParser(
        prog="python -m training optimize",
        description="Optimize one image. Slow, needs no training, and shows what losses see.",
    )
    subparsers = parser.add_subparsers(metavar="TECHNIQUE", required=True)
    for name, (module, summary) in TECHNIQUES.items():
        if name == technique:
            import_module(f"training.{module}").add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=summary)
    return parser
