"""Total-variation loss (Johnson 2016, section 3.2; in the form of Mahendran and Vedaldi 2015)."""

from torch import Tensor, nn

from training.losses.gram import at_least_float32

_FLAT = 1e-8
"""Added inside the power where β < 2: on a flat image the gradient would be no number."""


class TotalVariationLoss(nn.Module):
    """Mean over the pixels of (vertical² + horizontal² difference)^(β/2).

    Deviation from Mahendran: the mean instead of the sum, so that the weight means the same at
    every size; and the mean over colour channels, too.
    """

    def __init__(self, beta: float = 2.0) -> None:
        """Takes the exponent β > 0; 2 is the quadratic form that training uses."""
        super().__init__()
        self.beta = beta

    def forward(self, images: Tensor) -> Tensor:
        """Returns the loss [N] of ``images`` [N, C, H, W] in [0, 1].

        Each pixel that has one below it and one to its right counts.
        """
        images = at_least_float32(images)
        here = images[..., :-1, :-1]
        vertical = images[..., 1:, :-1] - here
        horizontal = images[..., :-1, 1:] - here
        squares = vertical.square() + horizontal.square()  # [N, C, H-1, W-1]
        if self.beta != 2:
            squares = (squares + (_FLAT if self.beta < 2 else 0.0)) ** (self.beta / 2)
        return squares.mean(dim=(1, 2, 3))
