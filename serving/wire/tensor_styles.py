"""The styles of a request for ModelInfer: weights, rows or parameters become rows."""

from collections.abc import Mapping

import numpy as np

from serving.calls.client_text import quoted
from serving.device.lane import Numbers
from serving.errors import InvalidRequestError
from serving.models.model import Model
from serving.painting.stylizer import MOST_STYLES
from serving.wire.tensor_messages import Tensor
from sfumato.bundle.strength import checked_strength
from sfumato.errors import FixedStrengthError, StyleError
from sfumato.inference import open_inference_pb2 as pb


def style_rows(
    request: pb.ModelInferRequest, tensors: Mapping[str, Tensor], model: Model, photos: int
) -> Numbers:
    """Gives the rows of the styles of so many photos, float32 [N, P].

    Raises:
        InvalidRequestError: no style, or in two ways; a tensor or parameter that does not fit.
        StyleError: see ``StyleBank.blend``.
    """
    given = [f"input {name}" for name in ("style_weights", "style") if name in tensors]
    parameter = request.parameters.get("style")
    if parameter is not None:
        given.append("parameter style")
    if not given:
        raise InvalidRequestError(
            "no style is given; send parameter style, input style_weights or input style"
        )
    if len(given) > 1:
        raise InvalidRequestError(
            f"the style is given as {' and as '.join(given)}; send only one of them"
        )
    strength = checked_strength(number_parameter(request, "strength"))
    if "style" in tensors:
        if strength != 1:
            raise InvalidRequestError("a strength needs style_weights or the parameter style")
        return _given_rows(tensors["style"], model, photos)
    if "style_weights" in tensors:
        return _blended_rows(tensors["style_weights"], model, photos, strength)
    assert parameter is not None
    row = model.bank.blend(_style_parameter(parameter), strength)
    return np.broadcast_to(row, (photos, row.size))


def _given_rows(tensor: Tensor, model: Model, photos: int) -> Numbers:
    numbers = model.bank.rows.shape[1]
    tensor.check_shape([photos, numbers], f"[{photos}, {numbers}]: one row per photo")
    tensor.check_size()
    rows = np.asarray(tensor.numbers(), np.float32)
    if not np.isfinite(rows).all():
        raise InvalidRequestError("input 'style' holds NaN or infinity; its numbers must be finite")
    return rows


def _blended_rows(tensor: Tensor, model: Model, photos: int, strength: float) -> Numbers:
    bank = model.bank  # another one may take its place meanwhile
    ids = bank.ids
    tensor.check_shape(
        [photos, len(ids)],
        f"[{photos}, {len(ids)}]: for each photo one weight per style, in the order of ListStyles",
    )
    tensor.check_size()
    weights = tensor.numbers()
    most = int(np.count_nonzero(weights, axis=1).max())
    if most > MOST_STYLES:
        raise InvalidRequestError(
            f"input 'style_weights' blends {most} styles; a blend has at most {MOST_STYLES}"
        )
    rows = []
    for number, row in enumerate(weights.tolist()):
        try:
            rows.append(bank.blend(zip(ids, row, strict=True), strength))
        except FixedStrengthError:
            raise
        except StyleError as error:
            raise InvalidRequestError(f"row {number} of input 'style_weights': {error}") from error
    return np.stack(rows)


def _style_parameter(parameter: pb.InferParameter) -> list[tuple[str, float]]:
    """Reads ``great-wave`` or ``great-wave:0.7,scream:0.3``."""
    if parameter.WhichOneof("parameter_choice") != "string_param":
        raise InvalidRequestError(
            f"parameter 'style' is {parameter_value(parameter)!r}; it must be text: a style, or "
            "weights as a:0.7,b:0.3"
        )
    parts = parameter.string_param.split(",", MOST_STYLES)
    if len(parts) > MOST_STYLES:
        raise InvalidRequestError(
            f"parameter 'style' has too many styles; a blend has at most {MOST_STYLES}"
        )
    weights: list[tuple[str, float]] = []
    for part in parts:
        style, colon, weight = part.strip().partition(":")
        number = _number("a weight in parameter 'style'", weight) if colon else 1.0
        weights.append((style.strip(), number))
    return weights


def number_parameter(request: pb.ModelInferRequest, name: str) -> float:
    """Gives the parameter ``name``; 1 if the request has none. Raises InvalidRequestError."""
    if name not in request.parameters:
        return 1.0
    return _number(f"parameter {name!r}", parameter_value(request.parameters[name]))


def _number(what: str, value: object) -> float:
    try:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return float(value)
    except ValueError:
        pass
    shown = quoted(value) if isinstance(value, str) else repr(value)
    raise InvalidRequestError(f"{what} is {shown}; it must be a number")


def parameter_value(parameter: pb.InferParameter) -> object:
    """Gives what a parameter holds; None if nothing."""
    choice = parameter.WhichOneof("parameter_choice")
    return None if choice is None else getattr(parameter, choice)
