"""From the name of a painting's file to the id of its style."""

import re
import unicodedata
from pathlib import Path
from typing import Final

from sfumato.bundle.style_info import MAX_ID_LENGTH
from training.errors import TrainingError

_LETTERS: Final = str.maketrans(
    {"æ": "ae", "ð": "d", "đ": "d", "\u0131": "i", "ł": "l", "ø": "o", "œ": "oe", "þ": "th"}
)
"""Latin letters that Unicode does not take for another one with a mark."""


def style_id(file: Path) -> str:
    """Returns the words of a file's name in ASCII, joined by hyphens; "" if none is left.

    A letter with an accent becomes the plain letter, whichever of its two forms in Unicode a
    system uses for the names of files.
    """
    apart = unicodedata.normalize("NFKD", file.stem.casefold().translate(_LETTERS))
    plain = "".join(each for each in apart if not unicodedata.combining(each))
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def style_id_or_error(file: Path, advice: str) -> str:
    """Returns the style id of a painting's file.

    Raises:
        TrainingError: the name makes none; it names the file and gives the ``advice``.
    """
    if not (found := style_id(file)):
        raise TrainingError(
            f"the name of {str(file)!r} has no letter from a to z and no digit, of which the id "
            f"of its style could be made: {advice}"
        )
    if len(found) > MAX_ID_LENGTH:
        raise TrainingError(
            f"the name of {str(file)!r} makes a style id of {len(found)} characters, but it may "
            f"have {MAX_ID_LENGTH}: {advice}"
        )
    return found
