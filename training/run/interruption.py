"""A run that is asked to end: by Ctrl-C, a terminal that closes, or a scheduler."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
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

_LIGHTNINGS_LOG = "lightning.pytorch.trainer.connectors.signal_connector"


class Interruption(Callback):
    """Ends a run behind its step on SIGINT and SIGHUP, too, as Lightning does on SIGTERM."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.asked: int | None = None
        self._end: Callable[[int, FrameType | None], object] | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Listens while there are steps to end; Lightning puts the old handlers back."""
        end = signal.getsignal(signal.SIGTERM)  # Lightning's, which it has just set
        self._end = end if callable(end) else None
        if self._end is None or threading.current_thread() is not threading.main_thread():
            return
        logging.getLogger(_LIGHTNINGS_LOG).setLevel(logging.WARNING)  # it tells all as SIGTERM
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked is None:
            self.asked = number
            name = signal.Signals(number).name
            rank_zero_info(f"\n{name}: ending behind this step (Ctrl-C ends at once)")
            assert self._end is not None
            self._end(signal.SIGTERM, frame)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

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
