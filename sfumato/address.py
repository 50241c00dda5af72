"""Where a server is when nobody says otherwise."""

DEFAULT_TARGET = "127.0.0.1:8001"
