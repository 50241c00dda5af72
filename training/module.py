"""Lightning module: one transformation network and one style row per painting."""

from typing import Any, Literal

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from training.checkpoint import CHECKPOINT_KEY, checkpoint_extras
from training.data.module import PhotosAndPaintings
from training.data.photos import PhotoBatch
from training.learning_rate import trapezoid
from training.losses.perceptual import LossTerms, PerceptualLoss
from training.networks.loss_network import load_loss_network
from training.networks.transformation_network import build_network
from training.style_sampler import draw_styles


class MultiStyleModule(L.LightningModule):
    """Learns to paint every painting of the data module with one network (Dumoulin 2017).

    Args:
        architecture: ``reference`` (1.7 M parameters) or ``lite`` (six times cheaper, for CPUs).
        loss_weights: loss network: ``vgg16`` or ``vgg19`` (torchvision's weights, downloaded
            once), or a safetensors file with torchvision's key names.
        content_layers: layers of the loss network that hold the photo.
        style_layers: layers of the loss network that hold the painting.
        content_weight: weight of the content loss.
        style_weight: weight of the style loss; larger means more painting and less photo.
        total_variation_weight: weight of the total-variation loss; larger means smoother.
        learning_rate: Adam's step size at its highest.
        warmup_steps: steps over which the step size rises from zero.
        decay_fraction: last part of the steps over which it falls to zero.
        compile: fuse the step's operations with torch.compile. It needs a C++ compiler, takes a
            minute at the start, and pays over hundreds of steps.
    """

    def __init__(
        self,
        architecture: Literal["reference", "lite"] = "reference",
        loss_weights: str = "vgg16",
        content_layers: tuple[str, ...] = ("relu3_3",),
        style_layers: tuple[str, ...] = ("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
        content_weight: float = 1.0,
        style_weight: float = 20.0,
        total_variation_weight: float = 0.5,
        learning_rate: float = 1e-3,
        warmup_steps: int = 100,
        decay_fraction: float = 0.2,
        compile: bool = False,  # noqa: A002  the option's name is the library's
    ) -> None:
        """Builds the network; paintings and losses come with the data module, in setup."""
        super().__init__()
        self.save_hyperparameters()
        self.network = build_network(architecture)
        self.rows = nn.Parameter(self.network.neutral_style().unsqueeze(0))  # [S, P]
        self.conventions: dict[str, Any] = {}
        # A bound method, not a module, so that checkpoints have the same keys either way.
        self._judge = torch.compile(self.paint_and_judge) if compile else self.paint_and_judge

    def setup(self, stage: str) -> None:
        """Loads the loss network and the paintings, and make one style row for each."""
        hp = self.hparams
        data = self._data
        loss_network = load_loss_network(
            hp["loss_weights"], [*hp["style_layers"], *hp["content_layers"]]
        )
        self.loss = PerceptualLoss(
            loss_network,
            [painting.image for painting in data.paintings],
            content_layers=hp["content_layers"],
            style_layers=hp["style_layers"],
            content_weight=hp["content_weight"],
            style_weight=hp["style_weight"],
            total_variation_weight=hp["total_variation_weight"],
        )
        neutral = self.network.neutral_style()
        self.rows = nn.Parameter(neutral.repeat(len(data.paintings), 1))
        self.conventions = {
            "loss_network": loss_network.digest(),
            "style_size": data.style_size,
            "crop_size": data.crop_size,
            "batch_size": data.batch_size,
        }
        # Convolutions in bf16 and float32 alike run faster in this layout, on CPU and GPU.
        self.network.to(memory_format=torch.channels_last)

    @property
    def _data(self) -> PhotosAndPaintings:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, PhotosAndPaintings)
        return data

    def forward(self, photos: Tensor, styles: Tensor) -> Tensor:
        """Paints ``photos`` [N, 3, H, W], each in the style of its index in ``styles`` [N]."""
        painted: Tensor = self.network(photos, self.rows[styles])
        return painted

    def paint_and_judge(self, photos: Tensor, styles: Tensor) -> LossTerms:
        """Paints ``photos`` [N, 3, H, W] in ``styles`` [N] and return the loss terms, each [N]."""
        terms: LossTerms = self.loss(photos, self(photos, styles), styles)
        return terms

    def training_step(self, batch: PhotoBatch, batch_idx: int) -> Tensor:
        """Paints each photo of the batch in a style of its own and judge the result."""
        photos = batch.images.contiguous(memory_format=torch.channels_last)
        styles = draw_styles(
            len(photos), len(self.rows), self.global_rank, self.trainer.world_size
        ).to(photos.device)
        terms = self._judge(photos, styles)
        for name in ("content", "style", "total_variation", "total"):
            term = getattr(terms, name)
            self.log(f"loss/{name}", term.mean(), prog_bar=name != "total_variation")
        return terms.total.mean()

    def configure_optimizers(self) -> Any:
        """Adam over the network and the style rows, with a trapezoidal step size."""
        # The schedule gives the whole step size, not a factor on Adam's: a checkpoint brings
        # Adam's own along, and a run that goes on with another learning rate shall have it.
        optimizer = torch.optim.Adam(self.parameters(), lr=1.0)
        factor = trapezoid(
            int(self.trainer.estimated_stepping_batches),
            self.hparams["warmup_steps"],
            self.hparams["decay_fraction"],
        )
        highest = self.hparams["learning_rate"]
        schedule = LambdaLR(optimizer, lambda step: highest * factor(step))
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds what export needs: the paintings' metadata and the conventions."""
        checkpoint[CHECKPOINT_KEY] = checkpoint_extras(
            [painting.info for painting in self._data.paintings], self.conventions
        )
