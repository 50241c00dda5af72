"""The pictures of the page: files beside it, whole or absent."""

from pathlib import Path

from torch import Tensor

from training.evaluation.evaluation import Evaluation
from training.optimize.picture_file import write_picture

FOLDER = "pictures"


class PagePictures:
    """Writes pictures below a folder and gives the HTML that shows them."""

    def __init__(self, out: Path, evaluation: Evaluation, prefix: str = "") -> None:
        """Writes into ``out/pictures``; ``prefix`` begins the names of painted photos."""
        self._folder, self._evaluation, self._prefix = out / FOLDER, evaluation, prefix
        self._folder.mkdir(parents=True, exist_ok=True)

    def photo(self, number: int) -> str:
        """Returns the photo."""
        return self._show(f"photo-{number}", self._evaluation.photos[number], "photo")

    def painting(self, style: str) -> str:
        """Returns the painting."""
        return self._show(f"{style}-painting", self._evaluation.subject.paintings[style], style)

    def painted(self, style: str, number: int) -> str:
        """Returns what the served network made of a photo."""
        picture = self._evaluation.painted(style)[number] / 255
        return self._show(f"{self._prefix}{style}-{number}", picture, f"photo {number} in {style}")

    def baseline(self, style: str, number: int, which: str) -> str | None:
        """Returns the baseline's picture ``equal`` or ``end``; None if there is none."""
        pictures = self._evaluation.baseline_pictures(style, number)
        if which not in pictures:
            return None
        name = f"{style}-{number}-baseline-{which}"
        return self._show(name, pictures[which] / 255, f"slow style transfer, {style}")

    def _show(self, name: str, image: Tensor, text: str) -> str:
        write_picture(self._folder / f"{name}.jpg", image)
        height, width = image.shape[-2:]
        return (
            f'<img src="{FOLDER}/{name}.jpg" alt="{text}" width="{width}" height="{height}" '
            'loading="lazy">'
        )
