"""A photo's maps are computed once, and a subject's parts share them."""

from __future__ import annotations

import numpy as np

from ml.skin.frame import Frame, Part, Subject, once
from ml.skin.outline import lesions
from ml.skin.texture import surface
from ml.values import Zone
from tests.unit.ml.skin_images import MONK, disc, skin_on, skin_patch, with_lesion

LEFT = Zone("left_cheek", ((0.05, 0.2), (0.45, 0.2), (0.45, 0.8), (0.05, 0.8)))
RIGHT = Zone("right_cheek", ((0.55, 0.2), (0.95, 0.2), (0.95, 0.8), (0.55, 0.8)))


def test_what_is_asked_for_twice_is_computed_once() -> None:
    asked: list[str] = []

    @once
    def pixels(part: Part) -> int:
        asked.append(part.name)
        return part.region.pixels

    subject = Subject(Frame(skin_patch(MONK[4])), (LEFT, RIGHT))
    for _ in range(2):
        assert [pixels(part) for part in (subject.whole, *subject.zone_parts)]
    assert asked == ["face", "left_cheek", "right_cheek"]


def test_a_lesion_is_outlined_once_and_the_zones_of_a_face_share_its_surface() -> None:
    lesion = Subject(Frame(with_lesion(skin_patch(MONK[4]), disc(radius=45)))).whole
    assert lesions(lesion) is lesions(lesion) is not None
    face = Subject(Frame(skin_patch(MONK[4])), (LEFT, RIGHT))
    assert {id(surface(part.whole)) for part in face.zone_parts} == {id(surface(face.whole))}


def test_lengths_are_those_of_the_photo_as_it_was_sent() -> None:
    frame = Frame(skin_patch(MONK[4], 600, 1024), width=4096, height=2400)
    assert frame.copy.shape == (300, 512, 3)
    assert frame.scale == 8


def test_a_faces_skin_is_that_of_its_own_colour() -> None:
    half = np.zeros((384, 512), np.bool_)
    half[:, 256:] = True
    photo = skin_on((130, 92, 67), MONK[2], half)  # beside a person, a wall as brown as skin may be
    subject = Subject(Frame(photo), (RIGHT,))
    assert subject.whole.name == "face"
    assert subject.whole.region.mask[:, :256].sum() == 0
    assert subject.otherwise is None


def test_a_portrait_without_its_face_is_lost() -> None:
    photo = skin_patch(MONK[4])
    assert Subject(Frame(photo), (), portrait=True).whole.lost
    assert not Subject(Frame(photo), (), portrait=False).whole.lost
    assert not Subject(Frame(photo), (LEFT,), portrait=True).whole.lost
