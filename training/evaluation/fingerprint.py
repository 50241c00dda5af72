"""The fingerprint of an evaluation, so that results in progress are never mixed up."""

import hashlib
import json
from dataclasses import fields

import torch
from torch import Tensor

from training.evaluation.measures.style_measures import StyleMeasures
from training.evaluation.subject import Subject


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
