"""The core behind LitServe. ``BENCH_TUNED=1``: set up for this machine's cores; otherwise as LitServe comes.

LitServe reads the annotation of ``decode_request`` itself: annotations must be objects here, not texts.
"""

import os
from typing import Annotated

import litserve
from fastapi import Body, Response

from benchmarks.peers.core import Core


class PhotoAPI(litserve.LitAPI):  # type: ignore[misc]
    """LitServe runs ``setup`` and all that follows in its inference processes."""

    def setup(self, device: str) -> None:
        self.core = Core.load()

    # The name `request` is LitServe's; the body's bytes are the cheapest form that it hands to another process.
    def decode_request(self, request: Annotated[bytes, Body(media_type="image/jpeg")]) -> bytes:
        return request

    def predict(self, photo: bytes) -> bytes:
        return self.core.answer(photo)

    def encode_response(self, output: bytes) -> Response:
        return Response(output, media_type="application/json")


def main() -> None:
    port = int(os.environ["BENCH_PORT"])
    if not os.environ.get("BENCH_TUNED"):
        litserve.LitServer(PhotoAPI(api_path="/answer")).run(host="127.0.0.1", port=port, generate_client_file=False)
        return
    # Its documentation: on a CPU, as many workers as cores. Batches are not asked for: each photo is decoded, analysed
    # and rendered by itself in this core, and waiting for company only delays it.
    server = litserve.LitServer(
        PhotoAPI(api_path="/answer"),
        accelerator="cpu",
        workers_per_device=int(os.environ["BENCH_PROCESSES"]),
        timeout=float(os.environ["BENCH_QUEUE_S"]),  # what has waited longer is answered 504 and not computed
    )
    server.run(
        host="127.0.0.1",
        port=port,
        num_api_servers=1,  # one is far from busy, and each takes memory and turns of the cores that compute
        log_level="warning",
        generate_client_file=False,
    )


if __name__ == "__main__":
    main()
