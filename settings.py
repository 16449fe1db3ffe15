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

DEADLINE_MARGIN_S = 15  # the service's own 504 must come before gunicorn and the proxy end the request
AUTO = "auto"
LOCALHOST = "localhost"
_GENERAL_ENCODER = "efficientnet-lite0"
SPARE_THREADS = 2  # threads of each worker for health checks and refusals, not for analyses


class SettingsError(ValueError):
    """Settings are invalid. The message has one line for each of them."""


def _env(name: str, default: Any, **limits: Any) -> Any:
    return Field(default, validation_alias=name, **limits)


_SPLIT = BeforeValidator(
    lambda value: tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value
)
# ``Doc`` describes the allowed values if the type and the bounds do not.
_RATES = Doc("a number and a time, such as 60/minute (second, minute, hour or day)")
_ORIGINS = Doc("a comma-separated list of origins such as https://app.example.org, or localhost")
_KEYS = Doc("a comma-separated list of keys of at least 16 characters")
_REDISES = Doc("a redis://, rediss:// or redis+unix:// address")
_ORIGIN = rf"^({LOCALHOST}|https?://[^\s/,*?#@]+)$"

_Seconds = Annotated[float, Field(gt=0, le=3600), Doc("seconds, above 0 and at most 3600")]
_LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)]
_Rate = Annotated[str, Field(pattern=r"^([1-9][0-9]{0,5}/(second|minute|hour|day))?$"), _RATES]
_Origins = Annotated[tuple[Annotated[str, Field(pattern=_ORIGIN)], ...], NoDecode, _SPLIT, _ORIGINS]
_Keys = Annotated[tuple[Annotated[SecretStr, Field(min_length=16)], ...], NoDecode, _SPLIT, _KEYS]
_Redis = Annotated[Secret[Annotated[str, Field(pattern=r"^(rediss?://|redis\+unix:///)\S+$")]] | None, _REDISES]


class Settings(BaseSettings):
    """The service's settings, from the environment. Field names contain the units."""

    model_config = SettingsConfigDict(
        frozen=True,
        populate_by_name=True,
        env_ignore_empty=True,
        case_sensitive=True,
        str_strip_whitespace=True,
        use_attribute_docstrings=True,
    )

    flask_env: Literal["production", "development", "testing"] = _env("FLASK_ENV", "production")
    """The kind of installation. USE_MOCK_SERVICES is not allowed in production."""
    python_unbuffered: bool = _env("PYTHONUNBUFFERED", True)
    """Python's own setting for unbuffered output. It has no effect on log lines, which are never buffered."""
    use_mock_services: bool = _env("USE_MOCK_SERVICES", False)
    """Return canned answers for front-end work, marked `"mock": true`. No model is loaded."""
    ml_available: bool = _env("ML_AVAILABLE", True)
    """If false, the service runs without models: /health reports it, and an analysis gets 503."""
    faces: bool = _env("OPERATION_APPLE_ENABLED", True)
    """Find faces and measure their zones."""
    measurements: bool = _env("ADVANCED_ANALYSIS_ENABLED", True)
    """Measure the skin. If false, answers have no measurements."""
    max_workers: int = _env("MAX_WORKERS", 4, ge=1, le=256)
    """Analyses that one instance runs at once, divided among the gunicorn workers. At least GUNICORN_WORKERS."""
    analysis_timeout_s: _Seconds = _env("ANALYSIS_TIMEOUT", 300.0)
    """Time limit of an analysis in seconds. The limit is never more than GUNICORN_TIMEOUT − 15."""
    faiss_dimension: int = _env("FAISS_DIMENSION", 512, ge=1, le=65_536)
    """Dimensions of an embedding. The service does not start if the encoder or the index has a different number."""
    scin_bucket_path: str = _env("SCIN_BUCKET_PATH", "gs://dx-scin-public-data/dataset/")
    """The source of the SCIN dataset for building an index: a folder, or a gs://, s3:// or https:// address."""
    ray_address: str | None = _env("RAY_ADDRESS", None)
    """The Ray cluster for `scin build --engine ray`: auto, host:port or a ray:// address. If unset, a cluster on this
    machine."""
    preload_faiss: bool = _env("PRELOAD_FAISS", True)
    """Load the index when a worker starts. If false, it is loaded at the first request."""
    enable_gpu: bool = _env("ENABLE_GPU", False)
    """Run the models on a GPU. The service does not start if no GPU is visible."""
    gunicorn_timeout_s: int = _env("GUNICORN_TIMEOUT", 300, ge=DEADLINE_MARGIN_S + 1, le=3600)
    """Seconds until gunicorn replaces a hung worker. A stop also waits this long for running requests."""
    gunicorn_workers: int = _env("GUNICORN_WORKERS", 2, ge=1, le=64)
    """Worker processes."""
    gunicorn_threads: int = _env("GUNICORN_THREADS", 8, ge=SPARE_THREADS + 1, le=256)
    """Threads of each worker. 2 of them are reserved for health checks and refusals."""
    host: str = _env("HOST", "127.0.0.1")
    """Address or host name to listen on."""
    port: int = _env("PORT", 8000, ge=0, le=65_535)
    """Port to listen on. 0 chooses a free port."""
    var: Path = _env("DERMSERVE_VAR", Path("var"))
    """Folder for models and indexes."""
    index: str = _env("DERMSERVE_INDEX", AUTO)
    """The index of labelled cases: `sample` (synthetic), `scin`, a folder, or a gs://, s3:// or https:// address.
    `auto`: the best index below DERMSERVE_VAR: real before synthetic, then evaluated, with more cases, newer. It is
    chosen when the service starts or reloads."""
    encoder: str = _env("DERMSERVE_ENCODER", AUTO)
    """The model that embeds photos: the name of a downloaded model, or the folder of a trained encoder. The index must
    be built with it. `auto`: the encoder that made the index; for building an index, `efficientnet-lite0`."""
    classifier: str = _env("DERMSERVE_CLASSIFIER", "sklesion")
    """Name of the downloaded model that classifies dermatoscopic photos."""
    engine: Literal["auto", "native", "onnxruntime"] = _env("DERMSERVE_ENGINE", "auto")
    """The software that runs the models. `native`: the model's own framework. `onnxruntime`: ONNX Runtime; the service
    does not start if it cannot run the models. `auto`: ONNX Runtime if `python -m ml prepare` found that its results
    agree with the framework's, else the framework."""
    mmap: bool = _env("DERMSERVE_MMAP", True)
    """Workers share the memory of compiled weights and of the index. If false, each worker has its own copy."""
    cosmetic_mode: bool = _env("DERMSERVE_COSMETIC_MODE", False)
    """Name no disease: answers contain no lesion, conditions, differentials or ICD codes."""
    max_pixels: int = _env("DERMSERVE_MAX_PIXELS", 220_000_000, ge=1024, le=220_000_000)
    """Largest number of pixels of a photo. For formats other than JPEG, at most 64 million."""
    max_upload_mb: int = _env("DERMSERVE_MAX_UPLOAD_MB", 100, ge=1, le=1024)
    """Size of the largest request, in MiB."""
    intra_op_threads: int = _env("DERMSERVE_INTRA_OP_THREADS", 0, ge=0, le=256)
    """Threads that compute one analysis. 0: the physical cores divided by the number of analyses at once."""
    max_requests: int = _env("DERMSERVE_MAX_REQUESTS", 0, ge=0, le=10_000_000)
    """Replace a worker after this many requests, ±10 %. 0: never."""
    longest_wait_s: _Seconds = _env("DERMSERVE_LONGEST_WAIT_S", 10.0)
    """Longest time that a photo may wait for its analysis, in seconds. If the expected wait is longer, it gets 503."""
    stop_delay_s: int = _env("DERMSERVE_STOP_DELAY_S", 5, ge=0, le=600)
    """Seconds to accept requests after SIGTERM. Meanwhile /health/ready answers 503, so that load balancers send no
    more requests."""
    log_level: _LogLevel = _env("DERMSERVE_LOG_LEVEL", "INFO")
    """Log lines of this level and above are written."""
    metrics: Literal["local", "public"] = _env("DERMSERVE_METRICS", "local")
    """Who may read /metrics. `local`: only requests from the same machine, not through a proxy."""

    cors_origins: _Origins = _env("DERMSERVE_CORS_ORIGINS", ())
    """Web origins whose pages may call the API (CORS). `localhost`: pages of this machine, on any port, for
    development."""
    api_keys: _Keys = _env("DERMSERVE_API_KEYS", ())
    """If set, an analysis needs one of these keys as `Authorization: Bearer …` or `X-API-Key`."""
    rate_limit: _Rate = _env("DERMSERVE_RATE_LIMIT", "")
    """Rate limit for the analyses of one client, identified by its key or else its address. Empty: no limit. Exact only
    with DERMSERVE_RATE_LIMIT_STORAGE."""
    wrong_key_limit: _Rate = _env("DERMSERVE_WRONG_KEY_LIMIT", "30/minute")
    """Rate limit for wrong keys from one address. Up to the limit they get 401, then 429. A valid key from the same
    address still works."""
    rate_limit_storage: _Redis = _env("DERMSERVE_RATE_LIMIT_STORAGE", None)
    """A Redis server that counts requests for all workers and instances. Without it, or while it is down, each worker
    counts by itself."""
    proxies: int = _env("DERMSERVE_PROXIES", 0, ge=0, le=9)
    """Number of proxies that add an address to X-Forwarded-For. Elastic Beanstalk has 2: load balancer and nginx."""

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
    def building_encoder(self) -> str:
        """The encoder for building an index."""
        return _GENERAL_ENCODER if self.encoder == AUTO else self.encoder

    @property
    def indexes(self) -> Path:
        """The folder in which ``auto`` looks for indexes."""
        return self.var / "index"

    @property
    def index_folder(self) -> Path:
        """Folder of the index on this machine. Each remote index has its own folder below ``var``.

        Raises ValueError for ``auto``: web.boot chooses the folder.
        """
        if self.index == AUTO:
            raise ValueError("DERMSERVE_INDEX=auto names no folder before the index is chosen")
        if self.index in ("sample", "scin"):
            return self.indexes / self.index
        if self.index_is_remote:
            return self.indexes / hashlib.sha256(self.index.encode()).hexdigest()[:16]
        return Path(self.index)

    @property
    def deadline_s(self) -> float:
        """Seconds from a request's arrival to the service's own 504."""
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
        """The settings of this process. Raises SettingsError with a line for each bad variable."""
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
    """The allowed values of a setting, in words."""
    facts = {type(fact): fact for fact in field.metadata}
    if Doc in facts:
        return str(facts[Doc].documentation)
    if Ge in facts:
        return f"a whole number from {facts[Ge].ge} to {facts[Le].le}"
    if get_origin(field.annotation) is Literal:
        return " or ".join(get_args(field.annotation))
    return "true or false" if field.annotation is bool else "a folder" if "Path" in str(field.annotation) else "text"


def load_or_exit() -> Settings:
    """The settings of this process. Writes bad settings to stderr and exits with status 2."""
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
