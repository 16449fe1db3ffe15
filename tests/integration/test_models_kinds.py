"""The heads that ship, on the encoder that is served: what pictures and real photos are taken for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.analysis.routing import route
from ml.imaging.decode import decode
from ml.models.encoder import Encoder
from ml.models.kinds import KindOfPhoto, read_kinds
from ml.models.lesion_views import views_of
from ml.models.phone_lesions import read_phone_lesions
from ml.skin.frame import Frame, Subject
from ml.values import NOT_SKIN, RGB, Patient
from scin.synthetic import plan_cases, render_case

pytestmark = pytest.mark.models

Look = Callable[[RGB], str | None]


@pytest.fixture(scope="module")
def look(encoder: Encoder) -> Look:
    """What a photo is called where no face was found."""
    kinds = KindOfPhoto(read_kinds())

    def label(photo: RGB) -> str | None:
        return route(kinds, None, kinds.evidence(encoder.embed([photo])[0], 0.0)).modality.label

    return label


def labels(look: Look, folder: Path) -> list[str | None]:
    paths = sorted(folder.glob("*.jpg"))
    assert paths
    return [look(decode(path.read_bytes()).rgb) for path in paths]


def test_the_heads_were_fitted_to_this_encoder(encoder: Encoder) -> None:
    assert read_kinds().fingerprint == encoder.fingerprint
    assert read_phone_lesions().fingerprint == encoder.fingerprint


def test_the_model_for_phone_photos_answers_most_of_its_own_data(encoder: Encoder, shared_data: Path) -> None:
    model, answered, photos = read_phone_lesions(), 0, sorted((shared_data / "pad" / "img").glob("*.jpg"))[::8]
    for path in photos:
        photo = decode(path.read_bytes()).rgb
        decision = model.classify(views_of(encoder, [photo], [Subject(Frame(photo)).whole]), Patient()).decision
        answered += decision is not None and decision.kind != "none_of_these"
    assert answered >= 0.9 * len(photos) > 0


@pytest.mark.parametrize(
    "name", ["chelsea.png", "coffee.png", "text.png", "coins.png", "moon.png", "motorcycle_left.png"]
)
def test_other_things_are_not_skin(look: Look, name: str) -> None:
    import skimage

    assert look(decode((Path(skimage.__file__).parent / "data" / name).read_bytes()).rgb) == NOT_SKIN


def test_noise_and_plain_colours_are_not_skin(look: Look) -> None:
    random = np.random.default_rng(5)
    for spread in (2, 20, 80):
        noise = random.normal((200, 150, 125), spread, (300, 400, 3))
        assert look(np.clip(noise, 0, 255).astype(np.uint8)) == NOT_SKIN


def test_generated_skin_of_every_tone_is_skin_and_gets_no_lesion_model(look: Look) -> None:
    """The demonstration's index consists of it. One in ten may be missed: it is no photo."""
    cases = plan_cases(30, seed=3)
    found = [look(render_case(replace(case, views=case.views[:1]))[0].rgb) for case in cases]
    assert "dermatoscopic" not in found
    assert found.count(NOT_SKIN) <= 3


def test_dermatoscopic_photos_are_called_so(look: Look, shared_data: Path) -> None:
    found = labels(look, shared_data / "isic")
    assert found.count("dermatoscopic") >= 0.9 * len(found)


def test_clinical_photos_are_neither_dermatoscopic_nor_something_else(look: Look, shared_data: Path) -> None:
    found = labels(look, shared_data / "clinical")
    assert found.count("dermatoscopic") <= 0.01 * len(found)
    assert found.count(NOT_SKIN) <= 0.03 * len(found)
