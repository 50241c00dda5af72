"""Styles that are added while the server runs: as files in the folder, or sent to it."""

import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from serving.models.repository import Repository
from serving.server import Server
from sfumato.bundle.style_bank import StyleBank
from sfumato.bundle.style_file import MAX_STYLE_FILE_BYTES, write_style_file
from sfumato.cli.main import main
from sfumato.client.async_client import AsyncClient
from sfumato.client.client import Client
from sfumato.errors import ServiceError
from sfumato.v1 import admin_service_pb2 as pb
from sfumato.v1.admin_service_pb2_grpc import AdminServiceStub
from tests.serving.photos import decode, draw, encode
from tests.serving.repositories import OTHER_DIGEST, new_style, put, started
from tests.serving.running import (
    MAX_MESSAGE,
    PATIENCE,
    ServerProcess,
    connected,
    order,
    running,
    until,
)
from tests.serving.tiny_network import paint


@pytest.fixture
def styles(root: Path) -> Path:
    """The folder for style files of the model."""
    (root / "default" / "styles").mkdir()
    return root / "default" / "styles"


@asynccontextmanager
async def following(root: Path) -> AsyncIterator[tuple[Server, Repository]]:
    """Runs a server that looks at its folder often."""
    async with running(root, poll_seconds=0.01, admin=True) as server:
        yield server, server._models.repository


def ids(repository: Repository) -> tuple[str, ...]:
    return repository.find().bank.ids


async def test_a_style_that_is_dropped_in_is_served_without_a_reload(
    root: Path, styles: Path
) -> None:
    photo = draw()
    async with following(root) as (server, repository), connected(server) as stub:
        session = repository.find().session
        write_style_file(styles / "Half of it.safetensors", new_style("half", 0.5))
        await until(lambda: ids(repository) == ("plain", "half"))
        answer = await stub.Stylize(order(encode(photo), {"plain": 1, "half": 1}), timeout=PATIENCE)
        np.testing.assert_array_equal(decode(answer.image), paint(photo, 0.75, 0.0))
        assert repository.find().session is session


async def test_a_style_file_that_changes_or_goes_changes_what_is_served(
    root: Path, styles: Path
) -> None:
    write_style_file(styles / "a.safetensors", new_style("half", 0.5))
    async with following(root) as (_, repository):
        assert ids(repository) == ("plain", "half")  # what lies there at the start is served
        write_style_file(styles / "a.safetensors", new_style("half", 0.25))
        await until(lambda: repository.find().bank.row("half")[0] == 0.25)
        (styles / "a.safetensors").unlink()
        await until(lambda: ids(repository) == ("plain",))


async def test_a_folder_of_styles_that_cannot_be_read_is_told_once_and_takes_none_away(
    root: Path, styles: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_style_file(styles / "half.safetensors", new_style("half"))
    async with following(root) as (_, repository):
        with monkeypatch.context() as denied:  # modes do not keep an administrator out
            denied.setattr(os, "access", lambda path, mode: (path, mode) != (styles, os.X_OK))
            await until(lambda: "cannot be read" in caplog.text)
            put(root / "default" / "2")
            await until(lambda: repository.find().version == 2)
            assert ids(repository) == ("plain", "half")
            write_style_file(styles / "quarter.safetensors", new_style("quarter"))
        await until(lambda: ids(repository) == ("plain", "half", "quarter"))
    assert caplog.text.count(f"{styles} cannot be read: Permission denied") == 1


async def test_a_style_is_served_by_every_version_of_its_network(root: Path, styles: Path) -> None:
    put(root / "default" / "2", style="other")
    write_style_file(styles / "half.safetensors", new_style("half"))
    async with following(root) as (_, repository):
        assert {model.bank.ids for model in repository} == {("plain", "half"), ("other", "half")}
        put(root / "default" / "3")
        await until(lambda: repository.find().version == 3)
        assert ids(repository) == ("plain", "half")


async def test_a_reload_keeps_the_added_styles_at_every_moment(root: Path, styles: Path) -> None:
    write_style_file(styles / "half.safetensors", new_style("half"))
    async with following(root) as (_, repository):
        put(root / "default" / "1", gain=2.0)
        await until(lambda: _has_half(repository) and _gain(repository) == 2.0)


def _has_half(repository: Repository) -> bool:
    assert "half" in ids(repository)
    return True


def _gain(repository: Repository) -> float:
    return float(repository.find().bank.row("plain")[0])


async def test_the_event_loop_puts_no_banks_together(
    root: Path, styles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    with_styles = StyleBank.with_styles

    def recorded(bank: StyleBank, added: Any) -> StyleBank:
        threads.append(threading.current_thread())
        return with_styles(bank, added)

    monkeypatch.setattr(StyleBank, "with_styles", recorded)
    put(root / "default" / "2")
    write_style_file(styles / "half.safetensors", new_style("half"))
    async with started(root) as repository:
        write_style_file(styles / "third.safetensors", new_style("third"))
        await repository.versions_of("default").sync()
        await repository.add_style("default", content(tmp_path, "fourth"))
        put(root / "default" / "1", gain=2.0)
        await repository.load("default")
        await repository.unload("default")
        await repository.load("default")
        assert {model.bank.ids for model in repository} == {("plain", "fourth", "half", "third")}
    assert threading.current_thread() not in threads
    assert len(threads) == 2 + 2 + 2 + 1 + 2  # and none of them twice


async def test_what_is_no_style_of_this_model_is_told_once_and_harms_nobody(
    root: Path, styles: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with following(root) as (_, repository):
        (styles / "damaged.safetensors").write_bytes(b"no style")
        (styles / "large.safetensors").write_bytes(bytes(MAX_STYLE_FILE_BYTES + 1))
        write_style_file(styles / "foreign.safetensors", new_style("far", digest=OTHER_DIGEST))
        write_style_file(styles / "long.safetensors", new_style("long", size=3))
        write_style_file(styles / "taken.safetensors", new_style("plain", 0.1))
        write_style_file(styles / "twice-a.safetensors", new_style("twice", 0.2))
        write_style_file(styles / "twice-b.safetensors", new_style("twice", 0.3))
        write_style_file(styles / "zebra.safetensors", new_style("zebra"))
        (styles / ".hidden.safetensors").write_bytes(b"no style")
        (styles / "half.safetensors.tmp").write_bytes(b"no style")
        (styles / "folder.safetensors").mkdir()
        await until(lambda: ids(repository) == ("plain", "twice", "zebra"))
        assert repository.find().bank.row("plain")[0] == 1.0
        assert repository.find().bank.row("twice")[0] == np.float32(0.2)
        for words in (
            "damaged.safetensors is not served: ",
            "large.safetensors is not served: ",
            "foreign.safetensors is not served: style 'far' belongs to network",
            "long.safetensors is not served: the row of style 'long' has 3 numbers",
            "taken.safetensors is not served: the bundle has a style 'plain'",
            "twice-b.safetensors is not served: another file has a style 'twice'",
        ):
            await until(lambda: words in caplog.text)  # noqa: B023 - waits at once
        (styles / "one-more.safetensors").write_bytes(b"no style")
        await until(lambda: "one-more.safetensors" in caplog.text)
        told = [r.getMessage() for r in caplog.records if "is not served" in r.getMessage()]
        assert len(told) == len(set(told)) == 7
        write_style_file(styles / "damaged.safetensors", new_style("mended"))
        await until(lambda: "mended" in ids(repository))


async def add(server: Server, style_file: bytes, model: str = "") -> Any:
    async with grpc.aio.insecure_channel(server.address, options=MAX_MESSAGE) as channel:
        stub: Any = AdminServiceStub(channel)
        request = pb.AddStyleRequest(model=model, style_file=style_file)
        return await stub.AddStyle(request, timeout=PATIENCE)


async def refusal(server: Server, style_file: bytes, model: str = "") -> tuple[Any, str]:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await add(server, style_file, model)
    return refused.value.code(), refused.value.details() or ""


def content(folder: Path, *arguments: Any, **options: Any) -> bytes:
    """Gives the bytes of a style file."""
    write_style_file(folder / "sent.safetensors", new_style(*arguments, **options))
    return (folder / "sent.safetensors").read_bytes()


async def test_a_style_that_is_sent_is_served_at_once_and_after_a_restart(
    root: Path, tmp_path: Path
) -> None:
    photo = draw()
    put(root / "default" / "2")
    async with running(root, admin=True, poll_seconds=0.01) as server, connected(server) as stub:
        added = await add(server, content(tmp_path, "half", 0.5))
        assert (added.style_id, added.versions, added.stored) == ("half", [1, 2], True)
        answer = await stub.Stylize(order(encode(photo), "half"), timeout=PATIENCE)
        np.testing.assert_array_equal(decode(answer.image), paint(photo, 0.5, 0.0))
    assert [file.name for file in (root / "default" / "styles").iterdir()] == ["half.safetensors"]
    async with running(root, poll_seconds=0) as server:
        assert ids(server._models.repository) == ("plain", "half")


async def test_the_log_names_the_model_that_got_a_style_and_counts_added_styles(
    root: Path, styles: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    write_style_file(styles / "half.safetensors", new_style("half"))
    put(root / "default" / "2")
    async with running(root, admin=True, poll_seconds=0) as server:
        assert "loaded model=default/2 styles=2 " in caplog.text
        await add(server, content(tmp_path, "third"))
        assert "AddStyle model='default' version=2 style=third stored=True" in caplog.text
        await refusal(server, b"no style")
        assert caplog.text.count("AddStyle model='default' version=2 ") == 2


async def test_styles_that_cannot_be_added_are_refused_with_the_reason(
    root: Path, tmp_path: Path
) -> None:
    styles = root / "default" / "styles"
    styles.mkdir()
    (styles / "damaged.safetensors").write_bytes(b"no style")
    write_style_file(styles / "another.safetensors", new_style("filed"))
    put(root / "broken" / "1", style="plain")
    (root / "broken" / "1" / "model.onnx").write_bytes(b"")
    code = grpc.StatusCode
    cases = {
        (b"no style", ""): (code.INVALID_ARGUMENT, "not a safetensors file"),
        (bytes(MAX_STYLE_FILE_BYTES + 1), ""): (code.INVALID_ARGUMENT, "at most 1,048,576 bytes"),
        (content(tmp_path, "a", digest=OTHER_DIGEST), ""): (
            code.INVALID_ARGUMENT,
            "train it on this network",
        ),
        (content(tmp_path, "a", size=3), ""): (code.INVALID_ARGUMENT, "the network takes 2"),
        (content(tmp_path, "a"), "../default"): (code.NOT_FOUND, "no model '../default'"),
        (content(tmp_path, "a"), "broken"): (code.FAILED_PRECONDITION, "model.onnx is damaged"),
        (content(tmp_path, "plain"), ""): (code.ALREADY_EXISTS, "a style 'plain' already"),
        (content(tmp_path, "filed"), ""): (code.ALREADY_EXISTS, "a style 'filed' already"),
        (content(tmp_path, "damaged"), ""): (code.ALREADY_EXISTS, "choose another id"),
    }
    async with running(root, admin=True, poll_seconds=0) as server:
        for (style_file, model), (status, words) in cases.items():
            found, message = await refusal(server, style_file, model)
            assert (found, words in message) == (status, True), message
    assert (styles / "damaged.safetensors").read_bytes() == b"no style"


async def test_an_id_never_becomes_a_path(root: Path, tmp_path: Path) -> None:
    harmless = content(tmp_path, "a-b-c-d")
    async with running(root, admin=True, poll_seconds=0) as server:
        for id_ in (b"../../x", b"/tmp/xy", b"a/b/c/d", b"A-b-c-d", b"a.b.c.d", b"-a-b-c-"):
            status, message = await refusal(server, harmless.replace(b"a-b-c-d", id_))
            assert status is grpc.StatusCode.INVALID_ARGUMENT
            assert "cannot be a style id" in message
    assert not (root / "default" / "styles").exists()


async def test_where_the_folder_cannot_be_written_the_style_lives_in_memory(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # A file in place of the folder, because an administrator may write anywhere.
    (root / "default" / "styles").write_bytes(b"")
    async with running(root, admin=True, poll_seconds=0.01) as server:
        repository = server._models.repository
        added = await add(server, content(tmp_path, "half"))
        assert (added.versions, added.stored) == ([1], False)
        assert "cannot be written" in caplog.text
        put(root / "default" / "1", gain=2.0)
        await until(lambda: _gain(repository) == 2.0)
        assert ids(repository) == ("plain", "half")
        await repository.unload("default")
        await repository.load("default")
        assert ids(repository) == ("plain", "half")
        status, _ = await refusal(server, content(tmp_path, "half"))
        assert status is grpc.StatusCode.ALREADY_EXISTS


async def test_without_admin_no_style_is_taken(root: Path, tmp_path: Path) -> None:
    async with running(root) as server:
        status, _ = await refusal(server, content(tmp_path, "half"))
        assert status is grpc.StatusCode.UNIMPLEMENTED
        async with AsyncClient(server.address) as client:
            with pytest.raises(ServiceError, match=r"its operator must start it with --admin true"):
                await client.add_style(content(tmp_path, "half"))
        assert ids(server._models.repository) == ("plain",)


async def test_the_asynchronous_client_adds_a_style(root: Path, tmp_path: Path) -> None:
    content(tmp_path, "half")
    async with running(root, admin=True) as server, AsyncClient(server.address) as client:
        added = await client.add_style(tmp_path / "sent.safetensors", model="default")
        assert (added.style_id, added.versions, added.stored) == ("half", (1,), True)
        with pytest.raises(ServiceError) as refused:
            await client.add_style(tmp_path / "sent.safetensors")
        assert refused.value.code is grpc.StatusCode.ALREADY_EXISTS


def test_the_client_and_the_command_line_add_styles(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half, quarter = content(tmp_path, "half"), tmp_path / "sent.safetensors"
    content(tmp_path, "quarter", 0.25)
    with ServerProcess(root, tmp_path, "--admin", "true") as server:
        with Client(server.address) as client:
            assert client.add_style(half).style_id == "half"
            command = ["add-style", str(quarter), "--server", server.address]
            assert main([*command, "--model", "default"]) == 0
            assert capsys.readouterr().out == "quarter: served by version 1\n"
            assert [style.id for style in client.list_styles()] == ["plain", "half", "quarter"]
            assert main(command) == 1
            assert "a style 'quarter' already" in capsys.readouterr().err
        assert main(["add-style", str(tmp_path / "absent"), "--server", server.address]) == 1
        assert "absent cannot be read" in capsys.readouterr().err
