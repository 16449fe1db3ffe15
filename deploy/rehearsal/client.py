"""A small HTTP client, and generated photos to send."""

from __future__ import annotations

import http.client
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.rehearsal.processes import LOOPBACK


@dataclass(frozen=True)
class Response:
    """An HTTP response. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ValueError if it is not one."""
        value = json.loads(self.body)
        if not isinstance(value, dict):
            raise ValueError("the body is not a JSON object")
        return value


def send_request(
    port: int,
    method: str,
    path: str,
    body: bytes | Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    timeout_s: float = 30,
) -> Response:
    """Send one request to a loopback port. Raises OSError or http.client.HTTPException if there is no response."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout_s)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, named, response.read())
    finally:
        connection.close()


def responds(port: int) -> bool:
    """Whether an HTTP server answers on ``port``, with any status."""
    try:
        send_request(port, "GET", "/", timeout_s=2)
    except (OSError, http.client.HTTPException):
        return False
    return True


def skin_photo(side: int = 512, quality: int = 85, seed: int = 0) -> bytes:
    """A JPEG of ``side`` × ``side`` pixels: skin-coloured with noise and a darker spot."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    spot = np.clip(1.2 - 6 * np.hypot(x, y), 0, 1)[..., None]
    skin = np.array([214, 160, 136]) * (1 - 0.5 * spot) + rng.normal(0, 18, (side, side, 3))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(skin, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def photo_of(megabytes: float) -> bytes:
    """A JPEG of 2000 × 2000 pixels and at least ``megabytes`` (10^6 bytes), padded with zeros after its end."""
    photo = skin_photo(2000, quality=95)
    return photo + bytes(max(0, round(megabytes * 10**6) - len(photo)))
