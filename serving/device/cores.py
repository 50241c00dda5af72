"""How many CPU cores this process may use."""

import math
import os
from pathlib import Path
from typing import Final

_CONTROL_GROUPS: Final = Path("/sys/fs/cgroup")
_UNLIMITED: Final = 2**31


def usable_cores(control_groups: Path = _CONTROL_GROUPS) -> int:
    """Counts the cores of the affinity mask, capped by the container's CPU quota.

    Containers limit CPU time by quota and leave the mask alone; a thread per visible core would
    then fight for a few cores' worth of time.

    Args:
        control_groups: where a container finds its own control group, of either version.

    Returns:
        At least 1.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:  # macOS and Windows
        cores = os.cpu_count() or 1
    quotas = [
        _quota(control_groups / "cpu.max"),
        _quota(control_groups / "cpu/cpu.cfs_quota_us", control_groups / "cpu/cpu.cfs_period_us"),
    ]
    return max(1, min(cores, *quotas))


def _quota(*files: Path) -> int:
    """Reads "<microseconds> <period in microseconds>", in one file or two, as cores."""
    try:
        allowed, period = " ".join(file.read_text() for file in files).split()
        quota = math.ceil(int(allowed) / int(period))
    except (OSError, ValueError):  # not this version of control groups, or "max": no quota
        return _UNLIMITED
    return quota if quota > 0 else _UNLIMITED  # version 1 says -1 for none
