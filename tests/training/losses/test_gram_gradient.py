"""The Gram matrix's own backward pass."""

import torch
from torch import Tensor

from training.losses.gram import gram_matrix


def features() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 2, 4, dtype=torch.float64, generator=generator).requires_grad_()


def test_the_gradient_is_that_of_finite_differences_and_so_is_its_own_gradient() -> None:
    assert torch.autograd.gradcheck(gram_matrix, features())
    assert torch.autograd.gradgradcheck(gram_matrix, features())


def test_a_mask_of_ones_changes_no_gradient() -> None:
    # Not symmetric: the gradient may not take for granted that a loss is.
    weights = torch.arange(18, dtype=torch.float64).reshape(2, 3, 3)
    plain, masked = features(), features()
    torch.autograd.backward((gram_matrix(plain) * weights).sum())
    torch.autograd.backward((gram_matrix(masked, torch.ones(1, 1, 2, 4)) * weights).sum())
    assert plain.grad is not None
    assert masked.grad is not None
    torch.testing.assert_close(plain.grad, masked.grad)
