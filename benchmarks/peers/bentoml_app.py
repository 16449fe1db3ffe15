"""The core behind BentoML. ``BENCH_TUNED=1``: set up for this machine's cores; otherwise as BentoML comes."""

from __future__ import annotations

import os
from typing import Annotated, Any

import bentoml
from bentoml.validators import ContentType

from benchmarks.peers.core import Core

_CONFIGURATION: dict[str, Any] = (
    {
        "workers": int(os.environ["BENCH_PROCESSES"]),
        "threads": 1,
        # what is more than this at once is answered 429
        "traffic": {"timeout": 60, "max_concurrency": int(os.environ["BENCH_INSIDE"])},
        "logging": {"access": {"enabled": False}},
    }
    if os.environ.get("BENCH_TUNED")
    else {}
)


@bentoml.service(**_CONFIGURATION)
class PhotoService:
    """A body of bytes, taken as it is: BentoML's file types would write each photo to a file first."""

    def __init__(self) -> None:
        self.core = Core.load()

    @bentoml.api(route="/answer")  # type: ignore[untyped-decorator]
    def answer(self, photo: bytes, /) -> Annotated[bytes, ContentType("application/json")]:
        return self.core.answer(photo)
