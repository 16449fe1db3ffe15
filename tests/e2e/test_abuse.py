"""The short form of ``python -m benchmarks.abuse``: who misbehaves takes nothing from an honest client."""

from __future__ import annotations

from pathlib import Path

from benchmarks.abuse import abuse, guarded_service
from tests.integration.nginx_fixture import nginx_or_skip

_SECONDS = 12
#: the service's own limit
_DEADLINE_S = 285


def test_an_honest_client_is_served_among_wrong_keys_slow_uploads_and_large_bodies(
    var_folder: Path, tmp_path: Path
) -> None:
    with guarded_service(tmp_path, nginx_or_skip()) as url:
        report = abuse(url, _SECONDS)
    assert report.took_s
    assert report.honest.lost == report.large.lost == report.wrong_keys.lost == []
    assert set(report.honest.answers) <= {200, 503}, report.lines()
    assert max(report.took_s) < _DEADLINE_S
    assert 401 in report.wrong_keys.answers
    assert set(report.wrong_keys.answers) <= {401, 429}, report.lines()
    assert set(report.large.answers) <= {413, 415, 422, 503}, report.lines()
