"""Thousands of changed files: each is a photo or an ImageError, and costs what a photo costs."""

import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.sfumato.mutated_images import FILES, decodes, mutants

ROOT = Path(__file__).resolve().parents[3]
MUTANTS = 3400  # of each format: more than 10,000 together
MOST_GROWTH = 32 << 10  # KiB; a profile may unpack to 16 MiB
PATIENCE = 300.0


@pytest.mark.parametrize("image_format", FILES)
def test_thousands_of_changed_files_neither_crash_nor_hang_nor_fill_the_memory(
    image_format: str, tmp_path: Path
) -> None:
    """In a process of its own: what libraries write past Python is seen, and crashes are, too."""
    current = tmp_path / "mutant"
    program = ["-W", "always", "-X", "faulthandler", "-m", "tests.sfumato.mutated_images"]
    done = subprocess.run(
        [sys.executable, *program, image_format, str(MUTANTS), str(current)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), current
    photos, growth = map(int, done.stdout.split())
    assert MUTANTS / 20 < photos < MUTANTS / 2  # both ways are tried
    assert growth < MOST_GROWTH


@pytest.mark.parametrize("image_format", FILES)
def test_the_same_seed_gives_the_same_files(image_format: str) -> None:
    first, again, others = (list(islice(mutants(image_format, seed), 20)) for seed in (0, 0, 1))
    assert first == again != others
    assert not all(decodes(file) for file in first)
