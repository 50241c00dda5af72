"""The processes that read photos beside the training."""

import signal


def leave_signals_to_the_trainer(worker: int) -> None:
    """Makes a reader ignore SIGTERM and SIGINT; ``worker_init_fn`` of a DataLoader.

    Schedulers and terminals send them to the whole process group. A reader that obeyed would die
    before the trainer has finished its step, and the trainer would fail instead of saving. Readers
    end with the trainer all the same: they look whether it still lives.
    """
    del worker
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
