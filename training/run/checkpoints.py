"""Checkpoints of a run: ``last.ckpt`` is always the newest, and no earlier run's is lost."""

import itertools
import os
from pathlib import Path
from typing import Any, Final

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor

from training.errors import TrainingError

LAST: Final = "last.ckpt"


class InterruptedCheckpoint(ModelCheckpoint):
    """Saves every so many steps, at the end, and when the run is interrupted from outside.

    A run that fails from inside (its loss is no number any more) keeps its last good checkpoint.
    ``last.ckpt`` is the newest. Where a run does not go on from the one in its folder, that is
    kept under another name.
    """

    _training = False

    @property
    def state_key(self) -> str:
        """Returns the same name for every interval: a run may go on with another one."""
        return type(self).__qualname__

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Notes that the steps so far are saved already."""
        super().on_train_start(trainer, pl_module)
        self._training = True
        self._last_global_step_saved = trainer.global_step

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Saves if somebody pressed Ctrl-C or asked the process to end."""
        # Ctrl-C at once may come in the middle of what several processes do together.
        alone = isinstance(exception, KeyboardInterrupt) and trainer.world_size == 1
        asked = alone or isinstance(exception, SIGTERMException)
        if asked and self.save_on_exception and self._training:
            self._save_now(trainer)
            rank_zero_info(
                f"step {trainer.global_step} is saved in {self._last_checkpoint_saved}: the same "
                "command with --ckpt_path last goes on from there"
            )

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Saves the last steps, too: with their small step size they are the best."""
        self._save_now(trainer)
        self._training = False

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the run's files for those of the same names here: folders are moved."""
        scores = {self._here(path): score for path, score in state_dict["best_k_models"].items()}
        scores.pop("", None)
        moved = {
            "dirpath": self.dirpath,
            "best_k_models": scores,
            "best_model_path": self._here(state_dict["best_model_path"]),
            "kth_best_model_path": self._here(state_dict["kth_best_model_path"]),
            "last_model_path": "",
        }
        super().load_state_dict({**state_dict, **moved})

    def _here(self, path: str) -> str:
        """Returns the path of that file in this run's folder, or nothing if there is none."""
        file = Path(self.dirpath or "") / Path(path).name
        return str(file) if path and file.is_file() else ""

    def _save_now(self, trainer: L.Trainer) -> None:
        if not self._should_skip_saving_checkpoint(trainer):
            candidates = self._monitor_candidates(trainer)
            self._save_topk_checkpoint(trainer, candidates)
            self._save_last_checkpoint(trainer, candidates)

    def _save_last_checkpoint(
        self, trainer: L.Trainer, monitor_candidates: dict[str, Tensor]
    ) -> None:
        """Saves ``last.ckpt`` under that name, where Lightning counts up: ``last-v1.ckpt``."""
        last = self.format_checkpoint_name(monitor_candidates, self.CHECKPOINT_NAME_LAST)
        if self.save_last and not self.last_model_path and trainer.is_global_zero:
            keep_earlier(Path(last), trainer.ckpt_path)
        self.last_model_path = last  # Lightning takes a name that it has used before
        super()._save_last_checkpoint(trainer, monitor_candidates)


def keep_earlier(last: Path, going_on_from: str | Path | None) -> None:
    """Gives ``last`` a second name if it is there and not what the run goes on from."""
    if not last.exists():
        return
    if going_on_from is not None and Path(going_on_from).resolve() == last.resolve():
        return
    names = (last.with_name(f"earlier-{number}.ckpt") for number in itertools.count(1))
    earlier = next(name for name in names if not name.exists())
    try:
        os.link(last, earlier)  # so that there is a last one at every moment
    except OSError:  # a file system without links
        last.rename(earlier)
    rank_zero_info(f"the {last.name} of an earlier run in {last.parent} is now {earlier.name}")


def find_last(folder: Path) -> Path | None:
    """Returns the newest checkpoint of the run in ``folder``, or None if there is none.

    Raises:
        TrainingError: another file calls itself the last one, too, and is newer.
    """
    last = folder / LAST
    for other in folder.glob("last-v*.ckpt"):  # as Lightning's own callback names them
        if not last.exists() or other.stat().st_mtime > last.stat().st_mtime:
            raise TrainingError(
                f"{str(other)!r} is newer than {LAST}: give the one to go on from, "
                "--ckpt_path FILE, or remove the other"
            )
    return last if last.exists() else None
