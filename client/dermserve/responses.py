"""Reads what a service answered: an answer of the expected form, or the error that fits."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from .answer import Answer
from .errors import ClientError, RefusedError, UnavailableError, UnknownAnswerError, UnreachableError

Read = TypeVar("Read", bound=Answer)

#: what only another server answers at the addresses of a service, unless an error object comes with it
_OTHER_SERVER = (404, 405)


def read(response: httpx.Response, form: type[Read], statuses: Collection[int] = (200,)) -> Read:
    """The answer in ``response``. ``statuses`` are those that an answer may have. Raises ClientError."""
    body = json_object(response)
    if response.status_code not in statuses or "error" in body:
        raise _failure(response, body)
    if not {"success", "status"} & body.keys():
        raise _another_server(response)
    try:
        return form.of(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        message = (
            f"The answer has a form that this client does not read ({place}: {first['msg']}). "
            "Install the client that belongs to the service's version."
        )
        raise UnknownAnswerError(message, **_known(response, body)) from error


def json_object(response: httpx.Response) -> dict[str, Any]:
    """The response's JSON object. Empty if the body is anything else."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _failure(response: httpx.Response, body: dict[str, Any]) -> ClientError:
    status, error = response.status_code, body.get("error")
    sent = error.get("message") if isinstance(error, dict) else None
    if response.has_redirect_location:
        message = f"The address redirects to {response.headers['Location']}. Use the service's own address."
        return UnreachableError(message, status=status)
    if not sent and (status < 400 or status in _OTHER_SERVER):
        return _another_server(response)
    message = str(sent or f"The service answered {status} {response.reason_phrase}.") + _advice(response)
    kind = UnavailableError if status == 429 or status >= 500 else RefusedError
    return kind(message, **_known(response, body if sent else {}))


def _another_server(response: httpx.Response) -> UnreachableError:
    message = "The server at this address is not DermServe. Check the address."
    return UnreachableError(message, status=response.status_code)


def _known(response: httpx.Response, body: dict[str, Any]) -> dict[str, Any]:
    request_id = body.get("request_id") or response.headers.get("X-Request-ID")
    return {"status": response.status_code, "body": body, "request_id": request_id}


def _advice(response: httpx.Response) -> str:
    if response.status_code == 401:
        return " The command takes it from --key or DERMSERVE_KEY, Client from key."
    wait = response.headers.get("Retry-After", "")
    return f" The service asks to wait {wait} s, which is longer than this client waits." if wait.isdigit() else ""
