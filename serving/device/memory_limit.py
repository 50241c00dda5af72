"""How much memory this process may use, and the largest photos for which that is enough."""

import logging
import os
from dataclasses import dataclass, replace
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

DECODING_BYTES: Final = 24
"""Bytes for each pixel of a photo that is decoded: lossless WebP with transparency takes most."""

WAITING_BYTES: Final = 4
"""Bytes for each pixel of a photo that waits: three colours, and perhaps transparency. For a brush
size other than 1 it is no more, as of the photo's own size only luminance waits; but for one
between 1 and 1.22, where a transparent photo takes up to 5."""

_LEAST_PIXELS: Final = 1_000_000  # below, the estimate is too rough to refuse a photo by it


@dataclass(frozen=True)
class Memory:
    """What this process may use.

    Attributes:
        size: in bytes.
        is_container: whether a container has that limit, and not the machine.
    """

    size: int
    is_container: bool


def usable_memory(control_groups: Path = _CONTROL_GROUPS) -> Memory:
    """Gives the memory of the machine, or of the container if it may have less.

    Args:
        control_groups: where a container finds its own control group, of either version.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [
        _limit(control_groups / "memory.max"),
        _limit(control_groups / "memory/memory.limit_in_bytes"),
    ]
    size = min([machine, *(limit for limit in limits if limit is not None)])
    return Memory(size, is_container=size < machine)


def fitted(config: ServerConfig, memory: Memory, *, codecs: int, on_cpu: bool) -> ServerConfig:
    """Lowers ``max_pixels`` to what fits into the memory, and says so.

    A container that takes more than it may have is killed with all that it has accepted, and a
    photo of many pixels can be a file of a few hundred bytes. So there everything must fit that
    may be inside at once. On a machine of its own, where the only client may well be whoever
    started the server, it is enough that one photo fits.

    Args:
        config: settings of the server.
        memory: what the process may use.
        codecs: how many photos are decoded at once.
        on_cpu: whether the network uses that memory, and not a GPU's.
    """
    photos = config.max_queue_size if memory.is_container else 1
    decoded = min(codecs, photos)
    per_pixel = decoded * DECODING_BYTES + (photos - decoded) * WAITING_BYTES
    per_pixel += NETWORK_BYTES if on_cpu else 0
    most = max(_LEAST_PIXELS, (memory.size - PROCESS_BYTES) // per_pixel // 100_000 * 100_000)
    if config.max_pixels <= most:
        return config
    _log.warning(
        "max_pixels is lowered from %s to %s: %s of the former may take %.1f GiB, and this "
        "process may have %.1f; give it more memory, or lower %s",
        f"{config.max_pixels:,}",
        f"{most:,}",
        "one photo" if photos == 1 else f"{photos} photos (max_queue_size)",
        (PROCESS_BYTES + per_pixel * config.max_pixels) / 2**30,
        memory.size / 2**30,
        "max_pixels" if photos == 1 else "max_queue_size or max_pixels",
    )
    return replace(config, max_pixels=most)


def _limit(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # not this version of control groups, or "max": no limit
        return None
