"""Lets the process have as many files open as the system allows; each connection is one."""

import contextlib


def allow_many_files() -> None:
    """Raises the soft limit, which is often 1024 for the sake of ``select``, to the hard one."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # not on Windows
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
