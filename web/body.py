"""The bytes of a request's body, in memory, within limits of size and time; and whether their sender still waits."""

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
#: how much of a refused body is read, and for how long, so that its sender can receive the answer
_DRAIN_BYTES = 256 * 2**20
_DRAIN_S = 3.0
#: values of Content-Encoding that name gzip or deflate; identity means no compression
_COMPRESSED = {"gzip", "x-gzip", "deflate"}
#: zlib's largest window: for a stream with a gzip or zlib header, and for one without a header
_ANY_HEADER, _NO_HEADER = 32 + zlib.MAX_WBITS, -zlib.MAX_WBITS


class Readable(Protocol):
    """What parsing needs of a body."""

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end."""
        ...


def request_body(environ: Mapping[str, Any], *, limit: int, deadline: Deadline, uploads: Uploads) -> Readable:
    """The body of a request, decompressed if its Content-Encoding says so.

    Reading stops at ``limit`` bytes, as sent and as decompressed (BodyTooLargeError), at the deadline
    (DeadlineExceededError), when the sender has gone (IncompleteBodyError), and for a slow sender when ``uploads``
    needs its place for others (SlowUploadError). A body that cannot be decompressed raises BadEncodingError. An
    announced length over the limit, or an unknown Content-Encoding (UnsupportedBodyError), is refused before reading.
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
    """A body that was compressed by gzip or deflate. Never decompresses more than is asked for."""

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
        """What the bytes that have arrived contain."""
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
    """zlib's parameter for a stream that begins with ``start``: deflate may come with a zlib header or without one."""
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
            raise IncompleteBodyError("The connection broke while the body arrived. Send the request again.") from error
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

    A connection that is closed with unread bytes is reset, and the sender may never receive the refusal. Only for
    servers that end the stream themselves: with any other, reading on could block for ever.
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
    except Exception:  # noqa: BLE001 - the sender has gone or sends nonsense: nobody waits for the answer
        return
    finally:
        if sock is not None:
            sock.settimeout(None)


class AttendedDeadline(Deadline):
    """The rest of a request's time, while its client waits: a stage starts only if there is time and a client.

    Use it once the body has been read: until then, bytes on the connection are the body's. Without a socket, as with
    servers that give none, the client counts as waiting.
    """

    def __init__(self, deadline: Deadline, sock: socket.socket | None) -> None:
        super().__init__(deadline.remaining())
        self.seconds = deadline.seconds  # messages name the whole time
        self._socket = sock

    def at_most(self, seconds: float) -> AttendedDeadline:
        """The same, but no longer than ``seconds`` from now."""
        return AttendedDeadline(self if self.remaining() <= seconds else Deadline(seconds), self._socket)

    def check(self, stage: str) -> None:
        """Raises DeadlineExceededError or ClientGoneError, each naming ``stage``."""
        super().check(stage)
        if self._socket is not None and has_left(self._socket):
            raise ClientGoneError("The client closed the connection before the answer.", stage=stage)


def has_left(client: socket.socket) -> bool:
    """Whether ``client`` has closed its connection. Takes no bytes: those that wait are its next request.

    A client that has closed its sending half counts as gone, as it does with nginx.
    """
    try:
        return not client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:  # reset
        return True
    except ValueError:  # TLS does not allow peeking
        return False
