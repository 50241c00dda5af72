"""The bundle that training hands to serving: a directory with a network and its styles.

<version>/model.onnx           image uint8 [N,H,W,3], style float32 [N,P] -> stylized uint8
<version>/model.float16.onnx   the same in half precision, for GPUs; may be absent
<version>/model.int8.onnx      the same with convolutions in int8, for CPUs; may be absent
<version>/styles.safetensors   one float32 [P] row per style id
<version>/bundle.json          see ``sfumato.bundle.manifest``
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from sfumato.bundle.manifest import (
    MANIFEST_FILE,
    MODEL_FILE,
    MODEL_FILE_FLOAT16,
    MODEL_FILE_INT8,
    STYLES_FILE,
    Manifest,
)
from sfumato.bundle.network_info import NetworkInfo
from sfumato.bundle.style_bank import StyleBank
from sfumato.bundle.style_info import StyleInfo
from sfumato.errors import BundleError, StyleError
from sfumato.files.atomic import new_directory, write_durably
from sfumato.files.file_argument import file_path
from sfumato.files.regular_file import open_regular

_VERSION = re.compile(r"[1-9][0-9]{0,9}")
_LARGEST_MANIFEST = 1 << 24  # bytes; a style takes about a thousand


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle whose files have been checked.

    Attributes:
        path: its directory.
        network: the network that it holds.
        styles: the styles, in the order in which they were trained.
        rows: float32 [S, P], finite, read-only, one row per style.
        training: conventions of the training (layers, weights, sizes, steps), any JSON object.
        files: SHA-256 of each file but the manifest, in hexadecimal, by name.
    """

    path: Path
    network: NetworkInfo
    styles: tuple[StyleInfo, ...]
    rows: npt.NDArray[np.float32]
    training: Mapping[str, Any]
    files: Mapping[str, str]

    @property
    def model_path(self) -> Path:
        """The ONNX file in float32."""
        return self.path / MODEL_FILE

    @property
    def float16_path(self) -> Path | None:
        """The ONNX file in float16, if the bundle has one."""
        return self.path / MODEL_FILE_FLOAT16 if MODEL_FILE_FLOAT16 in self.files else None

    @property
    def int8_path(self) -> Path | None:
        """The ONNX file in int8, if the bundle has one."""
        return self.path / MODEL_FILE_INT8 if MODEL_FILE_INT8 in self.files else None

    @cached_property
    def bank(self) -> StyleBank:
        """The styles and rows as a bank."""
        return StyleBank(self.styles, self.rows, self.network.digest)


def read_bundle(version_dir: str | Path) -> Bundle:
    """Reads a bundle and checks all of it but the graph inside the ONNX files.

    Raises:
        BundleError: a file is missing or differs from its SHA-256, the manifest is not one of
            this format version, or the rows do not fit the manifest or are not finite.
    """
    path = _path(version_dir)
    try:
        return _read(path)
    except BundleError as error:
        raise BundleError(f"bundle {version_dir}: {error}") from error


def read_latest_bundle(path: str | Path) -> Bundle:
    """Reads the bundle ``path``, or the highest version of the model folder ``path``.

    Raises:
        BundleError: see ``read_bundle``.
    """
    versions = list_versions(folder := _path(path))
    return read_bundle(folder / str(versions[-1]) if versions else folder)


def write_bundle(
    version_dir: str | Path,
    *,
    network: NetworkInfo,
    styles: Sequence[StyleInfo],
    rows: npt.NDArray[np.float32],
    training: Mapping[str, Any],
    model: bytes | str | Path,
    model_float16: bytes | str | Path | None = None,
    model_int8: bytes | str | Path | None = None,
) -> Bundle:
    """Writes a bundle, whole or not at all.

    Args:
        version_dir: the directory to make; there must be nothing there yet.
        network: the network that the bundle holds.
        styles: S styles, at least one, no id twice.
        rows: finite float32 [S, P], in the order of ``styles``.
        training: how it was trained, any JSON object.
        model: the ONNX file in float32, or where it lies.
        model_float16: the same in float16, if there is one.
        model_int8: the same with convolutions in int8, if there is one.

    Returns:
        The bundle as read back from the disk.

    Raises:
        BundleError: ``version_dir`` exists, or the arguments do not make a valid bundle.
        OSError: the disk refuses.
    """
    bank = _checked_bank(styles, rows, network)
    styles_bytes = safetensors.numpy.save({style: bank.row(style) for style in bank.ids})
    try:
        with new_directory(Path(version_dir)) as staging:
            files = {STYLES_FILE: _store(staging / STYLES_FILE, styles_bytes)}
            networks = {
                MODEL_FILE: model,
                MODEL_FILE_FLOAT16: model_float16,
                MODEL_FILE_INT8: model_int8,
            }
            for name, source in networks.items():
                if source is not None:
                    files[name] = _store(staging / name, source)
            manifest = Manifest(network, tuple(styles), training, files)
            write_durably(staging / MANIFEST_FILE, manifest.to_text().encode())
            bundle = read_bundle(staging)
    except FileExistsError as error:
        raise BundleError(f"{error}; a version is never overwritten, take the next") from error
    return replace(bundle, path=Path(version_dir))


def list_versions(model_dir: str | Path) -> list[int]:
    """Lists the versions of a model, ascending; none if there is no such directory.

    A version is a directory named by a number from 1 to 2**32 - 1, the most that the protocol
    can carry, without leading zeros.
    """
    folder = Path(model_dir)
    if not folder.is_dir():
        return []
    numbered = (entry for entry in folder.iterdir() if _VERSION.fullmatch(entry.name))
    versions = [int(entry.name) for entry in numbered if entry.is_dir()]
    return sorted(version for version in versions if version < 1 << 32)


def next_version(model_dir: str | Path) -> int:
    """Gives the number after the highest version, 1 if there is none."""
    return max(list_versions(model_dir), default=0) + 1


def _path(given: object) -> Path:
    try:
        return file_path(given)
    except TypeError as error:
        raise BundleError(f"a bundle is given by {error}") from None


def _read(version_dir: Path) -> Bundle:
    manifest = _read_manifest(version_dir / MANIFEST_FILE)
    for name, digest in manifest.files.items():
        _check_digest(version_dir / name, digest)
    with open_regular(version_dir / STYLES_FILE) as file:
        rows = _rows_from_bytes(file.read(), manifest)
    return Bundle(
        path=version_dir,
        network=manifest.network,
        styles=manifest.styles,
        rows=_checked_bank(manifest.styles, rows, manifest.network).rows,
        training=manifest.training,
        files=manifest.files,
    )


def _read_manifest(path: Path) -> Manifest:
    try:
        with open_regular(path) as file:
            data = file.read(_LARGEST_MANIFEST + 1)
        if len(data) > _LARGEST_MANIFEST:
            raise BundleError(f"{MANIFEST_FILE} has more than {_LARGEST_MANIFEST:,} bytes")
        text = data.decode()
    except OSError as error:
        raise BundleError(
            f"{MANIFEST_FILE} cannot be read ({error.strerror}); "
            "`python -m training export` writes bundles"
        ) from error
    except UnicodeDecodeError as error:
        raise BundleError(f"{MANIFEST_FILE} is not UTF-8 text") from error
    try:
        return Manifest.from_text(text)
    except BundleError as error:
        raise BundleError(f"{MANIFEST_FILE}: {error}") from error


def _check_digest(path: Path, expected: str) -> None:
    try:
        with open_regular(path) as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(f"{path.name} cannot be read ({error.strerror})") from error
    if found != expected:
        raise BundleError(
            f"{path.name} is damaged: its SHA-256 is {found[:12]}…, the manifest says "
            f"{expected[:12]}…; copy or export the bundle again"
        )


def _rows_from_bytes(data: bytes, manifest: Manifest) -> npt.NDArray[np.float32]:
    try:
        tensors = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise BundleError(f"{STYLES_FILE} is not a safetensors file ({error})") from error
    ids = [style.id for style in manifest.styles]
    if set(ids) != set(tensors):
        different = ", ".join(sorted(set(ids) ^ set(tensors))[:10])
        raise BundleError(
            f"{STYLES_FILE} and the manifest disagree about these styles: {different}"
        )
    size = manifest.network.style_size
    for style in ids:
        if tensors[style].dtype != np.float32 or tensors[style].shape != (size,):
            raise BundleError(
                f"the row of style {style!r} is {tensors[style].dtype} "
                f"{list(tensors[style].shape)}, not float32 [{size}]"
            )
    return np.stack([tensors[style] for style in ids])


def _checked_bank(
    styles: Sequence[StyleInfo], rows: npt.NDArray[np.float32], network: NetworkInfo
) -> StyleBank:
    try:
        return StyleBank(styles, rows, network.digest)
    except StyleError as error:
        raise BundleError(str(error)) from error


def _store(target: Path, source: bytes | str | Path) -> str:
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    write_durably(target, data)
    return hashlib.sha256(data).hexdigest()
