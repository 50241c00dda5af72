"""``sfumato video``: paints a video frame by frame."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sfumato.cli.option_types import add_brush_size, positive, strength, version_or_label
from sfumato.cli.server_options import add_server_options, client_settings
from sfumato.errors import StyleError, VideoError
from sfumato.files.atomic import new_file
from sfumato.terminal import say
from sfumato.video.style_fade import StyleFade, StyleKey

if TYPE_CHECKING:
    from sfumato.video.reader import VideoReader

_EXAMPLE = (
    "example: sfumato video in.mp4 out.mp4 --style hokusai-great-wave@0 --style munch-scream@10s"
)

_SUFFIXES = (".mp4", ".mov", ".mkv")


def add_video(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = commands.add_parser("video", help="paint a video and keep its sound", epilog=_EXAMPLE)
    parser.set_defaults(command=_video)
    parser.add_argument("video", type=Path, help="the video to paint")
    parser.add_argument("output", type=Path, help="the file to write: .mp4, .mov or .mkv")
    parser.add_argument(
        "--style",
        type=_style_key,
        action="append",
        required=True,
        metavar="STYLE[=WEIGHT][@TIME]",
        help="a style, see `sfumato styles`; those of one TIME (10s, 50%%; default: 0) are "
        "blended by weight, and between two times one blend turns into the other",
    )
    parser.add_argument(
        "--strength", type=strength, metavar="0-1", help="0 gives the video, 1 the styles"
    )
    add_brush_size(parser)
    parser.add_argument("--model", default="", help="name of a model (default: the server's)")
    parser.add_argument(
        "--version", type=version_or_label, help="version or label (default: the highest)"
    )
    parser.add_argument(
        "--size", type=positive(int), metavar="PIXELS", help="scale down to this longest side"
    )
    parser.add_argument(
        "--start", type=positive(float), metavar="SECONDS", help="leave out the beginning"
    )
    parser.add_argument(
        "--duration", type=positive(float), metavar="SECONDS", help="paint no more than this"
    )
    parser.add_argument("--no-audio", action="store_true", help="leave the sound out")
    parser.add_argument(
        "--crf", type=_crf, default=18, metavar="0-51", help="0 is the best picture (default: 18)"
    )
    parser.add_argument(
        "--lossless", action="store_true", help="send frames as PNG (default: as JPEG)"
    )
    parser.add_argument(
        "--window", type=positive(int), help="frames on the server at a time (default: its own)"
    )
    add_server_options(parser, timeout=60.0)


def _video(options: argparse.Namespace) -> int:
    try:
        from sfumato.video.reader import VideoReader
    except ImportError as error:  # none, or one that is too old
        if not (error.name or "").startswith("av"):
            raise
        raise VideoError(
            "painting videos needs PyAV 18.1: `make video` in a checkout, else "
            "pip install 'av>=18.1'"
        ) from None
    _check_paths(options.video, options.output)
    reader = VideoReader(
        options.video, size=options.size, start=options.start, duration=options.duration
    )
    try:
        fade = StyleFade(options.style, reader.duration)
        count, lost_sound = asyncio.run(_paint(reader, fade, options))
    finally:
        reader.close()
    if any(reader.cut):
        rows, columns = reader.cut
        print(
            f"sfumato: H.264 wants even sides: {columns} column and {rows} row were cut off",
            file=sys.stderr,
        )
    if reader.unknown_sounds and not options.no_audio:
        print(
            f"sfumato: sound tracks of a kind that FFmpeg does not know: {reader.unknown_sounds} "
            "left out",
            file=sys.stderr,
        )
    told = reader.losses.told(count, lost_sound)
    if told:
        say(f"{options.video} {told}; the rest is painted", error=True)
    say(f"{options.output}: {count} {'frame' if count == 1 else 'frames'} painted")
    return 1 if told else 0


async def _paint(
    reader: "VideoReader", fade: StyleFade, options: argparse.Namespace
) -> tuple[int, float]:
    """Paints a video; gives the number of its frames, and the seconds of sound that are lost."""
    from tqdm import tqdm

    from sfumato.client.async_client import AsyncClient
    from sfumato.video.painter import VideoOrder, VideoPainter
    from sfumato.video.writer import VideoWriter

    order = VideoOrder(
        fade=fade,
        strength=options.strength,
        brush_size=options.brush_size,
        model=options.model,
        version=options.version,
        lossless=options.lossless,
        window=options.window,
        patience=options.timeout,
    )
    bar = tqdm(total=reader.frames, unit="frame", disable=None)
    try:
        async with AsyncClient(**client_settings(options)) as client:
            with new_file(options.output) as staging:
                writer = VideoWriter(staging, reader, crf=options.crf, audio=not options.no_audio)
                try:
                    painter = VideoPainter(client, reader, writer, order)
                    return await painter.paint(bar.update), writer.lost_sound
                finally:
                    writer.close()
    finally:
        bar.close()


def _check_paths(video: Path, output: Path) -> None:
    if not video.is_file():
        raise VideoError(f"{video} is not a file; name the video to paint")
    if output.is_dir():
        raise VideoError(f"{output} is a folder; name the file to write, such as painted.mp4")
    if output.suffix.lower() not in _SUFFIXES:
        raise VideoError(f"{output} is not a name for a video with H.264; use .mp4, .mov or .mkv")
    if output.exists() and output.samefile(video):
        raise VideoError(f"{output} is the video itself; name another file to write")
    output.parent.mkdir(parents=True, exist_ok=True)


def _style_key(text: str) -> StyleKey:
    try:
        return StyleKey.parse(text)
    except StyleError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _crf(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 51:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 51")
    return int(text)
