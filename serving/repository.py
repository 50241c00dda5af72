"""The model folder: which models and versions can be served, and why the others cannot."""

import difflib
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from serving.errors import ConfigError, DamagedModelError, ModelNotFoundError
from serving.lane import Lane, LaneSettings
from serving.model import IndexEntry, LoadableSession, Model, ModelState
from sfumato.bundle import Bundle, list_versions, read_bundle
from sfumato.errors import BundleError

__all__ = ["DEFAULT_MODEL", "IndexEntry", "LoadableSession", "Model", "ModelState", "Repository"]

_log = logging.getLogger(__name__)

DEFAULT_MODEL: Final = "default"
_MAX_LISTED: Final = 20


class Repository:
    """The models of a folder, read once.

    What a request asks for is only ever looked up in memory; no request reaches the file system.
    """

    def __init__(
        self,
        root: Path,
        open_session: Callable[[Bundle], LoadableSession],
        settings: Callable[[str, LoadableSession], LaneSettings],
    ) -> None:
        """Reads every bundle under ``root`` and opens a session for each.

        A bundle that cannot be used is logged and remembered with its reason.

        Args:
            root: folder with <name>/<version>/.
            open_session: loads a bundle's network; raises BundleError if it is no good.
            settings: gives the limits of a model, by its name and a session of it.

        Raises:
            ConfigError: ``root`` is no folder, or nothing in it can be served.
        """
        self._root = root
        self._open_session = open_session
        self._settings = settings
        self._models: dict[str, dict[int, Model]] = {}
        self._damaged: dict[str, dict[int, str]] = {}
        for name in _model_names(root):
            self._load(name)
        self._require_one()

    def warm_up(self) -> None:
        """Runs every network for the first times; one that fails counts as damaged from here on.

        Raises:
            ConfigError: none works.
        """
        for model in list(self):
            try:
                model.session.warm_up(model.lane.settings.max_batch_size)
            except BundleError as error:
                del self._models[model.name][model.version]
                self._note_damage(model.name, model.version, error)
        self._require_one()

    def __iter__(self) -> Iterator[Model]:
        """Yields every version of every model that can be served."""
        for versions in self._models.values():
            yield from versions.values()

    def latest(self) -> list[Model]:
        """Lists the highest version of each model that can be served, by name."""
        return [versions[max(versions)] for versions in self._models.values() if versions]

    def find(self, name: str = "", version: int | None = None, label: str = "") -> Model:
        """Looks a model up.

        Args:
            name: its name; empty means "default".
            version: its version; None means the highest that can be served.
            label: label of a version, instead of its number.

        Raises:
            ModelNotFoundError: there is none of that name or version.
            DamagedModelError: it is there but cannot be served.
        """
        name = name or DEFAULT_MODEL
        if name not in self._models:
            raise ModelNotFoundError(f"no model {name[:100]!r}; {self._hint(name)}")
        versions, damaged = self._models[name], self._damaged[name]
        if version is None and versions:
            version = max(versions)
        if version in versions:
            return versions[version]
        if version is None and damaged:
            version = max(damaged)
        if version in damaged:
            raise DamagedModelError(
                f"version {version} of model {name!r} cannot be served: {damaged[version]}"
            )
        raise ModelNotFoundError(_no_version(name, version, versions))

    async def load(self, name: str) -> None:
        """Makes what is served of a model the same as what lies in its folder.

        Raises:
            ModelNotFoundError: the folder has no model of that name.
            DamagedModelError: a version cannot be served; the others are all the same.
        """
        raise NotImplementedError

    async def unload(self, name: str) -> None:
        """Serves no version of a model any more; requests that have begun are finished.

        Raises:
            ModelNotFoundError: no model of that name.
        """
        raise NotImplementedError

    def index(self) -> list[IndexEntry]:
        """Lists every version of every model, also those that are not served, by name."""
        return [IndexEntry(m.name, m.version, ModelState.READY) for m in self]

    def _load(self, name: str) -> None:
        self._models[name], self._damaged[name] = {}, {}
        for version in list_versions(self._root / name):
            try:
                bundle = read_bundle(self._root / name / str(version))
                session = self._open_session(bundle)
                lane = Lane(f"{name}/{version}", session, self._settings(name, session))
                model = Model(name, version, bundle, session, lane)
            except BundleError as error:
                self._note_damage(name, version, error)
            else:
                self._models[name][version] = model
                _log.info(
                    "loaded model=%s styles=%d provider=%s max_batch_size=%d",
                    model,
                    len(bundle.styles),
                    model.session.provider,
                    lane.settings.max_batch_size,
                )

    def _note_damage(self, name: str, version: int, error: BundleError) -> None:
        _log.error("cannot serve model=%s/%d: %s", name, version, error)
        # Clients learn the reason, but not where the folder lies on this machine.
        self._damaged[name][version] = str(error).replace(f"{self._root}{os.sep}", "")

    def _require_one(self) -> None:
        if any(self._models.values()):
            return
        reasons = [reason for damaged in self._damaged.values() for reason in damaged.values()]
        raise ConfigError(
            f"no model in {self._root} can be served; "
            + (
                reasons[0]
                if reasons
                else "it must hold <name>/<version>/ folders, as `python -m training export` writes"
            )
        )

    def _hint(self, name: str) -> str:
        close = difflib.get_close_matches(name[:100], self._models)
        if close:
            return "did you mean " + " or ".join(repr(match) for match in close) + "?"
        return "there are " + _listed(repr(known) for known in self._models)


def _model_names(root: Path) -> list[str]:
    try:
        return [entry.name for entry in sorted(root.iterdir()) if list_versions(entry)]
    except OSError as error:
        raise ConfigError(
            f"the model folder {error.filename} cannot be read ({error.strerror}); "
            "name one that can with --models"
        ) from error


def _no_version(name: str, version: int | None, versions: Iterable[int]) -> str:
    return f"model {name!r} has no version {version}; there are {_listed(map(str, versions))}"


def _listed(names: Iterable[str]) -> str:
    known = list(names)
    more = f" and {len(known) - _MAX_LISTED} more" if len(known) > _MAX_LISTED else ""
    return (", ".join(known[:_MAX_LISTED]) or "none") + more
