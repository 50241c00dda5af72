"""Looks at the model folder again and again, so that what changes there is served."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from serving.models.folder_scan import FolderScan, ModelScan
from serving.models.repository import Repository
from serving.models.versions import ModelVersions
from sfumato.errors import SfumatoError

_log = logging.getLogger(__name__)


class RepositoryWatcher:
    """Keeps a repository like its folder.

    Nothing is read unless a name or a stamp changed. What fails is tried again when it changes, and
    what the system refused also after a while. What is gone is dropped when it is still gone at the
    next look, so that a folder may be replaced by renaming two.
    """

    def __init__(self, repository: Repository, seconds: float) -> None:
        """Watches nothing before ``start``.

        Args:
            repository: what to keep up to date.
            seconds: time between two looks; 0 for none at all.
        """
        self._repository = repository
        self._seconds = seconds
        self._missing: dict[str, set[int]] = {}
        self._trouble = ""
        self._mistake = ""
        self._working: dict[str, asyncio.Task[None]] = {}
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look."""
        if self._seconds > 0:
            self._looking = asyncio.create_task(self._look_on())

    async def stop(self) -> None:
        """Stops looking, and gives up what is being loaded."""
        tasks = [*self._working.values()]
        if self._looking is not None:
            tasks.append(self._looking)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            try:
                self._compare(await self._repository.scan())
            except OSError as error:
                self._note(f"it cannot be read ({error.strerror})")
            except Exception as error:
                if repr(error) != self._mistake:
                    _log.exception("the model folder could not be looked at")
                self._mistake = repr(error)

    def _compare(self, scan: FolderScan) -> None:
        if not scan.models:  # as when its file system is not mounted
            self._note("it holds no model")
            return
        self._note("")
        for name in {*scan.models, *self._repository.names()} - scan.unreadable.keys():
            versions = self._repository.versions_of(name)
            self._compare_model(versions, scan.models.get(name, ModelScan()))

    def _compare_model(self, versions: ModelVersions, scan: ModelScan) -> None:
        name = versions.name
        versions.tell_failures(scan)
        missing = versions.missing(scan)
        gone = missing & self._missing.get(name, set())
        self._missing[name] = missing
        if versions.differs_in_extras(scan):
            self._begin(f"extras of {name}", versions.sync)
        if gone or versions.changed(scan):
            self._begin(f"versions of {name}", partial(versions.follow, gone))

    def _begin(self, what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begins ``work`` unless it is being done; looking goes on meanwhile."""
        running = self._working.get(what)
        if running is None or running.done():
            self._working[what] = asyncio.create_task(self._do(what, work))

    async def _do(self, what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except SfumatoError as error:
            _log.warning("%s could not be read again: %s", what, error)
        except Exception:
            _log.exception("%s could not be read again", what)

    def _note(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            _log.warning("the model folder is not followed: %s; what is loaded stays", trouble)
        self._trouble = trouble
