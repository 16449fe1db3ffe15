"""Every setting of the service, typed and checked. Nothing else reads the environment.

To add one, add a field here, then run ``python -m settings > docs/settings.md``.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BeforeValidator, Field, Secret, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from typing_extensions import Doc

DEADLINE_MARGIN_S = 15  # our own answer must leave before gunicorn and the proxy give up on the request
SPARE_THREADS = 2  # of each worker: for health checks and refusals, never for an analysis


class SettingsError(ValueError):
    """One line for each setting that cannot be used."""


def _env(name: str, default: Any, **limits: Any) -> Any:
    return Field(default, validation_alias=name, **limits)


_SPLIT = BeforeValidator(
    lambda value: tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value
)
# ``Doc`` says what a value may be where its type and bounds do not.
_RATES = Doc("a number and a time, such as 60/minute (second, minute, hour or day)")
_ORIGINS = Doc("a comma-separated list of origins such as https://app.example.org")
_KEYS = Doc("a comma-separated list of keys of at least 16 characters")
_REDISES = Doc("a redis://, rediss:// or redis+unix:// address")

_Seconds = Annotated[float, Field(gt=0, le=3600), Doc("seconds, above 0 and at most 3600")]
_LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)]
_Rate = Annotated[str, Field(pattern=r"^([1-9][0-9]{0,5}/(second|minute|hour|day))?$"), _RATES]
_Origins = Annotated[tuple[Annotated[str, Field(pattern=r"^https?://[^\s/,*?#@]+$")], ...], NoDecode, _SPLIT, _ORIGINS]
_Keys = Annotated[tuple[Annotated[SecretStr, Field(min_length=16)], ...], NoDecode, _SPLIT, _KEYS]
_Redis = Annotated[Secret[Annotated[str, Field(pattern=r"^(rediss?://|redis\+unix:///)\S+$")]] | None, _REDISES]


class Settings(BaseSettings):
    """The service's settings, from the environment. Units are in the field names; frozen once made."""

    model_config = SettingsConfigDict(
        frozen=True,
        populate_by_name=True,
        env_ignore_empty=True,
        case_sensitive=True,
        str_strip_whitespace=True,
        use_attribute_docstrings=True,
    )

    flask_env: Literal["production", "development", "testing"] = _env("FLASK_ENV", "production")
    """The kind of installation. Mock answers are refused in production."""
    python_unbuffered: bool = _env("PYTHONUNBUFFERED", True)
    """Python's own setting: output is not buffered. Log lines never are."""
    use_mock_services: bool = _env("USE_MOCK_SERVICES", False)
    """Canned answers for front-end work, each marked `"mock": true`; no model is loaded."""
    ml_available: bool = _env("ML_AVAILABLE", True)
    """When false, the service runs without models: /health says so, and an analysis gets 503."""
    faces: bool = _env("OPERATION_APPLE_ENABLED", True)
    """Find faces, and measure their zones."""
    measurements: bool = _env("ADVANCED_ANALYSIS_ENABLED", True)
    """Measure the skin, besides looking up conditions and similar cases."""
    max_workers: int = _env("MAX_WORKERS", 4, ge=1, le=256)
    """Analyses at once on one instance, divided among the gunicorn workers; at least GUNICORN_WORKERS."""
    analysis_timeout_s: _Seconds = _env("ANALYSIS_TIMEOUT", 300.0)
    """Seconds that an analysis may take; never more than GUNICORN_TIMEOUT − 15."""
    faiss_dimension: int = _env("FAISS_DIMENSION", 512, ge=1, le=65_536)
    """Dimensions of an embedding. The service does not start if the encoder or the index has another number."""
    scin_bucket_path: str = _env("SCIN_BUCKET_PATH", "gs://dx-scin-public-data/dataset/")
    """The SCIN dataset that an index is built from: a folder, or a gs://, s3:// or https:// address."""
    ray_address: str | None = _env("RAY_ADDRESS", None)
    """The Ray cluster of `scin build --engine ray`: auto, host:port or a ray:// address. Unset: one on this machine."""
    preload_faiss: bool = _env("PRELOAD_FAISS", True)
    """Load the index when a worker starts; when false, at the first request."""
    enable_gpu: bool = _env("ENABLE_GPU", False)
    """Run the models on a GPU. The service does not start if no GPU is visible."""
    gunicorn_timeout_s: int = _env("GUNICORN_TIMEOUT", 300, ge=DEADLINE_MARGIN_S + 1, le=3600)
    """Seconds until gunicorn replaces a hung worker; also how long a stop waits for requests."""
    gunicorn_workers: int = _env("GUNICORN_WORKERS", 2, ge=1, le=64)
    """Worker processes."""
    gunicorn_threads: int = _env("GUNICORN_THREADS", 8, ge=SPARE_THREADS + 1, le=256)
    """Threads of each worker; 2 of them stay free for health checks and refusals."""
    host: str = _env("HOST", "127.0.0.1")
    """Address or host name to listen on."""
    port: int = _env("PORT", 8000, ge=0, le=65_535)
    """Port to listen on; 0 takes a free one."""
    var: Path = _env("DERMSERVE_VAR", Path("var"))
    """Folder of models and indexes."""
    index: str = _env("DERMSERVE_INDEX", "sample")
    """The index of labelled cases: `sample` (synthetic), `scin`, or a folder, or a gs://, s3:// or https:// address."""
    encoder: str = _env("DERMSERVE_ENCODER", "efficientnet-lite0")
    """Name of the fetched model that embeds photos; the index must be built with it."""
    classifier: str = _env("DERMSERVE_CLASSIFIER", "sklesion")
    """Name of the fetched model that classifies dermatoscopic photos."""
    engine: Literal["auto", "native", "onnxruntime"] = _env("DERMSERVE_ENGINE", "auto")
    """What runs the models. `native`: the model's own framework. `onnxruntime`: ONNX Runtime, or the service does not
    start. `auto`: ONNX Runtime where `python -m ml prepare` found that it agrees with the framework, else that."""
    mmap: bool = _env("DERMSERVE_MMAP", True)
    """Workers share the memory of compiled weights and of the index; when false, each has its own copy."""
    cosmetic_mode: bool = _env("DERMSERVE_COSMETIC_MODE", False)
    """Name no disease: answers have no lesion part, conditions, differentials or ICD codes."""
    max_pixels: int = _env("DERMSERVE_MAX_PIXELS", 220_000_000, ge=1024, le=220_000_000)
    """Pixels of the largest photo, as its header states them. Formats other than JPEG: at most 64 million."""
    max_upload_mb: int = _env("DERMSERVE_MAX_UPLOAD_MB", 100, ge=1, le=1024)
    """Size of the largest request, in MiB."""
    intra_op_threads: int = _env("DERMSERVE_INTRA_OP_THREADS", 0, ge=0, le=256)
    """Threads that compute one analysis; 0: the physical cores divided by the analyses at once."""
    max_requests: int = _env("DERMSERVE_MAX_REQUESTS", 0, ge=0, le=10_000_000)
    """Requests until a worker is replaced, give or take a tenth; 0: never."""
    longest_wait_s: _Seconds = _env("DERMSERVE_LONGEST_WAIT_S", 10.0)
    """Longest expected wait of a photo, in seconds. A photo that would wait longer gets 503."""
    stop_delay_s: int = _env("DERMSERVE_STOP_DELAY_S", 5, ge=0, le=600)
    """Seconds to accept requests after SIGTERM. /health/ready answers 503, so that load balancers stop sending more."""
    log_level: _LogLevel = _env("DERMSERVE_LOG_LEVEL", "INFO")
    """The least severe log line that is written."""
    metrics: Literal["local", "public"] = _env("DERMSERVE_METRICS", "local")
    """Who may read /metrics. `local`: the machine itself, not through a proxy."""

    cors_origins: _Origins = _env("DERMSERVE_CORS_ORIGINS", ())
    """Web origins whose pages may call the API."""
    api_keys: _Keys = _env("DERMSERVE_API_KEYS", ())
    """When set, an analysis needs one of these keys as `Authorization: Bearer …` or `X-API-Key`."""
    rate_limit: _Rate = _env("DERMSERVE_RATE_LIMIT", "")
    """Analyses allowed to one client (its key, else its address); empty: no limit. Exact only with the Redis below."""
    wrong_key_limit: _Rate = _env("DERMSERVE_WRONG_KEY_LIMIT", "30/minute")
    """Wrong keys from one address that get 401; more get 429. A valid key from the same address still works."""
    rate_limit_storage: _Redis = _env("DERMSERVE_RATE_LIMIT_STORAGE", None)
    """A Redis that counts for all workers and instances. Without it, or while it is down, each worker counts alone."""
    proxies: int = _env("DERMSERVE_PROXIES", 0, ge=0, le=9)
    """Proxies that each add an address to X-Forwarded-For (Elastic Beanstalk: 2, load balancer and nginx); 0: none."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.use_mock_services and self.flask_env == "production":
            raise ValueError(
                "USE_MOCK_SERVICES=true is refused with FLASK_ENV=production: unset it, or set FLASK_ENV=development."
            )
        if self.max_workers < self.gunicorn_workers:
            raise ValueError(
                f"MAX_WORKERS={self.max_workers} is less than GUNICORN_WORKERS={self.gunicorn_workers}: raise it."
            )
        return self

    @property
    def models_dir(self) -> Path:
        """Where ``python -m ml fetch`` keeps the models."""
        return self.var / "models"

    @property
    def index_is_remote(self) -> bool:
        """Whether the index has to be downloaded."""
        return self.index.startswith(("gs://", "s3://", "https://", "http://"))

    @property
    def index_folder(self) -> Path:
        """Where the index lies on this machine; each remote index has its own folder below ``var``."""
        if self.index in ("sample", "scin"):
            return self.var / "index" / self.index
        if self.index_is_remote:
            return self.var / "index" / hashlib.sha256(self.index.encode()).hexdigest()[:16]
        return Path(self.index)

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

    @classmethod
    def load(cls) -> Self:
        """The settings of this process. Raises SettingsError: a line for each bad variable."""
        try:
            return cls()
        except ValidationError as error:
            problems = {problem["loc"][:1]: problem for problem in error.errors()}
            raise SettingsError("\n".join(map(cls._line, problems.values()))) from None

    @classmethod
    def _line(cls, problem: Any) -> str:
        if not problem["loc"]:
            return str(problem["ctx"]["error"])
        field = next(one for one in cls.model_fields.values() if one.validation_alias == problem["loc"][0])
        value = "(not shown)" if "Secret" in str(field.annotation) else problem["input"]
        return f"{field.validation_alias}={value}: allowed is {allowed_values(field)}."

    @classmethod
    def environment_names(cls) -> tuple[str, ...]:
        """The environment variables that are read, in the table's order."""
        return tuple(str(field.validation_alias) for field in cls.model_fields.values())


def allowed_values(field: FieldInfo) -> str:
    """What a setting may be, in words."""
    facts = {type(fact): fact for fact in field.metadata}
    if Doc in facts:
        return str(facts[Doc].documentation)
    if Ge in facts:
        return f"a whole number from {facts[Ge].ge} to {facts[Le].le}"
    if get_origin(field.annotation) is Literal:
        return " or ".join(get_args(field.annotation))
    return "true or false" if field.annotation is bool else "a folder" if "Path" in str(field.annotation) else "text"


def load_or_exit() -> Settings:
    """The settings of this process; a bad one is named on stderr and ends the process with status 2."""
    try:
        return Settings.load()
    except SettingsError as error:
        sys.stderr.writelines(f"dermserve: {line}\n" for line in str(error).splitlines())
        sys.exit(2)


def markdown() -> str:
    """The page docs/settings.md."""
    return _PAGE_HEAD + "".join(map(_row, Settings.model_fields.values()))


def _row(field: FieldInfo) -> str:
    meaning = " ".join(str(field.description).split())
    return f"| `{field.validation_alias}` | {allowed_values(field)} | {_default(field.default)} | {meaning} |\n"


def _default(value: object) -> str:
    if value in (None, (), ""):
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


_PAGE_HEAD = """# Settings

All settings are environment variables. The service reads them once, when it starts. If it cannot use a value, it does
not start, and one line names the variable, the value and what is allowed. An empty value counts as unset.

This page is made by `python -m settings > docs/settings.md`.

| name | type | default | meaning |
|---|---|---|---|
"""

if __name__ == "__main__":
    sys.stdout.write(markdown())
