"""What processes write and where, as the kernel is told: by strace, which sees all of it, whatever library writes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tools import tool_or_skip

#: every call that takes bytes out of a process or makes a place for them ("?": not on every architecture)
_CALLS = (
    "openat,?open,openat2,?creat,memfd_create,io_uring_setup,mmap,write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,"
    "sendmmsg,sendfile,splice,vmsplice,tee,copy_file_range,setxattr,fsetxattr,symlinkat,linkat,renameat2,?rename,connect,"
    "execve"
)
_LINE = re.compile(r"(?P<time>\d+\.\d+) (?P<name>\w+)\((?P<rest>.*)")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_TARGET = re.compile(r"\d+<(?P<name>[^>]*?(?:->[^>]*)?)>(?P<deleted>\(deleted\))?")
_RESULT = re.compile(r" = -1 E[A-Z]+ ")
_WRITES_TO = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg", "fsetxattr"}
_COPIES_TO = {"sendfile": 0, "splice": 1, "tee": 1, "copy_file_range": 1}
_OPENS = {"openat", "open", "openat2", "creat", "memfd_create"}


@dataclass(frozen=True)
class Call:
    """One call that succeeded. ``target``: the file, socket or address that it is about; ``data``: all its strings."""

    time: float
    name: str
    target: str
    data: bytes
    text: str

    @property
    def writes(self) -> bool:
        """Whether bytes leave the process by this call."""
        return self.name in _WRITES_TO or self.name in _COPIES_TO

    @property
    def opens_for_writing(self) -> bool:
        """Whether a file or memory that can be written to is opened, or shared with others, by this call."""
        if self.name == "mmap":
            return "PROT_WRITE" in self.text and "MAP_SHARED" in self.text and "MAP_ANONYMOUS" not in self.text
        can_write = re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE", self.text)
        return self.name in {"creat", "memfd_create"} or (self.name in _OPENS and can_write is not None)


@dataclass(frozen=True)
class Tracer:
    """strace's own files lie below ``folder``, one for each thread."""

    folder: Path

    def command(self) -> list[str]:
        """What to put before a command; the process that is started becomes that command."""
        self.folder.mkdir()
        options = ["-D", "-ff", "--seccomp-bpf", "-ttt", "-yy", "-xx", "-s", str(2**27), "-e", f"trace={_CALLS}"]
        return [strace_or_skip(), *options, "-e", "signal=none", "-o", str(self.folder / "calls"), "--"]

    def calls(self, since: float = 0.0) -> Iterator[Call]:
        """Every call that succeeded from ``since`` on (seconds of the epoch), thread by thread."""
        for path in sorted(self.folder.iterdir()):
            with path.open(encoding="ascii", errors="replace") as lines:
                for line in lines:
                    found = _LINE.match(line)
                    if found and float(found["time"]) >= since and not _RESULT.search(line[-200:]):
                        yield _call(found)


def _call(found: re.Match[str]) -> Call:
    name, rest = found["name"], found["rest"]
    data = b"".join(bytes.fromhex(text.replace("\\x", "")) for text in _STRING.findall(rest))
    targets = [_name(target) for target in _TARGET.finditer(_STRING.sub("", rest))]
    if name in _OPENS:
        target = targets[-1] if targets else ""
    elif name in _COPIES_TO:
        target = targets[_COPIES_TO[name]]
    else:
        target = targets[0] if targets else ""
    return Call(float(found["time"]), name, target, data, _STRING.sub('""', rest))


def _name(target: re.Match[str]) -> str:
    text = re.sub(r"\\x([0-9a-f]{2})", lambda code: chr(int(code[1], 16)), target["name"])
    return text + (" (deleted)" if target["deleted"] else "")


def strace_or_skip() -> str:
    """Path of strace. Without it, or where tracing is forbidden, the tests are skipped, visibly; in CI the former is
    a failure."""
    skipped = "what becomes of a photo is not tested"
    found = tool_or_skip("strace", must="test what becomes of a photo", skipped=skipped)
    if subprocess.run([found, "-D", "-ff", "--seccomp-bpf", "true"], capture_output=True, check=False).returncode:
        pytest.skip(f"this machine does not let processes be traced: {skipped}")
    return found
