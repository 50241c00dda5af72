"""constraints.txt is for everybody: nothing in it depends on where it was made."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINES = (ROOT / "constraints.txt").read_text().splitlines()
PIN = re.compile(r"[a-z0-9-]+==[0-9]+(\.[0-9]+)*((a|b|rc|\.post)[0-9]+)?( ; .+)?")


def test_every_line_pins_one_public_version() -> None:
    pins = [line for line in LINES if not line.startswith("#")]
    assert pins
    assert not [line for line in pins if not PIN.fullmatch(line)]


def test_no_line_names_an_address_or_a_path() -> None:
    assert not [line for line in LINES if "://" in line or "@" in line or "/" in line]
