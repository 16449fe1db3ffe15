"""Writes gunicorn's log lines in the service's JSON format."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger as GunicornDefault  # type: ignore[import-untyped]

from web.logs import log_event

_ACCESS = logging.getLogger("dermserve.access")


class GunicornLogger(GunicornDefault):  # type: ignore[misc]
    """Sends gunicorn's log lines to the root logger, without query, headers, client address or body."""

    def setup(self, cfg: Any) -> None:
        """Pass the records of gunicorn's loggers to the root logger."""
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.propagate = True

    def exception(self, msg: Any, *arguments: Any, **named: Any) -> None:
        """Log an exception as gunicorn does, but without the query of the request."""
        cut = [text.partition("?")[0] if isinstance(text, str) else text for text in arguments]
        super().exception(msg, *cut, **named)

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """Log one line for each request."""
        log_event(
            _ACCESS,
            "access",
            method=environ.get("REQUEST_METHOD"),
            path=environ.get("PATH_INFO"),
            status=int(str(resp.status).split(maxsplit=1)[0]),
            bytes=resp.sent,
            ms=round(request_time.total_seconds() * 1e3, 1),
            request_id=next((value for name, value in resp.headers if name == "X-Request-ID"), None),
        )
