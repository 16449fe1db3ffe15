"""JPEGs that lost data: libjpeg only warns about them and fills the rest in."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data as pictures

from ml.errors import DamagedImageError
from ml.imaging.decode import decode
from tests.unit.ml.photo_files import orientation_exif, save

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


@pytest.mark.parametrize("end", [END, b""])
@pytest.mark.parametrize("form", ["baseline", "restarts"])
def test_a_few_lost_rows_are_a_problem_and_are_cut_off(form: str, end: bytes) -> None:
    """What libjpeg fills them with would be measured as skin."""
    whole = photo_file(form)
    photo = decode(whole[: int(len(whole) * 0.995)] + end)
    assert [problem.code for problem in photo.problems] == ["damaged"]
    kept = len(photo.rgb)
    assert 512 - 32 <= kept == photo.height < 512
    assert photo.width == photo.rgb.shape[1] == 512
    assert np.array_equal(photo.rgb[:-1], decode(whole).rgb[: kept - 1]), "only chroma of the last row may blend"


def test_lost_rows_are_cut_off_where_they_were_stored() -> None:
    """The bottom of what the file stores is the left side of this upright photo."""
    whole = save(pictures.astronaut(), "JPEG", quality=90, exif=orientation_exif(6))
    photo = decode(whole[: int(len(whole) * 0.995)])
    assert photo.rgb.shape[0] == photo.height == 512
    assert photo.rgb.shape[1] == photo.width < 512
    assert np.array_equal(photo.rgb[:, 1:], decode(whole).rgb[:, 1 - photo.width :])


def test_a_missing_end_marker_alone_loses_nothing() -> None:
    whole = photo_file("baseline")
    photo = decode(whole[:-2])
    assert [problem.code for problem in photo.problems] == ["damaged"]
    assert np.array_equal(photo.rgb, decode(whole).rgb)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_a_progressive_photo_that_ends_early_is_refused(share: float) -> None:
    """Nobody sees where it is coarse."""
    whole = photo_file("progressive")
    with pytest.raises(DamagedImageError):
        decode(whole[: int(len(whole) * share)])


@pytest.mark.parametrize("form", ["baseline", "progressive"])
def test_bytes_that_are_missing_in_the_middle_are_not_taken_for_a_missing_end(form: str) -> None:
    whole = photo_file(form)
    middle = len(whole) // 2
    with pytest.raises(DamagedImageError):
        decode(whole[:middle] + whole[middle + 100 :])


@pytest.mark.parametrize("form", FORMS)
def test_a_hole_is_refused(form: str) -> None:
    whole = photo_file(form)
    middle, length = len(whole) // 2, len(whole) // 20
    with pytest.raises(DamagedImageError):
        decode(whole[:middle] + bytes(length) + whole[middle + length :])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rest", [b"", b"\0" * 5000, b"<html></html>"])
def test_a_whole_photo_has_no_problem_whatever_follows_it(form: str, rest: bytes) -> None:
    assert decode(photo_file(form) + rest).problems == ()
