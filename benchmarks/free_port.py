"""A free TCP port, for servers that must be told one. Imports nothing: peers use it, too."""

import socket


def free_port() -> int:
    """Finds a port of the loopback address that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
