"""Machines as a process sees them: processors, the cores that they belong to, and a quota."""

from __future__ import annotations

from pathlib import Path

import pytest

from server import cores

EIGHT = {cpu: (0, cpu % 4) for cpu in range(8)}  # m5.2xlarge: eight processors, four cores


class Machine:
    """What ``server.cores`` reads of the system, from ``folder`` instead."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.kept: list[frozenset[int]] = []
        self._patch = patch

    def become(self, cpus: set[int], of_core: dict[int, tuple[int, int]], quota: str | None = None) -> None:
        """``of_core``: (package, core) of each processor; ``quota`` as cpu.max has it."""
        for cpu, (package, core) in of_core.items():
            place = self.folder / "cpu" / f"cpu{cpu}" / "topology"
            place.mkdir(parents=True)
            (place / "physical_package_id").write_text(f"{package}\n")
            (place / "core_id").write_text(f"{core}\n")
        for name, path in {"_TOPOLOGY": "cpu", "_CGROUP": ".", "_OWN_CGROUP": "own"}.items():
            self._patch.setattr(cores, name, self.folder / path)
        self._patch.setattr(cores, "_all", None)
        self._patch.setattr(cores.os, "sched_getaffinity", lambda _: self.kept[-1] if self.kept else cpus)
        self._patch.setattr(cores.os, "sched_setaffinity", lambda _, kept: self.kept.append(kept))
        if quota is not None:
            (self.folder / "cpu.max").write_text(quota)
