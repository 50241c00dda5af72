"""Paintings: the style images of a folder and what is known about them."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from torch import Tensor

from sfumato.errors import ImageError
from sfumato.style_info import StyleInfo
from training.data.image_file import read_image
from training.data.photos import find_images, resize_short_side
from training.errors import TrainingError

METADATA_FILE: Final = "sources.csv"
"""Optional, beside the paintings; columns file, title, artist, year, licence."""


@dataclass(frozen=True)
class Painting:
    """One style to learn: what is known of it and its image [3, h, w] in [0, 1]."""

    info: StyleInfo
    image: Tensor


def load_paintings(
    folder: Path, style_size: int, names: Sequence[str] | None = None
) -> list[Painting]:
    """Loads the paintings of a folder, aspect ratio kept, shorter side ``style_size``.

    Args:
        folder: images, and perhaps ``sources.csv``.
        style_size: shorter side in pixels; it decides how large the strokes come out.
        names: file names without suffix, in the order wanted; all files by name if None.

    Raises:
        TrainingError: the folder has no image, lacks one of ``names``, or an image is unreadable.
    """
    files = {file.stem: file for file in find_images(folder)}
    for name in names or ():
        if name not in files:
            raise TrainingError(f"no painting {name!r} in {str(folder)!r}: it has {sorted(files)}")
    metadata = read_metadata(folder / METADATA_FILE)
    paintings = [
        Painting(
            style_info(files[name], metadata.get(files[name].name, {})),
            load_painting(files[name], style_size),
        )
        for name in names or files
    ]
    ids = [painting.info.id for painting in paintings]
    if twice := {style_id for style_id in ids if ids.count(style_id) > 1}:
        raise TrainingError(f"several paintings would be style {twice.pop()!r}: rename all but one")
    return paintings


def style_info(file: Path, columns: dict[str, str]) -> StyleInfo:
    """Describes a painting by its file's name and by its row of the metadata file."""
    style_id = re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-")
    licence = next((v for k, v in columns.items() if k and k.startswith("licence")), "")
    return StyleInfo(
        id=style_id,
        title=columns.get("title") or file.stem.replace("-", " ").replace("_", " "),
        artist=columns.get("artist") or "",
        year=columns.get("year") or "",
        licence=licence or "",
    )


def read_metadata(path: Path) -> dict[str, dict[str, str]]:
    """Returns the rows of a metadata file by the name of the painting's file; {} without one.

    Raises:
        TrainingError: no CSV file with a column ``file``.
    """
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return {row["file"]: row for row in csv.DictReader(file)}
    except (KeyError, csv.Error, UnicodeDecodeError) as error:
        raise TrainingError(
            f"{str(path)!r} does not describe paintings: it must be a CSV file in UTF-8 with the "
            "columns file, title, artist, year and licence"
        ) from error


def load_painting(file: Path, style_size: int) -> Tensor:
    """Returns a painting [3, h, w] in [0, 1], aspect ratio kept, shorter side ``style_size``.

    Raises:
        TrainingError: the file is missing or no image.
    """
    try:
        return resize_short_side(read_image(file), style_size)
    except (ImageError, OSError) as error:
        raise TrainingError(
            f"painting {str(file)!r} cannot be read ({error}): mend or remove it"
        ) from error
