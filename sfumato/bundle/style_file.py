"""One style as one file: its row, its description and the digest of the network it belongs to."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from sfumato.bundle.network_info import check_digest
from sfumato.bundle.style_info import StyleInfo
from sfumato.errors import BundleError, StyleError, StyleFileError
from sfumato.files.atomic import write_file
from sfumato.files.file_argument import file_path, reason

STYLE_FILE_VERSION = 1
STYLE_FILE_SUFFIX = ".safetensors"
MAX_STYLE_FILE_BYTES = 1 << 20
"""Far more than any row and its card need: the row of the reference network has 13 KB."""

_NO_STYLE = "this is not a style file, as `python -m training add-style` writes"
_ROW = "row"
_METADATA = "sfumato.style"


@dataclass(frozen=True, eq=False)
class StyleFile:
    """The content of a style file.

    Attributes:
        info: the style.
        row: finite float32 [P].
        network_digest: digest of the network that the row was trained on.

    Raises:
        StyleFileError: a value of another type or shape, or not finite.
    """

    info: StyleInfo
    row: npt.NDArray[np.float32]
    network_digest: str

    def __post_init__(self) -> None:
        """Checks the values, because they often come from a file."""
        if self.row.dtype != np.float32 or self.row.ndim != 1 or not self.row.size:
            found = f"{self.row.dtype} {list(self.row.shape)}"
            raise StyleFileError(f"the row of a style must be float32 [P], not {found}")
        if not np.isfinite(self.row).all():
            raise StyleFileError(f"the row of style {self.info.id!r} holds NaN or infinity")
        try:
            check_digest(self.network_digest)
        except BundleError as error:
            raise StyleFileError(str(error)) from error


def read_style_file(path: str | Path) -> StyleFile:
    """Reads a style file.

    Raises:
        StyleFileError: the file is missing, too large, damaged or of another format version.
    """
    try:
        with file_path(path).open("rb") as file:
            data = file.read(MAX_STYLE_FILE_BYTES + 1)
    except TypeError as error:
        raise StyleFileError(f"a style file is given by {error}") from None
    except (OSError, ValueError) as error:
        raise StyleFileError(f"style file {path} cannot be read: {reason(error)}") from error
    try:
        return parse_style_file(data)
    except StyleFileError as error:
        raise StyleFileError(f"{path}: {error}") from error


def parse_style_file(data: bytes) -> StyleFile:
    """Reads the content of a style file.

    Raises:
        StyleFileError: more than MAX_STYLE_FILE_BYTES, damaged or of another format version.
    """
    if len(data) > MAX_STYLE_FILE_BYTES:
        raise StyleFileError(f"a style file has at most {MAX_STYLE_FILE_BYTES:,} bytes")
    try:
        tensors = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise StyleFileError(f"{_NO_STYLE}: not a safetensors file ({error})") from error
    metadata = _metadata(data)
    if _ROW not in tensors or _METADATA not in metadata:
        raise StyleFileError(_NO_STYLE)
    try:
        return _from_metadata(metadata[_METADATA], tensors[_ROW])
    except StyleError as error:
        raise StyleFileError(str(error)) from error


def write_style_file(path: str | Path, style: StyleFile) -> None:
    """Writes a style file, whole or not at all; an old one is replaced.

    Raises:
        StyleFileError: the card holds values that JSON cannot.
        OSError: the disk refuses.
    """
    description = {
        "format_version": STYLE_FILE_VERSION,
        "network_digest": style.network_digest,
        "style": style.info.to_json(),
    }
    try:
        text = json.dumps(description, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StyleFileError(f"the card of a style must be JSON values: {error}") from error
    row = np.ascontiguousarray(style.row)
    write_file(Path(path), safetensors.numpy.save({_ROW: row}, metadata={_METADATA: text}))


def _metadata(data: bytes) -> dict[str, str]:
    """Gives the texts of a safetensors file, which safetensors itself reads from paths only."""
    length = int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(data[8 : 8 + length])
    metadata: dict[str, str] = header.get("__metadata__") or {}
    return metadata


def _from_metadata(text: str, row: npt.NDArray[np.float32]) -> StyleFile:
    try:
        description: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StyleFileError(f"the description is not JSON ({error})") from error
    if not isinstance(description, dict):
        raise StyleFileError("the description must be an object")
    version = description.get("format_version")
    if version != STYLE_FILE_VERSION or type(version) is not int:
        raise StyleFileError(
            f"the format version is {version!r}, this program reads {STYLE_FILE_VERSION}"
        )
    info = StyleInfo.from_json(description.get("style"))
    return StyleFile(info, row, description.get("network_digest"))  # type: ignore[arg-type]
