"""What the header of an image file says, whatever its format."""

from dataclasses import dataclass

from sfumato.errors import InvalidImageError
from sfumato.images.colour.rgb_space import RgbSpace
from sfumato.images.image_format import ImageFormat
from sfumato.images.orientation import swaps_sides


@dataclass(frozen=True)
class Header:
    """The header of an image file.

    Attributes:
        format: the format of the file.
        width: pixels as stored, before the orientation is applied.
        height: pixels as stored.
        orientation: the EXIF orientation, 1 (upright) to 8.
        icc_profile: the embedded colour profile, None if there is none.
        rgb_space: what the colours are if no profile says it, None for sRGB.
    """

    format: ImageFormat
    width: int
    height: int
    orientation: int = 1
    icc_profile: bytes | None = None
    rgb_space: RgbSpace | None = None

    @property
    def oriented_size(self) -> tuple[int, int]:
        """Width and height of the upright picture."""
        if swaps_sides(self.orientation):
            return self.height, self.width
        return self.width, self.height

    def check_stored_size(self, size: tuple[int, int]) -> None:
        """Raises ValueError if the picture itself has another width and height, as stored."""
        if size != (self.width, self.height):
            raise ValueError("two sizes in one file")


def damaged(image_format: ImageFormat, reason: object) -> InvalidImageError:
    """Makes the error for a file that begins well and goes wrong."""
    return InvalidImageError(
        f"the {image_format.name} file is truncated or damaged ({reason}); send the whole file"
    )
