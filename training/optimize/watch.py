"""Watching an optimization: progress bar, intermediate frames, the last line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from tqdm import tqdm

from training.errors import TrainingError
from training.optimize.loop import Progress, Result
from training.optimize.picture_file import write_picture


@contextmanager
def watch(frames: Path | None, every: int, label: str = "") -> Iterator[Callable[[Progress], None]]:
    """Gives an ``on_step`` that shows a progress bar and writes the frames asked for.

    Args:
        frames: folder of the frames; None writes none.
        every: steps from frame to frame.
        label: what the bar is called and what the frames' names begin with, such as ``256``.
    """
    bar = tqdm(total=0, desc=label or None, unit="step", disable=None)  # shown on terminals only
    if frames is not None:
        frames.mkdir(parents=True, exist_ok=True)

    def on_step(progress: Progress) -> None:
        bar.total = progress.steps
        bar.set_postfix_str(f"loss {progress.loss:.4g}", refresh=False)
        bar.update()
        if frames is not None and is_frame(progress, every):
            name = f"{label}-{progress.step:05d}.png" if label else f"{progress.step:05d}.png"
            write_picture(frames / name, progress.image()[:1])

    try:
        yield on_step
    finally:
        bar.close()


def is_frame(progress: Progress, every: int) -> bool:
    """Says whether a frame is due: the first step, each ``every``-th and the last."""
    return progress.step in (1, progress.steps) or progress.step % every == 0


def summary(out: Path | None, result: Result) -> str:
    """Returns the last line of a command."""
    height, width = result.image.shape[-2:]
    losses = result.losses or [float("nan")]
    ended = "interrupted, the best so far: " if result.interrupted else ""
    return (
        f"{ended}wrote {out} ({width} × {height}), loss {losses[0]:.4g} → "
        f"{min(losses):.4g} in {len(result.losses)} steps"
    )


def choose_device(name: str) -> torch.device:
    """Returns the device called ``name``; ``auto`` takes a GPU if there is one.

    Raises:
        TrainingError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(f"no device {name!r} here ({reason}): give cpu or auto") from error
