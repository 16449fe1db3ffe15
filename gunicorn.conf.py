"""gunicorn's configuration, and the life of the instance: boot checks, workers that load after the fork, stop."""

from __future__ import annotations

import os
import resource
import signal
import sys
from functools import partial
from pathlib import Path

from server import allocator, instance, readiness
from server.access_log import GunicornLogger
from server.cores import cpus_of_worker, keep_to
from server.sharing import import_libraries
from server.threads import log_thread_plan, thread_environment, thread_plan
from settings import load_or_exit

_settings = load_or_exit()
allocator.settle()
# Libraries read these when they are imported: numpy's starts a thread for each core of the machine otherwise.
os.environ.update({**allocator.ENVIRONMENT, **thread_environment(_settings)})

from web import metrics
from web.announce import announce
from web.boot import BootError, check_boot
from web.logs import configure_logging

configure_logging(_settings.log_level)
# A core file would hold the photos of the requests that were under way.
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

_plan = thread_plan(_settings)

bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
worker_class = "server.worker.DrainingWorker"
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


def on_starting(server):
    """Check everything that can be checked without a framework, then make what workers share."""
    try:
        check_boot(_settings)
    except BootError as error:
        sys.exit(f"dermserve: {error}")
    log_thread_plan(_plan)
    instance.begin(workers)
    import_libraries()


def when_ready(server):
    """Let workers know when the whole instance stops: to a worker, SIGTERM alone can mean that it is replaced."""

    def stop(sig, frame):
        # Neither in a child that cannot tell signals apart yet, nor where another arbiter (USR2) or systemd has the
        # listening sockets too: then they live on, and their queue is not this instance's to empty.
        is_last = server.reexec_pid == server.master_pid == 0 and not server.systemd
        if os.getpid() == server.pid and is_last:
            readiness.mark_stopping(instance.current().folder)
        server.signal(sig, frame)

    signal.signal(signal.SIGTERM, stop)


def pre_fork(server, worker):
    """Number the worker."""
    instance.current().enrol(worker, server.WORKERS.values())


def post_fork(server, worker):
    """Make the number known in the worker's process, and keep that to its cores before it starts a thread."""
    instance.current().number = worker.number
    cpus = cpus_of_worker(worker.number, _plan.workers, _plan.computing_per_worker) if _settings.pin_workers else None
    if cpus is not None:
        keep_to(cpus)


def post_worker_init(worker):
    """Load in the background: threads, sockets and frameworks start after the fork."""
    host, port = worker.sockets[0].getsockname()[:2]
    worker.wsgi.extensions["dermserve-served"].start(partial(announce, _settings, host, port))


def child_exit(server, worker):
    """A dead worker is not ready, and holds no request and no connection."""
    own = instance.current()
    own.forget(worker)
    metrics.forget(own.folder, worker.number)


def on_exit(server):
    """Leave nothing behind, if the start came so far that there is something."""
    own = instance.current()
    if own is not None:
        own.remove()
