"""JPEGs that lost data: libjpeg only warns about them and fills the rest in."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data as pictures

from ml.errors import DamagedImageError
from ml.imaging.decode import decode
from tests.unit.ml.photo_files import save

END = b"\xff\xd9"
FORMS = {"baseline": {}, "restarts": {"restart_marker_rows": 1}, "progressive": {"progressive": True}}


def photo_file(form: str) -> bytes:
    return save(pictures.astronaut(), "JPEG", quality=90, **FORMS[form])


@pytest.mark.parametrize("form", ["baseline", "restarts"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_a_missing_end_is_refused_although_an_end_marker_follows(form: str, share: float) -> None:
    whole = photo_file(form)
    with pytest.raises(DamagedImageError, match="Send the original file"):
        decode(whole[: int(len(whole) * share)] + END)


@pytest.mark.parametrize("form", FORMS)
def test_a_text_mode_transfer_is_refused(form: str) -> None:
    with pytest.raises(DamagedImageError):
        decode(photo_file(form).replace(b"\n", b"\r\n"))


@pytest.mark.parametrize("form", FORMS)
def test_an_overwritten_middle_is_refused(form: str) -> None:
    whole = photo_file(form)
    middle, length = len(whole) // 2, len(whole) // 10
    rubbish = np.random.default_rng(3).bytes(length)
    with pytest.raises(DamagedImageError):
        decode(whole[:middle] + rubbish + whole[middle + length :])


def test_a_few_lost_rows_are_a_problem_of_the_photo() -> None:
    whole = photo_file("baseline")
    problems = decode(whole[: int(len(whole) * 0.995)] + END).problems
    assert [problem.code for problem in problems] == ["damaged"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rest", [b"", b"\0" * 5000, b"<html></html>"])
def test_a_whole_photo_has_no_problem_whatever_follows_it(form: str, rest: bytes) -> None:
    assert decode(photo_file(form) + rest).problems == ()
