"""Brings one version of a model from its folder to a network that is warm."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import TypeVar

from serving.device.lane import Lane, LaneSettings
from serving.device.worker_threads import WorkerThreads
from serving.models.folder_scan import BundleStamp, scan_bundle
from serving.models.model import LoadableSession, Model
from sfumato.bundle.bundle import Bundle, read_bundle
from sfumato.errors import BundleError

T = TypeVar("T")


class ModelLoader:
    """Loads models beside those that are served, one at a time: memory has to hold one more.

    Args:
        root: folder with <name>/<version>/.
        open_session: loads a bundle's network; raises BundleError if it is no good.
        settings: gives the limits of a model, by its name and a session of it.
        files: threads that read files and open networks, so that the event loop stays free.
        device: the threads on which networks run, and these only.
    """

    def __init__(
        self,
        root: Path,
        open_session: Callable[[Bundle], LoadableSession],
        settings: Callable[[str, LoadableSession], LaneSettings],
        *,
        files: Executor,
        device: WorkerThreads,
    ) -> None:
        """Works with what it is given; see the class."""
        self.root = root
        self._open_session = open_session
        self._settings = settings
        self._files = files
        self._device = device
        self._one_at_a_time = asyncio.Lock()

    async def read(self, work: Callable[[], T]) -> T:
        """Does ``work``, which reads or writes files, on a thread of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._files, work)

    async def load(
        self, name: str, version: int, stamp: BundleStamp, served: Model | None
    ) -> Model:
        """Reads, opens and warms up a version; requests are painted meanwhile.

        Args:
            name: name of the model.
            version: its version.
            stamp: stamp of the bundle, which must not change until it is opened.
            served: what is served of this version now.

        Returns:
            The model; ``served`` itself if the folder holds exactly that.

        Raises:
            BundleError: it cannot be served.
            ConfigError: a device that is demanded does not work.
        """
        async with self._one_at_a_time:
            model = await self.read(partial(self._open, name, version, stamp, served))
            if model is not served:
                await self._warm_up(model)
        return model

    async def _warm_up(self, model: Model) -> None:
        for run in model.session.warm_up_runs(model.lane.settings.max_batch_size):
            # One by one: the batches of those who are served go in between.
            await self._device.run(run)

    def _open(self, name: str, version: int, stamp: BundleStamp, served: Model | None) -> Model:
        folder = self.root / name / str(version)
        bundle = read_bundle(folder)
        if served is not None and _same(bundle, served.bundle):
            return served
        session = self._open_session(bundle)
        if scan_bundle(folder) != stamp:  # so it may be another network than that of the digest
            raise BundleError(f"bundle {folder} changed while it was read; load it again")
        lane = Lane(f"{name}/{version}", session, self._settings(name, session))
        return Model(name, version, bundle, session, lane, bundle.bank)


def _same(one: Bundle, other: Bundle) -> bool:
    return (one.files, one.network, one.styles, one.training) == (
        other.files,
        other.network,
        other.styles,
        other.training,
    )
