"""``make demo``, with a toy model and the real server."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples import demo, local_server

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def finished(models: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the demo printed, and the folder that it filled."""
    out = tmp_path_factory.mktemp("demo") / "out"
    answer = subprocess.run(
        [sys.executable, "-m", "examples.demo", "--models", str(models), "--out", str(out)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return answer.stdout, out


PICTURES = [
    *("dark", "half", "light"),
    *(f"blend-{step}" for step in range(7)),
    *(f"brush-{size:g}" for size in demo.BRUSH_SIZES),
]
"""In the order in which they are painted."""


def brightness(file: Path) -> float:
    return float(np.asarray(Image.open(file)).mean())


def test_every_style_and_every_step_of_the_blend_is_a_picture(finished: tuple[str, Path]) -> None:
    _, out = finished
    pictures = {file.stem for file in out.glob("*.jpg")}
    assert pictures == {"sheet", *PICTURES}


def test_the_pictures_have_the_size_of_the_photo(finished: tuple[str, Path]) -> None:
    _, out = finished
    for name in ("half", "blend-3"):
        with Image.open(out / f"{name}.jpg") as image:
            assert image.size == (640, 427)


def test_the_blend_goes_from_the_first_style_to_the_last(finished: tuple[str, Path]) -> None:
    _, out = finished
    steps = [brightness(out / f"blend-{step}.jpg") for step in range(7)]
    assert steps == sorted(steps)
    assert steps[0] == brightness(out / "dark.jpg")
    assert steps[-1] == brightness(out / "light.jpg")


def test_each_picture_has_a_line_with_its_times(finished: tuple[str, Path]) -> None:
    printed, _ = finished
    lines = re.findall(r"^(\S+)\.jpg +640 x 427 +\d+ ms +\d+ ms$", printed, re.MULTILINE)
    assert lines == PICTURES


def test_a_missing_model_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.main(["--models", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "default holds no version of a model" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_one_clear_line(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out"
    assert demo.main(["--models", str(models), "--out", str(out)]) == 1
    assert f"cannot write into {out}" in capsys.readouterr().err


def test_a_server_that_cannot_start_is_reported_with_its_last_words(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "default" / "1"
    broken.mkdir(parents=True)
    assert demo.main(["--models", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    report = capsys.readouterr().err
    assert "the server ended while starting" in report
    assert "bundle.json" in report


def test_a_server_that_dies_is_reported(models: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(local_server.LocalServerError, match="status -9"),
        local_server.local_server(models, log=tmp_path / "log") as server,
    ):
        os.kill(server.pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_server_does_not_survive_a_signal(
    models: Path, tmp_path: Path, number: signal.Signals
) -> None:
    program = (
        "import time; from pathlib import Path; from examples.local_server import local_server\n"
        f"with local_server(Path({str(models)!r}), log=Path({str(tmp_path / 'log')!r})) as server:"
        " print(server.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        server = int(process.stdout.readline())
        process.send_signal(number)
        assert process.wait(20) != 0
    deadline = time.monotonic() + 5
    while _lives(server) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(server)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
