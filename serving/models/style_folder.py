"""Styles that were added to a model after its training: dropped into its folder, or sent."""

import logging
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

from serving.errors import StyleExistsError
from serving.models.created_file import create_file
from serving.models.folder_scan import Stamp
from serving.models.model import Model
from sfumato.bundle.style_bank import StyleBank
from sfumato.bundle.style_file import STYLE_FILE_SUFFIX, StyleFile, read_style_file
from sfumato.errors import StyleFileError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AddedStyle:
    """What came of adding a style.

    Attributes:
        id: id of the style.
        versions: versions of the model that serve it.
        stored: whether its file lies in the folder of the model; if not, the style is gone after
            a restart.
    """

    id: str
    versions: tuple[int, ...]
    stored: bool


@dataclass(frozen=True)
class StyleEntry:
    """One style file, as it was when it had this stamp; a problem if it cannot be read."""

    stamp: Stamp | None
    style: StyleFile | None
    problem: str = ""


@dataclass(frozen=True)
class _Extended:
    """The bank of a bundle together with added styles.

    Attributes:
        styles: the added styles, by the names of their files; also those that do not fit.
        bank: all that can be served; None for the bundle's own, which this must not keep alive.
        fitting: names of the styles that belong to this network.
        problems: why some of these are not served, by name.
    """

    styles: Sequence[tuple[str, StyleFile]]
    bank: StyleBank | None
    fitting: Collection[str]
    problems: Mapping[str, str]


class StyleFolder:
    """The added styles of one model.

    The styles of a bundle win over files of the same id; among files, the first by name wins.
    """

    def __init__(self, path: Path) -> None:
        """Starts empty.

        Args:
            path: the folder of the style files, <models>/<name>/styles; need not be there.
        """
        self._path = path
        self._files: dict[str, StyleEntry] = {}
        self._in_memory: dict[str, StyleFile] = {}
        self._styles: Sequence[tuple[str, StyleFile]] = ()  # is replaced, and never changes
        self._extended = WeakKeyDictionary[StyleBank, _Extended]()
        self._problems: dict[str, str] = {}
        self._told: dict[str, str] = {}

    def is_current(self, stamps: Mapping[str, Stamp]) -> bool:
        """Whether the files with these stamps are what was read last."""
        return {name: entry.stamp for name, entry in self._files.items()} == stamps

    def read(self, stamps: Mapping[str, Stamp]) -> dict[str, StyleEntry]:
        """Reads what has changed, on any thread; ``take`` makes use of it."""
        return {name: self._read(name, stamp) for name, stamp in stamps.items()}

    def take(self, files: Mapping[str, StyleEntry]) -> None:
        """Makes ``files`` the style files of the model; ``renew`` serves them."""
        for name in [name for name in self._told if files.get(name) != self._files.get(name)]:
            del self._told[name]  # a changed file is worth another word
        self._files = dict(files)
        self._arrange()

    def prepare(self, models: Iterable[Model]) -> None:
        """Does the long part of ``renew``, on any thread, so that it only has the short one."""
        for model in models:
            self._extend(model.bundle.bank)

    def renew(self, models: Collection[Model]) -> None:
        """Gives each version the styles of its bundle and those added for its network."""
        problems = {name: e.problem for name, e in self._files.items() if e.problem}
        fitting: set[str] = set()
        for model in models:
            extended = self._extend(model.bundle.bank)
            model.bank = model.bundle.bank if extended.bank is None else extended.bank
            fitting.update(extended.fitting)
            problems |= extended.problems
        for name, style in self._styles if models else ():
            if name not in fitting:
                problems[name] = (
                    f"style {style.info.id!r} belongs to network {style.network_digest}, "
                    "which no served version has"
                )
        self._problems = problems

    def tell(self) -> None:
        """Warns of files that are not served, once for each reason and change of the file."""
        for name, problem in self._problems.items():
            if self._told.get(name) != problem:
                _log.warning("style file %s is not served: %s", self._path / name, problem)
        self._told = dict(self._problems)

    def check(self, style: StyleFile, models: Collection[Model]) -> list[Model]:
        """Checks whether a style can be added.

        Returns:
            The versions that can paint in it, at least one.

        Raises:
            StyleFileError: it belongs to another network.
            StyleExistsError: there is a style, or a style file, of that id already.
        """
        fitting = [m for m in models if m.bundle.network.digest == style.network_digest]
        for model in fitting or models:
            model.bundle.bank.check_fits(style)
        name = _file_name(style)
        if name in self._files or any(style.info.id in model.bank.ids for model in fitting):
            raise StyleExistsError(
                f"the model has a style {style.info.id!r} already; choose another id"
            )
        return fitting

    def store(self, style: StyleFile, data: bytes) -> StyleEntry | None:
        """Writes a style file, on any thread; None where the file system refuses.

        Raises:
            StyleExistsError: a file has its name, perhaps from another server a moment ago.
        """
        path = self._path / _file_name(style)
        try:
            self._path.mkdir(exist_ok=True)
            return StyleEntry(create_file(path, data), style)
        except OSError as error:
            if os.path.lexists(path):  # even if it is damaged, it is not ours to replace
                raise StyleExistsError(
                    f"there is a file {path.name} already; choose another id"
                ) from error
            _log.warning("style file %s cannot be written: %s", path, error.strerror or error)
            return None

    def add(self, style: StyleFile, stored: StyleEntry | None) -> None:
        """Adds a style; ``renew`` serves it."""
        if stored is None:
            self._in_memory[style.info.id] = style
        else:
            self._files[_file_name(style)] = stored
        self._arrange()

    def _read(self, name: str, stamp: Stamp) -> StyleEntry:
        known = self._files.get(name)
        if known is not None and known.stamp == stamp:
            return known
        try:
            return StyleEntry(stamp, read_style_file(self._path / name))
        except Exception as error:  # whatever a file holds, the others are served
            return StyleEntry(stamp, None, str(error))

    def _arrange(self) -> None:
        """Orders all styles by the names of their files; those in memory come last."""
        files = [(name, e.style) for name, e in sorted(self._files.items()) if e.style is not None]
        sent = [(f"{id_} (in memory)", style) for id_, style in self._in_memory.items()]
        self._styles = (*files, *sent)

    def _extend(self, own: StyleBank) -> _Extended:
        styles = self._styles
        extended = self._extended.get(own)
        if extended is None or extended.styles is not styles:
            extended = self._extended[own] = _extend(own, styles)
        return extended


def _extend(own: StyleBank, styles: Sequence[tuple[str, StyleFile]]) -> _Extended:
    ids = frozenset(own.ids)
    fitting: set[str] = set()
    problems: dict[str, str] = {}
    added: dict[str, StyleFile] = {}
    for name, style in styles:
        if style.network_digest != own.network_digest:
            continue
        fitting.add(name)
        if style.info.id in ids or style.info.id in added:
            owner = "the bundle" if style.info.id in ids else "another file"
            problems[name] = f"{owner} has a style {style.info.id!r}, which is served instead"
            continue
        try:
            own.check_fits(style)
        except StyleFileError as error:
            problems[name] = str(error)
        else:
            added[style.info.id] = style
    bank = own.with_styles([*added.values()]) if added else None
    return _Extended(styles, bank, fitting, problems)


def _file_name(style: StyleFile) -> str:
    # The id has been checked: words of letters and digits joined by hyphens.
    return f"{style.info.id}{STYLE_FILE_SUFFIX}"
