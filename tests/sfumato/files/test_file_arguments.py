"""What programs give where a file is wanted: paths of any kind, bytes of any kind, and mistakes."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sfumato.bundle.bundle import read_bundle, read_latest_bundle
from sfumato.bundle.style_file import read_style_file
from sfumato.client.added_style import add_style_request
from sfumato.client.frames import frame_message
from sfumato.client.messages import read_photo
from sfumato.client.stylized_photo import StylizedPhoto, Timings
from sfumato.connection.tls_files import tls_credentials
from sfumato.errors import SfumatoError
from sfumato.images.image_format import ImageFormat

Read = Callable[[Any], Any]


def read_style(file: Any) -> bytes:
    return add_style_request(file, "").style_file


READERS = [read_photo, read_style]
PATHS = [*READERS, read_bundle, read_latest_bundle, read_style_file, tls_credentials]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_of_any_kind_are_a_photo(kind: Callable[[bytes], Any]) -> None:
    assert read_photo(kind(b"photo")) == b"photo"
    assert frame_message(0, kind(b"photo")).frame.image == b"photo"


def test_a_path_may_be_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"photo")
    assert read_photo(str(tmp_path / "a")) == b"photo"
    assert read_style(str(tmp_path / "a")) == b"photo"
    photo = StylizedPhoto(b"new", ImageFormat.PNG, 1, 1, "m", 1, Timings(0, 0, 0, 0, 1))
    photo.save(str(tmp_path / "b"))
    assert (tmp_path / "b").read_bytes() == b"new"


@pytest.mark.parametrize("read", PATHS)
@pytest.mark.parametrize("given", ["absent", "a\0b"])
def test_a_path_as_text_to_nothing_is_named(read: Read, given: str) -> None:
    with pytest.raises(SfumatoError, match="cannot") as error:
        read(given)
    assert given in str(error.value)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("given", [io.BytesIO(b"a"), np.zeros((2, 2, 3), np.uint8), None, 7])
def test_what_is_no_file_is_told_what_would_be(read: Read, given: object) -> None:
    wanted = f"must be the bytes of a file or its path, not {type(given).__name__}"
    with pytest.raises(SfumatoError, match=wanted) as error:
        read(given)
    assert ("give what its read() gives" in str(error.value)) == hasattr(given, "read")


@pytest.mark.parametrize("read", [read_bundle, read_latest_bundle, read_style_file])
@pytest.mark.parametrize("given", [b"bytes", io.BytesIO(b"a"), 7])
def test_what_is_no_path_is_told_what_would_be(read: Read, given: object) -> None:
    with pytest.raises(SfumatoError, match=f"is given by a path, not {type(given).__name__}"):
        read(given)


def test_a_painting_is_saved_into_a_path_or_says_what_would_do() -> None:
    timings = Timings(0, 0, 0, 0, 1)
    painting = StylizedPhoto(b"bytes", ImageFormat.PNG, 1, 1, "m", 1, timings)
    with pytest.raises(TypeError, match="a path, not BytesIO; write the bytes into it yourself"):
        painting.save(io.BytesIO())  # type: ignore[arg-type]
