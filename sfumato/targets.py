"""What a client connects to: one server, or several that share its calls."""

import re
import socket
from collections.abc import Sequence

from sfumato.address import is_loopback
from sfumato.errors import SfumatoError

_SCHEME = re.compile(r"(?:dns|ipv4|ipv6|unix|unix-abstract|vsock|xds):")
_HOST_AND_PORT = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]+):(\d+)")


def grpc_target(target: str) -> str:
    """Gives the target as gRPC takes it.

    Args:
        target: one address, which is passed on as it is, or several "host:port" with commas.
            gRPC takes several only as numbers, so names are looked up here, and only now; for
            servers that come and go, give one name that has all of their addresses.

    Raises:
        SfumatoError: an address of several is wrong, or a name is unknown.
    """
    if "," not in target or _SCHEME.match(target):
        return target
    found = [_look_up(*_parted(address)) for address in target.split(",")]
    for family, scheme in ((socket.AF_INET, "ipv4"), (socket.AF_INET6, "ipv6")):
        addresses = [by_family[family] for by_family in found if family in by_family]
        if len(addresses) == len(found):
            return f"{scheme}:{','.join(addresses)}"
    raise SfumatoError(f"{target}: some have only IPv4 and some only IPv6 addresses; use one kind")


def authority(target: str) -> str | None:
    """Gives the name that a certificate must have; None for gRPC's own choice.

    That of the first, because several servers that share calls are one service.
    """
    if "," not in target:
        return None
    return _SCHEME.sub("", target, count=1).split(",")[0].strip()


def stays_here(target: str) -> bool:
    """Whether what is sent to ``target`` cannot leave this machine."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    return all(is_loopback(host) for host in _hosts(target))


def _hosts(target: str) -> Sequence[str]:
    addresses = _SCHEME.sub("", target, count=1).rpartition("/")[2].split(",")
    parted = [_HOST_AND_PORT.fullmatch(address.strip()) for address in addresses]
    return [
        match[1] if match else address for match, address in zip(parted, addresses, strict=True)
    ]


def _parted(address: str) -> tuple[str, int]:
    match = _HOST_AND_PORT.fullmatch(address.strip())
    if match is None:
        raise SfumatoError(f"{address!r} is no address; several are given as HOST:PORT,HOST:PORT")
    return match[1].strip("[]"), int(match[2])


def _look_up(host: str, port: int) -> dict[int, str]:
    """Gives the first address of each family as text."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, OverflowError) as error:
        raise SfumatoError(f"cannot look up {host}: {error}") from error
    first: dict[int, str] = {}
    for family, _, _, _, address in found:
        number = f"[{address[0]!s}]" if family == socket.AF_INET6 else str(address[0])
        first.setdefault(family, f"{number}:{port}")
    return first
