"""Results that are kept as they come, so that an interrupted evaluation goes on where it was."""

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from sfumato.files.atomic import write_file
from training.evaluation.measures.style_measures import StyleMeasures
from training.evaluation.subject import Subject


class ResultsFolder:
    """A folder of JSON values and pictures by key, each file whole or absent."""

    def __init__(self, folder: Path) -> None:
        """Keeps the results below ``folder``, which need not exist yet."""
        self._folder = folder

    def get(self, key: str) -> Any | None:
        """Returns the JSON value kept under ``key``; None if it is absent or damaged."""
        try:
            return json.loads((self._folder / f"{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def put(self, key: str, value: Any) -> None:
        """Keeps a JSON value. Raises OSError if the disk refuses; older results are untouched."""
        text = json.dumps(value, indent=1, allow_nan=False)
        write_file(self._file(f"{key}.json"), text.encode())

    def get_pictures(self, key: str) -> dict[str, Tensor] | None:
        """Returns the pictures kept under ``key``; None if they are absent or damaged."""
        try:
            return load((self._folder / f"{key}.safetensors").read_bytes())
        except (OSError, SafetensorError):
            return None

    def put_pictures(self, key: str, pictures: dict[str, Tensor]) -> None:
        """Keeps pictures of any shape and type. Raises OSError if the disk refuses."""
        contiguous = {name: picture.cpu().contiguous() for name, picture in pictures.items()}
        write_file(self._file(f"{key}.safetensors"), save(contiguous))

    def _file(self, name: str) -> Path:
        file = self._folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        return file


def fingerprint(subject: Subject, photos: Tensor, judge: torch.nn.Module, seed: int) -> str:
    """Returns 16 digits that change with anything that decides the results, and what they are."""
    notes = json.dumps(dict(subject.bundle.training), sort_keys=True)
    files = json.dumps(dict(subject.bundle.files), sort_keys=True)
    measures = ",".join(field.name for field in fields(StyleMeasures))
    sha = hashlib.sha256(f"{files}{notes}{seed}{measures}".encode())
    sha.update(subject.loss.network.digest().encode())
    for tensor in (*judge.state_dict().values(), photos, *subject.paintings.values()):
        sha.update(str(list(tensor.shape)).encode())
        sha.update(tensor.cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()[:16]
