"""Style files and what happens to damaged ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from sfumato.bundle.style_file import StyleFile, read_style_file, write_style_file
from sfumato.bundle.style_info import StyleInfo
from sfumato.errors import StyleFileError

DIGEST = "sha256:" + "a" * 64
ROW = np.array([1.5, -2, 0, 3e-8], np.float32)
INFO = StyleInfo("munch-scream", "Skrik", "Edvard Munch", "1893", "public domain", {"loss": 2.5})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "munch.safetensors"
    write_style_file(file, StyleFile(INFO, ROW, DIGEST))
    return file


def write_raw(path: Path, tensors: dict[str, Any], description: Any) -> None:
    text = description if isinstance(description, str) else json.dumps(description)
    path.write_bytes(safetensors.numpy.save(tensors, metadata={"sfumato.style": text}))


def test_what_is_written_is_read_back(path: Path) -> None:
    style = read_style_file(path)
    assert style.info == INFO
    assert style.row.tobytes() == ROW.tobytes()
    assert style.network_digest == DIGEST


def test_a_card_is_kept_to_the_last_digit(tmp_path: Path) -> None:
    card = {"quality": {"style_loss": 0.1 + 0.2, "photos": 8, "nearest_style": "a"}, "é": [None]}
    write_style_file(tmp_path / "a", StyleFile(StyleInfo("scream", card=card), ROW, DIGEST))
    assert read_style_file(tmp_path / "a").info.card == card


def test_a_row_that_is_a_view_is_written_right(tmp_path: Path) -> None:
    row = np.arange(8, dtype=np.float32)[::2]
    write_style_file(tmp_path / "a", StyleFile(INFO, row, DIGEST))
    assert read_style_file(tmp_path / "a").row.tolist() == [0, 2, 4, 6]


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StyleFileError, match="cannot be read"):
        read_style_file(tmp_path / "none.safetensors")


def test_a_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StyleFileError):
        read_style_file(tmp_path)


@pytest.mark.parametrize("size", [0, 4, 8, 40, -1])
def test_a_truncated_file_is_refused(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(StyleFileError, match="munch"):
        read_style_file(path)


def test_another_safetensors_file_is_not_a_style_file(tmp_path: Path) -> None:
    file = tmp_path / "other"
    file.write_bytes(safetensors.numpy.save({"weight": ROW}))
    with pytest.raises(StyleFileError, match="other: this is not a style file, as `python -m tr"):
        read_style_file(file)


def test_a_file_whose_texts_are_null_is_not_a_style_file(tmp_path: Path) -> None:
    row = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    header = json.dumps({"__metadata__": None, "row": row}).encode()
    file = tmp_path / "null.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(StyleFileError, match="not a style file"):
        read_style_file(file)


GOOD = {"format_version": 1, "network_digest": DIGEST, "style": {"id": "a"}}


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ([], "must be an object"),
        ({**GOOD, "format_version": 2}, "format version is 2"),
        ({**GOOD, "format_version": True}, "format version is True"),
        ({**GOOD, "network_digest": None}, "network digest"),
        ({**GOOD, "network_digest": "md5:12"}, "network digest"),
        ({**GOOD, "style": {"id": "No Good"}}, "style id"),
        ({**GOOD, "style": None}, "object with an id"),
    ],
)
def test_a_damaged_description_is_refused(tmp_path: Path, description: object, reason: str) -> None:
    write_raw(tmp_path / "a", {"row": ROW}, description)
    with pytest.raises(StyleFileError, match=reason):
        read_style_file(tmp_path / "a")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (ROW.astype(np.float64), "float32"),
        (ROW.reshape(2, 2), "float32"),
        (ROW[:0], "float32"),
        (np.array([1, np.nan], np.float32), "NaN"),
    ],
)
def test_a_row_of_the_wrong_kind_is_refused(tmp_path: Path, row: Any, reason: str) -> None:
    write_raw(tmp_path / "a", {"row": row}, GOOD)
    with pytest.raises(StyleFileError, match=reason):
        read_style_file(tmp_path / "a")


def test_a_card_that_json_cannot_hold_leaves_no_file(tmp_path: Path) -> None:
    for card in ({"x": float("nan")}, {"x": object()}):
        with pytest.raises(StyleFileError, match="JSON"):
            write_style_file(tmp_path / "a", StyleFile(StyleInfo("a", card=card), ROW, DIGEST))
    assert list(tmp_path.iterdir()) == []


def test_an_old_file_is_replaced(path: Path) -> None:
    write_style_file(path, StyleFile(StyleInfo("other"), ROW, DIGEST))
    assert read_style_file(path).info.id == "other"
    assert list(path.parent.iterdir()) == [path]
