"""The pyramid, and how it goes on where it was stopped."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor

from training.optimize.failures import TooLargeError
from training.optimize.images import Pixels
from training.optimize.loop import Progress
from training.optimize.perceptual_objectives import content
from training.optimize.picture_file import resize_tile
from training.optimize.pyramid import (
    Problem,
    Size,
    coarse_to_fine,
    fingerprint_of,
    optimize_pyramid,
)

SIZES: list[Size] = [(8, 6), (16, 12), (32, 24)]


def identity(x: Tensor, layers: Iterable[str]) -> Mapping[str, Tensor]:
    return dict.fromkeys(layers, x)


class Builder:
    """Builds problems and remembers what it was asked for."""

    def __init__(self, goal: float = 0.8) -> None:
        self.goal = goal
        self.levels: list[int] = []
        self.previous: list[Tensor | None] = []

    def __call__(self, level: int, size: Size, previous: Tensor | None) -> Problem:
        self.levels.append(level)
        self.previous.append(previous)
        start = torch.full((1, 3, *size), 0.1) if previous is None else previous
        goal = torch.full((1, 3, *size), self.goal)
        return Problem(Pixels(start), content("pixels", goal), identity, 5, "sgd", 0.02)


def test_sizes_double_and_the_last_is_the_one_asked_for() -> None:
    assert coarse_to_fine((768, 1024), 3) == [(192, 256), (384, 512), (768, 1024)]
    assert coarse_to_fine((100, 75), 1) == [(100, 75)]


def test_sizes_too_small_to_help_are_left_out() -> None:
    assert coarse_to_fine((64, 100), 4) == [(32, 50), (64, 100)]
    assert coarse_to_fine((20, 20), 3) == [(20, 20)]


def test_each_level_starts_from_the_last_one_enlarged() -> None:
    build = Builder()
    result = optimize_pyramid(SIZES, build)
    assert build.levels == [0, 1, 2]
    shapes = [None if p is None else tuple(p.shape[-2:]) for p in build.previous]
    assert shapes == [None, (16, 12), (32, 24)]
    # Five steps of 0.02 per level, from 0.1.
    torch.testing.assert_close(build.previous[1], torch.full((1, 3, 16, 12), 0.2))
    torch.testing.assert_close(result.image, torch.full((1, 3, 32, 24), 0.4))
    assert len(result.losses) == 15


def test_an_enlarged_tile_still_fits_itself() -> None:
    tile = torch.rand(1, 3, 8, 6, generator=torch.Generator().manual_seed(0))
    large = resize_tile(tile, (16, 12))
    assert large.shape == (1, 3, 16, 12)
    # Moving the tile and enlarging it can be swapped: no edge is special.
    moved = resize_tile(tile.roll((3, 2), (2, 3)), (16, 12))
    torch.testing.assert_close(moved, large.roll((6, 4), (2, 3)))


class KilledError(Exception):
    """Stands for the end of the process."""


@contextmanager
def killed_at_level(level: int, at: int) -> Iterator[Callable[[Progress], None]]:
    def on_step(progress: Progress) -> None:
        if level == at and progress.step == 3:
            raise KilledError

    yield on_step


def test_a_killed_run_goes_on_behind_the_last_finished_level(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        optimize_pyramid(
            SIZES, Builder(), work=tmp_path, observe=lambda level, _: killed_at_level(level, 2)
        )
    build = Builder()
    result = optimize_pyramid(SIZES, build, work=tmp_path)
    assert build.levels == [2]
    assert torch.equal(result.image, optimize_pyramid(SIZES, Builder()).image)


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    first = optimize_pyramid(SIZES, Builder(), work=tmp_path)
    build = Builder()
    again = optimize_pyramid(SIZES, build, work=tmp_path)
    assert build.levels == []
    assert torch.equal(again.image, first.image)


def test_a_larger_pyramid_takes_over_the_levels_it_shares(tmp_path: Path) -> None:
    optimize_pyramid(SIZES[:2], Builder(), work=tmp_path)
    build = Builder()
    optimize_pyramid(SIZES, build, work=tmp_path)
    assert build.levels == [2]


def test_levels_of_other_options_are_not_taken_over(tmp_path: Path) -> None:
    optimize_pyramid(SIZES, Builder(0.5), work=tmp_path, fingerprint="goal 0.5")
    build = Builder(0.8)
    optimize_pyramid(SIZES, build, work=tmp_path, fingerprint="goal 0.8")
    assert build.levels == [0, 1, 2]


def test_a_damaged_level_is_run_again(tmp_path: Path) -> None:
    optimize_pyramid(SIZES, Builder(), work=tmp_path)
    (tmp_path / "level-2-24x32.safetensors").write_bytes(b"half of a file")
    build = Builder()
    optimize_pyramid(SIZES, build, work=tmp_path)
    assert build.levels == [2]


def test_an_interruption_gives_the_image_of_its_level_and_saves_no_half_level(
    tmp_path: Path,
) -> None:
    @contextmanager
    def interrupting(level: int, size: Size) -> Iterator[Callable[[Progress], None]]:
        def on_step(progress: Progress) -> None:
            if level == 1 and progress.step == 2:
                raise KeyboardInterrupt

        yield on_step

    result = optimize_pyramid(SIZES, Builder(), work=tmp_path, observe=interrupting)
    assert result.interrupted
    assert result.image.shape == (1, 3, 16, 12)
    assert [file.name for file in tmp_path.iterdir()] == ["level-0-6x8.safetensors"]


def test_the_fingerprint_is_of_options_and_of_what_the_files_hold(tmp_path: Path) -> None:
    file = tmp_path / "painting.png"
    file.write_bytes(b"one")
    first = fingerprint_of({"steps": 3, "lr": None}, [file])
    assert fingerprint_of({"lr": None, "steps": 3}, [file]) == first
    assert fingerprint_of({"lr": None, "steps": 4}, [file]) != first
    file.write_bytes(b"two")
    assert fingerprint_of({"lr": None, "steps": 3}, [file]) != first


def test_a_level_that_fails_at_once_loses_nothing_of_the_level_before() -> None:
    build = Builder()

    def fail(level: int, size: Size, previous: Tensor | None) -> Problem:
        if level == 1:
            raise TooLargeError("out of memory")
        return build(level, size, previous)

    with pytest.raises(TooLargeError) as caught:
        optimize_pyramid(SIZES, fail)
    torch.testing.assert_close(caught.value.image, torch.full((1, 3, 8, 6), 0.2))
