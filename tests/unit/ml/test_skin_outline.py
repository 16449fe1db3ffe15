from __future__ import annotations

import csv
import gzip
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from ml.imaging.decode import decode
from ml.skin.frame import Frame, Subject
from ml.skin.outline import NETWORK, SIDE, Segmentation, lesions, normalised, outline
from ml.values import RGB, Mask
from tests.unit.ml.skin_images import MONK, disc, flat, skin_patch, with_lesion

SPOT = disc(radius=45)


def iou(found: Segmentation | None, truth: Mask) -> float:
    return 0.0 if found is None else float((found.mask & truth).sum() / (found.mask | truth).sum())


@pytest.mark.parametrize("swatch", MONK)
def test_a_dark_spot_is_outlined_on_every_tone(swatch: str) -> None:
    assert iou(outline(with_lesion(skin_patch(swatch), SPOT)), SPOT) > 0.85


@pytest.mark.parametrize("factors", [(2.0, 2.4, 2.6), (0.9, 0.6, 0.6)], ids=["pale", "red"])
def test_pale_and_red_patches_are_outlined_too(factors: tuple[float, float, float]) -> None:
    assert iou(outline(with_lesion(skin_patch(MONK[6]), SPOT, factors)), SPOT) > 0.7


@pytest.mark.parametrize("swatch", MONK)
def test_plain_skin_has_no_lesion(swatch: str) -> None:
    assert outline(skin_patch(swatch)) is None


def test_a_flat_photo_has_no_lesion() -> None:
    assert outline(flat(MONK[3])) is None


def test_no_skin_no_lesion() -> None:
    assert lesions(Subject(Frame(flat("2040a0", 384, 512))).whole) is None


def test_dark_corners_are_no_sure_lesion() -> None:
    rows, columns = np.mgrid[:384, :512]
    photo = with_lesion(skin_patch(MONK[3]), np.asarray(np.hypot(rows - 192, columns - 256) > 270, np.bool_))
    found = outline(photo)
    assert found is None or not found.sure


def test_a_shadow_from_the_edge_is_no_sure_lesion() -> None:
    edge = np.zeros(SPOT.shape, np.bool_)
    edge[:, :60] = True
    found = outline(with_lesion(skin_patch(MONK[3]), edge))
    assert found is None or not found.sure


def with_hairs(photo: RGB) -> RGB:
    rng = np.random.default_rng(3)
    for x, y in rng.uniform(20, 360, (40, 2)):
        end = (int(x + rng.uniform(30, 80)), int(y + rng.uniform(-20, 20)))
        cv2.line(photo, (int(x), int(y)), end, (60, 40, 30), 2, cv2.LINE_AA)
    return photo


def test_hairs_are_no_sure_lesion() -> None:
    found = outline(with_hairs(skin_patch(MONK[2])))
    assert found is None or not found.sure


def test_a_lesion_is_outlined_under_hairs() -> None:
    assert iou(outline(with_hairs(with_lesion(skin_patch(MONK[2]), SPOT))), SPOT) > 0.8


def test_a_smaller_copy_shows_the_same_lesion() -> None:
    photo = with_lesion(skin_patch(MONK[4]), SPOT)
    small = np.asarray(cv2.resize(photo, (128, 96), interpolation=cv2.INTER_AREA), np.uint8)
    assert iou(outline(small), SPOT[2::4, 2::4]) > 0.85


@pytest.mark.parametrize("place", [(0, 0), (-160, 0), (150, -220)], ids=["middle", "top", "corner"])
def test_a_small_lesion_is_outlined_where_it_is(place: tuple[int, int]) -> None:
    small = np.roll(disc(radius=18), place, (0, 1))
    assert iou(outline(with_lesion(skin_patch(MONK[3]), small)), small) > 0.8


def test_a_mirrored_photo_has_the_mirrored_outline() -> None:
    photo = with_lesion(skin_patch(MONK[4]), np.roll(SPOT, (40, 60), (0, 1)))
    found, mirrored = outline(photo), outline(np.ascontiguousarray(photo[:, ::-1]))
    assert mirrored is not None
    assert iou(found, mirrored.mask[:, ::-1]) > 0.97


def test_the_narrow_outline_lies_inside_and_the_wide_one_outside() -> None:
    photo = with_lesion(skin_patch(MONK[4]), SPOT)
    found = outline(np.asarray(cv2.GaussianBlur(photo, (0, 0), 12), np.uint8))
    assert found is not None
    assert found.narrow.sum() < found.mask.sum() < found.wide.sum()
    assert not (found.narrow & ~found.mask).any()
    assert not (found.mask & ~found.wide).any()


def test_the_outline_of_a_clear_lesion_is_sure() -> None:
    found = outline(with_lesion(skin_patch(MONK[2]), SPOT))
    assert found is not None
    assert found.sure


def test_specks_beside_a_lesion_are_left_out() -> None:
    speck = np.zeros(SPOT.shape, np.bool_)
    speck[40:48, 40:48] = True
    found = outline(with_lesion(skin_patch(MONK[4]), SPOT | speck))
    assert found is not None
    assert not found.mask[speck].any()


def test_a_mask_limits_the_outline() -> None:
    left = np.zeros(SPOT.shape, np.bool_)
    left[:, :256] = True
    found = outline(with_lesion(skin_patch(MONK[4]), SPOT), left)
    assert found is not None
    assert iou(found, SPOT & left) > 0.8
    assert outline(with_lesion(skin_patch(MONK[4]), SPOT), np.zeros_like(left)) is None


def test_threads_do_not_disturb_each_other() -> None:
    photos = [with_lesion(skin_patch(swatch), np.roll(SPOT, 9 * n, 1)) for n, swatch in enumerate(MONK)]
    alone = [outline(photo) for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        for before, found in zip(alone, pool.map(outline, photos), strict=True):
            assert before is not None
            assert found is not None
            np.testing.assert_array_equal(found.mask, before.mask)


def test_opencv_and_onnx_runtime_agree_on_the_network() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    graph = gzip.decompress(NETWORK.read_bytes())
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    photo = normalised(cv2.resize(with_lesion(skin_patch(MONK[4]), SPOT), (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    batch = np.stack([photo] * 2)
    (expected,) = session.run(None, {session.get_inputs()[0].name: batch})
    network = cv2.dnn.readNetFromONNX(np.frombuffer(graph, np.uint8))
    network.setInput(batch)
    np.testing.assert_allclose(network.forward(), expected, atol=1e-3)


def test_the_network_is_small() -> None:
    assert NETWORK.stat().st_size < 200_000


def test_outlines_agree_with_those_that_people_draw(shared_data: Path) -> None:
    """The network was fitted to these photos, so this shows that it is served as it was trained, not how good it is."""
    with (shared_data / "pad" / "labels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["mask"]][::6]
    found = []
    for row in rows:
        photo = decode((shared_data / "pad" / row["file"]).read_bytes()).rgb
        truth = decode((shared_data / "pad" / row["mask"]).read_bytes()).rgb[..., 0]
        drawn = cv2.resize(truth, photo.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 127
        found.append(iou(outline(photo), drawn))
    assert np.median(found) > 0.7


def test_a_close_call_about_the_skin_does_not_outline_the_photo_again() -> None:
    photo = with_lesion(skin_patch(MONK[4], 256, 256), disc(256, 256, 40))
    photo[60:180, 2:60] = (60, 140, 60)  # an area that skin hardly shuts from the frame
    subject = Subject(Frame(photo))
    assert subject.otherwise is not None
    found = lesions(subject.whole)
    assert found is not None
    assert lesions(subject.otherwise) is found
