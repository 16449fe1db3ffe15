"""The many ways in which clients send one photo: each of them is read as that photo."""

from __future__ import annotations

import base64
import io
import json
import random
from pathlib import Path
from urllib.parse import quote, quote_plus, urlencode

import pytest

from web.errors import BadBase64Error, BadFieldError, BadMultipartError, NoImageError, UnsupportedBodyError
from web.requests import AnalyzeRequest, parse

JPEG = b"\xff\xd8\xff\xe0" + random.Random(1).randbytes(5000)
PNG = b"\x89PNG\r\n\x1a\n" + random.Random(2).randbytes(300)
TEXT = base64.b64encode(JPEG).decode()
URLSAFE = base64.urlsafe_b64encode(JPEG).decode().rstrip("=")
LINES = base64.encodebytes(JPEG).decode()
FORM = "application/x-www-form-urlencoded"
BB = "multipart/form-data; boundary=BB"

#: base64 of JPEG as it arrives after what clients and servers do to it
TEXTS = {
    "plain": TEXT,
    "line breaks": LINES,
    "Windows line breaks": LINES.replace("\n", "\r\n"),
    "indented lines": LINES.replace("\n", "\n    "),
    "spaces for line breaks": LINES.replace("\n", " "),
    "no padding": TEXT.rstrip("="),
    "URL alphabet": URLSAFE,
    "spaces for plus signs": TEXT.replace("+", " "),
    "spaces for plus signs, no padding": TEXT.rstrip("=").replace("+", " "),
    "spaces for plus signs, and line breaks": LINES.replace("+", " "),
    "percent codes": quote(TEXT, safe=""),
    "a data URL": f"data:image/jpeg;base64,{TEXT}",
    "a data URL in capitals": f"DATA:Image/JPEG;charset=utf-8;BASE64,{TEXT}",
    "a data URL of bytes": f"data:application/octet-stream;base64,{URLSAFE}",
    "as Python writes bytes": f"b'{TEXT}'",
    "in quotation marks": f'"data:image/jpeg;base64,{TEXT}"',
    "a data URL in percent codes": quote(f"data:image/jpeg;base64,{TEXT}", safe=""),
}

NAMES = [
    *("image", "IMAGE", "Image", "images", "images[]", "image[0]", "image_1", "image2", "imageData", "image_base64"),
    *("file", "FILE", "files", "files[]", "file[0]", "file[]", "File1", "photo", "photos", "Photo", "photos[2]"),
    *("picture", "pictures", "img", "IMG", "upload", "uploads[]", "uploaded_file", "query_image", "pic"),
]
UNKNOWN_NAMES = ["skin", "front", "data", "0", "", "body[photo][front]", "фото"]


def read(body: bytes | str, content_type: str = "") -> AnalyzeRequest:
    found = parse(io.BytesIO(body if isinstance(body, bytes) else body.encode()), content_type, {})
    assert isinstance(found, AnalyzeRequest)
    return found


def part(content: bytes | str, disposition: str = 'name="image"', *headers: str) -> bytes:
    head = "\r\n".join(["--BB", f"Content-Disposition: form-data; {disposition}", *headers, "", ""])
    return head.encode() + (content if isinstance(content, bytes) else content.encode()) + b"\r\n"


END = b"--BB--\r\n"
AGE = part("30", 'name="age"')


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_base64_in_every_body_and_spelling(text: str) -> None:
    bodies = {
        "application/json": json.dumps({"age": 30, "image": text}),
        FORM: f"age=30&image={quote_plus(text)}",
        BB: AGE + part(text) + END,
    }
    for content_type, body in bodies.items():
        found = read(body, content_type)
        assert (found.images, found.patient.age) == ((JPEG,), 30), content_type


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_base64_in_a_part_that_looks_like_a_file(text: str) -> None:
    parts = {
        "encoding stated": part(text, 'name="image"; filename="a.jpg"', "Content-Transfer-Encoding: BASE64"),
        "no file name": part(text, 'name="image"', "Content-Type: image/jpeg", "content-transfer-encoding: base64"),
        "encoding not stated": part(text, 'name="image"; filename="a.jpg"', "Content-Type: image/jpeg"),
        "text": part(text, 'name="image"', "Content-Type: text/plain"),
        "unknown name": part(text, 'name="skin"'),
        "unknown name, a file": part(text, 'name="skin"; filename="a.txt"', "Content-Type: text/plain"),
    }
    for name, body in parts.items():
        assert read(AGE + body + END, BB).images == (JPEG,), name


@pytest.mark.parametrize("text", [TEXT, TEXTS["a data URL"], LINES, URLSAFE], ids=["plain", "URL", "lines", "urlsafe"])
@pytest.mark.parametrize("content_type", ["text/plain", "", FORM, "image/jpeg", "application/octet-stream"])
def test_base64_as_the_whole_body(text: str, content_type: str) -> None:
    assert read(text, content_type).images == (JPEG,)


@pytest.mark.parametrize("value", [TEXT, f"data:image/jpeg;base64,{TEXT}"])
def test_a_form_that_does_not_encode_its_plus_signs(value: str) -> None:
    assert read(f"age=30&image={value}&k=2", FORM).images == (JPEG,)


def test_a_form_with_the_bytes_themselves() -> None:
    assert read(urlencode({"image": JPEG, "age": 30}), FORM).images == (JPEG,)


@pytest.mark.parametrize("name", NAMES)
def test_each_name_of_a_photo(name: str) -> None:
    disposition = f'name="{name}"'
    assert read(part(JPEG, f'{disposition}; filename="a.jpg"') + END, BB).images == (JPEG,)
    assert read(part(JPEG, disposition, "Content-Type: image/jpeg") + END, BB).images == (JPEG,)
    assert read(part(TEXT, disposition) + END, BB).images == (JPEG,)
    assert read(json.dumps({name: TEXT}), "application/json").images == (JPEG,)
    assert read(json.dumps({name: [TEXT]}), "application/json").images == (JPEG,)
    assert read(urlencode({name: TEXT}), FORM).images == (JPEG,)
    damaged = part("not a photo", f'{disposition}; filename="a.jpg"') + END
    assert read(damaged, BB).images == (b"not a photo",), "the decoder says what is wrong with it"


@pytest.mark.parametrize("name", UNKNOWN_NAMES)
def test_a_photo_under_any_other_name(name: str) -> None:
    disposition = f'name="{name}"'
    assert read(part(JPEG, f'{disposition}; filename="a.jpg"') + AGE + END, BB).images == (JPEG,)
    assert read(part(JPEG, disposition) + END, BB).images == (JPEG,)
    assert read(part(b"odd", disposition, "Content-Type: image/x-new") + END, BB).images == (b"odd",)
    assert read(json.dumps({"age": 30, name: TEXT}), "application/json").images == (JPEG,)
    assert read(urlencode({name: TEXT}), FORM).images == (JPEG,)


@pytest.mark.parametrize(
    "value",
    [
        {"image": {"data": TEXT, "mime_type": "image/jpeg"}},
        {"image": {"type": "base64", "media_type": "image/jpeg", "data": TEXT}},
        {"images": [{"content": TEXT, "name": "a.jpg"}]},
        {"data": {"image": TEXT}},
        {"instances": [{"image_bytes": {"b64": TEXT}}]},
        {"image": {"uri": f"data:image/jpeg;base64,{TEXT}", "name": "a.jpg"}},
    ],
)
def test_a_photo_within_objects_of_json(value: object) -> None:
    assert read(json.dumps(value), "application/json").images == (JPEG,)


@pytest.mark.parametrize("value", [TEXT, f"data:image/jpeg;base64,{TEXT}", json.dumps({"image": TEXT})])
def test_json_that_is_one_text(value: str) -> None:
    assert read(json.dumps(value), "application/json").images == (JPEG,)


PART_HEADERS = {
    "no file name": ('name="image"', "Content-Type: image/jpeg"),
    "no file name, capitals": ('name="image"', "content-type: Image/JPEG"),
    "no file name, bytes": ('name="image"', "Content-Type: application/octet-stream"),
    "no file name, no type": ('name="image"',),
    "no file name, text": ('name="image"', "Content-Type: text/plain; charset=UTF-8"),
    "React Native": ('name="image"; filename="photo.jpg"', "content-type: image/jpeg", "content-length: 5004"),
    "Flutter": ('name="image"; filename="image_picker.jpg"', "content-type: application/octet-stream"),
    "Postman": ('name=""; filename="/C:/skin photo.jpg"', "Content-Type: image/jpeg"),
    "OkHttp": ('name="file"; filename="a.jpg"', "Content-Transfer-Encoding: binary", "Content-Type: image/*"),
    "requests, without quotation marks": ("name=image; filename=a.jpg",),
    "a name in another alphabet": ("name=\"image\"; filename*=UTF-8''%D1%84.jpg",),
    "an empty file name": ('name="image"; filename=""', "Content-Type: image/jpeg"),
    "a wrong encoding": ('name="image"; filename="a.jpg"', "Content-Transfer-Encoding: base64"),
}


@pytest.mark.parametrize("headers", PART_HEADERS.values(), ids=PART_HEADERS)
def test_a_part_as_clients_describe_it(headers: tuple[str, ...]) -> None:
    found = read(AGE + part(JPEG, *headers) + END, BB)
    assert (found.images, found.patient.age) == ((JPEG,), 30)


@pytest.mark.parametrize(
    "content_type",
    [
        "Multipart/Form-Data; Boundary=BB",
        'multipart/form-data; boundary="BB"; charset=utf-8',
        "MULTIPART/FORM-DATA;BOUNDARY=BB",
        "multipart/form-data; boundary=another",
        "multipart/form-data; boundary=--BB",
        "multipart/mixed; boundary=BB",
        "multipart/form-data",
        "image/jpeg",
        "application/json",
        FORM,
        "",
    ],
)
def test_multipart_whatever_its_type_says(content_type: str) -> None:
    found = read(AGE + part(JPEG, 'name="image"; filename="a.jpg"') + END, content_type)
    assert (found.images, found.patient.age) == ((JPEG,), 30)


@pytest.mark.parametrize(
    "content_type",
    [
        *("Image/JPEG", "image/jpg", "IMAGE/*", "image", "application/octet-stream", "Application/Octet-Stream"),
        *("binary/octet-stream", "application/binary", "", "text/plain", FORM, "application/json", BB, "*/*", "jpeg"),
    ],
)
def test_the_bytes_of_a_photo_whatever_their_type_says(content_type: str) -> None:
    assert read(JPEG, content_type).images == (JPEG,)
    assert read(PNG, content_type).images == (PNG,)


@pytest.mark.parametrize("content_type", ["image/jpeg", "application/octet-stream", "binary/octet-stream"])
def test_bytes_that_are_said_to_be_a_photo_are_left_to_the_decoder(content_type: str) -> None:
    assert read(b"no photo", content_type).images == (b"no photo",)


@pytest.mark.parametrize("kind", ["multipart", "json"])
def test_fields_in_the_forms_of_other_clients(kind: str) -> None:
    """Retrofit quotes texts as JSON; browsers send an object as a Blob, which has a file name."""
    person = part('{"sex": "f"}', 'name="demographics"; filename="blob"', "Content-Type: application/json")
    site = part('"arm"', 'name="body_site"', "Content-Type: application/json")
    photo = part(JPEG, 'name="image"; filename="a.jpg"')
    body = person + site + AGE + part("undefined", 'name="k"') + photo + END
    found = read(body, BB) if kind == "multipart" else read(_as_json(), "application/json")
    assert (found.patient.age, found.patient.sex, found.patient.body_site, found.k) == (30, "female", "arm", 5)
    assert found.images == (JPEG,)


def _as_json() -> bytes:
    """With the mark that .NET puts before its texts."""
    fields = {"demographics": {"sex": "f"}, "body_site": "arm", "age": "30", "k": "undefined", "image": TEXT}
    return b"\xef\xbb\xbf" + json.dumps(fields).encode()


def test_what_stands_in_a_photos_place_beside_a_photo_is_left_out() -> None:
    remarks = [part("skin.jpg", 'name="file"'), part("undefined", 'name="photo"'), part("", 'name="upload"')]
    assert read(b"".join(remarks) + part(JPEG, 'name="image"; filename="a.jpg"') + END, BB).images == (JPEG,)
    beside = {"image": TEXT, "file": "skin.jpg", "photo": None, "picture": 3, "upload": True, "files": {"count": 1}}
    assert read(json.dumps(beside), "application/json").images == (JPEG,)


def test_a_spoilt_photo_is_not_left_out() -> None:
    with pytest.raises(BadBase64Error):
        read(json.dumps({"image": TEXT, "file": TEXT[:1000] + "!" + TEXT[1000:]}), "application/json")
    with pytest.raises(BadBase64Error):
        read(json.dumps({"images": [TEXT, "skin.jpg"]}), "application/json")


def test_photos_with_a_photos_name_come_alone_and_in_their_order() -> None:
    views = part(PNG, 'name="file[1]"; filename="b"') + part(JPEG, 'name="Image"; filename="a"')
    mask = part(PNG, 'name="mask"; filename="mask.png"', "Content-Type: image/png")
    assert read(mask + views + END, BB).images == (PNG, JPEG)


def test_parts_without_a_disposition() -> None:
    """As multipart/related and multipart/mixed have them."""
    meta = b"--BB\r\nContent-Type: application/json\r\n\r\n{}\r\n"
    photo = b"--BB\r\nContent-Type: image/jpeg\r\nContent-ID: <photo>\r\n\r\n" + JPEG + b"\r\n"
    assert read(meta + photo + END, "multipart/related; boundary=BB").images == (JPEG,)


def test_a_body_whose_lines_end_without_carriage_returns() -> None:
    body = b'--BB\nContent-Disposition: form-data; name="image"\nContent-Type: image/png\n\n' + PNG + b"\n--BB--\n"
    assert read(body, BB).images == (PNG,)


def test_a_body_that_lacks_its_last_hyphens_is_whole() -> None:
    photo = part(JPEG, 'name="image"; filename="a.jpg"')
    assert read(photo + b"--BB\r\n", BB).images == (JPEG,)
    with pytest.raises(BadMultipartError):
        read(photo, BB)


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ("https://example.org/skin.jpg", "downloads nothing"),
        ("file:///data/user/0/app/cache/skin.jpg", "downloads nothing"),
        ("blob:http://localhost:3000/2c1d", "downloads nothing"),
        ("[object Object]", "File or a Blob"),
        ("skin.jpg", "is not base64"),
    ],
)
def test_what_is_sent_instead_of_a_photo_gets_advice(value: str, advice: str) -> None:
    for content_type, body in (("application/json", json.dumps({"image": value})), (BB, part(value) + END)):
        with pytest.raises(BadBase64Error, match=advice):
            read(body, content_type)


def test_a_request_without_a_photo_is_told_the_names_that_arrived() -> None:
    fields = {"age": "30", "Skin Photo": "secret", "age\n<b>": "1", "n" * 100: "x"} | {f"f{n}": "" for n in range(90)}
    with pytest.raises(NoImageError) as caught:
        read(urlencode(fields), FORM)
    names = caught.value.details["fields"]
    assert isinstance(names, list)
    assert names[:5] == ["age", "Skin?Photo", "age??b?", "n" * 40, "f0"]
    assert len(names) == 20
    assert "Its fields are: age, Skin?Photo," in caught.value.message
    assert "secret" not in str(caught.value.details) + caught.value.message
    assert len(caught.value.message) < 1200


@pytest.mark.parametrize("depth", [2, 400, 800])
@pytest.mark.parametrize("name", ["image", "skin"])
def test_lists_within_lists_are_refused(name: str, depth: int) -> None:
    with pytest.raises((BadFieldError, NoImageError)):
        read(f'{{"{name}": {"[" * depth}"x"{"]" * depth}}}', "application/json")


def test_a_long_name_is_cut_in_a_refusal() -> None:
    with pytest.raises(BadFieldError) as caught:
        read(json.dumps({"image" + "0" * 10_000: 5}), "application/json")
    assert len(caught.value.message) + len(str(caught.value.details)) < 400


def test_an_empty_form_has_no_fields_to_name() -> None:
    with pytest.raises(NoImageError, match="It has no fields") as caught:
        read("{}", "application/json")
    assert caught.value.details == {"fields": []}


def test_a_form_of_a_thousand_fields_is_refused() -> None:
    with pytest.raises(BadFieldError, match="more than 100 fields"):
        read(urlencode({f"f{n}": n for n in range(1000)}), FORM)


@pytest.mark.parametrize("content_type", [FORM, "text/plain", "text/html", ""])
def test_other_text_is_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedBodyError):
        read("a page of text", content_type)


def test_the_reported_part_without_a_file_name_is_a_photo(shared_data: Path) -> None:
    body = (shared_data / "reported" / "17_multipart_part_without_filename.body").read_bytes()
    (image,) = read(body, BB).images
    assert image.startswith(b"\xff\xd8\xff")
    assert body.count(image) == 1
