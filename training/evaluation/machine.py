"""What an evaluation ran on, in one line."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def describe_machine(device: "torch.device", threads: int) -> str:
    """Returns the processor or GPU, the threads, and the versions that matter."""
    import torch

    where = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{processor()}, {threads} threads of {os.cpu_count()} cores"
    )
    runtimes = ("onnxruntime-gpu", "onnxruntime")
    found = [f"{name} {number}" for name in runtimes if (number := _find(name))]
    runtime = found[0] if found else "no ONNX Runtime"
    return f"{where}, Python {platform.python_version()}, torch {version('torch')}, {runtime}"


def _find(package: str) -> str:
    try:
        return version(package)
    except ModuleNotFoundError:
        return ""


def processor() -> str:
    """Returns the processor's name; needs no PyTorch."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
