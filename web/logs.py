"""Log lines as JSON objects on standard output. They never contain image data, digests, metadata or file names."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

#: the request that the current thread works for
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
#: the trace that this request belongs to, from the caller's traceparent header (W3C Trace Context)
trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)
#: libraries whose INFO and DEBUG lines are not written: they may contain metadata or clients' addresses, or are noise
_QUIET = ("PIL", "flask-limiter", "flask_cors", "faiss")


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
        }
        for name, current in (("request_id", request_id.get()), ("trace_id", trace_id.get())):
            if current is not None:
                line[name] = current
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1] is not None:
            private = _may_quote(record) and not logging.getLogger().isEnabledFor(logging.DEBUG)
            line["exception"] = _outline(record.exc_info[1]) if private else self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _may_quote(record: logging.LogRecord) -> bool:
    """Whether an error's text may quote data of a client: inside a request, or in a package that handles photos."""
    return request_id.get() is not None or record.name.startswith(("ml.", "scin."))


def _outline(error: BaseException) -> str:
    """A traceback of ``error`` and its causes without messages: only code positions and class names."""
    lines = []
    for one in _chain(error):
        lines += [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in traceback.extract_tb(one.__traceback__)]
        lines.append(f"{type(one).__module__}.{type(one).__qualname__}")
    return "\n".join(lines)


def _chain(error: BaseException) -> list[BaseException]:
    """``error`` and its causes, the first cause first."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.insert(0, current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return chain


def configure_logging(level: str) -> None:
    """Make every logger of this process write JSON lines to standard output. It may be called more than once."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    handler.set_name("dermserve")
    root = logging.getLogger()
    root.handlers = [other for other in root.handlers if other.get_name() != "dermserve"] + [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def log_event(
    logger: logging.Logger,
    event: str,
    *,
    level: int = logging.INFO,
    exc_info: BaseException | None = None,
    **fields: object,
) -> None:
    """Write one line: ``event`` and its fields."""
    logger.log(level, event, exc_info=exc_info, extra={"fields": fields})
