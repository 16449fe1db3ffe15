"""A small HTTP server that sends the answers of a script, one after the other, and records the requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER: dict[str, Any] = {
    "success": True,
    "analysis_id": "a1",
    "decision": {"kind": "set", "set": ["Eczema", "Psoriasis"], "coverage": 0.9, "reasons": ["not_calibrated"]},
    "quality": {
        "usable": True,
        "score": 61.0,
        "problems": [{"code": "blur", "message": "Blurred.", "advice": "Rest."}],
    },
    "modality": {"label": "close_up", "confidence": 0.9, "stated": None},
    "skin": {
        "tone": {"group": "medium", "group_range": ["light", "medium"], "ita_deg": None, "caveat": ""},
        "measurements": [
            {
                "name": "melanin_index",
                "label": "Brown pigment",
                "value": 1.25,
                "unit": "a.u.",
                "score": None,
                "region": "skin",
                "uncertainty": 0.1,
            },
            {"name": "pore_count", "value": None, "unit": "", "score": 41.0, "region": "skin", "uncertainty": None},
        ],
        "zones": None,
    },
    "conditions": [{"name": "Eczema", "icd_10": "L30.9", "probability": 0.62, "band": "high", "evidence": ["c1"]}],
    "lesion": {
        "model": "sklesion",
        "predictions": [
            {"code": "nv", "name": "Nevus", "icd_10": "D22.9", "probability": 0.3},
            {"code": "mel", "name": "Melanoma", "icd_10": "C43.9", "probability": 0.7},
        ],
        "caveat": "Made for dermatoscopic photos.",
    },
    "similar_cases": [{"case_id": "c1", "similarity": 0.912, "demonstration": True, "differential": {"Eczema": 0.8}}],
    "overlays": [
        {"name": "skin_mask", "region": "skin", "media_type": "image/png", "data_base64": "AAEC"},
        {"name": "../zones", "region": "a/b", "media_type": "image/png", "data_base64": "AwQ="},
    ],
    "notes": ["A note."],
    "disclaimer": "Not a medical device.",
}


def refusal(status: int, code: str, message: str, **headers: str) -> tuple[int, dict[str, str], Any]:
    body = {"success": False, "error": {"code": code, "message": message, "details": {}}, "request_id": "r1"}
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, body


@dataclass
class Script:
    """``answers`` as (status, headers, body); the last one is repeated. ``asked``: the requests as (headers, body)."""

    answers: list[tuple[int, dict[str, str], Any]] = field(default_factory=lambda: [(200, {}, ANSWER)])
    asked: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self) -> tuple[int, dict[str, str], Any]:
        with self._lock:
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def scripted_service(script: Script) -> Iterator[Script]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Quiet."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            script.asked.append((dict(self.headers), body))
            status, headers, answer = script.next()
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
