"""ListStyles says how good each style is, and bears any card."""

import json
from pathlib import Path
from typing import Any

import pytest

from sfumato.bundle.quality_card import QualityCard
from sfumato.client.async_client import AsyncClient
from sfumato.v1 import stylization_service_pb2 as pb
from tests.serving.running import connected, running
from tests.serving.tiny_network import write_tiny_bundle

MEASURED = {
    "content_loss": 1.5,
    "style_loss": 0.25,
    "total_loss": 1.75,
    "equals_iterations": 210.5,
    "baseline_iterations": 500,
    "ssim": 0.5,
    "judge_style": 3.0,
    "judge_content": 4.0,
    "shift_rms": 0.125,
    "noise_rms": 0.0625,
    "nearest_style": "light",
    "nearest_style_distance": 0.375,
    "photos": 8,
    "side": 256,
    "recognized": 0.375,
    "detail_kept": 0.75,
    "lattice_2": 0.25,
    "lattice_4": 0.5,
    "lattice_8": 1.0,
    "halo": 4.5,
    "calm_painted": 0.625,
    "spectral_line": 2.5,
    "shift_rms_with_noise": 0.0625,
}
"""Numbers that a float of the protocol holds exactly."""


async def listed(folder: Path, cards: dict[str, Any]) -> Any:
    write_tiny_bundle(folder / "default" / "1", cards=cards)
    async with running(folder) as server, connected(server) as stub:
        return (await stub.ListStyles(pb.ListStylesRequest())).styles


async def test_the_quality_that_was_measured_is_listed(tmp_path: Path) -> None:
    plain, dark, light = await listed(tmp_path, {"dark": {"quality": MEASURED}})
    assert {field.name: value for field, value in dark.quality.ListFields()} == MEASURED
    assert not plain.HasField("quality")
    assert not light.HasField("quality")


async def test_the_client_reads_what_the_evaluation_wrote(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "default" / "1", cards={"dark": {"quality": MEASURED}})
    async with running(tmp_path) as server, AsyncClient(server.address) as client:
        plain, dark, _ = await client.list_styles()
    assert plain.quality is None
    assert dark.quality == QualityCard(**MEASURED)  # type: ignore[arg-type]


BAD_CARDS: dict[str, Any] = {
    "a list": {"quality": [1, 2]},
    "nothing": {"quality": None},
    "other notes": {"loss": 2.5, "by": "hand"},
    "texts": {"quality": dict.fromkeys(MEASURED, "1.5e")},
    "nulls": {"quality": dict.fromkeys(MEASURED)},
    "objects": {"quality": {name: {"mean": 1.5} for name in MEASURED}},
    "endless numbers": {"quality": dict.fromkeys(MEASURED, 10**400)},
    "truths": {"quality": dict.fromkeys(MEASURED, True)},
    "a name that is none": {"quality": {"nearest_style": "No Such Style"}},
}


@pytest.mark.parametrize("card", BAD_CARDS)
async def test_a_card_that_makes_no_sense_is_no_quality(tmp_path: Path, card: str) -> None:
    _, dark, light = await listed(tmp_path, {"dark": BAD_CARDS[card]})
    assert (dark.id, dark.HasField("quality")) == ("dark", False)
    assert light.id == "light"


async def test_of_a_damaged_quality_the_good_entries_are_listed(tmp_path: Path) -> None:
    card = {"quality": {**MEASURED, "ssim": "much", "photos": -3, "mood": "blue"}}
    _, dark, _ = await listed(tmp_path, {"dark": json.loads(json.dumps(card))})
    left = {name: value for name, value in MEASURED.items() if name not in {"ssim", "photos"}}
    assert {field.name: value for field, value in dark.quality.ListFields()} == left
