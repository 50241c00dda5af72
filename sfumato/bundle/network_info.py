"""What a server must know about the network of a bundle."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sfumato.errors import BundleError

_MOST_MIN_SIDE = 4096  # a server warms up with photos of that size
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class NetworkInfo:
    """Identifies a transformation network.

    Attributes:
        architecture: name of the network's shape, such as "reference" or "lite".
        digest: "sha256:" and 64 hexadecimal digits over the frozen weights, style rows excluded.
        style_size: P, the count of numbers in one style row.
        min_side: the shortest side of an image that the network takes, in pixels.

    Raises:
        BundleError: a value of the wrong type or form.
    """

    architecture: str
    digest: str
    style_size: int
    min_side: int = 16

    def __post_init__(self) -> None:
        """Checks the values, because they often come from a file."""
        if not isinstance(self.architecture, str) or not self.architecture:
            raise BundleError(f"the architecture must be a name, not {self.architecture!r}")
        check_digest(self.digest)
        for name in ("style_size", "min_side"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise BundleError(f"the {name} must be a positive integer, not {value!r}")
        if self.min_side > _MOST_MIN_SIDE:
            raise BundleError(
                f"the min_side is {self.min_side}; at most {_MOST_MIN_SIDE} makes sense"
            )

    def to_json(self) -> dict[str, Any]:
        """Gives the object that ``from_json`` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: object) -> "NetworkInfo":
        """Reads a network. Raises BundleError for missing or wrong values."""
        if not isinstance(value, Mapping):
            raise BundleError("the network must be an object")
        try:
            return cls(
                value["architecture"], value["digest"], value["style_size"], value["min_side"]
            )
        except KeyError as error:
            raise BundleError(f"the network lacks {error}") from None


def check_digest(digest: object) -> None:
    """Raises BundleError unless the value is "sha256:" and 64 hexadecimal digits."""
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise BundleError(
            f"the network digest must be 'sha256:' and 64 lower-case hexadecimal digits, "
            f"not {str(digest)[:80]!r}"
        )
