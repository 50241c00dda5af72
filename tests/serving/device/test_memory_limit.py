import os
from pathlib import Path

import pytest

from serving.config import ServerConfig
from serving.device.memory_limit import Memory, fitted, usable_memory

GIBIBYTE = 2**30


@pytest.fixture(autouse=True)
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 8 GiB."""
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2 * 2**20}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)


@pytest.mark.parametrize(
    ("file", "content", "gibibytes"),
    [
        ("memory.max", "4294967296\n", 4),
        ("memory.max", "max\n", 8),
        ("memory.max", "68719476736\n", 8),
        ("memory/memory.limit_in_bytes", "2147483648\n", 2),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", 8),  # none
        ("something/else", "", 8),
    ],
)
def test_a_process_may_use_what_its_container_may(
    tmp_path: Path, file: str, content: str, gibibytes: int
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(content)
    assert usable_memory(tmp_path) == Memory(gibibytes * GIBIBYTE, is_container=gibibytes < 8)


def test_photos_that_do_not_fit_are_not_allowed_and_the_log_says_what_to_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    container = Memory(4 * GIBIBYTE, is_container=True)
    config = fitted(ServerConfig(max_queue_size=16), container, codecs=2, on_cpu=True)
    assert config.max_pixels == 9_900_000
    assert config.max_queue_size == 16
    fitted(ServerConfig(), Memory(4 * GIBIBYTE, is_container=False), codecs=2, on_cpu=True)
    of_container, of_machine = caplog.messages
    assert of_container == (
        "max_pixels is lowered from 24,000,000 to 9,900,000: 16 photos (max_queue_size) of the "
        "former may take 9.3 GiB, and this process may have 4.0; give it more memory, or lower "
        "max_queue_size or max_pixels"
    )
    assert of_machine == (
        "max_pixels is lowered from 24,000,000 to 12,400,000: one photo of the former may take "
        "7.5 GiB, and this process may have 4.0; give it more memory, or lower max_pixels"
    )


@pytest.mark.parametrize(
    ("gibibytes", "is_container", "queue", "on_cpu", "pixels"),
    [
        (16, True, 64, True, 24_000_000),
        (8, True, 1, True, 24_000_000),
        (8, False, 64, True, 24_000_000),  # nothing kills it while others use no memory
        (8, True, 64, False, 24_000_000),  # the network is in the memory of a GPU
        (8, True, 64, True, 13_900_000),
        (1, True, 1000, True, 1_000_000),
        (0.1, False, 64, True, 1_000_000),
    ],
)
def test_the_memory_decides_how_large_photos_may_be(
    gibibytes: float,
    is_container: bool,
    queue: int,
    on_cpu: bool,
    pixels: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    memory = Memory(int(gibibytes * GIBIBYTE), is_container)
    config = fitted(ServerConfig(max_queue_size=queue), memory, codecs=2, on_cpu=on_cpu)
    assert config.max_pixels == pixels
    assert len(caplog.messages) == (pixels < 24_000_000)
