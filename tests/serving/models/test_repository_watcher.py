"""What happens in the model folder is followed while models are served."""

import errno
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from serving.errors import DamagedModelError, ModelNotFoundError
from serving.models import folder_scan
from serving.models.model import ModelState
from serving.models.repository import Repository
from serving.models.watcher import RepositoryWatcher
from sfumato.bundle import bundle
from sfumato.bundle.manifest import MANIFEST_FILE, MODEL_FILE
from sfumato.files.regular_file import open_regular
from tests.serving.repositories import names, put, put_nan, started
from tests.serving.running import until
from tests.serving.tiny_network import write_tiny_bundle

# ruff: noqa: ASYNC240 - the few files of a test are no reason to wait for a thread

OFTEN = 0.005


@asynccontextmanager
async def followed(root: Path) -> AsyncIterator[Repository]:
    """Gives a repository that follows its folder."""
    async with started(root) as repository:
        watcher = RepositoryWatcher(repository, OFTEN)
        watcher.start()
        try:
            yield repository
        finally:
            await watcher.stop()


async def some_looks(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits until the folder has been looked at a few times."""
    looks: list[int] = []
    scan = repository.scan

    async def counted() -> folder_scan.FolderScan:
        looks.append(1)
        return await scan()

    with monkeypatch.context() as patched:
        patched.setattr(repository, "scan", counted)
        await until(lambda: len(looks) > 4)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path / "default" / "1")
    put(tmp_path / "other" / "1")
    return tmp_path


def gain(repository: Repository, name: str = "default") -> float:
    return float(repository.find(name).bank.row("plain")[0])


async def test_a_new_version_and_a_new_model_are_served(root: Path) -> None:
    async with followed(root) as repository:
        put(root / "default" / "2")
        put(root / "new" / "7")
        await until(lambda: names(repository) == ["default/1", "default/2", "new/7", "other/1"])


async def test_a_changed_version_is_served(root: Path) -> None:
    async with followed(root) as repository:
        for number in (2.0, 3.0):
            put(root / "default" / "1", gain=number)
            await until(lambda: gain(repository) == number)  # noqa: B023 - waits at once


async def test_a_touched_version_is_not_loaded_anew(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with followed(root) as repository:
        before = repository.find()
        (root / "default" / "1" / MODEL_FILE).touch()
        await some_looks(repository, monkeypatch)
        assert repository.find() is before


async def test_nothing_is_read_while_nothing_changes(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with followed(root) as repository:
        monkeypatch.setattr(Path, "open", lambda *_, **__: pytest.fail("reads a file"))
        await some_looks(repository, monkeypatch)
        assert names(repository) == ["default/1", "other/1"]


async def test_a_vanished_model_is_unloaded(root: Path) -> None:
    async with followed(root) as repository:
        shutil.rmtree(root / "other")
        await until(lambda: names(repository) == ["default/1"])
        with pytest.raises(ModelNotFoundError, match="no model 'other'"):
            repository.find("other")
        assert [entry.name for entry in repository.index()] == ["default"]
        put(root / "other" / "1", gain=2.0)
        await until(lambda: names(repository) == ["default/1", "other/1"])


async def test_one_failure_does_not_keep_the_next_good_file_from_being_served(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with followed(root) as repository:
        put_nan(root / "default" / "1")
        await until(lambda: "cannot serve model=default/1" in caplog.text)
        assert gain(repository) == 1.0
        put(root / "other" / "1", gain=5.0)
        await until(lambda: gain(repository, "other") == 5.0)
        put(root / "default" / "1", gain=2.0)
        await until(lambda: gain(repository) == 2.0)
        assert caplog.text.count("cannot serve") == 1


async def test_a_damaged_new_version_is_told_of_and_served_when_it_is_mended(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with followed(root) as repository:
        write_tiny_bundle(root / "default" / ".2")
        good = (root / "default" / ".2" / MODEL_FILE).read_bytes()
        (root / "default" / ".2" / MODEL_FILE).write_bytes(good[:-1])
        (root / "default" / ".2").rename(root / "default" / "2")
        await until(lambda: "model.onnx is damaged" in caplog.text)
        assert repository.find().version == 1
        with pytest.raises(DamagedModelError, match=r"model\.onnx is damaged"):
            repository.find("default", 2)
        (root / "default" / "2" / MODEL_FILE).write_bytes(good)
        await until(lambda: repository.find().version == 2)


async def test_a_folder_that_is_still_being_copied_makes_no_noise(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_tiny_bundle(root / ".source" / "2")
    target = root / "default" / "2"
    async with followed(root) as repository:
        target.mkdir()
        for file in sorted((root / ".source" / "2").iterdir()):
            if file.name != MANIFEST_FILE:
                shutil.copy(file, target)
                await some_looks(repository, monkeypatch)
        assert caplog.text.count("cannot serve") == 0
        with pytest.raises(DamagedModelError, match=r"bundle\.json cannot be read"):
            repository.find("default", 2)
        shutil.copy(root / ".source" / "2" / MANIFEST_FILE, target)
        await until(lambda: repository.find().version == 2)


async def test_a_new_version_that_may_not_be_read_is_told_of_once(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    target = root / "default" / "2"

    def guarded(work: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
            if path.parent == target:  # modes do not keep an administrator out
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return work(path, *arguments, **options)

        return refuse

    async with followed(root) as repository:
        with monkeypatch.context() as denied:
            denied.setattr(Path, "stat", guarded(Path.stat))
            denied.setattr(bundle, "open_regular", guarded(open_regular))
            target.mkdir()
            await until(lambda: "cannot serve model=default/2" in caplog.text)
            await some_looks(repository, monkeypatch)
            assert caplog.text.count("bundle.json cannot be read (Permission denied)") == 1
        target.rmdir()
        put(target)
        await until(lambda: repository.find().version == 2)


async def test_two_renames_replace_a_version_without_a_gap(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that falls between the two renames misses the version, and drops nothing."""
    scan_folder = folder_scan.scan_folder
    gaps: list[int] = []

    def scan_in_the_gap(path: Path) -> folder_scan.FolderScan:
        (root / "default" / "1").rename(root / "default" / ".1")
        try:
            gaps.append(1)
            return scan_folder(path)
        finally:
            (root / "default" / ".1").rename(root / "default" / "1")

    async with started(root) as repository:
        watcher = RepositoryWatcher(repository, OFTEN)
        monkeypatch.setattr("serving.models.repository.scan_folder", scan_in_the_gap)
        watcher.start()
        await until(lambda: len(gaps) > 4)
        await watcher.stop()
        assert names(repository) == ["default/1", "other/1"]


async def test_an_empty_folder_leaves_everything_served(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with followed(root) as repository:
        for name in ("default", "other"):
            (root / name).rename(root / f".{name}")
        await some_looks(repository, monkeypatch)
        assert names(repository) == ["default/1", "other/1"]
        assert caplog.text.count("it holds no model; what is loaded stays") == 1
        for name in ("default", "other"):
            (root / f".{name}").rename(root / name)
        put(root / "default" / "2")
        await until(lambda: repository.find().version == 2)


async def test_a_folder_that_cannot_be_read_leaves_everything_served(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with followed(root) as repository:
        root.rename(root.with_name("away"))
        await some_looks(repository, monkeypatch)
        assert names(repository) == ["default/1", "other/1"]
        assert caplog.text.count("(No such file or directory); what is loaded stays") == 1
        root.with_name("away").rename(root)
        put(root / "default" / "2")
        await until(lambda: repository.find().version == 2)


async def test_an_unloaded_model_stays_so_until_its_files_change(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with followed(root) as repository:
        await repository.unload("default")
        (root / "default" / "labels.json").write_text(json.dumps({"stable": 1}))
        await some_looks(repository, monkeypatch)
        assert names(repository) == ["other/1"]
        assert repository.index()[0].state is ModelState.UNAVAILABLE
        put(root / "default" / "2")
        await until(lambda: names(repository) == ["default/1", "default/2", "other/1"])


async def test_a_mistake_of_ours_does_not_end_the_watch(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with followed(root) as repository:
        with monkeypatch.context() as broken:
            broken.setattr("serving.models.repository.scan_folder", lambda _: None)
            await until(lambda: "could not be looked at" in caplog.text)
        put(root / "default" / "2")
        await until(lambda: repository.find().version == 2)
