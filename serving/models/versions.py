"""One model of the repository: its versions, and what else lies in its folder."""

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import TypeAlias
from weakref import WeakSet

from serving.errors import DamagedModelError, ModelNotFoundError, NotServingError
from serving.models.folder_scan import (
    LABELS_FILE,
    STYLES_FOLDER,
    BundleStamp,
    ModelScan,
    scan_model,
)
from serving.models.labels import VersionLabels
from serving.models.loader import ModelLoader
from serving.models.model import IndexEntry, Model, ModelState
from serving.models.style_folder import AddedStyle, StyleFolder
from serving.models.version_slot import VersionSlot
from sfumato.bundle.style_file import parse_style_file
from sfumato.errors import SfumatoError
from sfumato.name_list import name_list

_log = logging.getLogger(__name__)

_NotServed: TypeAlias = ModelNotFoundError | DamagedModelError | NotServingError


class ModelVersions:
    """The versions of one model, and how they come and go.

    A version that was loaded takes the place of an old one in one step. Who has found the old one
    keeps it, and it is freed when the last of them is done.
    """

    def __init__(self, name: str, loader: ModelLoader, on_change: Callable[[str], None]) -> None:
        """Starts without versions.

        Args:
            name: name of the model, from a listing of the model folder.
            loader: loads versions.
            on_change: gets the name after what is served has changed.
        """
        self.name = name
        self._loader = loader
        self._on_change = on_change
        self._folder = loader.root / name
        self._slots: dict[int, VersionSlot] = {}
        self._replaced = WeakSet[Model]()
        self._labels = VersionLabels(self._folder / LABELS_FILE)
        self._styles = StyleFolder(self._folder / STYLES_FOLDER)
        self._is_unloaded = False
        self._changing = asyncio.Lock()
        self._adding = asyncio.Lock()  # of its own: a style need not wait for a network

    def __iter__(self) -> Iterator[Model]:
        """Yields the versions that are served, ascending."""
        for _, slot in sorted(self._slots.items()):
            if slot.model is not None:
                yield slot.model

    @property
    def is_known(self) -> bool:
        """Whether there is any version, served or not."""
        return bool(self._slots)

    @property
    def latest(self) -> Model | None:
        """The highest version that is served."""
        return max(self, key=lambda model: model.version, default=None)

    def find(self, version: int | None, label: str) -> Model:
        """Looks a version up; see ``Repository.find``."""
        if label:
            return self._labelled(label)
        model = self.latest if version is None else self._served(version)
        if model is None:
            raise self._no_version(version)
        return model

    def index(self) -> list[IndexEntry]:
        """Lists all versions, ascending."""
        reason = "unloaded" if self._is_unloaded else ""
        states = {v: (slot.state, slot.reason or reason) for v, slot in self._slots.items()}
        for model in self._replaced:
            state, reason = states.get(model.version, (ModelState.UNAVAILABLE, ""))
            if model.lane.inside and state is ModelState.UNAVAILABLE:
                states[model.version] = (ModelState.UNLOADING, reason)
        return [IndexEntry(self.name, v, *state) for v, state in sorted(states.items())]

    async def load(self) -> None:
        """Makes what is served the same as what lies in the folder.

        Raises:
            ModelNotFoundError: there is no version.
            DamagedModelError: a version cannot be served; the others are all the same.
        """
        async with self._changing:
            scan = await self._scan()
            if not scan.versions:
                raise ModelNotFoundError(f"the folder of model {self.name!r} holds no version")
            await self._sync()
            await self._change(scan, gone=self.missing(scan), changed=scan.versions)
            for version, slot in self._slots.items():
                slot.tell(f"{self.name}/{version}")
        failed = {v: slot.reason for v, slot in sorted(self._slots.items()) if slot.reason}
        if failed:
            raise DamagedModelError(self._damaged(failed))

    async def unload(self) -> None:
        """Serves no version any more, until ``load`` or until the files change."""
        async with self._changing:
            self._is_unloaded = True
            for slot in self._slots.values():
                self._retire(slot)
                slot.unload()
            self._renew()

    async def follow(self, gone: Collection[int]) -> None:
        """Loads what is new or has changed, and drops what is ``gone``; failures are noted."""
        async with self._changing:
            scan = await self._scan()
            changed = self.changed(scan)
            if changed and self._is_unloaded:
                changed = set(scan.versions)
            await self._change(scan, gone=self.missing(scan) & {*gone}, changed=changed)

    async def sync(self) -> None:
        """Reads labels and style files that have changed."""
        if await self._sync():
            self._renew()
            self._tell()

    async def add_style(self, data: bytes) -> AddedStyle:
        """Adds a style; see ``Repository.add_style``."""
        style = parse_style_file(data)
        async with self._adding:
            if not self._styles.check(style, [*self]):
                raise self._no_version(None)
            entry = await self._loader.read(partial(self._styles.store, style, data))
            self._styles.add(style, entry)
            await self._prepare([*self])
            self._renew()
        versions = tuple(model.version for model in self if style.info.id in model.bank.ids)
        return AddedStyle(style.info.id, versions, stored=entry is not None)

    def changed(self, scan: ModelScan) -> set[int]:
        """Gives the versions that are new, have changed since, or are worth another attempt."""
        return {
            version
            for version, stamp in scan.versions.items()
            if version not in self._slots or self._slots[version].is_due(stamp)
        }

    def differs_in_extras(self, scan: ModelScan) -> bool:
        """Whether labels or style files have changed since they were read."""
        styles = scan.styles is None or self._styles.is_current(scan.styles)
        return bool(scan.versions) and not (styles and self._labels.is_current(scan.labels))

    def missing(self, scan: ModelScan) -> set[int]:
        """Gives the versions that are not in the folder any more."""
        return self._slots.keys() - scan.versions.keys()

    def tell_failures(self, scan: ModelScan) -> None:
        """Logs why versions could not be loaded, if they have stayed the same since.

        A folder that is being copied changes, and would be told of again and again.
        """
        for version, slot in self._slots.items():
            if slot.is_complete and slot.seen == scan.versions.get(version):
                slot.tell(f"{self.name}/{version}")

    async def _scan(self) -> ModelScan:
        try:
            return await self._loader.read(partial(scan_model, self._folder))
        except OSError as error:
            raise DamagedModelError(
                f"the folder of model {self.name!r} cannot be read ({error.strerror})"
            ) from error

    async def _sync(self) -> bool:
        async with self._adding:
            scan = await self._scan()
            if not self.differs_in_extras(scan):
                return False
            if not self._labels.is_current(scan.labels):
                labels = await self._loader.read(partial(self._labels.read, scan.labels))
                self._labels.take(scan.labels, labels)
            if scan.styles is not None:
                styles = await self._loader.read(partial(self._styles.read, scan.styles))
                self._styles.take(styles)
                await self._prepare([*self])
        return True

    async def _change(
        self, scan: ModelScan, *, gone: Collection[int], changed: Collection[int]
    ) -> None:
        for version in gone:
            self._retire(self._slots.pop(version))
            self._renew()
        if changed:
            self._is_unloaded = False
        for version in sorted(changed):
            await self._attempt(version, scan.versions[version])
        self._renew()
        self._tell()

    async def _attempt(self, version: int, stamp: BundleStamp) -> None:
        slot = self._slots.setdefault(version, VersionSlot())
        slot.is_loading = True
        try:
            model = await self._loader.load(self.name, version, stamp, slot.model)
            await self._prepare([model])
        except Exception as error:
            slot.fail(stamp, self._reason(error), error)
        else:
            is_new = model is not slot.model
            if is_new:
                self._retire(slot)
            slot.serve(stamp, model)
            self._renew()
            if is_new:
                _tell_loaded(model)
        finally:
            slot.is_loading = False

    def _retire(self, slot: VersionSlot) -> None:
        if slot.model is not None:
            self._replaced.add(slot.model)
            _log.info("retired model=%s, with %d inside", slot.model, slot.model.lane.inside)

    async def _prepare(self, models: Collection[Model]) -> None:
        """Puts banks together on a thread: thousands of styles would hold the event loop up."""
        await self._loader.read(partial(self._styles.prepare, models))

    def _renew(self) -> None:
        models = [*self]
        self._styles.renew(models)
        self._labels.move({model.version for model in models})
        self._on_change(self.name)

    def _tell(self) -> None:
        self._styles.tell()
        if self._slots and not self._is_unloaded:
            self._labels.tell()

    def _served(self, version: int | None) -> Model | None:
        return next((model for model in self if model.version == version), None)

    def _reason(self, error: Exception) -> str:
        # These two are tried again and again: a traceback each time would be no news.
        if isinstance(error, MemoryError):
            return "there is not enough memory to load it"
        if isinstance(error, OSError):
            return f"the system refused to read it ({error.strerror or error})"
        if not isinstance(error, SfumatoError):
            _log.error("unexpected error while loading model=%s", self.name, exc_info=error)
            return "unexpected error; the server's log has it"
        # Clients learn the reason, but not where the folder lies on this machine.
        return str(error).replace(f"{self._loader.root}{os.sep}", "")

    def _labelled(self, label: str) -> Model:
        version = self._labels.version(label)
        if version is None and self._labels.wanted(label) in self._slots:
            version = self._labels.wanted(label)  # which has never been served
        model = self._served(version)
        if model is not None:
            return model
        if version is not None:
            error = self._no_version(version)
            raise type(error)(f"label {label!r} means version {version}: {error}")
        raise ModelNotFoundError(
            f"no served version of model {self.name!r} has the label {label[:100]!r}; "
            f"labels are {name_list(map(repr, self._labels.names))}"
        )

    def _no_version(self, version: int | None) -> _NotServed:
        """Gives the reason why a version, or None for any, is not served."""
        if self._is_unloaded:
            return ModelNotFoundError(f"model {self.name!r} is unloaded; load it first")
        if version is None:
            version = max(self._slots, default=0)
        slot = self._slots.get(version)
        if slot is None:
            served = name_list(str(model.version) for model in self)
            return ModelNotFoundError(
                f"model {self.name!r} has no version {version}; there are {served}"
            )
        if not slot.reason:
            return NotServingError(f"model {self.name!r} is being loaded; try again soon")
        return DamagedModelError(self._damaged({version: slot.reason}))

    def _damaged(self, reasons: Mapping[int, str]) -> str:
        return "; ".join(
            f"version {version} of model {self.name!r} cannot be served: {reason}"
            for version, reason in reasons.items()
        )


def _tell_loaded(model: Model) -> None:
    _log.info(
        "loaded model=%s styles=%d provider=%s precision=%s max_batch_size=%d",
        model,
        len(model.bank.infos),
        model.session.provider,
        model.session.precision,
        model.lane.settings.max_batch_size,
    )
