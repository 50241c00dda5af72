"""Bundles that are out in the world stay readable: one of format version 1, made by hand."""

import hashlib
import json
from pathlib import Path

import numpy as np

from sfumato.bundle.bundle import read_bundle, write_bundle
from sfumato.bundle.network_info import NetworkInfo
from sfumato.bundle.style_info import StyleInfo

DIGEST = "sha256:" + "5" * 64


def safetensors_file(rows: dict[str, list[float]]) -> bytes:
    header, body = {}, b""
    for name, row in rows.items():
        data = np.array(row, "<f4").tobytes()
        offsets = [len(body), len(body) + len(data)]
        header[name] = {"dtype": "F32", "shape": [len(row)], "data_offsets": offsets}
        body += data
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def write_by_hand(folder: Path) -> None:
    styles = safetensors_file({"b": [1, 2], "a": [3, 4]})
    manifest = {
        "format_version": 1,
        "network": {
            "architecture": "lite",
            "digest": DIGEST,
            "style_size": 2,
            "min_side": 16,
        },
        "training": {"steps": 10},
        "styles": [
            {
                "id": "b",
                "title": "T",
                "artist": "A",
                "year": "1900",
                "licence": "L",
                "card": {"gram": 0.5},
            },
            {"id": "a"},
        ],
        "files": {
            "model.onnx": hashlib.sha256(b"graph").hexdigest(),
            "styles.safetensors": hashlib.sha256(styles).hexdigest(),
        },
    }
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"graph")
    (folder / "styles.safetensors").write_bytes(styles)
    (folder / "bundle.json").write_text(json.dumps(manifest))


def test_a_bundle_of_format_version_1_is_read(tmp_path: Path) -> None:
    write_by_hand(tmp_path / "1")
    bundle = read_bundle(tmp_path / "1")
    assert bundle.network == NetworkInfo("lite", DIGEST, style_size=2, min_side=16)
    assert bundle.styles == (
        StyleInfo("b", "T", "A", "1900", "L", {"gram": 0.5}),
        StyleInfo("a"),
    )
    assert bundle.rows.tolist() == [[1, 2], [3, 4]]
    assert bundle.training == {"steps": 10}
    assert bundle.float16_path is None


def test_a_bundle_is_written_as_format_version_1(tmp_path: Path) -> None:
    write_by_hand(tmp_path / "1")
    by_hand = read_bundle(tmp_path / "1")
    write_bundle(
        tmp_path / "2",
        network=by_hand.network,
        styles=by_hand.styles,
        rows=by_hand.rows,
        training=by_hand.training,
        model=b"graph",
    )
    expected = json.loads((tmp_path / "1" / "bundle.json").read_text())
    written = json.loads((tmp_path / "2" / "bundle.json").read_text())
    assert written.keys() == expected.keys()
    assert written["network"] == expected["network"]
    assert written["styles"][0] == expected["styles"][0]
    assert written["files"].keys() == expected["files"].keys()
    assert (tmp_path / "2" / "model.onnx").read_bytes() == b"graph"
