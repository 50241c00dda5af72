"""Coarse to fine: small images first, each the start of the next, and resumable.

Large structures form at small sizes, where the network's fields of view cover them (Gatys,
Ecker, Bethge, Hertzmann, Shechtman 2017, "Controlling Perceptual Factors", section 6).
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sfumato.files.atomic import write_file
from training.optimize.failures import OptimizationError
from training.optimize.images import ImageParameterization
from training.optimize.loop import ImageFunction, Progress, Result, optimize
from training.optimize.objective import FeatureNetwork, Objective
from training.optimize.optimizers import OptimizerName
from training.optimize.picture_file import resize

Size = tuple[int, int]
"""Height and width in pixels."""

Observe = Callable[[int, Size], AbstractContextManager[Callable[[Progress], None] | None]]
"""Level and size in; a context that gives the level's ``on_step``."""


@dataclass(frozen=True)
class Problem:
    """What is optimized at one level: the arguments of ``optimize``."""

    image: ImageParameterization
    objective: Objective
    network: FeatureNetwork
    steps: int
    optimizer: OptimizerName = "lbfgs"
    lr: float | None = None
    transform: ImageFunction | None = None
    gradient: ImageFunction | None = None
    project: ImageFunction | None = None


Build = Callable[[int, Size, Tensor | None], Problem]
"""Level, size and the last level's image (enlarged to the size; None at first) in."""


def coarse_to_fine(size: Size, levels: int, smallest: int = 32) -> list[Size]:
    """Returns ``levels`` sizes, each half of the next, ``size`` the last.

    Levels whose shorter side would be below ``smallest`` are left out.
    """
    sizes = [(round(size[0] / 2**level), round(size[1] / 2**level)) for level in range(levels)]
    return [each for each in reversed(sizes) if min(each) >= smallest or each == size]


def optimize_pyramid(
    sizes: Sequence[Size],
    build: Build,
    *,
    work: Path | None = None,
    fingerprint: str = "",
    observe: Observe | None = None,
    enlarge: Callable[[Tensor, Size], Tensor] = resize,
) -> Result:
    """Optimizes level by level.

    With a work folder, each finished level is written there, and a later call with the same
    fingerprint goes on behind the last one finished.

    Args:
        sizes: from coarse to fine, one or more.
        build: makes the problem of a level.
        work: folder for finished levels; None keeps nothing.
        fingerprint: of everything else that decides the result, see ``fingerprint_of``.
        observe: gives each level's observer.
        enlarge: makes an image [N, 3, H, W] as large as the next level.

    Returns:
        The last level's image; the losses of all levels run now, one after the other. After
        Ctrl-C, the best image of the level that was interrupted.

    Raises:
        OptimizationError: a level failed; it carries the last good image, if need be that of the
            level before.
    """
    done = _Finished(work, fingerprint, sizes)
    level, image = done.last()
    losses: list[float] = []
    while level < len(sizes):
        previous = None if image is None else enlarge(image, sizes[level])
        try:
            problem = build(level, sizes[level], previous)
            with observe(level, sizes[level]) if observe else nullcontext() as on_step:
                result = _solve(problem, on_step)
        except OptimizationError as error:
            error.image = image if error.image is None else error.image
            raise
        losses += result.losses
        image = result.image
        if result.interrupted:
            return Result(image, losses, interrupted=True)
        done.save(level, image)
        level += 1
    assert image is not None
    return Result(image, losses, interrupted=False)


def fingerprint_of(options: Mapping[str, object], files: Sequence[Path] = ()) -> str:
    """Returns a digest of options and of the contents of files."""
    sha = hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode())
    for file in files:
        sha.update(hashlib.sha256(file.read_bytes()).digest())
    return sha.hexdigest()


def _solve(problem: Problem, on_step: Callable[[Progress], None] | None) -> Result:
    return optimize(
        problem.image,
        problem.objective,
        problem.network,
        steps=problem.steps,
        optimizer=problem.optimizer,
        lr=problem.lr,
        transform=problem.transform,
        gradient=problem.gradient,
        project=problem.project,
        on_step=on_step,
    )


class _Finished:
    """The finished levels in the work folder; float32, because a PNG would round them."""

    def __init__(self, work: Path | None, fingerprint: str, sizes: Sequence[Size]) -> None:
        self._work, self._sizes = work, sizes
        self._digests = [
            fingerprint_of({"of": fingerprint, "sizes": sizes[: level + 1]})
            for level in range(len(sizes))
        ]

    def last(self) -> tuple[int, Tensor | None]:
        """Returns the next level to run, and the finished image before it."""
        for level in reversed(range(len(self._sizes))) if self._work else ():
            image = self._load(level)
            if image is not None:
                return level + 1, image
        return 0, None

    def save(self, level: int, image: Tensor) -> None:
        if self._work is not None:
            self._work.mkdir(parents=True, exist_ok=True)
            data = save({"image": image.cpu().contiguous()}, {"fingerprint": self._digests[level]})
            write_file(self._file(level), data)

    def _load(self, level: int) -> Tensor | None:
        try:
            with safe_open(self._file(level), framework="pt") as file:
                ours = (file.metadata() or {}).get("fingerprint") == self._digests[level]
                return file.get_tensor("image") if ours else None
        except (SafetensorError, OSError):
            return None  # absent or damaged: the level is run again

    def _file(self, level: int) -> Path:
        assert self._work is not None
        height, width = self._sizes[level]
        return self._work / f"level-{level}-{width}x{height}.safetensors"
