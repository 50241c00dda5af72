from pathlib import Path
from typing import Any

import grpc
import pytest

import sfumato
from serving.server import Server
from sfumato.inference import open_inference_pb2 as pb
from tests.serving.running import health_of, running
from tests.serving.tensors import (
    SERVICE,
    inferring,
)
from tests.serving.tiny_network import write_tiny_bundle

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def test_the_server_is_live_and_ready_and_says_who_it_is(tensors: Any) -> None:
    assert (await tensors.ServerLive(pb.ServerLiveRequest())).live
    assert (await tensors.ServerReady(pb.ServerReadyRequest())).ready
    metadata = await tensors.ServerMetadata(pb.ServerMetadataRequest())
    assert (metadata.name, metadata.version) == ("sfumato", sfumato.__version__)
    assert list(metadata.extensions) == ["model_configuration", "parameters", "statistics"]


async def test_a_model_is_ready_if_it_can_be_served(tensors: Any, models: Path) -> None:
    async def ready(name: str, version: str = "") -> bool:
        answer = await tensors.ModelReady(pb.ModelReadyRequest(name=name, version=version))
        return bool(answer.ready)

    assert await ready("default")
    assert await ready("default", "1")
    assert not await ready("default", "2")
    assert not await ready("default", "9" * 5000)
    assert not await ready("defualt")
    assert not await ready("../default")


async def test_a_model_is_described_by_its_tensors(tensors: Any) -> None:
    metadata = await tensors.ModelMetadata(pb.ModelMetadataRequest(name="default"))
    assert list(metadata.versions) == ["1"]
    assert {t.name: (t.datatype, list(t.shape)) for t in metadata.inputs} == {
        "image": ("UINT8", [-1, -1, -1, 3]),
        "style_weights": ("FP32", [-1, 3]),
        "style": ("FP32", [-1, 2]),
    }
    assert {t.name: (t.datatype, list(t.shape)) for t in metadata.outputs} == {
        "stylized": ("UINT8", [-1, -1, -1, 3])
    }


async def test_a_model_says_how_it_is_run(models: Path) -> None:
    async with running(models, max_batch_size=4) as server, inferring(server) as tensors:
        config = (await tensors.ModelConfig(pb.ModelConfigRequest(name="default"))).config
    assert config.dynamic_batching.preferred_batch_size == [4]
    assert config.dynamic_batching.max_queue_delay_microseconds == 2000
    assert [group.name for group in config.instance_group] == ["CPUExecutionProvider"]
    assert config.instance_group[0].kind == pb.ModelInstanceGroup.KIND_CPU
    assert [(t.name, list(t.dims), t.optional) for t in config.input] == [
        ("image", [-1, -1, 3], False),
        ("style_weights", [3], True),
        ("style", [2], True),
    ]


async def test_administration_is_off_unless_allowed(tensors: Any) -> None:
    for call, request in (
        (tensors.RepositoryModelLoad, pb.RepositoryModelLoadRequest(model_name="default")),
        (tensors.RepositoryModelUnload, pb.RepositoryModelUnloadRequest(model_name="default")),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await call(request)
        assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert "--admin" in (refusal.value.details() or "")


async def test_models_can_be_loaded_and_unloaded(models: Path) -> None:
    async with running(models, admin=True) as server, inferring(server) as tensors:
        metadata = await tensors.ServerMetadata(pb.ServerMetadataRequest())
        assert "model_repository" in metadata.extensions
        write_tiny_bundle(models / "default" / "2")
        await tensors.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="default"))
        index = await tensors.RepositoryIndex(pb.RepositoryIndexRequest(ready=True))
        assert [(m.name, m.version, m.state) for m in index.models] == [
            ("default", "1", "READY"),
            ("default", "2", "READY"),
        ]
        await tensors.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name="default"))
        assert not (await tensors.ModelReady(pb.ModelReadyRequest(name="default"))).ready
        index = await tensors.RepositoryIndex(pb.RepositoryIndexRequest(ready=True))
        assert not index.models


async def test_files_and_configuration_never_come_from_a_request(models: Path) -> None:
    request = pb.RepositoryModelLoadRequest(model_name="default")
    request.parameters["file:1/model.onnx"].bytes_param = b"mine"
    async with running(models, admin=True) as server, inferring(server) as tensors:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await tensors.RepositoryModelLoad(request)
    assert refusal.value.code() is INVALID
    assert "takes no parameters" in (refusal.value.details() or "")


async def test_a_damaged_version_is_in_the_index_with_its_reason(models: Path) -> None:
    write_tiny_bundle(models / "broken" / "3")
    (models / "broken" / "3" / "model.onnx").unlink()
    async with running(models) as server, inferring(server) as tensors:
        index = await tensors.RepositoryIndex(pb.RepositoryIndexRequest())
    (broken,) = [model for model in index.models if model.name == "broken"]
    assert (broken.version, broken.state) == ("3", "UNAVAILABLE")
    assert "model.onnx" in broken.reason
    assert str(models) not in broken.reason


async def test_health_knows_the_service(server: Server) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        assert await health_of(channel, SERVICE) == "SERVING"


async def test_what_triton_has_beside_is_not_implemented(server: Server) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        for method in ("SystemSharedMemoryRegister", "TraceSetting", "LogSettings"):
            send: Any = channel.unary_unary(f"/{SERVICE}/{method}")
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await send(b"")
            assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
