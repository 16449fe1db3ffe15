"""A pod made by hand: containers of built images that share one network, each with a root that cannot be written.

buildah builds images and unpacks containers, but its ``run`` has no read-only root. So their commands run here as an
engine would run them: in their own mount namespace, as the image's user, with the image's environment.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LOOPBACK_UP = "import fcntl, socket, struct, sys; s = socket.socket(); \
fcntl.ioctl(s, 0x8914, struct.pack('16sh', b'lo', 1)); print('up', flush=True); sys.stdin.read()"
_MOUNT = """
mount --make-rprivate /
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount -t tmpfs -o size=512m,mode=1777 tmpfs "$1/tmp"
for name in dev proc sys; do mount --rbind "/$name" "$1/$name"; done
mount -t tmpfs -o size=64m,mode=1777 tmpfs "$1/dev/shm"
cd "$1"
user=$2 root=$1
shift 2
exec chroot --userspec="$user" "$root" /usr/bin/env -i "$@"
"""


@dataclass(frozen=True)
class Container:
    """``root``: the unpacked files. ``config``: the image's settings, such as User, Env and Cmd."""

    root: Path
    config: dict[str, Any]

    def command(self, *words: str) -> list[str]:
        """A command that becomes ``words``, or else the image's own command, in this container."""
        folder = f"--chdir={self.config['WorkingDir'] or '/'}"
        inside = [folder, *self.config["Env"], *(words or self.config["Cmd"])]
        return ["unshare", "--mount", "sh", "-ec", _MOUNT, "sh", str(self.root), self.config["User"], *inside]


@contextmanager
def container(image: str) -> Iterator[Container]:
    """A container of ``image``, removed at the end."""
    name = _buildah("from", "--pull-never", image)
    try:
        described = json.loads(_buildah("inspect", "--type", "container", name))
        yield Container(Path(_buildah("mount", name)), described["Docker"]["config"])
    finally:
        _buildah("rm", name)


@contextmanager
def network() -> Iterator[list[str]]:
    """A network that has only its own loopback. Yields the words before a command that make it run there."""
    holder = subprocess.Popen(
        ["unshare", "--net", sys.executable, "-c", _LOOPBACK_UP], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"up\n"
        yield ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
    finally:
        holder.stdin.close()
        holder.wait(timeout=30)
        holder.stdout.close()


def has_image(image: str) -> bool:
    return (
        subprocess.run(["buildah", "inspect", "--type", "image", image], capture_output=True, check=False).returncode
        == 0
    )


def _buildah(*words: str) -> str:
    return subprocess.run(["buildah", *words], capture_output=True, text=True, check=True).stdout.strip()
