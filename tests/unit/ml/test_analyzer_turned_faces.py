"""A photo whose face lies on its side or upside down is answered as if it had been sent upright, and says so."""

from __future__ import annotations

import numpy as np
import pytest

from ml.models.face_search import turned
from tests.unit.ml.case import FLAT, OTHER, SKIN, Parts, analyze, face, round_mesh


def on_its_side(kind: str = "close_up") -> Parts:
    """A large face that is upright after one quarter turn to the left."""
    return Parts(large={1: [face(0.9)]}, meshes=[round_mesh()], kind=kind)


def test_the_photo_is_looked_up_upright_and_its_zones_lie_in_the_photo_as_it_was_sent() -> None:
    parts = on_its_side()
    analysis = analyze(parts, SKIN, OTHER)
    assert analysis.modality.label == "face"
    assert [problem.code for problem in analysis.quality.problems] == ["turned_photo"]
    assert np.array_equal(parts.embedded[0], turned(SKIN.rgb, 1))
    assert np.array_equal(parts.embedded[1], OTHER.rgb)
    assert analysis.photos == (SKIN, OTHER)
    upright = analyze(Parts([face(0.9)], meshes=[round_mesh()], kind="close_up"), SKIN, OTHER)
    assert analysis.skin == upright.skin  # the same landmarks: nothing depends on which way up they are
    assert upright.quality.problems == ()


def test_a_heat_map_explains_the_photo_as_it_was_looked_up() -> None:
    parts = on_its_side()
    analysis = analyze(parts, explain=True)
    assert "similar_cases" in {overlay.name for overlay in analysis.overlays}
    assert {photo.shape for photo in parts.embedded} == {turned(SKIN.rgb, 1).shape}


def test_small_turned_faces_are_sought_where_no_skin_is_recognised() -> None:
    parts = Parts(turned={2: [face(0.7)]}, meshes=[round_mesh()], kind="not_skin")
    analysis = analyze(parts)
    assert analysis.modality.label == "face"
    assert analysis.skin.zones
    assert [problem.code for problem in analysis.quality.problems] == ["turned_photo"]
    assert "faces, turned" not in analyze_and_ask(Parts(kind="close_up"))


@pytest.mark.parametrize("kind", ["close_up", "dermatoscopic"])
def test_small_turned_faces_are_sought_where_the_photo_is_stated_to_be_of_a_face(kind: str) -> None:
    parts = Parts(turned={3: [face(0.55)]}, meshes=[round_mesh()], kind=kind)
    assert analyze(parts, modality="face").skin.zones


def analyze_and_ask(parts: Parts) -> list[str]:
    analyze(parts)
    return parts.asked()


@pytest.mark.parametrize("kind", ["close_up", "lesion_close_up", "not_skin"])
def test_large_faces_are_sought_again_where_none_was_found(kind: str) -> None:
    assert "large faces" in analyze_and_ask(Parts(kind=kind))


def test_no_second_look_is_taken_at_what_is_sure() -> None:
    assert "large faces" not in analyze_and_ask(Parts(kind="dermatoscopic"))
    assert "large faces" not in analyze_and_ask(Parts([face(0.9)], meshes=[round_mesh()], kind="not_skin"))
    flat = Parts(kind="not_skin")
    analyze(flat, FLAT)
    assert "large faces" not in flat.asked()


def test_a_face_that_fills_the_photo_is_found_at_the_second_look_without_being_turned() -> None:
    parts = Parts(large={0: [face(0.9)]}, meshes=[round_mesh()], kind="not_skin")
    analysis = analyze(parts)
    assert (analysis.modality.label, analysis.modality.confidence) == ("face", 0.9)
    assert analysis.quality.problems == ()
    assert parts.asked().count("encode") == 1
