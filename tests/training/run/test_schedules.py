"""The step size and the draw of styles."""

import torch

from training.schedules import draw_styles, trapezoid


def test_the_step_size_rises_stays_and_falls_to_zero() -> None:
    factor = trapezoid(total_steps=100, warmup_steps=10, decay_fraction=0.2)
    assert factor(0) == 0.1
    assert factor(9) == 1.0
    assert factor(79) == 1.0
    assert factor(90) == 0.5
    assert factor(100) == 0.0


def test_a_longer_run_has_the_same_step_size_until_the_shorter_one_decays() -> None:
    short, long = trapezoid(100, 10, 0.2), trapezoid(1000, 10, 0.2)
    assert [short(step) for step in range(80)] == [long(step) for step in range(80)]


def test_no_style_comes_twice_before_all_came_once() -> None:
    torch.manual_seed(0)
    for _ in range(20):
        assert len(set(draw_styles(4, 16).tolist())) == 4
        assert sorted(draw_styles(16, 16).tolist()) == list(range(16))
        counts = torch.bincount(draw_styles(7, 3), minlength=3)
        assert counts.min() >= 2
        assert counts.max() <= 3


def test_every_style_is_equally_likely() -> None:
    torch.manual_seed(0)
    counts = torch.bincount(torch.cat([draw_styles(2, 4) for _ in range(2000)]), minlength=4)
    # 1,000 each are expected; the standard deviation is about 22.
    assert (counts - 1000).abs().max() < 110


def test_processes_seeded_alike_draw_different_styles() -> None:
    drawn = []
    for rank in range(4):
        torch.manual_seed(0)
        drawn += draw_styles(4, 16, rank, world_size=4).tolist()
    assert sorted(drawn) == list(range(16))
