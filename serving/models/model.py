"""A model that is ready to run, and how a version of it stands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from serving.device.lane import Lane, Session
from sfumato.bundle.bundle import Bundle
from sfumato.bundle.style_bank import StyleBank


class LoadableSession(Session, Protocol):
    """A session that can be made ready.

    Attributes:
        provider: what it runs on.
        precision: float32, float16 or int8.
    """

    provider: str
    precision: str

    def warm_up_runs(self, batch_size: int, /) -> Sequence[Callable[[], None]]:
        """Give the slow first runs; each raises BundleError if the network does not work."""
        ...


@dataclass(eq=False)
class Model:
    """One version of a model, ready to run.

    Attributes:
        name: name of the model.
        version: its version.
        bundle: the files that it was read from.
        session: its network.
        lane: where its photos wait.
        bank: the styles that it can paint in at this moment: those of the bundle, and those that
            were added since. It is replaced while requests come in, so read it once for each.
    """

    name: str
    version: int
    bundle: Bundle
    session: LoadableSession
    lane: Lane
    bank: StyleBank

    def __str__(self) -> str:
        """Gives ``name/version``, as the folders are called."""
        return f"{self.name}/{self.version}"


class ModelState(StrEnum):
    """How a version stands; the words are those of Triton's repository index."""

    READY = "READY"
    LOADING = "LOADING"
    UNLOADING = "UNLOADING"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True)
class IndexEntry:
    """One version of a model in the repository.

    Attributes:
        name: name of the model.
        version: its version.
        state: how it stands.
        reason: why it, or what lies in its folder now, is not served; empty if it is.
    """

    name: str
    version: int
    state: ModelState
    reason: str
