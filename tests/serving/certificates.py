"""Certificates for tests: an authority, what it issues, and files of them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import trustme


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path

    def settings(self) -> dict[str, Any]:
        """The settings of a server with this certificate."""
        return {"tls_cert": self.certificate, "tls_key": self.key}

    def write(self, other: "Pair") -> None:
        """Replaces the files by those of ``other``, as a renewal does."""
        self.certificate.write_bytes(other.certificate.read_bytes())
        self.key.write_bytes(other.key.read_bytes())


class Authority:
    """Issues certificates into a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._ca = trustme.CA()
        self._folder = folder
        self.file = folder / f"{name}.pem"
        self._ca.cert_pem.write_to_path(str(self.file))

    def issue(self, name: str = "127.0.0.1", *, expired: bool = False) -> Pair:
        """Issues a certificate for an address or a name."""
        end = datetime(2020, 1, 1, tzinfo=UTC) if expired else None
        start = datetime(2019, 1, 1, tzinfo=UTC) if expired else None
        leaf = self._ca.issue_cert(name, not_before=start, not_after=end)
        number = len(list(self._folder.iterdir()))
        pair = Pair(self._folder / f"{number}.pem", self._folder / f"{number}.key")
        leaf.cert_chain_pems[0].write_to_path(str(pair.certificate))
        leaf.private_key_pem.write_to_path(str(pair.key))
        return pair

    def trust(self, own: Pair | None = None) -> grpc.ChannelCredentials:
        """Credentials of a client that trusts this authority and shows ``own``."""
        if own is None:
            return grpc.ssl_channel_credentials(self.file.read_bytes())
        return grpc.ssl_channel_credentials(
            self.file.read_bytes(), own.key.read_bytes(), own.certificate.read_bytes()
        )
