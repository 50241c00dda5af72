"""How many CPU cores this process may use."""

import math
import os
from pathlib import Path

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(quota_file: Path = _CGROUP_QUOTA) -> int:
    """Counts the cores of the affinity mask, capped by the container's CPU quota.

    Containers limit CPU time by quota and leave the mask alone; a thread per visible core would
    then fight for a few cores' worth of time.

    Args:
        quota_file: the cgroup v2 file with "<microseconds>|max <period in microseconds>".

    Returns:
        At least 1.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:  # macOS and Windows
        cores = os.cpu_count() or 1
    return max(1, min(cores, _quota(quota_file)))


def _quota(quota_file: Path) -> int:
    try:
        allowed, period = quota_file.read_text().split()
        return math.ceil(int(allowed) / int(period))
    except (OSError, ValueError):  # no cgroup v2, or "max": no quota
        return 2**31
