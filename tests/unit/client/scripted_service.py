"""A small HTTP server that sends the answers of a script, one after the other, and records the requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: an answer with ``detail=standard``: what is null is left out
ANSWER: dict[str, Any] = {
    "success": True,
    "analysis_id": "a1",
    "timestamp": "2026-01-01T00:00:00.000+00:00",
    "version": "0.1.0",
    "mock": False,
    "language": "en",
    "summary": {
        "headline": "This looks like one of several conditions: eczema or psoriasis.",
        "headline_code": "conditions",
        "certainty": "uncertain",
        "findings": [
            {"code": "colour", "text": "It is redder, too.", "basis": "skin.measurements", "certainty": "likely"}
        ],
        "next_step": "Show the skin to a doctor if it worries you.",
        "next_step_code": "doctor_if_skin",
        "limits": "No answer is an all-clear.",
    },
    "image": {
        "width": 640,
        "height": 480,
        "format": "JPEG",
        "views": [{"width": 640, "height": 480, "format": "JPEG"}],
    },
    "quality": {
        "usable": True,
        "score": 61.0,
        "problems": [{"code": "too_blurry", "message": "Blurred.", "advice": "Rest."}],
    },
    "modality": {"label": "close_up", "confidence": 0.9},
    "skin": {
        "tone": {"group": "medium", "group_range": ["light", "medium"], "caveat": ""},
        "measurements": [
            {
                "name": "redness_difference",
                "label": "Redness",
                "value": 1.25,
                "unit": "a.u.",
                "region": "skin",
                "uncertainty": 0.1,
            },
            {"name": "evenness", "label": "Evenness of tone", "unit": "L*", "score": 41.0, "region": "skin"},
        ],
    },
    "conditions": [{"name": "Eczema", "icd_10": "L30.9", "probability": 0.62, "band": "high", "evidence": ["c1"]}],
    "lesion": {
        "model": "sklesion",
        "input": "dermatoscopic",
        "predictions": [
            {"code": "nv", "name": "Nevus", "icd_10": "D22.9", "probability": 0.3},
            {"code": "mel", "name": "Melanoma", "icd_10": "C43.9", "probability": 0.7},
        ],
        "malignant_probability": 0.7,
        "sums": [],
        "definition": "mel",
        "caveat": "Made for dermatoscopic photos.",
    },
    "decision": {"kind": "set", "set": ["Eczema", "Psoriasis"], "coverage": 0.9, "reasons": ["not_calibrated"]},
    "accuracy_reason": "not_calibrated",
    "similar_cases": [
        {
            "case_id": "c1",
            "similarity": 0.912,
            "demonstration": True,
            "differential": {"Eczema": 0.8},
            "dermatologists": {"count": 1},
            "body_parts": ["ARM"],
        }
    ],
    "overlays": [
        {"name": "skin_mask", "region": "skin", "media_type": "image/png", "data_base64": "AAEC"},
        {"name": "../zones", "region": "a/b", "media_type": "image/png", "data_base64": "AwQ="},
    ],
    "attribution": {},
    "models": [{"name": "sklesion", "version": "1"}],
    "notes": ["A note."],
    "disclaimer": "Not a medical device.",
}
_IN_A_SUMMARY = (
    *("success", "analysis_id", "timestamp", "version", "mock", "language", "summary"),
    *("modality", "quality", "decision", "notes", "disclaimer"),
)
#: the same with ``detail=summary``
SUMMARY = {name: ANSWER[name] for name in _IN_A_SUMMARY}


def refusal(status: int, code: str, message: str, **headers: str) -> tuple[int, dict[str, str], Any]:
    body = {"success": False, "error": {"code": code, "message": message, "details": {}}, "request_id": "r1"}
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, body


@dataclass
class Script:
    """``answers`` as (status, headers, body); the last one is repeated. ``asked``: the requests as (headers, body).
    ``connections``: how many clients' connections were accepted."""

    answers: list[tuple[int, dict[str, str], Any]] = field(default_factory=lambda: [(200, {}, ANSWER)])
    asked: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    connections: int = 0
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self) -> tuple[int, dict[str, str], Any]:
        with self._lock:
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


#: in place of a status: the connection is closed without an answer
BROKEN = 0


@contextmanager
def scripted_service(script: Script) -> Iterator[Script]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # connections stay open

        def setup(self) -> None:
            super().setup()
            script.connections += 1

        def log_message(self, *_: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            script.asked.append((dict(self.headers), body))
            script.paths.append(self.path)
            status, headers, answer = script.next()
            if status == BROKEN:
                self.close_connection = True
                return
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
