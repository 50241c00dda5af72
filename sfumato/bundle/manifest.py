"""bundle.json: what a bundle says about itself, as text."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from sfumato.bundle.network_info import NetworkInfo
from sfumato.bundle.style_info import StyleInfo
from sfumato.errors import BundleError, StyleError

FORMAT_VERSION = 1
MODEL_FILE = "model.onnx"
MODEL_FILE_FLOAT16 = "model.float16.onnx"
MODEL_FILE_INT8 = "model.int8.onnx"
STYLES_FILE = "styles.safetensors"
MANIFEST_FILE = "bundle.json"

_REQUIRED = (MODEL_FILE, STYLES_FILE)
_ALLOWED = (*_REQUIRED, MODEL_FILE_FLOAT16, MODEL_FILE_INT8)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Manifest:
    """The content of bundle.json.

    Attributes:
        network: the network that the bundle holds.
        styles: its styles, in order.
        training: how it was trained, any JSON object.
        files: SHA-256 of each other file of the bundle, in hexadecimal, by name.
    """

    network: NetworkInfo
    styles: tuple[StyleInfo, ...]
    training: Mapping[str, Any]
    files: Mapping[str, str]

    def to_text(self) -> str:
        """Writes JSON. Raises BundleError for values that JSON cannot hold, NaN among them."""
        value = {
            "format_version": FORMAT_VERSION,
            "network": self.network.to_json(),
            "training": dict(self.training),
            "styles": [style.to_json() for style in self.styles],
            "files": dict(self.files),
        }
        try:
            return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        except (TypeError, ValueError) as error:
            raise BundleError(f"training and style cards must be JSON values: {error}") from error

    @classmethod
    def from_text(cls, text: str) -> "Manifest":
        """Reads JSON.

        Raises:
            BundleError: not JSON, another format version, or a missing or wrong value.
        """
        value = _object(text)
        version = value.get("format_version")
        if version != FORMAT_VERSION or type(version) is not int:
            raise BundleError(
                f"the format version is {version!r}, this program reads {FORMAT_VERSION}; "
                "export the model again, or use the program that made it"
            )
        return cls(
            network=NetworkInfo.from_json(value.get("network")),
            styles=_styles(value.get("styles")),
            training=_mapping("training", value.get("training")),
            files=_files(_mapping("files", value.get("files"))),
        )


def _object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"not JSON ({error})") from error
    return _mapping("content", value)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _mapping(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BundleError(f"the {name} must be an object, not {str(value)[:80]}")
    return value


def _styles(value: object) -> tuple[StyleInfo, ...]:
    if not isinstance(value, list) or not value:
        raise BundleError("the styles must be a list of at least one style")
    try:
        return tuple(StyleInfo.from_json(entry) for entry in value)
    except StyleError as error:
        raise BundleError(str(error)) from error


def _files(files: Mapping[str, Any]) -> Mapping[str, str]:
    # A list of allowed names, not of forbidden ones: nothing can point outside the bundle.
    for name, digest in files.items():
        if name not in _ALLOWED:
            raise BundleError(
                f"{name!r} does not belong in a bundle; only {', '.join(_ALLOWED)} do"
            )
        if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise BundleError(f"the SHA-256 of {name} must be 64 lower-case hexadecimal digits")
    for name in _REQUIRED:
        if name not in files:
            raise BundleError(f"{name} is not in the list of files")
    return files
