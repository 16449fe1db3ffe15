"""``python -m deploy.learn``, which ``make scin`` calls: builds, evaluates and trains an index, and serves each step.

A service that runs on the port takes each new index without losing a request. Otherwise one is started after the first
cases, and held in the foreground at the end. Each step continues an earlier run that was interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from deploy.running import RunningService, ServiceError, find_service, start_service
from ml.errors import ArtifactError
from ml.models.registry import find
from ml.models.store import ModelStore
from scin.__main__ import TOO_FEW_STATUS
from scin.build import shard_folder
from scin.index.manifest import MANIFEST_FILE, read_manifest, verify_files
from scin.index.vote import CALIBRATION_FILE
from settings import Settings, load_or_exit

#: The index of the general encoder, and that of the trained one. Each is replaced as a whole.
_NAME, _TRAINED = "scin", "scin-trained"
#: Priority of the steps: a service on the same cores comes first.
_NICE = 10


class StepError(Exception):
    """A step ended with an error. It has printed the reason."""


class Steps:
    """The steps of one run. ``source``: the dataset. ``limit``: cases, or None for all."""

    def __init__(self, settings: Settings, source: str, limit: int | None) -> None:
        self._settings = settings
        self._source = source
        self._limit = limit
        self._limited = [] if limit is None else ["--limit", str(limit)]
        # A training on other cases has its own folder: it is another one, and the finished one stays.
        self._encoder = settings.var / "encoders" / (_NAME if limit is None else f"{_NAME}-{limit}")
        self.service: RunningService | None = find_service(settings)

    def index(self, first: int) -> None:
        """Index and serve the first cases, unless there is an index; then index all, evaluate and serve."""
        folder = self._settings.indexes / _NAME
        if not (folder / MANIFEST_FILE).is_file():
            first = first if self._limit is None else min(first, self._limit)
            _scin("build", "--source", self._source, "--out", str(folder), "--resume", "--limit", str(first))
        self.serve()
        self._build_and_evaluate(folder)

    def train(self, minutes: str | None) -> None:
        """Train an encoder, if there are enough cases. If it is adopted, index with it, evaluate, serve, and print how
        the two indexes differ."""
        chosen = [*self._limited, *(["--minutes", minutes] if minutes else [])]
        if not _scin("train", "--source", self._source, "--out", str(self._encoder), *chosen):
            print("There are too few cases to train an encoder, so the index keeps its encoder.", flush=True)
            return
        report = json.loads((self._encoder / "training.json").read_text(encoding="utf-8"))
        folder = self._settings.indexes / _TRAINED
        if not report["adopted"]:
            print("The trained encoder is not adopted, so the index keeps its encoder.", flush=True)
        elif self._is_complete(folder):
            self.serve()
        else:
            evaluated = self._build_and_evaluate(folder, "--encoder", str(self._encoder))
            # Another training makes another encoder, whose build could not use them.
            shutil.rmtree(shard_folder(folder), ignore_errors=True)
            if evaluated:
                _scin("compare", str(self._settings.indexes / _NAME), str(folder))

    def _is_complete(self, folder: Path) -> bool:
        """Whether the index in ``folder`` has this encoder and all cases, is evaluated and not damaged."""
        try:
            manifest = read_manifest(folder)
            verify_files(folder, manifest)
            encoder = ModelStore(self._settings.models_dir).manifest(find(str(self._encoder), "encoder"))
            whole = read_manifest(self._settings.indexes / _NAME)
        except ArtifactError:
            return False
        made = manifest.encoder_fingerprint == encoder.fingerprint and manifest.cases == whole.cases
        return made and CALIBRATION_FILE in manifest.files

    def serve(self) -> None:
        """Serve the best index: start the service, or make the running one load it."""
        if self.service is not None and self.service.is_alive():
            self.service.take_index()
            return
        self.service = start_service(self._settings)
        self.service.wait_until_served()

    def _build_and_evaluate(self, folder: Path, *arguments: str) -> bool:
        """Index all cases and serve the index. False if there are too few cases to evaluate it."""
        _scin("build", "--source", self._source, "--out", str(folder), "--resume", *self._limited, *arguments)
        evaluated = _scin("evaluate", "--index", str(folder))
        if not evaluated:
            print(f"There are too few cases to evaluate {folder}: it stays without calibration.", flush=True)
        self.serve()
        return evaluated


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 1 with one line on stderr after an error, 130 if it was interrupted."""
    settings = load_or_exit()
    parser = argparse.ArgumentParser(prog="python -m deploy.learn", description=__doc__)
    parser.add_argument("--source", default=settings.scin_bucket_path, help="the dataset; default: SCIN_BUCKET_PATH")
    parser.add_argument("--first", type=int, default=500, metavar="N", help="cases that are served first")
    parser.add_argument("--limit", type=int, metavar="N", help="index only the first N cases")
    parser.add_argument("--no-train", dest="train", action="store_false", help="keep the general encoder")
    parser.add_argument("--minutes", help="time limit of the training")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    steps = Steps(settings, options.source, options.limit)
    try:
        steps.index(options.first)
        if options.train:
            steps.train(options.minutes)
    except (StepError, ServiceError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _after_failure(steps.service)
    except KeyboardInterrupt:
        return _stopped(steps.service)
    return _hold(steps.service)


def _after_failure(service: RunningService | None) -> int:
    """A service that this run started goes on serving the last good index."""
    if service is not None and service.is_ours and service.is_alive():
        print("The last good index is still served. Run the command again to continue.", file=sys.stderr)
        _hold(service)
    return 1


def _hold(service: RunningService | None) -> int:
    """Keep a service that this run started in the foreground, until it ends or Ctrl-C."""
    if service is None or not service.is_ours:
        return 0
    try:
        return service.hold()
    except KeyboardInterrupt:
        service.stop()
        return 0


def _stopped(service: RunningService | None) -> int:
    print("\nstopped: run the same command to continue", file=sys.stderr)
    if service is not None:
        service.stop()
    return 130


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Treat SIGTERM as Ctrl-C."""
    raise KeyboardInterrupt


def _scin(*arguments: str) -> bool:
    """Run a command of scin at a low priority, and print how long it took. False if the dataset has too few cases for
    it; the command has printed the reason. Raises StepError. Ends it if this process is interrupted."""
    command = [sys.executable, "-m", "scin", *arguments]
    started, used = time.monotonic(), _processor_s()
    step = subprocess.Popen(command, preexec_fn=_be_nice)  # noqa: PLW1509 - no threads here
    try:
        status = step.wait()
    except KeyboardInterrupt:
        if step.poll() is None:
            step.send_signal(signal.SIGINT)
            step.wait()
        raise
    if status == TOO_FEW_STATUS:
        return False
    if status != 0:
        raise StepError(
            f"python -m scin {' '.join(arguments)} ended with status {status}. Run the command again to continue."
        )
    elapsed, used = time.monotonic() - started, _processor_s() - used
    print(f"{arguments[0]}: {elapsed:.0f} s, {used:.0f} s of processor time", flush=True)
    return True


def _processor_s() -> float:
    """Seconds of processor time of all steps that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _be_nice() -> None:
    os.nice(_NICE)


if __name__ == "__main__":
    sys.exit(main())
