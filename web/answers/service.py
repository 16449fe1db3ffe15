"""Answers about the service itself: errors, the self-test and health."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from web.wire import Count, Milliseconds, Wire

if TYPE_CHECKING:
    from ml.selftest import CapabilityPart as Part


class _Whole(Wire):
    """Base of answers that always have every field, because monitoring scripts read them."""

    omits_nulls = False


class CapabilityPart(_Whole):
    """The self-test's result for one part."""

    name: str
    """The part, such as `pytorch`, `tensorflow` or `faiss`."""
    ok: bool
    """Whether it works."""
    version: str | None
    """The library's version."""
    model: str | None
    """The model that was run."""
    ms: Milliseconds
    """Duration in milliseconds."""
    reason: str | None
    """Why it failed, or what was done."""


class CapabilityAnswer(_Whole):
    """The self-test's result. A test photo went through each part."""

    success: bool
    """False if a part failed."""
    parts: list[CapabilityPart]
    """Each part."""


class ErrorDetail(Wire):
    """What is wrong."""

    code: str
    """For programs; codes do not change."""
    message: str
    """For people: what is wrong and what to do."""
    details: dict[str, Any]
    """Further facts, such as `field` or `allowed`."""


class ErrorAnswer(Wire):
    """The body of every error."""

    success: Literal[False] = False
    """Always false."""
    error: ErrorDetail
    """Its code, message and details."""
    request_id: str
    """The id of the request in the service's log."""


class MLState(_Whole):
    """Whether this process can analyse, now or soon."""

    available: bool
    """False if it never will."""
    state: str
    """`starting`, `loading`, `ready` or `failed`."""
    reason: str | None
    """Why it failed."""


class LiveAnswer(_Whole):
    """The process is alive."""

    status: Literal["ok"]
    """Always `ok`."""
    version: str
    """The service's version."""
    mock: bool
    """Whether all analyses are canned."""
    ml: MLState
    """Whether it can analyse."""


class LoadedIndex(_Whole):
    """The index of labelled cases that is searched."""

    name: str
    """The index."""
    synthetic: bool
    """True if its cases are generated."""
    cases: Count
    """Number of cases."""
    encoder: str
    """The model that embeds photos for it."""
    built_at: str
    """ISO 8601 time."""
    digest: str
    """sha256 of its manifest, which changes with every build."""


class ReadyAnswer(_Whole):
    """The instance can analyse."""

    status: Literal["ready"]
    """Always `ready`."""
    workers: dict[str, int]
    """Number of workers that are `ready`, and that are `expected`."""
    threads: dict[str, int | bool]
    """The thread plan: `cores`, `workers`, `analyses_per_worker`, `intra_op` (threads of one analysis),
    `request_threads`, `admitted_per_worker`, `computing` (threads under full load) and `oversubscribed`."""
    index: LoadedIndex | None
    """The loaded index; null if there is none."""


def render_capability(parts: Iterable[Part]) -> CapabilityAnswer:
    """The self-test's answer."""
    rendered = [CapabilityPart.model_validate(part) for part in parts]
    return CapabilityAnswer(success=all(part.ok for part in rendered), parts=rendered)
