from pathlib import Path
from typing import Any

import pytest

from serving.errors import ConfigError, DamagedModelError, ModelNotFoundError
from serving.lane import LaneSettings
from serving.repository import Repository
from sfumato.bundle import Bundle
from sfumato.errors import BundleError
from tests.serving.tiny_network import write_tiny_bundle


class Fragile:
    """A session that breaks where the test wants it to."""

    provider = "none"
    breaks: frozenset[str] = frozenset()

    def __init__(self, bundle: Bundle) -> None:
        self._name = bundle.path.parent.name

    def run(self, images: Any, styles: Any, /) -> Any:
        raise NotImplementedError

    def warm_up(self, batch_size: int) -> None:
        if self._name in self.breaks:
            raise BundleError(f"breaks at {batch_size}")


def limits(name: str, session: object) -> LaneSettings:
    return LaneSettings(max_batch_size=7)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("default/1", "default/3", "other/2"):
        write_tiny_bundle(tmp_path / folder)
    return tmp_path


def test_every_version_of_every_model_is_loaded(root: Path) -> None:
    names = sorted(str(model) for model in Repository(root, Fragile, limits))
    assert names == ["default/1", "default/3", "other/2"]


def test_files_and_folders_without_versions_are_no_models(root: Path) -> None:
    (root / "README.md").write_text("models")
    (root / "notes" / "drafts").mkdir(parents=True)
    (root / ".default.0a1b2c3d.tmp").mkdir()
    assert [model.name for model in Repository(root, Fragile, limits).latest()] == [
        "default",
        "other",
    ]


def test_a_model_is_found_by_name_and_version(root: Path) -> None:
    repository = Repository(root, Fragile, limits)
    assert str(repository.find()) == "default/3"
    assert str(repository.find("default")) == "default/3"
    assert str(repository.find("default", 1)) == "default/1"
    assert str(repository.find("other")) == "other/2"


@pytest.mark.parametrize("name", ["..", "../models", "/etc", "default/1", "", "DEFAULT", "a\0b"])
def test_no_name_reaches_the_file_system(
    root: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "default").rename(root / "first")
    repository = Repository(root, Fragile, limits)
    for touching in ("open", "exists", "iterdir", "is_dir", "is_file", "stat"):
        monkeypatch.setattr(Path, touching, lambda *_, **__: pytest.fail("touches a file"))
    with pytest.raises(ModelNotFoundError):
        repository.find(name)


def test_a_folder_added_later_is_not_seen(root: Path) -> None:
    repository = Repository(root, Fragile, limits)
    write_tiny_bundle(root / "default" / "4")
    with pytest.raises(ModelNotFoundError, match="no version 4; there are 1, 3"):
        repository.find("default", 4)


def test_a_network_that_fails_to_warm_up_counts_as_damage(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(root, Fragile, limits)
    monkeypatch.setattr(Fragile, "breaks", frozenset({"other"}))
    repository.warm_up()
    assert str(repository.find()) == "default/3"
    with pytest.raises(DamagedModelError, match=r"version 2 of model 'other' .* breaks at 7"):
        repository.find("other")


def test_a_folder_where_nothing_warms_up_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(root, Fragile, limits)
    monkeypatch.setattr(Fragile, "breaks", frozenset({"default", "other"}))
    with pytest.raises(ConfigError, match="breaks at 7"):
        repository.warm_up()
