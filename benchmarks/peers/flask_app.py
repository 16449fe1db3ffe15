"""The core behind plain Flask, as tutorials show it; gunicorn's gthread worker serves the same ``app``."""

from __future__ import annotations

import os

from flask import Flask, Response, request

from benchmarks.peers.core import Core

core = Core.load()
app = Flask(__name__)


@app.get("/health")
def health() -> str:
    return "ok"


@app.post("/answer")
def answer() -> Response:
    return Response(core.answer(request.get_data()), mimetype="application/json")


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["BENCH_PORT"]))
