"""gunicorn's configuration, and the life of the instance: boot checks, workers that load after the fork, stop."""

from __future__ import annotations

import os
import resource
import signal
import sys
from functools import partial
from pathlib import Path

from server import instance
from server.access_log import GunicornLogger
from server.memory import ARROW_ENVIRONMENT, import_shared_libraries, use_one_heap
from server.threads import log_thread_plan, thread_environment, thread_plan
from settings import load_or_exit

_settings = load_or_exit()
use_one_heap()
# Libraries read these when they are imported: numpy's starts a thread for each core of the machine otherwise.
os.environ.update({**ARROW_ENVIRONMENT, **thread_environment(_settings)})

from web import metrics
from web.boot import BootError, announce, check_boot
from web.logs import configure_logging

configure_logging(_settings.log_level)
# A core file would hold the photos of the requests that were under way.
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
worker_class = "server.worker.DrainingWorker"
workers = _settings.gunicorn_workers
threads = _settings.gunicorn_threads
timeout = _settings.gunicorn_timeout_s
# Counted from SIGTERM: the time in which a worker still accepts, and the time for what it has accepted.
graceful_timeout = _settings.stop_delay_s + _settings.gunicorn_timeout_s
# Seconds that an idle connection is kept, for clients that connect to this port directly. Our nginx opens and closes a
# connection for each request. A proxy that keeps a pool of connections must drop idle ones sooner than this.
keepalive = 75
max_requests = _settings.max_requests
max_requests_jitter = _settings.max_requests // 10
# torch, faiss and TensorFlow hang in a child that was forked after they had run.
preload_app = False
control_socket_disable = True
accesslog = "-"
loglevel = _settings.log_level.lower()
logger_class = GunicornLogger
# gunicorn writes a heartbeat file for each worker every second: keep it in memory where that is possible.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108


def on_starting(server):
    """Check everything that can be checked without a framework, then make what workers share."""
    try:
        check_boot(_settings)
    except BootError as error:
        sys.exit(f"dermserve: {error}")
    log_thread_plan(thread_plan(_settings))
    instance.begin(workers)
    import_shared_libraries()


def when_ready(server):
    """Mark a stop of the whole instance: to a worker, SIGTERM alone can mean that it is replaced."""

    def stop(sig, frame):
        # Not in a child that still has this handler, and not where another arbiter (USR2) or systemd has the listening
        # sockets too: the sockets then stay open, and this instance must not empty their queue.
        is_last = server.reexec_pid == server.master_pid == 0 and not server.systemd
        if os.getpid() == server.pid and is_last:
            instance.current().mark_stopping()
        server.signal(sig, frame)

    signal.signal(signal.SIGTERM, stop)


def pre_fork(server, worker):
    """Number the worker."""
    instance.current().enrol(worker, server.WORKERS.values())


def post_worker_init(worker):
    """Load in the background: threads, sockets and frameworks start after the fork."""
    host, port = worker.sockets[0].getsockname()[:2]
    worker.wsgi.extensions["dermserve-served"].start(partial(announce, _settings, host, port))


def child_exit(server, worker):
    """Take back what a dead worker reported: that it is ready, its requests and its connections."""
    own = instance.current()
    own.forget(worker)
    metrics.forget(own.folder, worker.number)


def on_exit(server):
    """Remove what workers shared. There is nothing if the boot checks failed."""
    own = instance.current()
    if own is not None:
        own.remove()
