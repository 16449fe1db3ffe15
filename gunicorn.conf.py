"""gunicorn's configuration, and the life of the instance: boot checks, workers that load after the fork, stop."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
import tempfile
from functools import partial
from itertools import count
from pathlib import Path

from settings import load_or_exit
from web import allocator, metrics, readiness
from web.access_log import GunicornLogger
from web.announce import announce
from web.balance import ConnectionCounts
from web.boot import BootError, check_boot
from web.cores import cpus_of_worker, keep_to
from web.logs import configure_logging
from web.sharing import import_libraries
from web.threads import log_thread_plan, thread_environment, thread_plan

_settings = load_or_exit()
_run_dir: Path | None = _settings.run_dir
configure_logging(_settings.log_level)
allocator.settle()
os.environ.update(allocator.ENVIRONMENT)
# A core file would hold the photos of the requests that were under way.
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.environ.update(thread_environment(_settings))  # before any framework is imported, in this process's children

_plan = thread_plan(_settings)

bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
worker_class = "web.worker.DrainingWorker"
workers = _settings.gunicorn_workers
threads = _settings.gunicorn_threads
timeout = _settings.gunicorn_timeout_s
# counted from SIGTERM on: while it still accepts, and then for what it has accepted
graceful_timeout = _settings.stop_delay_s + _settings.gunicorn_timeout_s
# For those who talk to this port themselves. Our nginx does not: it has no pool of connections to this port
# (`Connection: ""` and no upstream with `keepalive`), each request comes by a new one that nginx closes; the idle
# connections that it keeps, for 345 s, are its clients'. A proxy with a pool must drop idle ones sooner than this.
keepalive = 75
max_requests = _settings.max_requests
max_requests_jitter = _settings.max_requests // 10
# torch, faiss and TensorFlow hang in a child that was forked after they had run.
preload_app = False
control_socket_disable = True
accesslog = "-"
loglevel = _settings.log_level.lower()
logger_class = GunicornLogger
# The heartbeat file of a worker is written every second: in memory, where there is such a place.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108


# Twice as many as serve at once: at a reload the old ones are still there.
_counts = ConnectionCounts(2 * workers)


def on_starting(server):
    """Check everything that can be checked without a framework, then make the folder that workers share."""
    global _run_dir  # noqa: PLW0603 - gunicorn's hooks have no other memory
    try:
        check_boot(_settings)
    except BootError as error:
        sys.exit(f"dermserve: {error}")
    log_thread_plan(_plan)
    _run_dir = Path(tempfile.mkdtemp(prefix="dermserve-"))
    os.environ["DERMSERVE_RUN_DIR"] = str(_run_dir)
    import_libraries()


def when_ready(server):
    """Let workers know when the whole instance stops: to a worker, SIGTERM alone can mean that it is replaced."""

    def stop(sig, frame):
        # Neither in a child that cannot tell signals apart yet, nor where another arbiter (USR2) or systemd has the
        # listening sockets too: then they live on, and their queue is not this instance's to empty.
        is_last = server.reexec_pid == server.master_pid == 0 and not server.systemd
        if os.getpid() == server.pid and is_last and _run_dir is not None:
            readiness.mark_stopping(_run_dir)
        server.signal(sig, frame)

    signal.signal(signal.SIGTERM, stop)


def pre_fork(server, worker):
    """Number the worker: the lowest number that is free, so that it goes on with the counts of a dead one."""
    taken = {sibling.number for sibling in server.WORKERS.values()}
    worker.number = next(number for number in count() if number not in taken)
    worker.share = _counts.share(worker.number)


def post_fork(server, worker):
    """Tell the application its worker's number, and keep the worker to its cores before it starts a thread."""
    os.environ["DERMSERVE_WORKER"] = str(worker.number)
    cpus = cpus_of_worker(worker.number, _plan.workers, _plan.computing_per_worker) if _settings.pin_workers else None
    if cpus is not None:
        keep_to(cpus)


def post_worker_init(worker):
    """Load in the background: threads, sockets and frameworks start after the fork."""
    host, port = worker.sockets[0].getsockname()[:2]
    worker.wsgi.extensions["dermserve"].start(partial(announce, _settings, host, port))


def child_exit(server, worker):
    """A dead worker is not ready, and holds no request and no connection."""
    _counts.forget(worker.number)
    if _run_dir is not None:
        readiness.forget(_run_dir, worker.pid)
        metrics.forget(_run_dir, worker.number)


def on_exit(server):
    """Leave nothing behind."""
    if _run_dir is not None:
        shutil.rmtree(_run_dir, ignore_errors=True)
