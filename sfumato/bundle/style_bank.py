"""The styles of one network: one row of numbers per style, and blends of rows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from sfumato.bundle.blend_weights import Weights, normalize_weights
from sfumato.bundle.strength import PHOTOGRAPH_STYLE, checked_strength, toward_photograph
from sfumato.bundle.style_info import StyleInfo
from sfumato.errors import FixedStrengthError, StyleError, StyleFileError, UnknownStyleError
from sfumato.name_list import close_names, name_list

if TYPE_CHECKING:
    from sfumato.bundle.style_file import StyleFile


class StyleBank:
    """An immutable list of styles with their rows.

    Args:
        infos: S styles, at least one, no id twice.
        rows: finite float32 [S, P], in the order of ``infos``; copied.
        network_digest: digest of the network that the rows belong to.

    Attributes:
        infos: the styles, in order.
        ids: their ids.
        rows: their rows, float32 [S, P], read-only.
        network_digest: digest of the network.

    Raises:
        StyleError: the arguments break a rule above.
    """

    def __init__(
        self, infos: Sequence[StyleInfo], rows: npt.NDArray[np.float32], network_digest: str
    ) -> None:
        """Checks and copies; see the class."""
        self.infos: Final = tuple(infos)
        self._index = {info.id: number for number, info in enumerate(self.infos)}
        self.ids: Final = tuple(self._index)
        self.rows: Final = _frozen_rows(rows)
        self.network_digest: Final = network_digest
        self._check()

    def _check(self) -> None:
        if not self.infos:
            raise StyleError("a style bank needs at least one style")
        if len(self._index) != len(self.infos):
            raise StyleError("a style id occurs twice; ids must differ")
        if len(self.rows) != len(self.infos):
            raise StyleError(f"{len(self.infos)} styles need as many rows, not {len(self.rows)}")
        if not np.isfinite(self.rows).all():
            row = int(np.isfinite(self.rows).all(axis=1).argmin())
            raise StyleError(f"the row of style {self.infos[row].id!r} holds NaN or infinity")

    def info(self, style: str) -> StyleInfo:
        """Describes a style. Raises UnknownStyleError."""
        return self.infos[self._number(style)]

    def row(self, style: str) -> npt.NDArray[np.float32]:
        """Gives the row of a style, float32 [P], read-only. Raises UnknownStyleError."""
        row: npt.NDArray[np.float32] = self.rows[self._number(style)]
        return row

    def blend(self, weights: Weights, strength: float = 1.0) -> npt.NDArray[np.float32]:
        """Averages rows.

        Args:
            weights: the id of one style, weights by id, or pairs; see ``normalize_weights``.
            strength: share of these styles, 0 to 1; the rest is the style ``PHOTOGRAPH_STYLE``.

        Returns:
            The convex combination, float32 [P]; where one style has all of it, its row, to the
            bit and read-only: a single style at strength 1, and the photograph at strength 0.

        Raises:
            StyleError: invalid weights or strength.
            UnknownStyleError: a style that the bank lacks.
            FixedStrengthError: a strength below 1 where the bank lacks the photograph.
        """
        strength = checked_strength(strength)
        if strength < 1 and PHOTOGRAPH_STYLE not in self._index:
            raise FixedStrengthError(
                f"this model cannot change the strength: it has no style {PHOTOGRAPH_STYLE!r}; "
                "leave the strength at 1, or take a model that has it"
            )
        shares = toward_photograph(normalize_weights(weights), strength)
        numbered = {self._number(style): share for style, share in shares.items()}
        return self._mean({number: share for number, share in numbered.items() if share})

    def _mean(self, shares: dict[int, float]) -> npt.NDArray[np.float32]:
        if len(shares) == 1:  # not by arithmetic, which would make 0.0 of -0.0
            [number] = shares
            row: npt.NDArray[np.float32] = self.rows[number]
            return row
        blended = np.array([*shares.values()]) @ self.rows[[*shares]].astype(np.float64)
        return np.asarray(blended, np.float32)

    def with_style(self, style: "StyleFile") -> "StyleBank":
        """Gives a new bank that has one style more.

        Raises:
            StyleFileError: the style belongs to another network.
            StyleError: the bank has a style of that id already.
        """
        return self.with_styles([style])

    def with_styles(self, styles: "Sequence[StyleFile]") -> "StyleBank":
        """Gives a new bank that has these styles, too; see ``with_style``."""
        for style in styles:
            self.check_fits(style)
        rows = np.concatenate([self.rows, *(style.row[None] for style in styles)])
        infos = (*self.infos, *(style.info for style in styles))
        return StyleBank(infos, rows, self.network_digest)

    def check_fits(self, style: "StyleFile") -> None:
        """Raises StyleFileError if the style belongs to another network."""
        if style.network_digest != self.network_digest:
            raise StyleFileError(
                f"style {style.info.id!r} belongs to network {style.network_digest}, "
                f"this is {self.network_digest}; train it on this network"
            )
        if style.row.shape != self.rows.shape[1:]:
            raise StyleFileError(
                f"the row of style {style.info.id!r} has {style.row.size} numbers, "
                f"the network takes {self.rows.shape[1]}"
            )

    def _number(self, style: str) -> int:
        try:
            return self._index[style]
        except KeyError:
            hint = close_names(style, self._index) or f"there are {name_list(self._index)}"
            raise UnknownStyleError(f"no style {style[:100]!r}; {hint}") from None


def _frozen_rows(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    array = np.asarray(rows)
    if array.dtype != np.float32 or array.ndim != 2 or array.shape[1] == 0:
        raise StyleError(f"rows must be float32 [S, P], not {array.dtype} {list(array.shape)}")
    copy = np.array(array, order="C")
    copy.flags.writeable = False
    return copy
