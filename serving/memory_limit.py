"""How much memory this process may use, and the largest photos for which that is enough."""

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from serving.config import ServerConfig

_log = logging.getLogger(__name__)

_CONTROL_GROUPS: Final = Path("/sys/fs/cgroup")

PROCESS_BYTES: Final = 250 * 2**20
"""What the server takes by itself, loading and warming up included."""

NETWORK_BYTES: Final = 300
"""Bytes that the default network takes on a CPU for each pixel of a photo, at most: 210 to 296 by
``python -m benchmarks.server_memory`` (docs/operations.md)."""

WAITING_BYTES: Final = 4
"""Bytes for each pixel of a photo that waits: three colours, and perhaps transparency."""

_LEAST_PIXELS: Final = 1_000_000  # below, the estimate is too rough to refuse a photo by it


def usable_memory(control_groups: Path = _CONTROL_GROUPS) -> int:
    """Gives the bytes of the machine, or of the container if it may have fewer.

    Args:
        control_groups: where a container finds its own control group, of either version.
    """
    limits = [
        _limit(control_groups / "memory.max"),
        _limit(control_groups / "memory/memory.limit_in_bytes"),
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    ]
    return min(limit for limit in limits if limit is not None)


def fitted(config: ServerConfig, memory: int, *, on_cpu: bool) -> ServerConfig:
    """Lowers ``max_pixels`` to what fits into the memory, and says so.

    A container that takes more than it may have is killed with all that it has accepted, and a
    photo of many pixels can be a file of a few hundred bytes.

    Args:
        config: settings of the server.
        memory: bytes that the process may use.
        on_cpu: whether the network uses that memory, and not a GPU's.
    """
    per_pixel = WAITING_BYTES * config.max_queue_size + (NETWORK_BYTES if on_cpu else 0)
    most = max(_LEAST_PIXELS, (memory - PROCESS_BYTES) // per_pixel // 100_000 * 100_000)
    if config.max_pixels <= most:
        return config
    needed = PROCESS_BYTES + per_pixel * config.max_pixels
    _log.warning(
        "max_pixels is lowered from %s to %s: %d photos (max_queue_size) of the former may take "
        "%.1f GiB, and this process may have %.1f; give it more memory, or lower max_queue_size "
        "or max_pixels",
        f"{config.max_pixels:,}",
        f"{most:,}",
        config.max_queue_size,
        needed / 2**30,
        memory / 2**30,
    )
    return replace(config, max_pixels=most)


def _limit(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # not this version of control groups, or "max": no limit
        return None
