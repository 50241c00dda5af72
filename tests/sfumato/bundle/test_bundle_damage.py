"""Every way in which a bundle can be broken is one BundleError that names the file."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from sfumato.bundle.bundle import read_bundle, write_bundle
from sfumato.bundle.network_info import NetworkInfo
from sfumato.bundle.style_info import StyleInfo
from sfumato.errors import BundleError

FILES = ("model.onnx", "model.float16.onnx", "styles.safetensors", "bundle.json")
ROWS = {"a": np.array([1, 2, 3], np.float32), "b": np.array([4, 5, 6], np.float32)}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_bundle(
        tmp_path / "1",
        network=NetworkInfo("lite", "sha256:" + "0" * 64, style_size=3),
        styles=[StyleInfo("a"), StyleInfo("b")],
        rows=np.stack(list(ROWS.values())),
        training={},
        model=b"a model of some length",
        model_float16=b"half a model",
    )
    return tmp_path / "1"


def edit_manifest(bundle: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = bundle / "bundle.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))


def replace_styles(bundle: Path, data: bytes) -> None:
    """Exchanges the rows and makes the manifest agree, as a faulty exporter would."""
    (bundle / "styles.safetensors").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    edit_manifest(bundle, lambda manifest: manifest["files"].update({"styles.safetensors": digest}))


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(BundleError, match=f"{name} cannot be read"):
        read_bundle(bundle)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_named(bundle: Path, name: str) -> None:
    path = bundle / name
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(BundleError, match=name):
        read_bundle(bundle)


@pytest.mark.parametrize("name", FILES)
def test_an_empty_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).write_bytes(b"")
    with pytest.raises(BundleError, match=name):
        read_bundle(bundle)


@pytest.mark.parametrize("name", FILES[:-1])
def test_one_flipped_bit_is_found(bundle: Path, name: str) -> None:
    path = bundle / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(BundleError, match=f"{name} is damaged"):
        read_bundle(bundle)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_the_place_of_a_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    (bundle / name).mkdir()
    with pytest.raises(BundleError, match=name):
        read_bundle(bundle)


def test_a_missing_bundle_names_its_path(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=str(tmp_path / "9")):
        read_bundle(tmp_path / "9")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '"text"', "[" * 100_000, '{"format_version": NaN}', "1" * 5000],
)
def test_a_manifest_that_is_no_json_object_is_refused(bundle: Path, text: str) -> None:
    (bundle / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match=r"bundle\.json"):
        read_bundle(bundle)


def test_a_manifest_of_any_size_is_not_read(bundle: Path) -> None:
    with (bundle / "bundle.json").open("r+b") as file:
        file.truncate(1 << 30)  # takes no room on the disk
    with pytest.raises(BundleError, match=r"bundle\.json has more than 16,777,216 bytes"):
        read_bundle(bundle)


def test_a_manifest_that_is_no_text_is_refused(bundle: Path) -> None:
    (bundle / "bundle.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BundleError, match="not UTF-8"):
        read_bundle(bundle)


@pytest.mark.parametrize("version", [0, 2, "1", None, True, 1.0, [1]])
def test_another_format_version_is_refused(bundle: Path, version: object) -> None:
    edit_manifest(bundle, lambda manifest: manifest.update(format_version=version))
    with pytest.raises(BundleError, match="format version"):
        read_bundle(bundle)


@pytest.mark.parametrize("key", ["format_version", "network", "styles", "files", "training"])
def test_a_missing_part_of_the_manifest_is_refused(bundle: Path, key: str) -> None:
    edit_manifest(bundle, lambda manifest: manifest.pop(key))
    with pytest.raises(BundleError, match=key.replace("_", " ")):
        read_bundle(bundle)


@pytest.mark.parametrize("key", ["network", "styles", "files", "training"])
@pytest.mark.parametrize("value", [None, 3, "text"])
def test_a_part_of_the_wrong_type_is_refused(bundle: Path, key: str, value: object) -> None:
    edit_manifest(bundle, lambda manifest: manifest.update({key: value}))
    with pytest.raises(BundleError, match=key):
        read_bundle(bundle)


@pytest.mark.parametrize("key", ["architecture", "digest", "style_size", "min_side"])
def test_a_network_that_lacks_a_value_is_refused(bundle: Path, key: str) -> None:
    edit_manifest(bundle, lambda manifest: manifest["network"].pop(key))
    with pytest.raises(BundleError, match=key):
        read_bundle(bundle)


@pytest.mark.parametrize(
    "name", ["../1/model.onnx", "/etc/passwd", "..", "sub/model.onnx", "other.bin", ""]
)
def test_a_file_name_that_leads_elsewhere_is_refused(bundle: Path, name: str) -> None:
    edit_manifest(bundle, lambda manifest: manifest["files"].update({name: "0" * 64}))
    with pytest.raises(BundleError, match="does not belong in a bundle"):
        read_bundle(bundle)


@pytest.mark.parametrize("name", ["model.onnx", "styles.safetensors"])
def test_a_file_that_the_manifest_does_not_list_is_refused(bundle: Path, name: str) -> None:
    edit_manifest(bundle, lambda manifest: manifest["files"].pop(name))
    with pytest.raises(BundleError, match=f"{name} is not in the list"):
        read_bundle(bundle)


@pytest.mark.parametrize("digest", ["", "0" * 63, "G" * 64, None, 5])
def test_a_digest_that_is_none_is_refused(bundle: Path, digest: object) -> None:
    edit_manifest(bundle, lambda manifest: manifest["files"].update({"model.onnx": digest}))
    with pytest.raises(BundleError, match=r"SHA-256 of model\.onnx"):
        read_bundle(bundle)


def test_a_style_id_that_leads_elsewhere_is_refused(bundle: Path) -> None:
    edit_manifest(bundle, lambda manifest: manifest["styles"][0].update(id="../../x"))
    with pytest.raises(BundleError, match="cannot be a style id"):
        read_bundle(bundle)


def test_a_repeated_style_is_refused(bundle: Path) -> None:
    edit_manifest(bundle, lambda manifest: manifest["styles"].append({"id": "a"}))
    with pytest.raises(BundleError, match="occurs twice"):
        read_bundle(bundle)


def test_styles_without_rows_are_refused(bundle: Path) -> None:
    edit_manifest(bundle, lambda manifest: manifest["styles"].append({"id": "c"}))
    with pytest.raises(BundleError, match="disagree about these styles: c"):
        read_bundle(bundle)


def test_no_styles_at_all_are_refused(bundle: Path) -> None:
    replace_styles(bundle, safetensors.numpy.save({}))
    edit_manifest(bundle, lambda manifest: manifest.update(styles=[]))
    with pytest.raises(BundleError, match="at least one style"):
        read_bundle(bundle)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ({"a": ROWS["a"]}, "disagree about these styles: b"),
        ({**ROWS, "c": ROWS["a"]}, "disagree about these styles: c"),
        ({**ROWS, "b": ROWS["b"][:2]}, r"row of style 'b' is float32 \[2\], not float32 \[3\]"),
        ({**ROWS, "b": ROWS["b"].reshape(1, 3)}, "row of style 'b'"),
        ({**ROWS, "b": ROWS["b"].astype(np.float16)}, "float16"),
        ({**ROWS, "b": np.array([1, np.nan, 3], np.float32)}, "'b' holds NaN"),
        ({**ROWS, "b": np.array([1, -np.inf, 3], np.float32)}, "'b' holds NaN or infinity"),
    ],
)
def test_rows_that_do_not_fit_are_refused(bundle: Path, rows: dict[str, Any], reason: str) -> None:
    replace_styles(bundle, safetensors.numpy.save(rows))
    with pytest.raises(BundleError, match=reason):
        read_bundle(bundle)


@pytest.mark.parametrize("data", [b"", b"text", b"\xff" * 100, b"\x80\x04K\x01."])
def test_rows_that_are_no_safetensors_file_are_refused(bundle: Path, data: bytes) -> None:
    replace_styles(bundle, data)
    with pytest.raises(BundleError, match="not a safetensors file"):
        read_bundle(bundle)


def test_rows_of_a_type_that_numpy_lacks_are_refused(bundle: Path) -> None:
    header = json.dumps(
        {name: {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]} for name in ("a",)}
    ).encode()
    replace_styles(bundle, len(header).to_bytes(8, "little") + header + b"\0" * 6)
    with pytest.raises(BundleError):
        read_bundle(bundle)
