"""The source tree to deploy: a temporary git repository, because `eb deploy` sends the commit HEAD."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from deploy.rehearsal.progress import RehearsalError

_GIT_IDENTITY = {
    "GIT_AUTHOR_NAME": "rehearsal",
    "GIT_AUTHOR_EMAIL": "rehearsal@localhost",
    "GIT_COMMITTER_NAME": "rehearsal",
    "GIT_COMMITTER_EMAIL": "rehearsal@localhost",
    "GIT_CONFIG_NOSYSTEM": "1",
}


class Source:
    """A temporary repository whose files a rehearsal may change and commit."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self._env = {"PATH": os.environ["PATH"], "HOME": str(home), **_GIT_IDENTITY}

    @classmethod
    def from_head(cls, repository: Path, folder: Path, home: Path) -> Source:
        """Clone ``repository``. Raises RehearsalError if it has no commit."""
        made = cls(folder, home)
        made._git(folder.parent, "clone", "--quiet", str(repository), str(folder))
        return made

    @classmethod
    def from_working_tree(cls, repository: Path, folder: Path, home: Path) -> Source:
        """Copy every file of ``repository`` that git does not ignore, and commit the copies."""
        made = cls(folder, home)
        listed = made._git(repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        for name in filter(None, listed.split("\0")):
            origin, copy = repository / name, folder / name
            if origin.is_file():  # a tracked file may have been deleted
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(origin, copy)
        made._git(folder, "init", "--quiet", "--initial-branch=main")
        made.commit("The working tree")
        return made

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def write(self, name: str, text: str, *, executable: bool = False) -> None:
        """Create or replace a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if executable:
            path.chmod(0o755)

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace text in a file. Raises RehearsalError if the file does not contain it."""
        text = self.read(name)
        if old not in text:
            raise RehearsalError(f"{name} does not contain '{old}'; adapt the rehearsal to the new text")
        self.write(name, text.replace(old, new))

    def commit(self, message: str) -> None:
        """Commit everything, even if nothing changed."""
        self._git(self.folder, "add", "--all")
        self._git(self.folder, "commit", "--quiet", "--allow-empty", "--message", message)

    def restore(self, commit: str) -> None:
        """Restore all files to ``commit``, as a new commit."""
        self._git(self.folder, "rm", "-r", "-q", "--cached", ".")
        self._git(self.folder, "checkout", "--quiet", commit, "--", ".")
        self._git(self.folder, "clean", "-q", "-d", "--force")
        self.commit(f"Restore {commit}")

    def head(self) -> str:
        """The hash of the last commit."""
        return self._git(self.folder, "rev-parse", "HEAD").strip()

    def _git(self, where: Path, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607 - the git on PATH
            cwd=where,
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RehearsalError(f"git {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout
