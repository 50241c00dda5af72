"""One line per log message on standard error, tracebacks included."""

import logging


class OneLineFormatter(logging.Formatter):
    """Joins the lines of a message, so that each record can be read and searched as one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Gives ``2026-01-31T12:00:00 INFO serving.server message``."""
        return " | ".join(super().format(record).splitlines())


def configure_logging(level: str) -> None:
    """Logs everything from ``level`` (debug, info, warning or error) up."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        OneLineFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
