"""Sfumato paints photographs in the style of paintings: the client and the contract."""

__version__ = "0.1.0"
