"""The bytes of a request's body, in memory, within the limits of size and time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import IO, Any, Protocol, cast

from werkzeug.wsgi import get_content_length, get_input_stream

from ml.deadline import Deadline
from web.errors import BodyTooLargeError, IncompleteBodyError, SlowUploadError
from web.uploads import Uploads

_PIECE = 2**20
#: how much, and for how long, of a refused body is read so that its sender gets to see the answer
_DRAIN_BYTES = 256 * 2**20
_DRAIN_S = 3.0


class Readable(Protocol):
    """What parsing needs of a body."""

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end."""
        ...


class RequestBody:
    """A request's body. Reading stops at the size limit, at the deadline, and when the sender has gone.

    It also stops for a sender that is slow while ``uploads`` needs its place for others.
    """

    def __init__(self, environ: Mapping[str, Any], *, limit: int, deadline: Deadline, uploads: Uploads) -> None:
        """Raises BodyTooLargeError if the announced length is over ``limit`` bytes."""
        self._length = get_content_length(dict(environ))
        self._limit = limit
        self._check_size(self._length or 0)
        self._stream = get_input_stream(dict(environ))
        self._socket = environ.get("gunicorn.socket")
        self._deadline = deadline
        self._uploads = uploads
        self._read = 0

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end.

        Raises BodyTooLargeError over the limit, DeadlineExceededError for a sender that is too slow, SlowUploadError
        for one that had to make way, and IncompleteBodyError for one that has gone.
        """
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
        self._check_size(self._read)
        if not data and self._length is not None:
            raise IncompleteBodyError("The request ended before its whole body had arrived. Send it again.")
        return data

    def _check_size(self, size: int) -> None:
        if size > self._limit:
            raise BodyTooLargeError(
                f"The request is larger than {self._limit // 2**20} MiB. Send a smaller copy of the photo.",
                max_bytes=self._limit,
            )

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
