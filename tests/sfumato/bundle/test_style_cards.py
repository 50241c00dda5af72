"""New cards for a bundle that exists."""

import json
import resource
from pathlib import Path

import numpy as np
import pytest

from sfumato.bundle.bundle import Bundle, read_bundle, write_bundle
from sfumato.bundle.network_info import NetworkInfo
from sfumato.bundle.style_cards import update_cards
from sfumato.bundle.style_info import StyleInfo
from sfumato.errors import BundleError


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_bundle(
        tmp_path / "1",
        network=NetworkInfo("lite", f"sha256:{'0' * 64}", style_size=2),
        styles=[StyleInfo("one", title="One", card={"old": 1}), StyleInfo("two")],
        rows=np.zeros((2, 2), np.float32),
        training={"steps": 3},
        model=b"graph",
    )


def files(bundle: Bundle) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in bundle.path.iterdir()}


def test_new_cards_are_read_back_and_the_rest_stays(bundle: Bundle) -> None:
    before = files(bundle)
    returned = update_cards(bundle.path, {"two": {"quality": {"ssim": 0.25}}})
    one, two = read_bundle(bundle.path).styles
    assert (one.title, one.card) == ("One", {"old": 1})
    assert two.card == {"quality": {"ssim": 0.25}}
    assert returned.styles == (one, two)
    after = files(bundle)
    assert [name for name in before if before[name] != after[name]] == ["bundle.json"]
    assert set(after) == set(before)


def test_the_same_cards_change_nothing(bundle: Bundle) -> None:
    before = files(bundle)
    update_cards(bundle.path, {"one": {"old": 1}, "two": {}})
    assert files(bundle) == before


def test_what_a_later_version_wrote_into_the_manifest_is_kept(bundle: Bundle) -> None:
    manifest = bundle.path / "bundle.json"
    content = json.loads(manifest.read_text())
    content["future"] = {"x": 1}
    content["styles"][0]["mood"] = "calm"
    manifest.write_text(json.dumps(content))
    update_cards(bundle.path, {"one": {"new": 2}})
    content["styles"][0]["card"] = {"new": 2}
    assert json.loads(manifest.read_text()) == content


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"three": {}}, "has no style 'three'; it has one, two"),
        ({"one": {"loss": float("nan")}}, "must be JSON values"),
        ({"one": {"loss": object()}}, "must be JSON values"),
    ],
)
def test_cards_that_cannot_be_written_leave_the_bundle_alone(
    bundle: Bundle, cards: dict[str, dict[str, object]], message: str
) -> None:
    before = files(bundle)
    with pytest.raises(BundleError, match=message):
        update_cards(bundle.path, cards)
    assert files(bundle) == before


def test_a_full_disk_leaves_the_bundle_alone(bundle: Bundle) -> None:
    before, limits = files(bundle), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            update_cards(bundle.path, {"one": {"new": 2}})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert files(bundle) == before


def test_a_damaged_bundle_is_not_touched(bundle: Bundle) -> None:
    bundle.model_path.write_bytes(b"other")
    before = files(bundle)
    with pytest.raises(BundleError, match="damaged"):
        update_cards(bundle.path, {"one": {}})
    assert files(bundle) == before
