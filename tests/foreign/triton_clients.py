"""Triton's Python client: synchronous, streaming and asyncio. Its environment has no Sfumato."""

import asyncio
import queue
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from checklist import DARK, PHOTOS, check
from tritonclient.utils import InferenceServerException

DARK_STYLE = {"style": "dark"}
REQUESTS = 20
NOT_FOUND = "NOT_FOUND"
INVALID = "INVALID_ARGUMENT"


class Answers:
    """What callbacks were told, in order."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Any] = queue.Queue()

    def put(self, result: Any, error: Any) -> None:
        self._queue.put((result, error))

    def get(self) -> Any:
        return self._queue.get(timeout=60)


def image_input(photos: Any = PHOTOS) -> list[triton.InferInput]:
    image = triton.InferInput("image", list(photos.shape), "UINT8")
    image.set_data_from_numpy(photos)
    return [image]


def weights_input(weights: list[list[float]]) -> triton.InferInput:
    array = np.array(weights, np.float32)
    tensor = triton.InferInput("style_weights", list(array.shape), "FP32")
    tensor.set_data_from_numpy(array)
    return tensor


def assert_dark(result: triton.InferResult) -> None:
    np.testing.assert_array_equal(result.as_numpy("stylized"), DARK)


def sync(address: str) -> None:
    client = triton.InferenceServerClient(address)
    with check("ServerLive, ServerReady, ModelReady"):
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("default")
        assert not client.is_model_ready("nobody")
    with check("ServerMetadata"):
        assert client.get_server_metadata().name == "sfumato"
    with check("ModelMetadata"):
        metadata = client.get_model_metadata("default", as_json=True)
        assert [tensor["name"] for tensor in metadata["outputs"]] == ["stylized"]
    with check("ModelConfig"):
        config = client.get_model_config("default", as_json=True)["config"]
        assert config["input"][0]["data_type"] == "TYPE_UINT8"
    with check("ModelInfer, style by parameter"):
        assert_dark(client.infer("default", image_input(), parameters=DARK_STYLE))
    with check("ModelInfer, style_weights"):
        inputs = [*image_input(), weights_input([[1, 0, 0], [0, 1, 0]])]
        painted = client.infer("default", inputs).as_numpy("stylized")
        np.testing.assert_array_equal(painted, np.stack([PHOTOS[0], DARK[1]]))
    with check("ModelInfer, id, version and requested output"):
        outputs = [triton.InferRequestedOutput("stylized")]
        options: dict[str, Any] = {"outputs": outputs, "request_id": "7", "model_version": "1"}
        result = client.infer("default", image_input(), parameters=DARK_STYLE, **options)
        assert result.get_response().id == "7"
        assert_dark(result)
    with check("ModelInfer by async_infer"):
        answers = Answers()
        client.async_infer("default", image_input(), answers.put, parameters=DARK_STYLE)
        result, error = answers.get()
        assert error is None
        assert_dark(result)
    with check("error NOT_FOUND"):
        assert status_of(client.infer, "nobody", image_input(), parameters=DARK_STYLE) == NOT_FOUND
    with check("error INVALID_ARGUMENT"):
        options = {"parameters": DARK_STYLE}
        assert (
            status_of(client.infer, "default", image_input(PHOTOS[..., :2]), **options) == INVALID
        )
    with check("deadline"):
        large = image_input(np.zeros((1, 2000, 2000, 3), np.uint8))
        options = {"parameters": DARK_STYLE, "client_timeout": 0.001}
        assert status_of(client.infer, "default", large, **options) == "DEADLINE_EXCEEDED"
    with check("ModelStatistics"):
        (stats,) = client.get_inference_statistics("default").model_stats
        assert stats.inference_count >= 8
        assert stats.execution_count >= 1
    with check("RepositoryIndex"):
        (model,) = client.get_model_repository_index().models
        assert (model.name, model.version, model.state) == ("default", "1", "READY")
    with check("RepositoryModelLoad, RepositoryModelUnload"):
        client.unload_model("default")
        assert not client.is_model_ready("default")
        client.load_model("default")
        assert client.is_model_ready("default")
    with check("shared memory: UNIMPLEMENTED"):
        assert status_of(client.get_system_shared_memory_status) == "UNIMPLEMENTED"


def status_of(call: Callable[..., Any], *arguments: Any, **options: Any) -> str:
    """Calls; gives the status of the answer."""
    try:
        call(*arguments, **options)
    except InferenceServerException as error:
        return str(error.status()).removeprefix("StatusCode.")
    return "OK"


def stream(address: str) -> None:
    answers = Answers()
    client = triton.InferenceServerClient(address)
    with check("ModelStreamInfer, in order"):
        client.start_stream(answers.put)
        for number in range(REQUESTS):
            client.async_stream_infer(
                "default", image_input(), request_id=str(number), parameters=DARK_STYLE
            )
        for number in range(REQUESTS):
            result, error = answers.get()
            assert error is None
            assert result.get_response().id == str(number)
            assert_dark(result)
    with check("ModelStreamInfer, an error and on it goes"):
        client.async_stream_infer("default", image_input(), parameters={"style": "nothing"})
        client.async_stream_infer("default", image_input(), parameters=DARK_STYLE)
        assert "no style 'nothing'" in str(answers.get()[1])
        assert_dark(answers.get()[0])
    with check("ModelStreamInfer, final response flag"):
        client.async_stream_infer(
            "default", image_input(), parameters=DARK_STYLE, enable_empty_final_response=True
        )
        response = answers.get()[0].get_response()
        assert response.parameters["triton_final_response"].bool_param
        client.stop_stream()


async def asynchronous(address: str) -> None:
    async with triton_aio.InferenceServerClient(address) as client:
        with check("ServerLive, ServerReady, ModelReady"):
            assert await client.is_server_live()
            assert await client.is_server_ready()
            assert await client.is_model_ready("default")
        with check("ModelMetadata, ModelConfig, ModelStatistics, RepositoryIndex"):
            assert (await client.get_model_metadata("default")).platform == "onnxruntime_onnx"
            assert (await client.get_model_config("default")).config.backend == "onnxruntime"
            assert (await client.get_inference_statistics("default")).model_stats
            assert (await client.get_model_repository_index()).models
        with check("ModelInfer, 20 at once"):
            calls = [
                client.infer("default", image_input(), parameters=DARK_STYLE)
                for _ in range(REQUESTS)
            ]
            for result in await asyncio.gather(*calls):
                assert_dark(result)
        with check("ModelStreamInfer"):
            await stream_asynchronously(client)


async def stream_asynchronously(client: Any) -> None:
    async def requests() -> AsyncIterator[dict[str, Any]]:
        for number in range(REQUESTS):
            yield {
                "model_name": "default",
                "inputs": image_input(),
                "request_id": str(number),
                "parameters": DARK_STYLE,
            }

    seen = []
    async for result, error in client.stream_infer(requests()):
        assert error is None
        assert_dark(result)
        seen.append(result.get_response().id)
    assert seen == [str(number) for number in range(REQUESTS)]


if __name__ == "__main__":
    kind, server = sys.argv[1:]
    if kind == "aio":
        asyncio.run(asynchronous(server))
    else:
        {"sync": sync, "stream": stream}[kind](server)
