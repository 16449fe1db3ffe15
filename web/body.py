"""The bytes of a request's body, in memory, within the limits of size and time."""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping
from typing import IO, Any, Protocol, cast

from werkzeug.wsgi import get_content_length, get_input_stream

from ml.deadline import Deadline
from web.errors import (
    BadEncodingError,
    BodyTooLargeError,
    IncompleteBodyError,
    SlowUploadError,
    UnsupportedBodyError,
)
from web.uploads import Uploads

_PIECE = 2**20
#: how much, and for how long, of a refused body is read so that its sender gets to see the answer
_DRAIN_BYTES = 256 * 2**20
_DRAIN_S = 3.0
#: values of Content-Encoding, but for identity, which means nothing: the names of gzip and of deflate
_COMPRESSED = {"gzip", "x-gzip", "deflate"}
#: zlib's window: the largest, with the kind of the header to be found out, or without a header
_ANY_HEADER, _NO_HEADER = 32 + zlib.MAX_WBITS, -zlib.MAX_WBITS


class Readable(Protocol):
    """What parsing needs of a body."""

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end."""
        ...


class RequestBody:
    """A request's body, decompressed if its Content-Encoding says so.

    Reading stops at the size limit, which is that of the body as sent and as decompressed, at the deadline, and when
    the sender has gone. It also stops for a sender that is slow while ``uploads`` needs its place for others.
    """

    def __init__(self, environ: Mapping[str, Any], *, limit: int, deadline: Deadline, uploads: Uploads) -> None:
        """Raises BodyTooLargeError if the announced length is over ``limit`` bytes, and UnsupportedBodyError for a
        Content-Encoding that is not known."""
        sent = _SentBody(environ, limit=limit, deadline=deadline, uploads=uploads)
        named = environ.get("HTTP_CONTENT_ENCODING", "").lower().split(",")
        encodings = [name.strip() for name in named if name.strip() not in ("", "identity")]
        if encodings and (len(encodings) > 1 or encodings[0] not in _COMPRESSED):
            raise UnsupportedBodyError(
                "This Content-Encoding cannot be read. Compress the body with gzip or deflate, or send it as it is "
                "without a Content-Encoding header."
            )
        self._body: Readable = _Decompressed(sent, limit) if encodings else sent

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end.

        Raises BodyTooLargeError over the limit, DeadlineExceededError for a sender that is too slow, SlowUploadError
        for one that had to make way, IncompleteBodyError for one that has gone, and BadEncodingError for a body that
        cannot be decompressed.
        """
        return self._body.read(size)


class _Decompressed:
    """A body that was compressed by gzip or deflate. At no time is more of it decompressed than was asked for."""

    def __init__(self, body: Readable, limit: int) -> None:
        self._body = body
        self._limit = limit
        self._compressed = b""
        self._decoder: zlib._Decompress | None = None
        self._count = 0

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end."""
        while not (data := self._decompress(size)):
            piece = self._body.read(_PIECE)
            if not piece:
                if self._compressed or (self._decoder and not self._decoder.eof):
                    raise BadEncodingError("The compressed body is cut short. Send it again.")
                return b""
            self._compressed += piece
        self._count += len(data)
        _check_size(self._count, self._limit)
        return data

    def _decompress(self, size: int) -> bytes:
        """What can be had of the bytes that have arrived."""
        try:
            if self._decoder is None:
                if len(self._compressed) < 2:
                    return b""
                self._decoder = zlib.decompressobj(_window(self._compressed))
            data = self._decoder.decompress(self._compressed, size)
        except zlib.error as error:
            raise BadEncodingError(
                "The body is not what its Content-Encoding header says. Send gzip or deflate, or leave the header out."
            ) from error
        if self._decoder.unused_data:
            raise BadEncodingError("The compressed body goes on after its end. Send it again.")
        self._compressed = self._decoder.unconsumed_tail
        return data


def _window(start: bytes) -> int:
    """zlib's word for the stream that begins with ``start``: what is called deflate may come without a header."""
    is_gzip = start.startswith(b"\x1f\x8b")
    is_zlib = start[0] & 15 == zlib.DEFLATED and int.from_bytes(start[:2]) % 31 == 0
    return _ANY_HEADER if is_gzip or is_zlib else _NO_HEADER


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise BodyTooLargeError(
            f"The request is larger than {limit // 2**20} MiB. Send a smaller copy of the photo.", max_bytes=limit
        )


class _SentBody:
    """A body as it was sent."""

    def __init__(self, environ: Mapping[str, Any], *, limit: int, deadline: Deadline, uploads: Uploads) -> None:
        self._length = get_content_length(dict(environ))
        self._limit = limit
        _check_size(self._length or 0, limit)
        self._stream = get_input_stream(dict(environ))
        self._socket = environ.get("gunicorn.socket")
        self._deadline = deadline
        self._uploads = uploads
        self._read = 0

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end."""
        if self._read == self._length:
            return b""
        self._deadline.check("upload")
        with self._uploads.watch(self._socket, self._deadline.remaining(), yields=True) as upload:
            data = self._next(size)
        if upload is not None and upload.cut:
            self._deadline.check("upload")
            raise SlowUploadError(
                "The upload was too slow and was stopped. Try a smaller photo or a faster connection."
            )
        self._read += len(data)
        _check_size(self._read, self._limit)
        if not data and self._length is not None:
            raise IncompleteBodyError("The request ended before its whole body had arrived. Send it again.")
        return data

    def _next(self, size: int) -> bytes:
        try:
            if self._socket is not None:
                self._socket.settimeout(max(0.001, self._deadline.remaining()))
            return self._stream.read(size) or b""
        except Exception as error:
            # Whatever the server raises here (a closed or stalled connection, a malformed chunk), the body is lost.
            self._deadline.check("upload")
            raise IncompleteBodyError("The request's body broke off. Send it again.") from error
        finally:
            if self._socket is not None:
                self._socket.settimeout(None)


def read_all(body: Readable) -> bytes:
    """The rest of ``body``."""
    pieces = []
    while piece := body.read(_PIECE):
        pieces.append(piece)
    return b"".join(pieces)


def drain(environ: Mapping[str, Any], uploads: Uploads) -> None:
    """Read and drop what is left of a refused body.

    A connection that is closed with unread bytes is reset, and the sender may never see why it was refused. Only
    for servers that end the stream themselves: with any other, reading on could wait for ever.
    """
    if not environ.get("wsgi.input_terminated"):
        return
    stream, sock = cast(IO[bytes], environ["wsgi.input"]), environ.get("gunicorn.socket")
    end, left = time.monotonic() + _DRAIN_S, _DRAIN_BYTES
    try:
        with uploads.watch(sock, _DRAIN_S):
            while left > 0 and (remaining := end - time.monotonic()) > 0:
                if sock is not None:
                    sock.settimeout(remaining)
                piece = stream.read(min(_PIECE, left))
                if not piece:
                    break
                left -= len(piece)
    except Exception:  # noqa: BLE001 - the sender is gone or sends nonsense: there is no one left to be kind to
        return
    finally:
        if sock is not None:
            sock.settimeout(None)
