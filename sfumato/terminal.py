"""Text for a terminal, of which parts come from servers, file names and other strangers."""

import sys
import unicodedata
from typing import Final

_JOINERS: Final = "\u200c\u200d"  # which scripts of India, Persian and emoji need


def printable(text: str) -> str:
    r"""Gives a text with escapes (``\x1b``) in place of what is no character to be seen.

    A terminal obeys some of those characters, text that runs backwards hides what it is, and the
    bytes of a file name that are no UTF-8 cannot be printed at all.
    """
    return "".join(character if _is_seen(character) else _escape(character) for character in text)


def say(text: str, *, error: bool = False) -> None:
    """Prints a text on one line, to the error output if it is not what was asked for."""
    line = printable(" ".join(text.splitlines()))
    print(f"sfumato: {line}" if error else line, file=sys.stderr if error else sys.stdout)


def escape_what_cannot_be_encoded() -> None:
    """Lets ``print`` write escapes for characters that the terminal's encoding lacks."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)  # a program may have put anything there
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _is_seen(character: str) -> bool:
    return (
        character.isprintable()
        or character in _JOINERS
        or unicodedata.category(character) == "Zs"  # spaces that are wider or hold together
    )


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
