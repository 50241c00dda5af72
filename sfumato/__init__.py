"""Sfumato paints photographs in the style of paintings: the client and the contract.

from sfumato import Client

with Client() as client:
    painted = client.stylize(Path("photo.jpg"), {"munch-scream": 0.3, "hokusai-great-wave": 0.7})
    painted.save(Path("out.jpg"))
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sfumato.added_style import AddedStyle
    from sfumato.async_client import AsyncClient
    from sfumato.bundle import Bundle, read_bundle, write_bundle
    from sfumato.client import Client
    from sfumato.errors import (
        BundleError,
        FixedStrengthError,
        ImageError,
        ImageTooLargeError,
        InvalidImageError,
        ServiceError,
        SfumatoError,
        StyleError,
        StyleFileError,
        UnknownStyleError,
        VideoError,
    )
    from sfumato.frames import DroppedFrame, FailedFrame, Frame, FrameAnswer, PaintedFrame
    from sfumato.image_codec import ImageFormat, Photo, decode_photo, encode_photo
    from sfumato.network_info import NetworkInfo
    from sfumato.quality_card import QualityCard
    from sfumato.style_bank import StyleBank
    from sfumato.style_file import StyleFile, read_style_file, write_style_file
    from sfumato.style_info import StyleInfo
    from sfumato.stylized_photo import StyleSummary, StylizedPhoto, Timings
    from sfumato.tls_files import tls_credentials

# Where each name lives. They are imported at first use, so that a program that needs only the
# bundle waits neither for gRPC nor for Pillow.
_HOMES = {
    "sfumato.added_style": ("AddedStyle",),
    "sfumato.async_client": ("AsyncClient",),
    "sfumato.bundle": ("Bundle", "read_bundle", "write_bundle"),
    "sfumato.client": ("Client",),
    "sfumato.errors": (
        "BundleError",
        "FixedStrengthError",
        "ImageError",
        "ImageTooLargeError",
        "InvalidImageError",
        "ServiceError",
        "SfumatoError",
        "StyleError",
        "StyleFileError",
        "UnknownStyleError",
        "VideoError",
    ),
    "sfumato.frames": ("DroppedFrame", "FailedFrame", "Frame", "FrameAnswer", "PaintedFrame"),
    "sfumato.image_codec": ("ImageFormat", "Photo", "decode_photo", "encode_photo"),
    "sfumato.network_info": ("NetworkInfo",),
    "sfumato.quality_card": ("QualityCard",),
    "sfumato.style_bank": ("StyleBank",),
    "sfumato.style_file": ("StyleFile", "read_style_file", "write_style_file"),
    "sfumato.style_info": ("StyleInfo",),
    "sfumato.stylized_photo": ("StyleSummary", "StylizedPhoto", "Timings"),
    "sfumato.tls_files": ("tls_credentials",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AddedStyle",
    "AsyncClient",
    "Bundle",
    "BundleError",
    "Client",
    "DroppedFrame",
    "FailedFrame",
    "FixedStrengthError",
    "Frame",
    "FrameAnswer",
    "ImageError",
    "ImageFormat",
    "ImageTooLargeError",
    "InvalidImageError",
    "NetworkInfo",
    "PaintedFrame",
    "Photo",
    "QualityCard",
    "ServiceError",
    "SfumatoError",
    "StyleBank",
    "StyleError",
    "StyleFile",
    "StyleFileError",
    "StyleInfo",
    "StyleSummary",
    "StylizedPhoto",
    "Timings",
    "UnknownStyleError",
    "VideoError",
    "decode_photo",
    "encode_photo",
    "read_bundle",
    "read_style_file",
    "tls_credentials",
    "write_bundle",
    "write_style_file",
]


def __getattr__(name: str) -> object:
    """Imports a public name at first use."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    """Lists the public names, those not imported yet too."""
    return [*__all__, "__version__"]
