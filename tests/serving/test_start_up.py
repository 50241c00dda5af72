"""What a user sees when the server cannot start: one line and an exit status."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from serving.config import ModelConfig, ServerConfig
from serving.errors import ConfigError
from serving.models.model import LoadableSession
from serving.server import Server
from sfumato.bundle.bundle import Bundle
from sfumato.errors import BundleError
from tests.serving.running import PATIENCE, ServerProcess, run_to_the_end, running, until
from tests.serving.tiny_network import write_tiny_bundle

USAGE = 2
FAILURE = 1


def complaint(*options: str, status: int = FAILURE, **environment: str) -> str:
    """Runs a server that must not start; gives its complaint, which is the last line."""
    found, output, errors = run_to_the_end(*options, environment=environment)
    assert found == status
    assert output == ""
    assert "Traceback" not in errors
    *logged, last = errors.splitlines()
    assert all(" ERROR " in line or " INFO " in line for line in logged), errors
    assert last.startswith("python -m serving: error: ")
    return last.removeprefix("python -m serving: error: ")


async def reason_not_to_start(models: Path, **settings: Any) -> str:
    """Starts a server in this process, which must fail; gives the reason."""
    server = Server(ServerConfig(models=models, **{"port": 0, "device": "cpu", **settings}))
    with pytest.raises(ConfigError) as refusal:
        await server.start()
    return str(refusal.value)


def test_a_wrong_option_is_told_on_one_line() -> None:
    words = complaint("--prot", "1", status=USAGE)
    assert words == "unrecognized arguments: --prot 1; did you mean --port?"


def test_a_wrong_value_in_the_environment_is_told_on_one_line() -> None:
    assert "port: expected int, not x" in complaint(status=USAGE, SFUMATO_PORT="x")


def test_a_folder_with_nothing_but_damage_is_told_on_one_line(models: Path) -> None:
    (models / "default" / "1" / "model.onnx").write_bytes(b"")
    assert "model.onnx is damaged" in complaint("--models", str(models), "--port", "0")


def test_two_servers_never_share_a_port(models: Path, tmp_path: Path) -> None:
    with ServerProcess(models, tmp_path) as server:
        port = server.address.rpartition(":")[2]
        words = complaint("--models", str(models), "--port", port)
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in words


def test_what_fails_after_the_warm_up_is_told_on_one_line(models: Path, tmp_path: Path) -> None:
    port_file = str(tmp_path / "absent" / "port")
    words = complaint("--models", str(models), "--port", "0", "--port-file", port_file)
    assert "cannot write port_file" in words


async def test_what_fails_after_the_warm_up_leaves_no_task_and_no_thread(
    models: Path, tmp_path: Path
) -> None:
    tasks, threads = asyncio.all_tasks(), {*threading.enumerate()}
    await reason_not_to_start(models, port_file=tmp_path / "absent" / "port")
    assert asyncio.all_tasks() == tasks
    left = ("device", "codec", "files")
    await until(
        lambda: not any(t.name.startswith(left) for t in {*threading.enumerate()} - threads)
    )


async def test_a_start_that_is_given_up_closes_the_port(models: Path) -> None:
    opening, go_on = threading.Event(), threading.Event()

    def open_session(_: Bundle) -> LoadableSession:
        opening.set()
        go_on.wait(PATIENCE)
        raise BundleError("nobody waits for it")

    server = Server(ServerConfig(models=models, port=0, device="cpu"), open_session=open_session)
    starting = asyncio.create_task(server.start())
    await until(opening.is_set)
    starting.cancel()
    await asyncio.wait([starting])
    go_on.set()
    assert starting.cancelled()
    host, port = server.address.split(":")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))


async def test_an_absent_model_folder_is_refused(tmp_path: Path) -> None:
    reason = await reason_not_to_start(tmp_path / "absent")
    assert "No such file or directory" in reason
    assert "--models" in reason


async def test_an_empty_model_folder_is_refused(tmp_path: Path) -> None:
    assert "it must hold <name>/<version>/ folders" in await reason_not_to_start(tmp_path)


async def test_an_address_of_another_machine_is_refused(models: Path) -> None:
    # 192.0.2.0/24 is reserved for documentation (RFC 5737): no machine has it.
    reason = await reason_not_to_start(models, host="192.0.2.1", port=8001)
    assert reason.startswith("cannot listen on 192.0.2.1:8001: ")


async def test_a_host_that_does_not_exist_is_refused(models: Path) -> None:
    reason = await reason_not_to_start(models, host="nowhere.invalid")
    assert reason.startswith("cannot listen on nowhere.invalid:0: ")


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine may have a GPU")
async def test_cuda_is_refused_where_there_is_none(models: Path) -> None:
    assert "device is cuda" in await reason_not_to_start(models, device="cuda")


def test_help_names_every_option_and_exits_well() -> None:
    status, output, errors = run_to_the_end("--help")
    assert (status, errors) == (0, "")
    assert "--max_batch_delay_ms" in output
    assert "SFUMATO_MAX_BATCH_DELAY_MS" in output
    assert "Longest time in milliseconds that a photo waits" in " ".join(output.split())


async def test_the_log_says_what_runs_where_and_warns_of_misspelt_variables(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny_bundle(models / "broken" / "3")
    (models / "broken" / "3" / "bundle.json").unlink()
    monkeypatch.setenv("SFUMATO_PROT", "1")
    with ServerProcess(models, tmp_path) as server:
        await server.logs("serving on")
        log = server.log
    assert "loaded model=default/1 styles=3 provider=CPUExecutionProvider precision=float32" in log
    assert "ERROR serving.models.version_slot cannot serve model=broken/3: " in log
    assert "WARNING python -m serving SFUMATO_PROT sets no option" in log
    assert f"serving on {server.address}" in log


def test_the_server_never_imports_torch(models: Path, tmp_path: Path) -> None:
    """The mapped files of a running server: libraries that were loaded in any way."""
    if not Path("/proc/self/maps").exists():
        pytest.skip("needs /proc")
    with ServerProcess(models, tmp_path) as server:
        mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "onnxruntime" in mapped
    assert f"{os.sep}torch{os.sep}" not in mapped


async def test_settings_for_a_model_that_is_not_there_are_warned_of(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = {"default": ModelConfig(max_batch_size=2), "defualt": ModelConfig(max_batch_size=2)}
    async with running(models, per_model=own):
        warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warned == [
        "per_model has settings for 'defualt', which is not in the model folder; there are default"
    ]
