"""The clients for Python programs: ``Client`` for threads, ``AsyncClient`` for asyncio, with the same methods."""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cache
from types import TracebackType
from typing import Any, Self, Unpack

import anyio.to_thread
import httpx

from . import calls
from . import models as answers
from .calls import AnalysisFields, Call, ComparisonFields, Photo
from .responses import Read, read
from .retries import async_retrying, retrying, unanswered
from .version import __version__

DEFAULT_URL = "http://127.0.0.1:8000"
#: Longer than the service's 285 s and the load balancer's 330 s, because their own timeout errors are more helpful.
_LONGEST_ANSWER_S = 345.0
#: what an answer may take on its way, beside the service's own time
_ON_THE_WAY_S = 15.0
_FAILURES = (httpx.RequestError, httpx.InvalidURL)


@cache
def _certificates() -> ssl.SSLContext:
    """What all clients trust. Reading it takes a tenth of a second."""
    return httpx.create_ssl_context()


class _Connection(ABC):
    """What both clients know of the service."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        language: str | None = None,
        patience_s: float = 120.0,
        timeout_s: float | None = None,
    ) -> None:
        """``url`` is the address of the service, and ``key`` an API key, if the service needs one.

        ``language`` is that of the summary: "en" or "es". ``patience_s`` is the total number of seconds that one call
        may wait for a service that is full or starting. ``timeout_s`` is the number of seconds that the service may
        work on one request; by default its own limit.
        """
        self._url = url.rstrip("/")
        self._patience_s = patience_s
        self._longest_s = _LONGEST_ANSWER_S if timeout_s is None else timeout_s + _ON_THE_WAY_S
        headers = {
            "User-Agent": f"dermserve/{__version__}",
            "X-API-Key": key,
            "Accept-Language": language,
            "X-Request-Timeout": None if timeout_s is None else f"{timeout_s:g}",
        }
        self._connect(
            headers={name: value for name, value in headers.items() if value is not None},
            timeout=httpx.Timeout(self._longest_s, connect=10.0, pool=None),
            verify=_certificates(),
        )

    @abstractmethod
    def _connect(self, **options: Any) -> None:
        """Make httpx's client with ``options``."""

    def _request(self, call: Call[Any]) -> dict[str, Any]:
        """The arguments of httpx's request. Reads the photos. Raises OSError."""
        return {"method": call.method, "url": self._url + call.path, **call.content()}

    def _unanswered(self, error: Exception) -> Exception:
        return unanswered(self._url, error, self._longest_s)


class Client(_Connection):
    """A client of the service at ``url``. Threads may share it. It keeps connections open until it is closed.

    Every method raises a ClientError if it brings no answer: RefusedError if the service cannot use the request,
    UnavailableError if the service is still full, loading or too slow after the retries, UnreachableError if no service
    answers at the address, UnknownAnswerError if the answer has a form that this version does not read.
    """

    def analyze(self, photos: Photo | Iterable[Photo], **fields: Unpack[AnalysisFields]) -> answers.AnalysisAnswer:
        """Analyse one case: one to three photos (paths, bytes or open files) of the same skin.

        ``fields`` are those of the API: age, sex, body_site, modality, detail, k, explain and so on. The names of the
        files are not sent. Raises OSError if a file cannot be read.
        """
        return self._send(calls.analysis(photos, fields))

    def compare(self, before: Photo, after: Photo, **fields: Unpack[ComparisonFields]) -> answers.ComparisonAnswer:
        """Compare two photos of the same skin. ``fields``: before_date, after_date, modality, explain, confirmed.

        Raises OSError if a file cannot be read.
        """
        return self._send(calls.comparison(before, after, fields))

    def selftest(self) -> answers.CapabilityAnswer:
        """Send a real photo through every part of the service. ``success`` is false if a part failed."""
        return self._send(calls.SELFTEST)

    def measures(self) -> answers.MeasuresAnswer:
        """What the service measures: labels, units, methods, and how well each measure repeats."""
        return self._send(calls.MEASURES)

    def conditions(self) -> answers.ConditionsAnswer:
        """The conditions that an answer may name, with everyday names and how soon to show them to a doctor."""
        return self._send(calls.CONDITIONS)

    def models(self) -> answers.ModelsAnswer:
        """The models in use, with cards and licences."""
        return self._send(calls.MODELS)

    def label(self) -> answers.LabelAnswer:
        """The intended use of the service, its limits and its version."""
        return self._send(calls.LABEL)

    def health(self) -> answers.LiveAnswer:
        """Whether the process is alive; it may still be loading."""
        return self._send(calls.HEALTH)

    def ready(self) -> answers.ReadyAnswer:
        """Wait until the service can analyse. Raises UnavailableError if it cannot within ``patience_s``."""
        return self._send(calls.READY)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connect(self, **options: Any) -> None:
        self._http = httpx.Client(**options)

    def _send(self, call: Call[Read]) -> Read:
        request = self._request(call)
        try:
            response = retrying(self._patience_s)(self._http.request, **request)
        except _FAILURES as error:
            raise self._unanswered(error) from error
        return read(response, call.form, call.statuses)


class AsyncClient(_Connection):
    """As ``Client``, for asyncio: the same methods, with ``await``."""

    async def analyze(
        self, photos: Photo | Iterable[Photo], **fields: Unpack[AnalysisFields]
    ) -> answers.AnalysisAnswer:
        """As ``Client.analyze``. Files are read in another thread."""
        return await self._send(calls.analysis(photos, fields))

    async def compare(
        self, before: Photo, after: Photo, **fields: Unpack[ComparisonFields]
    ) -> answers.ComparisonAnswer:
        """As ``Client.compare``."""
        return await self._send(calls.comparison(before, after, fields))

    async def selftest(self) -> answers.CapabilityAnswer:
        """As ``Client.selftest``."""
        return await self._send(calls.SELFTEST)

    async def measures(self) -> answers.MeasuresAnswer:
        """As ``Client.measures``."""
        return await self._send(calls.MEASURES)

    async def conditions(self) -> answers.ConditionsAnswer:
        """As ``Client.conditions``."""
        return await self._send(calls.CONDITIONS)

    async def models(self) -> answers.ModelsAnswer:
        """As ``Client.models``."""
        return await self._send(calls.MODELS)

    async def label(self) -> answers.LabelAnswer:
        """As ``Client.label``."""
        return await self._send(calls.LABEL)

    async def health(self) -> answers.LiveAnswer:
        """As ``Client.health``."""
        return await self._send(calls.HEALTH)

    async def ready(self) -> answers.ReadyAnswer:
        """As ``Client.ready``."""
        return await self._send(calls.READY)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _connect(self, **options: Any) -> None:
        self._http = httpx.AsyncClient(**options)

    async def _send(self, call: Call[Read]) -> Read:
        request = await anyio.to_thread.run_sync(self._request, call)
        try:
            response: httpx.Response = await async_retrying(self._patience_s)(self._http.request, **request)
        except _FAILURES as error:
            raise self._unanswered(error) from error
        return read(response, call.form, call.statuses)
