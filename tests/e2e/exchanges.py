"""Requests and what the service answered: every operation, every kind of photo, every error."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import requests
from PIL import Image
from skimage import data

from ml.deadline import Deadline
from ml.values import Analysis
from server.instance import Instance, this_process
from settings import Settings
from tests.e2e.server import ANALYZE, Server, skin_photo
from web.app import create_app
from web.errors import STATUS, ClientGoneError
from web.mock import MockLoader
from web.profiles import PROFILES
from web.services import Pipeline

COMPARE = "/api/compare/skin"
_TIMEOUT_S = 120


@dataclass(frozen=True)
class Exchange:
    """An answer of the service to a request at ``path``, as the OpenAPI document writes it."""

    name: str
    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def media_type(self) -> str:
        return self.headers["Content-Type"].partition(";")[0]

    @property
    def code(self) -> str | None:
        """The error's code."""
        return json.loads(self.content)["error"]["code"] if self.status >= 400 and b'"error"' in self.content else None


def photos_of_each_kind(var: Path) -> dict[str, tuple[bytes, dict[str, str]]]:
    """Name → (photo, the fields that the request states). All are made by code or belong to scikit-image."""
    other_skin = min((var / "sample" / "dataset" / "images").glob("*.png")).read_bytes()
    return {
        "face": (_jpeg(Image.fromarray(data.astronaut())), {}),
        "lesion close-up": (skin_photo(), {"modality": "lesion_close_up", "pixels_per_mm": "12.5"}),
        "dermatoscopic": (skin_photo(), {"modality": "dermatoscopic", "outline": "true"}),
        "other skin": (other_skin, {"modality": "close_up", "white_point": "#e0ddd8"}),
        "not skin": (_jpeg(Image.fromarray(data.coffee())), {}),
        "unusable": (_jpeg(Image.new("RGB", (320, 240), (128, 128, 128))), {}),
        "black and white": (_jpeg(Image.fromarray(data.astronaut()).convert("L")), {}),
    }


def real_photos(shared: Path) -> dict[str, tuple[bytes, dict[str, str]]]:
    """The same for some real photos of each kind."""
    folders = {"faces": {}, "clinical": {}, "isic": {"modality": "dermatoscopic"}, "pad/img": {"modality": "lesion"}}
    return {
        f"{folder}/{path.name}": (path.read_bytes(), fields)
        for folder, fields in folders.items()
        for path in sorted((shared / folder).glob("*.jpg"))[:3]
    }


def analyses(server: Server, photos: Mapping[str, tuple[bytes, dict[str, str]]]) -> Iterator[Exchange]:
    """Each photo in each detail of an answer, and in the format of each profile."""
    for kind, (photo, fields) in photos.items():
        for detail in ("summary", "standard", "full"):
            asked = {"files": {"image": photo}, "data": {**fields, "detail": detail}}
            yield _post(server, f"{kind}, {detail}", ANALYZE, asked)
        for profile in PROFILES:
            asked = {"files": {"image": photo}, "data": fields}
            yield _post(server, f"{kind}, {profile}", f"{ANALYZE}/{profile}", asked)


def others(server: Server) -> Iterator[Exchange]:
    """The operations that analyse no photo of one case."""
    photo = skin_photo()
    yield _post(server, "explained", ANALYZE, {"files": {"image": photo}, "data": {"explain": "true"}})
    views = {"files": [("image", photo), ("image", skin_photo(seed=2))], "data": {"k": "50"}}
    viewed = _post(server, "two views", ANALYZE, views)
    yield viewed
    case = json.loads(viewed.content)["similar_cases"][0]
    pair = {"files": {"before": photo, "after": photo}, "data": {"explain": "true", "before_date": "2026-01-31"}}
    yield _post(server, "comparison", COMPARE, pair)
    yield _post(server, "comparison with something else", COMPARE, {"files": {"before": photo, "after": _coffee()}})
    yield _post(server, "self-test", "/api/selftest", {})
    for path in ("models", "conditions", "measures", "label", "openapi.json", "docs"):
        yield _get(server, f"/api/{path}")
    for path in ("/health", "/health/ready", "/metrics"):
        yield _get(server, path)
    yield _get(server, case["thumbnail"], "/api/cases/{case_id}/{number}")


def provoked_errors(server: Server) -> Iterator[Exchange]:
    """Errors that a request to any running service may cause."""
    photo = skin_photo()
    png, cut = skin_photo(kind="PNG"), photo[: len(photo) // 2]
    huge = png[:16] + (60_000).to_bytes(4, "big") * 2 + png[24:]
    as_json = {"Content-Type": "application/json"}
    asked: dict[str, dict[str, object]] = {
        "no photo": {"json": {"age": 54}},
        "four photos": {"files": [("image", photo)] * 4},
        "not JSON": {"data": b"[1]", "headers": as_json},
        "not base64": {"json": {"image": "!" * 400}},
        "not multipart": {"data": b"no", "headers": {"Content-Type": "multipart/form-data"}},
        "not gzip": {"data": photo, "headers": {"Content-Encoding": "gzip"}},
        "not a number": {"files": {"image": photo}, "data": {"k": "many"}},
        "an empty file": {"files": {"image": ("skin.jpg", b"")}},
        "no known body": {"data": b"hello", "headers": {"Content-Type": "text/plain"}},
        "an unknown encoding": {"data": photo, "headers": {"Content-Encoding": "br"}},
        "not a photo": {"files": {"image": ("report.pdf", b"%PDF-1.7\n" + bytes(1000))}},
        "too many pixels": {"files": {"image": huge}},
        "too many bytes": {"data": gzip.compress(bytes(101 * 2**20)), "headers": {"Content-Encoding": "gzip"}},
        "half a photo": {"files": {"image": cut}},
        "a tiny photo": {"files": {"image": skin_photo(8, 8)}},
        "an impossible age": {"files": {"image": photo}, "data": {"age": "999"}},
        "no time": {"files": {"image": photo}, "headers": {"X-Request-Timeout": "0.000001"}},
    }
    for name, request in asked.items():
        yield _post(server, name, ANALYZE, request)
        yield _post(server, f"{name}, profile", f"{ANALYZE}/autoderm", request)
    yield _get(server, "/api/cases/none/0", "/api/cases/{case_id}/{number}")


def other_errors(seen: Iterable[str | None], folder: Path) -> Iterator[Exchange]:
    """The errors whose codes are not in ``seen``, as the application answers them: its analyzer raises each."""
    codes = set(seen)
    for kind, (_, code) in STATUS.items():
        if code in codes or kind is ClientGoneError:
            continue
        codes.add(code)
        error = kind("A sentence that says what to do.")
        settings = Settings(var=folder, use_mock_services=True, flask_env="development")
        app = create_app(settings, this_process(settings, Instance()), _RaisingLoader(error))
        app.extensions["dermserve"].start()
        app.extensions["dermserve"].pipeline(Deadline(30))
        response = app.test_client().post(ANALYZE, data={"image": (io.BytesIO(skin_photo()), "skin.jpg")})
        yield Exchange(code, "post", ANALYZE, response.status_code, dict(response.headers), response.data)


class _RaisingLoader(MockLoader):
    """Its analyzer raises ``error``."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def load_pipeline(self) -> Pipeline:
        loaded = super().load_pipeline()
        return Pipeline(self, loaded.comparer, loaded.index, loaded.capability, (), None)

    def analyze(self, request: object, deadline: Deadline) -> Analysis:
        raise self._error


def _post(server: Server, name: str, path: str, asked: Mapping[str, object]) -> Exchange:
    return _exchange(name, "post", path, requests.post(server.url + path, timeout=_TIMEOUT_S, **asked))  # type: ignore[arg-type]


def _get(server: Server, path: str, template: str | None = None) -> Exchange:
    return _exchange(path, "get", template or path, server.get(path))


def _exchange(name: str, method: str, path: str, response: requests.Response) -> Exchange:
    return Exchange(name, method, path, response.status_code, dict(response.headers), response.content)


def _coffee() -> bytes:
    return _jpeg(Image.fromarray(data.coffee()))


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()
