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
    from sfumato.bundle.bundle import Bundle, read_bundle, write_bundle
    from sfumato.bundle.network_info import NetworkInfo
    from sfumato.bundle.quality_card import QualityCard
    from sfumato.bundle.style_bank import StyleBank
    from sfumato.bundle.style_file import StyleFile, read_style_file, write_style_file
    from sfumato.bundle.style_info import StyleInfo
    from sfumato.client.added_style import AddedStyle
    from sfumato.client.async_client import AsyncClient
    from sfumato.client.client import Client
    from sfumato.client.frames import DroppedFrame, FailedFrame, Frame, FrameAnswer, PaintedFrame
    from sfumato.client.stylized_photo import StyleSummary, StylizedPhoto, Timings
    from sfumato.connection.tls_files import tls_credentials
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
    from sfumato.images.codec import ImageFormat, Photo, decode_photo, encode_photo

# Where each name lives. They are imported at first use, so that a program that needs only the
# bundle waits neither for gRPC nor for Pillow.
_HOMES = {
    "sfumato.client.added_style": ("AddedStyle",),
    "sfumato.client.async_client": ("AsyncClient",),
    "sfumato.bundle.bundle": ("Bundle", "read_bundle", "write_bundle"),
    "sfumato.client.client": ("Client",),
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
    "sfumato.client.frames": (
        "DroppedFrame",
        "FailedFrame",
        "Frame",
        "FrameAnswer",
        "PaintedFrame",
    ),
    "sfumato.images.codec": ("ImageFormat", "Photo", "decode_photo", "encode_photo"),
    "sfumato.bundle.network_info": ("NetworkInfo",),
    "sfumato.bundle.quality_card": ("QualityCard",),
    "sfumato.bundle.style_bank": ("StyleBank",),
    "sfumato.bundle.style_file": ("StyleFile", "read_style_file", "write_style_file"),
    "sfumato.bundle.style_info": ("StyleInfo",),
    "sfumato.client.stylized_photo": ("StyleSummary", "StylizedPhoto", "Timings"),
    "sfumato.connection.tls_files": ("tls_credentials",),
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
