"""One process at a time works in a folder; what a killed one leaves can be kept or cleared."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from storage.work_folder import FolderInUseError, clear, locked


def test_a_second_process_is_refused_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "work"
    with locked(folder, "build"):
        with pytest.raises(FolderInUseError) as caught, locked(folder, "build"):
            pass
        assert str(caught.value) == f"Another build is running in {folder}. Wait for it or stop it."
    with locked(folder, "build"):
        pass


def _killed(folder: Path) -> None:
    with locked(folder, "build"):
        (folder / "kept").write_text("kept")
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_leaves_its_files_and_no_lock(tmp_path: Path) -> None:
    child = multiprocessing.get_context("fork").Process(target=_killed, args=(tmp_path,))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    with locked(tmp_path, "build"):
        assert (tmp_path / "kept").read_text() == "kept"


def test_clearing_keeps_the_lock(tmp_path: Path) -> None:
    with locked(tmp_path, "build"):
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "file").write_text("old")
        (tmp_path / "file").write_text("old")
        clear(tmp_path)
        with pytest.raises(FolderInUseError), locked(tmp_path, "build"):
            pass
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]
