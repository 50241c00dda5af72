"""``python -m training fit``: LightningCLI with Sfumato's module, data and checkpoints."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities.exceptions import SIGTERMException

from training.data.module import PhotosAndPaintings
from training.module import MultiStyleModule
from training.output_place import prepare_folder

_ADVERTISEMENTS: Final = ("litlogger", "litmodels")

_LIBRARY_WARNINGS: Final = (
    "LightningCLI's args parameter",  # main() is also called from Python
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    "The '.*dataloader' does not have many workers",  # the number is ours and documented
)


class InterruptedCheckpoint(ModelCheckpoint):
    """Saves every so many steps, at the end, and when the run is interrupted from outside.

    A run that fails from inside (its loss is no number any more) keeps its last good checkpoint.
    """

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Saves if somebody pressed Ctrl-C or asked the process to end."""
        if isinstance(exception, KeyboardInterrupt | SIGTERMException):
            super().on_exception(trainer, pl_module, exception)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Saves the last steps, too: with their small step size they are the best."""
        if self._last_global_step_saved != trainer.global_step:
            candidates = self._monitor_candidates(trainer)
            self._save_topk_checkpoint(trainer, candidates)
            self._save_last_checkpoint(trainer, candidates)


class SfumatoCLI(LightningCLI):
    """Offers ``fit`` alone; checkpoints lie beside the previews."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Returns the trainer's methods that are commands."""
        return {"fit": LightningCLI.subcommands()["fit"]}

    def _parse_ckpt_path(self) -> None:
        """Leaves the command line as it is, where Lightning puts the checkpoint's options over it.

        A run that goes on with another step size, or another strength, shall have it.
        """

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the checkpoint's options."""
        parser.add_lightning_class_args(InterruptedCheckpoint, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.filename": "step-{step:06d}",
                "checkpoint.auto_insert_metric_name": False,
                "checkpoint.every_n_train_steps": 500,
                "checkpoint.save_last": True,
                "checkpoint.save_on_exception": True,
            }
        )

    def before_fit(self) -> None:
        """Puts checkpoints where ``--ckpt_path last`` finds them in the next run."""
        if not self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            prepare_folder(Path(self.trainer.default_root_dir))
        for callback in self.trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint) and callback.dirpath is None:
                callback.dirpath = str(Path(self.trainer.default_root_dir) / "checkpoints")


def main(arguments: Sequence[str]) -> None:
    """Runs ``fit`` with command-line ``arguments``."""
    for message in _LIBRARY_WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(_is_no_advertisement)
    SfumatoCLI(
        MultiStyleModule,
        PhotosAndPaintings,
        args=["fit", *arguments],
        seed_everything_default=0,
        save_config_kwargs={"overwrite": True},
    )


def _is_no_advertisement(record: logging.LogRecord) -> bool:
    return not any(word in record.getMessage() for word in _ADVERTISEMENTS)
