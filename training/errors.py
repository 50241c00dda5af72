"""The error that training raises on purpose."""

from sfumato.errors import SfumatoError


class TrainingError(SfumatoError):
    """Something the trainer can mend; the message says what is wrong and what would be right."""
