"""Files that are read anew when they change, so that a secret is renewed without a restart."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

from serving.errors import ConfigError
from serving.models.folder_scan import Stamp, stamp

_log = logging.getLogger(__name__)

T = TypeVar("T")

_LOOK_EVERY: Final = 1.0  # seconds


class WatchedFiles(Generic[T]):
    """What some files hold. May be asked from any thread.

    A change that cannot be read is logged once, and what was read before stays: half of a new
    certificate must not stop a server that runs. It is tried again at each look, as the files may
    be as they were and only the system let them not be read, as without a free descriptor.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        read: Callable[[], T],
        changed: Callable[[T], None] = lambda _: None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reads the files for the first time.

        Args:
            paths: the files; links are followed.
            read: reads all of them.
            changed: is told what was read again.
            clock: time in seconds; the files are looked at once a second at most.

        Raises:
            ConfigError: the files cannot be used; ``read`` says why.
        """
        self._paths = tuple(paths)
        self._read = read
        self._changed = changed
        self._clock = clock
        self._lock = threading.Lock()
        self._stamps = self._look()  # before they are read: a change meanwhile is not missed
        self._content = read()
        self._looked = clock()
        self._trouble = ""  # why the last change cannot be used

    def content(self) -> T:
        """Gives what the files hold now, or held when they could last be read."""
        with self._lock:
            if self._clock() - self._looked >= _LOOK_EVERY:
                self._looked = self._clock()
                self._refresh()
            return self._content

    def _refresh(self) -> None:
        stamps = self._look()
        if stamps == self._stamps and not self._trouble:
            return
        changed, self._stamps = stamps != self._stamps, stamps
        trouble, names = "", ", ".join(str(path) for path in self._paths)
        try:
            self._check_kind()
            self._content = self._read()
        except (ConfigError, OSError) as error:
            trouble = str(error)
            if changed or trouble != self._trouble:
                _log.error(
                    "%s changed but cannot be used, what was read before stays: %s", names, trouble
                )
        else:
            _log.info("read %s again", names)
            self._changed(self._content)
        self._trouble = trouble

    def _check_kind(self) -> None:
        """Keeps a pipe that was put in the place of a file from stopping all who ask."""
        for path in self._paths:
            if path.exists() and not path.is_file():
                raise ConfigError(f"{path} is not a regular file any more")

    def _look(self) -> list[Stamp | None]:
        return [stamp(path) for path in self._paths]
