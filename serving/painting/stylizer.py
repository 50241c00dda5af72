"""The way of one request: decode, blend, paint in a batch, encode. Knows neither wire nor device.

Every front door (``service``, and whatever is served beside it) sends its requests through here.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

from serving.calls.caller import Caller
from serving.device.lane import Numbers, Pixels
from serving.device.worker_threads import CodecJob, WorkerThreads
from serving.errors import OutOfMemoryError
from serving.models.model import Model
from serving.models.repository import Repository
from serving.painting.batch_queue import Painted
from serving.painting.batcher import Batcher
from serving.timing import Stage
from sfumato.images.brush import Canvas, at_full_size
from sfumato.images.codec import (
    ImageFormat,
    Photo,
    check_sides,
    decode_photo,
    encode_photo,
    read_size,
)

T = TypeVar("T")

MOST_STYLES: Final = 64
"""Styles in a blend. More would not be seen, and each costs time on the event loop."""


@dataclass(frozen=True)
class Order:
    """What one request asks for.

    Attributes:
        image: file of the photo.
        styles: pairs of style id and weight.
        strength: share of the styles, 0 to 1; the rest is the photo itself.
        brush_size: size of the strokes, 0.5 to 2; 1 is as the model has learned them.
        model: name of the model; empty means "default".
        version: version of the model; None means the highest that can be served.
        label: label of a version, instead of its number; empty means none.
        format: encoding of the answer; None means that of the photo.
        quality: quality of a JPEG or WebP answer, 1 to 100.
        deadline: ``time.monotonic()`` after which nobody wants the answer.
        caller: whose photo it is.
        on_start: called on the device's thread when the network starts on the photo.
    """

    image: bytes
    styles: Sequence[tuple[str, float]]
    strength: float
    brush_size: float
    model: str
    version: int | None
    label: str
    format: ImageFormat | None
    quality: int
    deadline: float | None
    caller: Caller
    on_start: Callable[[], None] | None


@dataclass(frozen=True)
class Painting:
    """A painted photo.

    Attributes:
        image: file of the painted photo.
        format: its encoding.
        width: in pixels.
        height: in pixels.
        stages: where the time went: decode, queue, inference, encode; waiting for a thread is part
            of decode and encode.
        batch_size: photos in the batch that it was part of.
    """

    image: bytes
    format: ImageFormat
    width: int
    height: int
    stages: tuple[Stage, ...]
    batch_size: int


@dataclass(frozen=True)
class TensorOrder:
    """What one request with pixels asks for: photos of one size.

    Attributes:
        read: gives the photos, uint8 [N, H, W, 3]; called on a codec thread.
        rows: row of each photo's style or blend, float32 [N, P].
        brush_size: see ``Order``.
        deadline: ``time.monotonic()`` after which nobody wants the answer.
        caller: whose photos they are.
    """

    read: Callable[[], Pixels]
    rows: Numbers
    brush_size: float
    deadline: float | None
    caller: Caller


@dataclass(frozen=True)
class PaintedTensor:
    """Painted photos of one size.

    Attributes:
        pixels: their bytes, row-major.
        shape: N, H, W and 3.
        stages: decode, queue, until the first of them runs, inference, until the last has run, and
            encode.
        batch_size: photos in the largest batch that one of them was part of.
    """

    pixels: bytes
    shape: tuple[int, ...]
    stages: tuple[Stage, ...]
    batch_size: int


class Stylizer:
    """Paints photos; decoding and encoding happen in threads, so the event loop stays free.

    Args:
        repository: the models.
        batcher: runs the networks.
        codecs: threads for decoding and encoding.
        max_pixels: largest photo in pixels.
    """

    def __init__(
        self, repository: Repository, batcher: Batcher, codecs: WorkerThreads, *, max_pixels: int
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
            ImageError: not a photo that can be read, too small or too large; no size of a brush.
            QueueFullError: see ``Lane.admitted``.
            DeadlineExpiredError, InferenceError, OutOfMemoryError: see ``Batcher.run``.
        """
        model = self._repository.find(order.model, order.version, order.label)
        with model.lane.admitted():
            return model, await self._paint(order, model)

    async def _paint(self, order: Order, model: Model) -> Painting:
        style = model.bank.blend(order.styles, order.strength)
        canvas = Canvas(order.brush_size, model.bundle.network.min_side, self._max_pixels)
        (photo, light), decoding = await self._in_thread(
            "decode", order, lambda: self._decode(order, canvas)
        )
        height, width = light.shape[:2]
        encoding = order.format or photo.format
        check_sides(width, height, encoding)
        painted = await self._batcher.run(
            model.lane,
            photo.rgb,
            style,
            deadline=order.deadline,
            caller=order.caller,
            on_start=order.on_start,
        )
        image, encoded = await self._in_thread(
            "encode",
            order,
            lambda: encode_photo(
                at_full_size(painted.image, photo.rgb, light),
                format=encoding,
                quality=order.quality,
                alpha=photo.alpha,
            ),
        )
        return Painting(
            image=image,
            format=encoding,
            width=width,
            height=height,
            stages=(decoding, *painted.stages, encoded),
            batch_size=painted.batch_size,
        )

    async def paint_tensor(self, model: Model, order: TensorOrder) -> PaintedTensor:
        """Paints photos of one size; each goes into the batcher on its own.

        If one fails, or this is cancelled, the others are taken back.

        Raises:
            QueueFullError: see ``Lane.admitted``.
            DeadlineExpiredError, InferenceError, OutOfMemoryError: see ``Batcher.run``.
            SfumatoError: whatever ``order.read`` raises.
        """
        with model.lane.admitted(len(order.rows)):
            canvas = Canvas(
                order.brush_size, model.bundle.network.min_side, self._max_pixels // len(order.rows)
            )
            photos, decoding = await self._in_thread(
                "decode", order, lambda: [canvas.photo_to_paint(photo) for photo in order.read()]
            )
            painted = await self._run_all(model, [small for small, _ in photos], order)
            pixels, encoding = await self._in_thread(
                "encode", order, lambda: b"".join(_at_full_size(painted, photos))
            )
        return PaintedTensor(
            pixels=pixels,
            shape=(len(photos), *photos[0][1].shape[:2], 3),
            stages=(decoding, *_span([photo.stages for photo in painted]), encoding),
            batch_size=max(photo.batch_size for photo in painted),
        )

    async def _run_all(
        self, model: Model, images: Sequence[Pixels], order: TensorOrder
    ) -> list[Painted]:
        run = partial(self._batcher.run, model.lane, deadline=order.deadline, caller=order.caller)
        tasks = [
            asyncio.create_task(run(image, row))
            for image, row in zip(images, order.rows, strict=True)
        ]
        try:
            return await asyncio.gather(*tasks)
        finally:
            while tasks:  # an error keeps this frame, and a task its error
                tasks.pop().cancel()

    def _decode(self, order: Order, canvas: Canvas) -> tuple[Photo, Pixels]:
        """Gives the photo at the size to paint, and its luminance at its own."""
        if order.brush_size < 1:  # what is too large to paint needs no decoding
            canvas.size_to_paint(*read_size(order.image))
        photo = decode_photo(order.image, max_pixels=self._max_pixels, min_side=canvas.min_side)
        small, light = canvas.photo_to_paint(photo.rgb)
        return replace(photo, rgb=small), light

    async def _in_thread(
        self, name: str, order: Order | TensorOrder, work: Callable[[], T]
    ) -> tuple[T, Stage]:
        """Runs ``work`` on a codec thread; gives its result and how long it took."""
        arrived = time.monotonic()
        try:
            result = await CodecJob(work, order.deadline).run_in(self._codecs)
        except MemoryError as error:
            raise OutOfMemoryError(
                f"the server has not enough memory to {name} the photo; send a smaller one"
            ) from error
        return result, Stage(name, arrived, time.monotonic())


def _at_full_size(
    painted: Sequence[Painted], photos: Sequence[tuple[Pixels, Pixels]]
) -> Iterator[memoryview]:
    for picture, (small, light) in zip(painted, photos, strict=True):
        yield at_full_size(picture.image, small, light).data


def _span(stages: Sequence[tuple[Stage, Stage]]) -> tuple[Stage, Stage]:
    """Gives queue and inference of several photos together: one follows the other."""
    arrived = min(queue.started for queue, _ in stages)
    started = min(inference.started for _, inference in stages)
    ended = max(inference.ended for _, inference in stages)
    return Stage("queue", arrived, started), Stage("inference", started, ended)
