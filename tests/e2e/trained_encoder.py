"""A trained encoder without the training: the general one, in a folder as ``scin train`` leaves it."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

from ml.models.registry import EFFICIENTNET_LITE0
from ml.models.store import MANIFEST_FILE, ModelStore
from ml.models.trained import CARD_FILE, REPORT_FILE, SEEN_FILE, write_spec
from ml.training.encoder import TrainingRecipe
from scin.train.work import Key, tables_digest
from storage import open_storage
from storage.base import sha256_file

NAME = "efficientnet-lite0-tuned"


def write_trained(folder: Path, models: Path, source: str, limit: int) -> None:
    """The result of ``scin train --source SOURCE --limit LIMIT``, adopted. It has seen no photo."""
    store = ModelStore(models)
    general = store.manifest(EFFICIENTNET_LITE0)
    dataset = open_storage(source)
    key = Key(
        source=dataset.uri.rstrip("/"),
        tables=tables_digest(dataset),
        encoder=general.fingerprint,
        seed=1,
        limit=limit,
        epochs=None,
        recipe=TrainingRecipe(),
    )
    folder.mkdir(parents=True)
    spec = replace(EFFICIENTNET_LITE0, name=NAME, version="test", source=None, card=None)
    shutil.copyfile(store.served(EFFICIENTNET_LITE0), folder / spec.served)
    write_spec(spec, folder)
    (folder / SEEN_FILE).write_text(json.dumps({"cases": [], "photos": []}))
    (folder / CARD_FILE).write_text(f"# {NAME}\n")
    files = {path.name: sha256_file(path) for path in sorted(folder.iterdir())}
    manifest = replace(
        general,
        name=NAME,
        version=spec.version,
        source=source,
        files=files,
        fingerprint=spec.fingerprint({spec.served: files[spec.served]}),
    )
    (folder / MANIFEST_FILE).write_text(json.dumps(asdict(manifest)))
    report = {"adopted": True, "verdict": "Training helps.", "training": key.facts}
    (folder / REPORT_FILE).write_text(json.dumps(report))
