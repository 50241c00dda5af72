"""A run that is asked to end: by Ctrl-C, a terminal that closes, or a scheduler."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import lightning as L
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.exceptions import SIGTERMException

_LIKE_SIGTERM = (signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))


class Interruption(Callback):
    """Ends a run behind its step on SIGINT and SIGHUP, as Lightning does on SIGTERM."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.asked: int | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Listens while there are steps to end; Lightning puts the old handlers back."""
        for number in _LIKE_SIGTERM:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked is not None:  # a second time: at once
            raise KeyboardInterrupt
        self.asked = number
        rank_zero_info(f"{signal.Signals(number).name}: ending behind this step")
        end = signal.getsignal(signal.SIGTERM)
        assert callable(end)
        end(signal.SIGTERM, frame)

    @contextmanager
    def exit_status(self) -> Iterator[None]:
        """Ends the process with 128 + the signal's number, which is how a shell tells it.

        Lightning ends with 0 on SIGTERM and with 1 on Ctrl-C.
        """
        try:
            yield
        except SIGTERMException as error:
            raise SystemExit(128 + (self.asked or signal.SIGTERM)) from error
        except SystemExit as error:
            if isinstance(error.__context__, KeyboardInterrupt):
                raise SystemExit(128 + (self.asked or signal.SIGINT)) from error
            raise
