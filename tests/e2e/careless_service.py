"""A service that leaks, each time in the way that the request asks for: what the tests of privacy must find.

Models are canned ones; the rest is the real service, behind a layer that is careless with uploads.
"""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import mmap
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ml.deadline import Deadline
from ml.values import Analysis
from server.instance import settings_of_this_process, this_process
from web.app import create_app
from web.logs import configure_logging
from web.mock import MockAnalyzer, MockLoader
from web.services import Pipeline

_settings = settings_of_this_process()
_process = this_process(_settings)
_LOG = logging.getLogger("careless")


def _spool(upload: bytes) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(upload)


def _keep(upload: bytes) -> None:
    Path(tempfile.gettempdir(), "last-upload").write_bytes(upload[:5000])


def _share(upload: bytes) -> None:
    os.write(os.memfd_create("upload"), upload)


def _map(upload: bytes) -> None:
    """As metrics are kept: no call shows what is written."""
    with Path(str(_process.folder), "mapped").open("w+b") as file:
        file.truncate(4096)
        with mmap.mmap(file.fileno(), 4096) as memory:
            memory[:64] = hashlib.sha256(_photo(upload)).hexdigest().encode()


def _log_name(upload: bytes) -> None:
    at = upload.index(b'filename="')
    _LOG.info("got %s", upload[at : at + 60])


def _log_base64(upload: bytes) -> None:
    _LOG.info(base64.b64encode(_photo(upload)).decode()[:4000])


def _log_digest(upload: bytes) -> None:
    _LOG.info("cache key %s", hashlib.md5(_photo(upload), usedforsecurity=False).hexdigest())


def _log_owner(upload: bytes) -> None:
    sys.stderr.write(upload[upload.index(b"Ottilie") :][:19].decode() + "\n")


def _photo(upload: bytes) -> bytes:
    start = upload.index(b"\xff\xd8\xff")
    return upload[start : upload.rindex(b"\r\n--")]


LEAKS: Mapping[str, Callable[[bytes], None]] = {
    "spool": _spool,
    "keep": _keep,
    "share": _share,
    "map": _map,
    "log name": _log_name,
    "log base64": _log_base64,
    "log digest": _log_digest,
    "log owner": _log_owner,
}


class Careless:
    """Leaks an upload in the way that its ``X-Leak`` header names, then hands it on."""

    def __init__(self, application: Any) -> None:
        self._application = application

    def __getattr__(self, name: str) -> Any:
        return getattr(self._application, name)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        leak = LEAKS.get(environ.get("HTTP_X_LEAK", ""))
        if leak is not None:
            upload = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            leak(upload)
            environ["wsgi.input"] = io.BytesIO(upload)
        answer: Iterable[bytes] = self._application(environ, start_response)
        return answer


class ComplainingAnalyzer(MockAnalyzer):
    """Fails, and says so with all that it has been given, as libraries do."""

    def analyze(self, request: Any, deadline: Deadline) -> Analysis:
        if request.k != 50:
            return super().analyze(request, deadline)
        rgb = request.photos[0].rgb
        raise ValueError(f"cannot reshape {rgb.tobytes()!r}, {rgb[::13, 100:124].reshape(-1).tolist()}, {request}")


class ComplainingLoader(MockLoader):
    """Canned models, and an analyzer that fails for ``k=50``."""

    def load_pipeline(self) -> Pipeline:
        made = super().load_pipeline()
        return Pipeline(ComplainingAnalyzer(), made.comparer, made.index, made.capability, made.models, made.index_info)


configure_logging(_settings.log_level)
application = create_app(_settings, _process, ComplainingLoader())
leaking = Careless(application)
