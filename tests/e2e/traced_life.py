"""Requests' whole lives: the service and the deployed proxy at work, all that either writes, and all that is left."""

from __future__ import annotations

import base64
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.dicom_files import DERMOSCOPIC
from tests.e2e.private_photo import AGE, NAME, PrivatePhoto
from tests.e2e.server import ANALYZE, running_server
from tests.e2e.system_calls import Call, Tracer
from tests.integration.nginx_fixture import proxy_before
from tests.waiting import wait_until
from web.profiles import PROFILES

#: small enough that a body over it costs little to trace
SETTINGS = {"GUNICORN_WORKERS": "1", "MAX_WORKERS": "2", "DERMSERVE_MAX_UPLOAD_MB": "1"}
_TIMEOUT_S = 120
_MIB = 2**20
#: a SOP class that does not exist, as long as that of dermoscopic photos
_ANOTHER_CLASS = DERMOSCOPIC.encode()[:-1] + b"9"


@dataclass
class Life:
    """``since``: when the service was ready. ``left``: what lay in any file that had been written to, while it ran."""

    folder: Path
    spool: Path
    service: Tracer
    proxy: Tracer
    since: float = 0.0
    url: str = ""
    proxied_url: str = ""
    core_limits: set[str] = field(default_factory=set)
    answers: dict[str, requests.Response] = field(default_factory=dict)
    left: dict[str, bytes] = field(default_factory=dict)

    def written(self, tracer: Tracer) -> list[Call]:
        """What was written since the service was ready."""
        return [call for call in tracer.calls(self.since) if call.writes]

    def places(self, tracer: Tracer) -> set[str]:
        """Every file and every piece of shared memory that was opened for writing since the service was ready."""
        return {call.target for call in tracer.calls(self.since) if call.opens_for_writing}

    def keep_what_is_left(self) -> None:
        """Read every file that either process can have written to, once nginx has seen that its clients are gone."""
        spooled = self.spool / "dermserve-body"
        wait_until(lambda: not any(path.is_file() for path in spooled.rglob("*")), limit_s=30)
        roots = (self.folder / "service", self.folder / "nginx", self.spool)
        for path in (path for root in roots for path in root.rglob("*")):
            if path.is_file() and not path.is_relative_to(self.folder / "nginx" / "conf"):
                self.left[str(path)] = path.read_bytes()


@contextmanager
def traced_life(var: Path, folder: Path, application: str = "application:application") -> Iterator[Life]:
    """The service and nginx before it, both traced; nginx's spool lies in memory, as it does when deployed."""
    life = Life(folder, Path(tempfile.mkdtemp(prefix="dermserve-test-", dir="/dev/shm")), *_tracers(folder))
    settings = SETTINGS | (
        {} if "careless" not in application else {"USE_MOCK_SERVICES": "true", "FLASK_ENV": "testing"}
    )
    (folder / "service").mkdir()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, life.spool)
        under = life.service.command()
        server = stack.enter_context(running_server(var, folder / "service", settings, application, under=under))
        life.url, life.since = server.url, time.time()
        life.core_limits = {core_limit(process.pid) for process in server.workers()}
        port = int(server.url.rpartition(":")[2])
        rewrite = {"/dev/shm/": f"{life.spool}/"}
        under = life.proxy.command()
        proxy = stack.enter_context(proxy_before(port, folder / "nginx", rewrite=rewrite, under=under))
        life.proxied_url = f"http://127.0.0.1:{proxy.port}"
        yield life


def core_limit(pid: int) -> str:
    """How large a core file of the process may be, in bytes."""
    limits = Path(f"/proc/{pid}/limits").read_text()
    return next(line.split()[4] for line in limits.splitlines() if line.startswith("Max core file size"))


def _tracers(folder: Path) -> tuple[Tracer, Tracer]:
    return Tracer(folder / "calls-of-the-service"), Tracer(folder / "calls-of-the-proxy")


def asked(photo: PrivatePhoto) -> Mapping[str, Callable[[str], requests.Response]]:
    """Every kind of request that carries the photo, well formed and not, by name."""
    upload, dicom, noise = photo.upload, photo.dicom, photo.upload * 26
    text = base64.b64encode(upload).decode()
    named = {"image": (NAME, upload, "image/jpeg")}
    person = {"age": AGE, "sex": "female", "body_site": "face"}
    raw = {"Content-Type": "image/jpeg"}
    forms: dict[str, dict[str, object]] = {
        "multipart": {"files": named, "data": person},
        "full": {"files": named, "data": {"detail": "full"}},
        "views": {"files": [("image", (NAME, upload)), ("image", (NAME, upload))]},
        "overlays": {"files": named, "data": {"explain": "true"}},
        "base64": {"json": {"image_data": text, "user_demographics": person}},
        "data URL": {"json": {"image": f"data:image/jpeg;name={NAME};base64,{text}"}},
        "raw": {"data": upload, "headers": raw},
        "address": {"data": upload, "headers": raw, "params": person},
        "not a photo": {"files": {"image": (NAME, b"%PDF-1.7\n" + upload)}},
        "cut short": {"files": {"image": (NAME, upload[: len(upload) * 6 // 10])}},
        "impossible age": {"files": named, "data": {"age": f"-{AGE}"}},
        "impossible site": {"files": named, "data": {"body_site": f"{NAME} {AGE}"}},
        "not JSON": {"data": f'{{"image": "{text}"', "headers": {"Content-Type": "application/json"}},
        "not base64": {"json": {"image": f"{text}!"}},
        "form": {"data": {"image": text, **person}},
        "raw, unnamed": {"data": upload, "headers": {"Content-Type": "text/plain"}},
        "no boundary": {"data": b"no " + upload, "headers": {"Content-Type": "multipart/form-data"}},
        "text": {"data": b"no " + upload, "headers": {"Content-Type": "text/plain"}},
        "too large": {"files": {"image": (NAME, noise)}},
        "DICOM": {"files": {"image": (f"{NAME}.dcm", dicom, "application/dicom")}, "data": person},
        "DICOM, raw": {"data": dicom, "headers": {"Content-Type": "application/dicom"}},
        "DICOM, base64": {"json": {"image": base64.b64encode(dicom).decode()}},
        "DICOM, cut short": {"files": {"image": (NAME, dicom[: len(dicom) * 6 // 10])}},
        "DICOM, not a photo": {"files": {"image": (NAME, dicom.replace(DERMOSCOPIC.encode(), _ANOTHER_CLASS))}},
    }
    made = {name: lambda url, form=form: post(url + ANALYZE, form) for name, form in forms.items()}
    made |= {
        f"profile {name}": lambda url, name=name: post(f"{url}{ANALYZE}/{name}", {"files": named, "data": person})
        for name in PROFILES
    }
    return made | {
        "elsewhere": lambda url: post(f"{url}/nowhere", {"files": named}),
        "another method": lambda url: requests.put(url + ANALYZE, data=upload, timeout=_TIMEOUT_S),
    }


def post(url: str, form: Mapping[str, object]) -> requests.Response:
    """POST with requests' own arguments."""
    return requests.post(url, timeout=_TIMEOUT_S, **form)  # type: ignore[arg-type]


def ask_wrongly(url: str, photo: PrivatePhoto) -> None:
    """What no HTTP client sends: a length that is too short, so that the rest is read as the next request; a photo
    without any request; half a photo."""
    head = f"POST {ANALYZE} HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: ".encode()
    part = f'--cut\r\nContent-Disposition: form-data; name="image"; filename="{NAME}"\r\n\r\n'.encode()
    text = base64.b64encode(photo.upload) + b"\r\n\r\n"
    garbled = b"GET /" + photo.upload[200:600] + b" HTTP/1.1\r\n\r\n"
    for said in (photo.upload, garbled, head + b"100\r\n\r\n" + photo.upload):
        _send(url, said, wait=True)
    _send(url, head + b"7\r\n\r\n" + part + photo.upload, wait=True)
    _send(url, head + b"40\r\n\r\n" + text, wait=True)
    _send(
        url, head + str(len(photo.upload)).encode() + b"\r\n\r\n" + photo.upload[: len(photo.upload) // 2], wait=False
    )


def _send(url: str, said: bytes, *, wait: bool) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=_TIMEOUT_S) as connection:
        try:
            connection.sendall(said)
            while wait and connection.recv(2**16):
                pass
        except ConnectionError:
            return
