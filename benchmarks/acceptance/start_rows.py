"""Rows 8 and 13: foreign clients, and a device that is not there."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

from benchmarks.acceptance.verdict import Effort, Verdict
from benchmarks.model_folder import MODELS
from examples.local_server import CHECKOUT

_PATIENCE_SECONDS: Final = 120.0
_FOREIGN_SECONDS: Final = 1800.0


def foreign_clients(_: Effort) -> Iterator[Verdict]:
    """Row 8: clients that others wrote; the first run downloads them."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.foreign.run"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=_FOREIGN_SECONDS,
        check=False,
    )
    passed = ran.returncode == 0
    # Where all went well, what stands on standard error is about installing.
    said = ran.stdout if passed else ran.stdout + ran.stderr
    last = (said.strip().splitlines() or ["nothing said"])[-1]
    yield Verdict("clients that others wrote", "all pass", last, passed)


def missing_gpu(_: Effort) -> Iterator[Verdict]:
    """Row 13: CUDA is demanded and hidden."""
    command = [sys.executable, "-m", "serving", "--models", str(MODELS), "--port", "0"]
    ran = subprocess.run(
        [*command, "--device", "cuda"],
        cwd=CHECKOUT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    reason = (ran.stderr.strip().splitlines() or ["nothing said"])[-1]
    yield Verdict(
        "--device cuda where no GPU is to be seen",
        "exits non-zero with the reason",
        f"status {ran.returncode}: {reason}",
        ran.returncode != 0 and "cuda" in reason,
    )
