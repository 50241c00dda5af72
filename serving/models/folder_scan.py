"""What lies in the model folder, told by names and stamps: cheap enough to look twice a second."""

import errno
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sfumato.bundle.bundle import list_versions
from sfumato.bundle.manifest import MANIFEST_FILE, MODEL_FILE, MODEL_FILE_FLOAT16, STYLES_FILE
from sfumato.bundle.style_file import STYLE_FILE_SUFFIX

Stamp = tuple[int, int, int, int]
"""Inode, size, and times of the last change of content and of owner or mode, in nanoseconds."""


def stamp(path: Path) -> Stamp | None:
    """Gives the stamp of a file; None if there is none that can be reached.

    What is no regular file is as good as none: a pipe would keep its reader waiting for ever.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return stamp_of(status)


def stamp_of(status: os.stat_result) -> Stamp:
    """Gives the stamp of a file that has this status."""
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


LABELS_FILE: Final = "labels.json"
STYLES_FOLDER: Final = "styles"

BundleStamp = tuple[Stamp | None, ...]
"""Stamps of the files of a bundle, of the manifest first; None for what is not there."""

_BUNDLE_FILES: Final = (MANIFEST_FILE, MODEL_FILE, MODEL_FILE_FLOAT16, STYLES_FILE)


@dataclass(frozen=True)
class ModelScan:
    """What lies in the folder of one model.

    Attributes:
        versions: stamps of the bundles, by version.
        styles: stamps of the style files, by name, in alphabetical order; None if their folder
            is there but cannot be read.
        labels: stamp of the file with the version labels, if there is one.
        trouble: why the folder of the style files cannot be read; empty if it can.
    """

    versions: Mapping[int, BundleStamp] = field(default_factory=dict)
    styles: Mapping[str, Stamp] | None = field(default_factory=dict)
    labels: Stamp | None = None
    trouble: str = ""


@dataclass(frozen=True)
class FolderScan:
    """What lies in the model folder.

    Attributes:
        models: what there is of each model, by name.
        unreadable: why a folder could not be read, by name.
    """

    models: Mapping[str, ModelScan]
    unreadable: Mapping[str, str]


def scan_folder(root: Path) -> FolderScan:
    """Looks at all models. Raises OSError if ``root`` cannot be read."""
    models, unreadable = {}, {}
    for folder in sorted(root.iterdir()):
        if not _can_be_a_name(folder.name):
            continue
        try:
            scan = scan_model(folder)
        except OSError as error:
            unreadable[folder.name] = _reason(error)
        else:
            if scan.versions:
                models[folder.name] = scan
    return FolderScan(models, unreadable)


def scan_model(folder: Path) -> ModelScan:
    """Looks at one model. Raises OSError if its folder cannot be read."""
    versions = {version: scan_bundle(folder / str(version)) for version in list_versions(folder)}
    if not versions:
        return ModelScan()
    labels = stamp(folder / LABELS_FILE)
    try:
        return ModelScan(versions, _scan_styles(folder / STYLES_FOLDER), labels)
    except OSError as error:
        return ModelScan(versions, None, labels, _reason(error))


def scan_bundle(folder: Path) -> BundleStamp:
    """Looks at one bundle."""
    return tuple(stamp(folder / name) for name in _BUNDLE_FILES)


def _scan_styles(folder: Path) -> dict[str, Stamp]:
    """Looks at the style files. Raises OSError if their folder is there but cannot be read."""
    try:
        names = sorted(entry.name for entry in folder.iterdir() if _is_style(entry.name))
    except FileNotFoundError:  # most models have no such folder
        return {}
    if not os.access(folder, os.X_OK):  # its names can be listed, and no file be reached
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    stamps = {name: stamp(folder / name) for name in names}
    return {name: found for name, found in stamps.items() if found is not None}


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _is_style(name: str) -> bool:
    return name.endswith(STYLE_FILE_SUFFIX) and _can_be_a_name(name)


def _can_be_a_name(name: str) -> bool:
    """Whether a name is no temporary one, and text that messages can carry."""
    return not name.startswith(".") and name.isprintable()
