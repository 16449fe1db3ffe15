"""``python -m tests.unit.scin.killable_build DATASET OUT``: a resumable build, to be killed. Says "started" first."""

from __future__ import annotations

import sys
from pathlib import Path

from scin.build import build, shard_folder
from storage import open_storage
from tests.unit.ml.tiny_models import tiny_encoder

SHARD_PHOTOS = 16

if __name__ == "__main__":
    dataset, out = sys.argv[1:]
    sys.stdout.write("started\n")
    sys.stdout.flush()
    build(
        open_storage(dataset),
        Path(out),
        tiny_encoder(),
        name="killed",
        shards=shard_folder(Path(out)),
        resume=True,
        shard_photos=SHARD_PHOTOS,
    )
