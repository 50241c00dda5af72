"""How the servers of a comparison are spoken to: each by its usual way of sending pictures."""

import base64
import http.client
import json
import threading
from asyncio import get_running_loop
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import lru_cache
from typing import Final

import grpc

from sfumato.client.async_client import AsyncClient
from sfumato.images.codec import decode_photo
from sfumato.inference import open_inference_pb2 as pb
from sfumato.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub

Send = Callable[[bytes], Awaitable[int]]
"""Sends a photo's file and waits for the picture; gives the version of the model, or 0."""
Protocol = Callable[[str, str, str, int], AbstractAsyncContextManager[Send]]
"""Connects, by address, model, style and number of requests that will be under way at once."""
Post = Callable[[str, bytes, Mapping[str, str]], bytes]
"""Posts a body to a path with headers; gives the body of the answer."""

TENSOR_MODEL: Final = "default"
FORM_PATH: Final = "/stylize"
JSON_PATH: Final = "/predict"
_BOUNDARY: Final = "c0ffee7e57ab1e"
_TIMEOUT_SECONDS: Final = 600.0


@asynccontextmanager
async def stylize(address: str, model: str, style: str, _in_flight: int) -> AsyncIterator[Send]:
    """Image files by sfumato.v1."""
    async with AsyncClient(address, timeout=_TIMEOUT_SECONDS) as client:

        async def send(file: bytes) -> int:
            return (await client.stylize(file, style, model=model)).version

        yield send


@asynccontextmanager
async def tensors(address: str, model: str, _style: str, _in_flight: int) -> AsyncIterator[Send]:
    """Raw pixels [1, H, W, 3] by the Open Inference Protocol."""
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        stub = GRPCInferenceServiceStub(channel)

        async def send(file: bytes) -> int:
            answer = await stub.ModelInfer(_tensor_request(model, file), timeout=_TIMEOUT_SECONDS)
            assert answer.raw_output_contents
            return 0

        yield send


def _tensor_request(model: str, file: bytes) -> pb.ModelInferRequest:
    shape, pixels = _pixels(file)
    tensor = pb.ModelInferRequest.InferInputTensor(name="image", datatype="UINT8", shape=shape)
    return pb.ModelInferRequest(
        model_name=model or TENSOR_MODEL, inputs=[tensor], raw_input_contents=[pixels]
    )


@lru_cache
def _pixels(file: bytes) -> tuple[tuple[int, ...], bytes]:
    photo = decode_photo(file).rgb
    return (1, *photo.shape), photo.tobytes()


@asynccontextmanager
async def json_files(address: str, _model: str, _style: str, in_flight: int) -> AsyncIterator[Send]:
    """Image files in base64 in JSON over HTTP."""

    def exchange(post: Post, file: bytes) -> int:
        body = json.dumps({"image": base64.b64encode(file).decode()}).encode()
        answer = json.loads(post(JSON_PATH, body, {"Content-Type": "application/json"}))
        assert base64.b64decode(answer["image"])
        return 0

    with _Http(address, in_flight, exchange) as send:
        yield send


@asynccontextmanager
async def form_files(address: str, _model: str, _style: str, in_flight: int) -> AsyncIterator[Send]:
    """Image files as forms over HTTP, as browsers send them."""
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="photo.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    ).encode()
    tail = f"\r\n--{_BOUNDARY}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}

    def exchange(post: Post, file: bytes) -> int:
        assert post(FORM_PATH, head + file + tail, headers)
        return 0

    with _Http(address, in_flight, exchange) as send:
        yield send


class _Http:
    """Kept-alive HTTP connections in threads, one each."""

    def __init__(
        self, address: str, in_flight: int, exchange: Callable[[Post, bytes], int]
    ) -> None:
        self._address, self._exchange = address, exchange
        self._threads = ThreadPoolExecutor(in_flight)
        self._local = threading.local()

    def __enter__(self) -> Send:
        return self._send

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()

    async def _send(self, file: bytes) -> int:
        loop = get_running_loop()
        return await loop.run_in_executor(self._threads, self._exchange, self._post, file)

    def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPConnection(
                self._address, timeout=_TIMEOUT_SECONDS
            )
        connection: http.client.HTTPConnection = self._local.connection
        connection.request("POST", path, body, dict(headers))
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"status {answer.status}: {content[:200]!r}")
        return content


PROTOCOLS: Final[Mapping[str, Protocol]] = {
    "stylize": stylize,
    "tensors": tensors,
    "json": json_files,
    "form": form_files,
}
