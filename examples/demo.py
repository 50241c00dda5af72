"""The demonstration: serve a model, paint a photo in its styles, in a blend, more and less.

python -m examples.demo --help
"""

import argparse
import io
import itertools
import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from examples.contact_sheet import Picture, Row, draw_contact_sheet
from examples.local_server import CHECKOUT, local_server
from sfumato.bundle.bundle import list_versions
from sfumato.bundle.strength import PHOTOGRAPH_STYLE
from sfumato.client.client import Client
from sfumato.client.stylized_photo import StyleSummary
from sfumato.errors import SfumatoError
from sfumato.images.codec import DEFAULT_MAX_PIXELS, ImageFormat, read_size

COLUMNS = 4
MAX_STYLES = 23
BLEND_STEPS = 7
BRUSH_SIZES = (0.5, 0.6, 0.8, 1, 1.25, 1.6, 2)
BLEND_PARTNER = "van-gogh-starry-night"
NAME_WIDTH = 36


class Painter:
    """Paints one photo again and again: a file and a line of a table for each picture."""

    def __init__(self, client: Client, model: str, photo: Path, folder: Path) -> None:
        """Takes an open client, and a folder that exists."""
        self._client = client
        self._model = model
        self._photo = photo.read_bytes()
        width, height = read_size(self._photo)
        self.pixels = width * height
        self._folder = folder
        self.count = 0

    def print_heading(self) -> None:
        """Prints the first line of the table."""
        print(f"{'picture':{NAME_WIDTH}} {'pixels':>11} {'round trip':>12} {'inference':>12}")

    def paint(self, name: str, weights: Mapping[str, float], **options: Any) -> Image.Image:
        """Paints the photo, writes it as ``name``.jpg and gives the picture."""
        started = time.perf_counter()
        answer = self._client.stylize(
            self._photo,
            weights,
            **options,
            model=self._model,
            output_format=ImageFormat.JPEG,
        )
        round_trip_ms = 1000 * (time.perf_counter() - started)
        answer.save(self._folder / f"{name}.jpg")
        self.count += 1
        pixels = f"{answer.width} x {answer.height}"
        times = f"{round_trip_ms:>9.0f} ms {answer.timings.inference_ms:>9.0f} ms"
        print(f"{name + '.jpg':{NAME_WIDTH}} {pixels:>11} {times}")
        image = Image.open(io.BytesIO(answer.image))
        image.load()
        return image


def paint_styles(painter: Painter, photo: Image.Image, styles: Sequence[StyleSummary]) -> list[Row]:
    """Paints the photo in each style: the rows of the sheet, the photo itself first."""
    pictures = [Picture(photo, "The photo", f"{photo.width} x {photo.height} pixels")]
    for style in styles[:MAX_STYLES]:
        painted = painter.paint(style.id, {style.id: 1.0})
        origin = ", ".join(word for word in (style.artist, style.year) if word)
        pictures.append(Picture(painted, style.title or style.id, origin))
    heading = "One photo, one network, and a row of numbers for each painting"
    rows = max(1, round(len(pictures) / COLUMNS))
    edges = [len(pictures) * row // rows for row in range(rows + 1)]
    return [
        Row(pictures[start:end], "" if start else heading)
        for start, end in itertools.pairwise(edges)
    ]


def paint_blends(painter: Painter, first: StyleSummary, last: StyleSummary) -> Row:
    """Paints the photo on the way from one style to another: a row of the sheet."""
    pictures = []
    for step in range(BLEND_STEPS):
        share = step / (BLEND_STEPS - 1)
        painted = painter.paint(f"blend-{step}", {first.id: 1 - share, last.id: share})
        pictures.append(Picture(painted, f"{1 - share:.0%} : {share:.0%}"))
    return Row(pictures, f"From {first.title or first.id} to {last.title or last.id}")


def paint_strengths(painter: Painter, style: StyleSummary) -> Row:
    """Paints the photo ever more strongly in one style: a row of the sheet."""
    pictures = []
    for step in range(BLEND_STEPS):
        strength = step / (BLEND_STEPS - 1)
        painted = painter.paint(f"strength-{step}", {style.id: 1.0}, strength=strength)
        pictures.append(Picture(painted, f"strength {strength:.2f}"))
    return Row(pictures, f"{style.title or style.id}, from the photo to the full style")


def paint_brushes(painter: Painter, style: StyleSummary) -> Row:
    """Paints the photo with ever larger strokes: a row of the sheet.

    Without the smallest brushes for a photo that a server would find too large for them.
    """
    pictures = []
    smallest = math.sqrt(painter.pixels / DEFAULT_MAX_PIXELS)
    for brush_size in (size for size in BRUSH_SIZES if size >= smallest):
        painted = painter.paint(f"brush-{brush_size}", {style.id: 1.0}, brush_size=brush_size)
        pictures.append(Picture(painted, f"brush size {brush_size}"))
    return Row(pictures, f"{style.title or style.id}, from small strokes to large ones")


def run(options: argparse.Namespace) -> None:
    """Does the demonstration."""
    if not list_versions(options.models / options.model):
        raise SfumatoError(
            f"{options.models / options.model} holds no version of a model; name another with "
            "--models and --model, or train and export one (docs/training.md)"
        )
    out: Path = options.out
    _make_folder(out)
    print(f"starting python -m serving --models {options.models}")
    with local_server(options.models, log=out / "server.log") as server:
        print(f"ready at {server.address} after {server.start_seconds:.1f} s\n")
        with Client(server.address, wait_for_ready=False) as client:
            listed = client.list_styles(options.model)
            styles = [style for style in listed if style.id != PHOTOGRAPH_STYLE]
            painter = Painter(client, options.model, options.photo, out)
            painter.print_heading()
            rows = paint_styles(painter, _upright(options.photo), styles)
            if len(styles) > 1:
                rows.append(paint_blends(painter, styles[0], _blend_partner(styles)))
            if len(styles) < len(listed):
                rows.append(paint_strengths(painter, _blend_partner(styles)))
            rows += [paint_brushes(painter, style) for style in styles[:1]]
    print("\nthe server has stopped")
    sheet = out / "sheet.jpg"
    draw_contact_sheet(rows).save(sheet, quality=90)
    print(f"{painter.count} pictures in {out}, all of them on {sheet}")


def _upright(photo: Path) -> Image.Image:
    with Image.open(photo) as image:
        return ImageOps.exif_transpose(image)


def _blend_partner(styles: Sequence[StyleSummary]) -> StyleSummary:
    return next((style for style in styles if style.id == BLEND_PARTNER), styles[-1])


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "server.log").touch()
    except OSError as error:
        raise SfumatoError(
            f"cannot write into {folder} ({error.strerror}); name another folder with --out"
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument("--models", type=Path, default=CHECKOUT / "models", help="model folder")
    parser.add_argument("--model", default="default", help="model to paint with")
    parser.add_argument(
        "--photo", type=Path, default=CHECKOUT / "examples" / "photos" / "china.jpg"
    )
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the pictures")
    try:
        run(parser.parse_args(arguments))
    except (SfumatoError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted; the server has stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
