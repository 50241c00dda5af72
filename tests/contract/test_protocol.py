"""The wire is for good: names and numbers of the protocol may be added to, never changed."""

from dataclasses import fields

import pytest
from google.protobuf import descriptor
from grpc_health.v1 import health_pb2

from sfumato.bundle.quality_card import QualityCard
from sfumato.bundle.strength import PHOTOGRAPH_STYLE
from sfumato.client.messages import FROM_WIRE, TO_WIRE, stylize_request
from sfumato.connection.connection import (
    HEALTH_METHOD,
    HEALTH_SERVING,
    HealthRequest,
    HealthResponse,
)
from sfumato.images.codec import ImageFormat
from sfumato.v1 import stylization_service_pb2 as pb

FIELDS = {
    "WeightedStyle": {"style_id": 1, "weight": 2},
    "StylizeRequest": {
        "model": 1,
        "version": 2,
        "image": 3,
        "styles": 4,
        "output_format": 5,
        "quality": 6,
        "strength": 7,
    },
    "StylizeResponse": {
        "image": 1,
        "format": 2,
        "width": 3,
        "height": 4,
        "model": 5,
        "version": 6,
        "timings": 7,
    },
    "StageTimings": {
        "decode_ms": 1,
        "queue_ms": 2,
        "inference_ms": 3,
        "encode_ms": 4,
        "batch_size": 5,
    },
    "ListStylesRequest": {"model": 1},
    "ListStylesResponse": {"styles": 1},
    "Style": {
        "id": 1,
        "title": 2,
        "artist": 3,
        "year": 4,
        "licence": 5,
        "model": 6,
        "version": 7,
        "quality": 8,
    },
    "QualityCard": {
        "content_loss": 1,
        "style_loss": 2,
        "total_loss": 3,
        "equals_iterations": 4,
        "baseline_iterations": 5,
        "ssim": 6,
        "judge_style": 7,
        "judge_content": 8,
        "shift_rms": 9,
        "noise_rms": 10,
        "nearest_style": 11,
        "nearest_style_distance": 12,
        "photos": 13,
        "side": 14,
        "speed_up_256": 15,
        "speed_up_512": 16,
        "speed_up_1024": 17,
        "recognized": 18,
        "detail_kept": 19,
        "lattice_2": 20,
        "lattice_4": 21,
        "lattice_8": 22,
        "halo": 23,
        "calm_painted": 24,
        "spectral_line": 25,
        "shift_rms_with_noise": 26,
    },
}


@pytest.mark.parametrize("message", FIELDS)
def test_no_field_ever_changes_its_number(message: str) -> None:
    found: descriptor.Descriptor = pb.DESCRIPTOR.message_types_by_name[message]
    numbers = {name: field.number for name, field in found.fields_by_name.items()}
    assert numbers.items() >= FIELDS[message].items()


def test_the_methods_keep_their_names() -> None:
    service = pb.DESCRIPTOR.services_by_name["StylizationService"]
    assert service.full_name == "sfumato.v1.StylizationService"
    assert {"ListStyles", "Stylize"} <= set(service.methods_by_name)


def test_formats_keep_their_numbers_and_each_has_one() -> None:
    assert TO_WIRE == {ImageFormat.JPEG: 1, ImageFormat.PNG: 2, ImageFormat.WEBP: 3}
    assert set(TO_WIRE) == set(ImageFormat)
    assert set(FROM_WIRE) == set(pb.ImageFormat.values()) - {pb.IMAGE_FORMAT_UNSPECIFIED}


def test_a_request_has_these_bytes() -> None:
    request = stylize_request(b"\xff\xd8", {"a": 3, "b": 1}, "m", 2, "png", 80)
    assert request.SerializeToString(deterministic=True) == (
        b"\x0a\x01m"  # model
        b"\x10\x02"  # version
        b"\x1a\x02\xff\xd8"  # image
        b"\x22\x08\x0a\x01a\x15\x00\x00\x40\x3f"  # style a, 0.75 as a float
        b"\x22\x08\x0a\x01b\x15\x00\x00\x80\x3e"  # style b, 0.25
        b"\x28\x02"  # PNG
        b"\x30\x50"  # quality
    )


def test_a_strength_is_added_at_the_end() -> None:
    without = stylize_request(b"", {"a": 1}, "m", 2, None, None)
    weak = stylize_request(b"", {"a": 1}, "m", 2, None, None, 0.5)
    nothing = stylize_request(b"", {"a": 1}, "m", 2, None, None, 0.0)
    old = without.SerializeToString(deterministic=True)
    assert weak.SerializeToString(deterministic=True) == old + b"\x3d\x00\x00\x00\x3f"
    assert nothing.SerializeToString(deterministic=True) == old + b"\x3d\x00\x00\x00\x00"


def test_what_training_measures_has_a_field_of_its_name_and_kind() -> None:
    message = pb.QualityCard.DESCRIPTOR
    kinds = {field.name: field.cpp_type for field in message.fields}
    expected = {
        "float | None": descriptor.FieldDescriptor.CPPTYPE_FLOAT,
        "int | None": descriptor.FieldDescriptor.CPPTYPE_UINT32,
        "str | None": descriptor.FieldDescriptor.CPPTYPE_STRING,
    }
    assert kinds == {field.name: expected[str(field.type)] for field in fields(QualityCard)}
    assert all(field.has_presence for field in message.fields)


def test_the_name_of_the_photograph_is_for_good() -> None:
    assert PHOTOGRAPH_STYLE == "photograph"


@pytest.mark.parametrize("service", ["", "sfumato.v1.StylizationService"])
def test_the_health_messages_are_those_of_grpc_health(service: str) -> None:
    request = health_pb2.HealthCheckRequest(service=service)
    assert HealthRequest(value=service).SerializeToString() == request.SerializeToString()
    for status in health_pb2.HealthCheckResponse.ServingStatus.values():
        answer = health_pb2.HealthCheckResponse(status=status).SerializeToString()
        assert HealthResponse.FromString(answer).value == status
    assert HEALTH_SERVING == health_pb2.HealthCheckResponse.SERVING
    assert HEALTH_METHOD == "/grpc.health.v1.Health/Check"
