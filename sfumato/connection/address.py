"""Where a server is when nobody says otherwise, and which addresses stay on this machine."""

import ipaddress

DEFAULT_TARGET = "127.0.0.1:8001"


def is_loopback(host: str) -> bool:
    """Whether ``host``, a name or an address without its port, is this machine's own.

    Of the names only "localhost" is: any other may mean something else elsewhere.
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
