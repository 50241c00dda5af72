"""Ways to spoil a good request of the Open Inference Protocol, and what each must be answered."""

import random
import struct
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np

from sfumato.inference import open_inference_pb2 as pb
from tests.serving.photos import draw, encode
from tests.serving.tensors import infer_request

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION

Spoil = Callable[[Any, random.Random], None]

TEXTS = ["", "x", "imag", "IMAGE", "image\n", "\x00", "../image", "style_weights ", "ä" * 500]
NUMBERS = [-1, 0, 2, 4, 2**31, 2**32 + 3, 2**62, 2**63 - 1, -(2**63)]
DATATYPES = ["", "uint8", "INT8", "UINT16", "FP64", "FP16", "BOOL", "BF16", "UINT8 ", "\n" * 300]
STYLES_OF_NO_NUMBER = [
    ",",
    "dark:1;plain:1",
    "dark:x",
    "dark:",
    "dark:0.5:0.5",
    "dark:1e",
    "dark:0x1",
    "dark:½,plain:1",
]
BAD_WEIGHTS = ["dark:nan", "dark:-1", "dark:0", "dark:inf,plain:1", "dark,dark", "dark:1e999"]
UNKNOWN_STYLES = ["drak", "", "dark,,plain", "../dark", "dark;plain", "\x00", "d" * 5000]


def good_request(rng: random.Random) -> Any:
    """Makes a request that is answered: raw tensors, with weights, rows or a parameter."""
    photos = rng.randint(1, 3)
    size = rng.randint(16, 20), rng.randint(16, 20)
    tensors: dict[str, Any] = {"image": np.stack([draw(*size, rng.randint(0, 9))] * photos)}
    way = rng.choice(["style_weights", "style", "parameter"])
    if way == "style_weights":
        tensors[way] = np.ones((photos, 3), np.float32)
    elif way == "style":
        tensors[way] = np.ones((photos, 2), np.float32)
    return infer_request(tensors, style="dark" if way == "parameter" else None)


def typed(request: Any) -> Any:
    """Moves raw contents into typed ones; gives those of the image."""
    raws = list(request.raw_input_contents)
    del request.raw_input_contents[:]
    for tensor, raw in zip(request.inputs, raws, strict=True):
        if tensor.datatype == "UINT8":
            tensor.contents.uint_contents.extend(raw)
        else:
            tensor.contents.fp32_contents.extend(np.frombuffer(raw, "<f4").tolist())
    return request.inputs[0].contents


def files(request: Any, *contents: bytes) -> None:
    """Makes the request one of image files."""
    request.CopyFrom(pb.ModelInferRequest(model_name="default"))
    image = request.inputs.add(name="image", datatype="BYTES", shape=[len(contents)])
    image.contents.bytes_contents.extend(contents)
    request.parameters["style"].string_param = "dark"


def another_number_in_a_shape(request: Any, rng: random.Random) -> None:
    shape = rng.choice(request.inputs).shape
    place = rng.randrange(len(shape))
    shape[place] = rng.choice([number for number in NUMBERS if number != shape[place]])


def another_rank(request: Any, rng: random.Random) -> None:
    shape = rng.choice(request.inputs).shape
    if rng.random() < 0.5:
        del shape[rng.randrange(len(shape)) :]
    else:
        shape.extend([1] * rng.choice([1, 3, 1000]))


def numbers_that_overflow(request: Any, rng: random.Random) -> None:
    request.inputs[0].shape[:] = [1, 2 ** rng.randint(31, 62), 2 ** rng.randint(31, 62), 3]


def too_few_or_many_bytes(request: Any, rng: random.Random) -> None:
    number = rng.randrange(len(request.raw_input_contents))
    raw = request.raw_input_contents[number]
    cut = rng.randrange(len(raw))
    request.raw_input_contents[number] = rng.choice([raw[:cut], raw + raw[: cut + 1], b""])


def too_few_or_many_entries(request: Any, rng: random.Random) -> None:
    if len(request.inputs) > 1 and rng.random() < 0.5:
        del request.raw_input_contents[-1]
    else:
        request.raw_input_contents.append(b"more")


def another_datatype(request: Any, rng: random.Random) -> None:
    rng.choice(request.inputs).datatype = rng.choice(DATATYPES)


def another_name(request: Any, rng: random.Random) -> None:
    rng.choice(request.inputs).name = rng.choice(TEXTS)


def an_input_twice(request: Any, rng: random.Random) -> None:
    number = rng.randrange(len(request.inputs))
    request.inputs.append(request.inputs[number])
    request.raw_input_contents.append(request.raw_input_contents[number])


def no_image(request: Any, rng: random.Random) -> None:
    del request.inputs[0], request.raw_input_contents[0]


def two_styles_or_none(request: Any, rng: random.Random) -> None:
    if "style" in request.parameters:
        del request.parameters["style"]
    else:
        request.parameters["style"].string_param = "dark"


def weights_out_of_range(request: Any, rng: random.Random) -> None:
    spoilt: list[float] = rng.choice(
        [[np.nan, 1, 1], [np.inf, 0, 1], [-1, 1, 1], [0, 0, 0], [-np.inf, 1, 1]]
    )
    with_tensor(request, "style_weights", spoilt)


def a_row_that_is_not_finite(request: Any, rng: random.Random) -> None:
    with_tensor(request, "style", rng.choice([[np.nan, 1], [np.inf, 1], [0, -np.inf]]))


def with_tensor(request: Any, name: str, row: list[float]) -> None:
    """Gives a request these numbers for its last photo instead of its style."""
    image, raw = request.inputs[0], request.raw_input_contents[0]
    rows = np.ones((image.shape[0], len(row)), np.float32)
    rows[-1] = row
    pixels = np.frombuffer(raw, np.uint8).reshape(image.shape)
    request.CopyFrom(infer_request({"image": pixels, name: rows}))


def a_style_that_is_no_text(request: Any, rng: random.Random) -> None:
    without_style(request)
    kind = rng.choice(["bool_param", "int64_param", "double_param", "uint64_param", None])
    request.parameters["style"].SetInParent()
    if kind:
        setattr(request.parameters["style"], kind, 1)


def bad_weights_in_the_parameter(request: Any, rng: random.Random) -> None:
    without_style(request)
    request.parameters["style"].string_param = rng.choice(BAD_WEIGHTS + STYLES_OF_NO_NUMBER)


def an_unknown_style(request: Any, rng: random.Random) -> None:
    without_style(request)
    request.parameters["style"].string_param = rng.choice(UNKNOWN_STYLES)


def without_style(request: Any) -> None:
    """Leaves only the image."""
    request.parameters.clear()
    del request.inputs[1:], request.raw_input_contents[1:]


def a_strength_out_of_range(request: Any, rng: random.Random) -> None:
    request.parameters["strength"].SetInParent()
    kind, value = rng.choice(
        [
            ("double_param", np.nan),
            ("double_param", 1.01),
            ("double_param", -1e300),
            ("string_param", "much"),
            ("string_param", "1" * 5000),
            ("string_param", ""),
            ("int64_param", -(2**63)),
            ("uint64_param", 2**64 - 1),
            ("bool_param", True),
        ]
    )
    setattr(request.parameters["strength"], kind, value)


def a_strength_that_the_model_cannot_give(request: Any, rng: random.Random) -> None:
    without_style(request)
    request.parameters["style"].string_param = "dark"
    request.parameters["strength"].double_param = rng.random() * 0.99


def an_unknown_parameter(request: Any, rng: random.Random) -> None:
    request.parameters[rng.choice(["strenght", "styles", "", "x" * 5000, "\n"])].bool_param = True


def an_output_that_is_not_there(request: Any, rng: random.Random) -> None:
    output = request.outputs.add(name=rng.choice(["stylised", "", "image", "\x00", "stylized"]))
    if output.name == "stylized":
        output.parameters[rng.choice(["classification", "shared_memory_region"])].int64_param = 1


def shared_memory(request: Any, rng: random.Random) -> None:
    tensor = rng.choice(request.inputs)
    tensor.parameters["shared_memory_region"].string_param = "mine"


def contents_in_another_field(request: Any, rng: random.Random) -> None:
    contents = typed(request)
    contents.ClearField("uint_contents")
    field = rng.choice(["bool", "int", "int64", "uint64", "fp32", "fp64", "bytes"])
    value: Any = b"1" if field == "bytes" else 1
    getattr(contents, f"{field}_contents").extend([value] * 48)


def contents_of_another_length(request: Any, rng: random.Random) -> None:
    contents = typed(request)
    if rng.random() < 0.5:
        contents.uint_contents.append(1)
    else:
        del contents.uint_contents[rng.randrange(len(contents.uint_contents)) :]


def a_number_over_255(request: Any, rng: random.Random) -> None:
    contents = typed(request)
    place = rng.randrange(len(contents.uint_contents))
    contents.uint_contents[place] = rng.choice([256, 2**16, 2**32 - 1])


def raw_and_typed_contents(request: Any, rng: random.Random) -> None:
    request.inputs[0].contents.uint_contents.append(1)


def another_model(request: Any, rng: random.Random) -> None:
    request.model_name = rng.choice(["defualt", "../default", "default/1", "\x00", "m" * 9000])


def another_version(request: Any, rng: random.Random) -> None:
    request.model_version = rng.choice(
        ["2", "0", "-1", "1.0", "latest", "9" * 5000, "\u0661", " 1"]
    )


def too_small_photos(request: Any, rng: random.Random) -> None:
    size = rng.choice([(15, 16), (16, 15), (1, 1), (4000, 1)])
    request.CopyFrom(infer_request({"image": np.zeros((1, *size, 3), np.uint8)}, style="dark"))


def too_many_photos(request: Any, rng: random.Random) -> None:
    photos = rng.choice([65, 100])
    request.CopyFrom(
        infer_request({"image": np.zeros((photos, 16, 16, 3), np.uint8)}, style="dark")
    )


def too_many_pixels(request: Any, rng: random.Random) -> None:
    request.CopyFrom(infer_request({"image": np.zeros((2, 300, 200, 3), np.uint8)}, style="dark"))


def files_that_are_no_photos(request: Any, rng: random.Random) -> None:
    good = encode(draw(16, 16))
    files(request, good, rng.choice([b"", b"text", good[:-40], rng.randbytes(200)]))


def files_of_different_sizes(request: Any, rng: random.Random) -> None:
    files(request, encode(draw(16, 16)), encode(draw(16 + rng.randint(1, 4), 16)))


def raw_files_with_wrong_lengths(request: Any, rng: random.Random) -> None:
    good = encode(draw(16, 16))
    files(request, good)
    request.inputs[0].ClearField("contents")
    length = rng.choice([0, 1, len(good) - 1, len(good) + 1, 2**31, 2**32 - 1])
    raw = struct.pack("<I", length) + good
    request.raw_input_contents.append(rng.choice([raw, raw[: rng.randrange(4)], raw + raw]))


SPOILS: dict[Spoil, grpc.StatusCode] = {
    another_number_in_a_shape: INVALID,
    another_rank: INVALID,
    numbers_that_overflow: INVALID,
    too_few_or_many_bytes: INVALID,
    too_few_or_many_entries: INVALID,
    another_datatype: INVALID,
    another_name: INVALID,
    an_input_twice: INVALID,
    no_image: INVALID,
    two_styles_or_none: INVALID,
    weights_out_of_range: INVALID,
    a_row_that_is_not_finite: INVALID,
    a_style_that_is_no_text: INVALID,
    bad_weights_in_the_parameter: INVALID,
    an_unknown_style: NOT_FOUND,
    a_strength_out_of_range: INVALID,
    a_strength_that_the_model_cannot_give: PRECONDITION,
    an_unknown_parameter: INVALID,
    an_output_that_is_not_there: INVALID,
    shared_memory: INVALID,
    contents_in_another_field: INVALID,
    contents_of_another_length: INVALID,
    a_number_over_255: INVALID,
    raw_and_typed_contents: INVALID,
    another_model: NOT_FOUND,
    another_version: NOT_FOUND,
    too_small_photos: INVALID,
    too_many_photos: INVALID,
    too_many_pixels: INVALID,
    files_that_are_no_photos: INVALID,
    files_of_different_sizes: INVALID,
    raw_files_with_wrong_lengths: INVALID,
}
