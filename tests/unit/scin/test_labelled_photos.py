"""Labelled photos as people have them: folders, and the tables of known datasets."""

from __future__ import annotations

from pathlib import Path

import pytest

from scin.labelled_photos import LabelledPhoto, PhotosError, Source

HAM = "lesion_id,image_id,dx,dx_type,age,sex,localization\nHAM_1,ISIC_1,nv,histo,45.0,male,back\n"
ISIC = (
    "isic_id,attribution,copyright_license,age_approx,anatom_site_general,diagnosis_3,image_type,lesion_id,patient_id,sex\n"
    "ISIC_1,Some clinic,CC-0,60,head/neck,Nevus,dermoscopic,IL_1,IP_1,female\n"
)
PAD = (
    "patient_id,lesion_id,age,region,gender,fitspatrick,diagnostic,img_id\n"
    "PAT_1,7,33,ARM,FEMALE,2.0,NEV,PAT_1_7_9.png\n"
)
PAD_VARIANT = (
    "file,mask,patient_id,lesion_id,diagnostic,age,gender,region,fitspatrick\nimg/1.jpg,mask/1.png,PAT_1,7,NEV,33,,,\n"
)
FITZPATRICK = "md5hash,fitzpatrick_scale,label,url\nabc,5,psoriasis,https://example.org/abc.jpg\n"
PLAIN = "Path,Condition,Case_ID\na.jpg,Acne,1\n"


def photo(**stated: str) -> LabelledPhoto:
    return LabelledPhoto(**stated)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "kind", "row"),
    [
        (
            HAM,
            "dermatoscopic",
            photo(file="ISIC_1", label="nv", case="HAM_1", age="45.0", sex="male", body_site="back"),
        ),
        (
            ISIC,
            "dermatoscopic",
            photo(
                file="ISIC_1",
                label="Nevus",
                case="IL_1",
                patient="IP_1",
                age="60",
                sex="female",
                body_site="head/neck",
                kind="dermatoscopic",
                licence="CC-0",
            ),
        ),
        (
            PAD,
            "clinical",
            photo(
                file="PAT_1_7_9.png",
                label="NEV",
                case="7",
                patient="PAT_1",
                age="33",
                sex="FEMALE",
                body_site="ARM",
                skin_type="2.0",
            ),
        ),
        (PAD_VARIANT, "clinical", photo(file="img/1.jpg", label="NEV", case="7", patient="PAT_1", age="33")),
        (FITZPATRICK, "clinical", photo(file="abc", label="psoriasis", skin_type="5")),
        (PLAIN, None, photo(file="a.jpg", label="Acne", case="1")),
    ],
    ids=["HAM10000", "ISIC", "PAD-UFES-20", "PAD-UFES-20, variant", "Fitzpatrick17k", "plain"],
)
def test_the_tables_of_known_datasets_are_read(tmp_path: Path, text: str, kind: str | None, row: LabelledPhoto) -> None:
    (tmp_path / "table.csv").write_text(text, encoding="utf-8-sig")
    source = Source(tmp_path / "table.csv")
    assert (source.kind, list(source.rows())) == (kind, [row])


def test_a_folder_is_a_label(tmp_path: Path) -> None:
    for name in ("Acne/b.jpg", "Acne/deep/a.jpg", "Acne/.hidden.jpg", "Eczema/c.jpg", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    rows = list(Source(tmp_path).rows())
    assert [(row.file, row.label) for row in rows] == [
        ("Acne/b.jpg", "Acne"),
        ("Acne/deep/a.jpg", "Acne"),
        ("Eczema/c.jpg", "Eczema"),
    ]


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("ISIC_1", ["part_1/ISIC_1.jpg"]),
        ("ISIC_1.jpg", ["part_1/ISIC_1.jpg"]),
        ("part_1/ISIC_1.jpg", ["part_1/ISIC_1.jpg"]),
        ("ISIC_2.png", ["part_2/ISIC_2.jpg"]),
        ("twice", ["part_1/twice.jpg", "part_2/twice.jpg"]),
        ("gone", []),
        ("part_9/ISIC_1.jpg", []),
        ("x" * 300, []),
    ],
)
def test_a_photo_is_found_by_its_path_or_its_name(tmp_path: Path, file: str, found: list[str]) -> None:
    for name in ("part_1/ISIC_1.jpg", "part_2/ISIC_2.jpg", "part_2/ISIC_2.txt", "part_1/twice.jpg", "part_2/twice.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "table.csv").write_text(HAM)
    assert Source(tmp_path / "table.csv").find(file) == [tmp_path / name for name in found]


def test_the_photos_may_be_in_another_folder(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/ISIC_1.jpg").touch()
    (tmp_path / "table.csv").write_text(HAM)
    assert Source(tmp_path / "table.csv", tmp_path / "photos").find("ISIC_1") == [tmp_path / "photos/ISIC_1.jpg"]


@pytest.mark.parametrize(
    ("file", "held"), [("a.jpg", True), ("../b.jpg", False), ("/etc/hosts", False), ("link.jpg", False), ("\0", False)]
)
def test_a_path_that_leads_out_of_the_folder_is_recognised(tmp_path: Path, file: str, held: bool) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "b.jpg").touch()
    (tmp_path / "photos/link.jpg").symlink_to(tmp_path / "b.jpg")
    source = Source(tmp_path / "photos")
    assert source.holds(source.root / file) is held


def test_what_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PhotosError, match="does not exist"):
        Source(tmp_path / "gone")
    with pytest.raises(PhotosError, match="is not a folder"):
        Source(tmp_path, tmp_path / "gone")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"photo,name\n", "needs a column file or image or path"),
        (b"file,colour\n", "needs a column file or image or path"),
        (b"file,label\na.jpg,\xff\n", "is not a CSV file in UTF-8"),
        (b"", "needs a column"),
    ],
)
def test_a_table_that_cannot_be_read_is_an_error(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "table.csv").write_bytes(data)
    with pytest.raises(PhotosError, match=message):
        list(Source(tmp_path / "table.csv").rows())
