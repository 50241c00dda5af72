"""The model folder: which models and versions are served, and why the others are not."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any, Final, NoReturn, TypeVar

from serving.calls.time_limit import retrieve
from serving.errors import ConfigError, DamagedModelError, ModelNotFoundError
from serving.models.folder_scan import STYLES_FOLDER, FolderScan, ModelScan, scan_folder
from serving.models.loader import ModelLoader
from serving.models.model import IndexEntry, Model
from serving.models.style_folder import AddedStyle
from serving.models.versions import ModelVersions
from sfumato.errors import SfumatoError
from sfumato.name_list import close_names, name_list

T = TypeVar("T")

_log = logging.getLogger(__name__)

DEFAULT_MODEL: Final = "default"


class Repository:
    """The models of a folder, which come and go while they are served.

    What a request asks for is only ever looked up in memory, or among the names that a listing of
    the folder gave; no name of a request becomes a path. To be used on the event loop's thread.
    """

    def __init__(self, loader: ModelLoader) -> None:
        """Starts empty; ``loader`` knows the folder."""
        self._loader = loader
        self._models: dict[str, ModelVersions] = {}
        self._unreadable: dict[str, str] = {}
        self._listeners: list[Callable[[str], None]] = []
        self._changes: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Loads and warms up every model. What cannot be used is logged and remembered.

        Raises:
            ConfigError: the folder cannot be read, or nothing in it can be served.
        """
        try:
            scan = await self.scan()
        except OSError as error:
            raise ConfigError(
                f"the model folder {error.filename} cannot be read ({error.strerror}); "
                "name one that can with --models"
            ) from error
        for name in scan.models:
            try:
                await self.versions_of(name).load()
            except SfumatoError as error:
                _log.debug("not all of model=%s is served: %s", name, error)
        self._require_one()

    def __iter__(self) -> Iterator[Model]:
        """Yields every version of every model that is served, by name."""
        for name in self.names():
            yield from self._models[name]

    def names(self) -> list[str]:
        """Lists the models of which there is any version, served or not."""
        return sorted(name for name, versions in self._models.items() if versions.is_known)

    def latest(self) -> list[Model]:
        """Lists the highest version of each model that is served, by name."""
        highest = (self._models[name].latest for name in self.names())
        return [model for model in highest if model is not None]

    def find(self, name: str = "", version: int | None = None, label: str = "") -> Model:
        """Looks a model up.

        Args:
            name: its name; empty means "default".
            version: its version; None means the highest that is served.
            label: label of a version, instead of its number.

        Raises:
            ModelNotFoundError: there is none of that name, version or label, or it is unloaded.
            DamagedModelError: it is there but cannot be served.
            NotServingError: it is being loaded for the first time.
        """
        return self._known(name).find(version, label)

    def meant_by(self, name: str, version: int = 0, label: str = "") -> Model | None:
        """Gives the model that a call asked for, or left to the server to choose; None for none.

        For those who count failures: what clients make up is not counted. Version 0 is unnamed.
        """
        try:
            return self.find(name, version or None, label)
        except SfumatoError:
            return None

    def index(self) -> list[IndexEntry]:
        """Lists every version of every model, also those that are not served, by name."""
        return [entry for name in self.names() for entry in self._models[name].index()]

    async def load(self, name: str) -> None:
        """Makes what is served of a model the same as what lies in its folder.

        New versions are loaded, changed ones are loaded anew, vanished ones are dropped. Where
        that fails, what was served before stays.

        Raises:
            ModelNotFoundError: the folder has no model of that name, or has it no more.
            DamagedModelError: the folder cannot be read, or a version cannot be served; the others
                are all the same.
        """
        name = name or DEFAULT_MODEL
        try:
            scan = await self.scan()
        except OSError as error:
            raise DamagedModelError(f"the model folder cannot be read ({error.strerror})") from None
        if name not in scan.models:
            await self._tell_missing(name, scan)
        await self._to_its_end(self.versions_of(name).load())

    async def unload(self, name: str) -> None:
        """Serves no version of a model any more; requests that have begun are finished.

        It stays so until ``load``, or until the files of a version change.

        Raises:
            ModelNotFoundError: no model of that name.
        """
        await self._known(name).unload()

    async def add_style(self, name: str, style_file: bytes) -> AddedStyle:
        """Adds a style to all versions of a model whose network it was trained for.

        Args:
            name: name of the model; empty means "default".
            style_file: content of a style file.

        Raises:
            ModelNotFoundError, DamagedModelError: see ``find``.
            StyleFileError: not a style file, or one for another network.
            StyleExistsError: there is a style, or a style file, of that id already.
        """
        return await self._to_its_end(self._known(name).add_style(style_file))

    def on_change(self, listener: Callable[[str], None]) -> None:
        """Calls ``listener`` with a model's name after what is served of it may have changed."""
        self._listeners.append(listener)

    def give_up(self) -> None:
        """Ends what ``load`` and ``add_style`` have not finished."""
        for change in self._changes:
            change.cancel()

    async def scan(self) -> FolderScan:
        """Looks at the model folder. Raises OSError if it cannot be read."""
        scan = await self._loader.read(partial(scan_folder, self._loader.root))
        self._tell_unreadable(scan)
        return scan

    def versions_of(self, name: str) -> ModelVersions:
        """Gives the versions of a model; ``name`` must come from ``names`` or a ``scan``."""
        if name not in self._models:
            self._models[name] = ModelVersions(name, self._loader, self._tell)
        return self._models[name]

    def _tell_unreadable(self, scan: FolderScan) -> None:
        """Warns of folders that cannot be read, once for each reason."""
        styles = {f"{name}/{STYLES_FOLDER}": model.trouble for name, model in scan.models.items()}
        unreadable = {**scan.unreadable, **styles}
        for name, reason in unreadable.items():
            if reason and self._unreadable.get(name, "") != reason:
                _log.warning("%s cannot be read: %s", self._loader.root / name, reason)
        self._unreadable = unreadable

    async def _tell_missing(self, name: str, scan: FolderScan) -> NoReturn:
        """Says why a model is not in ``scan``; drops it if it is gone."""
        versions = self._models.get(name)
        stays = "; what is loaded stays" if versions is not None and versions.is_known else ""
        if name in scan.unreadable:
            reason = scan.unreadable[name]
            raise DamagedModelError(
                f"the folder of model {name!r} cannot be read ({reason}){stays}"
            )
        if versions is None or not stays:
            raise self._no_model(name)
        if not scan.models:  # as when its file system is not mounted
            raise DamagedModelError(f"the model folder holds no model{stays}")
        await self._to_its_end(versions.follow(versions.missing(ModelScan())))
        raise ModelNotFoundError(f"the model folder holds no model {name!r} any more")

    async def _to_its_end(self, change: Coroutine[Any, Any, T]) -> T:
        """Makes a change whole, even if who asked for it does not wait any more."""
        task = asyncio.create_task(change)
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        task.add_done_callback(retrieve)
        return await asyncio.shield(task)

    def _tell(self, name: str) -> None:
        for listener in self._listeners:
            listener(name)

    def _known(self, name: str) -> ModelVersions:
        name = name or DEFAULT_MODEL
        versions = self._models.get(name)
        if versions is None or not versions.is_known:
            raise self._no_model(name)
        return versions

    def _no_model(self, name: str) -> ModelNotFoundError:
        names = self.names()
        hint = close_names(name, names) or f"there are {name_list(map(repr, names))}"
        return ModelNotFoundError(f"no model {name[:100]!r}; {hint}")

    def _require_one(self) -> None:
        if any(True for _ in self):
            return
        reasons = [entry.reason for entry in self.index() if entry.reason]
        raise ConfigError(
            f"no model in {self._loader.root} can be served; "
            + (
                reasons[0]
                if reasons
                else "it must hold <name>/<version>/ folders, as `python -m training export` writes"
            )
        )
