"""A client that has only the specification's field numbers, and none of our stubs."""

from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from sfumato.inference import open_inference_pb2 as pb
from tests.serving.photos import draw
from tests.serving.running import PATIENCE, ServerProcess
from tests.serving.tiny_network import paint

SERVICE = "inference.GRPCInferenceService"
NUMBERS = {
    "InferParameter": {
        "bool_param": 1,
        "int64_param": 2,
        "string_param": 3,
        "double_param": 4,
        "uint64_param": 5,
    },
    "InferTensorContents": {
        "bool_contents": 1,
        "int_contents": 2,
        "int64_contents": 3,
        "uint_contents": 4,
        "uint64_contents": 5,
        "fp32_contents": 6,
        "fp64_contents": 7,
        "bytes_contents": 8,
    },
    "ServerLiveResponse": {"live": 1},
    "ServerReadyResponse": {"ready": 1},
    "ModelReadyRequest": {"name": 1, "version": 2},
    "ModelReadyResponse": {"ready": 1},
    "ServerMetadataResponse": {"name": 1, "version": 2, "extensions": 3},
    "ModelMetadataRequest": {"name": 1, "version": 2},
    "ModelMetadataResponse": {"name": 1, "versions": 2, "platform": 3, "inputs": 4, "outputs": 5},
    "ModelMetadataResponse.TensorMetadata": {"name": 1, "datatype": 2, "shape": 3},
    "ModelInferRequest": {
        "model_name": 1,
        "model_version": 2,
        "id": 3,
        "parameters": 4,
        "inputs": 5,
        "outputs": 6,
        "raw_input_contents": 7,
    },
    "ModelInferRequest.InferInputTensor": {
        "name": 1,
        "datatype": 2,
        "shape": 3,
        "parameters": 4,
        "contents": 5,
    },
    "ModelInferRequest.InferRequestedOutputTensor": {"name": 1, "parameters": 2},
    "ModelInferResponse": {
        "model_name": 1,
        "model_version": 2,
        "id": 3,
        "parameters": 4,
        "outputs": 5,
        "raw_output_contents": 6,
    },
    "ModelInferResponse.InferOutputTensor": {
        "name": 1,
        "datatype": 2,
        "shape": 3,
        "parameters": 4,
        "contents": 5,
    },
    "ModelStreamInferResponse": {"error_message": 1, "infer_response": 2},
    "ModelConfigRequest": {"name": 1, "version": 2},
    "ModelConfigResponse": {"config": 1},
    "ModelConfig": {
        "name": 1,
        "platform": 2,
        "max_batch_size": 4,
        "input": 5,
        "output": 6,
        "instance_group": 7,
        "dynamic_batching": 11,
        "backend": 17,
    },
    "ModelInput": {"name": 1, "data_type": 2, "dims": 4, "optional": 8},
    "ModelOutput": {"name": 1, "data_type": 2, "dims": 3},
    "ModelInstanceGroup": {"name": 1, "count": 2, "kind": 4},
    "ModelDynamicBatching": {"preferred_batch_size": 1, "max_queue_delay_microseconds": 2},
    "ModelStatisticsRequest": {"name": 1, "version": 2},
    "ModelStatisticsResponse": {"model_stats": 1},
    "ModelStatistics": {
        "name": 1,
        "version": 2,
        "last_inference": 3,
        "inference_count": 4,
        "execution_count": 5,
        "inference_stats": 6,
        "batch_stats": 7,
    },
    "InferStatistics": {
        "success": 1,
        "fail": 2,
        "queue": 3,
        "compute_input": 4,
        "compute_infer": 5,
        "compute_output": 6,
    },
    "InferBatchStatistics": {
        "batch_size": 1,
        "compute_input": 2,
        "compute_infer": 3,
        "compute_output": 4,
    },
    "StatisticDuration": {"count": 1, "ns": 2},
    "RepositoryIndexRequest": {"repository_name": 1, "ready": 2},
    "RepositoryIndexResponse": {"models": 1},
    "RepositoryIndexResponse.ModelIndex": {"name": 1, "version": 2, "state": 3, "reason": 4},
    "RepositoryModelLoadRequest": {"repository_name": 1, "model_name": 2, "parameters": 3},
    "RepositoryModelUnloadRequest": {"repository_name": 1, "model_name": 2, "parameters": 3},
    "ModelRepositoryParameter": {
        "bool_param": 1,
        "int64_param": 2,
        "string_param": 3,
        "bytes_param": 4,
    },
}
"""The fields of KServe's specification and of Triton's extensions that a server here uses."""

TEXT, NUMBER, BYTES = (
    FieldDescriptorProto.TYPE_STRING,
    FieldDescriptorProto.TYPE_INT64,
    FieldDescriptorProto.TYPE_BYTES,
)


def test_messages_have_the_field_numbers_of_the_specification() -> None:
    for name, numbers in NUMBERS.items():
        message = pb.DESCRIPTOR.pool.FindMessageTypeByName(f"inference.{name}")
        assert {field.name: field.number for field in message.fields} == numbers


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("TYPE_INVALID", 0),
        ("TYPE_BOOL", 1),
        ("TYPE_UINT8", 2),
        ("TYPE_FP32", 11),
        ("TYPE_STRING", 13),
    ],
)
def test_types_have_tritons_numbers(name: str, number: int) -> None:
    assert pb.DataType.Value(name) == number


def specified() -> DescriptorPool:
    """Describes what ModelInfer needs, by field numbers alone."""
    file = FileDescriptorProto(name="spec.proto", package="spec", syntax="proto3")
    tensor = file.message_type.add(name="Tensor")
    add_field(tensor, "name", 1, TEXT)
    add_field(tensor, "datatype", 2, TEXT)
    add_field(tensor, "shape", 3, NUMBER, repeated=True)
    value = file.message_type.add(name="Value")
    add_field(value, "string_param", 3, TEXT)
    entry = file.message_type.add(name="Entry")  # what a map is made of
    add_field(entry, "key", 1, TEXT)
    add_field(entry, "value", 2, "Value")
    request = file.message_type.add(name="Request")
    add_field(request, "model_name", 1, TEXT)
    add_field(request, "id", 3, TEXT)
    add_field(request, "parameters", 4, "Entry", repeated=True)
    add_field(request, "inputs", 5, "Tensor", repeated=True)
    add_field(request, "raw_input_contents", 7, BYTES, repeated=True)
    response = file.message_type.add(name="Response")
    add_field(response, "model_version", 2, TEXT)
    add_field(response, "id", 3, TEXT)
    add_field(response, "outputs", 5, "Tensor", repeated=True)
    add_field(response, "raw_output_contents", 6, BYTES, repeated=True)
    pool = DescriptorPool()
    pool.Add(file)
    return pool


def add_field(
    message: DescriptorProto, name: str, number: int, kind: Any, *, repeated: bool = False
) -> None:
    """Adds a field of a basic type, or of a message by its name."""
    field = message.field.add(name=name, number=number)
    field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
    if isinstance(kind, str):
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".spec.{kind}"
    else:
        field.type = kind


def test_a_request_made_from_the_specification_is_painted(models: Path, tmp_path: Path) -> None:
    pool, photo = specified(), draw()
    message = GetMessageClass(pool.FindMessageTypeByName("spec.Request"))
    answer = GetMessageClass(pool.FindMessageTypeByName("spec.Response"))
    request: Any = message(
        model_name="default",
        id="spec",
        parameters=[{"key": "style", "value": {"string_param": "dark"}}],
        inputs=[{"name": "image", "datatype": "UINT8", "shape": [1, *photo.shape]}],
        raw_input_contents=[photo.tobytes()],
    )
    with (
        ServerProcess(models, tmp_path) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        send = channel.unary_unary(
            f"/{SERVICE}/ModelInfer",
            request_serializer=message.SerializeToString,
            response_deserializer=answer.FromString,
        )
        painted: Any = send(request, timeout=PATIENCE)
        services = ProtoReflectionDescriptorDatabase(channel).get_services()
    (output,) = painted.outputs
    assert (output.name, output.datatype) == ("stylized", "UINT8")
    assert list(output.shape) == [1, *photo.shape]
    assert (painted.id, painted.model_version) == ("spec", "1")
    pixels = np.frombuffer(painted.raw_output_contents[0], np.uint8).reshape(photo.shape)
    np.testing.assert_array_equal(pixels, paint(photo, 0.5, 0.0))
    assert {SERVICE, "sfumato.v1.StylizationService"} <= set(services)
