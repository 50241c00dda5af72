"""Input tensors of the Open Inference Protocol: what a message says they are, checked, as arrays.

Shapes are numbers that a client made up. They are compared with the bytes that really came before
anything is allocated, and multiplied as Python integers, which cannot overflow.
"""

import math
import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from serving.calls.client_text import quoted
from serving.errors import InvalidRequestError
from sfumato.inference import open_inference_pb2 as pb

_CONTENTS: Final = {"UINT8": "uint_contents", "FP32": "fp32_contents", "BYTES": "bytes_contents"}
_NUMBERS: Final[dict[str, np.dtype[Any]]] = {"UINT8": np.dtype("u1"), "FP32": np.dtype("<f4")}
_CHUNK: Final = 2**16
"""Elements of typed contents that are read at once; meanwhile no other thread of Python runs."""
_LENGTH: Final = struct.Struct("<I")  # before each element of a raw BYTES tensor
_MOST_SIZES: Final = 8  # of a shape in a message


@dataclass(frozen=True)
class Tensor:
    """One input as it came.

    Attributes:
        name: its name.
        datatype: UINT8, FP32 or BYTES.
        shape: its shape, as the client says.
        raw: its elements, if the request has raw_input_contents.
        contents: its elements otherwise.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    raw: bytes | None
    contents: pb.InferTensorContents

    @property
    def size(self) -> int:
        """Bytes of the elements, in whatever way they came."""
        if self.raw is not None:
            return len(self.raw)
        if self.datatype == "BYTES":
            return sum(map(len, self.contents.bytes_contents))
        return len(self._elements()) * _NUMBERS[self.datatype].itemsize

    def check_shape(self, expected: Sequence[int | None], meaning: str) -> None:
        """Checks the shape; None stands for any size from 1 on.

        Raises:
            InvalidRequestError: another shape; the message explains it by ``meaning``.
        """
        fits = len(self.shape) == len(expected) and all(
            size >= 1 if wanted is None else size == wanted
            for size, wanted in zip(self.shape, expected, strict=True)
        )
        if not fits:
            raise InvalidRequestError(
                f"input {self.name!r} has shape {_listed(self.shape)}; it must be {meaning}"
            )

    def check_size(self) -> None:
        """Checks that there are as many elements as the shape says; the shape must be checked.

        Raises:
            InvalidRequestError: there are fewer or more.
        """
        count = math.prod(self.shape)
        if self.raw is None:
            found, wanted, unit = len(self._elements()), count, f"elements in {self._field}"
        else:
            found, unit = len(self.raw), "bytes in raw_input_contents"
            wanted = count * _NUMBERS[self.datatype].itemsize
        if found != wanted:
            raise InvalidRequestError(
                f"input {self.name!r} has {found:,} {unit}; "
                f"{self.datatype} {_listed(self.shape)} needs {wanted:,}"
            )

    def numbers(self) -> npt.NDArray[Any]:
        """Gives the elements in their shape; read-only if they came raw. Needs ``check_size``.

        Raises:
            InvalidRequestError: a number that UINT8 cannot hold.
        """
        flat: npt.NDArray[Any]
        if self.raw is not None:
            flat = np.frombuffer(self.raw, _NUMBERS[self.datatype])
        elif self.datatype == "FP32":
            flat = np.fromiter(self.contents.fp32_contents, np.float32)
        else:
            flat = _bytes_of(self.name, self.contents.uint_contents)
        return flat.reshape(self.shape)

    def texts(self) -> list[bytes]:
        """Gives the elements of a BYTES tensor of rank one.

        Raises:
            InvalidRequestError: fewer or more elements than the shape says.
        """
        if self.raw is None:
            self.check_size()
            return list(self.contents.bytes_contents)
        texts: list[bytes] = []
        rest = memoryview(self.raw)
        while len(rest) >= _LENGTH.size and len(texts) < self.shape[0]:
            end = _LENGTH.size + _LENGTH.unpack_from(rest)[0]
            if end > len(rest):
                break
            texts.append(bytes(rest[_LENGTH.size : end]))
            rest = rest[end:]
        if rest or len(texts) != self.shape[0]:
            raise InvalidRequestError(
                f"input {self.name!r} does not hold {self.shape[0]} elements; raw BYTES are "
                "4 bytes of length, little-endian, before each element"
            )
        return texts

    @property
    def _field(self) -> str:
        return _CONTENTS[self.datatype]

    def _elements(self) -> Sequence[object]:
        elements: Sequence[object] = getattr(self.contents, self._field)
        return elements


def read_tensors(
    request: pb.ModelInferRequest, known: Mapping[str, Collection[str]]
) -> dict[str, Tensor]:
    """Reads the inputs of a request by their names.

    Args:
        request: the request.
        known: the datatypes that each input may have.

    Raises:
        InvalidRequestError: an input that is not known, comes twice or has another datatype;
            elements that are missing, or in the wrong place.
    """
    raws: Sequence[bytes | None] = request.raw_input_contents or [None] * len(request.inputs)
    if len(raws) != len(request.inputs):
        raise InvalidRequestError(
            f"there are {len(raws)} entries of raw_input_contents for {len(request.inputs)} "
            "inputs; send one for each, or none"
        )
    tensors: dict[str, Tensor] = {}
    for message, raw in zip(request.inputs, raws, strict=True):
        tensor = _read(message, raw, known)
        if tensor.name in tensors:
            raise InvalidRequestError(f"input {tensor.name!r} comes twice; send it once")
        tensors[tensor.name] = tensor
    return tensors


def _read(
    message: pb.ModelInferRequest.InferInputTensor,
    raw: bytes | None,
    known: Mapping[str, Collection[str]],
) -> Tensor:
    name, datatype = message.name, message.datatype
    if name not in known:
        raise InvalidRequestError(f"no input {quoted(name)}; there are {', '.join(known)}")
    if datatype not in known[name]:
        raise InvalidRequestError(
            f"input {name!r} has datatype {quoted(datatype)}; it must be "
            + " or ".join(known[name])
        )
    if "shared_memory_region" in message.parameters:
        raise InvalidRequestError(
            f"input {name!r} is in shared memory, which is not served; send its elements"
        )
    filled = [field.name for field, _ in message.contents.ListFields()]
    if raw is not None and filled:
        raise InvalidRequestError(
            f"input {name!r} has {filled[0]} beside raw_input_contents; send one of the two"
        )
    if raw is None and filled not in ([], [_CONTENTS[datatype]]):
        raise InvalidRequestError(
            f"input {name!r} has elements in {' and '.join(filled)}; "
            f"{datatype} belongs in {_CONTENTS[datatype]}"
        )
    return Tensor(name, datatype, tuple(message.shape), raw, message.contents)


def _bytes_of(name: str, elements: Sequence[int]) -> npt.NDArray[np.uint8]:
    flat = np.empty(len(elements), np.uint8)
    for start in range(0, flat.size, _CHUNK):
        wide = np.array(elements[start : start + _CHUNK], np.uint32)
        if wide.max() > 255:
            raise InvalidRequestError(f"input {name!r} holds {wide.max()}; UINT8 ends at 255")
        flat[start : start + wide.size] = wide
    return flat


def _listed(shape: Sequence[int]) -> str:
    more = ", …" if len(shape) > _MOST_SIZES else ""
    return f"[{', '.join(map(str, shape[:_MOST_SIZES]))}{more}]"
