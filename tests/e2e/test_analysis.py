"""What a client gets for a photo, in every form in which clients send one."""

from __future__ import annotations

import base64
import io
import json

import pytest
from PIL import Image
from skimage import data

from tests.e2e.server import Server, skin_photo

PARTS = {"pytorch", "tensorflow", "faiss", "scin_index", "image_processing", "faces"}


def portrait() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(data.astronaut()).save(buffer, "JPEG", quality=95)
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


def test_an_answer_says_what_it_rests_on(server: Server) -> None:
    response = server.post(files={"image": skin_photo()}, data={"k": "3"})
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
    assert answer["skin"]["tone"]["ita_deg"] is not None


def test_no_disease_is_named_from_generated_skin(server: Server) -> None:
    answer = server.post(files={"image": skin_photo()}).json()
    assert answer["index"]["synthetic"] is True
    assert answer["conditions"] == []
    assert answer["decision"] == {
        "kind": "abstain",
        "set": [],
        "coverage": None,
        "group": None,
        "reasons": ["synthetic_index", "dermatoscopic_photo"],
    }
    assert answer["accuracy"] is None
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
    assert answer["lesion"] is None
    assert any("dermatoscope" in note and "face" in note for note in answer["notes"])


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
