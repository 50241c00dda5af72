"""What a benchmark ran on, as the line above its table."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from training.evaluation.machine import processor


def describe_machine(*packages: str) -> str:
    """Returns processor, usable cores, Python and the versions of ``packages`` in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = ", ".join(f"{package} {_version(package)}" for package in packages)
    return f"{processor()}, {cores} cores, Python {platform.python_version()}, {versions}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
