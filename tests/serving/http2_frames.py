"""A client that speaks HTTP/2 frame by frame, and so can do what no library of gRPC would."""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

DATA, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE = 0, 1, 3, 4, 8
END_STREAM, END_HEADERS = 1, 4
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 3, 4
"""Numbers of RFC 9113: types of frames, flags and settings."""

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_POST_HTTP: Final = b"\x83\x86"  # of HPACK's table


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """Writes one frame."""
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def settings(values: Mapping[int, int]) -> bytes:
    """Writes a frame of settings."""
    pairs = (struct.pack(">HI", number, value) for number, value in values.items())
    return frame(SETTINGS, payload=b"".join(pairs))


def read_settings(payload: bytes) -> dict[int, int]:
    """Reads what is in a frame of settings."""
    return dict(struct.iter_unpack(">HI", payload))


def call(stream: int, path: str, message: bytes | None = None, **headers: str) -> bytes:
    """Writes the frames that begin a call of gRPC; with its one message if that is given."""
    fields = {
        ":path": path,
        ":authority": "x",
        "content-type": "application/grpc",
        "te": "trailers",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    block = _POST_HTTP + b"".join(_literal(*field) for field in fields.items())
    begin = frame(HEADERS, END_HEADERS, stream, block)
    if message is None:
        return begin
    whole = b"\0" + len(message).to_bytes(4, "big") + message
    return begin + frame(DATA, END_STREAM, stream, whole)


def _literal(name: str, value: str) -> bytes:
    """Writes a header without HPACK's tables; neither part is longer than 126 bytes."""
    return bytes([0, len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


@dataclass(frozen=True)
class RawConnection:
    """A connection that answers nothing by itself, no PING and no WINDOW_UPDATE."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *frames: bytes) -> None:
        """Sends frames."""
        self.writer.write(b"".join(frames))
        await self.writer.drain()

    async def receive(self, kind: int) -> bytes:
        """Waits for a frame of one kind, past all others; gives what is in it."""
        while True:
            head = await self.reader.readexactly(9)
            payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
            if head[3] == kind:
                return payload


@asynccontextmanager
async def raw_connection(
    address: str, own_settings: Mapping[int, int] | None = None
) -> AsyncIterator[RawConnection]:
    """Connects, and sends the preface and settings."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    connection = RawConnection(reader, writer)
    try:
        await connection.send(_PREFACE, settings(own_settings or {}))
        yield connection
    finally:
        writer.close()
