"""Writing a bundle and reading it back."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sfumato.bundle.bundle import Bundle, list_versions, next_version, read_bundle, write_bundle
from sfumato.bundle.network_info import NetworkInfo
from sfumato.bundle.style_info import StyleInfo
from sfumato.errors import BundleError
from sfumato.files.atomic import write_durably

NETWORK = NetworkInfo("lite", "sha256:" + "0" * 64, style_size=3)
STYLES = [StyleInfo("scream", "Skrik", "Edvard Munch", "1893", "public domain"), StyleInfo("a")]
ROWS = np.array([[1, 2, 3], [4, 5, 6]], np.float32)


def write(path: Path, **changes: Any) -> Bundle:
    arguments: dict[str, Any] = {
        "network": NETWORK,
        "styles": STYLES,
        "rows": ROWS,
        "training": {"steps": 3, "layers": ["relu1_2"]},
        "model": b"onnx",
    }
    return write_bundle(path, **{**arguments, **changes})


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write(tmp_path / "1", model_float16=b"half")
    bundle = read_bundle(tmp_path / "1")
    assert bundle.network == NETWORK
    assert bundle.styles == tuple(STYLES)
    assert bundle.rows.tobytes() == ROWS.tobytes()
    assert bundle.training == {"steps": 3, "layers": ["relu1_2"]}
    assert bundle.model_path.read_bytes() == b"onnx"
    assert bundle.float16_path is not None
    assert bundle.float16_path.read_bytes() == b"half"


def test_cards_are_kept_to_the_last_digit(tmp_path: Path) -> None:
    card = {"quality": {"style_loss": 0.1 + 0.2, "photos": 8, "nearest_style": "a"}, "é": [None]}
    write(tmp_path / "1", styles=[StyleInfo("scream", card=card), StyleInfo("a")])
    bundle = read_bundle(tmp_path / "1")
    assert [style.card for style in bundle.styles] == [card, {}]
    assert bundle.bank.info("scream").card == card


@pytest.mark.parametrize("name", ["bundle.json", "model.onnx", "styles.safetensors"])
def test_a_pipe_or_a_device_is_no_file_of_a_bundle(tmp_path: Path, name: str) -> None:
    """Whoever reads one waits for ever, or takes all memory."""
    write(tmp_path / "1")
    (tmp_path / "1" / name).unlink()
    os.mkfifo(tmp_path / "1" / name)
    with pytest.raises(BundleError, match=rf"{name} cannot be read \(not a regular file\)"):
        read_bundle(tmp_path / "1")
    (tmp_path / "1" / name).unlink()
    (tmp_path / "1" / name).symlink_to("/dev/zero")
    with pytest.raises(BundleError, match=rf"{name} cannot be read \(not a regular file\)"):
        read_bundle(tmp_path / "1")


def test_the_order_of_the_styles_is_kept(tmp_path: Path) -> None:
    bundle = write(tmp_path / "1")  # "scream" before "a", though files sort them
    assert bundle.bank.ids == ("scream", "a")
    assert bundle.bank.row("a").tolist() == [4, 5, 6]


def test_the_writer_returns_the_bundle_at_its_final_place(tmp_path: Path) -> None:
    bundle = write(tmp_path / "1")
    assert bundle.path == tmp_path / "1"
    assert bundle.model_path.is_file()


def test_the_float16_file_may_be_absent(tmp_path: Path) -> None:
    assert write(tmp_path / "1").float16_path is None


def test_models_may_be_given_as_paths(tmp_path: Path) -> None:
    model = tmp_path / "exported.onnx"
    model.write_bytes(b"from a file")
    bundle = write(tmp_path / "m" / "1", model=model)
    assert bundle.model_path.read_bytes() == b"from a file"
    assert model.exists()


def test_nothing_but_the_bundle_is_left_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "m" / "1")
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["1"]


def test_a_version_is_never_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "1")
    with pytest.raises(BundleError, match="take the next"):
        write(tmp_path / "1", model=b"other")
    assert read_bundle(tmp_path / "1").model_path.read_bytes() == b"onnx"


def test_rows_that_do_not_fit_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with_nan = ROWS.copy()
    with_nan[1, 1] = np.nan
    for changes in (
        {"rows": with_nan},
        {"rows": ROWS[:1]},
        {"rows": ROWS.astype(np.float64)},
        {"rows": ROWS[:, :2].copy()},  # of another style size than the network's
        {"styles": [StyleInfo("a"), StyleInfo("a")]},
        {"styles": [], "rows": ROWS[:0]},
        {"training": {"loss": float("nan")}},
        {"training": {"path": Path("x")}},
    ):
        with pytest.raises(BundleError):
            write(tmp_path / "1", **changes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError("no space left on device")])
def test_an_interrupted_write_leaves_nothing_that_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    def fail_at_the_model(path: Path, data: bytes) -> None:
        if path.name == "model.onnx":
            raise failure
        write_durably(path, data)

    monkeypatch.setattr("sfumato.bundle.bundle.write_durably", fail_at_the_model)
    with pytest.raises((KeyboardInterrupt, OSError)):
        write(tmp_path / "1")
    assert list_versions(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_was_killed_leaves_no_version(tmp_path: Path) -> None:
    write(tmp_path / "1")
    (tmp_path / "1").rename(tmp_path / ".2.0123abcd.tmp")  # what a killed writer leaves at most
    assert list_versions(tmp_path) == []
    assert next_version(tmp_path) == 1


def test_versions_are_positive_integers_in_order(tmp_path: Path) -> None:
    for name in ("2", "10", "1", "0", "01", "-3", "1.5", "v4", ".5", "²", "4294967296", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "7").write_text("a file, not a version")
    assert list_versions(tmp_path) == [1, 2, 10]
    assert next_version(tmp_path) == 11


def test_a_model_without_a_directory_has_no_versions(tmp_path: Path) -> None:
    assert list_versions(tmp_path / "none") == []
    assert next_version(tmp_path / "none") == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"architecture": ""}, "architecture"),
        ({"digest": "0" * 64}, "digest"),
        ({"digest": "sha256:" + "A" * 64}, "digest"),
        ({"style_size": 0}, "style_size"),
        ({"style_size": True}, "style_size"),
        ({"min_side": 1.5}, "min_side"),
    ],
)
def test_a_network_that_makes_no_sense_is_refused(changes: dict[str, Any], reason: str) -> None:
    good: dict[str, Any] = {**NETWORK.to_json(), **changes}
    with pytest.raises(BundleError, match=reason):
        NetworkInfo(**good)
