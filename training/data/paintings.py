"""Paintings: the style images of a folder and what is known about them."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from torch import Tensor

from sfumato.bundle.style_info import StyleInfo
from sfumato.errors import ImageError
from training.data.image_file import read_image
from training.data.image_folder import find_images, look_through
from training.data.photos import resize_short_side
from training.data.style_ids import style_id_or_error
from training.data.style_names import StyleName, choose, composed
from training.errors import TrainingError

METADATA_FILE: Final = "sources.csv"
"""Optional, beside the paintings; columns file, title, artist, year, licence."""

LONGEST: Final = 32
"""Times the shorter side: what is longer would take gigabytes once its shorter side is enlarged."""


@dataclass(frozen=True)
class Painting:
    """One style to learn: what is known of it and its image [3, h, w] in [0, 1]."""

    info: StyleInfo
    image: Tensor


def load_paintings(
    folder: Path, style_size: int, names: Sequence[StyleName] | None = None
) -> list[Painting]:
    """Loads the paintings of a folder, aspect ratio kept, shorter side ``style_size``.

    Args:
        folder: images, and perhaps ``sources.csv``.
        style_size: shorter side in pixels; it decides how large the strokes come out.
        names: which, in the order wanted (see ``choose``); all files by name if None.

    Raises:
        TrainingError: the folder has no image, lacks one of ``names``, two paintings would be one
            style, or an image is unreadable.
    """
    files = find_images(folder) if names is None else choose(look_through(folder), names)
    by_id: dict[str, Path] = {}
    for file in files:
        style = style_id_or_error(file, "rename it")
        if (other := by_id.setdefault(style, file)) is not file:
            raise TrainingError(
                f"{str(other)!r} and {str(file)!r} would both be style {style!r}: rename one of "
                "them, or name the paintings wanted in style_names"
            )
    metadata = read_metadata(folder / METADATA_FILE)
    return [
        Painting(
            style_info(file, metadata.get(composed(file.name), {})),
            load_painting(file, style_size),
        )
        for file in files
    ]


def style_info(
    file: Path, columns: dict[str, str], style: str | None = None, advice: str = "rename it"
) -> StyleInfo:
    """Describes a painting by its file's name and by its row of the metadata file.

    Args:
        file: the painting.
        columns: its row.
        style: the id that somebody chose; None for one made of the file's name.
        advice: what to do about a name that makes no id.

    Raises:
        TrainingError: there is no ``style``, and the name makes none.
    """
    licence = next((v for k, v in columns.items() if k and k.startswith("licence")), "")
    stem = composed(file.stem).encode(errors="replace").decode()
    return StyleInfo(
        id=style or style_id_or_error(file, advice),
        title=columns.get("title") or stem.replace("-", " ").replace("_", " "),
        artist=columns.get("artist") or "",
        year=columns.get("year") or "",
        licence=licence or "",
    )


def read_metadata(path: Path) -> dict[str, dict[str, str]]:
    """Returns the rows of a metadata file by the name of the painting's file; {} without one.

    Raises:
        TrainingError: no CSV file with a column ``file``, or one that describes a file twice.
    """
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [(composed(row["file"] or ""), row) for row in csv.DictReader(file)]
    except (KeyError, csv.Error, UnicodeDecodeError) as error:
        raise TrainingError(
            f"{str(path)!r} does not describe paintings: it must be a CSV file in UTF-8 with the "
            "columns file, title, artist, year and licence"
        ) from error
    described = {name: row for name, row in rows if name}
    for name in described:
        if sum(name == other for other, _ in rows) > 1:
            raise TrainingError(f"{str(path)!r} describes {name!r} twice: leave one row out")
    return described


def load_painting(file: Path, style_size: int) -> Tensor:
    """Returns a painting [3, h, w] in [0, 1], aspect ratio kept, shorter side ``style_size``.

    Raises:
        TrainingError: the file is missing, no image, or a banner.
    """
    try:
        image = read_image(file)
    except (ImageError, OSError) as error:
        raise TrainingError(
            f"painting {str(file)!r} cannot be read ({error}): mend or remove it"
        ) from error
    height, width = image.shape[-2:]
    if max(height, width) > LONGEST * min(height, width):
        raise TrainingError(
            f"painting {str(file)!r} has {width} × {height} pixels: cut out a part whose longer "
            f"side is at most {LONGEST} times the shorter"
        )
    return resize_short_side(image, style_size)
