"""What the command prints and saves, and its exit status."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dermserve.__main__ import main
from dermserve.output import COLUMNS

from tests.unit.client.scripted_service import ANSWER, SUMMARY, Script, refusal


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "skin.jpg"
    path.write_bytes(b"a photo")
    return path


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.delenv("DERMSERVE_KEY", raising=False)


def test_the_table_says_what_a_person_wants_to_know(
    service: Script, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(photo), "--url", service.url, "--full"]) == 0
    said = capsys.readouterr().out
    for text in (
        "skin.jpg",
        "This looks like one of several conditions: eczema or psoriasis. (uncertain)",
        "It is redder, too. (likely)",
        "Show the skin to a doctor if it worries you.",
        "No answer is an all-clear.",
        "Conditions: Eczema, Psoriasis (a right one is among them in 90%)",
        "reasons: not calibrated",
        "Blurred. Rest.",
        "medium in this photo, light to medium in another",
        "Eczema L30.9",
        "62.0%",
        "0.912",
        "c1 (generated)",
        "Redness",
        "1.25 a.u.",
        "A note.",
        "Not a medical device.",
    ):
        assert text in said, text
    assert said.index("Melanoma") < said.index("Nevus")  # the likelier first


def lines_of(answer: dict[str, Any], service: Script, photo: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is printed for ``answer``, with single spaces and without the frame."""
    service.answers = [(200, {}, answer)]
    assert main([str(photo), "--url", service.url, "--full"]) == 0
    return [" ".join(line.strip("│ ").split()) for line in capsys.readouterr().out.splitlines()]


def test_the_possible_lesion_classes_and_the_sums_are_printed(
    service: Script, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decision = {"kind": "set", "set": ["mel", "nv"], "coverage": 0.9}
    sums = [{"name": "cancer_or_precancerous", "codes": ["mel"], "probability": 0.7}]
    lesion = ANSWER["lesion"] | {"decision": decision, "sums": sums}
    text = " ".join(lines_of(ANSWER | {"lesion": lesion}, service, photo, capsys))
    assert "possible: Melanoma, Nevus (the right class is among them for 90.0% of photos" in text
    assert "cancer or precancerous, together: 70.0%" in text


def test_a_photo_unlike_the_lesion_models_data_gets_no_class(
    service: Script, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decision = {"kind": "none_of_these", "set": [], "coverage": None}
    lesion = ANSWER["lesion"] | {"decision": decision, "predictions": [], "sums": []}
    lines = lines_of(ANSWER | {"lesion": lesion}, service, photo, capsys)
    assert lines[lines.index("Lesion classes (sklesion)") + 1] == "none of them is named"
    assert "possible" not in " ".join(lines)


def test_labels_of_a_generated_case_are_called_made_up(
    service: Script, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (case,) = ANSWER["similar_cases"]
    assert "0.912 c1 (generated) made up: Eczema 80%" in lines_of(ANSWER, service, photo, capsys)
    real = ANSWER | {"similar_cases": [case | {"demonstration": False}]}
    assert "0.912 c1 Eczema 80%" in lines_of(real, service, photo, capsys)


def test_conditions_are_printed_with_their_calibrated_probability(
    service: Script, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (condition,) = ANSWER["conditions"]
    calibrated = condition | {"calibrated_probability": 0.23, "band": "possible"}
    (line,) = (
        one
        for one in lines_of(ANSWER | {"conditions": [calibrated]}, service, photo, capsys)
        if one.startswith("Eczema L30.9")
    )
    assert line.endswith("23.0% possible")
    assert "62" not in line


def test_a_tone_that_was_measured_and_one_that_was_not(
    service: Script, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = {"ita_deg": 12.5, "ita_uncertainty_deg": 4.0, "fitzpatrick_estimate": None, "monk_estimate": 6}
    tone = ANSWER["skin"]["tone"] | measured | {"group_range": ["medium", "medium"], "reference": "grey_card"}
    measurements = ANSWER["skin"]["measurements"]
    lines = lines_of(ANSWER | {"skin": {"tone": tone, "measurements": measurements}}, service, photo, capsys)
    assert "medium, measured with a grey card, ITA 12.50° ± 4.00°, Monk about 6" in lines
    nothing = {"caveat": ""}
    lines = lines_of(ANSWER | {"skin": {"tone": nothing, "measurements": measurements}}, service, photo, capsys)
    assert lines[lines.index("Skin tone") + 1] == "not measured"


@pytest.mark.parametrize(
    ("unit", "printed"),
    [("index", "0.75 0.50"), ("1", "0.75 0.50"), ("°", "0.75° 0.50°"), ("share of skin", "75.0% 50.0%")],
)
def test_what_has_no_dimension_is_printed_without_a_unit(
    service: Script, photo: Path, capsys: pytest.CaptureFixture[str], unit: str, printed: str
) -> None:
    one = ANSWER["skin"]["measurements"][0] | {"value": 0.75, "unit": unit, "uncertainty": 0.5}
    lines = lines_of(ANSWER | {"skin": {"tone": None, "measurements": [one]}}, service, photo, capsys)
    assert f"Redness {printed} skin –" in lines


def test_an_answer_with_detail_summary_is_printed(
    service: Script, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service.answers = [(200, {}, SUMMARY | {"mock": True})]
    assert main([str(photo), "--url", service.url, "--full", "--detail", "summary"]) == 0
    said = capsys.readouterr().out
    assert "MOCK" in said
    assert "It is redder, too." in said
    assert "Skin tone" not in said
    assert b'name="detail"\r\n\r\nsummary\r\n' in service.asked[0][1]


def test_the_whole_table_asks_for_the_whole_answer(service: Script, photo: Path) -> None:
    """The line does not, and no choice of the user is changed."""
    for arguments in ([], ["--full"], ["--full", "--detail", "thorough"]):
        assert main([str(photo), "--url", service.url, *arguments]) == 0
    line, table, thorough = (body for _, body in service.asked)
    assert b'name="detail"' not in line
    assert b'name="detail"\r\n\r\nfull\r\n' in table
    assert b'name="detail"\r\n\r\nthorough\r\n' in thorough


def test_json_is_the_answer_itself(service: Script, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(photo), "--url", service.url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ANSWER


def test_fields_are_passed_on(service: Script, photo: Path) -> None:
    arguments = ["--age", "54", "--sex", "female", "--body-site", "arm", "--modality", "lesion_close_up", "-k", "3"]
    arguments += ["--pixels-per-mm", "12.5", "--detail", "thorough"]
    arguments += ["--reference", "grey_card", "--white-point", "#b4b2ad", "--reflectance", "0.2"]
    main([str(photo), "--url", service.url, "--key", "k" * 16, *arguments])
    ((headers, body),) = service.asked
    assert headers["X-API-Key"] == "k" * 16
    sent = {"age": "54.0", "sex": "female", "body_site": "arm", "modality": "lesion_close_up", "k": "3"}
    sent |= {"pixels_per_mm": "12.5", "detail": "thorough"}
    sent |= {"reference": "grey_card", "white_point": "#b4b2ad", "reflectance": "0.2"}
    for name, value in sent.items():
        assert f'name="{name}"\r\n\r\n{value}\r\n'.encode() in body


def test_a_folder_in_order_with_what_failed_named(
    service: Script, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("b.jpg", "a.PNG", "c.heic", "d.dcm", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    service.answers = [
        (200, {}, ANSWER),
        refusal(422, "damaged_image", "Damaged."),
        (200, {}, ANSWER),
        (200, {}, ANSWER),
    ]
    assert main([str(tmp_path), "--url", service.url, "--json", "--jobs", "1"]) == 1
    said = capsys.readouterr()
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [Path(line["photo"]).name for line in lines] == ["a.PNG", "b.jpg", "c.heic", "d.dcm"]
    assert [line["status"] for line in lines] == ["analysed", "refused", "analysed", "analysed"]
    assert lines[0] == {"photo": lines[0]["photo"], "status": "analysed", "answer": ANSWER, "error": None}
    assert lines[1]["answer"] is None
    assert lines[1]["error"]["code"] == "damaged_image"
    assert "b.jpg: Damaged." in said.err


def test_views_of_one_case_are_one_request(service: Script, tmp_path: Path) -> None:
    views = [tmp_path / f"{n}.jpg" for n in range(4)]
    for view in views:
        view.write_bytes(b"x")
    assert main(["--case", *map(str, views[:3]), "--url", service.url]) == 0
    assert len(service.asked) == 1
    with pytest.raises(SystemExit) as caught:
        main(["--case", *map(str, views), "--url", service.url])
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (refusal(415, "unsupported_image", "This is not an image."), 1),
        (refusal(500, "internal_error", "Something went wrong."), 3),
    ],
)
def test_the_exit_status_and_the_message_of_a_failure(
    service: Script,
    photo: Path,
    capsys: pytest.CaptureFixture[str],
    answer: tuple[int, dict[str, str], dict[str, dict[str, str]]],
    status: int,
) -> None:
    service.answers = [answer]
    assert main([str(photo), "--url", service.url, "--json"]) == status
    said = capsys.readouterr()
    assert json.loads(said.out) == answer[2]
    assert answer[2]["error"]["message"] in said.err


def test_a_service_that_is_not_there(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(photo), "--url", "http://127.0.0.1:9", "--patience", "0", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "unreachable"


@pytest.mark.parametrize("name", ["nothing.jpg", "empty"])
def test_what_is_not_there_is_said_before_anything_is_sent(
    service: Script, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / name), "--url", service.url]) == 2
    assert name in capsys.readouterr().err
    assert service.asked == []


def test_the_client_loads_nothing_of_the_service() -> None:
    code = (
        "import client.__main__, sys; ours = {'ml', 'scin', 'web', 'storage', 'settings', 'flask', 'numpy', 'torch'};"
        "print(*ours & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_photo_gets_one_line_the_next_step_and_the_limits(
    service: Script, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(photo), "--url", service.url]) == 0
    summary = ANSWER["summary"]
    assert capsys.readouterr().out.splitlines() == [
        f"{photo}: {summary['headline']} (uncertain; photo quality 61 of 100)",
        f"  {summary['next_step']}",
        f"  {summary['limits']}",
        ANSWER["disclaimer"],
    ]


def test_several_photos_get_one_line_each_and_a_total(
    service: Script, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(b"x")
    service.answers = [(200, {}, ANSWER), refusal(422, "damaged_image", "Damaged."), (200, {}, ANSWER)]
    assert main([str(tmp_path), "--url", service.url, "--jobs", "1"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == [str(tmp_path / "a.jpg"), str(tmp_path / "c.jpg")]
    assert lines[2:] == ["3 photos: 2 analysed, 1 refused.", ANSWER["disclaimer"]]


@pytest.mark.parametrize("several", [False, True])
def test_json_lines_and_csv_have_one_shape(
    service: Script, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], several: bool
) -> None:
    photos = [str(photo)] * 2 if several else [str(photo)]
    for last in ((200, {}, ANSWER), refusal(422, "damaged_image", "Damaged.")):
        service.answers = [(200, {}, ANSWER), last] if several else [last]
        main([*photos, "--url", service.url, "--jsonl", "--jobs", "1"])
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert {tuple(line) for line in lines} == {("photo", "status", "answer", "error")}
        assert len(lines) == len(photos)
        service.answers = [last]
        main([*photos, "--url", service.url, "--csv", "--jobs", "1"])
        rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        assert [row["photo"] for row in rows] == photos
        assert all(tuple(row) == COLUMNS for row in rows)
        analysed = last[0] == 200
        assert rows[-1]["headline"] == (ANSWER["summary"]["headline"] if analysed else "")
        assert rows[-1]["error"] == ("" if analysed else "Damaged.")


def test_a_photo_on_standard_input(
    service: Script, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"from a pipe")))
    assert main(["-", "--url", service.url]) == 0
    assert capsys.readouterr().out.startswith("standard input: ")
    assert b"from a pipe" in service.asked[0][1]
    with pytest.raises(SystemExit):
        main(["-", "-", "--url", service.url])


def test_the_language_is_asked_for(service: Script, photo: Path) -> None:
    assert main([str(photo), "--url", service.url, "--language", "es"]) == 0
    assert service.asked[0][0]["Accept-Language"] == "es"


def test_answer_report_and_overlays_are_saved_inside_the_folder(service: Script, photo: Path, tmp_path: Path) -> None:
    photo.write_bytes(b"\xff\xd8 a photo")
    out = tmp_path / "new" / "out"
    assert main([str(photo), "--url", service.url, "--out", str(out)]) == 0
    (place,) = out.iterdir()
    assert place.name.startswith("skin-")
    assert {path.name for path in place.iterdir()} == {"answer.json", "report.html", "skin_mask.png", "_zones.png"}
    assert (place / "_zones.png").read_bytes() == b"\x03\x04"
    assert json.loads((place / "answer.json").read_text()) == ANSWER
    assert b'name="outline"' in service.asked[0][1]
    page = (place / "report.html").read_text()
    for text in (
        ANSWER["summary"]["headline"],
        ANSWER["summary"]["next_step"],
        ANSWER["disclaimer"],
        "It is redder, too.",
        "data:image/jpeg;base64,",
        "1.25 a.u.",
    ):
        assert text in page
    assert "http" not in page  # it loads nothing


def test_what_an_answer_says_is_no_markup_in_the_report(service: Script, photo: Path, tmp_path: Path) -> None:
    summary = ANSWER["summary"] | {"headline": "<script>alert(1)</script>"}
    service.answers = [(200, {}, ANSWER | {"summary": summary})]
    assert main([str(photo), "--url", service.url, "--out", str(tmp_path / "out")]) == 0
    (page,) = (tmp_path / "out").rglob("report.html")
    assert "<script" not in page.read_text()


def test_a_folder_is_resumed_where_it_stopped(service: Script, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (photos / name).write_bytes(name.encode())
    command = [str(photos), "--url", service.url, "--out", str(out), "--jobs", "1"]
    service.answers = [(200, {}, ANSWER), refusal(500, "internal_error", "Something went wrong.")]
    assert main(command) == 3
    service.answers = [(200, {}, ANSWER)]
    assert main(command) == 0
    assert len(service.asked) == 3  # a was not sent again
    assert main(command) == 0
    assert len(service.asked) == 3
    assert main([*command, "--age", "50"]) == 0  # another request
    assert len(service.asked) == 5


def test_heat_maps_need_a_folder(service: Script, photo: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main([str(photo), "--url", service.url, "--explain"])
    assert main([str(photo), "--url", service.url, "--explain", "--out", str(tmp_path / "out")]) == 0
    assert b'name="explain"' in service.asked[0][1]
