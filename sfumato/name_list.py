"""Names as part of a sentence that stays short."""

import difflib
from collections.abc import Iterable
from typing import Final

_MAX_LISTED: Final = 20


def name_list(names: Iterable[str]) -> str:
    """Joins names by commas, "none" if there are none; at most 20, and how many more."""
    known = list(names)
    more = f" and {len(known) - _MAX_LISTED} more" if len(known) > _MAX_LISTED else ""
    return (", ".join(known[:_MAX_LISTED]) or "none") + more


def close_names(name: str, known: Iterable[str]) -> str:
    """Asks whether one of the ``known`` names was meant that are like ``name``; empty for none."""
    close = difflib.get_close_matches(name[:100], known)
    return f"did you mean {' or '.join(map(repr, close))}?" if close else ""
