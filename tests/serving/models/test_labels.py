"""Versions have labels, which the operator moves while the server runs."""

import asyncio
import json
from pathlib import Path

import grpc
import pytest

from serving.errors import DamagedModelError, ModelNotFoundError, NotServingError
from serving.models.model import ModelState
from serving.models.repository import Repository
from sfumato.bundle.style_file import write_style_file
from sfumato.cli.main import main
from sfumato.client.async_client import AsyncClient
from tests.serving.photos import draw, encode
from tests.serving.repositories import held_up, new_style, put, put_nan, started
from tests.serving.running import PATIENCE, connected, order, refused, running, until


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder whose model has two versions."""
    for version in (1, 2):
        put(tmp_path / "default" / str(version))
    return tmp_path


def label(root: Path, content: object) -> None:
    """Writes the labels of the model."""
    text = content if isinstance(content, str) else json.dumps(content)
    (root / "default" / "labels.json").write_text(text)


def labelled(repository: Repository, name: str) -> int:
    return repository.find("default", label=name).version


async def test_a_version_is_found_by_its_label(root: Path) -> None:
    label(root, {"stable": 1, "canary": 2})
    async with started(root) as repository:
        assert (labelled(repository, "stable"), labelled(repository, "canary")) == (1, 2)
        assert repository.find("default").version == 2


async def test_a_label_that_is_not_there_is_not_found_and_others_are_named(root: Path) -> None:
    label(root, {"stable": 1})
    async with started(root) as repository:
        with pytest.raises(ModelNotFoundError, match="label 'canary'; labels are 'stable'"):
            labelled(repository, "canary")


async def test_a_label_moves_to_a_version_only_when_that_is_served(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    label(root, {"stable": 1})
    async with started(root) as repository:
        label(root, {"stable": 3})
        await repository.load("default")
        await repository.load("default")
        assert labelled(repository, "stable") == 1
        assert caplog.text.count("stays at version 1: version 3 is not served") == 1
        put(root / "default" / "3")
        await repository.load("default")
        assert labelled(repository, "stable") == 3


async def test_a_label_of_a_version_that_never_was_leads_nowhere(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    label(root, {"stable": 9})
    async with started(root) as repository:
        with pytest.raises(ModelNotFoundError, match="labels are none"):
            labelled(repository, "stable")
        assert "leads nowhere: version 9 is not served" in caplog.text


async def test_a_label_stays_with_a_version_that_is_unloaded(root: Path) -> None:
    label(root, {"stable": 1})
    async with started(root) as repository:
        await repository.unload("default")
        with pytest.raises(ModelNotFoundError, match=r"label 'stable' .* is unloaded; load it"):
            labelled(repository, "stable")
        await repository.load("default")
        assert labelled(repository, "stable") == 1


async def test_by_its_label_too_a_version_that_is_being_loaded_asks_for_patience(
    root: Path,
) -> None:
    label(root, {"stable": 1})
    async with held_up(root) as (repository, may_open):
        await repository.unload("default")
        loading = asyncio.create_task(repository.load("default"))
        await until(lambda: repository.index()[0].state is ModelState.LOADING)
        with pytest.raises(NotServingError, match=r"label 'stable' .* try again soon"):
            labelled(repository, "stable")
        may_open.set()
        await loading
        assert labelled(repository, "stable") == 1


async def test_a_label_whose_version_cannot_be_served_says_why(root: Path) -> None:
    put_nan(root / "default" / "3")
    label(root, {"new": 3})
    async with started(root) as repository:
        with pytest.raises(DamagedModelError, match=r"label 'new' means version 3: .* holds NaN"):
            labelled(repository, "new")


async def test_a_label_whose_version_is_gone_is_told_once(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    label(root, {"stable": 2})
    async with started(root) as repository:
        (root / "default" / "2").unlink()
        await repository.load("default")
        await repository.load("default")
        with pytest.raises(ModelNotFoundError, match=r"label 'stable' .* no version 2; there are"):
            labelled(repository, "stable")
        assert caplog.text.count("leads nowhere: version 2 is not served") == 1


async def test_a_damaged_file_is_told_of_once_however_often_styles_change(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    label(root, "{")
    styles = root / "default" / "styles"
    styles.mkdir()
    async with started(root) as repository:
        for name in ("one", "two"):
            write_style_file(styles / f"{name}.safetensors", new_style(name))
            await repository.versions_of("default").sync()
            assert name in repository.find().bank.ids
        assert caplog.text.count("it is not JSON") == 1


async def test_labels_that_are_taken_away_are_gone(root: Path) -> None:
    label(root, {"stable": 1, "canary": 2})
    async with started(root) as repository:
        label(root, {"canary": 2})
        await repository.load("default")
        with pytest.raises(ModelNotFoundError, match="labels are 'canary'"):
            labelled(repository, "stable")
        (root / "default" / "labels.json").unlink()
        await repository.load("default")
        with pytest.raises(ModelNotFoundError, match="labels are none"):
            labelled(repository, "canary")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[1]", "it must be an object"),
        ({"stable": "1"}, "the version of 'stable' must be a positive integer"),
        ({"stable": 0}, "must be a positive integer"),
        ({"stable": True}, "must be a positive integer"),
        ({"": 1}, "must have 1 to 100 printable characters"),
        ({"a\nb": 1}, "must have 1 to 100 printable characters"),
        (" " * 2_000_000, "it has more than 1,048,576 bytes"),
    ],
)
async def test_a_damaged_file_leaves_the_labels_where_they_were(
    root: Path, content: object, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    label(root, {"stable": 1})
    async with started(root) as repository:
        label(root, content)
        await repository.load("default")
        assert labelled(repository, "stable") == 1
        assert caplog.text.count(words) == 1


async def test_the_command_line_takes_a_label_for_a_version(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label(root, {"stable": 1})
    (tmp_path / "photo.png").write_bytes(encode(draw()))
    command = ["stylize", str(tmp_path / "photo.png"), "--style", "plain", "--version", "stable"]
    async with running(root, poll_seconds=0) as server:
        command += ["-o", str(tmp_path / "out.png"), "--server", server.address]
        assert await asyncio.to_thread(main, command) == 0
    assert "painted by default/1" in capsys.readouterr().out


async def test_clients_ask_by_label_and_see_it_move(root: Path) -> None:
    label(root, {"stable": 1})
    photo = encode(draw())
    async with running(root, poll_seconds=0.01) as server, connected(server) as stub:
        answer = await stub.Stylize(order(photo, version_label="stable"), timeout=PATIENCE)
        assert answer.version == 1
        label(root, {"stable": 2})
        repository = server._models.repository
        await until(lambda: labelled(repository, "stable") == 2)
        answer = await stub.Stylize(order(photo, version_label="stable"), timeout=PATIENCE)
        assert answer.version == 2
        async with AsyncClient(server.address) as client:
            assert (await client.stylize(photo, "plain", version="stable")).version == 2
        status, message = await refused(stub, order(photo, version_label="new"))
        assert status is grpc.StatusCode.NOT_FOUND
        assert "the label 'new'; labels are 'stable'" in message
