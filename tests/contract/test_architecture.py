"""The page on the architecture: every room is on it, and every file that it names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
NAMED = set(re.findall(r"`((?:\w+/)+(?:\w+\.\w+)?)`", PAGE))


def rooms() -> set[str]:
    packages = (ROOT / package for package in ("sfumato", "serving", "training"))
    inits = (init for package in packages for init in package.rglob("__init__.py"))
    return {f"{init.parent.relative_to(ROOT).as_posix()}/" for init in inits}


@pytest.mark.parametrize("room", sorted(rooms()))
def test_every_room_is_on_the_page_and_says_what_it_is_for(room: str) -> None:
    assert room in NAMED
    assert (ROOT / room / "__init__.py").read_text().startswith('"""')


def test_what_the_page_names_is_there() -> None:
    assert len(NAMED) > 60
    assert [name for name in sorted(NAMED) if not (ROOT / name).exists()] == []
