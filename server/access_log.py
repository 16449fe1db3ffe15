"""gunicorn's log lines in the form of this service's own."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger as GunicornDefault  # type: ignore[import-untyped]

from web.logs import log_event

_ACCESS = logging.getLogger("dermserve.access")


class GunicornLogger(GunicornDefault):  # type: ignore[misc]
    """Lines go to the root logger. None holds a query, a header, the client's address or a request's content."""

    def setup(self, cfg: Any) -> None:
        """Let the root logger write what gunicorn's loggers get."""
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.propagate = True

    def exception(self, msg: Any, *arguments: Any, **named: Any) -> None:
        """Log as gunicorn does, but name a request whose handling failed without its query."""
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
