"""The peers: which there are, how each is installed in an environment of its own, and run."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.free_port import free_port
from benchmarks.load_client import Load, LoadClient
from benchmarks.processor_time import family
from examples.local_server import CHECKOUT
from sfumato.errors import SfumatoError

ENVIRONMENTS: Final = CHECKOUT / "build" / "peers"
_SERVERS: Final = Path(__file__).with_name("peers")
_START_SECONDS: Final = 90.0
_STOP_SECONDS: Final = 15.0


class PeerError(SfumatoError):
    """A peer cannot be installed or does not start here."""


@dataclass(frozen=True)
class Peer:
    """One server to compare with.

    Attributes:
        name: of its environment and of its file in ``benchmarks/peers``.
        title: what the table calls it.
        packages: what pip installs.
        protocol: a name of ``PROTOCOLS``.
        sends: how pictures travel, for the table.
        interpreter: Python that its environment is made with.
        arguments: of that Python, to run the server.
    """

    name: str
    title: str
    packages: Sequence[str]
    protocol: str
    sends: str
    interpreter: str = sys.executable
    arguments: Sequence[str] = ("{folder}/{name}_server.py", "{port}", "{milliseconds}")

    @property
    def python(self) -> Path:
        """The interpreter in its environment."""
        return ENVIRONMENTS / self.name / "bin" / "python"

    def command(self, port: int, milliseconds: float) -> list[str]:
        """Gives the command that serves on ``port``."""
        values = {"folder": _SERVERS, "name": self.name, "port": port}
        filled = (part.format(**values, milliseconds=milliseconds) for part in self.arguments)
        return [str(self.python), *filled]


PEERS: Final = (
    Peer(
        "pytriton",
        "PyTriton (tritonserver 2.51)",
        ["nvidia-pytriton==0.7.0"],
        "tensors",
        "raw pixels, gRPC",
        "/usr/bin/python3",
    ),
    Peer(
        "litserve",
        "LitServe 0.2.19",
        ["litserve==0.2.19", "numpy", "simplejpeg"],
        "json",
        "JPEG, HTTP",
    ),
    Peer(
        "bentoml",
        "BentoML 1.4.39",
        ["bentoml==1.4.39", "pillow"],
        "form",
        "JPEG, HTTP",
        arguments=(
            *("-m", "bentoml", "serve", "{name}_server:SimulatedDevice"),
            *("--working-dir", "{folder}", "--host", "127.0.0.1", "--port", "{port}"),
        ),
    ),
    Peer(
        "ray",
        "Ray Serve 2.60",
        ["ray[serve]==2.60.0", "protobuf>=6.33.5,<8", "simplejpeg"],
        "stylize",
        "JPEG, gRPC",
    ),
)


def install(peer: Peer) -> None:
    """Makes the environment of a peer, if it is not there.

    Raises:
        PeerError: it cannot be made; the message has pip's last words.
    """
    done = peer.python.parent.parent / "installed"
    if done.exists():
        return
    pip = [f"{sys.base_prefix}/bin/python3", "-m", "pip", "--python", str(peer.python)]
    for command in (
        [peer.interpreter, "-m", "venv", "--without-pip", "--clear", str(done.parent)],
        [*pip, "install", "--quiet", *peer.packages],
    ):
        try:
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise PeerError(f"{peer.title} cannot be installed: {error}") from error
        if ran.returncode != 0:
            last = (ran.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise PeerError(f"{peer.title} cannot be installed: {last}")
    done.touch()


@contextlib.contextmanager
def running_peer(
    peer: Peer, milliseconds: float, client: LoadClient, file: bytes
) -> Iterator[tuple[str, int]]:
    """Runs a peer on a free port until the block ends.

    Args:
        peer: which.
        milliseconds: how long its device takes.
        client: asks with ``file``, a photo, until there is an answer.
        file: see ``client``.

    Yields:
        Its address and the process.

    Raises:
        PeerError: it is not installed, ends, or gives no answer.
    """
    if not peer.python.exists():
        raise PeerError(f"{peer.title} is not installed; run with --install")
    with tempfile.TemporaryDirectory() as scratch:
        port = free_port()
        log = Path(scratch) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                peer.command(port, milliseconds),
                cwd=scratch,
                env=_environment(peer, scratch, milliseconds),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            address = f"127.0.0.1:{port}"
            _wait_for_answer(process, peer, Load(address, [file], count=1), client, log)
            yield address, process.pid
        finally:
            _stop(process)


def _environment(peer: Peer, home: str, milliseconds: float) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{peer.python.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(CHECKOUT),
        "HOME": home,  # Ray and BentoML write there
        "BENTOML_DO_NOT_TRACK": "True",
        "RAY_USAGE_STATS_ENABLED": "0",
        "SIMULATED_MILLISECONDS": str(milliseconds),
    }


def _wait_for_answer(
    process: subprocess.Popen[bytes], peer: Peer, load: Load, client: LoadClient, log: Path
) -> None:
    deadline = time.monotonic() + _START_SECONDS
    failure = "no answer"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise PeerError(f"{peer.title} ended while starting: {_last_words(log)}")
        with contextlib.suppress(OSError):
            host, _, port = load.address.partition(":")
            socket.create_connection((host, int(port)), timeout=1).close()
            report = client.run(
                Load(load.address, load.files, protocol=peer.protocol, in_flight=1, count=1)
            )
            if report.answered:
                return
            failure = report.failures[0]
        time.sleep(0.5)
    raise PeerError(f"{peer.title} does not answer: {failure}; {_last_words(log)}")


def _last_words(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Asks the peer to end, and then makes sure of all that it started."""
    started = family(process.pid)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    for pid in reversed(started):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
