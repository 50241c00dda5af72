"""The error that training raises on purpose."""

from typing import Final

from sfumato.errors import SfumatoError

DIVERGED_REMEDY: Final = (
    "lower --model.learning_rate or --model.style_strength and continue from the last checkpoint "
    "with --ckpt_path last"
)


class TrainingError(SfumatoError):
    """Something the trainer can mend; the message says what is wrong and what would be right."""
