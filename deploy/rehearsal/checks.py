"""What a deployment must do once it is healthy: each check asks through the load balancer's stand-in."""

from __future__ import annotations

import json

from deploy.rehearsal.errors import CheckError
from deploy.rehearsal.http_client import Answer, ask
from deploy.rehearsal.photos import photo_of
from deploy.rehearsal.rehearsal import Rehearsal

ANALYSIS = "/api/analyze/skin"
JPEG = {"Content-Type": "image/jpeg"}
_CAPABILITY = json.dumps({"test": "ml_capability"}).encode()


def short_checks(rehearsal: Rehearsal) -> None:
    """Health, readiness, the capability test, a photo of 2 MB. Raises CheckError."""
    port, narrator = rehearsal.port, rehearsal.narrator
    with narrator.step("GET /health"):
        expect(ask(port, "GET", "/health"), 200)
    with narrator.step("GET /health/ready"):
        expect(ask(port, "GET", "/health/ready"), 200)
    with narrator.step("capability test"):
        answer = ask(port, "POST", ANALYSIS, _CAPABILITY, {"Content-Type": "application/json"}, timeout_s=120)
        parts = expect(answer, 200).json()["parts"]
        narrator.say("  " + ", ".join(f"{part['name']} ok" for part in parts))
    with narrator.step("POST of 2 MB"):
        expect(ask(port, "POST", ANALYSIS, photo_of(2), JPEG, timeout_s=120), 200)


def expect(answer: Answer, status: int, code: str | None = None) -> Answer:
    """``answer``, if it has this status (and, for an error, this code) and is JSON. Raises CheckError."""
    try:
        body = answer.json()
    except ValueError as error:
        raise CheckError(f"wanted {status} in JSON, got {answer.status}: {answer.body[:200]!r}") from error
    if answer.status != status or (code is not None and body.get("error", {}).get("code") != code):
        raise CheckError(f"wanted {status} {code or ''}, got {answer.status}: {answer.body[:300].decode()}")
    return answer
