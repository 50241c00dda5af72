"""What a user sees when the server cannot start: one line and an exit status."""

import os
import socket
from pathlib import Path

import pytest

from tests.serving.running import ServerProcess, run_to_the_end
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


def test_a_wrong_option_is_told_on_one_line() -> None:
    words = complaint("--prot", "1", status=USAGE)
    assert words == "unrecognized arguments: --prot 1; did you mean --port?"


def test_a_wrong_value_in_the_environment_is_told_on_one_line() -> None:
    assert "port: expected int, not x" in complaint(status=USAGE, SFUMATO_PORT="x")


def test_an_absent_model_folder_is_told_on_one_line(tmp_path: Path) -> None:
    words = complaint("--models", str(tmp_path / "absent"), "--port", "0")
    assert "No such file or directory" in words
    assert "--models" in words


def test_an_empty_model_folder_is_told_on_one_line(tmp_path: Path) -> None:
    words = complaint("--models", str(tmp_path), "--port", "0")
    assert "it must hold <name>/<version>/ folders" in words


def test_a_folder_with_nothing_but_damage_is_told_on_one_line(models: Path) -> None:
    (models / "default" / "1" / "model.onnx").write_bytes(b"")
    assert "model.onnx is damaged" in complaint("--models", str(models), "--port", "0")


def test_a_port_in_use_is_told_on_one_line(models: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        words = complaint("--models", str(models), "--port", port)
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in words


def test_two_servers_never_share_a_port(models: Path, tmp_path: Path) -> None:
    with ServerProcess(models, tmp_path) as server:
        port = server.address.rpartition(":")[2]
        assert "already in use" in complaint("--models", str(models), "--port", port)


def test_a_foreign_address_is_told_on_one_line(models: Path) -> None:
    # 192.0.2.0/24 is reserved for documentation (RFC 5737): no machine has it.
    assert "cannot listen on 192.0.2.1:8001" in complaint(
        "--models", str(models), "--host=192.0.2.1"
    )


def test_a_port_file_in_no_folder_is_told_on_one_line(models: Path, tmp_path: Path) -> None:
    port_file = str(tmp_path / "absent" / "port")
    words = complaint("--models", str(models), "--port", "0", "--port-file", port_file)
    assert "cannot write port_file" in words


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine may have a GPU")
def test_cuda_where_there_is_none_is_told_on_one_line(models: Path) -> None:
    assert "device is cuda" in complaint("--models", str(models), "--port", "0", "--device", "cuda")


def test_help_names_every_option_and_exits_well() -> None:
    status, output, errors = run_to_the_end("--help")
    assert (status, errors) == (0, "")
    assert "--max_batch_delay_ms" in output
    assert "SFUMATO_MAX_BATCH_DELAY_MS" in output
    assert "Longest time in milliseconds that a photo waits" in " ".join(output.split())


def test_the_log_says_what_runs_where_and_warns_of_misspelt_variables(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny_bundle(models / "broken" / "3")
    (models / "broken" / "3" / "bundle.json").unlink()
    monkeypatch.setenv("SFUMATO_PROT", "1")
    with ServerProcess(models, tmp_path) as server:
        log = server.log
    assert "loaded model=default/1 styles=3 provider=CPUExecutionProvider" in log
    assert "ERROR serving.repository cannot serve model=broken/3: " in log
    assert "WARNING python -m serving SFUMATO_PROT sets no option" in log
    assert f"serving on {server.address} max_batch_size=1" in log


def test_the_server_never_imports_torch(models: Path, tmp_path: Path) -> None:
    """The mapped files of a running server: libraries that were loaded in any way."""
    if not Path("/proc/self/maps").exists():
        pytest.skip("needs /proc")
    with ServerProcess(models, tmp_path) as server:
        mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "onnxruntime" in mapped
    assert f"{os.sep}torch{os.sep}" not in mapped
