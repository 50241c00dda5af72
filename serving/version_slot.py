"""One version of a model: what is served of it, and what became of the files seen last."""

import logging
from dataclasses import dataclass

from serving.folder_scan import BundleStamp
from serving.model import Model, ModelState

_log = logging.getLogger(__name__)


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

    @property
    def state(self) -> ModelState:
        """How the version stands."""
        if self.model is not None:
            return ModelState.READY
        return ModelState.LOADING if self.is_loading else ModelState.UNAVAILABLE

    @property
    def is_complete(self) -> bool:
        """Whether the files that were tried last had a manifest, which is copied last.

        Files that may not be read count as complete: time does not mend them.
        """
        return self.is_denied or (self.seen is not None and self.seen[0] is not None)

    def serve(self, stamp: BundleStamp, model: Model) -> None:
        """Puts a model in place of what was served."""
        self.model, self.seen, self.reason, self._told = model, stamp, "", ""
        self.is_denied = False

    def fail(self, stamp: BundleStamp, reason: str, error: Exception) -> None:
        """Notes why files cannot be served, in words and as it was raised; what is served stays."""
        self.seen, self.reason, self.is_denied = stamp, reason, _is_denied(error)

    def unload(self) -> None:
        """Serves nothing."""
        self.model, self.reason = None, ""

    def tell(self, name: str) -> None:
        """Logs why the files are not served, once for each reason."""
        if self.reason and self.reason != self._told:
            stays = "" if self.model is None else " (what was loaded before stays)"
            _log.error("cannot serve model=%s%s: %s", name, stays, self.reason)
        self._told = self.reason


def _is_denied(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, PermissionError):
        error = error.__cause__
    return error is not None
