"""The line that long commands show."""

from __future__ import annotations

import io

from scin.build.progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_each_tenth_is_a_plain_line() -> None:
    stream = io.StringIO()
    show = ProgressLine(stream)
    for done in range(1, 101):
        show("index", done, 100)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[0] == "index: 1/100"
    assert lines[-1].startswith("index: 100/100, ")
    assert lines[-1].endswith(" 0 s left")
    assert "\r" not in stream.getvalue()


def test_on_a_terminal_one_line_changes_and_ends_with_its_stage() -> None:
    stream = Terminal()
    show = ProgressLine(stream)
    for stage in ("generate", "index"):
        for done in (1, 2):
            show(stage, done, 2)
    assert stream.getvalue().count("\n") == 2
    assert stream.getvalue().count("\r") == 4
