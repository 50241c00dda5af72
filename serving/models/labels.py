"""Labels of versions, such as "stable" and "canary", so that clients need not know numbers."""

import json
import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from serving.models.folder_scan import Stamp
from sfumato.errors import SfumatoError

_log = logging.getLogger(__name__)

MAX_LABEL_LENGTH: Final = 100
MAX_LABELS_BYTES: Final = 1 << 20


class LabelsError(SfumatoError):
    """The file with the labels is damaged."""


class VersionLabels:
    """The labels of one model.

    A label moves only to a version that is served; until then it stays where it was.
    """

    def __init__(self, path: Path) -> None:
        """Starts without any.

        Args:
            path: the file with the labels, <models>/<name>/labels.json; need not be there.
        """
        self._path = path
        self._seen: Stamp | None = None
        self._wanted: Mapping[str, int] = {}
        self._now: dict[str, int] = {}
        self._served: Collection[int] = ()
        self._told: set[str] = set()

    @property
    def names(self) -> list[str]:
        """The labels that lead to a version, in alphabetical order."""
        return sorted(self._now)

    def version(self, label: str) -> int | None:
        """Gives the version that has a label, if one has."""
        return self._now.get(label)

    def wanted(self, label: str) -> int | None:
        """Gives the version that a label should have, if there is one."""
        return self._wanted.get(label)

    def is_current(self, stamp: Stamp | None) -> bool:
        """Whether the file with this stamp is what was read last."""
        return self._seen == stamp

    def read(self, stamp: Stamp | None) -> dict[str, int] | LabelsError:
        """Reads the file, on any thread; ``take`` makes use of what it gives."""
        try:
            return {} if stamp is None else _read(self._path)
        except LabelsError as error:
            return error

    def take(self, stamp: Stamp | None, wanted: dict[str, int] | LabelsError) -> None:
        """Says where the labels should be; a damaged file leaves all as it was."""
        self._seen = stamp
        if isinstance(wanted, LabelsError):
            _log.warning("%s is ignored: %s", self._path, wanted)
        else:
            self._wanted = wanted
            self._told.clear()

    def move(self, served: Collection[int]) -> None:
        """Moves each label to where it should be, if that version is among those ``served``."""
        self._served = served
        for label in self._now.keys() - self._wanted.keys():
            del self._now[label]
        self._now |= {label: v for label, v in self._wanted.items() if v in served}

    def tell(self) -> None:
        """Warns, once for each, of labels that are not where they should be, or lead nowhere."""
        late = {label for label, version in self._wanted.items() if version not in self._served}
        for label in sorted(late - self._told):
            now = self._now.get(label)
            stays = f"stays at version {now}" if now in self._served else "leads nowhere"
            _log.warning(
                "label %r in %s %s: version %d is not served",
                label,
                self._path,
                stays,
                self._wanted[label],
            )
        self._told = late


def _read(path: Path) -> dict[str, int]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_LABELS_BYTES + 1)
    except OSError as error:
        raise LabelsError(f"it cannot be read ({error.strerror})") from error
    if len(data) > MAX_LABELS_BYTES:
        raise LabelsError(f"it has more than {MAX_LABELS_BYTES:,} bytes")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise LabelsError(f"it is not JSON ({error})") from error
    return _checked(value)


def _checked(value: object) -> dict[str, int]:
    if not isinstance(value, dict):
        raise LabelsError('it must be an object such as {"stable": 1, "canary": 2}')
    for label, version in value.items():
        if not label.isprintable() or not 1 <= len(label) <= MAX_LABEL_LENGTH:
            raise LabelsError(f"a label must have 1 to {MAX_LABEL_LENGTH} printable characters")
        if type(version) is not int or version < 1:
            raise LabelsError(f"the version of {label!r} must be a positive integer")
    return value
