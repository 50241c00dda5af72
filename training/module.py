"""Lightning module: one transformation network and one style row per painting."""

import math
from dataclasses import fields
from typing import Any, Final, Literal

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from sfumato.bundle.strength import PHOTOGRAPH_STYLE
from sfumato.bundle.style_info import StyleInfo
from training.alarms import ALARMS
from training.checkpoint import (
    CHECKPOINT_KEY,
    TrainedStyles,
    checkpoint_extras,
    first_not_finite,
)
from training.data.module import PaintingsAndCalibration
from training.data.photos import as_batch
from training.errors import DIVERGED_REMEDY, TrainingError
from training.going_on import Learned, go_on
from training.loss_settings import LossSettings, build_loss
from training.losses.perceptual import LossTerms
from training.networks.architectures import build_network
from training.networks.loss_network import load_loss_network
from training.networks.noise_field import draw_origin
from training.ranges import check_not_empty, check_range
from training.schedules import draw_styles, step_generator, trapezoid
from training.starting_point import read_trained, warm_start

PHOTOGRAPH: Final = StyleInfo(id=PHOTOGRAPH_STYLE, title="The photo itself")

TERMS: Final = tuple(field.name for field in fields(LossTerms))


class MultiStyleModule(L.LightningModule):
    """Learns to paint every painting of the data module with one network (Dumoulin 2017).

    The data module is a ``PhotosAndPaintings``, or another one with ``PaintingsAndCalibration``.

    Args:
        architecture: ``reference`` (1.7 M parameters) or ``lite`` (six times cheaper, for CPUs), or
            with noise, a wider sight and skips ``hourglass`` or ``hourglass-lite`` (for CPUs).
        loss_weights: loss network: ``vgg16`` or ``vgg19`` (torchvision's weights, downloaded
            once), or a safetensors file with torchvision's key names.
        content_layers: layers of the loss network that hold the photo.
        style_layers: layers of the loss network that hold the painting.
        style_strength: the one knob: 1 is balanced, larger means more painting and less photo.
            It means the same for every painting and every loss network, because the style losses
            are calibrated on unstyled photos.
        total_variation_weight: weight of the total-variation loss; larger means smoother.
        low_frequency_weight: weight of the loss that keeps light and dark where the photo has
            them: against halos.
        edge_weight: weight of the loss that keeps the photo's strongest edges.
        lattice_weight: weight of the loss on patterns that repeat with the network's stride.
        photograph: add the style ``photograph``, which returns the photo; with it, each request
            can choose the strength of its style.
        init_from: checkpoint or bundle to start from: its network, and its rows for the styles
            that it knows. Left out, training starts from random weights.
        learning_rate: Adam's step size at its highest.
        warmup_steps: steps over which the step size rises from zero.
        decay_fraction: last part of the steps over which it falls to zero.
        compile: fuse the step's operations with torch.compile. It needs a C++ compiler, takes a
            minute at the start, and pays over hundreds of steps.
    """

    def __init__(
        self,
        architecture: Literal["reference", "lite", "hourglass", "hourglass-lite"] = "reference",
        loss_weights: str = "vgg16",
        content_layers: tuple[str, ...] = ("relu3_3",),
        style_layers: tuple[str, ...] = ("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
        style_strength: float = 1.0,
        total_variation_weight: float = 10.0,
        low_frequency_weight: float = 0.0,
        edge_weight: float = 0.0,
        lattice_weight: float = 0.0,
        photograph: bool = True,
        init_from: str | None = None,
        learning_rate: float = 1e-3,
        warmup_steps: int = 100,
        decay_fraction: float = 0.2,
        compile: bool = False,  # noqa: A002  the option's name is the library's
    ) -> None:
        """Builds the network; paintings and losses come with the data module, in setup."""
        super().__init__()
        check_not_empty("--model.content_layers", content_layers, "loss network's layers")
        check_not_empty("--model.style_layers", style_layers, "loss network's layers")
        check_range("--model.style_strength", style_strength, 0)
        check_range("--model.total_variation_weight", total_variation_weight, 0)
        check_range("--model.low_frequency_weight", low_frequency_weight, 0)
        check_range("--model.edge_weight", edge_weight, 0)
        check_range("--model.lattice_weight", lattice_weight, 0)
        check_range("--model.learning_rate", learning_rate, 0)
        check_range("--model.warmup_steps", warmup_steps, 0)
        check_range("--model.decay_fraction", decay_fraction, 0, 1)
        self.save_hyperparameters()
        self.network = build_network(architecture)
        self.rows = nn.Parameter(self.network.neutral_style().unsqueeze(0))  # [S, P]
        self.styles: list[StyleInfo] = []
        self.conventions: dict[str, Any] = {}
        # A bound method, not a module, so that checkpoints have the same keys either way.
        self._judge = torch.compile(self.paint_and_judge) if compile else self.paint_and_judge

    def setup(self, stage: str) -> None:
        """Loads the loss network and the paintings, and makes one style row for each.

        What the module has learned already stays: its network, and the rows of known styles. To
        paint (the stage ``predict``) it needs nothing else.

        Raises:
            TrainingError: the trainer's data has no paintings, or something is not there.
        """
        if stage == "predict":
            return
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, PaintingsAndCalibration):
            raise TrainingError(
                "MultiStyleModule needs paintings beside the photos: give Trainer.fit the "
                "datamodule PhotosAndPaintings, or one with `paintings` and `calibration_photos()`"
            )
        hp = self.hparams
        start = self._start()
        settings = LossSettings.from_notes(hp)
        network = load_loss_network(
            hp["loss_weights"], settings.layers, option="--model.loss_weights"
        )
        paintings = [painting.info for painting in data.paintings]
        self.styles = with_photograph(paintings) if hp["photograph"] else paintings
        self.rows = nn.Parameter(self.network.neutral_style().repeat(len(self.styles), 1))
        if start is not None:
            warm_start(self.network, self.rows.data, self.styles, start)
        if hp["photograph"]:
            self.rows.data[-1] = self.network.photograph_style()
        images = [painting.image for painting in data.paintings]
        photos = data.calibration_photos()
        self.loss, scales = build_loss(settings, network, images, photos)
        self.conventions |= {
            **settings.conventions(network, [info.id for info in paintings], scales),
            "style_size": min(images[0].shape[-2:]),
            "crop_size": min(photos.shape[-2:]),
            "batch_size": getattr(data, "batch_size", None),
        }
        # Convolutions in bf16 and float32 alike run faster in this layout, on CPU and GPU.
        self.network.to(memory_format=torch.channels_last)

    def _start(self) -> TrainedStyles | None:
        """Returns what to start from: what an earlier fit has learned, or else ``init_from``."""
        if self.styles:
            return TrainedStyles(self.network, self.rows.data, tuple(self.styles), {})
        if self.hparams["init_from"] is None:
            return None
        start = read_trained(self.hparams["init_from"])
        self.conventions["started_from"] = start.network.digest()
        return start

    @property
    def _paintings(self) -> int:
        """How many styles there are to learn: ``photograph`` has nothing to learn."""
        return len(self.styles) - bool(self.hparams["photograph"])

    def forward(self, photos: Tensor, styles: Tensor) -> Tensor:
        """Paints ``photos`` [N, 3, H, W], each in the style of its index in ``styles`` [N]."""
        painted: Tensor = self.network(photos, self.rows[styles])
        return painted

    def paint_and_judge(self, photos: Tensor, styles: Tensor, origin: Tensor) -> LossTerms:
        """Paints ``photos`` [N, 3, H, W] in ``styles`` [N] and returns the loss terms, each [N].

        ``origin`` [2] is the place of the photos in the noise.
        """
        painted = self.network.render(photos, self.rows[styles], origin)
        terms: LossTerms = self.loss(photos, painted, styles)
        return terms

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Paints each photo of the batch in a style of its own and judges the result."""
        photos = as_batch(batch).images.contiguous(memory_format=torch.channels_last)
        generator = step_generator(self.global_step, batch_idx)
        styles = draw_styles(
            len(photos),
            self._paintings,
            self.global_rank,
            self.trainer.world_size,
            generator,
        )
        origin = draw_origin(generator)
        terms = self._judge(photos, styles.to(photos.device), origin.to(photos.device))
        for name in TERMS:
            term = getattr(terms, name)
            self.log(f"loss/{name}", term.mean(), prog_bar=name in ("content", "style", "total"))
        return terms.total.mean()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Paints each photo in every style and notes the losses, of all styles and of each."""
        del batch_idx
        photos = as_batch(batch).images
        targets = self.loss.targets_of(photos)
        of_styles = []
        for number, info in enumerate(self.styles[: self._paintings]):
            styles = torch.full((len(photos),), number, device=photos.device)
            painted = self.network.render(photos, self.rows[styles])
            terms = self.loss.judge(targets, painted, styles)
            of_styles.append(terms)
            for name in ("content", "style", "total"):
                self._note(f"held_out_{name}/{info.id}", getattr(terms, name))
        for name in TERMS:
            self._note(f"held_out/{name}", torch.stack([getattr(t, name) for t in of_styles]))

    @torch.no_grad()
    def predict_step(self, batch: Any, batch_idx: int = 0, dataloader_idx: int = 0) -> Tensor:
        """Paints the photos [N, 3, H, W] of a batch.

        Returns:
            The pictures [N, 3, H, W] in [0, 1] where style indices [N] stand beside the photos;
            else [N, S, 3, H, W], each photo in every style.
        """
        del batch_idx, dataloader_idx
        photos = as_batch(batch).images
        if isinstance(batch, list | tuple) and len(batch) > 1 and isinstance(batch[1], Tensor):
            painted: Tensor = self(photos, batch[1])
            return painted
        every = torch.arange(len(self.rows), device=photos.device)
        return torch.stack([self(photos, each.expand(len(photos))) for each in every], dim=1)

    def _note(self, name: str, losses: Tensor) -> None:
        shown = name == "held_out/total"
        self.log(name, losses.mean(), on_epoch=True, sync_dist=True, prog_bar=shown)

    def configure_optimizers(self) -> Any:
        """Adam over the network and the style rows, with a trapezoidal step size."""
        steps = self.trainer.estimated_stepping_batches
        if math.isinf(steps):
            rank_zero_warn(
                "no --trainer.max_steps: the step size stays level to the end; pictures become "
                "better where it falls, so go on with --ckpt_path last and a number of steps"
            )
        # The schedule gives the whole step size, not a factor on Adam's: a checkpoint brings
        # Adam's own along, and a run that goes on with another learning rate shall have it.
        optimizer = torch.optim.Adam(self.parameters(), lr=1.0)
        factor = trapezoid(
            steps,
            self.hparams["warmup_steps"],
            self.hparams["decay_fraction"],
        )
        highest = self.hparams["learning_rate"]
        schedule = LambdaLR(optimizer, lambda step: highest * factor(step))
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def configure_callbacks(self) -> list[Callback]:
        """Adds the alarms that the trainer lacks, with their usual settings."""
        given = {type(callback) for callback in self.trainer.callbacks}  # type: ignore[attr-defined]
        return [alarm() for alarm in ALARMS if alarm not in given]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Puts the rows into the order of this run's styles, or refuses what is of another run."""
        if not self.styles:  # load_from_checkpoint, without paintings
            self.styles = [StyleInfo.from_json(s) for s in checkpoint[CHECKPOINT_KEY]["styles"]]
            self.rows = nn.Parameter(torch.empty_like(checkpoint["state_dict"]["rows"]))
            return
        now = Learned.of(self.hparams, [info.id for info in self.styles], self.conventions)
        go_on(checkpoint, now, self)
        then = checkpoint[CHECKPOINT_KEY]["conventions"]
        self.conventions |= {k: v for k, v in then.items() if k == "started_from"}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds what export needs: the styles' metadata and the conventions.

        Raises:
            TrainingError: a weight is no number any more; the checkpoints so far are better.
        """
        if name := first_not_finite(checkpoint["state_dict"]):
            raise TrainingError(
                f"{name} holds numbers that are not finite at step {self.global_step}: "
                f"{DIVERGED_REMEDY}"
            )
        checkpoint[CHECKPOINT_KEY] = checkpoint_extras(self.styles, self.conventions)


def with_photograph(paintings: list[StyleInfo]) -> list[StyleInfo]:
    """Returns the styles with ``photograph`` behind them. Raises TrainingError if it is taken."""
    if any(info.id == PHOTOGRAPH_STYLE for info in paintings):
        raise TrainingError(
            f"a painting is called {PHOTOGRAPH_STYLE!r}, which is the style that returns the "
            "photo: rename the file"
        )
    return [*paintings, PHOTOGRAPH]
