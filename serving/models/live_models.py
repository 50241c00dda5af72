"""The models of one server: loaded as the settings say, and kept like their folder."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from serving.config import ModelConfig, ServerConfig
from serving.device.lane import LaneSettings
from serving.device.onnx_runtime import CUDA, SessionSettings
from serving.device.session import DeviceShare, OnnxSession
from serving.device.worker_threads import WorkerThreads
from serving.models.loader import ModelLoader
from serving.models.model import LoadableSession
from serving.models.repository import Repository
from serving.models.watcher import RepositoryWatcher
from sfumato.bundle.bundle import Bundle

_log = logging.getLogger(__name__)

OpenSession = Callable[[Bundle], LoadableSession]

_BATCH_ON_CUDA: Final = 8
_BATCH_ON_CPU: Final = 1  # on a CPU a batch is no faster than its photos one by one
_FILE_THREADS: Final = 2  # one may be busy with a network while the other reads a style


class LiveModels:
    """A repository together with what changes it and what tells about it.

    Attributes:
        repository: the models; empty before ``load``.
    """

    def __init__(
        self, config: ServerConfig, device: WorkerThreads, open_session: OpenSession | None
    ) -> None:
        """Reads nothing yet.

        Args:
            config: settings of the server.
            device: the threads on which networks run.
            open_session: loads the network of a bundle; None for ONNX Runtime.
        """
        self._config = config
        self._at_once = device.count
        self._device = DeviceShare()
        self._files = ThreadPoolExecutor(_FILE_THREADS, thread_name_prefix="files")
        loader = ModelLoader(
            config.models,
            open_session or self._open_onnx,
            self._lane_settings,
            files=self._files,
            device=device,
        )
        self.repository = Repository(loader)
        self._watcher = RepositoryWatcher(self.repository, config.poll_seconds)

    async def load(self) -> None:
        """Loads and warms up every model. Raises ConfigError; see ``Repository.start``."""
        await self.repository.start()
        there = {entry.name for entry in self.repository.index()}
        for name in sorted(set(self._config.per_model) - there):
            _log.warning(
                "per_model has settings for %r, which is not in the model folder; there are %s",
                name,
                ", ".join(sorted(there)),
            )

    def follow(self) -> None:
        """Follows the model folder from now on."""
        self._watcher.start()

    async def stay(self) -> None:
        """Follows the folder no more; what is loaded stays."""
        await self._watcher.stop()

    def close(self) -> None:
        """Gives up what is being loaded; the threads end once what they are reading is read."""
        self.repository.give_up()
        self._files.shutdown(wait=False, cancel_futures=True)

    def _open_onnx(self, bundle: Bundle) -> LoadableSession:
        settings = SessionSettings(
            device=self._config.device,
            precision=self._config.precision,
            batches_at_once=self._at_once,
            intra_op_threads=self._config.intra_op_threads,
            cuda_options=self._config.cuda_options,
            cuda_graphs=self._config.replayed_batches,
        )
        return OnnxSession(bundle, settings, self._device)

    def _lane_settings(self, name: str, session: LoadableSession) -> LaneSettings:
        config, own = self._config, self._config.per_model.get(name, ModelConfig())
        delay = own.max_batch_delay_ms
        return LaneSettings(
            max_batch_size=own.max_batch_size
            or config.max_batch_size
            or (_BATCH_ON_CUDA if session.provider == CUDA else _BATCH_ON_CPU),
            max_batch_pixels=config.max_pixels,
            max_batch_delay=(config.max_batch_delay_ms if delay is None else delay) / 1000,
            max_queue_size=own.max_queue_size,
        )
