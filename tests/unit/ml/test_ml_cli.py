"""``python -m ml``: what a person at a terminal sees."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ml import __main__ as command_line
from ml.__main__ import main
from ml.models.compiled import CompiledRecord
from ml.models.registry import DERM_FOUNDATION, SPECS

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("DERMSERVE_VAR", str(tmp_path / "var"))

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(list(arguments))
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def mine(tmp_path: Path) -> str:
    for name in DERM_FOUNDATION.needed:
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return str(tmp_path / "mine")


def test_list_shows_every_model_with_its_state_and_licence(run: Run) -> None:
    status, out, _ = run("list")
    assert status == 0
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert set(lines) == set(SPECS)
    assert "not fetched" in lines["sklesion"]
    assert "opt-in" in lines["derm-foundation"]
    assert "CC BY-NC" in lines["dermlip-vit-b-16"]


def test_fetch_verify_and_list_a_model_of_ones_own(run: Run, mine: str, tmp_path: Path) -> None:
    status, out, err = run("fetch", "derm-foundation", "--source", mine)
    assert (status, err) == (0, "")
    assert re.fullmatch(r"derm-foundation: fetched and checked in \d+ s\n", out)
    assert run("fetch", "derm-foundation", "--source", mine) == (0, "derm-foundation: already here\n", "")
    assert run("verify", "derm-foundation") == (0, "derm-foundation 1.0.0: 3 files match their sha256\n", "")
    assert " here " in run("list", "derm-foundation")[1]
    assert (tmp_path / "var/models/derm-foundation/1.0.0/saved_model/saved_model.pb").is_file()


def test_a_damaged_file_fails_the_verification_in_one_line(run: Run, mine: str, tmp_path: Path) -> None:
    run("fetch", "derm-foundation", "--source", mine)
    path = tmp_path / "var/models/derm-foundation/1.0.0/saved_model/saved_model.pb"
    path.write_text("damaged")
    status, out, err = run("verify", "derm-foundation")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"error: {path} does not match")
    assert run("fetch", "derm-foundation", "--source", mine)[0] == 0
    assert run("verify", "derm-foundation")[0] == 0


def test_a_model_that_runs_natively_only_has_nothing_to_prepare(run: Run, mine: str) -> None:
    run("fetch", "derm-foundation", "--source", mine)
    told = "derm-foundation: runs natively only, nothing to prepare\n"
    assert run("prepare", "derm-foundation") == (0, told, "")
    assert run("prepare") == (0, "", "")


def test_preparing_what_was_not_fetched_is_told_in_one_line(run: Run) -> None:
    status, out, err = run("prepare", "sklesion")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "python -m ml fetch sklesion" in err


def test_a_model_that_does_not_agree_fails_the_command_only_where_compiled_models_were_asked_for(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = CompiledRecord({}, "probabilities differ", {}, {})
    monkeypatch.setattr(command_line, "compile_model", lambda *_, **__: (record, True))
    told = r"sklesion: runs natively: probabilities differ; compiled in \d+ s\n"
    status, out, err = run("prepare", "sklesion")
    assert re.fullmatch(told, out)
    assert (status, err) == (0, "")
    monkeypatch.setenv("DERMSERVE_ENGINE", "onnxruntime")
    status, out, err = run("prepare", "sklesion")
    assert re.fullmatch(told, out)
    assert (status, err) == (
        1,
        "error: DERMSERVE_ENGINE=onnxruntime, but it cannot run sklesion: probabilities differ\n",
    )


def test_without_names_the_models_are_those_that_the_settings_choose(
    run: Run, mine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, _, err = run("verify")
    assert status == 1
    assert "python -m ml fetch efficientnet-lite0" in err
    monkeypatch.setenv("DERMSERVE_ENCODER", "derm-foundation")
    status, _, err = run("fetch")
    assert status == 1
    assert "derm-foundation may not be redistributed" in err
    fetched: list[str] = []
    monkeypatch.setattr(command_line.ModelStore, "fetch", lambda _, spec, *__, **___: fetched.append(spec.name))
    monkeypatch.setenv("DERMSERVE_ENGINE", "native")
    monkeypatch.setenv("OPERATION_APPLE_ENABLED", "false")
    assert run("fetch")[0] == 0
    assert fetched == ["derm-foundation", "sklesion", "efficientnet-lite0"], "the last tells kinds of photos"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("fetch", "no-such-model"), "There is no model called 'no-such-model'. Known: efficientnet-lite0"),
        (("fetch", "derm-foundation"), "may not be redistributed"),
        (("fetch", "derm-foundation", "--source", "/no/such/folder"), "does not exist"),
        (("fetch", "derm-foundation", "--source", "ftp://host/x"), "not a supported scheme"),
    ],
)
def test_what_cannot_be_fetched_is_told_in_one_line(run: Run, arguments: tuple[str, ...], told: str) -> None:
    status, out, err = run(*arguments)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert told in err


@pytest.mark.parametrize(
    "arguments", [(), ("forget",), ("fetch", "--source", "x"), ("fetch", "a", "b", "--source", "x")]
)
def test_a_wrong_command_line_shows_the_usage(run: Run, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2


def test_a_folder_that_cannot_be_written_is_told_in_one_line(run: Run, mine: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    status, _, err = run("fetch", "derm-foundation", "--source", mine, "--models", str(tmp_path / "file"))
    assert (status, err.count("\n")) == (1, 1)
    assert "Not a directory" in err


def test_models_may_be_kept_elsewhere(run: Run, mine: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    assert run("fetch", "derm-foundation", "--source", mine, "--models", str(elsewhere))[0] == 0
    assert (elsewhere / "derm-foundation/1.0.0/manifest.json").is_file()
