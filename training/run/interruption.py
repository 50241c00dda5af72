"""A run that is asked to end: by Ctrl-C, a terminal that closes, or a scheduler."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import lightning as L
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.exceptions import SIGTERMException

_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []),  # not on Windows
)


class Interruption(Callback):
    """Ends a run behind its step on SIGINT, SIGTERM and SIGHUP, all processes behind the same one.

    Lightning itself listens to SIGTERM alone, and its handler calls the other processes amid a
    step, where they may be busy with another call: sent to all of them, it hangs the run.
    """

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.asked: int | None = None
        self._local_rank = 0
        self._step = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Listens while there are steps to end; Lightning puts the old handlers back."""
        self._local_rank = trainer.local_rank
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                    signal.signal(number, self._ask)

    def on_train_batch_start(self, trainer: L.Trainer, *_: object) -> None:
        """Notes the step that is under way."""
        self._step = trainer.global_step

    def on_train_batch_end(self, trainer: L.Trainer, *_: object) -> None:
        """Ends the run behind a step; parts of an accumulated one go on."""
        if trainer.global_step != self._step:
            self._end_if_asked(trainer)

    def on_validation_batch_end(self, trainer: L.Trainer, *_: object) -> None:
        """Ends the run amid a measurement, which may be long; it is not made up for."""
        self._end_if_asked(trainer)

    def _end_if_asked(self, trainer: L.Trainer) -> None:
        if trainer.global_step == trainer.max_steps:
            return  # the run ends in any case, and is complete
        asked = self.asked is not None
        if trainer.world_size > 1:
            asked = trainer.strategy.reduce_boolean_decision(asked, all=False)
        if asked:
            raise SIGTERMException  # what Lightning and the checkpoints know

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked is None:
            self.asked = number
            name = signal.Signals(number).name
            rank_zero_info(f"\n{name}: ending behind this step (Ctrl-C ends at once)")
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

    @contextmanager
    def exit_status(self) -> Iterator[None]:
        """Ends the process with 128 + the signal's number, which is how a shell tells it.

        Lightning ends with 0 on SIGTERM and with 1 on Ctrl-C. The first process of a run kills
        itself when another one ends with anything but 0, so the others do end with 0.
        """
        try:
            yield
        except SIGTERMException as error:
            status = 128 + (self.asked or signal.SIGTERM)
            raise SystemExit(0 if self._local_rank else status) from error
        except SystemExit as error:
            if isinstance(error.__context__, KeyboardInterrupt):
                raise SystemExit(128 + (self.asked or signal.SIGINT)) from error
            raise
