"""``python -m benchmarks.way [PHOTO]``: the rooms that one request passes through, and how often it goes back to one.

Serves one photo through Flask's test client, with the real models and index, and follows the calls between this
project's modules in the request's thread. A room is a top-level package or module, or a package below ``ml/`` or
``scin/``; with ``--modules`` each module is a room. Prints:

- stays: how often a function of one room calls a function of another room, and how many functions are called so;
- functions that re-enter a room: the room is already lower on the stack, with another room in between;
- the way as a Mermaid sequence diagram, without the room ``ml``, whose values and deadlines all others use.

Not counted: wrappers of decorators, properties, comprehensions, generated code such as a dataclass's ``__init__``,
imports, and generators that go on. A first request warms up, so that nothing is loaded or compiled in the second one,
which is counted.
"""

from __future__ import annotations

import argparse
import dis
import io
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import groupby
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, NamedTuple

from server.instance import this_process
from server.threads import thread_environment
from settings import Settings, load_or_exit

_ROOT = Path(__file__).resolve().parents[1]
_ROOMS = ("web", "server", "ml", "scin", "storage", "settings")
_DIVIDED = ("ml", "scin")
_COMMON = "ml"
_ANALYZE = "/api/analyze/skin"
#: code that is part of the function or the module around it
_PARTS = frozenset({"<module>", "<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"})


class Stay(NamedTuple):
    """One call from a room into another."""

    caller: str
    room: str
    function: str
    reenters: bool


class Tracer:
    """Collects stays while it is the profile function of a thread (``sys.setprofile``)."""

    def __init__(self, root: Path, ignored: frozenset[CodeType] = frozenset(), *, modules: bool = False) -> None:
        """Files below ``root`` are the project's. Calls of ``ignored`` code are not counted. ``modules`` are rooms."""
        self.stays: list[Stay] = []
        self._root = root
        self._ignored = ignored
        self._modules = modules
        self._rooms: dict[CodeType, str | None] = {}

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        room = self._room(frame.f_code) if event == "call" else None
        if room is None or _goes_on(frame):
            return
        lower = [found for one in _below(frame) if (found := self._room(one.f_code)) is not None]
        if lower and lower[0] != room:
            module = frame.f_globals["__name__"].rpartition(".")[2]
            self.stays.append(Stay(lower[0], room, f"{module}.{frame.f_code.co_qualname}", room in lower))

    def _room(self, code: CodeType) -> str | None:
        """The room that ``code`` belongs to; None for code that is not counted."""
        if code not in self._rooms:
            counted = code not in self._ignored and code.co_name not in _PARTS
            self._rooms[code] = self._room_of(code) if counted else None
        return self._rooms[code]

    def _room_of(self, code: CodeType) -> str | None:
        path = Path(code.co_filename)
        if not path.is_relative_to(self._root):
            return None
        top, *below = path.relative_to(self._root).with_suffix("").parts
        if top not in _ROOMS:
            return None
        if self._modules:
            return ".".join([top, *below])
        return f"{top}.{below[0]}" if top in _DIVIDED and len(below) > 1 else top


def _below(frame: FrameType) -> Iterator[FrameType]:
    while frame.f_back is not None:
        frame = frame.f_back
        yield frame


def _goes_on(frame: FrameType) -> bool:
    """Whether ``frame`` is a generator that is resumed, not a call that begins."""
    if frame.f_lasti < 0:
        return False
    opcode, argument = frame.f_code.co_code[frame.f_lasti : frame.f_lasti + 2]
    return not (dis.opname[opcode] == "RESUME" and argument == 0)


def wrappers_and_properties() -> frozenset[CodeType]:
    """The code of decorators' wrappers and of properties, of all modules of the project that are loaded."""
    modules = [module for name, module in sys.modules.items() if name.split(".")[0] in _ROOMS]
    return frozenset(code for module in modules for owner in _owners(module) for code in _uncounted(owner))


def _owners(module: ModuleType) -> list[object]:
    return [module, *(value for value in vars(module).values() if isinstance(value, type))]


def _uncounted(owner: object) -> Iterator[CodeType]:
    for value in vars(owner).values():
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if isinstance(value, property):
            function = value.fget
        elif isinstance(value, cached_property):
            function = value.func
        elif not hasattr(function, "__wrapped__"):
            continue
        if isinstance(function, FunctionType):
            yield function.__code__


def follow(request: Callable[[], object], *, modules: bool) -> list[Stay]:
    """The stays of one ``request``."""
    tracer = Tracer(_ROOT, wrappers_and_properties(), modules=modules)
    sys.setprofile(tracer)
    try:
        request()
    finally:
        sys.setprofile(None)
    return tracer.stays


def report(stays: list[Stay]) -> str:
    """What the module's docstring promises, as text."""
    again = Counter(f"{stay.room}: {stay.function}, from {stay.caller}" for stay in stays if stay.reenters)
    doors = {(stay.room, stay.function) for stay in stays}
    reentered = {(stay.room, stay.function) for stay in stays if stay.reenters}
    lines = [f"stays: {len(stays)}, through {len(doors)} functions"]
    lines += [f"functions that re-enter a room: {len(reentered)}"]
    lines += [f"  {name} ({count}×)" for name, count in sorted(again.items())]
    return "\n".join([*lines, "", *_diagram(stays)])


def _diagram(stays: list[Stay]) -> list[str]:
    shown = [stay for stay in stays if _COMMON not in (stay.caller, stay.room)]
    rooms = dict.fromkeys(room for stay in shown for room in (stay.caller, stay.room))
    lines = ["sequenceDiagram", *(f"    participant {room}" for room in rooms)]
    for (caller, room), group in groupby(shown, key=lambda stay: stay[:2]):
        names = dict.fromkeys(stay.function.rpartition(".")[2] for stay in group)
        lines.append(f"    {caller}->>{room}: {', '.join(names)}")
    return lines


def _sender(settings: Settings, photo: bytes, modality: str | None) -> Callable[[], None]:
    """Sends ``photo`` to a service that has loaded."""
    from ml.deadline import Deadline
    from web.app import create_app

    app = create_app(settings, this_process(settings))
    services = app.extensions["dermserve"]
    services.start()
    services.pipeline(Deadline(300))
    client = app.test_client()
    fields = {"modality": modality} if modality else {}

    def send() -> None:
        data: dict[str, Any] = {**fields, "image": (io.BytesIO(photo), "photo")}
        answer = client.post(_ANALYZE, data=data)
        if answer.status_code != 200:
            raise RuntimeError(f"The service refused the photo: {answer.text}")

    return send


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path, nargs="?", help="a generated close-up of the sample if not given")
    parser.add_argument("--modules", action="store_true", help="count each module as a room")
    options = parser.parse_args(arguments)
    settings = load_or_exit()
    os.environ.update(thread_environment(settings))
    photo = options.photo or min((settings.var / "sample" / "dataset" / "images").glob("*.png"))
    send = _sender(settings, photo.read_bytes(), None if options.photo else "close_up")
    send()
    print(report(follow(send, modules=options.modules)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
