"""Every setting of the service, typed and checked. Nothing else reads the environment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal, Self

from pydantic import ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from settings_access import AccessSettings
from settings_fields import SettingsError, allowed_values, error_lines
from settings_fields import of as _of

__all__ = ["Settings", "SettingsError", "allowed_values", "load_or_exit"]

#: our own answer must leave before gunicorn and the proxy give up on the request
DEADLINE_MARGIN_S = 15
#: threads that stay free of analyses, for health checks and refusals
SPARE_THREADS = 2


class ServiceSettings(BaseSettings):
    """What the service runs, and with how much of the machine."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        env_ignore_empty=True,
        case_sensitive=True,
        str_strip_whitespace=True,
    )

    flask_env: Literal["production", "development", "testing"] = _of(
        "FLASK_ENV", "production", "What the service runs for. Mock answers are refused in production."
    )
    python_unbuffered: bool = _of(
        "PYTHONUNBUFFERED", True, "Python's own switch: output is not held back. Log lines never are."
    )
    use_mock_services: bool = _of(
        "USE_MOCK_SERVICES", False, 'Canned answers for front-end work, each marked `"mock": true`; no model is loaded.'
    )
    ml_available: bool = _of(
        "ML_AVAILABLE", True, "False: the service stays up, says so in /health, and answers 503 to an analysis."
    )
    faces: bool = _of("OPERATION_APPLE_ENABLED", True, "Face isolation and face zones.")
    measurements: bool = _of("ADVANCED_ANALYSIS_ENABLED", True, "The measurements beside conditions and similar cases.")
    max_workers: int = _of(
        "MAX_WORKERS",
        4,
        "Analyses at once on one instance, divided among the gunicorn workers; at least GUNICORN_WORKERS.",
        within=(1, 256),
    )
    analysis_timeout_s: float = _of(
        "ANALYSIS_TIMEOUT",
        300.0,
        f"Seconds that an analysis may take; never more than GUNICORN_TIMEOUT − {DEADLINE_MARGIN_S}.",
        allowed="seconds, above 0 and at most 3600",
    )
    faiss_dimension: int = _of(
        "FAISS_DIMENSION",
        512,
        "Dimensions of an embedding. The boot stops if the encoder or the index has another.",
        within=(1, 65_536),
    )
    scin_bucket_path: str = _of(
        "SCIN_BUCKET_PATH",
        "gs://dx-scin-public-data/dataset/",
        "Where the SCIN dataset is read from when an index is built.",
        allowed="a folder, or a gs://, s3:// or https:// address",
    )
    ray_address: str | None = _of(
        "RAY_ADDRESS",
        None,
        "The cluster of `python -m scin build --engine ray`; without it one of this machine.",
        allowed="auto, host:port, or a ray:// address",
    )
    preload_faiss: bool = _of(
        "PRELOAD_FAISS", True, "Load the index when a worker starts; when false, at the first request."
    )
    enable_gpu: bool = _of("ENABLE_GPU", False, "Run the models on a GPU. The boot stops if no device is visible.")
    gunicorn_timeout_s: int = _of(
        "GUNICORN_TIMEOUT",
        300,
        "Seconds until gunicorn replaces a hung worker; also how long a stop waits for requests.",
        within=(DEADLINE_MARGIN_S + 1, 3600),
    )
    gunicorn_workers: int = _of("GUNICORN_WORKERS", 2, "Worker processes.", within=(1, 64))
    gunicorn_threads: int = _of(
        "GUNICORN_THREADS",
        8,
        f"Threads a worker; {SPARE_THREADS} of them stay free for health checks and refusals.",
        within=(SPARE_THREADS + 1, 256),
    )
    host: str = _of("HOST", "127.0.0.1", "Address to listen on.", allowed="a host name or an address")
    port: int = _of("PORT", 8000, "Port to listen on; 0 takes a free one.", within=(0, 65_535))

    var: Path = _of("DERMSERVE_VAR", Path("var"), "Folder of models and indexes.", allowed="a folder")
    index: str = _of(
        "DERMSERVE_INDEX",
        "sample",
        "The index of labelled cases: `sample` (synthetic), `scin`, or where another one lies.",
        allowed="sample, scin, a folder, or a gs://, s3:// or https:// address",
    )
    encoder: str = _of(
        "DERMSERVE_ENCODER",
        "efficientnet-lite0",
        "The model that embeds photos; the index must be built with it.",
        allowed="the name of a fetched encoder",
    )
    classifier: str = _of(
        "DERMSERVE_CLASSIFIER",
        "sklesion",
        "The model that classifies dermatoscopic photos.",
        allowed="the name of a fetched classifier",
    )
    engine: Literal["auto", "native", "onnxruntime"] = _of(
        "DERMSERVE_ENGINE",
        "auto",
        "What runs the models. `auto`: ONNX Runtime where `python -m ml prepare` found that it agrees with the model's "
        "own framework, otherwise that framework; `native`: the framework; `onnxruntime`: that, or the boot stops.",
    )
    mmap: bool = _of(
        "DERMSERVE_MMAP",
        True,
        "Workers share the memory of compiled weights and of the index; when false each has a copy of its own.",
    )
    cosmetic_mode: bool = _of(
        "DERMSERVE_COSMETIC_MODE",
        False,
        "Name no disease: no lesion part, conditions, differentials or ICD codes in any answer.",
    )
    max_pixels: int = _of(
        "DERMSERVE_MAX_PIXELS",
        220_000_000,
        "Pixels of the largest photo (by its header); in another format than JPEG at most 64 million of them.",
        within=(1024, 220_000_000),
    )
    max_upload_mb: int = _of("DERMSERVE_MAX_UPLOAD_MB", 100, "Size of the largest request, in MiB.", within=(1, 1024))
    intra_op_threads: int = _of(
        "DERMSERVE_INTRA_OP_THREADS",
        0,
        "Threads that compute one analysis; 0: the physical cores divided by the analyses at once.",
        within=(0, 256),
    )
    pin_workers: bool = _of(
        "DERMSERVE_PIN_WORKERS",
        True,
        "Each worker keeps to cores of its own, where there are enough. Set it to false where other programs that "
        "compute share the machine.",
    )
    max_requests: int = _of(
        "DERMSERVE_MAX_REQUESTS",
        0,
        "Requests until a worker is replaced, give or take a tenth; 0: never.",
        within=(0, 10_000_000),
    )
    longest_wait_s: float = _of(
        "DERMSERVE_LONGEST_WAIT_S",
        10.0,
        "Seconds that a photo may be expected to wait for its turn, at the mean time of an analysis; beyond that it is "
        "refused at once with 503 and the time to come back.",
        allowed="seconds, above 0 and at most 3600",
    )
    stop_delay_s: int = _of(
        "DERMSERVE_STOP_DELAY_S",
        5,
        "Seconds that the service goes on accepting after SIGTERM, while /health/ready says 503, so that whoever "
        "balances load can send its requests elsewhere. 0 where that has been done before.",
        within=(0, 600),
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _of(
        "DERMSERVE_LOG_LEVEL", "INFO", "The least severe log line that is written."
    )
    metrics: Literal["local", "public"] = _of(
        "DERMSERVE_METRICS", "local", "Who may read /metrics. `local`: the machine itself, not through a proxy."
    )

    @field_validator("analysis_timeout_s", "longest_wait_s")
    @classmethod
    def _check_timeout(cls, seconds: float) -> float:
        if not 0 < seconds <= 3600:
            raise ValueError("out of range")
        return seconds

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        lines = []
        if self.use_mock_services and self.flask_env == "production":
            lines.append(
                "USE_MOCK_SERVICES=true is refused with FLASK_ENV=production: canned answers must not reach "
                "people. Set USE_MOCK_SERVICES=false, or FLASK_ENV=development."
            )
        if self.max_workers < self.gunicorn_workers:
            lines.append(
                f"MAX_WORKERS={self.max_workers} is less than GUNICORN_WORKERS={self.gunicorn_workers}: "
                "each worker process must be allowed one analysis. Raise the one or lower the other."
            )
        if lines:
            raise ValueError("\n".join(lines))
        return self

    @property
    def models_dir(self) -> Path:
        """Where ``python -m ml fetch`` keeps the models."""
        return self.var / "models"

    @property
    def deadline_s(self) -> float:
        """Seconds from a request's arrival to our own 504."""
        return min(self.analysis_timeout_s, float(self.gunicorn_timeout_s - DEADLINE_MARGIN_S))

    @property
    def running_per_worker(self) -> int:
        """Analyses that one worker process computes at once."""
        return max(1, self.max_workers // self.gunicorn_workers)

    @property
    def admitted_per_worker(self) -> int:
        """Analyses that one worker process holds at once, running or waiting."""
        return self.gunicorn_threads - SPARE_THREADS

    @property
    def max_upload_bytes(self) -> int:
        return self.max_upload_mb * 2**20


class Settings(AccessSettings, ServiceSettings):
    """The service's settings, from the environment. Units are in the field names; frozen once made."""

    @classmethod
    def load(cls) -> Self:
        """The settings of this process. Raises SettingsError: a line for each bad variable."""
        try:
            return cls()
        except ValidationError as error:
            raise SettingsError(error_lines(error, cls.model_fields)) from None

    @classmethod
    def environment_names(cls) -> tuple[str, ...]:
        """The environment variables that are read, in the table's order."""
        return tuple(str(field.validation_alias) for field in cls.model_fields.values())


def load_or_exit() -> Settings:
    """The settings of this process; a bad one is named on stderr and ends the process with status 2."""
    try:
        return Settings.load()
    except SettingsError as error:
        for line in error.lines:
            sys.stderr.write(f"dermserve: {line}\n")
        sys.exit(2)
