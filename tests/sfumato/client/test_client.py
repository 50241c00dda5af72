"""The client that blocks, against a real server."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

import sfumato
from sfumato.bundle.quality_card import QualityCard
from sfumato.client.client import Client
from sfumato.client.stylized_photo import StyleSummary, Timings
from sfumato.connection.connection import Connection
from sfumato.errors import ImageError, ServiceError, SfumatoError, StyleError
from sfumato.images.codec import ImageFormat, decode_photo
from tests.sfumato.conftest import RunningServer, start_server
from tests.sfumato.image_files import encode, picture

RGB = picture()
PNG = encode(RGB, "PNG")


def test_a_photo_is_painted(server: RunningServer) -> None:
    with Client(server.target) as client:
        painted = client.stylize(PNG, "a")
    assert np.array_equal(decode_photo(painted.image).rgb, 255 - RGB)
    assert (painted.format, painted.width, painted.height) == (ImageFormat.PNG, 48, 32)
    assert (painted.model, painted.version) == ("m", 3)
    assert painted.timings == Timings(1, 2, 3, 4, 5)


def test_the_request_holds_what_was_asked(server: RunningServer) -> None:
    with Client(server.target) as client:
        client.stylize(
            PNG,
            {"a": 3, "munch-scream": 1},
            strength=0.75,
            model="other",
            version=7,
            output_format="webp",
            quality=55,
        )
        client.stylize(PNG, "a")
    full, bare = server.servicer.requests
    assert [(style.style_id, style.weight) for style in full.styles] == [
        ("a", 0.75),
        ("munch-scream", 0.25),
    ]
    assert (full.model, full.version, full.output_format, full.quality) == ("other", 7, 3, 55)
    assert full.strength == 0.75
    assert not bare.HasField("strength")
    assert (bare.model, bare.output_format) == ("", 0)
    assert not bare.HasField("version")
    assert not bare.HasField("quality")


def test_a_photo_may_be_a_path_and_be_saved(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(PNG)
    with Client(server.target) as client:
        client.stylize(tmp_path / "in.png", "a").save(tmp_path / "out.png")
    assert np.array_equal(decode_photo((tmp_path / "out.png").read_bytes()).rgb, 255 - RGB)


def test_the_styles_are_listed(server: RunningServer) -> None:
    with Client(server.target) as client:
        styles = client.list_styles("m")
    assert styles[0] == StyleSummary(
        *("munch-scream", "Skrik", "Edvard Munch", "1893", ""),
        model="m",
        version=3,
        quality=QualityCard(
            equals_iterations=210, style_loss=0.25, ssim=0.5, recognized=0.375, photos=8
        ),
    )
    assert styles[1].quality is None
    assert [style.id for style in styles] == ["munch-scream", "a"]
    assert server.servicer.requests[0].model == "m"


def test_health_says_whether_the_server_serves(server: RunningServer) -> None:
    from grpc_health.v1 import health_pb2

    server.health.set("a.Service", health_pb2.HealthCheckResponse.NOT_SERVING)
    with Client(server.target) as client:
        assert client.health() is True
        assert client.health("a.Service") is False
        with pytest.raises(ServiceError) as error:
            client.health("nobody.knows.It")
    assert error.value.code is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("styles", "reason"),
    [({}, "at least one"), ({"a": -1}, "not negative"), ({"a": 0}, "all weights are zero")],
)
def test_weights_that_make_no_blend_are_not_even_sent(
    server: RunningServer, styles: dict[str, float], reason: str
) -> None:
    with Client(server.target) as client, pytest.raises(StyleError, match=reason):
        client.stylize(PNG, styles)
    assert server.servicer.requests == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"output_format": "gif"}, "choose one of jpeg, png, webp"),
        ({"version": -1}, "cannot be sent"),
        ({"quality": 2**40}, "cannot be sent"),
        ({"model": 5}, "cannot be sent"),
        ({"strength": 60}, "the strength is 60; it must be from 0, the photo, to 1"),
    ],
)
def test_options_that_cannot_be_sent_are_refused(options: dict[str, Any], reason: str) -> None:
    with Client() as client, pytest.raises(SfumatoError, match=reason):
        client.stylize(PNG, "a", **options)


def test_a_missing_photo_is_refused(tmp_path: Path) -> None:
    with Client() as client, pytest.raises(ImageError, match=r"none\.jpg cannot be read: No such"):
        client.stylize(tmp_path / "none.jpg", "a")


def test_the_words_of_the_server_reach_the_caller(server: RunningServer) -> None:
    with Client(server.target) as client:
        with pytest.raises(ServiceError, match="did you mean 'munch-scream'") as unknown:
            client.stylize(PNG, "munch-scraem")
        with pytest.raises(ServiceError, match="send a JPEG, PNG or WebP") as invalid:
            client.stylize(b"text", "a")
    assert unknown.value.code is grpc.StatusCode.NOT_FOUND
    assert invalid.value.code is grpc.StatusCode.INVALID_ARGUMENT


def test_a_call_is_sent_again_while_the_server_is_unavailable(server: RunningServer) -> None:
    server.servicer.failures = [(grpc.StatusCode.UNAVAILABLE, "draining")] * 2
    with Client(server.target) as client:
        assert client.stylize(PNG, "a").width == 48
    assert len(server.servicer.requests) == 3


def test_a_large_photo_is_sent_again_too(server: RunningServer) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (500, 500, 3), dtype=np.uint8)
    data = encode(noise, "PNG")
    assert len(data) > 700_000  # gRPC keeps 256 KiB for a repetition unless told otherwise
    server.servicer.failures = [(grpc.StatusCode.UNAVAILABLE, "draining")]
    with Client(server.target) as client:
        assert client.stylize(data, "a").width == 500
    assert len(server.servicer.requests) == 2


def test_after_four_attempts_it_is_given_up(server: RunningServer) -> None:
    server.servicer.failures = [(grpc.StatusCode.UNAVAILABLE, "draining")] * 9
    with (
        Client(server.target) as client,
        pytest.raises(ServiceError, match=f"{server.target} is not available: draining") as error,
    ):
        client.list_styles()
    assert error.value.code is grpc.StatusCode.UNAVAILABLE
    assert len(server.servicer.requests) == 4


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.FAILED_PRECONDITION,
    ],
)
def test_other_failures_are_final(server: RunningServer, code: grpc.StatusCode) -> None:
    server.servicer.failures = [(code, "the reason")]
    with Client(server.target) as client, pytest.raises(ServiceError, match="the reason") as error:
        client.stylize(PNG, "a")
    assert error.value.code is code
    assert len(server.servicer.requests) == 1


def test_without_a_server_the_error_says_how_to_start_one(free_target: str) -> None:
    with (
        Client(free_target, wait_for_ready=False) as client,
        pytest.raises(ServiceError, match="python -m serving --models models") as error,
    ):
        client.stylize(PNG, "a")
    assert str(error.value).startswith(f"no server at {free_target} ")
    assert error.value.code is grpc.StatusCode.UNAVAILABLE


def test_waiting_for_a_server_ends_at_the_deadline(free_target: str) -> None:
    start = time.monotonic()
    with (
        Client(free_target, timeout=0.5) as client,
        pytest.raises(
            ServiceError, match=r"within 0\.5 s; .* check that a server is there"
        ) as error,
    ):
        client.stylize(PNG, "a")
    assert 0.4 < time.monotonic() - start < 5
    assert error.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_call_waits_for_a_server_that_comes_late(free_target: str) -> None:
    with Client(free_target, timeout=20) as client, ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.stylize, PNG, "a")
        time.sleep(0.3)
        late = start_server(free_target)
        try:
            assert call.result().width == 48
        finally:
            late.grpc_server.stop(0).wait()


def test_a_slow_server_fails_at_the_deadline(server: RunningServer) -> None:
    server.servicer.delay = 1.0
    with (
        Client(server.target) as client,
        pytest.raises(ServiceError, match=r"no answer .* within 0\.2 s; allow a longer") as error,
    ):
        client.stylize(PNG, "a", timeout=0.2)
    assert error.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_photo_larger_than_a_message_says_what_to_do(server: RunningServer) -> None:
    with (
        Client(server.target, max_message_bytes=1000) as client,
        pytest.raises(ServiceError, match="scale the photo down, or raise max_message_bytes"),
    ):
        client.stylize(PNG + bytes(1000), "a")
    assert server.servicer.requests == []


def test_a_photo_larger_than_the_server_allows_says_what_to_do() -> None:
    small = start_server(max_bytes=1000)
    try:
        with (
            Client(small.target) as client,
            pytest.raises(ServiceError, match="scale the photo down"),
        ):
            client.stylize(PNG + bytes(1000), "a")
    finally:
        small.grpc_server.stop(0).wait()


def test_another_kind_of_server_is_named(server: RunningServer) -> None:
    bare = grpc.server(ThreadPoolExecutor(1))
    port = bare.add_insecure_port("127.0.0.1:0")
    bare.start()
    try:
        with (
            Client(f"127.0.0.1:{port}") as client,
            pytest.raises(ServiceError, match="is not a Sfumato server"),
        ):
            client.list_styles()
    finally:
        bare.stop(0).wait()


def test_one_client_serves_many_threads(server: RunningServer) -> None:
    with Client(server.target) as client, ThreadPoolExecutor(8) as pool:
        painted = list(pool.map(lambda _: client.stylize(PNG, "a").width, range(32)))
    assert painted == [48] * 32


def test_closing_the_client_ends_a_running_call(server: RunningServer) -> None:
    server.servicer.delay = 2.0
    client = Client(server.target)
    timer = threading.Timer(0.3, client.close)
    timer.start()
    with pytest.raises(ServiceError, match="the client was closed before") as error:
        client.stylize(PNG, "a")
    timer.join()
    assert error.value.code is grpc.StatusCode.CANCELLED


@pytest.mark.parametrize(
    ("target", "used"),
    [("127.0.0.1:8001", 0), ("localhost:1", 0), ("[::1]:5", 0), ("gpu.example.org:443", 1)],
)
def test_a_proxy_is_never_asked_for_the_loopback_address(target: str, used: int) -> None:
    assert dict(Connection(target).channel_options())["grpc.enable_http_proxy"] == used


def test_every_public_name_is_there() -> None:
    for name in sfumato.__all__:
        assert getattr(sfumato, name) is not None
        assert name in dir(sfumato)
    assert not hasattr(sfumato, "nothing_of_the_kind")
