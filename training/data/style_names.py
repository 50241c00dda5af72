"""Names of paintings on the command line, where ``[2, no]`` are two names as any other."""

from typing import Any, Self

import yaml


class StyleNames(list[str]):
    """File names of paintings without suffix, in the order wanted."""

    @classmethod
    def parse(cls, value: Any) -> Self:
        """Reads a list of strings, or the text of one as it was written.

        Raises:
            ValueError: a list that YAML has taken numbers or booleans out of; jsonargparse then
                comes again with the text, if it has one.
        """
        if isinstance(value, str):
            value = yaml.load(value, yaml.BaseLoader)  # noqa: S506  the loader of plain strings
            value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise ValueError(
                f"{value!r} is no list of names: in a file, a name that looks like a number or a "
                "boolean needs quotes"
            )
        return cls(value)
