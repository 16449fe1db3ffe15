from __future__ import annotations

import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from ml.imaging.encodings import linear_to_srgb
from ml.skin.colour import srgb_to_linear
from ml.skin.frame import Frame
from ml.skin.quality import assess
from ml.values import RGB, Quality
from tests.unit.ml.skin_images import MONK, disc, flat, flushed, skin_on, skin_patch, with_lesion


def judge(photo: RGB, width: int = 1600, height: int = 1200) -> Quality:
    return assess(Frame(photo, width, height))


def codes(quality: Quality) -> set[str]:
    return {problem.code for problem in quality.problems}


def lit(photo: RGB, *gains: float) -> RGB:
    return linear_to_srgb(srgb_to_linear(photo) * np.array(gains, np.float32))


#: a little skin before a wall that is blueish on one side
FAR_AWAY = skin_on((118, 118, 118), MONK[4], disc(radius=40))
FAR_AWAY[:, :120] = np.rint(FAR_AWAY[:, :120] * (0.9, 1.0, 1.2)).astype(np.uint8)
GOOD = with_lesion(flushed(skin_patch(MONK[4])), disc(radius=45))


@pytest.mark.parametrize("swatch", MONK)
def test_a_good_photo_has_no_problem_in_any_tone(swatch: str) -> None:
    quality = judge(flushed(skin_patch(swatch)))
    assert quality.usable
    assert quality.problems == ()
    assert 80 <= quality.score <= 100


@pytest.mark.parametrize(
    ("code", "photo"),
    [
        ("too_blurry", cv2.GaussianBlur(GOOD, (0, 0), 3)),
        ("too_dark", lit(GOOD, 0.01, 0.01, 0.01)),
        ("too_bright", lit(GOOD, 2.2, 2.8, 4.5)),
        ("clipped", lit(GOOD, 1.9, 1.5, 1.5)),
        ("colour_cast", lit(GOOD, 0.25, 0.5, 1.6)),
        ("colour_cast", lit(GOOD, 0.6, 1.4, 0.8)),
        ("little_skin", FAR_AWAY),
    ],
    ids=["blurred", "dark", "bright", "clipped", "blue", "green", "distant"],
)
def test_each_fault_is_named_and_costs_points(code: str, photo: RGB) -> None:
    quality = judge(photo)
    assert code in codes(quality)
    assert quality.usable
    assert quality.score < judge(GOOD).score


def test_few_pixels_in_the_original_are_named_whatever_was_decoded() -> None:
    assert codes(judge(GOOD, 320, 240)) == {"low_resolution"}
    assert codes(judge(GOOD, 640, 480)) == set()


def test_every_problem_says_what_it_is_and_what_to_do() -> None:
    for problem in judge(lit(cv2.GaussianBlur(GOOD, (0, 0), 5), 0.01, 0.01, 0.012), 100, 90).problems:
        assert problem.message
        assert problem.advice


@pytest.mark.parametrize("photo", [flat(MONK[2]), np.zeros((64, 64, 3), np.uint8)], ids=["skin", "black"])
def test_only_an_even_area_is_unusable(photo: RGB) -> None:
    quality = judge(photo)
    assert not quality.usable
    assert quality.score == 0
    assert "no_contrast" in codes(quality)


def test_more_blur_never_scores_higher() -> None:
    scores = [judge(cv2.GaussianBlur(GOOD, (0, 0), sigma)).score for sigma in (0.5, 1, 2, 4, 8)]
    assert scores == sorted(scores, reverse=True)


def tinted(photo: RGB, *codes: float) -> RGB:
    """In black and white, and its white in that colour."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None] / 255
    return np.rint(grey * np.array(codes)).astype(np.uint8)


def as_jpeg(photo: RGB) -> RGB:
    return np.asarray(Image.open(io.BytesIO(cv2.imencode(".jpg", photo[..., ::-1])[1].tobytes())))


@pytest.mark.parametrize("stored", [lambda photo: photo, as_jpeg], ids=["raw", "JPEG"])
@pytest.mark.parametrize("white", [(255, 255, 255), (255, 250, 240), (255, 227, 177), (140, 255, 140)])
def test_black_and_white_and_one_hue_are_told(white: tuple[int, int, int], stored: Callable[[RGB], RGB]) -> None:
    quality = judge(stored(tinted(data.astronaut(), *white)))
    assert quality.usable
    assert not quality.colours
    assert codes(quality) == {"no_colour"}


def test_an_even_patch_of_one_hue_may_be_skin() -> None:
    assert judge(skin_patch(MONK[4])).colours
    assert not judge(tinted(skin_patch(MONK[4]), 255, 255, 255)).colours


@pytest.mark.parametrize("photo", [GOOD, as_jpeg(GOOD), lit(GOOD, 0.25, 0.5, 1.6), data.astronaut(), data.coffee()])
def test_colours_are_colours_in_any_light(photo: RGB) -> None:
    assert judge(photo).colours
    assert "no_colour" not in codes(judge(photo))
