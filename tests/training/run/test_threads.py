"""The number of threads goes by the load, unless somebody says a number."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from training.run.threads import (
    VARIABLE,
    choose,
    idle_processors,
    own_processors,
    processor_quota,
    threads,
)


def test_a_number_that_is_given_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "5")
    assert choose(3, 5) == (3, "--threads says so")
    assert choose(None, 5) == (5, "OMP_NUM_THREADS says so")


def test_by_itself_it_is_one_at_least_and_what_torch_would_take_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    count, reason = choose(None, 2)
    assert 1 <= count <= 2
    assert "(--threads N changes it)" in reason


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="Linux tells the load")
def test_a_processor_that_another_program_keeps_busy_is_not_idle() -> None:
    processor = min(own_processors())
    loop = (
        f"import os; os.sched_setaffinity(0, {{{processor}}}); print(flush=True)\nwhile True: pass"
    )
    with subprocess.Popen([sys.executable, "-c", loop], stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None
            other.stdout.readline()
            idle = idle_processors(frozenset({processor}))
        finally:
            other.kill()
    assert idle is not None
    assert idle < 0.5


@pytest.mark.parametrize(
    ("text", "processors"), [("150000 100000\n", 1.5), ("max 100000\n", math.inf), ("?", math.inf)]
)
def test_the_limit_of_a_container_counts(tmp_path: Path, text: str, processors: float) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert processor_quota(tmp_path / "cpu.max") == processors
    assert processor_quota(tmp_path / "absent") == math.inf


def test_the_number_holds_for_a_run_and_its_other_processes_and_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "2")
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
        assert os.environ[VARIABLE] == str(before + 1)
    assert torch.get_num_threads() == before
    assert os.environ[VARIABLE] == "2"
