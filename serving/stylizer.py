"""The way of one request: decode, blend, paint in a batch, encode. Knows neither wire nor device.

Every front door (``service``, and whatever is served beside it) sends its requests through here.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from serving.batcher import Batcher, Painted
from serving.errors import DeadlineExpiredError
from serving.repository import Model, Repository
from sfumato.image_codec import (
    DEFAULT_QUALITY,
    ImageFormat,
    Photo,
    decode_photo,
    encode_photo,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Order:
    """What one request asks for.

    Attributes:
        image: file of the photo.
        styles: pairs of style id and weight.
        strength: share of the styles, 0 to 1; the rest is the photo itself.
        model: name of the model; empty means "default".
        version: version of the model; None means the highest that can be served.
        format: encoding of the answer; None means that of the photo.
        quality: quality of a JPEG or WebP answer, 1 to 100.
        deadline: ``time.monotonic()`` after which nobody wants the answer.
    """

    image: bytes
    styles: Iterable[tuple[str, float]]
    strength: float = 1.0
    model: str = ""
    version: int | None = None
    format: ImageFormat | None = None
    quality: int = DEFAULT_QUALITY
    deadline: float | None = None


@dataclass(frozen=True)
class Painting:
    """A painted photo.

    Attributes:
        image: file of the painted photo.
        format: its encoding.
        width: in pixels.
        height: in pixels.
        decode_seconds: decoding, waiting for a thread included.
        encode_seconds: encoding, waiting for a thread included.
        painted: where the time went in between.
    """

    image: bytes
    format: ImageFormat
    width: int
    height: int
    decode_seconds: float
    encode_seconds: float
    painted: Painted


class Stylizer:
    """Paints photos; decoding and encoding happen in threads, so the event loop stays free.

    Args:
        repository: the models.
        batcher: runs the networks.
        codecs: threads for decoding and encoding.
        max_pixels: largest photo in pixels.
    """

    def __init__(
        self, repository: Repository, batcher: Batcher, codecs: Executor, *, max_pixels: int
    ) -> None:
        """Works with what it is given; see the class."""
        self._repository = repository
        self._batcher = batcher
        self._codecs = codecs
        self._max_pixels = max_pixels

    async def paint(self, order: Order) -> tuple[Model, Painting]:
        """Paints one photo.

        Returns:
            The model that painted it, and the painted photo.

        Raises:
            ModelNotFoundError, DamagedModelError: see ``Repository.find``.
            StyleError: unknown styles, invalid weights or strength, or a strength below 1 of a
                model that cannot change it.
            ImageError: not a photo that can be read, too small or too large.
            DeadlineExpiredError, InferenceError, OutOfMemoryError: see ``Batcher.run``.
        """
        model = self._repository.find(order.model, order.version)
        style = model.bundle.bank.blend(order.styles, order.strength)
        photo, decode_seconds = await self._in_thread(order, lambda: self._decode(order, model))
        painted = await self._batcher.run(model.session, photo.rgb, style, deadline=order.deadline)
        encoding = order.format or photo.format
        image, encode_seconds = await self._in_thread(
            order,
            lambda: encode_photo(
                painted.image, format=encoding, quality=order.quality, alpha=photo.alpha
            ),
        )
        height, width = painted.image.shape[:2]
        return model, Painting(
            image=image,
            format=encoding,
            width=width,
            height=height,
            decode_seconds=decode_seconds,
            encode_seconds=encode_seconds,
            painted=painted,
        )

    def _decode(self, order: Order, model: Model) -> Photo:
        min_side = model.bundle.network.min_side
        return decode_photo(order.image, max_pixels=self._max_pixels, min_side=min_side)

    async def _in_thread(self, order: Order, work: Callable[[], T]) -> tuple[T, float]:
        """Runs ``work`` on a codec thread; gives its result and the seconds that it took."""
        arrived = time.monotonic()

        def run() -> T:
            if order.deadline is not None and time.monotonic() >= order.deadline:
                raise DeadlineExpiredError("the deadline passed before the photo's turn")
            return work()

        result = await asyncio.get_running_loop().run_in_executor(self._codecs, run)
        return result, time.monotonic() - arrived
