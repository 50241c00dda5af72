"""One version of a model: what is served of it, and what became of the files seen last."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from serving.models.folder_scan import BundleStamp
from serving.models.model import Model, ModelState

_log = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 1.0  # seconds
_LONGEST_PAUSE: Final = 60.0
_REFUSALS: Final = (
    "Failed to allocate memory",
    "bad_alloc",
    "out of memory",
    "pthread_create failed",
    "system error number",  # of the file's: no descriptor is left
)
"""What ONNX Runtime, which has no types for it, says where the system refused it something."""


@dataclass(eq=False)
class VersionSlot:
    """The place of one version.

    Attributes:
        model: what is served, if anything.
        seen: stamp of the files that were tried last, whether they could be loaded or not.
        reason: why those files are not served; empty if they are.
        is_loading: whether files are being tried now.
        is_denied: whether the server may not read those files, not even whether they are there.
    """

    model: Model | None = None
    seen: BundleStamp | None = None
    reason: str = ""
    is_loading: bool = False
    is_denied: bool = False
    _told: str = ""
    _pause: float = _FIRST_PAUSE
    _again_at: float | None = None

    @property
    def state(self) -> ModelState:
        """How the version stands."""
        if self.model is not None:
            return ModelState.READY
        return ModelState.LOADING if self.is_loading else ModelState.UNAVAILABLE

    @property
    def is_complete(self) -> bool:
        """Whether the files that were tried last had a manifest, which is copied last.

        Files that may not be read count as complete: nobody is copying them.
        """
        return self.is_denied or (self.seen is not None and self.seen[0] is not None)

    def is_due(self, stamp: BundleStamp) -> bool:
        """Whether files with this stamp are to be tried: for the first time, or once more.

        What the system refused, such as a descriptor or memory, it may grant later: the files are
        tried again after a second, two more, four more and so on, up to a minute.
        """
        again = self._again_at is not None and time.monotonic() >= self._again_at
        return again or self.seen != stamp

    def serve(self, stamp: BundleStamp, model: Model) -> None:
        """Puts a model in place of what was served."""
        self.model, self.seen, self.reason, self._told = model, stamp, "", ""
        self.is_denied, self._pause, self._again_at = False, _FIRST_PAUSE, None

    def fail(self, stamp: BundleStamp, reason: str, error: Exception) -> None:
        """Notes why files cannot be served, in words and as it was raised; what is served stays."""
        if self.seen != stamp:
            self._pause = _FIRST_PAUSE
        self.seen, self.reason = stamp, reason
        self.is_denied = any(isinstance(cause, PermissionError) for cause in _causes(error))
        self._again_at = None
        if any(_is_refusal(cause) for cause in _causes(error)):
            self._again_at = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def unload(self) -> None:
        """Serves nothing."""
        self.model, self.reason, self._again_at = None, "", None

    def tell(self, name: str) -> None:
        """Logs why the files are not served, once for each reason."""
        if self.reason and self.reason != self._told:
            stays = "" if self.model is None else " (what was loaded before stays)"
            _log.error("cannot serve model=%s%s: %s", name, stays, self.reason)
        self._told = self.reason


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _is_refusal(error: BaseException) -> bool:
    told = str(error)
    return isinstance(error, OSError | MemoryError) or any(sign in told for sign in _REFUSALS)
