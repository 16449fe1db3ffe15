"""Reads a request's body into memory, within limits of size and time, and checks whether the client still waits."""

from __future__ import annotations

import socket
import time
import zlib
from collections.abc import Mapping
from typing import IO, Any, Protocol, cast

from werkzeug.wsgi import get_content_length, get_input_stream

from ml.deadline import Deadline
from web.errors import (
    BadEncodingError,
    BodyTooLargeError,
    ClientGoneError,
    IncompleteBodyError,
    SlowUploadError,
    UnsupportedBodyError,
)
from web.uploads import Uploads

_PIECE = 2**20
#: limits for reading the rest of a refused body; see ``drain``
_DRAIN_BYTES = 256 * 2**20
_DRAIN_S = 3.0
#: values of Content-Encoding that name gzip or deflate; identity means no compression
_COMPRESSED = {"gzip", "x-gzip", "deflate"}
#: zlib's largest window: for a stream with a gzip or zlib header, and for one without a header
_ANY_HEADER, _NO_HEADER = 32 + zlib.MAX_WBITS, -zlib.MAX_WBITS


class Readable(Protocol):
    """The part of a body's interface that parsing needs."""

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end."""
        ...


def request_body(environ: Mapping[str, Any], *, limit: int, deadline: Deadline, uploads: Uploads) -> Readable:
    """The body of a request, decompressed if its Content-Encoding says so.

    Raises before reading: BodyTooLargeError if Content-Length is over ``limit`` bytes, and UnsupportedBodyError for an
    unknown Content-Encoding. Raises while reading:
        BodyTooLargeError: the sent or the decompressed body is over ``limit``.
        DeadlineExceededError: the deadline has passed.
        IncompleteBodyError: the client closed the connection.
        SlowUploadError: ``uploads`` stopped a slow client to make room for other requests.
        BadEncodingError: the body cannot be decompressed.
    """
    sent = _SentBody(environ, limit=limit, deadline=deadline, uploads=uploads)
    named = environ.get("HTTP_CONTENT_ENCODING", "").lower().split(",")
    encodings = [name.strip() for name in named if name.strip() not in ("", "identity")]
    if not encodings:
        return sent
    if len(encodings) > 1 or encodings[0] not in _COMPRESSED:
        raise UnsupportedBodyError(
            "This Content-Encoding cannot be read. Compress the body with gzip or deflate, or send it uncompressed "
            "without a Content-Encoding header."
        )
    return _Decompressed(sent, limit)


class _Decompressed:
    """A body compressed with gzip or deflate. A read never decompresses more bytes than it returns."""

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
        """Decompress at most ``size`` bytes of what has arrived."""
        try:
            if self._decoder is None:
                if len(self._compressed) < 2:
                    return b""
                self._decoder = zlib.decompressobj(_window(self._compressed))
            data = self._decoder.decompress(self._compressed, size)
        except zlib.error as error:
            raise BadEncodingError(
                "The body is not compressed as its Content-Encoding header says. Send gzip or deflate, or send it "
                "uncompressed without the header."
            ) from error
        if self._decoder.unused_data:
            raise BadEncodingError(
                "Bytes follow the end of the compressed body. Compress the whole body as one stream."
            )
        self._compressed = self._decoder.unconsumed_tail
        return data


def _window(start: bytes) -> int:
    """zlib's ``wbits`` for a stream that begins with ``start``. A deflate stream may have a zlib header or none."""
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
            # The server may raise many kinds of error here: closed or stalled connection, malformed chunk, …
            self._deadline.check("upload")
            raise IncompleteBodyError("The connection broke during the upload. Send the request again.") from error
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
    """Read and discard the rest of a refused body.

    A connection that is closed with unread bytes is reset, and then the client may never receive the refusal. This
    works only with servers that mark the end of the stream; with others, reading could block for ever.
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
    except Exception:  # noqa: BLE001 - the client has gone or sends malformed data
        return
    finally:
        if sock is not None:
            sock.settimeout(None)


class AttendedDeadline(Deadline):
    """A deadline that also checks that the client is still connected.

    Use it only after the body has been read: before that, bytes on the connection belong to the body. If the server
    gives no socket, the client counts as connected.
    """

    def __init__(self, deadline: Deadline, sock: socket.socket | None) -> None:
        super().__init__(deadline.remaining())
        self.seconds = deadline.seconds  # messages name the whole time
        self._socket = sock

    def at_most(self, seconds: float) -> AttendedDeadline:
        """The same, but no longer than ``seconds`` from now."""
        return AttendedDeadline(self if self.remaining() <= seconds else Deadline(seconds), self._socket)

    def check(self, stage: str) -> None:
        """Raise DeadlineExceededError or ClientGoneError with the name of the ``stage`` that would start now."""
        super().check(stage)
        if self._socket is not None and has_left(self._socket):
            raise ClientGoneError("The client closed the connection before the answer.", stage=stage)


def has_left(client: socket.socket) -> bool:
    """Whether ``client`` has closed its connection. Consumes no bytes: they belong to the client's next request.

    A client that has closed only its sending half also counts as gone, as in nginx.
    """
    try:
        return not client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:  # reset
        return True
    except ValueError:  # TLS does not allow peeking
        return False
