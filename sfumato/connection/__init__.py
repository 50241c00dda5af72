"""How clients reach servers: addresses, TLS, choosing a server, waiting, and what went wrong."""
