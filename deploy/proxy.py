"""Assembles the nginx configuration like the platform: its own files, overlaid with .platform/nginx."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

_STOCK = Path(__file__).parent / "stock_nginx"


def stage_proxy(
    folder: Path, application: Path, *, listen: int, upstream: int, rewrite: Mapping[str, str] | None = None
) -> Path:
    """Write a configuration below ``folder`` that listens on loopback and uses no path outside ``folder``.

    ``listen`` and ``upstream`` are ports. ``rewrite`` replaces text in every file, for example to shorten timeouts.
    Returns the path of nginx.conf. Raises FileNotFoundError if ``application`` has no .platform/nginx.
    """
    conf = folder / "conf"
    shutil.copytree(_STOCK, conf, dirs_exist_ok=True)
    shutil.copytree(application / ".platform" / "nginx", conf, dirs_exist_ok=True)
    # conf/html: nginx checks that its default root exists before it writes a log whose name contains a variable
    for name in ("log/healthd", "run", "spool", "conf/html"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    replacements = _host_paths(folder, listen, upstream) | dict(rewrite or {})
    for path in conf.rglob("*.conf"):
        text = path.read_text(encoding="utf-8")
        for old, new in replacements.items():
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
    return conf / "nginx.conf"


def _host_paths(folder: Path, listen: int, upstream: int) -> dict[str, str]:
    spools = "".join(f"{kind}_temp_path {folder}/spool/{kind};\n" for kind in ("fastcgi", "uwsgi", "scgi"))
    return {
        # If root starts nginx, its workers must also run as root to read this folder.
        "user nginx;": "user root root;" if os.geteuid() == 0 else "",
        "/var/log/nginx": f"{folder}/log",
        "/var/run/nginx.pid": f"{folder}/run/nginx.pid",
        "/dev/shm/": f"{folder}/spool/",  # noqa: S108
        "listen 80 default_server": f"listen 127.0.0.1:{listen} default_server",
        "http://127.0.0.1:8000": f"http://127.0.0.1:{upstream}",
        "include mime.types;": f"include mime.types;\n{spools}",
    }
