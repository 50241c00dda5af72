"""Reads the settings, serves until a signal, and says how it went."""

import asyncio
import logging
import os
import signal
import sys
from typing import Final, NoReturn

import uvloop

from serving.command_line import PROGRAM, read_config, unknown_variables
from serving.config import ServerConfig
from serving.monitoring.logs import configure_logging
from serving.process import allow_many_files, map_large_blocks
from serving.security import token_command
from sfumato.errors import SfumatoError

_log = logging.getLogger(PROGRAM)

_USAGE_ERROR: Final = 2
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def main() -> int:
    """Runs one server, or ``token``, which makes a token; gives the exit status.

    0: stopped and everything accepted was finished. 1: could not start, or requests were cut
    off. 2: wrong settings. 128 + n: ended at once by a second signal n.
    """
    arguments = sys.argv[1:]
    try:
        if arguments[:1] == ["token"]:
            return token_command.main(arguments[1:])
        config = read_config(arguments)
    except SfumatoError as error:
        return _complain(error, _USAGE_ERROR)
    configure_logging(config.log_level, config.log_format)
    map_large_blocks()
    allow_many_files()
    for name in unknown_variables():
        _log.warning("%s sets no option; see %s --help", name, PROGRAM)
    try:
        status = 0 if uvloop.run(_serve(config)) else 1
    except SfumatoError as error:
        status = _complain(error, 1)
    return _end_at_once(status)


async def _serve(config: ServerConfig) -> bool:
    # gRPC's core writes lines of its own, which any client can cause, past our log: they are no
    # JSON, and where nobody reads the pipe, its threads wait there, and with them all calls.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from serving.server import Server  # after the settings: --help need not load ONNX Runtime

    stopping = asyncio.create_task(_signalled().wait())
    server = Server(config)
    starting = asyncio.create_task(server.start())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        _end_at_once(0)  # nothing was accepted yet
    await starting
    await stopping
    return await server.stop()


def _signalled() -> asyncio.Event:
    """Gives an event that the first signal sets; a second SIGTERM or SIGINT ends the process."""
    stopping = asyncio.Event()

    def receive(number: signal.Signals) -> None:
        _log.info("received %s", number.name)
        # Of a closed terminal the shell tells, and once more the kernel.
        if stopping.is_set() and number != signal.SIGHUP:
            _end_at_once(128 + number)
        stopping.set()

    # A terminal that is closed sends SIGHUP; nohup has it ignored.
    hang_up = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    for number in (*_SIGNALS, *hang_up):
        asyncio.get_running_loop().add_signal_handler(number, receive, number)
    return stopping


def _end_at_once(status: int) -> NoReturn:
    """Ends the process without waiting for threads, which may be busy with a network."""
    try:
        logging.shutdown()
        sys.stderr.flush()
    finally:  # even if standard error is closed, or its disk is full
        os._exit(status)


def _complain(error: SfumatoError, status: int) -> int:
    for handler in logging.root.handlers:
        handler.flush()  # the reason comes last
    print(f"{PROGRAM}: error: {error}", file=sys.stderr)
    return status
