"""Metrics as Prometheus fetches them."""

import asyncio
import urllib.request

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.serving.running import PATIENCE


class Scrape:
    """One answer of a server's metrics port.

    Attributes:
        text: as it came.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._families = list(text_string_to_metric_families(text))

    def samples(self, name: str, **labels: str) -> list[Sample]:
        """Lists the samples called ``name`` that have these labels, whatever others they have."""
        return [
            sample
            for family in self._families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]

    def sum(self, name: str, **labels: str) -> float:
        """Adds up ``samples``."""
        return sum(sample.value for sample in self.samples(name, **labels))

    def names(self, prefix: str = "") -> set[str]:
        """Gives the names of all families that begin with ``prefix``, as documents write them."""
        lines = [line.split() for line in self.text.splitlines() if line.startswith("# TYPE")]
        return {words[2] for words in lines if words[2].startswith(prefix)}

    def described(self, name: str) -> tuple[str, set[str]]:
        """Gives type and labels of the family that documents call ``name``."""
        [family] = [f for f in self._families if f.name == name.removesuffix("_total")]
        labels = {label for sample in family.samples for label in sample.labels}
        return family.type, labels - {"le"}


async def scrape(port: int) -> Scrape:
    """Asks a server on this machine."""
    return Scrape(await asyncio.to_thread(_get, f"http://127.0.0.1:{port}/metrics"))


async def until_in_flight(port: int, requests: int) -> None:
    """Waits until so many requests are inside a server of another process."""
    async with asyncio.timeout(PATIENCE):
        while (await _in_flight(port)) != requests:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.01)


async def _in_flight(port: int) -> float:
    return (await scrape(port)).sum("sfumato_requests_in_flight")


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        text: str = answer.read().decode()
        return text
