"""Which files a command paints, where the results go, and in which format."""

import mimetypes
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sfumato.errors import ImageError
from sfumato.images.image_format import ImageFormat, format_of_path, format_to_write
from sfumato.name_list import name_list

FORMATS: Final = "photos end in .jpg, .jpeg, .png or .webp"
_SUFFIX_OF = {ImageFormat.JPEG: ".jpg", ImageFormat.PNG: ".png", ImageFormat.WEBP: ".webp"}

# That the standard library does not know everywhere: of phones, cameras and drawing programs.
_OTHER_PICTURES: Final = frozenset(
    {".arw", ".avif", ".cr2", ".cr3", ".dng", ".exr", ".hdr", ".heic", ".heif"}
    | {".jp2", ".jxl", ".nef", ".orf", ".psd", ".raf", ".rw2", ".tga"}
)


@dataclass(frozen=True)
class Painting:
    """One photo to paint.

    Attributes:
        photo: the file to read.
        output: the file to write.
        format: the format to write.
    """

    photo: Path
    output: Path
    format: ImageFormat


def plan_photo(photo: Path, output: Path, asked: ImageFormat | None) -> Painting:
    """Plans one photo.

    Args:
        photo: the file to read.
        output: the file to write, or a directory that exists.
        asked: the format to write; None for that of the output's suffix.

    Raises:
        ImageError: the photo is missing or would be overwritten, or the suffix names no format
            that can be written, or another one than was asked for.
    """
    if not photo.is_file():
        raise ImageError(f"{photo} is neither a photo nor a folder of photos")
    if output.is_dir():
        output /= photo.with_suffix(_SUFFIX_OF[asked]).name if asked else photo.name
    if output.exists() and output.samefile(photo):
        raise ImageError(f"{output} is the photo itself; choose another output")
    if asked is None:
        return Painting(photo, output, format_to_write(output))
    if format_of_path(output) not in (None, asked):
        raise ImageError(f"{output.name} is not a name for a {asked} file; change one of the two")
    return Painting(photo, output, asked)


@dataclass(frozen=True)
class FolderPlan:
    """What becomes of the files of a folder.

    Attributes:
        paintings: the photos to paint, at least one.
        left_out: pictures in formats that are not painted, relative to the folder.
    """

    paintings: Sequence[Painting]
    left_out: Sequence[Path]


def plan_folder(folder: Path, output: Path, asked: ImageFormat | None) -> FolderPlan:
    """Plans all photos of a folder and its sub-folders, which are kept.

    Hidden files are left out, and the output folder where it lies in the folder of photos.

    Args:
        folder: where the photos are.
        output: where the results go; need not exist.
        asked: the format to write; None for that of each photo's suffix.

    Raises:
        ImageError: no photos, or the output would overwrite them.
    """
    if output.exists() and not output.is_dir():
        raise ImageError(f"{output} is a file; to paint a folder, name a folder for the results")
    if output.resolve() == folder.resolve():
        raise ImageError(f"{output} is the folder of the photos; choose another output")
    files = list(_file_names(folder, output))
    names = [name for name in files if format_of_path(name) is not None]
    left_out = [name for name in files if format_of_path(name) is None and _is_picture(name)]
    if not names:
        others = f"; there are {name_list(map(str, left_out))}" if left_out else ""
        raise ImageError(f"no photos in {folder}; {FORMATS}{others}")
    paintings = _paintings(names, folder, output, asked)
    photos = {painting.photo.resolve() for painting in paintings}
    for painting in paintings:
        if painting.output.resolve() in photos:
            raise ImageError(f"{painting.output} is one of the photos; choose another output")
    return FolderPlan(paintings, left_out)


def _paintings(
    names: Sequence[Path], folder: Path, output: Path, asked: ImageFormat | None
) -> list[Painting]:
    taken = {name for name in names if _target(name, asked)[0] == name}
    paintings = []
    for name in names:
        target, image_format = _target(name, asked)
        longer = name
        while target != name and target in taken:  # a.jpg and a.png, both to become a.png
            longer = longer.with_name(longer.name + target.suffix)
            target = longer
        taken.add(target)
        paintings.append(Painting(folder / name, output / target, image_format))
    return paintings


def _file_names(folder: Path, output: Path) -> Iterator[Path]:
    """Yields the files of a folder, sorted, also of linked sub-folders, each folder once."""
    results, photos = output.resolve(), folder.resolve()
    seen = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        real = Path(here).resolve()
        inside = results.is_relative_to(photos) and real.is_relative_to(results)
        if real in seen or inside:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(here, name)
            if not name.startswith(".") and path.is_file():
                yield path.relative_to(folder)


def _is_picture(name: Path) -> bool:
    kind, _ = mimetypes.guess_type(name.name)
    return (kind or "").startswith("image/") or name.suffix.lower() in _OTHER_PICTURES


def _target(name: Path, asked: ImageFormat | None) -> tuple[Path, ImageFormat]:
    own = format_to_write(name)
    if asked is None or asked is own:
        return name, own
    return name.with_suffix(_SUFFIX_OF[asked]), asked
