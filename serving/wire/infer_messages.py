"""Between ModelInfer's messages and the server's own types."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np

from serving.calls.call import Call
from serving.calls.caller import Caller
from serving.calls.client_text import quoted
from serving.config import ServerConfig
from serving.device.lane import Pixels
from serving.errors import AnswerTooLargeError, InvalidRequestError
from serving.models.model import Model
from serving.models.repository import DEFAULT_MODEL
from serving.painting.stylizer import PaintedTensor, TensorOrder
from serving.wire.tensor_messages import Tensor, read_tensors
from serving.wire.tensor_styles import number_parameter, parameter_value, style_rows
from sfumato.errors import ImageError
from sfumato.images.brush_size import checked_brush_size
from sfumato.images.codec import decode_photo
from sfumato.inference import open_inference_pb2 as pb
from sfumato.name_list import close_names

MAX_PHOTOS: Final = 64
"""Photos in a request. Pixels are bounded anyhow; this bounds what a request costs beside them:
a place in the queue, a task and a row of numbers for each photo."""

INPUTS: Final = {"image": ("UINT8", "BYTES"), "style_weights": ("FP32",), "style": ("FP32",)}
OUTPUT: Final = "stylized"

_ENVELOPE_BYTES: Final = 4096  # more than a response needs beside its pixels and its id
_LONGEST_ID: Final = 1024
_MOST_PARAMETERS: Final = 64
_PARAMETERS: Final = ("style", "strength", "brush_size")
# Triton's own, which its clients may add by themselves; they change nothing here.
_IGNORED: Final = ("sequence_id", "sequence_start", "sequence_end", "priority", "timeout")
_IGNORED_PREFIX: Final = "triton_"
_NOT_SERVED: Final = {"shared_memory_region": "shared memory", "classification": "classification"}


def version_of(text: str) -> tuple[int | None, str]:
    """Gives the number and the label that a version means; one of them, or neither, is given."""
    if text.isascii() and text.isdecimal() and len(text) <= 18:
        return int(text), ""
    return None, text


def note_infer_request(call: Call, request: pb.ModelInferRequest) -> None:
    """Notes what is asked for."""
    call.model = request.model_name or DEFAULT_MODEL
    version, call.label = version_of(request.model_version)
    call.version = version or 0
    if request.id:
        call.notes["id"] = quoted(request.id)
    for name in _PARAMETERS:
        if name in request.parameters:
            call.notes[name] = quoted(str(parameter_value(request.parameters[name])))


def tensor_order_of(
    request: pb.ModelInferRequest,
    call: Call,
    model: Model,
    config: ServerConfig,
    deadline: float | None,
    caller: Caller,
) -> TensorOrder:
    """Reads a request for ``model`` within the limits of ``config``; notes its size in ``call``.

    Raises:
        InvalidRequestError: tensors or parameters that the model does not take.
        StyleError: see ``StyleBank.blend``.
        AnswerTooLargeError: the answer would not fit into ``max_message_bytes``.
    """
    _check_names(request)
    tensors = read_tensors(request, INPUTS)
    call.bytes_in = sum(tensor.size for tensor in tensors.values())
    image = tensors.get("image")
    if image is None:
        raise InvalidRequestError("there is no input 'image'; send the photos")
    photos = _photos(image)
    rows = style_rows(request, tensors, model, photos)
    brush_size = checked_brush_size(number_parameter(request, "brush_size"))
    if image.datatype == "BYTES":
        read = partial(_decoded, image, model, config)
    else:
        _check_size(image.shape[1:3], photos, model, config)
        image.check_size()
        read = partial(_pixels, image)
    return TensorOrder(read, rows, brush_size, deadline, caller)


def note_painted_tensor(call: Call, painted: PaintedTensor) -> None:
    """Notes what was painted."""
    photos, height, width = painted.shape[:3]
    call.photos, call.batch_size = photos, painted.batch_size
    call.bytes_out = len(painted.pixels)
    call.stages = painted.stages
    call.notes |= {"photos": photos, "size": f"{width}x{height}", "format": "tensor"}


def infer_response_to(
    request: pb.ModelInferRequest, model: Model, painted: PaintedTensor
) -> pb.ModelInferResponse:
    """Writes the answer."""
    output = pb.ModelInferResponse.InferOutputTensor(
        name=OUTPUT, datatype="UINT8", shape=painted.shape
    )
    return pb.ModelInferResponse(
        model_name=model.name,
        model_version=str(model.version),
        id=request.id,
        outputs=[output],
        raw_output_contents=[painted.pixels],
    )


def stream_response_to(response: pb.ModelInferResponse) -> pb.ModelStreamInferResponse:
    """Wraps an answer; it is the only one to its request, which Triton's clients may ask about."""
    response.parameters["triton_final_response"].bool_param = True
    return pb.ModelStreamInferResponse(infer_response=response)


def stream_error_to(request: pb.ModelInferRequest, message: str) -> pb.ModelStreamInferResponse:
    """Writes why there is no answer, and to which request."""
    response = pb.ModelInferResponse(id=request.id[:_LONGEST_ID])
    return pb.ModelStreamInferResponse(error_message=message, infer_response=response)


def _check_names(request: pb.ModelInferRequest) -> None:
    if len(request.id) > _LONGEST_ID:
        raise InvalidRequestError(
            f"the id has {len(request.id):,} characters; {_LONGEST_ID:,} are the most"
        )
    if len(request.parameters) > _MOST_PARAMETERS:
        raise InvalidRequestError(
            f"{len(request.parameters):,} parameters are too many; {_MOST_PARAMETERS} are the most"
        )
    for name in request.parameters:
        if not (name in (*_PARAMETERS, *_IGNORED) or name.startswith(_IGNORED_PREFIX)):
            hint = close_names(name, _PARAMETERS) or "there are style, strength and brush_size"
            raise InvalidRequestError(f"no parameter {quoted(name)}; {hint}")
    if len(request.outputs) > 1:
        raise InvalidRequestError(
            f"{len(request.outputs):,} outputs are asked for; there is one, {OUTPUT!r}"
        )
    for output in request.outputs:
        if output.name != OUTPUT:
            raise InvalidRequestError(f"no output {quoted(output.name)}; there is {OUTPUT!r}")
        for name, words in _NOT_SERVED.items():
            if name in output.parameters:
                raise InvalidRequestError(
                    f"output {OUTPUT!r} asks for {words}, which is not served; leave {name!r} out"
                )


def _photos(image: Tensor) -> int:
    """Checks the shape of the photos; gives how many they are."""
    if image.datatype == "BYTES":
        image.check_shape([None], "[N]: one image file per photo")
    else:
        image.check_shape([None, None, None, 3], "[N, height, width, 3]")
    if image.shape[0] > MAX_PHOTOS:
        raise InvalidRequestError(
            f"input 'image' holds {image.shape[0]:,} photos; a request may hold {MAX_PHOTOS}"
        )
    return image.shape[0]


def _check_size(size: Sequence[int], photos: int, model: Model, config: ServerConfig) -> None:
    height, width = size
    lowest = model.bundle.network.min_side
    if min(size) < lowest:
        raise InvalidRequestError(
            f"input 'image' holds photos of {width:,} x {height:,} pixels; each side needs at "
            f"least {lowest}"
        )
    pixels = photos * height * width
    if pixels > config.max_pixels:
        raise InvalidRequestError(
            f"input 'image' holds {photos} x {width:,} x {height:,} pixels; a request may hold "
            f"{config.max_pixels:,} in all"
        )
    most_bytes = config.max_message_bytes - _ENVELOPE_BYTES
    if 3 * pixels > most_bytes:
        raise AnswerTooLargeError(
            f"the painted photos would have {3 * pixels:,} bytes, more than the "
            f"{max(most_bytes, 0):,} that fit into a message; send fewer or smaller photos"
        )


def _pixels(image: Tensor) -> Pixels:
    return np.asarray(image.numbers(), np.uint8)


def _decoded(image: Tensor, model: Model, config: ServerConfig) -> Pixels:
    """Decodes image files; each may have its share of the pixels, as all have the same size."""
    files, lowest = image.texts(), model.bundle.network.min_side
    share = config.max_pixels // len(files)
    photos: list[Pixels] = []
    for number, file in enumerate(files):
        try:
            photo = decode_photo(file, max_pixels=share, min_side=lowest)
        except ImageError as error:
            raise InvalidRequestError(f"photo {number} of input 'image': {error}") from error
        photos.append(photo.rgb)
        if photo.rgb.shape != photos[0].shape:
            raise InvalidRequestError(
                f"photo {number} of input 'image' has another size than photo 0; "
                "send photos of different sizes in requests of their own"
            )
    _check_size(photos[0].shape[:2], len(photos), model, config)
    return np.stack(photos)
