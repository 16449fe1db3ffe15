from __future__ import annotations

import base64
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.errors import BadBase64Error
from web.payloads import MAX_JUNK, decode_base64, percent_decoded, strip_junk

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(200))


@given(st.binary(max_size=MAX_JUNK).filter(lambda junk: not junk or junk[0] in b"uvwxyz"))
def test_junk_before_a_jpeg_is_removed(junk: bytes) -> None:
    assert strip_junk(junk + JPEG).endswith(JPEG)
    if b"\xff" not in junk:
        assert strip_junk(junk + JPEG) == JPEG


def test_more_junk_than_that_is_left_alone() -> None:
    data = b"u" * (MAX_JUNK + 1) + JPEG
    assert strip_junk(data) == data


@pytest.mark.parametrize(
    "start",
    [b"\x89PNG", b"GIF89a", b"BM", b"II*\x00", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x18ftypheic", b"8BPS", b"%PDF-1.7"],
)
def test_a_jpeg_inside_another_kind_of_file_is_not_the_photo(start: bytes) -> None:
    assert strip_junk(start + JPEG) == start + JPEG


def test_the_junk_of_a_data_url_that_was_decoded_with_its_header_is_removed() -> None:
    text = "data:image/jpeg;base64," + base64.b64encode(JPEG).decode()
    sloppy = base64.b64decode("".join(c for c in text if c.isalnum() or c in "+/") + "==", validate=False)
    assert strip_junk(sloppy).startswith(b"\xff\xd8\xff") or strip_junk(sloppy) == sloppy
    assert strip_junk(b"u" * 15 + JPEG) == JPEG


@given(st.binary(max_size=300), st.sampled_from(["", "data:image/png;base64,", " data:;charset=x;BASE64,"]))
def test_base64_comes_back_whatever_form_it_has(data: bytes, header: str) -> None:
    plain = base64.b64encode(data).decode()
    urlsafe = base64.urlsafe_b64encode(data).decode().rstrip("=")
    wrapped = "\r\n".join(plain[i : i + 20] for i in range(0, len(plain), 20))
    for text in (plain, urlsafe, wrapped):
        assert decode_base64((header + text).encode()) == data


@pytest.mark.parametrize("text", ["***", "a", "Zm9v!", "ümlaut", "data:image/png,abc", "data:image/png;base64,?"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(BadBase64Error):
        decode_base64(text.encode())


@pytest.mark.parametrize("length", [10, 100_000])
def test_percent_codes_of_any_length(length: int) -> None:
    data = bytes(range(256)) * length
    assert percent_decoded(quote_from_bytes(data, safe="=+/").encode()) == data
