"""What a client connects to: one server, or several that share its calls."""

import re
import socket
from collections.abc import Sequence

from sfumato.connection.address import DEFAULT_TARGET, is_loopback
from sfumato.errors import SfumatoError

_SCHEME = re.compile(r"(?:dns|ipv4|ipv6|unix|unix-abstract|vsock|xds):")
_DNS = re.compile(r"dns:(?://[^/]*/)?")
_HOST_AND_PORT = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]+):(\d+)", re.ASCII)
_HOST = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]+):?")
_URL = re.compile(r"[\w+.-]+://([^/]+).*")
_LAST_PORT = 65_535
_DEFAULT_PORT = DEFAULT_TARGET.rpartition(":")[2]


def grpc_target(target: str) -> str:
    """Gives the target as gRPC takes it.

    Args:
        target: one "host:port", or several with commas, or an address of gRPC that begins with
            what it is ("unix:", "dns:" …), which is passed on as it is.
            gRPC takes several only as numbers, so names are looked up here, and only now; for
            servers that come and go, give one name that has all of their addresses.

    Raises:
        SfumatoError: an address is wrong, or the name of one of several is unknown.
    """
    if _SCHEME.match(target):
        return target
    parted = [_parted(address.strip()) for address in target.split(",")]
    if len(parted) == 1:
        return target.strip()
    found = [_look_up(host, port) for host, port in parted]
    for family, scheme in ((socket.AF_INET, "ipv4"), (socket.AF_INET6, "ipv6")):
        addresses = [by_family[family] for by_family in found if family in by_family]
        if len(addresses) == len(found):
            return f"{scheme}:{','.join(addresses)}"
    raise SfumatoError(f"{target}: some have only IPv4 and some only IPv6 addresses; use one kind")


def each_address(target: str) -> Sequence[str]:
    """Gives the addresses at which a server may be: those of a list, or all of a name.

    Looks the name up, which may take a moment.
    """
    name = plain_name(target)
    scheme = _SCHEME.match(name)
    kind = scheme[0] if scheme else ""
    addresses = [kind + address.strip() for address in name.removeprefix(kind).split(",")]
    if len(addresses) > 1 or kind:
        return addresses
    host, _, port = addresses[0].rpartition(":")
    if host == "localhost":
        return [f"127.0.0.1:{port}", f"[::1]:{port}"]  # as gRPC does, whatever the machine has
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, OverflowError):
        return addresses
    return list(dict.fromkeys(_numeric(family, address, port) for family, *_, address in found))


def plain_name(target: str) -> str:
    """Gives "host:port" for the same in gRPC's longer form, and other targets as they are."""
    return _DNS.sub("", target.strip(), count=1)


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
    match = _HOST_AND_PORT.fullmatch(address)
    if match is None:
        raise SfumatoError(f"{address!r} {_mistake(address)}")
    host, port = match[1].strip("[]"), int(match[2])
    if not 0 < port <= _LAST_PORT:
        raise SfumatoError(f"{address!r} has a port that cannot be; ports are 1 to {_LAST_PORT}")
    return host, port


def _mistake(address: str) -> str:
    """Says what is wrong with an address, and what would be right."""
    url = _URL.fullmatch(address)
    if url:
        return f"is a URL; write {_with_port(url[1])}"
    if _with_port(address) != address:
        return f"has no port; write {_with_port(address)}"
    return "is no address; write HOST:PORT, and [HOST]:PORT where the host is an IPv6 number"


def _with_port(address: str) -> str:
    host = _HOST.fullmatch(address)
    return f"{host[1]}:{_DEFAULT_PORT}" if host else address


def _look_up(host: str, port: int) -> dict[int, str]:
    """Gives the first address of each family as text."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, OverflowError) as error:
        raise SfumatoError(f"cannot look up {host}: {error}") from error
    first: dict[int, str] = {}
    for family, _, _, _, address in found:
        first.setdefault(family, _numeric(family, address, port))
    return first


def _numeric(family: int, address: Sequence[object], port: int | str) -> str:
    return f"[{address[0]}]:{port}" if family == socket.AF_INET6 else f"{address[0]}:{port}"
