"""Lightning module of one new style: a single row learns, the network is frozen."""

from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from training.data.photos import PhotoBatch
from training.errors import TrainingError
from training.losses.perceptual import LossTerms, PerceptualLoss
from training.networks.transformation_network import TransformationNetwork
from training.schedules import trapezoid

WARMUP_STEPS = 20
DECAY_FRACTION = 0.5


class NewStyleModule(L.LightningModule):
    """Learns γ and β of one painting on a frozen network (Dumoulin 2017, section 3.2)."""

    def __init__(
        self,
        network: TransformationNetwork,
        row: Tensor,
        loss: PerceptualLoss,
        *,
        learning_rate: float,
        steps: int,
    ) -> None:
        """Starts from ``row`` [P]; ``loss`` holds the new painting alone, as painting 0."""
        super().__init__()
        self.network = network.requires_grad_(False).to(memory_format=torch.channels_last)
        self.row = nn.Parameter(row.clone())
        self.loss = loss
        self.steps_taken = 0
        self._highest, self._steps = learning_rate, steps
        self._good = row.clone()

    @property
    def good_row(self) -> Tensor:
        """The row [P] after the last step whose loss was a number."""
        return self._good.detach().float().cpu()

    def judge(self, photos: Tensor) -> LossTerms:
        """Paints ``photos`` [N, 3, H, W] and returns the loss terms, each [N]."""
        styles = torch.zeros(len(photos), dtype=torch.long, device=photos.device)
        rows = self.row.expand(len(photos), -1)
        terms: LossTerms = self.loss(photos, self.network.render(photos, rows), styles)
        return terms

    def training_step(self, batch: PhotoBatch, batch_idx: int) -> Tensor:
        """Takes one step.

        Raises:
            TrainingError: a term of the loss is no number any more.
        """
        terms = self.judge(batch.images.contiguous(memory_format=torch.channels_last))
        means = {name: getattr(terms, name).mean() for name in ("content", "style", "total")}
        self.log_dict(means, prog_bar=True)
        if not torch.isfinite(means["total"]):
            name = next(name for name, mean in means.items() if not torch.isfinite(mean))
            raise TrainingError(
                f"the {name} loss became {means[name].item()} at step {self.steps_taken + 1}: "
                "lower --learning-rate; what was learned before is kept"
            )
        self._good = self.row.detach().clone()
        total: Tensor = means["total"]
        return total

    def on_train_batch_end(self, *_: object) -> None:
        """Counts the step."""
        self.steps_taken += 1

    def on_train_end(self) -> None:
        """Takes the row after the last step, too."""
        if torch.isfinite(self.row).all():
            self._good = self.row.detach().clone()

    def configure_optimizers(self) -> Any:
        """Adam over the row alone, with a trapezoidal step size."""
        optimizer = torch.optim.Adam([self.row], lr=1.0)
        factor = trapezoid(self._steps, WARMUP_STEPS, DECAY_FRACTION)
        schedule = LambdaLR(optimizer, lambda step: self._highest * factor(step))
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]
