"""A small HTTP client: one connection a request, and an answer that can be looked at."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.rehearsal.ports import LOOPBACK


@dataclass(frozen=True)
class Answer:
    """Status, headers (names in lower case) and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ValueError if it is none."""
        value = json.loads(self.body)
        if not isinstance(value, dict):
            raise ValueError("the body is not a JSON object")
        return value


def ask(
    port: int,
    method: str,
    path: str,
    body: bytes | Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    timeout_s: float = 30,
) -> Answer:
    """Send one request to a loopback port. Raises OSError or http.client.HTTPException if no answer comes."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout_s)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, named, response.read())
    finally:
        connection.close()


def answers(port: int) -> bool:
    """Whether anything at all answers HTTP there."""
    try:
        ask(port, "GET", "/", timeout_s=2)
    except (OSError, http.client.HTTPException):
        return False
    return True
