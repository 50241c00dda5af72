"""Strength: a blend with the style that is the photo itself."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from sfumato.client.async_client import AsyncClient
from sfumato.errors import ServiceError
from sfumato.v1 import stylization_service_pb2 as pb
from tests.serving.photos import decode, draw, encode
from tests.serving.running import connected, order, refused, running
from tests.serving.tiny_network import paint, write_tiny_bundle

PHOTO = draw()
FILE = encode(PHOTO)
WITH_PHOTOGRAPH = {"dark": (0.5, 0.0), "light": (1.0, 100.0), "photograph": (1.0, 0.0)}
"""Gain and offset: here, the photograph gives the photo back exactly."""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    write_tiny_bundle(tmp_path / "models" / "default" / "1", styles=WITH_PHOTOGRAPH)
    return tmp_path / "models"


@pytest.fixture
async def without_photograph(tmp_path: Path) -> AsyncIterator[Any]:
    write_tiny_bundle(tmp_path / "old" / "default" / "1")
    async with running(tmp_path / "old") as server, connected(server) as stub:
        yield stub


async def painted(stub: Any, styles: Any, **fields: Any) -> np.ndarray:
    return decode((await stub.Stylize(order(FILE, styles, **fields))).image)


@pytest.mark.parametrize("strength", [0.0, 0.25, 0.5, 0.75, 1.0])
async def test_a_strength_goes_evenly_from_the_photo_to_the_style(
    stub: Any, strength: float
) -> None:
    found = await painted(stub, "light", strength=strength)
    np.testing.assert_array_equal(found, paint(PHOTO, 1.0, 100 * strength))


async def test_at_strength_0_the_photo_comes_back(stub: Any) -> None:
    found = await painted(stub, {"dark": 0.3, "light": 0.7}, strength=0.0)
    np.testing.assert_array_equal(found, PHOTO)


async def test_of_a_blend_the_whole_is_weakened(stub: Any) -> None:
    # Half of dark and light is gain 0.75 and offset 50; half of that and the photo:
    found = await painted(stub, {"dark": 1.0, "light": 1.0}, strength=0.5)
    np.testing.assert_array_equal(found, paint(PHOTO, 0.875, 25.0))


async def test_a_strength_is_a_weight_of_the_photograph(stub: Any) -> None:
    weak = await painted(stub, "dark", strength=0.25)
    blend = await painted(stub, {"dark": 1.0, "photograph": 3.0})
    np.testing.assert_array_equal(weak, paint(PHOTO, 0.875, 0.0))
    np.testing.assert_array_equal(blend, weak)


async def test_without_a_strength_a_style_is_whole(stub: Any, without_photograph: Any) -> None:
    for server in (stub, without_photograph):
        absent = await painted(server, "light")
        np.testing.assert_array_equal(absent, paint(PHOTO, 1.0, 100.0))
        np.testing.assert_array_equal(absent, await painted(server, "light", strength=1.0))


async def test_a_request_of_an_older_client_paints_as_before(stub: Any, server: Any) -> None:
    style = b"\x22\x0c\x0a\x05light\x15\x00\x00\x80\x3f"  # field 4: light, 1.0 as a float
    image = b"\x1a" + bytes([len(FILE) & 127 | 128, len(FILE) >> 7]) + FILE  # field 3
    async with grpc.aio.insecure_channel(server.address) as channel:
        send: Any = channel.unary_unary("/sfumato.v1.StylizationService/Stylize")
        answer = pb.StylizeResponse.FromString(await send(image + style))
    np.testing.assert_array_equal(decode(answer.image), paint(PHOTO, 1.0, 100.0))


@pytest.mark.parametrize("strength", [0.0, 0.999])
async def test_a_model_without_a_photograph_says_that_its_strength_is_fixed(
    without_photograph: Any, strength: float
) -> None:
    status, message = await refused(without_photograph, order(FILE, "dark", strength=strength))
    assert status is grpc.StatusCode.FAILED_PRECONDITION
    assert message.startswith(
        "this model cannot change the strength: it has no style 'photograph'; leave"
    )
    np.testing.assert_array_equal(await painted(without_photograph, "plain"), PHOTO)


@pytest.mark.parametrize("strength", [-0.5, 1.5, float("nan"), float("inf")])
async def test_a_strength_out_of_range_is_refused(
    stub: Any, without_photograph: Any, strength: float
) -> None:
    for server in (stub, without_photograph):
        status, message = await refused(server, order(FILE, "dark", strength=strength))
        assert status is grpc.StatusCode.INVALID_ARGUMENT
        assert f"the strength is {strength}; it must be from 0" in message


async def test_a_strength_alone_is_no_order(stub: Any) -> None:
    status, message = await refused(stub, order(FILE, {}, strength=0.0))
    assert status is grpc.StatusCode.INVALID_ARGUMENT
    assert "no style is given" in message


async def test_an_unknown_style_is_refused_at_strength_0_too(stub: Any) -> None:
    status, _ = await refused(stub, order(FILE, "lihgt", strength=0.0))
    assert status is grpc.StatusCode.NOT_FOUND


async def test_the_client_asks_for_a_strength(server: Any) -> None:
    async with AsyncClient(server.address) as client:
        weak = await client.stylize(FILE, {"dark": 1, "light": 1}, strength=0.5)
        with pytest.raises(ServiceError, match="no style 'drak'; did you mean 'dark'"):
            await client.stylize(FILE, "drak", strength=0.5)
    np.testing.assert_array_equal(decode(weak.image), paint(PHOTO, 0.875, 25.0))


async def test_the_photograph_is_listed_like_any_style(stub: Any) -> None:
    styles = (await stub.ListStyles(pb.ListStylesRequest())).styles
    assert [style.id for style in styles] == ["dark", "light", "photograph"]
