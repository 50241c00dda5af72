import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sfumato.v1 import stylization_service_pb2 as pb
from tests.serving.photos import decode, draw, encode, kind_of
from tests.serving.running import connected, order, running
from tests.serving.tiny_network import STYLES, paint, write_tiny_bundle

KINDS = {"JPEG": pb.IMAGE_FORMAT_JPEG, "PNG": pb.IMAGE_FORMAT_PNG, "WEBP": pb.IMAGE_FORMAT_WEBP}


@pytest.mark.parametrize("style", STYLES)
async def test_a_style_paints_what_its_row_says(stub: Any, style: str) -> None:
    photo = draw()
    answer = await stub.Stylize(order(encode(photo), style))
    np.testing.assert_array_equal(decode(answer.image), paint(photo, *STYLES[style]))


@pytest.mark.parametrize("weights", [(0.75, 0.25), (3.0, 1.0), (3e-30, 1e-30)])
async def test_a_blend_mixes_the_rows_by_the_share_of_their_weights(
    stub: Any, weights: tuple[float, float]
) -> None:
    photo = draw()
    blend = dict(zip(("plain", "light"), weights, strict=True))
    answer = await stub.Stylize(order(encode(photo), blend))
    np.testing.assert_array_equal(decode(answer.image), paint(photo, 1.0, 25.0))


async def test_blends_mix_gain_and_offset_alike(stub: Any) -> None:
    photo = draw()
    answer = await stub.Stylize(order(encode(photo), {"dark": 0.5, "light": 0.5}))
    np.testing.assert_array_equal(decode(answer.image), paint(photo, 0.75, 50.0))


@pytest.mark.parametrize("sent", KINDS)
async def test_the_answer_has_the_format_that_was_sent(stub: Any, sent: str) -> None:
    answer = await stub.Stylize(order(encode(draw(), sent)))
    assert kind_of(answer.image) == sent
    assert answer.format == KINDS[sent]


@pytest.mark.parametrize("asked", KINDS)
async def test_the_answer_has_the_format_that_was_asked_for(stub: Any, asked: str) -> None:
    answer = await stub.Stylize(order(encode(draw()), output_format=KINDS[asked]))
    assert kind_of(answer.image) == asked
    assert answer.format == KINDS[asked]


async def test_a_lower_quality_makes_a_smaller_file(stub: Any) -> None:
    photo = encode(draw(), "JPEG")
    sizes = [len((await stub.Stylize(order(photo, quality=q))).image) for q in (100, 90, 1)]
    assert sizes == sorted(sizes, reverse=True)
    assert len((await stub.Stylize(order(photo))).image) == sizes[1]


@pytest.mark.parametrize(("width", "height"), [(16, 16), (17, 31), (300, 16), (101, 67)])
async def test_the_answer_is_exactly_as_large_as_the_photo(
    stub: Any, width: int, height: int
) -> None:
    answer = await stub.Stylize(order(encode(draw(width, height), "JPEG")))
    assert (answer.width, answer.height) == (width, height)
    assert decode(answer.image).shape == (height, width, 3)


async def test_a_photo_from_a_turned_camera_comes_back_upright(stub: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees clockwise
    photo = draw(40, 24)
    answer = await stub.Stylize(order(encode(photo, exif=exif)))
    assert (answer.width, answer.height) == (24, 40)
    np.testing.assert_array_equal(decode(answer.image), np.rot90(photo, -1))


async def test_transparency_is_carried_through(stub: Any) -> None:
    photo = np.dstack([draw(), draw(seed=1)[..., 0]])
    painted = decode((await stub.Stylize(order(encode(photo), "dark"))).image)
    np.testing.assert_array_equal(painted[..., 3], photo[..., 3])
    np.testing.assert_array_equal(painted[..., :3], paint(photo[..., :3], 0.5, 0.0))


async def test_of_an_animation_the_first_frame_is_painted(stub: Any) -> None:
    frames = [draw(seed=seed) for seed in (1, 2)]
    others = [Image.fromarray(frames[1])]
    file = encode(frames[0], "WEBP", save_all=True, append_images=others, lossless=True)
    answer = await stub.Stylize(order(file, output_format=pb.IMAGE_FORMAT_PNG))
    np.testing.assert_array_equal(decode(answer.image), frames[0])


async def test_different_blends_share_a_batch(models: Path) -> None:
    blends = [{"plain": 1.0}, {"dark": 1.0}, {"light": 1.0}, {"plain": 1.0, "light": 1.0}]
    expected = [(1.0, 0.0), (0.5, 0.0), (1.0, 100.0), (1.0, 50.0)]
    photos = [draw(seed=seed) for seed in range(4)]
    # The batch can only be full: nobody would wait for its delay.
    async with (
        running(models, max_batch_size=4, max_batch_delay_ms=60_000) as server,
        connected(server) as stub,
    ):
        answers = await asyncio.gather(
            *(
                stub.Stylize(order(encode(photo), blend))
                for photo, blend in zip(photos, blends, strict=True)
            )
        )
    for answer, photo, row in zip(answers, photos, expected, strict=True):
        np.testing.assert_array_equal(decode(answer.image), paint(photo, *row))
        assert answer.timings.batch_size == 4


async def test_the_answer_says_where_the_time_went(stub: Any) -> None:
    timings = (await stub.Stylize(order(encode(draw())))).timings
    assert timings.batch_size == 1
    assert min(timings.decode_ms, timings.inference_ms, timings.encode_ms) > 0
    assert timings.queue_ms >= 0


async def test_the_highest_version_answers_unless_another_is_named(models: Path) -> None:
    for version, gain in ((2, 0.25), (10, 0.75)):
        write_tiny_bundle(models / "default" / str(version), styles={"plain": (gain, 0.0)})
    photo = draw()
    async with running(models) as server, connected(server) as stub:
        latest = await stub.Stylize(order(encode(photo)))
        second = await stub.Stylize(order(encode(photo), version=2))
    assert (latest.model, latest.version) == ("default", 10)
    np.testing.assert_array_equal(decode(latest.image), paint(photo, 0.75, 0.0))
    assert (second.model, second.version) == ("default", 2)
    np.testing.assert_array_equal(decode(second.image), paint(photo, 0.25, 0.0))


async def test_models_are_served_side_by_side(models: Path) -> None:
    write_tiny_bundle(models / "other" / "1", styles={"night": (0.0, 7.0)})
    photo = draw()
    async with running(models) as server, connected(server) as stub:
        plain, night = await asyncio.gather(
            stub.Stylize(order(encode(photo), model="default")),
            stub.Stylize(order(encode(photo), "night", model="other")),
        )
    np.testing.assert_array_equal(decode(plain.image), photo)
    assert (decode(night.image) == 7).all()
    assert night.model == "other"


async def test_styles_are_listed_model_by_model_in_the_order_of_training(models: Path) -> None:
    write_tiny_bundle(models / "other" / "1", styles={"night": (0.0, 7.0)})
    write_tiny_bundle(models / "other" / "2", styles={"zebra": (1.0, 0.0), "ant": (1.0, 0.0)})
    async with running(models) as server, connected(server) as stub:
        everything = (await stub.ListStyles(pb.ListStylesRequest())).styles
        others = (await stub.ListStyles(pb.ListStylesRequest(model="other"))).styles
    assert [(s.model, s.version, s.id) for s in everything] == [
        ("default", 1, "plain"),
        ("default", 1, "dark"),
        ("default", 1, "light"),
        ("other", 2, "zebra"),
        ("other", 2, "ant"),
    ]
    assert [style.id for style in others] == ["zebra", "ant"]
    assert (others[0].title, others[0].artist, others[0].year) == ("Zebra", "A", "1900")
