"""Options as dataclasses: their docstrings are the help, their types are the command line.

A field is an option of its name, with hyphens; ``photo: Path`` becomes ``--photo PHOTO``.

- ``bool`` is a switch, ``Literal`` a choice, ``tuple[X, ...]`` several values.
- ``Annotated[int, positive, "N", {"nargs": "?"}]`` adds what reads the text, the placeholder in the
  help, and whatever else ``add_argument`` takes.

Nothing here needs PyTorch, so that --help is quick.
"""

import argparse
import inspect
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import NoneType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    Self,
    get_args,
    get_origin,
    get_type_hints,
)

from training.errors import TrainingError


def positive(text: str) -> int:
    """Reads a whole number from 1 up."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return number


def not_negative(text: str) -> float:
    """Reads a finite number from 0 up."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (number >= 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 up")
    return number


Positive = Annotated[int, positive]
NotNegative = Annotated[float, not_negative]

_DOCUMENTED: Final = re.compile(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)
"""An entry of the section ``Args`` of a docstring."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The base of all options: checks them, whoever gives them, and makes a parser of them."""

    positional: ClassVar[tuple[str, ...]] = ()
    """Options that the command line takes by their place."""

    group: ClassVar[tuple[str, str] | None] = None
    """Title and description under which the help shows the fields of a class."""

    def __post_init__(self) -> None:
        """Reads texts as the command line does: a path may be a text, a number too.

        Raises:
            TrainingError: an option is none of what it may be.
        """
        for name, kind in _kinds(type(self)).items():
            object.__setattr__(self, name, kind.checked(name, getattr(self, name)))

    @classmethod
    def add_to(cls, parser: argparse.ArgumentParser) -> None:
        """Adds the options to ``parser``; those of a class stand together, the first class first.

        What is not given is left out of the result, so that the dataclass knows the defaults.
        """
        kinds, said = _kinds(cls), _documented(cls)
        defaults = {field.name: field.default for field in fields(cls)}
        words = {name: kinds[name].to_argparse(defaults[name], said[name]) for name in kinds}
        for name in cls.positional:
            parser.add_argument(name, **words.pop(name))
        for home in cls.__mro__:
            place: Any = parser
            if title := home.__dict__.get("group"):
                place = parser.add_argument_group(*title)
            for name in inspect.get_annotations(home):
                if name in words and _home(cls, name) is home:
                    words[name].setdefault("required", defaults[name] is MISSING)
                    flag = f"--{name.replace('_', '-')}"
                    place.add_argument(flag, dest=name, default=argparse.SUPPRESS, **words[name])

    @classmethod
    def parser(cls, prog: str, **more: Any) -> argparse.ArgumentParser:
        """Returns a parser of these options alone, described by the class' docstring."""
        parser = argparse.ArgumentParser(prog=prog, description=cls.description(), **more)
        cls.add_to(parser)
        return parser

    @classmethod
    def description(cls) -> str:
        """Returns what the docstring says before its ``Args``, for a terminal."""
        return inspect.cleandoc(cls.__doc__ or "").partition("\n\nArgs:")[0].replace("%", "%%")

    @classmethod
    def parse(cls, arguments: Sequence[str], prog: str) -> Self:
        """Reads a command line. Raises SystemExit for a wrong one, and for --help."""
        return cls.of(cls.parser(prog).parse_args(arguments))

    @classmethod
    def of(cls, parsed: argparse.Namespace) -> Self:
        """Returns the options that a parser has read."""
        return cls(**{f.name: vars(parsed)[f.name] for f in fields(cls) if f.name in parsed})


@dataclass(frozen=True)
class _Kind:
    """What the type of a field says.

    Attributes:
        read: makes a value of a text.
        choices: the only values there are, if that is so.
        several: whether it is a tuple of such values.
        switch: whether it is there or not.
        metavar: the placeholder in the help.
        more: other words for ``add_argument``.
    """

    read: Callable[[str], Any] | None
    choices: tuple[str, ...]
    several: bool
    switch: bool
    metavar: str | None
    more: dict[str, Any]

    @classmethod
    def of(cls, hint: Any) -> Self:
        hint, notes = _without_notes(hint)
        several = get_origin(hint) is tuple and not any(map(callable, notes))
        if several:
            hint, more = _without_notes(get_args(hint)[0])
            notes += more
        choices = get_args(hint) if get_origin(hint) is Literal else ()
        plain = hint if hint in (int, float, Path) else None
        return cls(
            read=next(filter(callable, notes), plain),
            choices=choices,
            several=several,
            switch=hint is bool,
            metavar=next((note for note in notes if isinstance(note, str)), None),
            more=next((note for note in notes if isinstance(note, dict)), {}),
        )

    def checked(self, name: str, value: Any) -> Any:
        """Returns ``value`` as the command line would have read it.

        Raises:
            TrainingError: it may not be that.
        """
        if value is None or self.switch:
            return value
        if self.several:
            values = (value,) if isinstance(value, str | Path) else value
            return tuple(self._checked_one(name, each) for each in values)
        return self._checked_one(name, value)

    def _checked_one(self, name: str, value: Any) -> Any:
        if self.choices and value not in self.choices:
            raise TrainingError(f"{name} is {value!r}: choose one of {', '.join(self.choices)}")
        if isinstance(value, list | tuple):  # it needs no reading
            return tuple(value) if isinstance(value, list) else value
        if self.read is None:
            return value
        try:
            return self.read(str(value))
        except (argparse.ArgumentTypeError, ValueError) as error:
            raise TrainingError(f"{name}: {error}") from error

    def to_argparse(self, default: Any, text: str) -> dict[str, Any]:
        """Returns words for ``add_argument``; the default is told, unless the text tells it."""
        untold = any(default is none for none in (None, False, MISSING))
        if not (untold or "default" in text):
            shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
            shown = f"{shown:g}" if isinstance(shown, float) else shown
            text = f"{text} (default {shown})"
        words: dict[str, Any] = {"help": text.replace("%", "%%")}
        if self.switch:
            return words | {"action": "store_true"} | self.more
        if self.metavar:
            words["metavar"] = self.metavar
        if self.choices:
            words["choices"] = self.choices
        if self.read:
            words["type"] = self.read
        if self.several:
            words["nargs"] = "+"
        return words | self.more


def _without_notes(hint: Any) -> tuple[Any, list[Any]]:
    """Returns a type without its notes and without None, and the notes."""
    if get_origin(hint) is Annotated:
        inner, *notes = get_args(hint)
        hint, more = _without_notes(inner)
        return hint, notes + more
    parts = [part for part in get_args(hint) if part is not NoneType]
    is_optional = len(parts) == 1 and NoneType in get_args(hint)
    return _without_notes(parts[0]) if is_optional else (hint, [])


def _kinds(options: type[Options]) -> dict[str, _Kind]:
    hints = get_type_hints(options, include_extras=True)
    return {field.name: _Kind.of(hints[field.name]) for field in fields(options)}


def _home(options: type[Options], name: str) -> type:
    """Returns the class that had the field first: another default does not move it."""
    return [c for c in options.__mro__ if name in inspect.get_annotations(c)][-1]


def _documented(options: type[Options]) -> dict[str, str]:
    """Returns what the docstrings say of each field, of all the classes."""
    said: dict[str, str] = {}
    for home in reversed(options.__mro__):
        _, _, section = inspect.cleandoc(home.__doc__ or "").partition("\n\nArgs:\n")
        said |= {name: " ".join(text.split()) for name, text in _DOCUMENTED.findall(section)}
    return {name: text.rstrip(".") for name, text in said.items()}
