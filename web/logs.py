"""Log lines: one JSON object a line, on standard output. Never image data, digests, metadata or file names."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

#: the request that the current thread works for
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
#: the trace that the caller counts this request to (the traceparent header of W3C Trace Context)
trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)


class JsonFormatter(logging.Formatter):
    """One record → one line."""

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
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logging(level: str) -> None:
    """Send every logger of this process to standard output as JSON lines. Safe to call again."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    handler.set_name("dermserve")
    root = logging.getLogger()
    for old in [known for known in root.handlers if known.get_name() == "dermserve"]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    logging.getLogger("PIL").setLevel("WARNING")  # its debug lines quote metadata
    logging.getLogger("faiss").setLevel("WARNING")  # it tells of each instruction set that it tries


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
