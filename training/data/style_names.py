"""Which paintings of a folder are wanted, by the names of their files or by the ids of styles."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import get_loader

from training.data.image_folder import ImageFolder
from training.data.style_ids import style_id
from training.errors import TrainingError

StyleName = str | int | float | bool | None
"""A painting's name as YAML reads it: of 2 it makes a number, of no the value false."""


def composed(text: str) -> str:
    """Returns a file's name as Linux and Windows store it; a Mac takes accents apart."""
    return unicodedata.normalize("NFC", text)


def choose(found: ImageFolder, names: Sequence[StyleName]) -> list[Path]:
    """Returns the paintings called ``names``, in that order.

    A name is a file's name with or without its suffix and its folder, or the id of its style.

    Raises:
        TrainingError: no painting has the name, several have it, or one is named twice.
    """
    chosen: list[Path] = []
    for name in names:
        files = _called(found, name)
        if not files:
            raise _absent(found, name)
        if len(files) > 1:
            raise TrainingError(
                f"painting {name!r} may be {str(files[0])!r} or {str(files[1])!r}: give the name "
                "with folder and suffix, or rename one of them"
            )
        if files[0] in chosen:
            raise TrainingError(f"style_names has {str(files[0])!r} twice: leave one out")
        chosen += files
    return chosen


def paintings_of(found: ImageFolder, ids: Sequence[str]) -> dict[str, Path]:
    """Returns the painting of each style of ``ids``; other files are left alone.

    Raises:
        TrainingError: a style has no painting, or several.
    """
    paintings: dict[str, Path] = {}
    for file in found.files:
        style = style_id(file)
        if style in ids and paintings.setdefault(style, file) != file:
            raise TrainingError(
                f"{str(paintings[style])!r} and {str(file)!r} may both be the painting of style "
                f"{style!r}: take one of them away, or rename it"
            )
    if missing := [style for style in ids if style not in paintings]:
        raise TrainingError(
            f"no painting for {', '.join(missing)} in {str(found.folder)!r}: the file of a style "
            f"is called like its id, as it was for the training{_left_out(found)}"
        )
    return {style: paintings[style] for style in ids}


def _called(found: ImageFolder, name: StyleName) -> list[Path]:
    if not isinstance(name, str):
        return [file for file in found.files if _is_read_as(file.stem, name)]
    wanted = composed(name)
    paths = {file: _path(found, file) for file in found.files}
    whole = [file for file, path in paths.items() if path == wanted]
    parts = [
        file
        for file, path in paths.items()
        if wanted in (composed(file.name), composed(file.stem), path.removesuffix(file.suffix))
    ]
    return whole or parts or [file for file in found.files if style_id(file) == wanted]


def _path(found: ImageFolder, file: Path) -> str:
    return composed(file.relative_to(found.folder).as_posix())


def _is_read_as(text: str, value: StyleName) -> bool:
    try:
        read = get_loader("yaml")(text)
    except Exception:  # text that is no YAML, of which there are many kinds
        return False
    return type(read) is type(value) and bool(read == value)


def _absent(found: ImageFolder, name: StyleName) -> TrainingError:
    known = [_path(found, file).removesuffix(file.suffix) for file in found.files]
    quotes = "" if isinstance(name, str) else ", and write the name in quotes, '[\"NAME\"]'"
    return TrainingError(
        f"no painting {name!r} in {str(found.folder)!r}: choose from {known}{quotes}"
        f"{_left_out(found)}"
    )


def _left_out(found: ImageFolder) -> str:
    said = found.says_what_was_left_out()
    return f" ({said})" if said else ""
