"""HTTP/1.1 requests at the least cost: the client shares its cores with the server that it measures."""

from __future__ import annotations

import asyncio

from benchmarks.peers.load import Reply

_HEAD_BYTES = 64 * 1024


class ConnectionPool:
    """Keep-alive connections to one server; as many as there are requests under way."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, request: bytes) -> Reply:
        """Send the bytes of a whole request. Raises OSError or EOFError if no whole answer comes."""
        reader, writer = await self._connection()
        reusable = False
        try:
            # Not drained: a server may refuse before it has read the body, and its answer must not be missed.
            writer.write(request)
            reply, keep = await _read_reply(reader)
            reusable = keep and writer.transport.get_write_buffer_size() == 0
        finally:
            if reusable:
                self._idle.append((reader, writer))
            else:
                writer.transport.abort()
        return reply

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """An idle connection that the server has not closed, or a new one."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not (reader.at_eof() or writer.is_closing()):
                return reader, writer
            writer.transport.abort()
        return await asyncio.open_connection(*self._address, limit=_HEAD_BYTES)

    def close(self) -> None:
        """Close what is idle."""
        for _, writer in self._idle:
            writer.transport.abort()
        self._idle.clear()


def post(host: str, path: str, photo: bytes) -> bytes:
    """The bytes of a request that uploads ``photo``."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/jpeg\r\n"
        f"Accept: application/json\r\nContent-Length: {len(photo)}\r\n\r\n"
    )
    return head.encode() + photo


async def _read_reply(reader: asyncio.StreamReader) -> tuple[Reply, bool]:
    """The answer, and whether the connection stays open."""
    status, headers = _parse_head(await reader.readuntil(b"\r\n\r\n"))
    keep = headers.get("connection", "").lower() != "close" and headers["version"] == "HTTP/1.1"
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _read_chunks(reader)
    elif "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    else:
        body, keep = await reader.read(), False
    return Reply(status, _seconds(headers.get("retry-after")), body), keep


def _seconds(retry_after: str | None) -> float | None:
    """The header as a number; the date that it may be instead is no one's choice here."""
    return float(retry_after) if retry_after and retry_after.isdecimal() else None


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status = first.split(" ", 2)[:2]
    headers = {"version": version}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(status), headers


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    pieces = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        pieces.append((await reader.readexactly(size + 2))[:-2])
    await reader.readuntil(b"\r\n")
    return b"".join(pieces)
