import asyncio
import gc
import shutil
from pathlib import Path
from typing import Any

import grpc
import pytest

from serving.errors import ConfigError, DamagedModelError, ModelNotFoundError, NotServingError
from serving.models import folder_scan
from serving.models.model import ModelState
from sfumato.bundle import bundle
from sfumato.inference import open_inference_pb2 as pb
from tests.serving.repositories import FragileSession, held_up, names, opened, put, put_nan, started
from tests.serving.running import running, until
from tests.serving.tensors import inferring
from tests.serving.tiny_network import write_tiny_bundle


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("default/1", "default/3", "other/2"):
        write_tiny_bundle(tmp_path / folder)
    return tmp_path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    put(tmp_path / "default" / "1")
    put(tmp_path / "other" / "2", style="fragile")
    return tmp_path


async def test_every_version_of_every_model_is_loaded(root: Path) -> None:
    async with started(root) as repository:
        assert names(repository) == ["default/1", "default/3", "other/2"]
        assert {entry.state for entry in repository.index()} == {ModelState.READY}


async def test_files_and_folders_without_versions_are_no_models(root: Path) -> None:
    (root / "README.md").write_text("models")
    (root / "notes" / "drafts").mkdir(parents=True)
    (root / ".default.0a1b2c3d.tmp" / "1").mkdir(parents=True)
    (root / "default" / "styles").mkdir()
    (root / "default" / "labels.json").write_text("{}")
    async with started(root) as repository:
        assert [model.name for model in repository.latest()] == ["default", "other"]


async def test_a_model_is_found_by_name_and_version(root: Path) -> None:
    async with started(root) as repository:
        assert str(repository.find()) == "default/3"
        assert str(repository.find("default")) == "default/3"
        assert str(repository.find("default", 1)) == "default/1"
        assert str(repository.find("other")) == "other/2"


@pytest.mark.parametrize("name", ["..", "../models", "/etc", "default/1", "", "DEFAULT", "a\0b"])
async def test_no_name_reaches_the_file_system(
    root: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "default").rename(root / "first")
    async with started(root) as repository:
        for touching in ("open", "exists", "iterdir", "is_dir", "is_file", "stat"):
            _allow_only(monkeypatch, touching, root)
        for work in (repository.load, repository.unload):
            with pytest.raises(ModelNotFoundError):
                await work(name)
        with pytest.raises(ModelNotFoundError):
            await repository.add_style(name, b"")
        with pytest.raises(ModelNotFoundError):
            repository.find(name)


def _allow_only(monkeypatch: pytest.MonkeyPatch, method: str, root: Path) -> None:
    """Lets a method of paths work only for what a listing of ``root`` leads to."""
    work = getattr(Path, method)
    listed = [root, *(root / name for name in ("first", "other"))]

    def guarded(path: Path, *arguments: Any, **options: Any) -> Any:
        assert any(path == known or known in path.parents for known in listed), path
        assert ".." not in path.parts
        return work(path, *arguments, **options)

    monkeypatch.setattr(Path, method, guarded)


async def test_a_folder_that_cannot_be_read_hides_no_other(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "lost+found").mkdir()

    def refuse(folder: Path) -> list[int]:
        if folder.name == "lost+found":
            raise PermissionError(13, "Permission denied")
        return bundle.list_versions(folder)

    monkeypatch.setattr(folder_scan, "list_versions", refuse)
    async with started(root) as repository:
        assert [model.name for model in repository.latest()] == ["default", "other"]
        await repository.scan()
    assert caplog.text.count("lost+found cannot be read: Permission denied") == 1


async def test_a_model_whose_folder_cannot_be_read_stays_and_loading_it_says_why(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> list[int]:
        if folder.name in {"default", "new"}:
            raise PermissionError(13, "Permission denied")
        return bundle.list_versions(folder)

    (root / "new").mkdir()
    async with running(root, admin=True, poll_seconds=0) as server, inferring(server) as tensors:
        monkeypatch.setattr(folder_scan, "list_versions", refuse)
        status, message = await load_refused(tensors, "default")
        assert status is grpc.StatusCode.FAILED_PRECONDITION
        reason = "the folder of model 'default' cannot be read (Permission denied)"
        assert message == f"{reason}; what is loaded stays"
        assert names(server._models.repository) == ["default/1", "default/3", "other/2"]
        assert await load_refused(tensors, "new") == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "the folder of model 'new' cannot be read (Permission denied)",
        )


async def test_loading_a_model_whose_folder_is_gone_drops_it(root: Path) -> None:
    async with running(root, admin=True, poll_seconds=0) as server, inferring(server) as tensors:
        (root / "default").rename(root / ".default")
        assert await load_refused(tensors, "default") == (
            grpc.StatusCode.NOT_FOUND,
            "the model folder holds no model 'default' any more",
        )
        assert names(server._models.repository) == ["other/2"]
        _, message = await load_refused(tensors, "default")
        assert message == "no model 'default'; there are 'other'"


async def test_loading_from_an_empty_folder_leaves_what_is_served(root: Path) -> None:
    async with started(root) as repository:
        for name in ("default", "other"):
            (root / name).rename(root / f".{name}")
        with pytest.raises(DamagedModelError, match="holds no model; what is loaded stays"):
            await repository.load("default")
        assert names(repository) == ["default/1", "default/3", "other/2"]


async def load_refused(tensors: Any, model: str) -> tuple[grpc.StatusCode, str]:
    """Loads a model, which must fail; gives status and message."""
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await tensors.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name=model))
    return refusal.value.code(), refusal.value.details() or ""


async def test_a_network_that_fails_to_warm_up_counts_as_damage(broken: Path) -> None:
    async with started(broken) as repository:
        assert str(repository.find()) == "default/1"
        with pytest.raises(DamagedModelError, match=r"version 2 of model 'other' .* breaks at 7"):
            repository.find("other")
        [_, other] = repository.index()
        assert (other.state, other.reason) == (ModelState.UNAVAILABLE, "breaks at 7")


async def test_a_folder_where_nothing_warms_up_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "default" / "1", style="fragile")
    async with opened(tmp_path) as repository:
        with pytest.raises(ConfigError, match="breaks at 7"):
            await repository.start()


async def test_a_version_added_later_is_served_once_it_is_loaded(root: Path) -> None:
    async with started(root) as repository:
        before = repository.find("default", 3)
        write_tiny_bundle(root / "default" / "4")
        with pytest.raises(ModelNotFoundError, match="no version 4; there are 1, 3"):
            repository.find("default", 4)
        await repository.load("default")
        assert repository.find().version == 4
        assert repository.find("default", 3) is before


async def test_a_model_added_later_is_served_once_it_is_loaded(root: Path) -> None:
    async with started(root) as repository:
        put(root / "new" / "1")
        await repository.load("new")
        assert str(repository.find("new")) == "new/1"


async def test_only_what_changed_is_loaded_anew(root: Path) -> None:
    put(root / "other" / "3", gain=1.0)
    async with started(root) as repository:
        old = {version: repository.find("other", version) for version in (2, 3)}
        put(root / "other" / "3", gain=2.0)
        await repository.load("other")
        assert repository.find("other", 2) is old[2]
        assert repository.find("other", 3) is not old[3]
        assert repository.find("other", 3).bank.row("plain")[0] == 2.0


async def test_a_vanished_version_is_dropped_and_the_next_highest_serves(root: Path) -> None:
    async with started(root) as repository:
        shutil.rmtree(root / "default" / "3")
        await repository.load("default")
        assert repository.find().version == 1
        assert [entry.version for entry in repository.index() if entry.name == "default"] == [1]


async def test_a_load_that_fails_leaves_the_old_version_and_says_why(
    broken: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with started(broken) as repository:
        old = repository.find()
        put_nan(broken / "default" / "1")
        for _ in range(2):
            with pytest.raises(DamagedModelError, match="the row of style 'plain' holds NaN"):
                await repository.load("default")
        assert repository.find() is old
        [entry, _] = repository.index()
        assert entry.state is ModelState.READY
        assert "NaN" in entry.reason
        assert str(broken) not in entry.reason
        assert caplog.text.count("holds NaN") == 1
        put(broken / "default" / "1", gain=3.0)
        await repository.load("default")
        assert repository.find().bank.row("plain")[0] == 3.0
        assert repository.index()[0].reason == ""


async def test_what_goes_wrong_unexpectedly_leaves_the_old_version_too(root: Path) -> None:
    def open_session(bundle: Any) -> FragileSession:
        if bundle.bank.row("plain")[0] == 9.0:
            raise ZeroDivisionError("secret")
        return FragileSession(bundle)

    async with opened(root, open_session) as repository:
        await repository.start()
        put(root / "default" / "5", gain=9.0)
        with pytest.raises(DamagedModelError, match="unexpected error; the server's log has it"):
            await repository.load("default")
        assert repository.find().version == 3


async def test_files_that_change_while_they_are_read_are_not_trusted(root: Path) -> None:
    def open_session(bundle: Any) -> FragileSession:
        if bundle.path.name == "4":
            (bundle.path / "model.onnx").write_bytes(b"another network")
        return FragileSession(bundle)

    async with opened(root, open_session) as repository:
        await repository.start()
        put(root / "default" / "4")
        with pytest.raises(DamagedModelError, match="changed while it was read"):
            await repository.load("default")
        assert repository.find().version == 3


async def test_an_unloaded_model_is_not_found_until_it_is_loaded(root: Path) -> None:
    async with started(root) as repository:
        await repository.unload("default")
        await repository.unload("default")
        with pytest.raises(ModelNotFoundError, match="'default' is unloaded; load it first"):
            repository.find()
        with pytest.raises(ModelNotFoundError, match="unloaded"):
            repository.find("default", 1)
        assert [model.name for model in repository.latest()] == ["other"]
        states = {(e.state, e.reason) for e in repository.index() if e.name == "default"}
        assert states == {(ModelState.UNAVAILABLE, "unloaded")}
        await repository.load("default")
        assert str(repository.find()) == "default/3"


async def test_a_version_that_somebody_still_uses_is_unloading(root: Path) -> None:
    async with started(root) as repository:
        model = repository.find("other")
        with model.lane.admitted():
            await repository.unload("other")
            assert repository.index()[-1].state is ModelState.UNLOADING
        assert repository.index()[-1].state is ModelState.UNAVAILABLE


async def test_what_is_not_there_can_be_neither_loaded_nor_unloaded(root: Path) -> None:
    async with started(root) as repository:
        with pytest.raises(ModelNotFoundError, match="did you mean 'default'"):
            await repository.load("defualt")
        with pytest.raises(ModelNotFoundError, match="no model 'third'"):
            await repository.unload("third")


async def test_loads_and_unloads_at_the_same_time_end_with_all_versions_or_none(
    root: Path,
) -> None:
    async with started(root) as repository:
        for works in ([repository.load, repository.unload], [repository.unload, repository.load]):
            await asyncio.gather(*(work("default") for work in works * 10))
            states = {entry.state for entry in repository.index() if entry.name == "default"}
            served = [name for name in names(repository) if "default" in name]
            assert (states, served) in (
                ({ModelState.READY}, ["default/1", "default/3"]),
                ({ModelState.UNAVAILABLE}, []),
            )
        await repository.load("default")
        assert names(repository) == ["default/1", "default/3", "other/2"]


async def test_a_version_that_is_loaded_for_the_first_time_asks_for_patience(root: Path) -> None:
    reading, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def open_session(bundle: Any) -> FragileSession:
        if "slow" in bundle.path.parts:
            loop.call_soon_threadsafe(reading.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
        return FragileSession(bundle)

    async with opened(root, open_session) as repository:
        await repository.start()
        put(root / "slow" / "1")
        loading = asyncio.create_task(repository.load("slow"))
        await reading.wait()
        with pytest.raises(NotServingError, match="being loaded; try again soon"):
            repository.find("slow")
        assert repository.index()[-1].state is ModelState.LOADING
        assert str(repository.find()) == "default/3"
        go_on.set()
        await loading
        assert str(repository.find("slow")) == "slow/1"


async def test_listeners_are_told_what_changed(root: Path) -> None:
    changed: list[str] = []
    async with started(root) as repository:
        repository.on_change(changed.append)
        await repository.unload("other")
        assert changed == ["other"]
        await repository.load("other")
        assert set(changed) == {"other"}
        assert len(changed) > 1


async def test_who_gives_up_waiting_leaves_no_model_half_loaded(root: Path) -> None:
    async with held_up(root) as (repository, may_open):
        await repository.unload("default")
        loading = asyncio.create_task(repository.load("default"))
        await until(lambda: repository.index()[0].state is ModelState.LOADING)
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
        may_open.set()
        await until(lambda: names(repository)[:2] == ["default/1", "default/3"])


async def test_at_the_end_loading_is_given_up(root: Path) -> None:
    async with held_up(root) as (repository, _):
        put(root / "default" / "4")
        loading = asyncio.create_task(repository.load("default"))
        await until(lambda: bool(repository._changes))
        repository.give_up()
        with pytest.raises(asyncio.CancelledError):
            await loading
        assert not repository._changes


async def test_a_failure_that_nobody_waits_for_any_more_is_no_error_of_asyncio(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with held_up(root) as (repository, may_open):
        put(root / "default" / "4", style="fragile")
        loading = asyncio.create_task(repository.load("default"))
        await until(lambda: bool(repository._changes))
        loading.cancel()
        may_open.set()
        await until(lambda: not repository._changes)
        gc.collect()
    assert "breaks at 7" in caplog.text
    assert "never retrieved" not in caplog.text
