from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from settings import DEADLINE_MARGIN_S, SPARE_THREADS, Settings, SettingsError, load_or_exit, markdown

ROOT = Path(__file__).resolve().parents[2]

FROM_THE_SPECIFICATION = {
    "PYTHONUNBUFFERED": "1",
    "FLASK_ENV": "production",
    "USE_MOCK_SERVICES": "false",
    "ML_AVAILABLE": "true",
    "OPERATION_APPLE_ENABLED": "true",
    "ADVANCED_ANALYSIS_ENABLED": "true",
    "MAX_WORKERS": "4",
    "ANALYSIS_TIMEOUT": "300",
    "FAISS_DIMENSION": "512",
    "SCIN_BUCKET_PATH": "gs://dx-scin-public-data/dataset/",
    "PRELOAD_FAISS": "true",
    "ENABLE_GPU": "false",
    "GUNICORN_TIMEOUT": "300",
    "GUNICORN_WORKERS": "2",
    "GUNICORN_THREADS": "8",
}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.environment_names():
        monkeypatch.delenv(name, raising=False)


def test_the_specification_s_names_are_all_read() -> None:
    assert set(FROM_THE_SPECIFICATION) <= set(Settings.environment_names())


def test_the_specification_s_values_are_accepted_and_are_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Settings.load()
    for name, value in FROM_THE_SPECIFICATION.items():
        monkeypatch.setenv(name, value)
    assert Settings.load() == defaults


CHANGED = {
    "FLASK_ENV": ("testing", "flask_env", "testing"),
    "PYTHONUNBUFFERED": ("0", "python_unbuffered", False),
    "ML_AVAILABLE": ("false", "ml_available", False),
    "OPERATION_APPLE_ENABLED": ("no", "faces", False),
    "ADVANCED_ANALYSIS_ENABLED": ("off", "measurements", False),
    "MAX_WORKERS": (" 7 ", "max_workers", 7),
    "ANALYSIS_TIMEOUT": ("2.5", "analysis_timeout_s", 2.5),
    "FAISS_DIMENSION": ("6144", "faiss_dimension", 6144),
    "SCIN_BUCKET_PATH": ("s3://b/d/", "scin_bucket_path", "s3://b/d/"),
    "RAY_ADDRESS": ("10.0.0.1:6379", "ray_address", "10.0.0.1:6379"),
    "PRELOAD_FAISS": ("False", "preload_faiss", False),
    "ENABLE_GPU": ("1", "enable_gpu", True),
    "GUNICORN_TIMEOUT": ("60", "gunicorn_timeout_s", 60),
    "GUNICORN_WORKERS": ("3", "gunicorn_workers", 3),
    "GUNICORN_THREADS": ("4", "gunicorn_threads", 4),
    "HOST": ("0.0.0.0", "host", "0.0.0.0"),
    "PORT": ("0", "port", 0),
    "DERMSERVE_VAR": ("/data", "var", Path("/data")),
    "DERMSERVE_INDEX": ("gs://b/i", "index", "gs://b/i"),
    "DERMSERVE_ENCODER": ("other", "encoder", "other"),
    "DERMSERVE_CLASSIFIER": ("other", "classifier", "other"),
    "DERMSERVE_ENGINE": ("native", "engine", "native"),
    "DERMSERVE_MMAP": ("false", "mmap", False),
    "DERMSERVE_COSMETIC_MODE": ("true", "cosmetic_mode", True),
    "DERMSERVE_CORS_ORIGINS": (
        "https://a.example, http://localhost:3000, localhost",
        "cors_origins",
        ("https://a.example", "http://localhost:3000", "localhost"),
    ),
    "DERMSERVE_RATE_LIMIT": ("60/minute", "rate_limit", "60/minute"),
    "DERMSERVE_WRONG_KEY_LIMIT": ("5/second", "wrong_key_limit", "5/second"),
    "DERMSERVE_PROXIES": ("2", "proxies", 2),
    "DERMSERVE_MAX_PIXELS": ("1000000", "max_pixels", 1_000_000),
    "DERMSERVE_MAX_UPLOAD_MB": ("5", "max_upload_mb", 5),
    "DERMSERVE_INTRA_OP_THREADS": ("2", "intra_op_threads", 2),
    "DERMSERVE_LONGEST_WAIT_S": ("2.5", "longest_wait_s", 2.5),
    "DERMSERVE_STOP_DELAY_S": ("0", "stop_delay_s", 0),
    "DERMSERVE_MAX_REQUESTS": ("1000", "max_requests", 1000),
    "DERMSERVE_LOG_LEVEL": ("debug", "log_level", "DEBUG"),
    "DERMSERVE_METRICS": ("public", "metrics", "public"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_each_name_sets_its_field(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, attribute, value = CHANGED[name]
    monkeypatch.setenv(name, text)
    assert getattr(Settings.load(), attribute) == value


def test_every_name_is_covered_by_a_test_of_its_effect() -> None:
    apart = {"USE_MOCK_SERVICES", "DERMSERVE_API_KEYS", "DERMSERVE_RATE_LIMIT_STORAGE"}
    assert set(CHANGED) | apart == set(Settings.environment_names())


@pytest.mark.parametrize(
    ("name", "bad", "allowed"),
    [
        ("MAX_WORKERS", "four", "a whole number from 1 to 256"),
        ("MAX_WORKERS", "0", "a whole number from 1 to 256"),
        ("GUNICORN_THREADS", "2", "a whole number from 3 to 256"),
        ("GUNICORN_TIMEOUT", "15", "a whole number from 16 to 3600"),
        ("PORT", "70000", "a whole number from 0 to 65535"),
        ("ANALYSIS_TIMEOUT", "nan", "seconds, above 0 and at most 3600"),
        ("ANALYSIS_TIMEOUT", "0", "seconds, above 0 and at most 3600"),
        ("ENABLE_GPU", "maybe", "true or false"),
        ("FLASK_ENV", "prod", "production or development or testing"),
        ("DERMSERVE_ENGINE", "onnx", "auto or native or onnxruntime"),
        ("DERMSERVE_LOG_LEVEL", "LOUD", "DEBUG or INFO or WARNING or ERROR"),
        ("DERMSERVE_RATE_LIMIT", "60", "a number and a time, such as 60/minute (second, minute, hour or day)"),
        ("DERMSERVE_RATE_LIMIT", "0/day", "a number and a time, such as 60/minute (second, minute, hour or day)"),
        ("DERMSERVE_PROXIES", "-1", "a whole number from 0 to 9"),
        (
            "DERMSERVE_CORS_ORIGINS",
            "*",
            "a comma-separated list of origins such as https://app.example.org, or localhost",
        ),
        (
            "DERMSERVE_CORS_ORIGINS",
            "https://a.example/path",
            "a comma-separated list of origins such as https://app.example.org, or localhost",
        ),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(
    name: str, bad: str, allowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, bad)
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert str(caught.value).splitlines() == [f"{name}={bad}: allowed is {allowed}."]


def test_every_bad_value_gets_its_line_and_the_process_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "x")
    monkeypatch.setenv("MAX_WORKERS", "y")
    with pytest.raises(SystemExit) as caught:
        load_or_exit()
    assert caught.value.code == 2
    assert sorted(line.split("=")[0] for line in capsys.readouterr().err.splitlines()) == [
        "dermserve: MAX_WORKERS",
        "dermserve: PORT",
    ]


def test_mock_answers_are_refused_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USE_MOCK_SERVICES", "true")
    with pytest.raises(SettingsError, match=r"USE_MOCK_SERVICES=true is refused with FLASK_ENV=production"):
        Settings.load()
    monkeypatch.setenv("FLASK_ENV", "development")
    assert Settings.load().use_mock_services


def test_each_worker_process_needs_room_for_an_analysis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_WORKERS", "1")
    with pytest.raises(SettingsError, match=r"MAX_WORKERS=1 is less than GUNICORN_WORKERS=2"):
        Settings.load()


def test_one_bad_entry_of_a_list_gets_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERMSERVE_CORS_ORIGINS", "https://a.example, b.example,")
    monkeypatch.setenv("DERMSERVE_API_KEYS", "short, shorter, long-enough-for-a-key")
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert str(caught.value).splitlines() == [
        "DERMSERVE_CORS_ORIGINS=b.example: allowed is a comma-separated list of origins such as "
        "https://app.example.org, or localhost.",
        "DERMSERVE_API_KEYS=(not shown): allowed is a comma-separated list of keys of at least 16 characters.",
    ]


def test_a_variable_that_is_not_a_setting_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERMSERVE_NO_SUCH_SETTING", "1")
    Settings.load()


def test_a_setting_that_does_not_exist_is_refused_in_code() -> None:
    with pytest.raises(ValueError, match="no_such_setting"):
        Settings(no_such_setting=1)


def test_descriptions_state_the_margins_that_the_code_uses() -> None:
    described = {name: str(field.description) for name, field in Settings.model_fields.items()}
    assert all(described.values())
    assert f"GUNICORN_TIMEOUT − {DEADLINE_MARGIN_S}." in described["analysis_timeout_s"]
    assert f"{SPARE_THREADS} of them are reserved" in described["gunicorn_threads"]


def test_keys_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERMSERVE_API_KEYS", "a-key-of-16-chars, another-key-of-some-length")
    settings = Settings.load()
    assert [key.get_secret_value() for key in settings.api_keys] == ["a-key-of-16-chars", "another-key-of-some-length"]
    assert "of-16" not in repr(settings)
    monkeypatch.setenv("DERMSERVE_API_KEYS", "tooshort")
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert "tooshort" not in str(caught.value)


def test_the_address_of_a_redis_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERMSERVE_RATE_LIMIT_STORAGE", "rediss://:pass-word@redis.example:6379/0")
    settings = Settings.load()
    assert settings.rate_limit_storage is not None
    assert settings.rate_limit_storage.get_secret_value() == "rediss://:pass-word@redis.example:6379/0"
    assert "pass-word" not in repr(settings)
    monkeypatch.setenv("DERMSERVE_RATE_LIMIT_STORAGE", "http://:pass-word@redis.example")
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert str(caught.value).splitlines() == [
        "DERMSERVE_RATE_LIMIT_STORAGE=(not shown): allowed is a redis://, rediss:// or redis+unix:// address."
    ]


def test_an_empty_value_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_WORKERS", "")
    assert Settings.load().max_workers == 4


@pytest.mark.parametrize(("analysis", "gunicorn", "deadline"), [(300, 300, 285), (60, 300, 60), (300, 100, 85)])
def test_our_deadline_comes_before_gunicorn_s(analysis: float, gunicorn: int, deadline: float) -> None:
    assert Settings(analysis_timeout_s=analysis, gunicorn_timeout_s=gunicorn).deadline_s == deadline


def test_analyses_are_divided_among_the_workers() -> None:
    settings = Settings(max_workers=7, gunicorn_workers=3, gunicorn_threads=8)
    assert (settings.running_per_worker, settings.admitted_per_worker) == (2, 6)


def test_the_page_is_current_and_complete() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert page == markdown(), "run: python -m settings > docs/settings.md"
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(Settings.environment_names())


def test_nothing_else_reads_the_environment() -> None:
    rooms = [ROOT / name for name in ("application.py", "gunicorn.conf.py")]
    rooms += [path for room in ("server", "web", "ml", "scin") for path in (ROOT / room).rglob("*.py")]
    readers = [path.name for path in rooms if re.search(r"environ(\.get|\[[^\]]+\](?! =))|getenv", path.read_text())]
    wsgi = {"body.py", "access_log.py", "routes.py"}  # a request's environ, not the process's
    assert set(readers) <= wsgi


def test_importing_settings_reads_nothing() -> None:
    code = "import settings; print('ok')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"MAX_WORKERS": "broken"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "ok\n"
