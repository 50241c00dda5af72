"""Repositories for tests: of tiny bundles, with networks that break where a test wants it."""

import hashlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from serving.device.lane import LaneSettings
from serving.device.worker_threads import WorkerThreads
from serving.models.loader import ModelLoader
from serving.models.repository import Repository
from sfumato.bundle.bundle import Bundle
from sfumato.bundle.manifest import MANIFEST_FILE, STYLES_FILE
from sfumato.bundle.style_file import StyleFile
from sfumato.bundle.style_info import StyleInfo
from sfumato.errors import BundleError
from tests.serving.running import PATIENCE
from tests.serving.tiny_network import DIGEST, write_tiny_bundle

OTHER_DIGEST = "sha256:" + "1" * 64


class FragileSession:
    """A network that paints nothing and fails to warm up if its bundle has a style "fragile"."""

    provider = "none"
    precision = "float32"

    def __init__(self, bundle: Bundle) -> None:
        self._breaks = "fragile" in bundle.bank.ids

    def run(self, images: Any, styles: Any, /) -> Any:
        return images

    def warm_up_runs(self, batch_size: int, /) -> Sequence[Callable[[], None]]:
        def run() -> None:
            if self._breaks:
                raise BundleError(f"breaks at {batch_size}")

        return (run,)


@asynccontextmanager
async def opened(
    root: Path, open_session: Callable[[Bundle], Any] = FragileSession
) -> AsyncIterator[Repository]:
    """Gives a repository of ``root`` before it is started."""
    with ThreadPoolExecutor(2) as files, WorkerThreads(1, "device") as device:
        yield Repository(
            ModelLoader(
                root,
                open_session,
                lambda _name, _session: LaneSettings(max_batch_size=7),
                files=files,
                device=device,
            )
        )


@asynccontextmanager
async def held_up(root: Path) -> AsyncIterator[tuple[Repository, threading.Event]]:
    """Gives a repository that has loaded everything, and opens no more before the event."""
    may_open = threading.Event()
    may_open.set()

    def open_session(bundle: Bundle) -> FragileSession:
        assert may_open.wait(PATIENCE)
        return FragileSession(bundle)

    async with opened(root, open_session) as repository:
        await repository.start()
        may_open.clear()
        try:
            yield repository, may_open
        finally:
            may_open.set()


@asynccontextmanager
async def started(root: Path) -> AsyncIterator[Repository]:
    """Gives a repository of ``root`` that has loaded everything."""
    async with opened(root) as repository:
        await repository.start()
        yield repository


def names(repository: Repository) -> list[str]:
    """Lists what is served as name/version."""
    return [str(model) for model in repository]


def put(folder: Path, gain: float = 1.0, *, style: str = "plain", **options: Any) -> None:
    """Puts a bundle with one style at ``folder``, in one step, whatever was there before.

    The folder is a link, as the releases of deployment tools are.
    """
    store = folder.parent.parent / ".store" / f"{folder.parent.name}-{folder.name}"
    release = store / str(len(list(store.iterdir())) if store.exists() else 0)
    write_tiny_bundle(release, styles={style: (gain, 0.0)}, **options)
    folder.parent.mkdir(exist_ok=True)
    link = folder.with_name(f".{folder.name}.tmp")
    link.symlink_to(release)
    link.replace(folder)


def rewrite(bundle: Path, name: str, data: bytes) -> None:
    """Changes a file of a bundle and corrects its digest in the manifest."""
    (bundle / name).write_bytes(data)
    manifest = json.loads((bundle / MANIFEST_FILE).read_text())
    manifest["files"][name] = hashlib.sha256(data).hexdigest()
    (bundle / MANIFEST_FILE).write_text(json.dumps(manifest))


def put_nan(folder: Path) -> None:
    """Puts a bundle at ``folder`` whose only row is not a number."""
    put(folder)
    row = np.full(2, np.nan, np.float32)
    rewrite(folder, STYLES_FILE, safetensors.numpy.save({"plain": row}))


def new_style(id_: str, gain: float = 0.5, *, digest: str = DIGEST, size: int = 2) -> StyleFile:
    """Makes a style of the tiny network that was not trained with it."""
    row = np.array([gain] + [0.0] * (size - 1), np.float32)
    return StyleFile(StyleInfo(id_, id_.title(), "B", "1901"), row, digest)
