"""Everything at once, for a long time: does the server stay well? Linux only.

    python -m benchmarks.soak --minutes 60

Clients send photos of random sizes and formats in random blends and strengths, one by one and in
streams; they also send garbage, cancel, come too late, leave streams, and are killed. Meanwhile
new versions of the model come, some of them damaged at first, and old ones go. At the end the
table says how everything ended. The soak fails if a well-formed request failed, if anything ended
with another status than it must, if a health check failed, if anything was left inside, if the
memory grew, or if the server did not stop in order.
"""

import argparse
import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.free_port import free_port
from benchmarks.machine import describe_machine
from benchmarks.model_folder import ModelFolder, latest_bundle
from benchmarks.soak_record import SoakRecord
from benchmarks.soak_traffic import Traffic
from benchmarks.soak_watch import Watch, left_inside
from examples.local_server import LocalServer, local_server
from sfumato.bundle.bundle import read_bundle


@dataclass(frozen=True)
class Soak:
    """What to do.

    Attributes:
        bundle: what is served.
        seconds: how long.
        clients: that send at once, beside those that are killed.
        largest: side of the largest photo, in pixels; at least 64.
        reload_seconds: from one new version of the model to the next.
        device: "cpu" or "cuda".
        seed: of everything that is random but for the timing.
    """

    bundle: Path
    seconds: float
    clients: int = 6
    largest: int = 1024
    reload_seconds: float = 20.0
    device: str = "cpu"
    seed: int = 0

    def run(self, scratch: Path) -> SoakRecord:
        """Starts a server, lets everything loose, and stops the server.

        Raises:
            LocalServerError: the server did not start, or did not stop in order.
        """
        models = ModelFolder(scratch / "models", self.bundle)
        models.add(1)
        metrics_port = free_port()
        ports = ("--metrics-port", str(metrics_port))
        options = ("--device", self.device, *ports, "--poll-seconds", "0.1")
        with local_server(models.root, log=scratch / "log", options=options) as server:
            return asyncio.run(self._everything(server, models, metrics_port))

    async def _everything(
        self, server: LocalServer, models: ModelFolder, metrics_port: int
    ) -> SoakRecord:
        styles = [style.id for style in read_bundle(self.bundle).styles]
        record, stopped = SoakRecord(), asyncio.Event()
        traffic = Traffic(server.address, styles, self.largest, self.seed, record)
        watch = Watch(server, styles[0], record)
        asyncio.get_running_loop().call_later(self.seconds, stopped.set)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(traffic.run(self.clients, stopped))
            tasks.create_task(watch.look(stopped))
            tasks.create_task(watch.reload(models, self.reload_seconds, stopped))
            tasks.create_task(watch.crash_clients(self.seed, stopped))
        record.left = await left_inside(metrics_port)
        return record


def main() -> int:
    """Prints the tables; gives 0 if everything went well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=Soak.clients)
    parser.add_argument("--largest", type=int, default=Soak.largest, help="side in pixels")
    parser.add_argument("--device", choices=["cpu", "cuda"], default=Soak.device)
    parser.add_argument("--seed", type=int, default=Soak.seed)
    options = parser.parse_args()
    soak = Soak(
        latest_bundle(),
        60 * options.minutes,
        clients=options.clients,
        largest=options.largest,
        device=options.device,
        seed=options.seed,
    )
    with tempfile.TemporaryDirectory() as scratch:
        record = soak.run(Path(scratch))
    print(describe_machine("onnxruntime-gpu", "onnxruntime", "grpcio", "simplejpeg"))
    print(f"{options.minutes:g} minutes, photos up to {options.largest} pixels a side\n")
    print(record.table())
    problems = [*record.problems(), *record.memory_problems()]
    print(f"\n{len(problems)} problems", *problems[:50], sep="\n- ")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
