"""What the services have behind them: one engine, whatever the protocol."""

from dataclasses import dataclass

from serving.calls.admission import Admission
from serving.calls.call import Calls
from serving.calls.streams import Streams
from serving.config import ServerConfig
from serving.models.repository import Repository
from serving.monitoring.statistics import ModelStatistics
from serving.painting.stylizer import Stylizer


@dataclass(frozen=True)
class Engine:
    """The parts of a server that answer calls.

    Attributes:
        config: its settings, for the limits on requests and answers.
        repository: the models.
        statistics: what the models have done.
        stylizer: paints.
        admission: bounds the photos inside.
        calls: watches over calls and frames.
        streams: bounds the streams of each client.
    """

    config: ServerConfig
    repository: Repository
    statistics: ModelStatistics
    stylizer: Stylizer
    admission: Admission
    calls: Calls
    streams: Streams
