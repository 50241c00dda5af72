"""Which files a command paints, where the results go, and in which format."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sfumato.errors import ImageError
from sfumato.images.image_format import ImageFormat, format_of_path, format_to_write

_SUFFIX_OF = {ImageFormat.JPEG: ".jpg", ImageFormat.PNG: ".png", ImageFormat.WEBP: ".webp"}


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


def plan_folder(folder: Path, output: Path, asked: ImageFormat | None) -> list[Painting]:
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
    names = list(_photo_names(folder, output))
    if not names:
        raise ImageError(f"no photos in {folder}; photos end in .jpg, .jpeg, .png or .webp")
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


def _photo_names(folder: Path, output: Path) -> Iterator[Path]:
    inside = output.resolve()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        if format_of_path(path) is None or hidden or not path.is_file():
            continue
        if not path.resolve().is_relative_to(inside):
            yield name


def _target(name: Path, asked: ImageFormat | None) -> tuple[Path, ImageFormat]:
    own = format_to_write(name)
    if asked is None or asked is own:
        return name, own
    return name.with_suffix(_SUFFIX_OF[asked]), asked
