"""What becomes of memory that photos had, in processes of their own."""

import platform
import subprocess
import sys

import pytest

from tests.serving.running import PATIENCE, ROOT

PROGRAM = """
import sys
from pathlib import Path

import numpy as np

from serving.process import map_large_blocks

def resident_mebibytes():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

def photo(mebibytes):
    return np.ones(mebibytes << 20, np.uint8)

if sys.argv[1] == "mapped":
    assert map_large_blocks()
photo(24)  # freed at once: glibc takes that for the usual size
before = resident_mebibytes()
kept = []
photos = []
for _ in range(10):
    photos.append(photo(4))
    kept.append(np.ones(1000, np.uint8))  # behind it, so that the heap cannot shrink
photos.clear()
print(resident_mebibytes() - before)
"""


def left_mebibytes(how: str) -> float:
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, how],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    return float(found.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_memory_of_photos_is_given_back_although_something_lies_behind_them() -> None:
    assert left_mebibytes("as it comes") > 35  # of 40
    assert left_mebibytes("mapped") < 5
