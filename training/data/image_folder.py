"""The image files of a folder tree."""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from training.data.image_file import IMAGE_SUFFIXES, UNREADABLE_SUFFIXES
from training.errors import TrainingError

_NAMED: Final = 5

_LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageFolder:
    """What was found below a folder.

    Attributes:
        folder: where was looked.
        files: the image files, sorted.
        left_out: pictures in formats that are not read, and what is called like an image but is
            no file, such as a link that leads nowhere.
    """

    folder: Path
    files: tuple[Path, ...]
    left_out: tuple[Path, ...]

    def says_what_was_left_out(self) -> str:
        """Returns a text that names some of it; "" if nothing was left out."""
        names = [str(path.relative_to(self.folder)) for path in self.left_out]
        if not names:
            return ""
        more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
        return (
            f"left out in {str(self.folder)!r}, in a format that is not read or no file: "
            f"{', '.join([*names[:_NAMED], *more])}; convert what you need to JPEG or PNG"
        )


def look_through(folder: Path) -> ImageFolder:
    """Finds the images of a folder and of its sub-folders, linked ones among them.

    What is hidden is left alone, as are the files ``._NAME`` that a Mac puts beside its own.

    Raises:
        TrainingError: no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise TrainingError(f"{str(folder)!r} is no folder: give a folder of photos or paintings")
    files, left_out = [], []
    for path in sorted(_files(folder)):
        suffix = path.suffix.lower()
        if suffix in IMAGE_SUFFIXES and path.is_file():
            files.append(path)
        elif suffix in IMAGE_SUFFIXES | UNREADABLE_SUFFIXES:
            left_out.append(path)
    found = ImageFolder(folder, tuple(files), tuple(left_out))
    if not files:
        said = found.says_what_was_left_out()
        raise TrainingError(
            f"no image below {str(folder)!r}: put files ending in "
            f"{', '.join(sorted(IMAGE_SUFFIXES))} there" + (f" ({said})" if said else "")
        )
    return found


def find_images(folder: Path) -> list[Path]:
    """Returns every image file below ``folder``, sorted; warns of what was left out.

    Raises:
        TrainingError: no such folder, or no image in it.
    """
    found = look_through(folder)
    if said := found.says_what_was_left_out():
        _LOGGER.warning(said)
    return list(found.files)


def _files(folder: Path) -> Iterator[Path]:
    """Yields what is no folder; it looks into each folder once, whatever links lead there."""
    seen: set[tuple[int, int]] = set()
    starts = [folder]
    for start in starts:  # grows: links come last, so that a folder is found where it really is
        for name, folders, files in os.walk(start, onerror=_warn):
            stat = Path(name).stat()
            if (stat.st_dev, stat.st_ino) in seen:
                folders.clear()
                continue
            seen.add((stat.st_dev, stat.st_ino))
            folders[:] = sorted(each for each in folders if not each.startswith("."))
            starts += [path for each in folders if (path := Path(name, each)).is_symlink()]
            yield from (Path(name, each) for each in files if not each.startswith("."))


def _warn(error: OSError) -> None:
    _LOGGER.warning("folder %r is left out: %s", error.filename, error.strerror)
