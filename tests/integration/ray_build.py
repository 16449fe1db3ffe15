"""``python -m tests.integration.ray_build DATASET OUT FINGERPRINT``: go on with a build, on the cluster of RAY_ADDRESS.

The encoder is a random projection. This process calls its weights FINGERPRINT, whatever those of the nodes are called.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from scin.build import build, shard_folder
from scin.build.ray_engine import RayEngine
from settings import Settings
from storage import open_storage
from tests.unit.ml.tiny_models import tiny_encoder

SHARD_PHOTOS = 16


def main(dataset: str, out: str, fingerprint: str) -> None:
    store, encoder = open_storage(dataset), tiny_encoder(fingerprint)
    engine = RayEngine(store, tiny_encoder, encoder, Settings.load().ray_address)
    shards = shard_folder(Path(out))
    build(store, Path(out), encoder, name="scin", engine=engine, shards=shards, resume=True, shard_photos=SHARD_PHOTOS)
    sys.stdout.write(json.dumps(engine.nodes) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
