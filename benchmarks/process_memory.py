"""Memory of a process, as Linux counts it."""

from pathlib import Path


def mebibytes(pid: int, name: str = "VmRSS") -> float:
    """Gives a line of /proc/<pid>/status in MiB: VmRSS is resident now, VmHWM was at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return int(kilobytes) / 1024
