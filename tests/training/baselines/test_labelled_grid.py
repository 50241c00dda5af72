"""Grids of pictures with labels."""

import torch

from training.baselines.labelled_grid import draw_grid


def _find(page: torch.Tensor, colour: tuple[float, float, float]) -> torch.Tensor:
    """Says where [h, w] the page has a colour."""
    return (page[0] - torch.tensor(colour).view(3, 1, 1)).abs().amax(dim=0) < 0.003


def test_each_cell_is_drawn_whole_and_in_its_place() -> None:
    red, blue = torch.zeros(1, 3, 30, 40), torch.zeros(1, 3, 30, 40)
    red[:, 0], blue[:, 2] = 1, 1
    page = draw_grid([[red, blue]], ["row"], ["first", "second"])
    left, right = _find(page, (1, 0, 0)).nonzero(), _find(page, (0, 0, 1)).nonzero()
    assert len(left) == len(right) == 30 * 40
    assert left[:, 1].max() < right[:, 1].min()
    assert left[:, 0].min() == right[:, 0].min()


def test_rows_and_columns_are_labelled() -> None:
    white = torch.ones(1, 3, 30, 40)
    page = draw_grid([[white], [white]], ["one", "two"], ["column"])
    ink = (page[0].amax(dim=0) < 0.5).nonzero()
    plain = draw_grid([[white], [white]], ["", ""], [""])
    assert len(ink) > 30
    assert plain.min() > 0.99


def test_a_cell_that_is_missing_is_grey() -> None:
    black = torch.zeros(1, 3, 30, 40)
    page = draw_grid([[black, None]], [""], ["", ""])
    assert _find(page, (0.9, 0.9, 0.9)).sum() == 30 * 40
