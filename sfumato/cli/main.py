"""The command line: ``sfumato stylize``, ``styles``, ``add-style``, ``health`` and more."""

import argparse
import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfumato import __version__
from sfumato.bundle.blend_weights import normalize_weights
from sfumato.bundle.strength import PHOTOGRAPH_STYLE
from sfumato.cli.option_types import add_brush_size, positive, strength, version_or_label
from sfumato.cli.painting_plan import FORMATS, Painting, plan_folder, plan_photo
from sfumato.cli.server_options import add_server_options, client_settings
from sfumato.cli.style_table import style_table
from sfumato.cli.termination import termination
from sfumato.cli.video_command import add_video
from sfumato.errors import SfumatoError
from sfumato.files.atomic import is_written_into
from sfumato.images.image_format import ImageFormat
from sfumato.name_list import name_list
from sfumato.terminal import escape_what_cannot_be_encoded, say

if TYPE_CHECKING:
    from sfumato.client.client import Client


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit status.

    0, 1 for a failure, 2 for wrong usage, 130 and 143 where Ctrl-C and SIGTERM ended it.
    """
    # gRPC prints its own view of failures that we report; set before it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    logging.basicConfig(format="sfumato: %(message)s")
    escape_what_cannot_be_encoded()
    options = _parser().parse_args(arguments)
    with termination() as ended:
        try:
            status: int = options.command(options)
        except (SfumatoError, OSError) as error:
            _complain(error)
            return 1
        except KeyboardInterrupt:
            return ended.status
    return status


def _stylize(options: argparse.Namespace) -> int:
    options.styles = normalize_weights(options.style)
    asked = None if options.format is None else ImageFormat(options.format)
    if options.photo.is_dir():
        plan = plan_folder(options.photo, options.output, asked)
        if plan.left_out:
            names = name_list(map(str, plan.left_out))
            say(f"left out, because {FORMATS}: {names}", error=True)
        return asyncio.run(_stylize_folder(plan.paintings, options))
    painting = plan_photo(options.photo, options.output, asked)
    with _client(options) as client:
        painted = client.stylize(painting.photo, **_request(painting, options))
    painting.output.parent.mkdir(parents=True, exist_ok=True)
    painted.save(painting.output)
    size = f"{painted.width} x {painted.height}"
    say(
        f"{painting.output}: {size} pixels, painted by {painted.model}/{painted.version}",
        error=is_written_into(painting.output),  # as /dev/stdout: the photo alone belongs there
    )
    return 0


async def _stylize_folder(paintings: Sequence[Painting], options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from sfumato.cli.folder_painter import paint_all
    from sfumato.client.async_client import AsyncClient

    failures: list[str] = []
    count = 0
    client = AsyncClient(**client_settings(options))
    bar = tqdm(total=len(paintings), unit="photo", disable=None)

    async def paint(painting: Painting) -> None:
        painted = await client.stylize(painting.photo, **_request(painting, options))
        painting.output.parent.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(painted.save, painting.output)

    def on_done(painting: Painting, failure: Exception | None) -> None:
        nonlocal count
        bar.update()
        if failure is None:
            count += 1
        else:
            failures.append(f"{painting.photo}: {failure}")

    try:
        async with client:
            await paint_all(paintings, paint, jobs=options.jobs, on_done=on_done)
    except SfumatoError as error:
        failures.append(str(error))
    finally:
        bar.close()
        for failure in failures:
            _complain(failure)
    say(f"{count} of {len(paintings)} photos painted into {options.output}")
    return 1 if failures else 0


def _styles(options: argparse.Namespace) -> int:
    with _client(options) as client:
        styles = client.list_styles(options.model)
    print("\n".join(style_table(styles)))
    return 0


def _add_style(options: argparse.Namespace) -> int:
    from sfumato.bundle.style_file import read_style_file

    read_style_file(options.file)  # what is no style file is told here, with its name
    with _client(options) as client:
        added = client.add_style(options.file, options.model)
    versions = ", ".join(map(str, added.versions))
    until = "" if added.stored else ", until the server stops: it cannot write its model folder"
    say(f"{added.style_id}: served by version {versions}{until}")
    return 0


def _health(options: argparse.Namespace) -> int:
    with _client(options) as client:
        healthy = client.health(options.service)
    print("serving" if healthy else "not serving")
    return 0 if healthy else 1


def _client(options: argparse.Namespace) -> "Client":
    from sfumato.client.client import Client

    return Client(**client_settings(options))


def _request(painting: Painting, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "styles": options.styles,
        "strength": options.strength,
        "brush_size": options.brush_size,
        "model": options.model,
        "version": options.version,
        "output_format": painting.format,
        "quality": options.quality,
    }


def _complain(problem: object) -> None:
    if isinstance(problem, OSError) and problem.filename and problem.strerror:
        problem = f"{problem.filename}: {problem.strerror}"
    say(str(problem), error=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sfumato", description="Paint photographs in the style of paintings."
    )
    parser.add_argument("--version", action="version", version=f"sfumato {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_stylize(commands)
    add_video(commands)
    styles = commands.add_parser(
        "styles",
        help="list the styles that a server has",
        epilog="EQUALS: iterations of the slow baseline that paint as well. STYLE LOSS: distance "
        "to the painting, lower is closer. SSIM: how much of the photo is left, 1 is all. "
        "KNOWN: in what share of the photos a classifier still finds what is in them. The "
        f"style {PHOTOGRAPH_STYLE!r} is the photo itself, which `stylize --strength` mixes in.",
    )
    styles.set_defaults(command=_styles)
    _add_model(styles, "all")
    add_server_options(styles, timeout=10.0)
    add_style = commands.add_parser(
        "add-style", help="give a running server a style that `python -m training add-style` made"
    )
    add_style.set_defaults(command=_add_style)
    add_style.add_argument("file", type=Path, help="the style file")
    _add_model(add_style)
    add_server_options(add_style, timeout=10.0)
    health = commands.add_parser("health", help="exit with status 0 if a server is serving")
    health.set_defaults(command=_health)
    health.add_argument("--service", default="", help="one service of it (default: all of it)")
    add_server_options(health, timeout=5.0)
    return parser


def _add_stylize(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "stylize",
        help="paint a photo, or every photo of a folder",
        epilog="example: sfumato stylize photo.jpg --style munch-scream=0.3 "
        "--style hokusai-great-wave=0.7 -o out.jpg",
    )
    parser.set_defaults(command=_stylize)
    parser.add_argument("photo", type=Path, help="a JPEG, PNG or WebP file, or a folder of them")
    parser.add_argument(
        "--style",
        type=_weighted_style,
        action="append",
        required=True,
        metavar="STYLE[=WEIGHT]",
        help="a style, see `sfumato styles`; several are blended by weight (default weight: 1)",
    )
    parser.add_argument(
        "--strength",
        type=strength,
        metavar="0-1",
        help="0 gives the photo, 1 the styles (default: 1)",
    )
    add_brush_size(parser)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="the file, or folder, to write"
    )
    _add_model(parser)
    parser.add_argument(
        "--version", type=version_or_label, help="version or label (default: the highest)"
    )
    parser.add_argument(
        "--format", choices=list(ImageFormat), help="format (default: by the output's suffix)"
    )
    parser.add_argument(
        "--quality", type=_quality, metavar="1-100", help="of JPEG and WebP (default: 90)"
    )
    parser.add_argument(
        "--jobs", type=positive(int), default=4, help="photos on the way at a time (default: 4)"
    )
    add_server_options(parser, timeout=60.0)


def _add_model(parser: argparse.ArgumentParser, default: str = "the server's") -> None:
    parser.add_argument("--model", default="", help=f"name of a model (default: {default})")


def _weighted_style(text: str) -> tuple[str, float]:
    style, equals, weight = text.partition("=")
    try:
        return style, float(weight) if equals else 1.0
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not STYLE or STYLE=WEIGHT") from None


def _quality(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not from 1 to 100")
    return int(text)
