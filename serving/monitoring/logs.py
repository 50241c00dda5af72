"""One line per log message on standard error, tracebacks included; as text or as JSON."""

import json
import logging
import sys
from abc import ABC, abstractmethod
from datetime import UTC, datetime

from serving.config import LogFormat
from serving.monitoring.background_log import BackgroundHandler


class Fields(ABC):
    """A message that has fields of its own; as text it says all of it on one line.

    Attributes:
        title: what it is about.
    """

    title: str

    @property
    @abstractmethod
    def fields(self) -> dict[str, object]:
        """What else there is to say, by name."""


class OneLineFormatter(logging.Formatter):
    """Joins the lines of a message, so that each record can be read and searched as one line."""

    def formatTime(  # noqa: N802 - the library's name
        self, record: logging.LogRecord, datefmt: str | None = None
    ) -> str:
        """Gives the time as RFC 3339 in UTC: ``2026-01-31T12:00:00.123Z``."""
        time = datetime.fromtimestamp(record.created, UTC)
        return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def format(self, record: logging.LogRecord) -> str:
        """Gives ``2026-01-31T12:00:00.123Z INFO serving.server message``."""
        return " | ".join(super().format(record).splitlines())


class JsonFormatter(OneLineFormatter):
    """Writes each record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Gives ``{"time": …, "level": …, "logger": …, "message": …}`` and the message's fields."""
        message: object = record.msg
        line: dict[str, object] = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
        }
        if isinstance(message, Fields):
            line |= {"message": message.title, **message.fields}
        else:
            line["message"] = record.getMessage()
        if record.exc_text:
            line["exception"] = record.exc_text
        return json.dumps(line, default=str)


def configure_logging(level: str, log_format: LogFormat = "text") -> None:
    """Logs everything from ``level`` (debug, info, warning or error) up."""
    handler = BackgroundHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter()
        if log_format == "json"
        else OneLineFormatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    )
    # What no line says need not be found out for each ("Optimization" in the library's how-to).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - file and line
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
