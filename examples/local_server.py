"""A server of our own on a free port, for as long as a ``with`` block lasts."""

import contextlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from sfumato.errors import ServiceError, SfumatoError

CHECKOUT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 20.0


class LocalServerError(SfumatoError):
    """The server did not start, or did not end as it should."""


@dataclass(frozen=True)
class LocalServer:
    """A running server.

    Attributes:
        address: where it listens, for ``sfumato.client.client.Client``.
        pid: its process.
        start_seconds: from its start to its being ready.
    """

    address: str
    pid: int
    start_seconds: float


@contextlib.contextmanager
def local_server(
    models: Path, *, log: Path, options: Sequence[str] = (), program: Sequence[str] = ("serving",)
) -> Iterator[LocalServer]:
    """Runs ``python -m serving`` and stops it with SIGTERM, whatever happens in between.

    Args:
        models: the model folder to serve.
        log: file that gets what the server says.
        options: further options of the server.
        program: another module that takes the server's options, and what comes before them.

    Raises:
        LocalServerError: it did not get ready, or did not end with status 0 after SIGTERM.
    """
    with _terminated_like_interrupted(), tempfile.TemporaryDirectory() as scratch:
        port_file = Path(scratch) / "port"
        started = time.monotonic()
        arguments = (*program, "--models", str(models.resolve()), *options)
        process = _start([*arguments, "--port", "0", "--port-file", str(port_file)], log)
        try:
            port = _wait_for_port(process, port_file, log)
            seconds = time.monotonic() - started
            yield LocalServer(f"127.0.0.1:{port}", process.pid, seconds)
        except ServiceError as error:
            if process.poll() is None:
                raise
            raise LocalServerError(f"the server died while painting; {_last_words(log)}") from error
        finally:
            status = _stop(process)
    if status != 0:
        raise LocalServerError(f"the server ended with status {status}, not 0; {_last_words(log)}")


def _start(module: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=CHECKOUT,  # the package `serving` lies there and is never installed
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches this program alone, which then stops the server in order.
            start_new_session=True,
        )


def _wait_for_port(process: subprocess.Popen[bytes], port_file: Path, log: Path) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise LocalServerError(f"the server ended while starting; {_last_words(log)}")
        with contextlib.suppress(OSError, ValueError):
            return int(port_file.read_text())
        time.sleep(0.02)
    raise LocalServerError(f"no server after {START_SECONDS:.0f} seconds; {_last_words(log)}")


def _stop(process: subprocess.Popen[bytes]) -> int:
    """Asks the server to end, insists if it must, and returns the exit status."""
    process.terminate()
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise LocalServerError(f"no end {STOP_SECONDS:.0f} seconds after SIGTERM") from error
    finally:  # also when somebody is impatient and presses Ctrl-C again
        process.kill()
        process.wait()


def _last_words(log: Path, count: int = 5) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return "\n  ".join([f"its last words, from {log}:", *lines[-count:]])


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Turns SIGTERM and SIGHUP into an exception, so that ``finally`` runs."""

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
