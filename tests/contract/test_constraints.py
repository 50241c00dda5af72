"""constraints.txt is for everybody: nothing in it depends on where it was made."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES = (ROOT / "constraints.txt").read_text().splitlines()
PINS = [line for line in LINES if not line.startswith("#")]


@pytest.mark.parametrize("line", PINS)
def test_a_line_pins_one_public_version(line: str) -> None:
    assert re.fullmatch(r"[a-z0-9-]+==[0-9]+(\.[0-9]+)*((a|b|rc|\.post)[0-9]+)?( ; .+)?", line)


def test_no_line_names_an_address_or_a_path() -> None:
    assert not [line for line in LINES if "://" in line or "@" in line or "/" in line]
