"""``python -m training fit``: LightningCLI with Sfumato's module, data and callbacks."""

from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from training.data.module import PhotosAndPaintings
from training.module import MultiStyleModule


class SfumatoCLI(LightningCLI):
    """Only fit; the crop size and the folders are the data module's, the losses the module's."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Offer ``fit`` and nothing else."""
        return {"fit": LightningCLI.subcommands()["fit"]}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the checkpoint's options."""
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.save_last": True,
                "checkpoint.every_n_train_steps": 500,
                "checkpoint.filename": "step-{step:06d}",
                "checkpoint.auto_insert_metric_name": False,
                "checkpoint.save_on_exception": True,
            }
        )

    def before_fit(self) -> None:
        """Keep checkpoints beside the previews, where ``--ckpt_path last`` finds them."""
        for callback in self.trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint) and callback.dirpath is None:
                callback.dirpath = str(Path(self.trainer.default_root_dir) / "checkpoints")


def main(arguments: Sequence[str]) -> None:
    """Run ``fit`` with command-line ``arguments``."""
    SfumatoCLI(
        MultiStyleModule,
        PhotosAndPaintings,
        args=["fit", *arguments],
        seed_everything_default=0,
        save_config_kwargs={"overwrite": True},
    )
