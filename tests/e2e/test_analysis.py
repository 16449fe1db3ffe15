"""What a client gets for a photo, in every form in which clients send one."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image
from skimage import data

from tests.e2e.server import Server, skin_photo

PARTS = {"pytorch", "tensorflow", "faiss", "scin_index", "image_processing", "faces"}


def portrait(degrees: int = 0, mode: str = "RGB") -> bytes:
    """A face, turned to the left; no EXIF tells of it."""
    buffer = io.BytesIO()
    Image.fromarray(data.astronaut()).convert(mode).rotate(degrees).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def forms(photo: bytes) -> dict[str, dict[str, object]]:
    """Every request form, as arguments of requests.post."""
    encoded = base64.b64encode(photo).decode()
    head = b'--cut\r\nContent-Disposition: form-data; name="image"; filename="skin.jpg"\r\n\r\n'
    as_json = {"Content-Type": "application/json"}
    return {
        "multipart": {"files": {"image": ("skin.jpg", photo)}},
        "multipart, another name": {"files": {"file": ("x", photo)}},
        "base64": {"json": {"image": encoded}},
        "data URL": {"json": {"image_data": f"data:image/jpeg;base64,{encoded}", "unknown": 1}},
        "raw body": {"data": photo, "headers": {"Content-Type": "image/jpeg"}},
        "multipart sent as JSON": {"data": head + photo + b"\r\n--cut--\r\n", "headers": as_json},
        "junk before the photo": {"files": {"image": ("skin.jpg", b"data:image/jpeg" + photo)}},
    }


@pytest.mark.parametrize("form", forms(b"").keys())
def test_every_request_form_gives_the_same_analysis(server: Server, form: str) -> None:
    photo = skin_photo()
    expected = server.post(files={"image": photo}).json()["lesion"]["predictions"]
    response = server.post(**forms(photo)[form])
    assert response.status_code == 200, response.text
    answer = response.json()
    assert [p["code"] for p in answer["lesion"]["predictions"]] == [p["code"] for p in expected]
    assert [p["probability"] for p in answer["lesion"]["predictions"]] == pytest.approx(
        [p["probability"] for p in expected], abs=1e-5
    )


@pytest.mark.parametrize("scale", ["0.001", "1000"])
@pytest.mark.parametrize("language", ["en", "es"])
def test_each_scale_that_is_accepted_gives_lengths(server: Server, scale: str, language: str) -> None:
    fields = {"pixels_per_mm": scale, "modality": "lesion_close_up"}
    response = server.post(files={"image": skin_photo()}, data=fields, headers={"Accept-Language": language})
    assert response.status_code == 200, response.text
    (diameter,) = [one for one in response.json()["skin"]["measurements"] if one["name"] == "lesion_diameter_mm"]
    assert diameter["value"] > 0


def test_an_answer_says_what_it_rests_on(server: Server) -> None:
    response = server.post(files={"image": skin_photo()}, data={"k": "3", "detail": "full"})
    answer = response.json()
    assert response.headers["Cache-Control"] == "no-store"
    assert answer["success"] is True
    assert sum(p["probability"] for p in answer["lesion"]["predictions"]) == pytest.approx(1, abs=1e-3)
    assert {model["framework"] for model in answer["models"]} == {"pytorch", "tensorflow", "litert"}
    assert answer["index"]["dimension"] == 512
    assert answer["index"]["cases"] >= 300
    assert len(answer["similar_cases"]) == 3
    similarities = [case["similarity"] for case in answer["similar_cases"]]
    assert similarities == sorted(similarities, reverse=True)
    assert answer["skin"]["tone"]["group"] is not None


def test_no_disease_is_named_from_generated_skin(server: Server) -> None:
    answer = server.post(files={"image": skin_photo()}).json()
    assert answer["index"]["synthetic"] is True
    assert answer["conditions"] == []
    assert answer["decision"] == {
        "kind": "abstain",
        "set": [],
        "reasons": ["synthetic_index", "dermatoscopic_photo"],
    }
    assert "accuracy" not in answer
    assert all(case["demonstration"] for case in answer["similar_cases"])


def test_a_photo_of_the_index_finds_its_own_case(server: Server, var_folder) -> None:
    case = next(path for path in sorted((var_folder / "sample" / "dataset" / "images").iterdir()))
    answer = server.post(files={"image": case.read_bytes()}, data={"modality": "close_up"}).json()
    assert answer["similar_cases"][0]["similarity"] == pytest.approx(1.0, abs=1e-3)
    thumbnail = server.get(answer["similar_cases"][0]["thumbnail"])
    assert thumbnail.headers["Content-Type"] == "image/webp"
    assert max(Image.open(io.BytesIO(thumbnail.content)).size) == 160


def test_a_face_gets_zones_and_no_lesion_verdict(server: Server) -> None:
    answer = server.post(files={"image": portrait()}).json()
    assert answer["modality"]["label"] == "face"
    assert {zone["name"] for zone in answer["skin"]["zones"]} >= {"forehead", "nose", "chin"}
    assert "lesion" not in answer
    assert any("dermatoscope" in note for note in answer["notes"])


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_portrait_is_answered_as_the_upright_one_and_its_zones_fit_it(server: Server, degrees: int) -> None:
    full = {"detail": "full"}
    upright, answer = (server.post(files={"image": portrait(by)}, data=full).json() for by in (0, degrees))
    assert answer["modality"]["label"] == "face"
    assert [problem["code"] for problem in answer["quality"]["problems"]] == ["turned_photo"]
    assert answer["skin"]["tone"]["group"] == upright["skin"]["tone"]["group"]
    cases, same = ([case["case_id"] for case in of["similar_cases"]] for of in (answer, upright))
    assert cases[:2] == same[:2]
    corners, turned = ({zone["name"]: zone["polygon"] for zone in of["skin"]["zones"]} for of in (upright, answer))
    assert turned.keys() == corners.keys()
    angle = np.radians(degrees)  # about the middle of a square photo; y points down
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for name, polygon in corners.items():
        expected = (np.array(polygon) - 0.5) @ turn.T + 0.5
        assert np.abs(np.array(turned[name]) - expected).max() < 0.02, name


@pytest.mark.parametrize("degrees", [0, 180])
def test_a_portrait_in_black_and_white_is_a_face(server: Server, degrees: int) -> None:
    answer = server.post(files={"image": portrait(degrees, "L")}).json()
    assert answer["modality"]["label"] == "face"
    assert answer["skin"]["zones"]


def test_no_tone_is_told_of_a_face_that_was_not_found(server: Server) -> None:
    skin = server.post(files={"image": skin_photo()}, data={"modality": "face"}).json()["skin"]
    assert skin["zones"] == []
    assert not {"group", "group_range"} & set(skin["tone"])
    assert "face was not found" in skin["tone"]["caveat"]


def test_age_sex_and_site_reach_the_classifier(server: Server) -> None:
    plain = server.post(files={"image": skin_photo()}).json()["lesion"]["malignant_probability"]
    told = server.post(files={"image": skin_photo()}, data={"age": "85", "sex": "male", "body_site": "face"}).json()
    assert told["lesion"]["malignant_probability"] != pytest.approx(plain, abs=1e-4)


def test_three_views_of_one_case_are_one_analysis(server: Server) -> None:
    views = [("image", (f"{n}.jpg", skin_photo(seed=n))) for n in range(3)]
    answer = server.post(files=views).json()
    assert len(answer["image"]["views"]) == 3
    assert server.post(files=[*views, views[0]]).status_code == 400


def test_the_self_test_reports_every_part(server: Server) -> None:
    response = server.post(json={"test": "ml_capability"})
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["success"] is True
    assert {part["name"] for part in answer["parts"]} == PARTS
    for part in answer["parts"]:
        assert part["ok"] is True
        assert part["version"]
        assert part["ms"] >= 0


def test_the_log_has_one_line_for_an_analysis_and_nothing_of_the_photo(server: Server) -> None:
    photo = skin_photo(seed=77)
    headers = {"X-Request-ID": "a-request-to-look-for"}
    server.post(files={"image": ("my-private-name.jpg", photo)}, headers=headers)
    log = server.log.read_text()
    lines = [json.loads(line) for line in log.splitlines() if "a-request-to-look-for" in line]
    (analysis,) = [line for line in lines if line["event"] == "analysis"]
    assert analysis["status"] == 200
    assert analysis["inference_ms"] > 0
    assert "my-private-name" not in log
    assert base64.b64encode(photo)[:40].decode() not in log
